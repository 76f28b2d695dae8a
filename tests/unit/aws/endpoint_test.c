#include "aws/endpoint.h"
#include "tests/support/test.h"
#include "tests/unit/aws/endpoint_rules.h"

#include <string.h>

#define AUTO_STYLE AWS_ADDRESSING_AUTO
#define PATH AWS_ADDRESSING_PATH
#define VIRTUAL AWS_ADDRESSING_VIRTUAL

static const struct {
    const char *region, *custom, *bucket;
    enum aws_addressing addressing;
    const char *want; /* scheme, host and path before the key */
} buckets[] = {
    { "us-west-2", NULL, "bucket-name", AUTO_STYLE, "https://bucket-name.s3.us-west-2.amazonaws.com" },
    { "us-west-2", NULL, "bucket-name", PATH, "https://s3.us-west-2.amazonaws.com/bucket-name" },
    { "us-east-1", NULL, "aaa", AUTO_STYLE, "https://aaa.s3.us-east-1.amazonaws.com" },
    { "us-east-1", NULL, "aa", AUTO_STYLE, "https://s3.us-east-1.amazonaws.com/aa" },
    { "us-east-1", NULL, "BucketName", AUTO_STYLE, "https://s3.us-east-1.amazonaws.com/BucketName" },
    { "us-east-1", NULL, "bucket.name", AUTO_STYLE, "https://s3.us-east-1.amazonaws.com/bucket.name" },
    { "us-east-1", NULL, "bucket.name", VIRTUAL, "https://s3.us-east-1.amazonaws.com/bucket.name" },
    { "us-west-2", NULL, "99_ab", AUTO_STYLE, "https://s3.us-west-2.amazonaws.com/99_ab" },
    { "us-west-2", NULL, "bucket name", AUTO_STYLE, "https://s3.us-west-2.amazonaws.com/bucket%20name" },
    { "us-west-2", NULL, "-abc", AUTO_STYLE, "https://s3.us-west-2.amazonaws.com/-abc" },
    { "us-west-2", NULL, "abc-", AUTO_STYLE, "https://s3.us-west-2.amazonaws.com/abc-" },
    { "us-west-2", NULL, "a/../b", AUTO_STYLE, "https://s3.us-west-2.amazonaws.com/a%2F..%2Fb" },
    { "us-west-2", NULL, "127.0.0.1", AUTO_STYLE, "https://s3.us-west-2.amazonaws.com/127.0.0.1" },
    { "us-west-2", NULL, "", AUTO_STYLE, "https://s3.us-west-2.amazonaws.com" },
    { "cn-north-1", NULL, "bucket-name", AUTO_STYLE, "https://bucket-name.s3.cn-north-1.amazonaws.com.cn" },
    { "us-gov-west-1", NULL, "bucket.with.dots", AUTO_STYLE,
      "https://s3.us-gov-west-1.amazonaws.com/bucket.with.dots" },
    { "eusc-de-east-1", NULL, "bbb", AUTO_STYLE, "https://bbb.s3.eusc-de-east-1.amazonaws.eu" },
    { "us-iso-east-1", NULL, "bbb", AUTO_STYLE, "https://bbb.s3.us-iso-east-1.c2s.ic.gov" },
    { "us-isob-east-1", NULL, "bbb", AUTO_STYLE, "https://bbb.s3.us-isob-east-1.sc2s.sgov.gov" },
    { "mars-north-1", NULL, "bbb", AUTO_STYLE, "https://bbb.s3.mars-north-1.amazonaws.com" },
    { "us-east-1", "http://127.0.0.1", "bucket", AUTO_STYLE, "http://127.0.0.1/bucket" },
    { "us-east-1", "http://127.0.0.1", "bucket", VIRTUAL, "http://127.0.0.1/bucket" },
    { "us-east-1", "https://example.com", "bucket-name", AUTO_STYLE, "https://example.com/bucket-name" },
    { "us-east-1", "https://example.com", "bucket-name", VIRTUAL, "https://bucket-name.example.com" },
    { "us-east-1", "https://example.com", "bucket.name", VIRTUAL, "https://example.com/bucket.name" },
    { "us-east-1", "http://example.com", "bucket.name", VIRTUAL, "http://bucket.name.example.com" },
    { "us-east-1", "http://example.com", "127.0.0.1", VIRTUAL, "http://example.com/127.0.0.1" },
    { "us-east-1", "http://example.com", "a..b", VIRTUAL, "http://example.com/a..b" },
    { "us-east-1", "http://example.com", "a.-b", VIRTUAL, "http://example.com/a.-b" },
    { "us-east-1", "http://beta.example.com:1234/path", "bucket", PATH, "http://beta.example.com:1234/path/bucket" },
    { "us-east-1", "http://beta.example.com:1234/path/", "bbb", VIRTUAL, "http://bbb.beta.example.com:1234/path" },
    { "us-east-1", "HTTP://Example.COM:80/", "bbb", AUTO_STYLE, "http://example.com/bbb" },
    { "us-east-1", "https://example.com:443", "bbb", AUTO_STYLE, "https://example.com/bbb" },
    { "us-east-1", "https://example.com:80", "bbb", AUTO_STYLE, "https://example.com:80/bbb" },
    { "us-east-1", "http://[::1]:9000", "bbb", VIRTUAL, "http://[::1]:9000/bbb" },
    { "us-east-1", "http://[FD00::1]", "bbb", AUTO_STYLE, "http://[fd00::1]/bbb" },
    { "us-east-1", "http://minio:9000", "bbb", AUTO_STYLE, "http://minio:9000/bbb" },
};

static bool resolve(enum aws_service service, const char *region, const char *url, struct endpoint *out,
                    struct err *err)
{
    const struct endpoint_choice choice = { .region = region, .custom_url = url };

    return endpoint_resolve(service, &choice, out, err);
}

static void test_buckets(void)
{
    for (size_t i = 0; i < sizeof(buckets) / sizeof(buckets[0]); i++) {
        AUTO(buf_done) struct buf got = { 0 };
        AUTO(buf_done) struct buf path = { 0 };
        struct endpoint ep;
        struct err err = { 0 };

        test_case("%s %s %s", buckets[i].region, buckets[i].custom ? buckets[i].custom : "-", buckets[i].bucket);
        buf_init(&got, 0), buf_init(&path, 0);
        if (!CHECK(resolve(AWS_S3, buckets[i].region, buckets[i].custom, &ep, &err)))
            continue;
        buf_text(&got, ep.is_https ? "https://" : "http://");
        endpoint_address(&ep, buckets[i].addressing, span_of(buckets[i].bucket), &got, &path);
        buf_span(&got, buf_view(&path));
        CHECK_TEXT(buf_cstr(&got), buckets[i].want);
    }
    test_case(NULL);
}

/* All rules of AWS, and that neither FIPS nor dual-stack goes with a custom endpoint. */
static void test_rules(void)
{
    for (size_t i = 0; i < sizeof(endpoint_rules) / sizeof(endpoint_rules[0]); i++)
        for (int how = 0; how < 4; how++) {
            struct endpoint_choice choice = { .region = endpoint_rules[i].region,
                                              .use_fips = how & 1,
                                              .use_dualstack = (how & 2) != 0 };
            const char *want = endpoint_rules[i].hosts[how];
            AUTO(buf_done) struct buf host = { 0 };
            AUTO(buf_done) struct buf path = { 0 };
            struct endpoint ep = { 0 };
            struct err err = { 0 };

            test_case("service %d %s %d", (int)endpoint_rules[i].service, choice.region, how);
            buf_init(&host, 0), buf_init(&path, 0);
            CHECK(endpoint_resolve(endpoint_rules[i].service, &choice, &ep, &err) == (want != NULL));
            CHECK_TEXT(err.code, want ? "" : "bad_endpoint");
            if (want) {
                endpoint_address(&ep, AWS_ADDRESSING_AUTO,
                                 endpoint_rules[i].service == AWS_S3 ? SPAN_LIT("bkt-a") : (struct span){ 0 }, &host,
                                 &path);
                CHECK_TEXT(buf_cstr(&host), want);
                CHECK_TEXT(buf_cstr(&path), "");
                CHECK_TEXT(ep.signing_region, endpoint_rules[i].signing_region);
            }
            choice.custom_url = "https://s3.example.com";
            err = (struct err){ 0 };
            CHECK(endpoint_resolve(endpoint_rules[i].service, &choice, &ep, &err) == (how == 0));
            CHECK_TEXT(err.code, how ? "bad_endpoint" : "");
        }
    test_case(NULL);
}

/* Names with dots leave the host, whatever the endpoint. */
static void test_fips_path_style(void)
{
    const struct endpoint_choice choice = { .region = "us-gov-west-1", .use_fips = true };
    AUTO(buf_done) struct buf host = { 0 };
    AUTO(buf_done) struct buf path = { 0 };
    struct endpoint ep = { 0 };
    struct err err = { 0 };

    buf_init(&host, 0), buf_init(&path, 0);
    CHECK(endpoint_resolve(AWS_S3, &choice, &ep, &err));
    endpoint_address(&ep, AWS_ADDRESSING_AUTO, SPAN_LIT("bucket.with.dots"), &host, &path);
    CHECK_TEXT(buf_cstr(&host), "s3-fips.us-gov-west-1.amazonaws.com");
    CHECK_TEXT(buf_cstr(&path), "/bucket.with.dots");
}

static void test_services(void)
{
    static const struct {
        enum aws_service service;
        const char *region, *custom, *want_host, *want_name, *want_region;
    } rows[] = {
        { AWS_S3, "eu-west-1", NULL, "s3.eu-west-1.amazonaws.com", "s3", "eu-west-1" },
        { AWS_BEDROCK, "eu-west-1", NULL, "bedrock.eu-west-1.amazonaws.com", "bedrock", "eu-west-1" },
        { AWS_BEDROCK_RUNTIME, "eu-west-1", NULL, "bedrock-runtime.eu-west-1.amazonaws.com", "bedrock", "eu-west-1" },
        { AWS_STS, "eu-west-1", NULL, "sts.eu-west-1.amazonaws.com", "sts", "eu-west-1" },
        { AWS_STS, "cn-north-1", NULL, "sts.cn-north-1.amazonaws.com.cn", "sts", "cn-north-1" },
        { AWS_SQS, "eu-west-1", NULL, "sqs.eu-west-1.amazonaws.com", "sqs", "eu-west-1" },
        { AWS_IAM, "eu-west-1", NULL, "iam.amazonaws.com", "iam", "us-east-1" },
        { AWS_IAM, "cn-northwest-1", NULL, "iam.cn-north-1.amazonaws.com.cn", "iam", "cn-north-1" },
        { AWS_IAM, "us-gov-east-1", NULL, "iam.us-gov.amazonaws.com", "iam", "us-gov-west-1" },
        { AWS_IAM, "eu-west-1", "http://iam.test:1", "iam.test:1", "iam", "us-east-1" },
        { AWS_STS, "eu-west-1", "http://sts.test:1", "sts.test:1", "sts", "eu-west-1" },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct endpoint ep = { 0 };
        struct err err = { 0 };

        test_case("%s %s", rows[i].region, rows[i].want_host);
        CHECK(resolve(rows[i].service, rows[i].region, rows[i].custom, &ep, &err));
        CHECK_TEXT(ep.host, rows[i].want_host);
        CHECK_TEXT(ep.signing_name, rows[i].want_name);
        CHECK_TEXT(ep.signing_region, rows[i].want_region);
    }
    test_case(NULL);
}

static void test_bedrock(void)
{
    struct endpoint ep;
    struct err err = { 0 };

    CHECK(resolve(AWS_BEDROCK, "us-east-1", "", &ep, &err));
    CHECK_TEXT(ep.host, "bedrock.us-east-1.amazonaws.com");
    CHECK(ep.is_https && !ep.is_custom && !ep.is_direct);
    CHECK(resolve(AWS_BEDROCK, "cn-north-1", NULL, &ep, &err));
    CHECK_TEXT(ep.host, "bedrock.cn-north-1.amazonaws.com.cn");
    CHECK(resolve(AWS_BEDROCK_RUNTIME, "eu-west-1", NULL, &ep, &err));
    CHECK_TEXT(ep.host, "bedrock-runtime.eu-west-1.amazonaws.com");
    CHECK(resolve(AWS_BEDROCK, "us-east-1", "http://localhost:8000/x", &ep, &err));
    CHECK_TEXT(ep.host, "localhost:8000");
    CHECK_TEXT(ep.base_path, "/x");
    CHECK(!ep.is_https && ep.is_custom && ep.is_direct);
}

static const struct {
    const char *url;
    bool is_direct;
} direct[] = {
    { "http://127.0.0.1", true },
    { "http://127.9.9.9:1", true },
    { "http://[::1]", true },
    { "http://localhost", true },
    { "http://127.evil.example.com", false },
    { "http://128.0.0.1", false },
    { "http://[::2]:80", false },
    { "http://localhost.example.com", false },
    { "http://169.254.169.254", true },
    { "http://169.255.0.1", false },
    { "http://[fd00:ec2::254]", true },
    { "http://[fd00:ec3::254]", false },
    { "http://[fe80::1]", true },
};

static void test_direct(void)
{
    for (size_t i = 0; i < sizeof(direct) / sizeof(direct[0]); i++) {
        struct endpoint ep = { 0 };
        struct err err = { 0 };

        test_case("%s", direct[i].url);
        CHECK(resolve(AWS_S3, "us-east-1", direct[i].url, &ep, &err));
        CHECK(ep.is_direct == direct[i].is_direct);
    }
    test_case(NULL);
}

static const char *const bad_urls[] = {
    "example.com",
    "ftp://example.com",
    "http:/example.com",
    "http://",
    "http:///x",
    "http://a b",
    "http://a?x=1",
    "http://a/b?c",
    "http://a/b#c",
    "http://user@host",
    "http://user:pw@host/",
    "http://user:pw@pw@host/",
    "htp://user:pw@host/",
    "user:pw@host",
    "http://user:pw/pw@host?x",
    "http://host:",
    "http://host:0",
    "http://host:65536",
    "http://host:99999999",
    "http://host:+1",
    "http://host:1x",
    "http://host:-1",
    "http://[::1",
    "http://[::1]x",
    "http://[::g]",
    "http://::1",
    "http://[fe80::1%25eth0]",
    "http://.a",
    "http://a.",
    "http://a..b",
    "http://h\xC3\xA4st",
    "http://a/\x01",
    "http://a\r\nb",
    "file:///etc/passwd",
};

static void test_bad_urls(void)
{
    for (size_t i = 0; i < sizeof(bad_urls) / sizeof(bad_urls[0]); i++) {
        struct endpoint ep = { 0 };
        struct err err = { 0 };

        test_case("%s", bad_urls[i]);
        CHECK(!resolve(AWS_S3, "us-east-1", bad_urls[i], &ep, &err));
        CHECK_I64(err.kind, ERR_INPUT);
        CHECK_TEXT(err.code, "bad_endpoint");
        CHECK(strstr(err.what, "pw") == NULL);
        CHECK_TEXT(ep.host, "");
    }
    test_case(NULL);
}

static void test_regions(void)
{
    static const char *const bad[] = { "",
                                       "US-EAST-1",
                                       "us_east",
                                       "us-east-1.evil.com",
                                       "-a",
                                       "a-",
                                       "a/b",
                                       "a b",
                                       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };
    struct endpoint ep;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct err err = { 0 };

        test_case("%s", bad[i]);
        CHECK(!endpoint_region_ok(span_of(bad[i])));
        CHECK(!resolve(AWS_S3, bad[i], NULL, &ep, &err));
        CHECK_TEXT(err.code, "bad_region");
    }
    test_case(NULL);
    CHECK(endpoint_region_ok(SPAN_LIT("us-east-1")));
}

static const struct test tests[] = {
    { "buckets", test_buckets },   { "rules", test_rules },     { "fips_path_style", test_fips_path_style },
    { "services", test_services }, { "bedrock", test_bedrock }, { "direct", test_direct },
    { "bad_urls", test_bad_urls }, { "regions", test_regions },
};
TEST_MAIN("endpoint", tests)
