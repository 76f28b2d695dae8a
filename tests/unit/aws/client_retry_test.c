/* What a call does with each kind of answer: how often it is sent, and what the caller is told. */
#include "server/base/clock.h"
#include "tests/unit/aws/client_fixture.h"

enum { MAX_STEPS = 6 };
struct retry_case {
    const char *name;
    struct http_answer answers[MAX_STEPS];
    enum err_kind kind; /* ERR_NONE: the call ends well */
    bool retryable;
    int requests; /* that the server sees */
    const char *upstream_code;
    enum {
        S3,
        S3_SUSPECT, /* a 200 may be an error */
        BEDROCK,
        STS,
        IAM,
        SQS
    } how;
};

#define ANSWER(number, text)                                                                                           \
    {                                                                                                                  \
        .status = (number), .body = (text)                                                                             \
    }
#define GOOD ANSWER(200, "<Ok></Ok>")
#define CUT(how)                                                                                                       \
    {                                                                                                                  \
        .status = 200, .body = "<Ok></Ok>", .cut_after = 4, .end = (how)                                               \
    }
#define LIE(number, text)                                                                                              \
    {                                                                                                                  \
        .status = (number), .body = (text), .announced = 999, .end = HTTP_CLOSE                                        \
    }
#define QUERY_ERROR(code)                                                                                              \
    "<ErrorResponse xmlns=\"https://a/\"><Error><Type>Sender</Type><Code>" code                                        \
    "</Code><Message>said so</Message></Error><RequestId>R</RequestId></ErrorResponse>"
#define TYPED(name) "{\"__type\":\"a#" name "\",\"message\":\"said so\"}"

/* clang-format off */
static const struct retry_case retry_cases[] = {
    { "throttled once", { ANSWER(503, S3_ERROR("SlowDown")), GOOD }, ERR_NONE, false, 2, "", S3 },
    { "throttled for ever", { ANSWER(503, S3_ERROR("SlowDown")) }, ERR_BUSY, true, 5, "SlowDown", S3 },
    { "server error for ever", { ANSWER(500, "") }, ERR_UPSTREAM, true, 5, "", S3 },
    { "html 502, then good", { ANSWER(502, "<html>no</html>"), GOOD }, ERR_NONE, false, 2, "", S3 },
    { "denied", { ANSWER(403, S3_ERROR("AccessDenied")) }, ERR_DENIED, false, 1, "AccessDenied", S3 },
    { "missing", { ANSWER(404, S3_ERROR("NoSuchKey")) }, ERR_NOT_FOUND, false, 1, "NoSuchKey", S3 },
    { "precondition", { ANSWER(412, S3_ERROR("PreconditionFailed")) }, ERR_CONFLICT, false, 1, "PreconditionFailed", S3 },
    { "archived", { ANSWER(403, S3_ERROR("InvalidObjectState")) }, ERR_DENIED, false, 1, "InvalidObjectState", S3 },
    { "not modified", { ANSWER(304, "") }, ERR_NONE, false, 1, "", S3 },
    { "bad digest", { ANSWER(400, S3_ERROR("BadDigest")), GOOD }, ERR_NONE, false, 2, "", S3 },
    { "bad argument", { ANSWER(400, S3_ERROR("InvalidArgument")) }, ERR_INPUT, false, 1, "InvalidArgument", S3 },
    { "reset", { { .end = HTTP_RESET }, GOOD }, ERR_NONE, false, 2, "", S3 },
    { "closed", { { .end = HTTP_CLOSE }, GOOD }, ERR_NONE, false, 2, "", S3 },
    { "closed for ever", { { .end = HTTP_CLOSE } }, ERR_UPSTREAM, true, 5, "", S3 },
    { "cut body", { CUT(HTTP_CLOSE), GOOD }, ERR_NONE, false, 2, "", S3 },
    { "cut body, reset", { CUT(HTTP_RESET), GOOD }, ERR_NONE, false, 2, "", S3 },
    { "length too large", { LIE(200, "x"), GOOD }, ERR_NONE, false, 2, "", S3 },
    { "cut error body", { LIE(404, S3_ERROR("NoSuchKey")) }, ERR_NOT_FOUND, false, 1, "NoSuchKey", S3 },
    { "error in 200", { ANSWER(200, S3_ERROR("InternalError")), GOOD }, ERR_NONE, false, 2, "", S3_SUSPECT },
    { "error in 200, not looked for", { ANSWER(200, S3_ERROR("InternalError")) }, ERR_NONE, false, 1, "", S3 },
    { "cut document in 200", { ANSWER(200, "<Ok><a>1</a>"), GOOD }, ERR_NONE, false, 2, "", S3_SUSPECT },
    { "blank 200", { ANSWER(200, " \n"), GOOD }, ERR_NONE, false, 2, "", S3_SUSPECT },
    { "blank 200 for ever", { ANSWER(200, "") }, ERR_UPSTREAM, true, 5, "", S3_SUSPECT },
    { "slow down in 200", { ANSWER(200, S3_ERROR("SlowDown")) }, ERR_BUSY, true, 5, "SlowDown", S3_SUSPECT },
    { "expired token", { ANSWER(400, S3_ERROR("ExpiredToken")), GOOD }, ERR_NONE, false, 2, "", S3 },
    { "expired token again", { ANSWER(400, S3_ERROR("ExpiredToken")) }, ERR_DENIED, true, 2, "ExpiredToken", S3 },
    { "no redirect", { { .status = 301, .headers = "Location: http://127.0.0.1:1/\r\n" } }, ERR_UPSTREAM, false, 1, "", S3 },
    { "throttled", { ANSWER(429, TYPED("ThrottlingException")), GOOD }, ERR_NONE, false, 2, "", BEDROCK },
    { "name in header", { { .status = 400, .headers = "x-amzn-ErrorType: a.b#ConflictException:http://x\r\n", .body = "{\"message\":\"said so\"}" } },
      ERR_CONFLICT, false, 1, "ConflictException", BEDROCK },
    { "validation", { ANSWER(400, TYPED("ValidationException")) }, ERR_INPUT, false, 1, "ValidationException", BEDROCK },
    { "quota", { ANSWER(400, TYPED("ServiceQuotaExceededException")) }, ERR_BUSY, true, 5, "ServiceQuotaExceededException", BEDROCK },
    { "identity provider", { ANSWER(400, QUERY_ERROR("IDPCommunicationError")), GOOD }, ERR_NONE, false, 2, "", STS },
    { "identity token", { ANSWER(400, QUERY_ERROR("InvalidIdentityToken")) }, ERR_INPUT, false, 1, "InvalidIdentityToken", STS },
    { "STS throttled", { ANSWER(400, QUERY_ERROR("Throttling")) }, ERR_BUSY, true, 5, "Throttling", STS },
    { "no such role", { ANSWER(404, QUERY_ERROR("NoSuchEntity")) }, ERR_NOT_FOUND, false, 1, "NoSuchEntity", IAM },
    { "no such queue", { ANSWER(400, TYPED("QueueDoesNotExist")) }, ERR_INPUT, false, 1, "QueueDoesNotExist", SQS },
    { "queue throttled", { ANSWER(400, TYPED("RequestThrottled")), GOOD }, ERR_NONE, false, 2, "", SQS },
    { "model failed", { ANSWER(424, TYPED("ModelErrorException")), GOOD }, ERR_NONE, false, 2, "", BEDROCK },
};
/* clang-format on */

static size_t answer_count(const struct retry_case *c)
{
    size_t count = MAX_STEPS;
    static const struct http_answer none;

    while (count > 1 && !memcmp(&c->answers[count - 1], &none, sizeof(none)))
        count--;
    return count;
}

static const struct {
    enum aws_service service;
    const char *signing_name;
} services[] = {
    [S3] = { AWS_S3, "s3" },    [S3_SUSPECT] = { AWS_S3, "s3" }, [BEDROCK] = { AWS_BEDROCK, "bedrock" },
    [STS] = { AWS_STS, "sts" }, [IAM] = { AWS_IAM, "iam" },      [SQS] = { AWS_SQS, "sqs" },
};

/* Which attempt of which call: the same id in all, counted from one. */
static void check_attempt(struct http_script *script, size_t i)
{
    const struct http_seen *seen = http_script_seen(script, i);
    struct span id = http_seen_header(seen, "amz-sdk-invocation-id");
    char want[32];

    snprintf(want, sizeof(want), "attempt=%d; max=5", (int)i + 1);
    CHECK(span_eq_text(http_seen_header(seen, "amz-sdk-request"), want));
    CHECK_I64(id.len, 36);
    CHECK(span_eq(id, http_seen_header(http_script_seen(script, 0), "amz-sdk-invocation-id")));
}

static void run_retry_case(const struct retry_case *c)
{
    AUTO(fixture_done) struct fixture f = { 0 };
    struct aws_request rq = get_object("/k");

    if (!start(&f, c->answers, answer_count(c)))
        return;
    rq.error_in_200 = c->how == S3_SUSPECT;
    rq.service = services[c->how].service;
    if (rq.service != AWS_S3)
        rq.bucket = (struct span){ 0 };
    CHECK(call(&f, &rq) == (c->kind == ERR_NONE));
    CHECK_I64(f.err.kind, c->kind);
    CHECK_I64(f.err.retryable, c->retryable);
    CHECK_TEXT(f.err.upstream_code, c->upstream_code);
    CHECK_I64(http_script_count(f.script), c->requests);
    if (c->upstream_code[0])
        CHECK_TEXT(f.err.upstream_message, "said so");
    for (size_t i = 0; i < http_script_count(f.script); i++) {
        check_signature(http_script_seen(f.script, i), services[c->how].signing_name);
        check_attempt(f.script, i);
    }
}

static void test_retries(void)
{
    for (size_t i = 0; i < sizeof(retry_cases) / sizeof(retry_cases[0]); i++) {
        test_case("%s", retry_cases[i].name);
        run_retry_case(&retry_cases[i]);
    }
    test_case(NULL);
}

/* An answer to HEAD has no body: a wrong clock and an expired token are cured by its status alone. */
static void test_mute_answers(void)
{
    static const struct {
        const char *name;
        int statuses[2]; /* the last one serves all further requests */
        const char *token;
        int minutes; /* between the clocks */
        enum err_kind kind;
        int requests;
    } rows[] = {
        { "wrong clock", { 403, 200 }, "", 20, ERR_NONE, 2 },
        { "slow clock", { 403, 200 }, "", -20, ERR_NONE, 2 },
        { "wrong clock, and denied", { 403, 403 }, "", 20, ERR_DENIED, 2 },
        { "denied", { 403, 200 }, "", 3, ERR_DENIED, 1 },
        { "missing", { 404, 200 }, "token", 20, ERR_NOT_FOUND, 1 },
        { "expired token", { 400, 200 }, "token", 0, ERR_NONE, 2 },
        { "bad, whatever the token", { 400, 400 }, "token", 0, ERR_INPUT, 2 },
        { "no token that could expire", { 400, 200 }, "", 0, ERR_INPUT, 1 },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        AUTO(fixture_done) struct fixture f = { 0 };
        char date[CLOCK_RFC3339_SIZE], headers[128];
        const struct http_answer answers[] = {
            { .status = rows[i].statuses[0], .is_head = true, .headers = headers },
            { .status = rows[i].statuses[1], .is_head = true, .headers = headers },
        };
        struct aws_request rq = get_object("/k");

        test_case("%s", rows[i].name);
        clock_http_date(clock_wall_ms() + (int64_t)rows[i].minutes * 60 * 1000, date);
        snprintf(headers, sizeof(headers), "Date: %s\r\n", date);
        if (!start_with(&f, answers, 2, (struct aws_options){ .credentials.session_token = rows[i].token }))
            return;
        rq.method = "HEAD";
        CHECK(call(&f, &rq) == (rows[i].kind == ERR_NONE));
        CHECK_I64(f.err.kind, rows[i].kind);
        CHECK(!f.err.retryable);
        CHECK_TEXT(f.err.upstream_code, ""); /* S3 has said none */
        CHECK_I64(http_script_count(f.script), rows[i].requests);
    }
    test_case(NULL);
}

/* No address, no connection, no answer: that is tried again as everything else is. The label is longer than DNS allows,
 * so that no name server is asked. */
static void test_no_address(void)
{
    char url[128];
    AUTO(fixture_done) struct fixture f = { 0 };
    struct aws_options options = { .region = "us-east-1", .endpoint_url = url, .backoff_cap_ms = 4 };
    struct aws_request rq = get_object("/k");
    struct aws_stat stats[8];

    snprintf(url, sizeof(url), "http://%070d.invalid", 0);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    options.credentials.access_key_id = FIXTURE_KEY_ID;
    options.credentials.secret_access_key = FIXTURE_SECRET;
    f.script = http_script_start(&(struct http_answer){ .status = 200 }, 1); /* for fixture_done */
    f.aws = aws_new(&options, &f.err);
    f.client = f.aws ? aws_client_new(f.aws, &f.err) : NULL;
    if (!CHECK(f.client != NULL))
        return;
    CHECK(!call(&f, &rq));
    CHECK_I64(f.err.kind, ERR_UPSTREAM);
    CHECK(f.err.retryable);
    CHECK(strstr(f.err.what, "resolve") != NULL);
    CHECK_I64(aws_stats(f.aws, stats, 8), 1);
    CHECK_I64(stats[0].attempts, 5);
}

static const struct test tests[] = {
    { "retries", test_retries },
    { "mute_answers", test_mute_answers },
    { "no address", test_no_address },
};
TEST_MAIN("client_retry", tests)
