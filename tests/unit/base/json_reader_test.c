#include "server/base/json_reader.h"

#include "server/base/mem.h"
#include "tests/support/test.h"

#include <string.h>

/* Gives the text in pieces of `most` bytes, and fails after `good_pieces` of them. */
struct pieces {
    struct span rest;
    size_t most;
    int good_pieces;
    int asked;
};

static bool next_piece(void *arg, struct span *piece, struct err *err)
{
    struct pieces *p = arg;

    p->asked++;
    if (p->good_pieces-- == 0)
        return err_set(err, ERR_TIMEOUT, true, HERE, "the wire was cut");
    *piece = span_head(p->rest, p->most);
    p->rest = span_tail(p->rest, p->most);
    return true;
}

static struct pieces pieces_of(const char *text, size_t most)
{
    return (struct pieces){ span_of(text), most, -1, 0 };
}

static void start(struct json_reader *r, struct pieces *p)
{
    json_reader_init(r, (struct span){ NULL, 0 }, 0, next_piece, p);
}

static void strings(void)
{
    static const struct {
        const char *in;
        const char *want; /* NULL: refused */
        bool altered;
    } cases[] = {
        { "\"\"", "", false },
        { "  \"plain\" ", "plain", false },
        { "\"a\\\"b\\\\c\\/d\"", "a\"b\\c/d", false },
        { "\"\\b\\f\\n\\r\\t\"", "\b\f\n\r\t", false },
        { "\"\\u0041\\u00e9\\u20aC\"", "A\xC3\xA9\xE2\x82\xAC", false },
        { "\"\\ud83d\\ude00!\"", "\xF0\x9F\x98\x80!", false },
        { "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", false },
        { "\"a\\u0000b\"",
          "a\xEF\xBF\xBD"
          "b",
          true },
        { "\"\\ud83d\"", "\xEF\xBF\xBD", true },
        { "\"\\ud83dx\"", "\xEF\xBF\xBDx", true },
        { "\"\\ud83d\\n\"", "\xEF\xBF\xBD\n", true },
        { "\"\\ud83d\xC3\xA9\"", "\xEF\xBF\xBD\xC3\xA9", true },
        { "\"\\ude00\\ud83d\"", "\xEF\xBF\xBD\xEF\xBF\xBD", true },
        { "\"\\ud83d\\ud83d\\ude00\"", "\xEF\xBF\xBD\xF0\x9F\x98\x80", true },
        { "\"\\x\"", NULL, false },
        { "\"\\u12g4\"", NULL, false },
        { "\"a\tb\"", NULL, false },
        { "\"\xC0\x80\"", NULL, false },
        { "\"\xED\xA0\x80\"", NULL, false },
        { "\"\xE2\x82\"", NULL, false },
        { "\"open", NULL, false },
        { "\"open\\", NULL, false },
        { "x", NULL, false },
        { "1", NULL, false },
        { "", NULL, false },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t most = 1; most <= strlen(cases[i].in) + 1; most++) {
            struct pieces p = pieces_of(cases[i].in, most);
            struct err err = { .kind = ERR_NONE };
            AUTO(buf_done) struct buf out = { .max = 100 };
            struct json_reader r;
            bool ok = false;

            test_case("row %zu in pieces of %zu", i, most);
            buf_text(&out, "before ");
            start(&r, &p);
            ok = json_take_string(&r, &out, &err);
            CHECK(ok == (cases[i].want != NULL));
            CHECK_SPAN(span_tail(buf_view(&out), 7), ok ? cases[i].want : "");
            CHECK(!ok || r.altered == cases[i].altered);
            CHECK_TEXT(err.code, ok ? "" : "json_syntax");
        }
    }
}

static void integers(void)
{
    static const struct {
        const char *in;
        int64_t want;
        bool ok;
    } cases[] = {
        { "0", 0, true },
        { "-0", 0, true },
        { " 42 ", 42, true },
        { "9223372036854775807", INT64_MAX, true },
        { "-9223372036854775808", INT64_MIN, true },
        { "9223372036854775808", 0, false },
        { "-9223372036854775809", 0, false },
        { "1.9", 1, true },
        { "1.99999999999999999999995", 1, true },
        { "-1.9", -1, true },
        { "0.99999999999999999999999", 0, true },
        { "9223372036854775807.999", INT64_MAX, true },
        { "-9223372036854775808.999", INT64_MIN, true },
        { "1.5e3", 1500, true },
        { "1.2345E+2", 123, true },
        { "12345e-2", 123, true },
        { "-12345e-4", -1, true },
        { "12345e-5", 0, true },
        { "0.00012e8", 12000, true },
        { "9.223372036854775807e18", INT64_MAX, true },
        { "9.223372036854775808e18", 0, false },
        { "1e19", 0, false },
        { "1e99999999999999999999", 0, false },
        { "1e-99999999999999999999", 0, true },
        { "0e99999999999999999999", 0, true },
        { "-0.0e5", 0, true },
        { "01", 0, true }, /* the value is 0; what follows is the container's business */
        { "1.", 0, false },
        { "1e", 0, false },
        { "-", 0, false },
        { "\"1\"", 0, false },
        { "true", 0, false },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t most = 1; most <= 8; most++) {
            struct pieces p = pieces_of(cases[i].in, most);
            struct err err = { .kind = ERR_NONE };
            struct json_reader r;
            int64_t got = -77;

            test_case("%s in pieces of %zu", cases[i].in, most);
            start(&r, &p);
            CHECK(json_take_i64(&r, &got, &err) == cases[i].ok);
            CHECK_I64(got, cases[i].ok ? cases[i].want : -77);
            CHECK(cases[i].ok || err.kind == ERR_INPUT);
        }
    }
}

/* A number that does not fit is read all the same: the reader goes on behind it. */
static void numbers_that_may_not_fit(void)
{
    static const struct {
        const char *in;
        int64_t want; /* -77: nothing */
        bool ok;
    } cases[] = {
        { "[5]", 5, true },
        { "[9223372036854775808]", -77, true },
        { "[-9223372036854775809]", -77, true },
        { "[1e400]", -77, true },
        { "[1e]", -77, false },
        { "[true]", -77, false },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pieces p = pieces_of(cases[i].in, 3);
        struct err err = { .kind = ERR_NONE };
        struct json_reader r;
        int64_t got = -77;
        bool done = false;

        test_case("%s", cases[i].in);
        start(&r, &p);
        CHECK(json_enter_array(&r, &err) && json_next_item(&r, &done, &err) && !done);
        CHECK(json_take_i64_if_fits(&r, &got, &err) == cases[i].ok);
        CHECK_I64(got, cases[i].want);
        CHECK_I64(err.kind, cases[i].ok ? ERR_NONE : ERR_INPUT);
        CHECK(!cases[i].ok || (json_next_item(&r, &done, &err) && done));
    }
    test_case(NULL);
}

static void booleans(void)
{
    static const struct {
        const char *in;
        bool ok;
        bool want;
    } cases[] = {
        { "true", true, true }, { " false", true, false }, { "tru", false, false }, { "null", false, false }
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pieces p = pieces_of(cases[i].in, 1);
        struct json_reader r;
        bool got = !cases[i].want;

        test_case("%s", cases[i].in);
        start(&r, &p);
        CHECK(json_take_bool(&r, &got, NULL) == cases[i].ok);
        CHECK(!cases[i].ok || got == cases[i].want);
    }
}

/* The pull calls in the order in which a reader of Bedrock's output makes them. */
static void pulling(void)
{
    static const char text[] =
        "{\"skip\":{\"a\":[1,{\"b\":\"}\\\"]\"}],\"c\":null},\"list\":[\"x\",[],-2.5],\"on\":true}";

    for (size_t most = 1; most <= sizeof text; most++) {
        struct pieces p = pieces_of(text, most);
        struct err err = { .kind = ERR_NONE };
        AUTO(buf_done) struct buf name = { .max = 16 };
        AUTO(buf_done) struct buf value = { .max = 16 };
        enum json_kind kind = JSON_KIND_NULL;
        struct json_reader r;
        bool done = false;
        bool on = false;
        int64_t n = 0;

        test_case("pieces of %zu", most);
        start(&r, &p);
        CHECK(json_peek(&r, &kind, &err) && kind == JSON_KIND_OBJECT);
        CHECK(json_enter_object(&r, &err));
        CHECK(json_next_name(&r, &name, &done, &err) && !done);
        CHECK_TEXT(buf_cstr(&name), "skip");
        CHECK(json_skip_value(&r, &err));
        CHECK(json_next_name(&r, &name, &done, &err) && !done);
        CHECK_TEXT(buf_cstr(&name), "list");
        CHECK(json_enter_array(&r, &err));
        CHECK(json_next_item(&r, &done, &err) && !done);
        CHECK(json_take_string(&r, &value, &err));
        CHECK_TEXT(buf_cstr(&value), "x");
        CHECK(json_next_item(&r, &done, &err) && !done);
        CHECK(json_enter_array(&r, &err) && json_next_item(&r, &done, &err) && done);
        CHECK(json_next_item(&r, &done, &err) && !done);
        CHECK(json_peek(&r, &kind, &err) && kind == JSON_KIND_NUMBER);
        CHECK(json_take_i64(&r, &n, &err));
        CHECK_I64(n, -2);
        CHECK(json_next_item(&r, &done, &err) && done);
        CHECK(json_next_name(&r, &name, &done, &err) && !done);
        CHECK(json_take_bool(&r, &on, &err) && on);
        CHECK(json_next_name(&r, &name, &done, &err) && done);
        CHECK_I64(json_reader_offset(&r), (int64_t)sizeof text - 1);
        CHECK_I64(r.depth, 0);
        CHECK_TEXT(err.what, "");
    }
}

/* Each way to break the order of commas, and of calls. */
static void broken_containers(void)
{
    static const char *const objects[] = { "{,",        "{\"a\"", "{\"a\":}", "{\"a\":1,}", "{\"a\":1 \"b\":2}",
                                           "{\"a\":1]", "{1",     "{" };
    static const char *const arrays[] = { "[,", "[1,]", "[1 2]", "[1}", "[", "[1" };
    struct json_reader r;
    bool done = false;

    for (size_t i = 0; i < sizeof objects / sizeof objects[0]; i++) {
        struct pieces p = pieces_of(objects[i], 1);
        AUTO(buf_done) struct buf name = { .max = 16 };
        struct err err = { .kind = ERR_NONE };

        test_case("%s", objects[i]);
        start(&r, &p);
        CHECK(json_enter_object(&r, NULL));
        for (done = false; !done && json_next_name(&r, &name, &done, &err) && !done;)
            if (!json_skip_value(&r, &err))
                break;
        CHECK(!done);
        CHECK_TEXT(err.code, "json_syntax");
    }
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) {
        struct pieces p = pieces_of(arrays[i], 1);
        struct err err = { .kind = ERR_NONE };

        test_case("%s", arrays[i]);
        start(&r, &p);
        CHECK(json_enter_array(&r, NULL));
        for (done = false; !done && json_next_item(&r, &done, &err) && !done;)
            if (!json_skip_value(&r, &err))
                break;
        CHECK(!done);
        CHECK_TEXT(err.code, "json_syntax");
    }
}

static void limits_and_memory(void)
{
    static const char text[] = "{\"a long name\":\"a long value\"}";
    struct err err = { .kind = ERR_NONE };
    AUTO(buf_done) struct buf small = { .max = 5 };
    AUTO(buf_done) struct buf name = { .max = 100 };
    struct pieces p = pieces_of(text, 3);
    struct json_reader r;
    bool done = false;

    start(&r, &p);
    CHECK(json_enter_object(&r, &err));
    CHECK(!json_next_name(&r, &small, &done, &err));
    CHECK_TEXT(err.code, "json_too_long");
    CHECK_I64(err.kind, ERR_INPUT);
    CHECK_I64(small.len, 0);

    err_clear(&err);
    p = pieces_of(text, 3);
    start(&r, &p);
    CHECK(json_enter_object(&r, &err) && json_next_name(&r, &name, &done, &err));
    buf_reset(&small);
    CHECK(!json_take_string(&r, &small, &err));
    CHECK_TEXT(err.code, "json_too_long");

    err_clear(&err);
    buf_done(&name);
    p = pieces_of(text, 3);
    start(&r, &p);
    CHECK(json_enter_object(&r, &err));
    mem_fail_at(1);
    CHECK(!json_next_name(&r, &name, &done, &err));
    mem_fail_never();
    CHECK_I64(err.kind, ERR_MEMORY);
}

/* A broken line costs itself and no other: what each line of the input gave, as one letter. */
static void lines(void)
{
    static const struct {
        const char *in;
        const char *want; /* v: valid, x: dropped */
    } cases[] = {
        { "", "" },
        { "\n \r\n\t\n", "" },
        { "{}\n{}\n", "vv" },
        { "{}\r\n[1]", "vv" },
        { "{}x\n{}\n", "xv" },
        { "{} {}\n{}\n", "xv" },
        { "{\"a\":\"cut\n{}\n", "xv" },
        { "{\"a\":\"cut\\\n{}\n", "xv" },
        { "{\"a\":\"cut\\u12\n{}\n", "xv" },
        { "{\"a\"\n{}\n", "xv" },
        { "{\"a\":\n{}\n", "xv" },
        { "{\"a\":1,\n{}\n", "xv" },
        { "{\n{}\n", "xv" },
        { "[1\n]\n{}\n", "xxv" },
        { "tru\ntrue\n", "xv" },
        { "1e\n2\n", "xv" },
        { "-\n2\n", "xv" },
        { "\"\xE2\x82\n2\n", "xv" },
        { "x\n\nx\nx", "xxx" },
        { "[[[[\n{}", "xv" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t most = 1; most <= 40; most += most < 9 ? 1 : 31) {
            for (int strict = 0; strict < 2; strict++) {
                struct pieces p = pieces_of(cases[i].in, most);
                AUTO(buf_done) struct buf got = { .max = 100 };
                struct json_reader r;
                bool eof = false;

                test_case("row %zu in pieces of %zu, %s", i, most, strict ? "judged" : "skipped");
                start(&r, &p);
                while (json_next_line(&r, &eof, NULL) && !eof && got.len < 50) {
                    bool ok = strict ? json_check_value(&r, NULL) : json_skip_value(&r, NULL);
                    ok = ok && json_end_of_line(&r, NULL);
                    buf_char(&got, ok ? 'v' : 'x');
                    CHECK(ok || json_drop_line(&r, NULL));
                }
                CHECK(eof);
                CHECK_TEXT(buf_cstr(&got), cases[i].want);
                CHECK_I64(json_reader_offset(&r), strlen(cases[i].in));
            }
        }
    }
}

/* The input breaks after each piece in turn: its own error comes out, and `more` is not asked again. */
static void failing_input(void)
{
    static const char text[] = "{\"a\":[1.5,\"\\ud83d\\ude00\xC3\xA9\",true],\"b\":{}}\n";
    size_t whole = sizeof text - 1;

    for (int good = 0; good < (int)whole; good++) {
        struct pieces p = pieces_of(text, 1);
        struct err err = { .kind = ERR_NONE };
        struct json_reader r;
        bool eof = false;
        int asked = 0;

        test_case("after %d bytes", good);
        p.good_pieces = good;
        start(&r, &p);
        CHECK(!(json_next_line(&r, &eof, &err) && json_check_value(&r, &err) && json_end_of_line(&r, &err)));
        CHECK(r.io_failed);
        CHECK_I64(err.kind, ERR_TIMEOUT);
        CHECK_TEXT(err.what, "the wire was cut");
        asked = p.asked;
        err_clear(&err);
        CHECK(!json_drop_line(&r, &err) && err.kind == ERR_UPSTREAM);
        CHECK(!json_next_line(&r, &eof, &err));
        CHECK_I64(p.asked, asked);
    }
}

static void first_window_and_offset(void)
{
    struct pieces p = pieces_of("3]", 100);
    struct err err = { .kind = ERR_NONE };
    struct json_reader r;

    json_reader_init(&r, SPAN_LIT("[12"), 1000, next_piece, &p);
    CHECK(json_check_value(&r, &err));
    CHECK_I64(json_reader_offset(&r), 1005);

    json_reader_init(&r, SPAN_LIT("[1,x]"), INT64_C(5000000000), NULL, NULL);
    CHECK(!json_skip_value(&r, &err));
    CHECK_TEXT(err.what, "malformed JSON at byte 5000000003: expected a value, found 'x'");
}

static const struct test tests[] = {
    { "strings", strings },
    { "integers", integers },
    { "numbers_that_may_not_fit", numbers_that_may_not_fit },
    { "booleans", booleans },
    { "pulling", pulling },
    { "broken_containers", broken_containers },
    { "limits_and_memory", limits_and_memory },
    { "lines", lines },
    { "failing_input", failing_input },
    { "first_window_and_offset", first_window_and_offset },
};

TEST_MAIN("json_reader", tests)
