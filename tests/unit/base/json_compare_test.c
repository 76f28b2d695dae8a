/* The JSON reader against Jansson: random documents, whole and broken, cut into random windows. */
#include "tests/support/json_compare.h"
#include "tests/support/test.h"

#include <stdio.h>

enum { DOCUMENTS = 60000, BROKEN_PER_DOCUMENT = 4, MAX_DOCUMENT = 1 << 16 };

static void add_pick(struct buf *out, uint64_t *random, const char *const *from, size_t count)
{
    buf_text(out, from[random_below(random, count)]);
}

#define ADD_PICK(out, random, from) add_pick((out), (random), (from), sizeof(from) / sizeof((from)[0]))

static void add_string(struct buf *out, uint64_t *random)
{
    static const char *const parts[] = {
        "a",
        "plain text of some length, ",
        "\\\"",
        "\\\\",
        "\\/",
        "\\b\\f\\n\\r\\t",
        "\\u0041",
        "\\u00e9",
        "\\u20AC",
        "\\ud83d\\ude00",
        "\xC3\xA9",
        "\xE2\x82\xAC",
        "\xF0\x9F\x98\x80",
        "\xEF\xBF\xBF",
        "\x7F",
        "\xF4\x8F\xBF\xBF",
        "\xED\x9F\xBF",
        "{}[],:",
    };
    static const char *const odd[] = {
        "\\u0000", "\\ud83d", "\\ude00", "\\ud83d\\u0041", "\\ud83d\\ud83d\\ude00", "\\ud83dx", "\\ude00\\ud83d",
    };

    buf_char(out, '"');
    for (size_t n = random_below(random, 6); n > 0; n--) {
        if (random_below(random, 12) == 0)
            ADD_PICK(out, random, odd);
        else
            ADD_PICK(out, random, parts);
    }
    buf_char(out, '"');
}

static void add_number(struct buf *out, uint64_t *random)
{
    static const char *const forms[] = { "0",
                                         "-0",
                                         "7",
                                         "-12",
                                         "1234567890123",
                                         "9223372036854775807",
                                         "-9223372036854775808",
                                         "0.5",
                                         "-3.25",
                                         "1e5",
                                         "2E-3",
                                         "1.5e+3",
                                         "1e308",
                                         "4.9e-324",
                                         "1e-99",
                                         "123e18",
                                         "0.0e99",
                                         "1e00009",
                                         "9223372036854775807.0" };
    static const char *const odd[] = { "9223372036854775808", "-9223372036854775809", "1e309", "-1e999999999999" };

    if (random_below(random, 40) == 0)
        ADD_PICK(out, random, odd);
    else
        ADD_PICK(out, random, forms);
}

static void add_blanks(struct buf *out, uint64_t *random)
{
    static const char *const blanks[] = { "", "", "", " ", "\n", "\t \r\n" };

    ADD_PICK(out, random, blanks);
}

static void add_value(struct buf *out, uint64_t *random, int depth)
{
    static const char *const words[] = { "true", "false", "null" };
    size_t kind = random_below(random, depth > 5 ? 3 : 5);
    size_t items = random_below(random, 5);

    add_blanks(out, random);
    if (kind == 0) {
        add_string(out, random);
    } else if (kind == 1) {
        add_number(out, random);
    } else if (kind == 2) {
        ADD_PICK(out, random, words);
    } else {
        buf_char(out, kind == 3 ? '[' : '{');
        for (size_t i = 0; i < items; i++) {
            if (i > 0)
                buf_char(out, ',');
            if (kind == 4) {
                add_blanks(out, random);
                add_string(out, random);
                add_blanks(out, random);
                buf_char(out, ':');
            }
            add_value(out, random, depth + 1);
        }
        add_blanks(out, random);
        buf_char(out, kind == 3 ? ']' : '}');
    }
    add_blanks(out, random);
}

/* One random change: a byte replaced, added or taken out, a piece doubled, or the end cut off. */
static void break_it(struct buf *text, uint64_t *random)
{
    static const char bytes[] = "{}[]\",:\\ \n\t0123456789-+.eEtrufalsn/bdD\x01\x7f\x80\xbf\xc0\xe0\xed\xf4\xff";
    size_t at = text->len > 0 ? random_below(random, text->len) : 0;
    char byte = bytes[random_below(random, sizeof bytes)]; /* its terminator is one of them */
    struct buf tail = { .max = MAX_DOCUMENT };

    if (text->len == 0)
        return;
    switch (random_below(random, 5)) {
    case 0:
        text->data[at] = byte;
        break;
    case 1:
        buf_span(&tail, span_tail(buf_view(text), at));
        buf_cut(text, at);
        buf_char(text, byte);
        break;
    case 2:
        buf_span(&tail, span_tail(buf_view(text), at + 1));
        buf_cut(text, at);
        break;
    case 3:
        buf_span(&tail, span_tail(buf_view(text), at - random_below(random, at + 1)));
        break;
    default:
        buf_cut(text, at);
    }
    buf_span(text, buf_view(&tail));
    buf_done(&tail);
}

static bool agrees(struct span text, uint64_t seed)
{
    const char *difference = compare_with_jansson(text, seed);

    if (!difference)
        return true;
    test_case("seed %llu: %.*s", (unsigned long long)seed, SPAN_ARG(text));
    return test_check(false, difference, TEST_HERE);
}

static void random_documents(void)
{
    uint64_t random = 20261101;
    struct buf text = { .max = MAX_DOCUMENT };
    size_t accepted = 0;
    size_t compared = 0;

    for (int i = 0; i < DOCUMENTS; i++) {
        buf_reset(&text);
        add_value(&text, &random, 0);
        for (int k = 0; k <= BROKEN_PER_DOCUMENT; k++) {
            if (!agrees(buf_view(&text), random_next(&random)))
                return;
            accepted += run_over(buf_view(&text), 4, true).accepted ? 1 : 0;
            compared++;
            break_it(&text, &random);
        }
    }
    buf_done(&text);
    printf("  %zu texts compared, %zu of them valid\n", compared, accepted);
    CHECK(compared >= 200000);
    /* Both sides of the comparison must have been seen often, or agreeing means little. */
    CHECK(accepted > compared / 10 && accepted < compared - compared / 10);
}

/* Around the limits: what only one of two parsers might take. */
static const char *const chosen[] = {
    "",
    " ",
    "{",
    "}",
    "[",
    "]",
    "[]",
    "{}",
    "[1,]",
    "[,1]",
    "[1 2]",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\":1,}",
    "{,}",
    "{1:2}",
    "{\"a\":1 \"b\":2}",
    "[1}",
    "{\"a\":1]",
    "tru",
    "truex",
    "true false",
    "nul",
    "falsey",
    "True",
    "01",
    "-",
    "-01",
    "1.",
    ".5",
    "+1",
    "1e",
    "1e+",
    "1.e5",
    "0x10",
    "1-2",
    "--1",
    "1e5.5",
    "NaN",
    "Infinity",
    "\"",
    "\"\\",
    "\"\\\"",
    "\"\\x\"",
    "\"\\u12\"",
    "\"\\u12g4\"",
    "\"\n\"",
    "\"\x1f\"",
    "\"\x7f\"",
    "\"\xc0\x80\"",
    "\"\xed\xa0\x80\"",
    "\"\xf4\x90\x80\x80\"",
    "\"\xe2\x82\"",
    "\"\x80\"",
    "\"\xff\"",
    "'a'",
    "\xef\xbb\xbf{}",
    "{} x",
    "{}{}",
    "\f1",
    "\v1",
    "/* c */ 1",
    "\"a\" \n\n ",
    "{\"a\":1,\"a\":2}",
    "{\"\":0}",
    "{\"\\u0000\":1}",
    "\"\\ud800\\udc00\"",
    "\"\\udc00\\ud800\"",
    "\"\\ud800\\ud800\\udc00\"",
    "\"\\ud800\"",
    "\"\\ud800\\n\"",
    "\"\\ud800\xC3\xA9\"",
};

static void chosen_documents(void)
{
    for (size_t i = 0; i < sizeof chosen / sizeof chosen[0]; i++)
        for (uint64_t seed = 0; seed < 10; seed++)
            CHECK(agrees(span_of(chosen[i]), seed));
}

/* Each byte at each place of a string that is read eight bytes at a time. */
static void every_byte_everywhere(void)
{
    enum { LENGTH = 24, ALL_AT_ONCE = 74 }; /* a seed that gives each reader the text in one piece */
    int wrong = 0;

    for (int byte = 0; byte < 256; byte++) {
        for (size_t at = 1; at < LENGTH - 1; at++) {
            char text[LENGTH];

            memset(text, 'x', sizeof text);
            text[0] = text[LENGTH - 1] = '"';
            text[at] = (char)byte;
            wrong += compare_with_jansson((struct span){ text, sizeof text }, ALL_AT_ONCE) ? 1 : 0;
        }
    }
    CHECK_I64(wrong, 0);
}

static void depth_limit(void)
{
    static const char *const cores[] = { "", "1", "\"s\"", "null" };
    struct buf text = { .max = MAX_DOCUMENT };

    for (size_t depth = JSON_MAX_DEPTH - 2; depth <= JSON_MAX_DEPTH + 1; depth++) {
        for (size_t i = 0; i < sizeof cores / sizeof cores[0]; i++) {
            buf_reset(&text);
            for (size_t k = 0; k < depth; k++)
                buf_text(&text, k % 2 == 1 && k + 1 < depth ? "{\"a\":" : "[");
            buf_text(&text, cores[i]);
            for (size_t k = depth; k-- > 0;)
                buf_char(&text, k % 2 == 1 && k + 1 < depth ? '}' : ']');
            CHECK(agrees(buf_view(&text), i));
            CHECK(run_over(buf_view(&text), 0, true).accepted ==
                  (depth < JSON_MAX_DEPTH || (depth == JSON_MAX_DEPTH && cores[i][0] == '\0')));
        }
    }
    buf_done(&text);
}

static void long_numbers(void)
{
    struct buf text = { .max = MAX_DOCUMENT };

    for (size_t len = JSON_NUMBER_MAX - 1; len <= JSON_NUMBER_MAX + 1; len++) {
        struct compare_run run;

        buf_reset(&text);
        buf_text(&text, "1.");
        while (text.len < len)
            buf_char(&text, '7');
        CHECK(agrees(buf_view(&text), len));
        run = run_over(buf_view(&text), len, true);
        CHECK(run.accepted == (len <= JSON_NUMBER_MAX));
        CHECK(run.too_long == (len > JSON_NUMBER_MAX));
        CHECK(run_over(buf_view(&text), len, false).accepted);
    }
    buf_done(&text);
}

static const struct test tests[] = {
    { "chosen_documents", chosen_documents }, { "every_byte_everywhere", every_byte_everywhere },
    { "depth_limit", depth_limit },           { "long_numbers", long_numbers },
    { "random_documents", random_documents },
};

TEST_MAIN("json_compare", tests)
