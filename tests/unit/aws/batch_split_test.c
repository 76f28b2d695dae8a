#include "aws/batch_output.h"

#include "server/base/buf.h"
#include "tests/support/test.h"

static const struct {
    const char *text, *summary, *thinking;
} cases[] = {
    { "", "", "" },
    { "  plain text\n", "plain text", "" },
    { "<answer> yes </answer>", "yes", "" },
    { "before <answer>yes</answer> after", "yes", "" },
    { "<thinking>hm</thinking><answer>yes</answer>", "yes", "hm" },
    { "<answer>yes</answer><thinking>hm</thinking>", "yes", "hm" },
    { "<thinking>hm</thinking>\n\nThe rest.", "The rest.", "hm" },
    { "The rest.<thinking>hm</thinking>  \n", "The rest.", "hm" },
    { "short <thinking>hm</thinking> after", "after", "hm" },
    { "<thinking>a</thinking>one<thinking>b</thinking>two", "two", "a" },
    { "<answer>cut by max_tok", "cut by max_tok", "" },
    { "<thinking>cut by max_tok", "", "cut by max_tok" },
    { "Some words. <thinking>cut", "Some words.", "cut" },
    { "<thinking>never closed <answer>yes</answer>", "yes", "never closed" },
    { "<thinking>put it in <answer> tags</thinking><answer>yes</answer>", "yes", "put it in <answer> tags" },
    { "<answer>one</answer><answer>two</answer>", "one", "" },
    { "<answer><thinking>hm</thinking>yes</answer>", "yes", "hm" },
    { "<answer></answer>", "", "" },
    { "<thinking></thinking>yes", "yes", "" },
    { "<ANSWER>no tag</ANSWER>", "<ANSWER>no tag</ANSWER>", "" },
    { "a < b and <b>bold</b> <answer", "a < b and <b>bold</b> <answer", "" },
    { "closed </thinking> only </answer>", "closed </thinking> only </answer>", "" },
    { "<thinking>\xc3\xa9</thinking>\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", "\xc3\xa9" },
};

static void texts(void)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct span summary = { 0 }, thinking = { 0 };

        test_case("'%s'", cases[i].text);
        batch_split_answer(span_of(cases[i].text), &summary, &thinking);
        CHECK_SPAN(summary, cases[i].summary);
        CHECK_SPAN(thinking, cases[i].thinking);
    }
    test_case(NULL);
}

/* Repeated tags must not make the searches quadratic: 4 MiB of them would take hours instead of moments. (Under
 * AddressSanitizer, whose memmem looks at the whole text each time, they are: there it is less.) */
#ifdef __SANITIZE_ADDRESS__
enum { HOSTILE_BYTES = 1 << 18 };
#else
enum { HOSTILE_BYTES = 4 << 20 };
#endif
static void hostile_texts(void)
{
    static const char *const pieces[] = { "<thinking>", "<thinking><answer></answer>", "<answer>",
                                          "<thinking></thinking>", "<" };

    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        AUTO(buf_done) struct buf text = { 0 };
        struct span summary = { 0 }, thinking = { 0 };

        test_case("%s", pieces[i]);
        buf_init(&text, HOSTILE_BYTES + 100);
        while (text.len < HOSTILE_BYTES)
            buf_text(&text, pieces[i]);
        batch_split_answer(buf_view(&text), &summary, &thinking);
        CHECK(summary.len + thinking.len <= text.len);
    }
    test_case(NULL);
}

static const struct test tests[] = { { "texts", texts }, { "hostile_texts", hostile_texts } };

TEST_MAIN("batch_split", tests)
