#include "aws/s3.h"

#include "server/base/mem.h"
#include "tests/support/test.h"

#include <string.h>

#define HEAD                                                                                                           \
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
#define TAIL "</ListBucketResult>"
#define URL "<EncodingType>url</EncodingType>"
#define WHEN "<LastModified>2026-11-01T12:00:00.000Z</LastModified>"
#define OBJECT(key) "<Contents><Key>" key "</Key>" WHEN "<Size>5</Size></Contents>"

static const struct {
    const char *name, *xml;
    const char *keys; /* each followed by '|'; NULL: refused */
    const char *token;
    bool is_truncated;
} cases[] = {
    { "empty", HEAD "<KeyCount>0</KeyCount><IsTruncated>false</IsTruncated>" TAIL, "", "", false },
    { "one", HEAD OBJECT("a/b.mp4") TAIL, "a/b.mp4|", "", false },
    { "encoded, told first", HEAD URL OBJECT("a+b%2Bc%28%C3%A9%29") OBJECT("plain") TAIL, "a b+c(\xc3\xa9)|plain|", "",
      false },
    { "encoded, told last", HEAD OBJECT("a+b%2Bc") URL TAIL, "a b+c|", "", false },
    { "not encoded", HEAD OBJECT("a+b%2Bc") TAIL, "a+b%2Bc|", "", false },
    { "entities", HEAD OBJECT("a&amp;b&lt;c&#x20;d") TAIL, "a&b<c d|", "", false },
    { "token is raw",
      HEAD URL "<IsTruncated>true</IsTruncated><NextContinuationToken>1+a%2B/=</NextContinuationToken>" OBJECT("k")
          TAIL,
      "k|", "1+a%2B/=", true },
    { "token after the objects",
      HEAD OBJECT("k") "<NextContinuationToken>t</NextContinuationToken><IsTruncated>true"
                       "</IsTruncated>" TAIL,
      "k|", "t", true },
    { "prefixes and strangers are passed over",
      HEAD "<Name>b</Name><Prefix>Key</Prefix><CommonPrefixes><Prefix>p/</Prefix></"
           "CommonPrefixes><Contents><Owner><ID>1</ID>"
           "<Key>no</Key></Owner><Key>k</Key><New><Size>x</Size></New>" WHEN "<Size>5</Size></Contents>" TAIL,
      "k|", "", false },
    { "namespace prefix",
      "<s:ListBucketResult xmlns:s=\"x\"><s:Contents><s:Key>k</s:Key><s:Size>1</s:Size><s:LastModified>"
      "2026-11-01T12:00:00Z</s:LastModified></s:Contents></s:ListBucketResult>",
      "k|", "", false },
    { "white space in front", " \n\r\t" HEAD OBJECT("k") TAIL, "k|", "", false },
    { "key with blanks at its ends", HEAD OBJECT(" k ") TAIL, " k |", "", false },
    { "truncated without a token", HEAD "<IsTruncated>true</IsTruncated>" OBJECT("k") TAIL, NULL, NULL, false },
    { "error as an answer", "<Error><Code>SlowDown</Code></Error>", NULL, NULL, false },
    { "another root", "<ListAllMyBucketsResult/>", NULL, NULL, false },
    { "nothing", "", NULL, NULL, false },
    { "cut", HEAD OBJECT("k"), NULL, NULL, false },
    { "not XML", "{}", NULL, NULL, false },
    { "DOCTYPE", "<!DOCTYPE a [<!ENTITY x \"y\">]><ListBucketResult/>", NULL, NULL, false },
    { "an encoding in which text grows",
      "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><ListBucketResult>" OBJECT("\xe9\xe9") TAIL, NULL, NULL, false },
    { "no key", HEAD "<Contents>" WHEN "<Size>5</Size></Contents>" TAIL, NULL, NULL, false },
    { "empty key", HEAD OBJECT("") TAIL, NULL, NULL, false },
    { "no size", HEAD "<Contents><Key>k</Key>" WHEN "</Contents>" TAIL, NULL, NULL, false },
    { "negative size", HEAD "<Contents><Key>k</Key>" WHEN "<Size>-1</Size></Contents>" TAIL, NULL, NULL, false },
    { "size too large", HEAD "<Contents><Key>k</Key>" WHEN "<Size>9223372036854775808</Size></Contents>" TAIL, NULL,
      NULL, false },
    { "no time", HEAD "<Contents><Key>k</Key><Size>1</Size></Contents>" TAIL, NULL, NULL, false },
    { "broken percent-encoding", HEAD URL OBJECT("a%2") TAIL, NULL, NULL, false },
    { "elements in a key", HEAD OBJECT("a<b/>") TAIL, NULL, NULL, false },
};

static void check_keys(const struct s3_page *page, const char *want)
{
    AUTO(buf_done) struct buf got = { 0 };

    buf_init(&got, 4096);
    for (size_t i = 0; i < page->object_count; i++) {
        buf_span(&got, page->objects[i].key);
        buf_char(&got, '|');
    }
    CHECK_TEXT(buf_cstr(&got), want);
}

/* One page is used for all, as a scan does. */
static void documents(void)
{
    struct s3_page page = { 0 };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err err = { 0 };
        bool ok = s3_parse_listing(span_of(cases[i].xml), &page, &err);

        test_case("%s", cases[i].name);
        if (!CHECK(ok == (cases[i].keys != NULL)))
            continue;
        if (!ok) {
            CHECK_TEXT(err.code, "bad_listing");
            CHECK(err.retryable);
            CHECK_I64(page.object_count, 0);
            continue;
        }
        check_keys(&page, cases[i].keys);
        CHECK_TEXT(buf_cstr(&page.next_token), cases[i].token);
        CHECK(page.is_truncated == cases[i].is_truncated);
    }
    test_case(NULL);
    s3_page_done(&page);
}

static void fields(void)
{
    const struct span xml = SPAN_LIT(HEAD "<Contents><Key>k</Key><LastModified>2026-11-01T12:00:00.250Z</LastModified>"
                                          "<ETag>&quot;abc-2&quot;</ETag><Size>1073741824</Size><StorageClass>GLACIER"
                                          "</StorageClass></Contents>" OBJECT("plain") TAIL);
    struct s3_page page = { 0 };
    struct err err = { 0 };

    if (CHECK(s3_parse_listing(xml, &page, &err)) && CHECK_I64(page.object_count, 2)) {
        CHECK_SPAN(page.objects[0].etag, "\"abc-2\"");
        CHECK_SPAN(page.objects[0].storage_class, "GLACIER");
        CHECK_I64(page.objects[0].size_bytes, 1073741824);
        CHECK_I64(page.objects[0].last_modified_ms, 1793534400250);
        CHECK_SPAN(page.objects[1].etag, "");
        CHECK_SPAN(page.objects[1].storage_class, "STANDARD");
    }
    s3_page_done(&page);
}

/* Of archived objects S3 says whether a copy of them can be read now. */
static void restores(void)
{
#define COLD(restore)                                                                                                  \
    "<Contents><Key>k</Key><LastModified>2026-11-01T12:00:00Z</LastModified><Size>1</Size>"                            \
    "<StorageClass>GLACIER</StorageClass>" restore "</Contents>"
    static const struct {
        const char *xml;
        bool is_restored;
    } colds[] = {
        { COLD(""), false },
        { COLD("<RestoreStatus/>"), false },
        { COLD("<RestoreStatus><IsRestoreInProgress>true</IsRestoreInProgress></RestoreStatus>"), false },
        { COLD("<RestoreStatus><IsRestoreInProgress>false</IsRestoreInProgress></RestoreStatus>"), false },
        { COLD("<RestoreStatus><IsRestoreInProgress>false</IsRestoreInProgress>"
               "<RestoreExpiryDate>2026-12-01T00:00:00Z</RestoreExpiryDate></RestoreStatus>"),
          true },
        { COLD("<RestoreStatus><IsRestoreInProgress>true</IsRestoreInProgress>"
               "<RestoreExpiryDate>2026-12-01T00:00:00Z</RestoreExpiryDate></RestoreStatus>"),
          false },
        { COLD("<Other><RestoreExpiryDate>2026-12-01T00:00:00Z</RestoreExpiryDate></Other>"), false },
        { COLD("<RestoreExpiryDate>2026-12-01T00:00:00Z</RestoreExpiryDate>"), false },
    };
    struct s3_page page = { 0 };

    for (size_t i = 0; i < sizeof(colds) / sizeof(colds[0]); i++) {
        AUTO(buf_done) struct buf xml = { 0 };
        struct err err = { 0 };

        test_case("%zu", i);
        buf_fmt(&xml, HEAD "%s" COLD("") TAIL, colds[i].xml); /* and the next object knows nothing of it */
        if (!CHECK(s3_parse_listing(buf_view(&xml), &page, &err)) || !CHECK_I64(page.object_count, 2))
            continue;
        CHECK_I64(page.objects[0].is_restored, colds[i].is_restored);
        CHECK(!page.objects[1].is_restored);
        CHECK_SPAN(page.objects[0].key, "k");
        CHECK_SPAN(page.objects[0].storage_class, "GLACIER");
    }
    test_case(NULL);
    s3_page_done(&page);
}

static void put_keys(struct buf *xml, size_t count, size_t key_len)
{
    buf_reset(xml);
    buf_text(xml, HEAD URL);
    for (size_t i = 0; i < count; i++) {
        buf_text(xml, "<Contents><Key>");
        for (size_t n = 0; n < key_len; n++)
            buf_text(xml, "%C3%A9");
        buf_fmt(xml, "%zu</Key>" WHEN "<ETag>\"%zu\"</ETag><Size>%zu</Size></Contents>", i, i, i);
    }
    buf_text(xml, TAIL);
}

/* A full page of keys as long as they may be, and one byte longer. */
static void long_keys(void)
{
    AUTO(buf_done) struct buf xml = { 0 };
    struct s3_page page = { 0 };
    struct err err = { 0 };

    buf_init(&xml, 16 << 20);
    put_keys(&xml, 1000, 510);
    if (CHECK(s3_parse_listing(buf_view(&xml), &page, &err)) && CHECK_I64(page.object_count, 1000)) {
        CHECK_I64(page.objects[999].key.len, 1023);
        CHECK(memcmp(page.objects[999].key.ptr, "\xc3\xa9\xc3\xa9", 4) == 0);
        CHECK(memcmp(page.objects[999].key.ptr + 1020, "999", 3) == 0);
        CHECK_SPAN(page.objects[999].etag, "\"999\"");
        CHECK_I64(page.objects[999].size_bytes, 999);
    }
    put_keys(&xml, 1, 512);
    CHECK(!s3_parse_listing(buf_view(&xml), &page, &err));
    s3_page_done(&page);
}

static void out_of_memory(void)
{
    AUTO(buf_done) struct buf xml = { 0 };
    bool done = false;

    buf_init(&xml, 1 << 20);
    put_keys(&xml, 600, 3);
    for (unsigned n = 1; !done && n < 400; n++) {
        struct s3_page page = { 0 };
        struct err err = { 0 };

        test_case("allocation %u", n);
        mem_fail_at(n);
        done = s3_parse_listing(buf_view(&xml), &page, &err);
        mem_fail_never();
        if (!done)
            CHECK_I64(err.kind, ERR_MEMORY);
        s3_page_done(&page);
    }
    CHECK(done);
    test_case(NULL);
}

static const struct test tests[] = { { "documents", documents },
                                     { "fields", fields },
                                     { "restores", restores },
                                     { "long_keys", long_keys },
                                     { "out_of_memory", out_of_memory } };

TEST_MAIN("s3_list", tests)
