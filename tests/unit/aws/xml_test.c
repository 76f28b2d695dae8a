#include "aws/xml.h"
#include "server/base/buf.h"
#include "server/base/mem.h"
#include "tests/support/test.h"

#include <string.h>

/* Writes what it is told as text: "<a", "<b", "b@2=text", "a@1=". */
static void on_start(void *arg, const char *name, int depth)
{
    (void)depth;
    buf_fmt(arg, "<%s ", name);
}

static bool on_end(void *arg, const char *name, int depth, struct span text, struct err *err)
{
    buf_fmt(arg, "%s@%d=%.*s|", name, depth, SPAN_ARG(text));
    if (!strcmp(name, "stop"))
        return err_set(err, ERR_NOT_FOUND, false, HERE, "enough");
    return true;
}

static const struct {
    const char *doc;
    const char *want; /* NULL: refused as bad_xml */
} rows[] = {
    { "<a/>", "<a a@1=|" },
    { " \r\n\t<?xml version=\"1.0\"?>\n<a>x</a>\n", "<a a@1=x|" },
    { "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\n\n<a>x</a>", "<a a@1=x|" },
    { "<a xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><b>1</b></a>", "<a <b b@2=1|a@1=|" },
    { "<s:a xmlns:s=\"u\"><s:b> 1 &amp;&#34;&lt; </s:b></s:a>", "<a <b b@2= 1 &\"< |a@1=|" },
    { "<a> <b>x</b> mixed <c/></a>", "<a <b b@2=x|<c c@2=|a@1=|" },
    { "<a><![CDATA[<x>]]></a>", "<a a@1=<x>|" },
    { "<a>\xC3\xA9</a><!-- after -->", "<a a@1=\xC3\xA9|" },
    { "", NULL },
    { "   ", NULL },
    { "x", NULL },
    { "<a>", NULL },
    { "<a><b></a>", NULL },
    { "<a/><b/>", NULL },
    { "<a>&nbsp;</a>", NULL },
    { "<a>&#x1;</a>", NULL },
    { "<a>\x01</a>", NULL },
    { "<a>\xFF</a>", NULL },
    { "<!DOCTYPE a><a/>", NULL },
    { "<!DOCTYPE a [<!ENTITY x \"yyyy\">]><a>&x;</a>", NULL },
    { "<a>0123456789</a>", NULL }, /* text over max_text */
    { "<html><body><p>no</body>", NULL },
};

static void test_rows(void)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        AUTO(buf_done) struct buf got = { 0 };
        const struct xml_handler handler = { on_start, on_end, &got, 9 };
        struct err err = { 0 };
        bool ok;

        test_case("%s", rows[i].doc);
        buf_init(&got, 0);
        ok = xml_read(span_of(rows[i].doc), &handler, &err);
        CHECK(ok == (rows[i].want != NULL));
        if (rows[i].want) {
            CHECK_TEXT(buf_cstr(&got), rows[i].want);
        } else {
            CHECK_I64(err.kind, ERR_UPSTREAM);
            CHECK(err.retryable);
            CHECK_TEXT(err.code, "bad_xml");
        }
    }
    test_case(NULL);
}

static bool read_nested(int depth)
{
    AUTO(buf_done) struct buf doc = { 0 };
    const struct xml_handler handler = { 0 };

    buf_init(&doc, 0);
    for (int i = 0; i < depth; i++)
        buf_text(&doc, "<a>");
    for (int i = 0; i < depth; i++)
        buf_text(&doc, "</a>");
    return xml_read(buf_view(&doc), &handler, NULL);
}

static void test_depth(void)
{
    CHECK(read_nested(XML_MAX_DEPTH));
    CHECK(!read_nested(XML_MAX_DEPTH + 1));
    CHECK(!read_nested(5000));
}

static void test_stopped_by_handler(void)
{
    AUTO(buf_done) struct buf got = { 0 };
    const struct xml_handler handler = { on_start, on_end, &got, 0 };
    struct err err = { 0 };

    buf_init(&got, 0);
    CHECK(!xml_read(SPAN_LIT("<a><stop/><b>1</b></a>"), &handler, &err));
    CHECK_I64(err.kind, ERR_NOT_FOUND);
    CHECK_TEXT(buf_cstr(&got), "<a <stop stop@2=|");
}

/* Larger than one step of the parser: texts and tags lie across the border. */
static void test_large(void)
{
    AUTO(buf_done) struct buf doc = { 0 };
    AUTO(buf_done) struct buf got = { 0 };
    const struct xml_handler handler = { .end = on_end, .arg = &got };
    struct err err = { 0 };

    buf_init(&doc, 8 << 20);
    buf_init(&got, 16 << 20);
    buf_text(&doc, "<a>");
    for (int i = 0; i < 300000; i++)
        buf_fmt(&doc, "<k>%d</k>", i);
    buf_text(&doc, "</a>");
    CHECK(xml_read(buf_view(&doc), &handler, &err));
    CHECK(buf_ok(&got) && strstr(buf_cstr(&got), "k@2=123456|k@2=123457|") != NULL);
}

static void test_no_memory(void)
{
    const struct xml_handler handler = { 0 };
    bool ok = false;

    for (uint64_t n = 1; !ok && n < 1000; n++) {
        struct err err = { 0 };

        mem_fail_at(n);
        ok = xml_read(SPAN_LIT("<a><b>text</b><c d=\"e\"/></a>"), &handler, &err);
        mem_fail_never();
        if (!ok)
            CHECK_I64(err.kind, ERR_MEMORY);
    }
    CHECK(ok);
}

static const struct test tests[] = {
    { "rows", test_rows },   { "depth", test_depth },         { "stopped_by_handler", test_stopped_by_handler },
    { "large", test_large }, { "no_memory", test_no_memory },
};
TEST_MAIN("xml", tests)
