#include "handlers/report_page.h"

#include "tests/support/test.h"

#include <expat.h>
#include <stdlib.h>
#include <string.h>

static void test_text(void)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "", "" },
        { " \n\t\n", "" },
        { "one", "<p dir=\"auto\">one</p>\n" },
        { "one\ntwo", "<p dir=\"auto\">one<br>\ntwo</p>\n" },
        { "one\r\ntwo\r\n", "<p dir=\"auto\">one<br>\ntwo</p>\n" },
        { "\n\none\n\n \n\ntwo\n", "<p dir=\"auto\">one</p>\n<p dir=\"auto\">two</p>\n" },
        { "<script>alert('1')</script>", "<p dir=\"auto\">&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;</p>\n" },
        { "a & \"b\"", "<p dir=\"auto\">a &amp; &quot;b&quot;</p>\n" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        AUTO(buf_done) struct buf out = { 0 };
        test_case("%zu", i);
        buf_init(&out, 0);
        report_text(&out, cases[i].text);
        CHECK_TEXT(buf_cstr(&out), cases[i].want);
    }
    test_case(NULL);
}

static void test_number(void)
{
    static const struct {
        int64_t n;
        const char *want;
    } cases[] = { { 0, "0" },          { 999, "999" },  { 1000, "1,000" }, { 1234567, "1,234,567" },
                  { -1000, "-1,000" }, { -100, "-100" } };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        AUTO(buf_done) struct buf out = { 0 };
        buf_init(&out, 0);
        report_number(&out, cases[i].n);
        CHECK_TEXT(buf_cstr(&out), cases[i].want);
    }
}

/* Elements, by a parser that knows nothing of us: what is in text cannot become one. */
struct seen {
    int depth, scripts, bold, styled, articles;
};

static void on_element(void *arg, const char *name, const char **attributes)
{
    struct seen *seen = arg;

    seen->depth++;
    seen->scripts += strcmp(name, "script") == 0;
    seen->articles += strcmp(name, "article") == 0;
    seen->bold += strcmp(name, "i") == 0;
    for (int i = 0; attributes[i]; i += 2)
        seen->styled += strcmp(attributes[i], "style") == 0 || strncmp(attributes[i], "on", 2) == 0;
}

static void on_end(void *arg, const char *name)
{
    (void)name;
    ((struct seen *)arg)->depth--;
}

/* The page is HTML; without its doctype and void elements closed it is XML too, which makes broken nesting an error. */
static bool parses(const char *html, struct seen *seen)
{
    AUTO(buf_done) struct buf xml = { .max = 1 << 20 };
    const char *at = strstr(html, "<html");
    XML_Parser parser = XML_ParserCreate("UTF-8");
    bool ok = false;

    while (at && *at) {
        const char *end = strchr(at, '>');
        size_t len = end ? (size_t)(end - at) : strlen(at);
        const char *open = len > 0 ? memrchr(at, '<', len) : NULL;
        bool is_void = open && (strncmp(open, "<meta", 5) == 0 || strncmp(open, "<br", 3) == 0);
        buf_add(&xml, at, len);
        if (end)
            buf_text(&xml, is_void ? "/>" : ">");
        at = end ? end + 1 : NULL;
    }
    XML_SetElementHandler(parser, on_element, on_end);
    XML_SetUserData(parser, seen);
    XML_UseForeignDTD(parser, XML_FALSE);
    ok = buf_ok(&xml) && XML_Parse(parser, buf_cstr(&xml), (int)xml.len, 1) == XML_STATUS_OK;
    if (!ok)
        CHECK_TEXT(XML_ErrorString(XML_GetErrorCode(parser)), "");
    XML_ParserFree(parser);
    return ok;
}

static void test_page(void)
{
    static const char evil[] = "</p></style><script>x</script><i style='a' onload=\"b\">&middot; ]]> \xee\x80\x80";
    AUTO(buf_done) struct buf out = { .max = 1 << 20 };
    AUTO(buf_done) struct buf plain = { .max = 1 << 20 };
    struct seen seen = { 0 };
    struct prefix_row prefix = { .bucket = "b", .key_prefix = evil };
    struct job_row job = { .name = evil,
                           .state = "completed",
                           .model_id = evil,
                           .prompt = evil,
                           .system = evil,
                           .total = 3,
                           .succeeded = 1,
                           .failed = 1,
                           .missing = 1,
                           .created_ms = 1793534400000 };
    struct summary_row row = { .record_id = 1,
                               .video_id = 2,
                               .state = "succeeded",
                               .text = evil,
                               .name = evil,
                               .stop_reason = "max_tokens",
                               .error_message = evil };

    report_head(&out, &job, &prefix, evil);
    report_summary(&out, 1, &row);
    report_failures_head(&out);
    report_failure(&out, &row);
    report_foot(&out, 2);
    if (!CHECK(buf_ok(&out)))
        return;
    /* &middot; is HTML's own entity, not XML's. */
    for (const char *at = buf_cstr(&out); *at; at++) {
        if (strncmp(at, " &middot; ", 10) == 0)
            at += 8;
        buf_char(&plain, *at);
    }
    CHECK(parses(buf_cstr(&plain), &seen));
    CHECK_I64(seen.depth, 0);
    CHECK_I64(seen.scripts, 0);
    CHECK_I64(seen.bold, 0);
    CHECK_I64(seen.styled, 0);
    CHECK_I64(seen.articles, 2);
    CHECK(strstr(buf_cstr(&out), "cut off at its token limit") != NULL);
    CHECK(strstr(buf_cstr(&out), "href=\"../../videos/vid_00000000002/content\"") != NULL);
    CHECK(strstr(buf_cstr(&out), "still under way") == NULL);
}

static void test_states(void)
{
    static const struct {
        const char *state, *words;
    } cases[] = { { "running", "still under way" }, { "failed", "This job failed" }, { "cancelled", "was cancelled" } };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        AUTO(buf_done) struct buf out = { .max = 1 << 20 };
        struct prefix_row prefix = { .bucket = "b", .key_prefix = "" };
        struct job_row job = { .name = "n", .state = cases[i].state, .model_id = "m", .prompt = "p" };
        test_case("%s", cases[i].state);
        report_head(&out, &job, &prefix, NULL);
        report_foot(&out, 0);
        CHECK(strstr(buf_cstr(&out), cases[i].words) != NULL);
        CHECK(strstr(buf_cstr(&out), "no results yet") != NULL);
        CHECK(strstr(buf_cstr(&out), "<h2>") == NULL);
        CHECK(strstr(buf_cstr(&out), "nan") == NULL);
    }
    test_case(NULL);
}

static void test_reasons(void)
{
    static const struct {
        struct summary_row row;
        const char *want;
    } cases[] = {
        { { .error_message = "No.", .has_error_code = true, .error_code = 400 }, "<p>Error 400: No.</p>" },
        { { .error_reason = "no_result" }, "<p>no_result</p>" },
        { { .error_reason = "" }, "<p>There was no result for this video.</p>" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        AUTO(buf_done) struct buf out = { .max = 1 << 20 };
        struct summary_row row = cases[i].row;
        row.name = "a/b.mp4";
        report_failure(&out, &row);
        CHECK(strstr(buf_cstr(&out), cases[i].want) != NULL);
        CHECK(strstr(buf_cstr(&out), "<span class=\"dir\">a/</span>b.mp4</a>") != NULL);
    }
}

static const struct test tests[] = {
    { "free text becomes paragraphs, escaped", test_text },
    { "numbers in groups", test_number },
    { "nothing that is put in becomes markup", test_page },
    { "states", test_states },
    { "why there is no summary", test_reasons },
};
TEST_MAIN("report_page", tests)
