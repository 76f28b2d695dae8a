#include "server/base/text.h"

#include "tests/support/test.h"

#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

struct number_case {
    const char *in;
    bool ok;
    int64_t want;
};

static void check_numbers(bool (*parse)(struct span, int64_t *), const struct number_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int64_t got = -77;

        test_case("%s", cases[i].in);
        CHECK(parse(span_of(cases[i].in), &got) == cases[i].ok);
        CHECK_I64(got, cases[i].ok ? cases[i].want : -77);
    }
}

static void numbers(void)
{
    static const struct number_case cases[] = {
        { "0", true, 0 },
        { "-0", true, 0 },
        { "007", true, 7 },
        { "9223372036854775807", true, INT64_MAX },
        { "-9223372036854775808", true, INT64_MIN },
        { "9223372036854775808", false, 0 },
        { "-9223372036854775809", false, 0 },
        { "99999999999999999999999", false, 0 },
        { "", false, 0 },
        { "-", false, 0 },
        { "+1", false, 0 },
        { " 1", false, 0 },
        { "1 ", false, 0 },
        { "1x", false, 0 },
        { "0x1", false, 0 },
        { "--1", false, 0 },
    };

    check_numbers(text_parse_i64, cases, COUNT(cases));
    CHECK_I64(text_parse_i64((struct span){ "1\0", 2 }, &(int64_t){ 0 }), false);
}

static void durations(void)
{
    static const struct number_case cases[] = {
        { "250ms", true, 250 },
        { "2s", true, 2000 },
        { "5m", true, 300000 },
        { "1h", true, 3600000 },
        { "0s", true, 0 },
        { "9223372036854775807ms", true, INT64_MAX },
        { "9223372036854775807s", false, 0 },
        { "10", false, 0 },
        { "", false, 0 },
        { "s", false, 0 },
        { "-1s", false, 0 },
        { "1.5s", false, 0 },
        { "1S", false, 0 },
        { "1s ", false, 0 },
        { "1d", false, 0 },
    };

    check_numbers(text_parse_duration_ms, cases, COUNT(cases));
}

static void sizes(void)
{
    static const struct number_case cases[] = {
        { "4096", true, 4096 },
        { "7B", true, 7 },
        { "64KiB", true, 65536 },
        { "1MiB", true, 1048576 },
        { "1GiB", true, 1073741824 },
        { "2TiB", true, INT64_C(2199023255552) },
        { "1KB", true, 1000 },
        { "3MB", true, 3000000 },
        { "1GB", true, 1000000000 },
        { "1TB", true, INT64_C(1000000000000) },
        { "9223372036854775807", true, INT64_MAX },
        { "9007199254740992KiB", false, 0 },
        { "", false, 0 },
        { "KB", false, 0 },
        { "-1KB", false, 0 },
        { "1 KB", false, 0 },
        { "1kib", false, 0 },
    };

    check_numbers(text_parse_size, cases, COUNT(cases));
}

static void hex_and_base64(void)
{
    static const struct {
        const char *in;
        size_t len;
        const char *hex;
        const char *base64;
        const char *base64url;
    } cases[] = {
        { "", 0, "", "", "" },
        { "f", 1, "66", "Zg==", "Zg" },
        { "fo", 2, "666f", "Zm8=", "Zm8" },
        { "foo", 3, "666f6f", "Zm9v", "Zm9v" },
        { "foobar", 6, "666f6f626172", "Zm9vYmFy", "Zm9vYmFy" },
        { "\xFB\xFF\xFE\x00\x10", 5, "fbfffe0010", "+//+ABA=", "-__-ABA" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO(buf_done) struct buf out = { .max = 100 };

        test_case("row %zu", i);
        text_hex(&out, cases[i].in, cases[i].len);
        CHECK_TEXT(buf_cstr(&out), cases[i].hex);
        buf_reset(&out);
        text_base64(&out, cases[i].in, cases[i].len);
        CHECK_TEXT(buf_cstr(&out), cases[i].base64);
        buf_reset(&out);
        text_base64url(&out, cases[i].in, cases[i].len);
        CHECK_TEXT(buf_cstr(&out), cases[i].base64url);
        buf_reset(&out);
        CHECK(text_base64url_decode(&out, span_of(cases[i].base64url)));
        CHECK(span_eq(buf_view(&out), (struct span){ cases[i].in, cases[i].len }));
    }
}

static void base64url_refused(void)
{
    static const char *const cases[] = { "A", "AAAAA", "Zg==", "Zh", "Zm9", "Zm+v", "Zm/v", "Z g", "Zg\n", "Z.g" };

    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO(buf_done) struct buf out = { .max = 100 };

        test_case("%s", cases[i]);
        buf_text(&out, "kept");
        CHECK(!text_base64url_decode(&out, span_of(cases[i])));
        CHECK_TEXT(buf_cstr(&out), "kept");
    }
}

static void percent(void)
{
    static const struct {
        const char *in;
        const char *all;
        const char *path;
    } encoded[] = {
        { "", "", "" },
        { "AZaz09-._~", "AZaz09-._~", "AZaz09-._~" },
        { "a/b c+d", "a%2Fb%20c%2Bd", "a/b%20c%2Bd" },
        { "arn:aws:x/y", "arn%3Aaws%3Ax%2Fy", "arn%3Aaws%3Ax/y" },
        { "\xC3\xA9%=&", "%C3%A9%25%3D%26", "%C3%A9%25%3D%26" },
    };
    static const struct {
        const char *in;
        bool plus;
        const char *want; /* NULL: refused */
    } decoded[] = {
        { "", false, "" },          { "a%20b", false, "a b" },       { "a+b", false, "a+b" },
        { "a+b%2B", true, "a b+" }, { "%c3%A9", false, "\xC3\xA9" }, { "%", false, NULL },
        { "%4", false, NULL },      { "%4g", false, NULL },          { "%g4", false, NULL },
        { "ok%", false, NULL },     { "%%41", false, NULL },
    };

    for (size_t i = 0; i < COUNT(encoded); i++) {
        AUTO(buf_done) struct buf out = { .max = 100 };

        test_case("%s", encoded[i].in);
        text_percent_encode(&out, span_of(encoded[i].in), false);
        CHECK_TEXT(buf_cstr(&out), encoded[i].all);
        buf_reset(&out);
        text_percent_encode(&out, span_of(encoded[i].in), true);
        CHECK_TEXT(buf_cstr(&out), encoded[i].path);
        buf_reset(&out);
        CHECK(text_percent_decode(&out, span_of(encoded[i].all), true));
        CHECK_TEXT(buf_cstr(&out), encoded[i].in);
    }
    for (size_t i = 0; i < COUNT(decoded); i++) {
        AUTO(buf_done) struct buf out = { .max = 100 };

        test_case("%s", decoded[i].in);
        CHECK(text_percent_decode(&out, span_of(decoded[i].in), decoded[i].plus) == (decoded[i].want != NULL));
        CHECK_TEXT(buf_cstr(&out), decoded[i].want ? decoded[i].want : "");
    }
}

static const struct {
    const char *in;
    size_t len;
    size_t first; /* length of the first character, 0: ill-formed */
    bool utf8;
    const char *stored;
} utf8_cases[] = {
    { "", 0, 0, true, "" },
    { "a", 1, 1, true, "a" },
    { "\0", 1, 1, true, "\xEF\xBF\xBD" },
    { "\x7F", 1, 1, true, "\x7F" },
    { "\xC2\x80", 2, 2, true, "\xC2\x80" },
    { "\xDF\xBF", 2, 2, true, "\xDF\xBF" },
    { "\xE0\xA0\x80", 3, 3, true, "\xE0\xA0\x80" },
    { "\xED\x9F\xBF", 3, 3, true, "\xED\x9F\xBF" },
    { "\xEE\x80\x80", 3, 3, true, "\xEE\x80\x80" },
    { "\xF0\x90\x80\x80", 4, 4, true, "\xF0\x90\x80\x80" },
    { "\xF4\x8F\xBF\xBF", 4, 4, true, "\xF4\x8F\xBF\xBF" },
    { "\x80", 1, 0, false, "\xEF\xBF\xBD" },
    { "\xC0\x80", 2, 0, false, "\xEF\xBF\xBD\xEF\xBF\xBD" },
    { "\xC1\xBF", 2, 0, false, "\xEF\xBF\xBD\xEF\xBF\xBD" },
    { "\xE0\x9F\xBF", 3, 0, false, "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD" },
    { "\xED\xA0\x80", 3, 0, false, "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD" },
    { "\xF0\x8F\xBF\xBF", 4, 0, false, "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD" },
    { "\xF4\x90\x80\x80", 4, 0, false, "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD" },
    { "\xF5\x80", 2, 0, false, "\xEF\xBF\xBD\xEF\xBF\xBD" },
    { "\xFF", 1, 0, false, "\xEF\xBF\xBD" },
    { "\xC3", 1, 0, false, "\xEF\xBF\xBD" },
    { "\xE2\x82", 2, 0, false, "\xEF\xBF\xBD" },
    { "\xE2\x82z", 3, 0, false, "\xEF\xBF\xBDz" },
    { "\xF0\x9F\x98", 3, 0, false, "\xEF\xBF\xBD" },
    { "\xF0\x9F\x98z", 4, 0, false, "\xEF\xBF\xBDz" },
    { "\xF0\x9Fz", 3, 0, false, "\xEF\xBF\xBDz" },
    { "\xF0z", 2, 0, false, "\xEF\xBF\xBDz" },
    { "a\xC3\xA9\xE2", 4, 1, false, "a\xC3\xA9\xEF\xBF\xBD" },
};

static void utf8(void)
{
    for (size_t i = 0; i < COUNT(utf8_cases); i++) {
        struct span in = { utf8_cases[i].in, utf8_cases[i].len };
        AUTO(buf_done) struct buf out = { .max = 100 };

        test_case("row %zu", i);
        CHECK_I64(text_utf8_char(in), utf8_cases[i].first);
        CHECK(text_is_utf8(in) == utf8_cases[i].utf8);
        CHECK(text_add_storable(&out, in) == !span_eq_text(in, utf8_cases[i].stored));
        CHECK_TEXT(buf_cstr(&out), utf8_cases[i].stored);
    }
}

static void utf8_head(void)
{
    static const struct {
        const char *in;
        size_t max;
        const char *want;
    } cases[] = {
        { "abc", 5, "abc" },
        { "abc", 3, "abc" },
        { "abc", 2, "ab" },
        { "abc", 0, "" },
        { "a\xE2\x82\xAC", 4, "a\xE2\x82\xAC" },
        { "a\xE2\x82\xAC", 3, "a" },
        { "a\xE2\x82\xAC", 2, "a" },
        { "a\xE2\x82\xAC", 1, "a" },
        { "\xF0\x9F\x98\x80", 3, "" },
        { "\x80\x80\x80\x80\x80\x80", 5, "\x80\x80\x80\x80\x80" }, /* no boundary anywhere: still makes progress */
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        test_case("row %zu", i);
        CHECK_SPAN(text_utf8_head(span_of(cases[i].in), cases[i].max), cases[i].want);
    }
}

static void html_and_csv(void)
{
    static const struct {
        const char *in;
        const char *html;
        const char *csv;
    } cases[] = {
        { "", "", "" },
        { "plain text", "plain text", "plain text" },
        { "<a href='x'>\"&\"</a>", "&lt;a href=&#39;x&#39;&gt;&quot;&amp;&quot;&lt;/a&gt;",
          "\"<a href='x'>\"\"&\"\"</a>\"" },
        { "a,b", "a,b", "\"a,b\"" },
        { "a\nb", "a\nb", "\"a\nb\"" },
        { "a\r", "a\r", "\"a\r\"" },
        { "\"", "&quot;", "\"\"\"\"" },
        { "=1+1", "=1+1", "=1+1" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO(buf_done) struct buf out = { .max = 200 };

        test_case("%s", cases[i].in);
        text_html(&out, span_of(cases[i].in));
        CHECK_TEXT(buf_cstr(&out), cases[i].html);
        buf_reset(&out);
        text_csv(&out, span_of(cases[i].in));
        CHECK_TEXT(buf_cstr(&out), cases[i].csv);
    }
}

static void sha256_and_random(void)
{
    AUTO(buf_done) struct buf out = { .max = 100 };
    unsigned char digest[32] = { 0 };
    unsigned char a[1000] = { 0 };
    unsigned char b[1000] = { 0 };

    text_sha256("", 0, digest);
    text_hex(&out, digest, sizeof digest);
    CHECK_TEXT(buf_cstr(&out), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    buf_reset(&out);
    text_sha256("abc", 3, digest);
    text_hex(&out, digest, sizeof digest);
    CHECK_TEXT(buf_cstr(&out), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    text_random(a, sizeof a);
    text_random(b, sizeof b);
    CHECK(memcmp(a, b, sizeof a) != 0);
    CHECK(memcmp(a, a + 500, 500) != 0);
}

static const struct test tests[] = {
    { "numbers", numbers },
    { "durations", durations },
    { "sizes", sizes },
    { "hex_and_base64", hex_and_base64 },
    { "base64url_refused", base64url_refused },
    { "percent", percent },
    { "utf8", utf8 },
    { "utf8_head", utf8_head },
    { "html_and_csv", html_and_csv },
    { "sha256_and_random", sha256_and_random },
};

TEST_MAIN("text", tests)
