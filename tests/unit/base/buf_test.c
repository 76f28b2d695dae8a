/* Bounded buffers, memory, spans and errors: the ground on which all else stands. */
#include "server/base/buf.h"

#include "server/base/mem.h"
#include "tests/support/test.h"

#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void appends(void)
{
    struct buf b = { .max = 0 };

    CHECK_TEXT(buf_cstr(&b), "");
    buf_done(&b); /* zeroed memory */
    buf_init(&b, 0);
    CHECK_I64(b.max, 1 << 20);
    buf_add(&b, NULL, 0);
    buf_text(&b, NULL);
    CHECK(b.data == NULL && buf_ok(&b));
    buf_text(&b, "text ");
    buf_char(&b, 'c');
    buf_fmt(&b, " %s=%d ", "n", 42);
    buf_i64(&b, INT64_MIN);
    buf_char(&b, ' ');
    buf_i64(&b, INT64_MAX);
    buf_char(&b, ' ');
    buf_i64(&b, 0);
    buf_span(&b, SPAN_LIT(" a\0b"));
    CHECK_I64(b.len, strlen(buf_cstr(&b)) + 2);
    buf_cut(&b, b.len - 2);
    CHECK_TEXT(buf_cstr(&b), "text c n=42 -9223372036854775808 9223372036854775807 0 a");
    buf_cut(&b, 13);
    CHECK_TEXT(buf_cstr(&b), "text c n=42 -");
    buf_cut(&b, 100);
    CHECK_I64(b.len, 13);
    buf_cut(&b, 0);
    CHECK_TEXT(buf_cstr(&b), "");
    buf_done(&b);
    CHECK_I64(b.max, 1 << 20);
    buf_text(&b, "again");
    CHECK_SPAN(buf_view(&b), "again");
    buf_done(&b);
}

static void room(void)
{
    AUTO(buf_done) struct buf b = { .max = 10 };
    char *to = buf_room(&b, 10);

    CHECK(to != NULL);
    if (!to)
        return;
    memcpy(to, "0123456789", 10);
    buf_grew(&b, 4);
    CHECK_TEXT(buf_cstr(&b), "0123");
    CHECK(buf_room(&b, 7) == NULL && !buf_ok(&b));
}

/* Every way to write one byte too many, for every maximum around the sizes at which the buffer grows. */
static void maximum(void)
{
    for (size_t max = 1; max <= 300; max++) {
        AUTO(buf_done) struct buf b = { .max = 0 };
        struct err err = { .kind = ERR_NONE };
        bool terminated = true;

        test_case("max %zu", max);
        buf_init(&b, max);
        for (size_t i = 0; i < max; i++) {
            buf_char(&b, 'x');
            terminated = terminated && b.data && b.data[b.len] == '\0' && b.cap <= max + 1;
        }
        CHECK(terminated && buf_ok(&b));
        CHECK(buf_check(&b, "a thing", &err));
        buf_fmt(&b, "%s", "yy");
        CHECK(!buf_ok(&b));
        CHECK_I64(b.len, max);
        buf_cut(&b, 0);
        buf_char(&b, 'z'); /* after a failure nothing is added: there would be a hole before it */
        CHECK_I64(b.len, 0);
        CHECK(!buf_check(&b, "a thing", &err));
        CHECK_I64(err.kind, ERR_MEMORY);
        buf_reset(&b);
        CHECK(buf_ok(&b));
        buf_add(&b, "z", SIZE_MAX);
        CHECK(!buf_ok(&b));
    }
}

/* The n-th allocation fails, for each n that there is: the buffer says so and keeps what it had. */
static void no_memory(void)
{
    for (uint64_t n = 1; n <= 10; n++) {
        AUTO(buf_done) struct buf b = { .max = 1 << 20 };
        size_t written = 0;

        test_case("allocation %llu", (unsigned long long)n);
        mem_fail_at(n);
        for (; buf_ok(&b) && written < 10000; written++)
            buf_char(&b, 'x');
        mem_fail_never();
        CHECK(!buf_ok(&b) == (n <= 9)); /* 64 bytes, doubled eight times */
        CHECK_I64(b.len, buf_ok(&b) ? written : written - 1);
        CHECK_I64(strlen(buf_cstr(&b)), b.len);
    }
}

static void memory(void)
{
    AUTO(mem_free_text) char *text = NULL;
    char *block = mem_alloc(3, 5);

    CHECK(block && memcmp(block, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 15) == 0);
    CHECK(mem_alloc(SIZE_MAX / 2, 3) == NULL);
    CHECK(mem_resize(block, SIZE_MAX / 2, 3) == NULL);
    if (block)
        block[0] = 'k';
    mem_fail_at(1);
    CHECK(mem_resize(block, 100, 1) == NULL);
    CHECK(mem_text("x") == NULL);
    CHECK(mem_alloc(1, 1) == NULL); /* and every one after it */
    mem_fail_never();
    block = mem_resize(block, 100, 1);
    CHECK(block && block[0] == 'k');
    mem_free(block);
    block = mem_alloc(0, 7);
    CHECK(block != NULL); /* NULL means failure only */
    block = mem_resize(block, 0, 0);
    CHECK(block != NULL);
    mem_free(block);
    mem_free(NULL);
    CHECK(mem_text(NULL) == NULL);
    text = mem_span((struct span){ "abc", 2 });
    CHECK_TEXT(text, "ab");
    mem_free_text(&text);
    CHECK(text == NULL);
    text = mem_span((struct span){ NULL, 0 });
    CHECK_TEXT(text, "");
}

static void spans(void)
{
    struct span none = { NULL, 0 };

    CHECK(span_eq(span_of(NULL), none) && span_eq_text(none, "") && span_eq(none, none));
    CHECK(span_eq_text(SPAN_LIT("abc"), "abc") && !span_eq_text(SPAN_LIT("abc"), "abd"));
    CHECK(!span_eq_text(SPAN_LIT("abc"), "ab") && !span_eq_text(SPAN_LIT("ab"), "abc"));
    CHECK(span_eq_nocase(SPAN_LIT("ETag-Z"), SPAN_LIT("etAG-z")) && !span_eq_nocase(SPAN_LIT("a"), SPAN_LIT("b")));
    CHECK(!span_eq_nocase(SPAN_LIT("@"), SPAN_LIT("`")) && !span_eq_nocase(SPAN_LIT("["), SPAN_LIT("{")));
    CHECK(!span_eq_nocase(SPAN_LIT("\xC3\x89"), SPAN_LIT("\xC3\xA9")));
    CHECK(span_starts(SPAN_LIT("abc"), SPAN_LIT("ab")) && span_starts(SPAN_LIT("abc"), none));
    CHECK(!span_starts(SPAN_LIT("ab"), SPAN_LIT("abc")) && !span_starts(SPAN_LIT("abc"), SPAN_LIT("b")));
    CHECK(span_ends(SPAN_LIT("abc"), SPAN_LIT("bc")) && span_ends(none, none));
    CHECK(!span_ends(SPAN_LIT("bc"), SPAN_LIT("abc")) && !span_ends(SPAN_LIT("abc"), SPAN_LIT("b")));
    CHECK_SPAN(span_trim(SPAN_LIT(" \t\r\na b\n ")), "a b");
    CHECK_SPAN(span_trim(SPAN_LIT(" \n ")), "");
    CHECK_I64(span_find(SPAN_LIT("abcb"), 'b'), 1);
    CHECK_I64(span_find(SPAN_LIT("abc"), 'x'), 3);
    CHECK_I64(span_find(none, 'x'), 0);
    CHECK_SPAN(span_head(SPAN_LIT("abc"), 2), "ab");
    CHECK_SPAN(span_head(SPAN_LIT("abc"), 9), "abc");
    CHECK_SPAN(span_tail(SPAN_LIT("abc"), 2), "c");
    CHECK_SPAN(span_tail(SPAN_LIT("abc"), 9), "");
    CHECK(span_tail(none, 1).len == 0);
}

static void errors(void)
{
    const struct err second = { .kind = ERR_BUSY };
    struct err e = { .kind = ERR_NONE }, other = { .kind = ERR_NONE };

    CHECK_TEXT(err_code_of(&e), "none");
    CHECK(!err_set(NULL, ERR_INPUT, false, HERE, "nobody cares") && !err_code(NULL, "x") && !err_memory(NULL, HERE));
    CHECK(!err_set(&e, ERR_NOT_FOUND, true, "here:1", "no job %d", 7));
    CHECK_TEXT(err_code_of(&e), "not_found");
    CHECK(!err_set(&e, ERR_DATABASE, false, "there:2", "cleanup failed"));
    CHECK(!err_code(&e, "no_job"));
    CHECK(!err_code(&e, "other"));
    CHECK(e.kind == ERR_NOT_FOUND && e.retryable);
    CHECK_TEXT(e.what, "no job 7");
    CHECK_TEXT(e.where, "here:1");
    CHECK_TEXT(err_code_of(&e), "no_job");
    CHECK(!err_pass(NULL, &e) && !err_pass(&other, &e) && !err_pass(&e, &second));
    CHECK(other.kind == ERR_NOT_FOUND && e.kind == ERR_NOT_FOUND);
    CHECK_TEXT(other.what, "no job 7");
    err_clear(&e);
    err_clear(NULL);
    CHECK(e.kind == ERR_NONE && e.code[0] == '\0' && e.what[0] == '\0');
    CHECK(!err_memory(&e, HERE));
    CHECK(e.kind == ERR_MEMORY && !e.retryable);
    CHECK_TEXT(err_kind_name((enum err_kind)99), "internal");
}

/* Texts of all lengths around the limit, of characters of each width: what is kept is whole characters. */
static void errors_cut(void)
{
    static const char *const characters[] = { "x", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80" };

    for (size_t k = 0; k < COUNT(characters); k++) {
        for (size_t shift = 0; shift < 8; shift++) {
            struct err e = { .kind = ERR_NONE };
            AUTO(buf_done) struct buf text = { .max = 2000 };
            size_t width = strlen(characters[k]);

            test_case("width %zu, shift %zu", width, shift);
            for (size_t i = 0; i < shift; i++)
                buf_char(&text, 'a');
            while (text.len < 600)
                buf_text(&text, characters[k]);
            (void)err_set(&e, ERR_INPUT, false, HERE, "%s", buf_cstr(&text));
            CHECK_I64((strlen(e.what) - shift) % width, 0);
            CHECK(strlen(e.what) >= sizeof e.what - 6);
            CHECK(span_starts(buf_view(&text), span_of(e.what)));
        }
    }
}

static const struct test tests[] = {
    { "appends", appends }, { "room", room },   { "maximum", maximum }, { "no_memory", no_memory },
    { "memory", memory },   { "spans", spans }, { "errors", errors },   { "errors_cut", errors_cut },
};

TEST_MAIN("buf", tests)
