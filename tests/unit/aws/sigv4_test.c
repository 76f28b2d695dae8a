/* The signer: examples of AWS's documentation, Bedrock paths, and what must be refused. */
#include "aws/sigv4.h"
#include "server/base/text.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#define EMPTY_HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
enum { MAX_HEADERS = 8 };

struct pair {
    const char *name, *value;
};

struct example {
    const char *name, *method, *path, *query;
    struct pair headers[MAX_HEADERS];
    const char *body;           /* NULL: UNSIGNED-PAYLOAD */
    const char *canonical_hash; /* NULL: not given */
    const char *signature;
};

static void sha256_hex(struct span bytes, struct buf *out)
{
    unsigned char hash[32];

    text_sha256(bytes.ptr, bytes.len, hash);
    text_hex(out, hash, sizeof(hash));
}

static void sign_example(const struct example *e, const char *service, int64_t now_s, const struct creds *creds,
                         const char *payload_hash)
{
    AUTO(buf_done) struct buf canonical = { 0 };
    AUTO(buf_done) struct buf names = { 0 };
    AUTO(buf_done) struct buf to_sign = { 0 };
    AUTO(buf_done) struct buf signature = { 0 };
    AUTO(buf_done) struct buf hash = { 0 };
    struct sigv4_header headers[MAX_HEADERS];
    struct err err = { 0 };
    bool is_s3 = !strcmp(service, "s3");
    struct sigv4_request rq = { .method = span_of(e->method),
                                .path = span_of(e->path),
                                .query = span_of(e->query),
                                .headers = headers,
                                .payload_hash = span_of(payload_hash),
                                .region = SPAN_LIT("us-east-1"),
                                .service = span_of(service),
                                .encode_path_twice = !is_s3,
                                .normalize_path = !is_s3 };

    buf_init(&canonical, 0), buf_init(&names, 0), buf_init(&to_sign, 0), buf_init(&signature, 0), buf_init(&hash, 0);
    for (size_t i = 0; i < MAX_HEADERS && e->headers[i].name; i++)
        headers[rq.header_count++] = (struct sigv4_header){ span_of(e->headers[i].name), span_of(e->headers[i].value) };
    CHECK(sigv4_canonical_request(&rq, &canonical, &names, &err));
    CHECK(sigv4_string_to_sign(&rq, buf_view(&canonical), now_s, &to_sign, &err));
    CHECK(sigv4_signature(&rq, creds, buf_view(&to_sign), now_s, &signature, &err));
    sha256_hex(buf_view(&canonical), &hash);
    if (e->canonical_hash)
        CHECK_TEXT(buf_cstr(&hash), e->canonical_hash);
    CHECK_TEXT(buf_cstr(&signature), e->signature);
}

/* ---- the examples of the S3 documentation ---- */

#define S3_HOST                                                                                                        \
    {                                                                                                                  \
        "Host", "examplebucket.s3.amazonaws.com"                                                                       \
    }
#define S3_DATE                                                                                                        \
    {                                                                                                                  \
        "x-amz-date", "20130524T000000Z"                                                                               \
    }
#define S3_EMPTY                                                                                                       \
    {                                                                                                                  \
        "x-amz-content-sha256", EMPTY_HASH                                                                             \
    }
#define S3_PUT_HASH "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"
#define STREAMED "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"

static const struct example s3_examples[] = {
    { "GET object",
      "GET",
      "/test.txt",
      "",
      { S3_HOST, { "Range", "bytes=0-9" }, S3_EMPTY, S3_DATE },
      "",
      NULL,
      "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41" },
    { "PUT object",
      "PUT",
      "/test%24file.text",
      "",
      { S3_HOST,
        { "Date", "Fri, 24 May 2013 00:00:00 GMT" },
        { "x-amz-content-sha256", S3_PUT_HASH },
        S3_DATE,
        { "x-amz-storage-class", "REDUCED_REDUNDANCY" } },
      "Welcome to Amazon S3.",
      NULL,
      "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd" },
    { "GET lifecycle",
      "GET",
      "/",
      "lifecycle",
      { S3_HOST, S3_EMPTY, S3_DATE },
      "",
      NULL,
      "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543" },
    { "list objects",
      "GET",
      "/",
      "max-keys=2&prefix=J",
      { S3_HOST, S3_EMPTY, S3_DATE },
      "",
      NULL,
      "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7" },
    { "chunked upload, seed",
      "PUT",
      "/examplebucket/chunkObject.txt",
      "",
      { { "Host", "s3.amazonaws.com" },
        S3_DATE,
        { "x-amz-storage-class", "REDUCED_REDUNDANCY" },
        { "x-amz-content-sha256", STREAMED },
        { "Content-Encoding", "aws-chunked" },
        { "x-amz-decoded-content-length", "66560" },
        { "Content-Length", "66824" } },
      NULL,
      NULL,
      "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9" },
};

static const struct creds s3_creds = { .access_key_id = "AKIAIOSFODNN7EXAMPLE",
                                       .secret_access_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY" };
enum { MAY_24_2013 = 1369353600 };

static void test_s3_examples(void)
{
    for (size_t i = 0; i < sizeof(s3_examples) / sizeof(s3_examples[0]); i++) {
        const struct example *e = &s3_examples[i];
        AUTO(buf_done) struct buf hash = { 0 };

        test_case("%s", e->name);
        buf_init(&hash, 0);
        if (e->body)
            sha256_hex(span_of(e->body), &hash);
        else
            buf_text(&hash, STREAMED);
        sign_example(e, "s3", MAY_24_2013, &s3_creds, buf_cstr(&hash));
    }
    test_case(NULL);
}

static void test_s3_presigned_example(void)
{
    AUTO(buf_done) struct buf query = { 0 };
    const struct sigv4_header host = { SPAN_LIT("host"), SPAN_LIT("examplebucket.s3.amazonaws.com") };
    struct sigv4_request rq = { .method = SPAN_LIT("GET"),
                                .path = SPAN_LIT("/test.txt"),
                                .headers = &host,
                                .header_count = 1,
                                .payload_hash = SPAN_LIT("UNSIGNED-PAYLOAD"),
                                .region = SPAN_LIT("us-east-1"),
                                .service = SPAN_LIT("s3") };
    struct err err = { 0 };

    buf_init(&query, 0);
    CHECK(sigv4_presigned_query(&rq, &s3_creds, MAY_24_2013, 86400, &query, &err));
    CHECK_TEXT(buf_cstr(&query),
               "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2F"
               "aws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature="
               "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
}

/* ---- Bedrock: paths encoded twice ---- */

#define BR_HOST                                                                                                        \
    {                                                                                                                  \
        "host", "bedrock.us-east-1.amazonaws.com"                                                                      \
    }
#define BR_DATE                                                                                                        \
    {                                                                                                                  \
        "x-amz-date", "20261101T120000Z"                                                                               \
    }
#define BR_ARN                                                                                                         \
    "/model-invocation-job/arn%3Aaws%3Abedrock%3Aus-east-1%3A111122223333%3Amodel-invocation-job%2Fabcdefghi123"

static const struct example bedrock_examples[] = {
    { "get by ARN",
      "GET",
      BR_ARN,
      "",
      { BR_HOST, BR_DATE },
      "",
      "243292839e884a406e914336023fdae94e67ad7e574a5a4db44003f64c02f97c",
      "8aad56b49ffcaea8841f9f1163c30464306d5a8d7d0ce3efa43675876af3d09d" },
    { "get by id",
      "GET",
      "/model-invocation-job/abcdefghi123",
      "",
      { BR_HOST, BR_DATE },
      "",
      "7b57eb11686c5982cb0497942b5975fbb353e3cd8e64cfdd58e93a6ae648f85f",
      "0165e7051a0bfc53193a51a20d25227fc5f09558c3702a77e00096d7695297f7" },
    { "stop",
      "POST",
      BR_ARN "/stop",
      "",
      { BR_HOST, BR_DATE },
      "",
      "b33424cfbf35ada741edf7405c464889869b3c2f620568f5f9587d174d375b2a",
      "025ffc0f840211924ceb7c0ff276036049fdc9c93218eca099a0ebd619c9dcfb" },
    { "create",
      "POST",
      "/model-invocation-job",
      "",
      { BR_HOST, BR_DATE, { "content-type", "application/json" } },
      "{\"jobName\": \"job-1\", \"roleArn\": \"arn:aws:iam::111122223333:role/BatchRole\", \"modelId\": "
      "\"us.amazon.nova-lite-v1:0\", \"clientRequestToken\": \"tok1\", \"inputDataConfig\": {\"s3InputDataConfig\": "
      "{\"s3InputFormat\": \"JSONL\", \"s3Uri\": \"s3://in-bucket/jobs/j1/\"}}, \"outputDataConfig\": "
      "{\"s3OutputDataConfig\": {\"s3Uri\": \"s3://in-bucket/out/j1/\"}}, \"timeoutDurationInHours\": 72, \"tags\": "
      "[{\"key\": \"app\", \"value\": \"x\"}]}",
      "fd5dbc55932f8bfb8ce9a80508c9fbf7296d2169c430f9babdc72525f3d4714a",
      "41530bd244d660926372c539e2eddead330da57bd287dea15501f681bdcf3de8" },
    { "list",
      "GET",
      "/model-invocation-jobs",
      "submitTimeAfter=2026-11-01T12%3A00%3A00Z&statusEquals=InProgress&nameContains=job&maxResults=50&sortBy="
      "CreationTime&sortOrder=Descending",
      { BR_HOST, BR_DATE },
      "",
      "f628a68c0f992850e2ce3fa13a93650f1deea38fa6c57b78d0264980f49e3759",
      "d9d0ab532e6fe153b269fa775f1832be55e75aa65964e2c7c11d81ee7a8fee2f" },
};

static const struct creds bedrock_creds = { .access_key_id = "AKIDEXAMPLE",
                                            .secret_access_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" };
enum { NOV_1_2026 = 1793534400 };

static void test_bedrock_examples(void)
{
    for (size_t i = 0; i < sizeof(bedrock_examples) / sizeof(bedrock_examples[0]); i++) {
        AUTO(buf_done) struct buf hash = { 0 };

        test_case("%s", bedrock_examples[i].name);
        buf_init(&hash, 0);
        sha256_hex(span_of(bedrock_examples[i].body), &hash);
        sign_example(&bedrock_examples[i], "bedrock", NOV_1_2026, &bedrock_creds, buf_cstr(&hash));
    }
    test_case(NULL);
}

/* ---- canonical form, row by row ---- */

static const struct {
    const char *path, *query, *want_path, *want_query;
    bool is_s3;
} canonical_rows[] = {
    { "", "", "/", "", true },
    { "//a/./b/../c", "", "//a/./b/../c", "", true },
    { "//a/./b/../c/", "", "/a/c/", "", false },
    { "/..", "", "/", "", false },
    { "/../../a", "", "/a", "", false },
    { "/a/..", "", "/", "", false },
    { "/a%2Fb", "", "/a%252Fb", "", false },
    { "/a%2Fb", "", "/a%2Fb", "", true },
    { "/", "b&a=2&a=1&a", "/", "a=&a=1&a=2&b=", true },
    { "/", "&&a=1&", "/", "a=1", true },
    { "/", "a=b=c", "/", "a=b%3Dc", true },
    { "/", "Param-3=1&Param=2", "/", "Param=2&Param-3=1", true },
    { "/", "k=%2f%c3%A9+/", "/", "k=%2F%C3%A9%2B%2F", true },
    { "/", "=", "/", "=", true },
};

static void test_canonical_rows(void)
{
    for (size_t i = 0; i < sizeof(canonical_rows) / sizeof(canonical_rows[0]); i++) {
        AUTO(buf_done) struct buf got = { 0 };
        AUTO(buf_done) struct buf names = { 0 };
        char want[512];
        struct err err = { 0 };
        struct sigv4_request rq = { .method = SPAN_LIT("GET"),
                                    .path = span_of(canonical_rows[i].path),
                                    .query = span_of(canonical_rows[i].query),
                                    .payload_hash = SPAN_LIT("-"),
                                    .encode_path_twice = !canonical_rows[i].is_s3,
                                    .normalize_path = !canonical_rows[i].is_s3 };

        test_case("%s?%s", canonical_rows[i].path, canonical_rows[i].query);
        buf_init(&got, 0), buf_init(&names, 0);
        snprintf(want, sizeof(want), "GET\n%s\n%s\n\n\n-", canonical_rows[i].want_path, canonical_rows[i].want_query);
        CHECK(sigv4_canonical_request(&rq, &got, &names, &err));
        CHECK_TEXT(buf_cstr(&got), want);
    }
    test_case(NULL);
}

/* ---- refusals ---- */

static bool canonical(const struct sigv4_request *rq)
{
    AUTO(buf_done) struct buf out = { 0 };
    AUTO(buf_done) struct buf names = { 0 };
    struct err err = { 0 };
    bool ok;

    buf_init(&out, 0), buf_init(&names, 0);
    ok = sigv4_canonical_request(rq, &out, &names, &err);
    CHECK_I64(err.kind, ok ? ERR_NONE : ERR_INPUT);
    return ok;
}

static void test_refusals(void)
{
    static char many_parameters[65 * 4], long_path[16 * 1024 + 2];
    struct sigv4_header headers[65];
    struct sigv4_request good = { .method = SPAN_LIT("GET"), .path = SPAN_LIT("/"), .headers = headers };
    struct sigv4_request rq = good;

    for (int i = 0; i < 65; i++) {
        memcpy(many_parameters + 4 * i, "a=1&", 4);
        headers[i] = (struct sigv4_header){ SPAN_LIT("a"), SPAN_LIT("1") };
    }
    memset(long_path, '/', sizeof(long_path));
    CHECK(canonical(&good));
    rq.query = SPAN_LIT("a=%4");
    CHECK(!canonical(&rq));
    rq.query = SPAN_LIT("%zz=1");
    CHECK(!canonical(&rq));
    rq.query = (struct span){ many_parameters, 64 * 4 };
    CHECK(canonical(&rq));
    rq.query = (struct span){ many_parameters, 65 * 4 };
    CHECK(!canonical(&rq));
    rq = good;
    rq.path = SPAN_LIT("a");
    CHECK(!canonical(&rq));
    rq.path = (struct span){ long_path, 16 * 1024 };
    CHECK(canonical(&rq));
    rq.path.len++;
    CHECK(!canonical(&rq));
    rq = good;
    rq.header_count = 64;
    CHECK(canonical(&rq));
    rq.header_count = 65;
    CHECK(!canonical(&rq));
    rq.header_count = 1;
    headers[0].name.len = 0;
    CHECK(!canonical(&rq));
}

static void test_expiry_bounds(void)
{
    static const struct {
        int64_t expires_s;
        bool ok;
    } rows[] = { { 0, false }, { -1, false }, { 1, true }, { 604800, true }, { 604801, false } };
    struct sigv4_request rq = { .method = SPAN_LIT("GET"), .path = SPAN_LIT("/"), .service = SPAN_LIT("s3") };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        AUTO(buf_done) struct buf out = { 0 };
        struct err err = { 0 };

        buf_init(&out, 0);
        test_case("%lld", (long long)rows[i].expires_s);
        CHECK(sigv4_presigned_query(&rq, &s3_creds, 0, rows[i].expires_s, &out, &err) == rows[i].ok);
    }
    test_case(NULL);
}

/* ---- the key cache ---- */

static void sign_once(const struct creds *creds, const char *region, int64_t now_s, struct sigv4_keys *keys,
                      struct buf *out)
{
    struct sigv4_request rq = { .method = SPAN_LIT("GET"),
                                .path = SPAN_LIT("/"),
                                .region = span_of(region),
                                .service = SPAN_LIT("s3"),
                                .keys = keys };
    struct err err = { 0 };

    buf_reset(out);
    CHECK(sigv4_authorization(&rq, creds, now_s, out, &err));
}

/* Whatever changes, a cached key must never make another signature than a derived one. */
static void test_key_cache(void)
{
    static const char *const regions[] = { "us-east-1", "us-west-2", "eu-west-1" };
    AUTO(buf_done) struct buf cached = { 0 };
    AUTO(buf_done) struct buf derived = { 0 };
    struct sigv4_keys keys = { 0 };
    struct creds creds = s3_creds;

    buf_init(&cached, 0), buf_init(&derived, 0);
    for (int i = 0; i < 60; i++) {
        int64_t now_s = MAY_24_2013 + (i / 7) * 86400;

        creds.generation = (uint64_t)(i / 5);
        creds.secret_access_key[0] = (char)('a' + i / 5);
        sign_once(&creds, regions[i % 3], now_s, &keys, &cached);
        sign_once(&creds, regions[i % 3], now_s, NULL, &derived);
        CHECK_TEXT(buf_cstr(&cached), buf_cstr(&derived));
    }
    CHECK(keys.next > SIGV4_KEYS && keys.next < 60); /* entries were given up, and others used again */
    sigv4_keys_wipe(&keys);
    CHECK_I64(keys.next, 0);
}

static const struct test tests[] = {
    { "s3_examples", test_s3_examples },
    { "s3_presigned_example", test_s3_presigned_example },
    { "bedrock_examples", test_bedrock_examples },
    { "canonical_rows", test_canonical_rows },
    { "refusals", test_refusals },
    { "expiry_bounds", test_expiry_bounds },
    { "key_cache", test_key_cache },
};
TEST_MAIN("sigv4", tests)
