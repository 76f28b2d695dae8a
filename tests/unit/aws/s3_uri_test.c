#include "aws/s3.h"

#include "tests/support/test.h"

static void uris(void)
{
    static const struct {
        const char *uri, *bucket, *path; /* bucket NULL: refused */
    } cases[] = {
        { "s3://bucket", "bucket", "" },
        { "s3://bucket/", "bucket", "" },
        { "s3://bucket/some/path", "bucket", "some/path" },
        { "s3://bucket/some/path/", "bucket", "some/path/" },
        { "s3://bucket//path", "bucket", "/path" },
        { "s3://my.bucket-1/a b+c%20\xc3\xa9", "my.bucket-1", "a b+c%20\xc3\xa9" },
        { "", NULL, NULL },
        { "s3:/bucket", NULL, NULL },
        { "S3://bucket", NULL, NULL },
        { "https://bucket/x", NULL, NULL },
        { "s3://", NULL, NULL },
        { "s3:///x", NULL, NULL },
        { "s3://Bucket/x", NULL, NULL },
        { "s3://ab/x", NULL, NULL },
        { "s3://bucket/\xff", NULL, NULL },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct span bucket = { 0 }, path = { 0 };
        struct err err = { 0 };
        bool ok = s3_parse_uri(span_of(cases[i].uri), &bucket, &path, &err);

        test_case("'%s'", cases[i].uri);
        CHECK(ok == (cases[i].bucket != NULL));
        if (ok) {
            CHECK_SPAN(bucket, cases[i].bucket);
            CHECK_SPAN(path, cases[i].path);
        } else {
            CHECK_I64(err.kind, ERR_INPUT);
            CHECK_TEXT(err.code, "bad_s3_uri");
        }
    }
    test_case(NULL);
}

static void path_length(void)
{
    char uri[12 + 1025 + 1] = "s3://bucket/";
    struct span bucket = { 0 }, path = { 0 };

    for (size_t i = 12; i < sizeof(uri) - 1; i++)
        uri[i] = 'a';
    CHECK(s3_parse_uri((struct span){ uri, 12 + 1024 }, &bucket, &path, NULL));
    CHECK_I64(path.len, 1024);
    CHECK(!s3_parse_uri((struct span){ uri, 12 + 1025 }, &bucket, &path, NULL));
    uri[12] = '\0';
    CHECK(!s3_parse_uri((struct span){ uri, 20 }, &bucket, &path, NULL));
}

static void bucket_names(void)
{
    static const struct {
        const char *name;
        bool ok;
    } cases[] = {
        { "abc", true },
        { "a.b.c", true },
        { "0-9", true },
        { "my-bucket-abcdefghijkm-s3alias", true },
        { "a23456789-123456789-123456789-123456789-123456789-123456789-123", true },
        { "a23456789-123456789-123456789-123456789-123456789-123456789-1234", false },
        { "", false },
        { "ab", false },
        { "Abc", false },
        { "a_c", false },
        { "-bc", false },
        { "ab-", false },
        { ".bc", false },
        { "ab.", false },
        { "a..b", false },
        { "192.168.5.4", false },
        { "192.168.5", true },
        { "xn--abc", false },
        { "sthree-abc", false },
        { "amzn-s3-demo-bucket", false },
        { "abc--ol-s3", false },
        { "abc.mrap", false },
        { "abc--use1-az4--x-s3", false },
        { "abc--table-s3", false },
        { "a/b", false },
        { "b\xc3\xbc"
          "cket",
          false },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        test_case("'%s'", cases[i].name);
        CHECK(s3_bucket_name_ok(span_of(cases[i].name)) == cases[i].ok);
    }
    test_case(NULL);
}

static const struct test tests[] = { { "uris", uris },
                                     { "path_length", path_length },
                                     { "bucket_names", bucket_names } };

TEST_MAIN("s3_uri", tests)
