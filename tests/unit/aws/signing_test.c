/* What one attempt looks like on its way to AWS's own endpoints (the scripted server of the other tests speaks no TLS).
 */
#include "aws/client_internal.h"
#include "tests/support/test.h"

#include <string.h>
#include <strings.h>

#define EMPTY_HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define HELLO_HASH "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

struct fixture {
    struct aws *aws;
    struct aws_client *client;
    struct exchange x;
};

static void fixture_done(struct fixture *f)
{
    exchange_done(&f->x);
    aws_client_free(f->client);
    aws_free(f->aws);
}

static bool prepare(struct fixture *f, const struct aws_options *options, const struct aws_request *rq)
{
    struct err err = { 0 };

    f->aws = aws_new(options, &err);
    if (!CHECK(f->aws != NULL))
        return false;
    f->client = aws_client_new(f->aws, &err);
    if (!CHECK(f->client != NULL))
        return false;
    f->x = (struct exchange){ .client = f->client, .rq = *rq };
    return CHECK(aws_credentials(f->aws, &f->x.creds, &err)) &&
           CHECK(client_endpoint(f->aws, rq->service, rq->bucket, &f->x.endpoint, &err)) &&
           CHECK(signing_prepare(&f->x, &err));
}

/* The line that libcurl is given, or "". */
static const char *line_of(const struct fixture *f, const char *name)
{
    for (const struct curl_slist *at = f->x.header_list; at; at = at->next)
        if (!strncasecmp(at->data, name, strlen(name)) && strchr(":;", at->data[strlen(name)]))
            return at->data;
    return "";
}

static struct aws_options us_west(const char *token)
{
    return (struct aws_options){ .region = "us-west-2",
                                 .credentials = {
                                     .access_key_id = "AKID", .secret_access_key = "secret", .session_token = token } };
}

static struct aws_request put(const char *header)
{
    struct aws_request rq = { .operation = "S3.PutObject",
                              .service = AWS_S3,
                              .method = "PUT",
                              .bucket = SPAN_LIT("bucket-name"),
                              .path = SPAN_LIT("/a%20b"),
                              .content_type = "text/plain",
                              .body = SPAN_LIT("hello") };

    if (header)
        rq.headers[rq.header_count++] = (struct aws_header){ header, SPAN_LIT("NhCmhg==") };
    return rq;
}

static const struct {
    const char *header, *want;
} hashes[] = {
    { NULL, "x-amz-content-sha256: " HELLO_HASH },
    { "if-match", "x-amz-content-sha256: " HELLO_HASH },
    { "x-amz-checksum-crc32", "x-amz-content-sha256: UNSIGNED-PAYLOAD" },
    { "content-md5", "x-amz-content-sha256: UNSIGNED-PAYLOAD" },
};

static void test_payload_hash(void)
{
    for (size_t i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++) {
        AUTO(fixture_done) struct fixture f = { 0 };
        struct aws_options options = us_west(NULL);
        struct aws_request rq = put(hashes[i].header);

        test_case("%s", hashes[i].header ? hashes[i].header : "-");
        if (!prepare(&f, &options, &rq))
            continue;
        CHECK_TEXT(line_of(&f, "x-amz-content-sha256"), hashes[i].want);
        CHECK_TEXT(buf_cstr(&f.x.url), "https://bucket-name.s3.us-west-2.amazonaws.com/a%20b");
        CHECK_TEXT(line_of(&f, "host"), "host: bucket-name.s3.us-west-2.amazonaws.com");
        CHECK_TEXT(line_of(&f, "content-type"), "content-type: text/plain");
        CHECK_TEXT(line_of(&f, "x-amz-security-token"), "");
    }
    test_case(NULL);
}

/* Over plain http a checksum is no reason to leave the body unsigned. */
static void test_plain_http(void)
{
    AUTO(fixture_done) struct fixture f = { 0 };
    struct aws_options options = us_west(NULL);
    struct aws_request rq = put("x-amz-checksum-crc32");

    options.endpoint_urls[AWS_S3] = "http://s3.example.com:9000/x";
    options.addressing = AWS_ADDRESSING_VIRTUAL;
    if (!prepare(&f, &options, &rq))
        return;
    CHECK_TEXT(line_of(&f, "x-amz-content-sha256"), "x-amz-content-sha256: " HELLO_HASH);
    CHECK_TEXT(line_of(&f, "host"), "host: bucket-name.s3.example.com:9000");
    CHECK_TEXT(buf_cstr(&f.x.url), "http://bucket-name.s3.example.com:9000/x/a%20b");
}

static void test_bedrock(void)
{
    AUTO(fixture_done) struct fixture f = { 0 };
    struct aws_options options = us_west("to/k+en==");
    struct aws_request rq = { .operation = "Bedrock.List",
                              .service = AWS_BEDROCK,
                              .method = "GET",
                              .path = SPAN_LIT("/model-invocation-jobs"),
                              .query = SPAN_LIT("maxResults=5") };
    const char *authorization;

    if (!prepare(&f, &options, &rq))
        return;
    CHECK_TEXT(buf_cstr(&f.x.url), "https://bedrock.us-west-2.amazonaws.com/model-invocation-jobs?maxResults=5");
    CHECK_TEXT(line_of(&f, "x-amz-security-token"), "x-amz-security-token: to/k+en==");
    CHECK_TEXT(line_of(&f, "x-amz-content-sha256"), "");
    CHECK_TEXT(line_of(&f, "content-type"), "Content-Type:"); /* to libcurl: send none */
    authorization = line_of(&f, "authorization");
    CHECK(strstr(authorization,
                 "/us-west-2/bedrock/aws4_request, "
                 "SignedHeaders=amz-sdk-invocation-id;amz-sdk-request;host;x-amz-date;x-amz-security-token,"));
    CHECK(strstr(authorization, "Credential=AKID/") != NULL);
}

static void test_empty_header_value(void)
{
    AUTO(fixture_done) struct fixture f = { 0 };
    struct aws_options options = us_west(NULL);
    struct aws_request rq = put(NULL);

    rq.headers[rq.header_count++] = (struct aws_header){ "x-amz-meta-a", { NULL, 0 } };
    if (prepare(&f, &options, &rq))
        CHECK_TEXT(line_of(&f, "x-amz-meta-a"), "x-amz-meta-a;");
}

/* ---- settings of the client that decide all this ---- */

static void test_region_and_endpoint_settings(void)
{
    static const struct {
        const char *region, *url, *url_s3, *url_bedrock;
        const char *want_s3, *want_bedrock; /* NULL: refused */
    } rows[] = {
        { "eu-west-1", NULL, NULL, NULL, "s3.eu-west-1.amazonaws.com", "bedrock.eu-west-1.amazonaws.com" },
        { "eu-west-1", "http://a:1", NULL, NULL, "a:1", "a:1" },
        { "eu-west-1", "http://a:1", "http://b:2", NULL, "b:2", "a:1" },
        { "eu-west-1", "http://a:1", "", "http://c:3", "a:1", "c:3" },
        { "eu-west-1", NULL, NULL, "http://c:3", "s3.eu-west-1.amazonaws.com", "c:3" },
        { NULL, NULL, NULL, NULL, NULL, NULL },
        { "", NULL, NULL, NULL, NULL, NULL },
        { "Europe", NULL, NULL, NULL, NULL, NULL },
        { "eu-west-1", "a:1", NULL, NULL, NULL, NULL },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct aws_options options = { .region = rows[i].region,
                                       .endpoint_url = rows[i].url,
                                       .endpoint_urls[AWS_S3] = rows[i].url_s3,
                                       .endpoint_urls[AWS_BEDROCK] = rows[i].url_bedrock };
        struct err err = { 0 };
        struct aws *aws = aws_new(&options, &err);

        test_case("row %zu", i);
        CHECK((aws != NULL) == (rows[i].want_s3 != NULL));
        CHECK_I64(err.kind, aws ? ERR_NONE : ERR_INPUT);
        if (aws && rows[i].want_s3) {
            CHECK_TEXT(aws->endpoints[AWS_S3].host, rows[i].want_s3);
            CHECK_TEXT(aws->endpoints[AWS_BEDROCK].host, rows[i].want_bedrock);
            CHECK_TEXT(aws_region(aws), "eu-west-1");
        }
        aws_free(aws);
    }
    test_case(NULL);
}

static void test_s3_address(void)
{
    AUTO(buf_done) struct buf origin = { 0 };
    AUTO(buf_done) struct buf host = { 0 };
    AUTO(buf_done) struct buf prefix = { 0 };
    struct aws_options options = us_west(NULL);
    char region[AWS_REGION_SIZE];
    struct err err = { 0 };
    struct aws *aws;

    buf_init(&origin, 0);
    buf_init(&host, 0);
    buf_init(&prefix, 0);
    options.endpoint_url = "http://127.0.0.1:9000/base/";
    aws = aws_new(&options, &err);
    CHECK(aws && aws_s3_address(aws, SPAN_LIT("bkt"), &origin, &host, &prefix, region, &err));
    CHECK_TEXT(buf_cstr(&origin), "http://127.0.0.1:9000/base/bkt");
    CHECK_TEXT(buf_cstr(&host), "127.0.0.1:9000");
    CHECK_TEXT(buf_cstr(&prefix), "/base/bkt");
    aws_free(aws);
}

static const struct test tests[] = {
    { "payload_hash", test_payload_hash },
    { "plain_http", test_plain_http },
    { "bedrock", test_bedrock },
    { "empty_header_value", test_empty_header_value },
    { "region_and_endpoint_settings", test_region_and_endpoint_settings },
    { "s3_address", test_s3_address },
};
TEST_MAIN("signing", tests)
