/* A bucket in another Region: asked for there, signed for there, once a call, and remembered. AWS's own endpoints are
 * played by one script behind the tunnel of a proxy. */
#include "aws/bucket_regions.h"
#include "aws/client_internal.h"
#include "aws/s3.h"
#include "server/base/mem.h"
#include "tests/unit/aws/tls_fixture.h"

#include <pthread.h>

#define NAMES                                                                                                          \
    "DNS:*.s3.us-east-1.amazonaws.com,DNS:*.s3.eu-west-1.amazonaws.com,DNS:*.s3.ap-south-1.amazonaws.com,"             \
    "DNS:s3.eu-west-1.amazonaws.com,DNS:s3.us-east-1.amazonaws.com"
#define WEST "x-amz-bucket-region: eu-west-1\r\n"
#define HERE_TOO "x-amz-bucket-region: us-east-1\r\n"
#define SOUTH "x-amz-bucket-region: ap-south-1\r\n"
#define MOVED                                                                                                          \
    {                                                                                                                  \
        .status = 301, .headers = WEST, .body = S3_ERROR("PermanentRedirect")                                          \
    }
#define GOOD                                                                                                           \
    {                                                                                                                  \
        .status = 200, .headers = WEST, .body = "body"                                                                 \
    }
#define MUTE(number, lines)                                                                                            \
    {                                                                                                                  \
        .status = (number), .headers = (lines), .is_head = true                                                        \
    }

enum { MOST = 5 };
static const struct {
    const char *name;
    struct http_answer answers[MOST];
    int count;
    const char *method;
    const char *asked; /* Region of every request, a '?' where the bucket itself was asked, in order */
    enum err_kind kind;
    const char *code, *words;
} rows[] = {
    { "301 with header", { MOVED, GOOD }, 2, "GET", "us-east-1 eu-west-1", ERR_NONE, "", "" },
    { "307 with header",
      { { .status = 307, .headers = WEST, .body = S3_ERROR("TemporaryRedirect") }, GOOD },
      2,
      "GET",
      "us-east-1 eu-west-1",
      ERR_NONE,
      "",
      "" },
    { "opt-in Region",
      { { .status = 400, .headers = WEST, .body = S3_ERROR("IllegalLocationConstraintException") }, GOOD },
      2,
      "GET",
      "us-east-1 eu-west-1",
      ERR_NONE,
      "",
      "" },
    { "Region in the body",
      { { .status = 400, .body = "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>" },
        GOOD },
      2,
      "GET",
      "us-east-1 eu-west-1",
      ERR_NONE,
      "",
      "" },
    { "HEAD, 400 with header",
      { { .status = 400, .headers = WEST, .is_head = true }, { .status = 200, .is_head = true } },
      2,
      "HEAD",
      "us-east-1 eu-west-1",
      ERR_NONE,
      "",
      "" },
    { "HEAD without header: the bucket is asked",
      { { .status = 301, .is_head = true },
        { .status = 403, .headers = WEST, .is_head = true },
        { .status = 200, .is_head = true } },
      3,
      "HEAD",
      "us-east-1 us-east-1? eu-west-1",
      ERR_NONE,
      "",
      "" },
    { "only an endpoint named: the bucket is asked",
      { { .status = 301, .body = S3_ERROR("PermanentRedirect") },
        { .status = 301, .headers = WEST, .is_head = true },
        GOOD },
      3,
      "GET",
      "us-east-1 us-east-1? eu-west-1",
      ERR_NONE,
      "",
      "" },
    { "nobody names it",
      { { .status = 301, .body = S3_ERROR("PermanentRedirect") }, { .status = 301, .is_head = true } },
      2,
      "GET",
      "us-east-1 us-east-1?",
      ERR_INPUT,
      "wrong_region",
      "bucket bucket-name is in another Region than us-east-1, and S3 does not say in which" },
    { "the bucket cannot be asked for a moment",
      { { .status = 301, .is_head = true },
        { .status = 500, .is_head = true },
        { .status = 429, .is_head = true },
        { .status = 403, .headers = WEST, .is_head = true },
        { .status = 200, .is_head = true } },
      5,
      "HEAD",
      "us-east-1 us-east-1? us-east-1? us-east-1? eu-west-1",
      ERR_NONE,
      "",
      "" },
    { "the bucket cannot be asked",
      { { .status = 301, .body = S3_ERROR("PermanentRedirect") }, { .status = 503, .is_head = true } },
      2,
      "GET",
      "us-east-1 us-east-1? us-east-1? us-east-1? us-east-1? us-east-1?",
      ERR_UPSTREAM,
      "",
      "AWS answered 503" },
    { "the bucket may not be asked so often",
      { { .status = 301, .body = S3_ERROR("PermanentRedirect") }, { .status = 429, .is_head = true } },
      2,
      "GET",
      "us-east-1 us-east-1? us-east-1? us-east-1? us-east-1? us-east-1?",
      ERR_BUSY,
      "",
      "AWS answered 429" },
    { "an answer about the bucket that fails and names the Region",
      { { .status = 301, .body = S3_ERROR("PermanentRedirect") },
        { .status = 503, .headers = WEST, .is_head = true },
        GOOD },
      3,
      "GET",
      "us-east-1 us-east-1? eu-west-1",
      ERR_NONE,
      "",
      "" },
    { "a HEAD that is bad for another reason",
      { { .status = 400, .is_head = true },
        { .status = 200, .headers = HERE_TOO, .is_head = true },
        { .status = 400, .is_head = true } },
      3,
      "HEAD",
      "us-east-1 us-east-1? us-east-1",
      ERR_INPUT,
      "",
      "AWS answered 400" },
    { "sent round in circles",
      { MOVED, { .status = 301, .headers = SOUTH, .body = S3_ERROR("PermanentRedirect") } },
      2,
      "GET",
      "us-east-1 eu-west-1",
      ERR_UPSTREAM,
      "wrong_region",
      "from Region eu-west-1 on to ap-south-1" },
    { "no Region",
      { { .status = 301, .headers = "x-amz-bucket-region: evil.example/\r\n", .body = S3_ERROR("PermanentRedirect") },
        { .status = 301, .headers = "x-amz-bucket-region: evil.example/\r\n", .is_head = true } },
      2,
      "GET",
      "us-east-1 us-east-1?",
      ERR_INPUT,
      "wrong_region",
      "" },
    { "another partition",
      { { .status = 301, .headers = "x-amz-bucket-region: cn-north-1\r\n", .body = S3_ERROR("PermanentRedirect") },
        { .status = 301, .headers = "x-amz-bucket-region: cn-north-1\r\n", .is_head = true } },
      2,
      "GET",
      "us-east-1 us-east-1?",
      ERR_INPUT,
      "wrong_region",
      "" },
    { "not about the Region",
      { { .status = 400, .headers = WEST, .body = S3_ERROR("InvalidArgument") } },
      1,
      "GET",
      "us-east-1",
      ERR_INPUT,
      "",
      "InvalidArgument" },
    { "then throttled: the retries are all there",
      { MOVED, { .status = 503, .body = S3_ERROR("SlowDown") }, { .status = 500 }, GOOD },
      4,
      "GET",
      "us-east-1 eu-west-1 eu-west-1 eu-west-1",
      ERR_NONE,
      "",
      "" },
};

/* What arrived: "us-east-1 us-east-1? eu-west-1"; each is signed for the Region of its host. */
static void describe_requests(struct http_script *script, char *out, size_t size)
{
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; i < http_script_count(script); i++) {
        const struct http_seen *seen = http_script_seen(script, i);
        struct span host = http_seen_header(seen, "host");
        struct span region = span_tail(host, strlen("bucket-name.s3."));
        char text[64];

        CHECK(span_starts(host, SPAN_LIT("bucket-name.s3.")) && span_ends(host, SPAN_LIT(".amazonaws.com")));
        region = span_head(region, span_find(region, '.'));
        snprintf(text, sizeof(text), "%.*s", SPAN_ARG(region));
        check_signature_in(seen, "s3", text);
        len += (size_t)snprintf(out + len, size - len, "%s%s%s", i ? " " : "", text,
                                !strcmp(seen->target, "/") ? "?" : "");
    }
}

static void test_rows(void)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        AUTO(secure_done) struct secure s = { 0 };
        struct aws_request rq = get_object("/k");
        char asked[512];

        test_case("%s", rows[i].name);
        if (!start_secure(&s, rows[i].answers, (size_t)rows[i].count, NAMES, "", true))
            return;
        rq.method = rows[i].method;
        CHECK(call(&s.f, &rq) == (rows[i].kind == ERR_NONE));
        describe_requests(s.f.script, asked, sizeof(asked));
        CHECK_TEXT(asked, rows[i].asked);
        CHECK_I64(s.f.err.kind, rows[i].kind);
        CHECK_I64(s.f.err.retryable, rows[i].kind == ERR_UPSTREAM || rows[i].kind == ERR_BUSY);
        CHECK_I64(s.f.aws->governors[AWS_S3].inside, 0);
        CHECK_TEXT(s.f.err.code, rows[i].code);
        CHECK(strstr(s.f.err.what, rows[i].words) != NULL);
    }
    test_case(NULL);
}

/* A HEAD that an expired token made bad: the token is renewed once, whether the Region is known or has to be asked for.
 */
static void test_expired_token(void)
{
    static const struct {
        const char *name;
        struct http_answer answers[MOST];
        int count;
        const char *asked;
        enum err_kind kind;
        const char *code;
    } expired[] = {
        { "the Region is right", { MUTE(400, HERE_TOO), MUTE(200, HERE_TOO) }, 2, "us-east-1 us-east-1", ERR_NONE, "" },
        { "the Region is unknown",
          { MUTE(400, NULL), MUTE(400, NULL), MUTE(200, HERE_TOO), MUTE(200, HERE_TOO) },
          4,
          "us-east-1 us-east-1? us-east-1? us-east-1",
          ERR_NONE,
          "" },
        { "the Region is another one",
          { MUTE(400, NULL), MUTE(400, WEST), MUTE(400, WEST), MUTE(200, WEST) },
          4,
          "us-east-1 us-east-1? eu-west-1 eu-west-1",
          ERR_NONE,
          "" },
        { "renewed in vain", { MUTE(400, NULL) }, 1, "us-east-1 us-east-1? us-east-1?", ERR_INPUT, "wrong_region" },
    };

    for (size_t i = 0; i < sizeof(expired) / sizeof(expired[0]); i++) {
        AUTO(secure_done) struct secure s = { 0 };
        struct aws_request rq = get_object("/k");
        char asked[512];

        test_case("%s", expired[i].name);
        if (!start_secure_with(&s, expired[i].answers, (size_t)expired[i].count, NAMES, "", true,
                               (struct aws_options){ .credentials.session_token = "token" }))
            return;
        rq.method = "HEAD";
        CHECK(call(&s.f, &rq) == (expired[i].kind == ERR_NONE));
        CHECK_I64(s.f.err.kind, expired[i].kind);
        CHECK_TEXT(s.f.err.code, expired[i].code);
        describe_requests(s.f.script, asked, sizeof(asked));
        CHECK_TEXT(asked, expired[i].asked);
    }
    test_case(NULL);
}

/* The second call goes there at once, and so do presigned URLs, streams and calls side by side. */
static void test_remembered(void)
{
    static const struct http_answer answers[] = { MOVED, GOOD, GOOD, GOOD };
    AUTO(secure_done) struct secure s = { 0 };
    AUTO(buf_done) struct buf url = { .max = 8192 };
    struct s3_presign what = { "GET", { SPAN_LIT("bucket-name"), SPAN_LIT("k"), SPAN_LIT("") }, 60, NULL, NULL };
    struct aws_request rq = get_object("/k");
    struct aws_stream *stream = NULL;
    struct aws_response head = { 0 };
    struct span piece = { 0 };
    char asked[512], region[AWS_REGION_SIZE];

    if (!start_secure(&s, answers, 4, NAMES, "", true))
        return;
    CHECK(!aws_bucket_region(s.f.aws, rq.bucket, region));
    CHECK(call(&s.f, &rq) && call(&s.f, &rq));
    CHECK(aws_bucket_region(s.f.aws, rq.bucket, region));
    CHECK_TEXT(region, "eu-west-1");
    if (CHECK(aws_stream_open(s.f.client, &rq, &head, &stream, &s.f.err)))
        CHECK(aws_stream_read(stream, &piece, &s.f.err) && span_eq_text(piece, "body"));
    aws_stream_close(stream);
    describe_requests(s.f.script, asked, sizeof(asked));
    CHECK_TEXT(asked, "us-east-1 eu-west-1 eu-west-1 eu-west-1");
    CHECK(s3_presign(s.f.aws, &what, &url, &s.f.err));
    CHECK(strstr(buf_cstr(&url), "https://bucket-name.s3.eu-west-1.amazonaws.com/k?") == buf_cstr(&url));
    CHECK(strstr(buf_cstr(&url), "%2Feu-west-1%2Fs3%2Faws4_request") != NULL);
}

/* What an earlier run of the process knew is believed, until S3 says otherwise. */
static void test_told(void)
{
    static const struct http_answer answers[] = {
        GOOD, { .status = 301, .headers = HERE_TOO, .body = S3_ERROR("PermanentRedirect") }, { .status = 200 }
    };
    AUTO(secure_done) struct secure s = { 0 };
    struct aws_request rq = get_object("/k");
    char asked[512];

    if (!start_secure(&s, answers, 3, NAMES, "", true))
        return;
    aws_tell_bucket_region(s.f.aws, rq.bucket, SPAN_LIT("eu-west-1"));
    aws_tell_bucket_region(s.f.aws, rq.bucket, SPAN_LIT("ap-south-1")); /* too late */
    CHECK(call(&s.f, &rq) && call(&s.f, &rq));
    describe_requests(s.f.script, asked, sizeof(asked));
    CHECK_TEXT(asked, "eu-west-1 eu-west-1 us-east-1");
}

/* Servers in AWS's place name Regions at will: nobody goes there. */
static void test_custom_endpoint(void)
{
    static const struct http_answer answers[] = { MOVED };
    AUTO(fixture_done) struct fixture f = { 0 };
    struct aws_request rq = get_object("/k");

    if (!start(&f, answers, 1))
        return;
    CHECK(!call(&f, &rq));
    CHECK_I64(http_script_count(f.script), 1);
    CHECK_TEXT(f.err.code, "");
    CHECK_TEXT(f.err.upstream_code, "PermanentRedirect");
}

/* ---- the memory ---- */

static struct span name_of(char *text, size_t size, int i)
{
    snprintf(text, size, "bucket-%d", i);
    return span_of(text);
}

static void test_bounded(void)
{
    struct bucket_regions *regions = mem_alloc(1, sizeof(*regions));
    char name[80], region[AWS_REGION_SIZE];

    if (!CHECK(regions != NULL))
        return;
    bucket_regions_init(regions);
    for (int i = 0; i < BUCKET_REGIONS_MOST + 3; i++)
        CHECK(bucket_regions_put(regions, name_of(name, sizeof(name), i), SPAN_LIT("eu-west-1")));
    for (int i = 0; i < BUCKET_REGIONS_MOST + 3; i++)
        CHECK(bucket_regions_find(regions, name_of(name, sizeof(name), i), region) == (i >= 3));
    CHECK(!bucket_regions_put(regions, SPAN_LIT("bucket-9"), SPAN_LIT("eu-west-1"))); /* no news */
    CHECK(bucket_regions_put(regions, SPAN_LIT("bucket-9"), SPAN_LIT("eu-west-2")));
    CHECK(bucket_regions_find(regions, SPAN_LIT("bucket-9"), region));
    CHECK_TEXT(region, "eu-west-2");
    memset(name, 'a', sizeof(name));
    CHECK(!bucket_regions_put(regions, (struct span){ name, BUCKET_REGIONS_NAME }, SPAN_LIT("eu-west-1")));
    CHECK(!bucket_regions_put(regions, SPAN_LIT("b"), (struct span){ name, AWS_REGION_SIZE }));
    CHECK(!bucket_regions_put(regions, SPAN_LIT(""), SPAN_LIT("eu-west-1")));
    bucket_regions_done(regions);
    mem_free(regions);
}

static void *put_and_find(void *arg)
{
    struct bucket_regions *regions = arg;
    char name[32], region[AWS_REGION_SIZE];

    for (int i = 0; i < 2000; i++) {
        (void)bucket_regions_put(regions, name_of(name, sizeof(name), i % 200), SPAN_LIT("eu-west-1"));
        if (bucket_regions_find(regions, name_of(name, sizeof(name), i % 200), region))
            CHECK_TEXT(region, "eu-west-1");
    }
    return NULL;
}

static void test_threads(void)
{
    struct bucket_regions *regions = mem_alloc(1, sizeof(*regions));
    pthread_t threads[4];

    if (!CHECK(regions != NULL))
        return;
    bucket_regions_init(regions);
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, put_and_find, regions) == 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    bucket_regions_done(regions);
    mem_free(regions);
}

static const struct test tests[] = {
    { "rows", test_rows },       { "remembered", test_remembered },           { "expired_token", test_expired_token },
    { "told", test_told },       { "custom_endpoint", test_custom_endpoint }, { "bounded", test_bounded },
    { "threads", test_threads },
};
TEST_MAIN("client_region", tests)
