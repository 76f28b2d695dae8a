#include "server/base/json_writer.h"

#include "server/base/id.h"
#include "tests/support/json_compare.h"
#include "tests/support/test.h"

#include <float.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void document(void)
{
    AUTO(buf_done) struct buf out = { .max = 1000 };
    struct json_writer w = json_writer_on(&out);

    json_begin_object(&w);
    json_put_text(&w, "text", "a\"b");
    json_put_text(&w, "nothing", NULL);
    json_put_span(&w, "span", SPAN_LIT("s"));
    json_put_i64(&w, "least", INT64_MIN);
    json_put_f64(&w, "half", 0.5);
    json_put_bool(&w, "yes", true);
    json_put_null(&w, "null");
    json_put_raw(&w, "raw", SPAN_LIT("{\"x\":[]}"));
    json_put_time(&w, "at", INT64_C(1793534400123));
    json_put_time(&w, "never", 0);
    json_put_id(&w, "id", ID_JOB, 62);
    json_put_id(&w, "no_id", ID_JOB, 0);
    json_name(&w, "list");
    json_begin_array(&w);
    json_begin_array(&w);
    json_end_array(&w);
    json_begin_object(&w);
    json_end_object(&w);
    json_i64(&w, 1);
    json_bool(&w, false);
    json_none(&w);
    json_text(&w, "");
    json_end_array(&w);
    json_put_i64(&w, "after", 2);
    json_end_object(&w);
    CHECK(buf_ok(&out));
    CHECK_TEXT(buf_cstr(&out),
               "{\"text\":\"a\\\"b\",\"nothing\":null,\"span\":\"s\",\"least\":-9223372036854775808,\"half\":0.5,"
               "\"yes\":true,\"null\":null,\"raw\":{\"x\":[]},\"at\":\"2026-11-01T12:00:00.123Z\",\"never\":null,"
               "\"id\":\"job_00000000010\",\"no_id\":null,\"list\":[[],{},1,false,null,\"\"],\"after\":2}");
}

/* A value is copied from its own buffer, also while that moves, or is full. */
static void value_again(void)
{
    static const size_t sizes[] = { 0, 1, 20, 60, 61, 62, 63, 64, 5000 };

    for (size_t i = 0; i < COUNT(sizes); i++) {
        for (size_t max = 1; max <= 2 * sizes[i] + 20; max += sizes[i] + 9) {
            AUTO(buf_done) struct buf out = { .max = max };
            AUTO(buf_done) struct buf text = { .max = 6000 };
            AUTO(buf_done) struct buf want = { .max = 20000 };
            struct json_writer w = json_writer_on(&out);
            size_t from = 0;

            for (size_t n = 0; n < sizes[i]; n++)
                buf_char(&text, (char)('a' + n % 26));
            json_begin_object(&w);
            json_name(&w, "a");
            from = out.len;
            json_span(&w, buf_view(&text));
            json_name(&w, "b");
            json_again(&w, from, out.len > from ? sizes[i] + 2 : 0);
            json_end_object(&w);
            buf_fmt(&want, "{\"a\":\"%s\",\"b\":\"%s\"}", buf_cstr(&text), buf_cstr(&text));
            test_case("%zu bytes, room for %zu", sizes[i], max);
            CHECK(buf_ok(&out) == (want.len <= max));
            if (buf_ok(&out))
                CHECK_TEXT(buf_cstr(&out), buf_cstr(&want));
        }
    }
}

static void escapes(void)
{
    static const struct {
        const char *in;
        size_t len;
        const char *want;
    } cases[] = {
        { "", 0, "" },
        { "plain", 5, "plain" },
        { "\"\\/", 3, "\\\"\\\\/" },
        { "\b\f\n\r\t", 5, "\\b\\f\\n\\r\\t" },
        { "\0\x01\x1F\x7F", 4, "\\u0000\\u0001\\u001f\x7F" },
        { "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", 9, "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80" },
        { "a\xFFz", 3, "a\xEF\xBF\xBDz" },
        { "\xE2\x82", 2, "\xEF\xBF\xBD" },
        { "\xED\xA0\x80", 3, "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD" },
        { "eight by\"te wor\\ds", 18, "eight by\\\"te wor\\\\ds" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO(buf_done) struct buf out = { .max = 1000 };

        test_case("row %zu", i);
        json_escape(&out, (struct span){ cases[i].in, cases[i].len });
        CHECK_TEXT(buf_cstr(&out), cases[i].want);
    }
}

/* Any bytes at all: Jansson reads what we wrote, and finds what text_add_storable would have kept (NUL kept as NUL). */
static void any_bytes(void)
{
    static const char bytes[] = "ab\"\\\n\t\x01\x7F\x80\xBF\xC3\xA9\xE2\x82\xAC\xED\xA0\xF0\x9F\x98\xF4\x8F\xFF";
    uint64_t random = 7;
    int wrong = 0;

    for (int i = 0; i < 20000; i++) {
        char in[40];
        size_t len = random_below(&random, sizeof in);
        AUTO(buf_done) struct buf out = { .max = 1000 };
        AUTO(buf_done) struct buf want = { .max = 1000 };
        struct json_writer w = json_writer_on(&out);
        json_t *got = NULL;

        for (size_t k = 0; k < len; k++)
            in[k] = bytes[random_below(&random, sizeof bytes - 1)];
        json_span(&w, (struct span){ in, len });
        got = json_loadb(out.data, out.len, JSON_DECODE_ANY, NULL);
        (void)text_add_storable(&want, (struct span){ in, len });
        wrong +=
            got && span_eq((struct span){ json_string_value(got), json_string_length(got) }, buf_view(&want)) ? 0 : 1;
        json_decref(got);
    }
    CHECK_I64(wrong, 0);
}

static void doubles(void)
{
    static const struct {
        double x;
        const char *want;
    } cases[] = {
        { 0, "0" },
        { 1, "1" },
        { -2.5, "-2.5" },
        { 0.1, "0.1" },
        { 1.0 / 3, "0.3333333333333333" },
        { 1e300, "1e+300" },
        { 123456789012345680.0, "1.2345678901234568e+17" },
        { DBL_MAX, "1.7976931348623157e+308" },
        { 5e-324, "4.94065645841247e-324" },
        { NAN, "null" },
        { INFINITY, "null" },
        { -INFINITY, "null" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO(buf_done) struct buf out = { .max = 100 };
        struct json_writer w = json_writer_on(&out);

        json_f64(&w, cases[i].x);
        CHECK_TEXT(buf_cstr(&out), cases[i].want);
    }
}

static void full_buffer(void)
{
    AUTO(buf_done) struct buf out = { .max = 10 };
    struct json_writer w = json_writer_on(&out);

    json_begin_array(&w);
    json_text(&w, "more than ten bytes");
    json_end_array(&w);
    CHECK(!buf_ok(&out));
}

static void value_without_name(struct json_writer *w)
{
    json_begin_object(w);
    json_i64(w, 1);
}

static void name_without_value(struct json_writer *w)
{
    json_begin_object(w);
    json_name(w, "a");
    json_end_object(w);
}

static void name_in_array(struct json_writer *w)
{
    json_begin_array(w);
    json_name(w, "a");
}

static void wrong_end(struct json_writer *w)
{
    json_begin_array(w);
    json_end_object(w);
}

static void one_end_too_many(struct json_writer *w)
{
    json_end_array(w);
}

static void endless_nesting(struct json_writer *w)
{
    for (int i = 0; i <= JSON_WRITER_DEPTH; i++)
        json_begin_array(w);
}

/* Each misuse aborts: tried in a child, which then leaves no core and no message. */
static void misuse(void)
{
    static void (*const wrong[])(struct json_writer *) = {
        value_without_name, name_without_value, name_in_array, wrong_end, one_end_too_many, endless_nesting,
    };

    for (size_t i = 0; i < COUNT(wrong); i++) {
        int status = 0;
        pid_t child = fork();

        if (child == 0) {
            struct buf out = { .max = 1000 };
            struct json_writer w = json_writer_on(&out);

            (void)signal(SIGABRT, SIG_DFL);
            (void)close(STDERR_FILENO);
            wrong[i](&w);
            _exit(0);
        }
        test_case("misuse %zu", i);
        CHECK(child > 0 && waitpid(child, &status, 0) == child);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    }
}

static const struct test tests[] = {
    { "document", document }, { "value_again", value_again }, { "escapes", escapes }, { "any_bytes", any_bytes },
    { "doubles", doubles },   { "full_buffer", full_buffer }, { "misuse", misuse },
};

TEST_MAIN("json_writer", tests)
