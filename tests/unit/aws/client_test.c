/* Single calls against a scripted server: what is sent, how often, and what bounds the answer. */
#include "tests/unit/aws/client_fixture.h"

#include "aws/client_internal.h"
#include "server/base/clock.h"
#include "server/base/mem.h"

#define ANSWER(number, text)                                                                                           \
    {                                                                                                                  \
        .status = (number), .body = (text)                                                                             \
    }
#define GOOD ANSWER(200, "<Ok></Ok>")

static void test_good_call(void)
{
    static const struct http_answer answers[] = {
        { .status = 200,
          .headers =
              "ETag: \"abc\"\r\nContent-Type: text/plain\r\nx-amz-request-id: R1\r\nLast-Modified: Sun, 06 Nov 1994 "
              "08:49:37 GMT\r\nContent-Range: bytes 0-4/9\r\nx-amz-storage-class: STANDARD_IA\r\n",
          .body = "hello" },
    };
    AUTO(fixture_done) struct fixture f = { 0 };
    struct aws_request rq = get_object("/a%20b/x/../y//z%2B");
    const struct http_seen *seen;

    if (!start(&f, answers, 1))
        return;
    rq.query = SPAN_LIT("partNumber=1&uploadId=a%2Bb");
    rq.headers[rq.header_count++] = (struct aws_header){ "range", SPAN_LIT("bytes=0-4") };
    CHECK(call(&f, &rq));
    CHECK_I64(f.rs.status, 200);
    CHECK_TEXT(buf_cstr(&f.rs.body), "hello");
    CHECK_TEXT(f.rs.etag, "\"abc\"");
    CHECK_TEXT(f.rs.content_type, "text/plain");
    CHECK_TEXT(f.rs.request_id, "R1");
    CHECK_TEXT(f.rs.last_modified, "Sun, 06 Nov 1994 08:49:37 GMT");
    CHECK_TEXT(f.rs.content_range, "bytes 0-4/9");
    CHECK_TEXT(f.rs.storage_class, "STANDARD_IA");
    CHECK_I64(f.rs.content_length, 5);
    CHECK_I64(http_script_count(f.script), 1);
    seen = http_script_seen(f.script, 0);
    CHECK_TEXT(seen->method, "GET");
    CHECK_TEXT(seen->target, "/bucket-name/a%20b/x/../y//z%2B?partNumber=1&uploadId=a%2Bb");
    CHECK_SPAN(http_seen_header(seen, "range"), "bytes=0-4");
    CHECK_SPAN(http_seen_header(seen, "host"), strchr(http_script_url(f.script), '1'));
    CHECK_I64(http_seen_header(seen, "accept").len, 0);
    check_signature(seen, "s3");
}

static void test_bodies(void)
{
    static const struct http_answer answers[] = { { .status = 200 } };
    AUTO(fixture_done) struct fixture f = { 0 };
    struct aws_request rq = { .operation = "S3.CreateMultipartUpload",
                              .service = AWS_S3,
                              .method = "POST",
                              .bucket = SPAN_LIT("b"),
                              .path = SPAN_LIT("/k"),
                              .query = SPAN_LIT("uploads=") };
    const struct http_seen *seen;

    if (!start(&f, answers, 1))
        return;
    CHECK(call(&f, &rq));
    seen = http_script_seen(f.script, 0);
    CHECK_SPAN(http_seen_header(seen, "content-length"), "0");
    CHECK_I64(http_seen_header(seen, "content-type").len, 0);
    check_signature(seen, "s3");

    rq = (struct aws_request){ .operation = "Bedrock.Create",
                               .service = AWS_BEDROCK,
                               .method = "POST",
                               .path = SPAN_LIT("/model-invocation-job/arn%3Aaws%2Fx/stop"),
                               .content_type = "application/json",
                               .body = SPAN_LIT("{\"a\":1}") };
    CHECK(call(&f, &rq));
    seen = http_script_seen(f.script, 1);
    CHECK_TEXT(seen->body, "{\"a\":1}");
    CHECK_TEXT(seen->target, "/model-invocation-job/arn%3Aaws%2Fx/stop");
    CHECK_SPAN(http_seen_header(seen, "content-type"), "application/json");
    CHECK_I64(http_seen_header(seen, "x-amz-content-sha256").len, 0);
    check_signature(seen, "bedrock");
    CHECK_I64(http_script_connections(f.script), 1);

    rq = (struct aws_request){ .operation = "S3.DeleteObject",
                               .service = AWS_S3,
                               .method = "DELETE",
                               .bucket = SPAN_LIT("b"),
                               .path = SPAN_LIT("/k") };
    CHECK(call(&f, &rq));
    seen = http_script_seen(f.script, 2);
    CHECK_TEXT(seen->method, "DELETE");
    CHECK_I64(http_seen_header(seen, "content-length").len, 0);
    check_signature(seen, "s3");
}

static void test_clock_skew(void)
{
    char date[CLOCK_RFC3339_SIZE], headers[128], first[32];
    AUTO(fixture_done) struct fixture f = { 0 };
    struct aws_request rq = get_object("/k");
    struct http_answer answers[] = { { .status = 403, .headers = headers, .body = S3_ERROR("RequestTimeTooSkewed") },
                                     { .status = 200 } };
    int64_t gap_s;

    clock_http_date(clock_wall_ms() + 3600 * 1000, date);
    snprintf(headers, sizeof(headers), "Date: %s\r\n", date);
    if (!start(&f, answers, 2))
        return;
    CHECK(call(&f, &rq));
    CHECK_I64(http_script_count(f.script), 2);
    snprintf(first, sizeof(first), "%.*s", SPAN_ARG(http_seen_header(http_script_seen(f.script, 0), "x-amz-date")));
    CHECK(!span_eq_text(http_seen_header(http_script_seen(f.script, 1), "x-amz-date"), first));
    check_signature(http_script_seen(f.script, 1), "s3");
    gap_s = aws_now_s(f.aws) - clock_wall_ms() / 1000;
    CHECK(gap_s > 3590 && gap_s < 3610);
}

static void test_no_skew_within_four_minutes(void)
{
    char date[CLOCK_RFC3339_SIZE], headers[128];
    AUTO(fixture_done) struct fixture f = { 0 };
    struct aws_request rq = get_object("/k");
    struct http_answer answers[] = { { .status = 403, .headers = headers, .body = S3_ERROR("SignatureDoesNotMatch") } };

    clock_http_date(clock_wall_ms() + 230 * 1000, date);
    snprintf(headers, sizeof(headers), "Date: %s\r\n", date);
    if (!start(&f, answers, 1))
        return;
    CHECK(!call(&f, &rq));
    CHECK_I64(f.err.kind, ERR_DENIED);
    CHECK_I64(http_script_count(f.script), 1);
}

/* ---- sent once ---- */

static void test_send_once(void)
{
    static const struct http_answer answers[] = {
        { .status = 200 },
        { .end = HTTP_CLOSE }, /* an idle connection, then the POST */
        { .status = 200 },
        { .status = 503, .body = "{\"message\":\"busy\"}" }, /* an answer is not repeated either */
        { .end = HTTP_CLOSE },
        { .status = 200 }, /* what other calls do */
    };
    AUTO(fixture_done) struct fixture f = { 0 };
    struct aws_request post = { .operation = "Bedrock.Create",
                                .service = AWS_BEDROCK,
                                .method = "POST",
                                .path = SPAN_LIT("/model-invocation-job"),
                                .content_type = "application/json",
                                .body = SPAN_LIT("{}"),
                                .send_once = true };
    struct aws_request get = get_object("/k");

    if (!start(&f, answers, 6))
        return;
    CHECK(call(&f, &get));
    CHECK(!call(&f, &post));
    CHECK_I64(f.err.kind, ERR_UPSTREAM);
    CHECK(f.err.retryable);
    CHECK_I64(http_script_count(f.script), 2);
    CHECK_I64(http_script_seen(f.script, 1)->connection, 2);
    CHECK(call(&f, &get));
    CHECK(!call(&f, &post));
    CHECK(f.err.retryable);
    CHECK_I64(f.err.upstream_status, 503);
    CHECK_I64(http_script_count(f.script), 4);
    post.send_once = false;
    CHECK(call(&f, &post));
    CHECK_I64(http_script_count(f.script), 6);
}

/* ---- bounds ---- */

static void test_size_bounds(void)
{
    static char many[300 * 1024];
    const struct http_answer answers[] = {
        { .status = 200, .body = "0123456789", .repeat = 20 },                  /* announced */
        { .status = 200, .body = "0123456789", .repeat = 20, .announced = -1 }, /* not announced */
        { .status = 400, .body = "0123456789", .repeat = 200000 },              /* an error's beginning is enough */
        { .status = 200, .headers = many },
        { .status = 404, .body = S3_ERROR("NoSuchKey") }, /* is not held to the bound of a good answer */
    };
    AUTO(fixture_done) struct fixture f = { 0 };
    struct aws_request rq = get_object("/k");
    char *at = many;

    while (at + 40 < many + sizeof(many))
        at += sprintf(at, "x-filler: 0123456789012345678901\r\n");
    if (!start(&f, answers, 5))
        return;
    rq.max_response_bytes = 199;
    for (int i = 0; i < 2; i++) {
        CHECK(!call(&f, &rq));
        CHECK_I64(f.err.kind, ERR_UPSTREAM);
        CHECK_TEXT(f.err.code, "response_too_large");
        CHECK(!f.err.retryable);
    }
    rq.max_response_bytes = 0;
    CHECK(!call(&f, &rq));
    CHECK_I64(f.err.kind, ERR_INPUT);
    CHECK_I64(f.rs.body.len, 64 * 1024);
    CHECK(!call(&f, &rq));
    CHECK_TEXT(f.err.code, "response_too_large");
    rq.max_response_bytes = 10;
    CHECK(!call(&f, &rq));
    CHECK_TEXT(f.err.upstream_code, "NoSuchKey");
    CHECK_I64(http_script_count(f.script), 5);
}

static void test_exact_bound(void)
{
    static const struct http_answer answers[] = { { .status = 200, .body = "0123456789", .repeat = 20 } };
    AUTO(fixture_done) struct fixture f = { 0 };
    struct aws_request rq = get_object("/k");

    rq.max_response_bytes = 200;
    CHECK(start(&f, answers, 1) && call(&f, &rq));
    CHECK_I64(f.rs.body.len, 200);
}

static void test_large_upload(void)
{
    static char part[3 * 1024 * 1024];
    static const struct http_answer answers[] = {
        { .status = 503, .body = S3_ERROR("SlowDown"), .is_early = true },
        { .status = 200, .headers = "ETag: \"e\"\r\n" },
    };
    AUTO(fixture_done) struct fixture f = { 0 };
    struct aws_request rq = { .operation = "S3.UploadPart",
                              .service = AWS_S3,
                              .method = "PUT",
                              .bucket = SPAN_LIT("b"),
                              .path = SPAN_LIT("/k"),
                              .body = { part, sizeof(part) },
                              .has_body = true };

    memset(part, 'x', sizeof(part));
    if (!start(&f, answers, 2))
        return;
    CHECK(call(&f, &rq));
    CHECK_TEXT(f.rs.etag, "\"e\"");
    CHECK_I64(http_script_count(f.script), 2);
    CHECK_I64(http_script_seen(f.script, 1)->body_len, sizeof(part));
    check_signature(http_script_seen(f.script, 1), "s3");
}

static void test_header_with_line_break(void)
{
    static const struct http_answer answers[] = { { .status = 200 } };
    AUTO(fixture_done) struct fixture f = { 0 };
    struct aws_request rq = get_object("/k");

    rq.headers[rq.header_count++] = (struct aws_header){ "if-match", SPAN_LIT("x\r\nx-evil: 1") };
    CHECK(start(&f, answers, 1) && !call(&f, &rq));
    CHECK_I64(f.err.kind, ERR_INPUT);
    CHECK_I64(http_script_count(f.script), 0);
}

static void test_timeout(void)
{
    static const struct http_answer answers[] = { { .status = 200, .is_held = true } };
    AUTO(fixture_done) struct fixture f = { 0 };
    struct aws_request rq = get_object("/k");

    rq.timeout_ms = 50;
    CHECK(start_with(&f, answers, 1, (struct aws_options){ .max_attempts = 2 }) && !call(&f, &rq));
    CHECK_I64(f.err.kind, ERR_TIMEOUT);
    CHECK(f.err.retryable);
}

static void test_stats(void)
{
    static const struct http_answer answers[] = { ANSWER(503, S3_ERROR("SlowDown")), GOOD,
                                                  ANSWER(404, S3_ERROR("NoSuchKey")) };
    AUTO(fixture_done) struct fixture f = { 0 };
    struct aws_request rq = get_object("/k");
    struct aws_stat stats[4];

    if (!start(&f, answers, 3))
        return;
    CHECK(call(&f, &rq));
    CHECK(!call(&f, &rq));
    CHECK_I64(aws_stats(f.aws, stats, 4), 1);
    CHECK_TEXT(stats[0].operation, "S3.GetObject");
    CHECK_I64(stats[0].calls, 2);
    CHECK_I64(stats[0].attempts, 3);
    CHECK_I64(stats[0].throttles, 1);
    CHECK_I64(stats[0].failures, 1);
}

/* After a long outage the tokens are gone and each call is sent once; successes bring them back. */
static void test_budget(void)
{
    enum { CALLS = 20, PAID = 500 / 14, REFUSED = CALLS + PAID, SUCCESSES = 14 };
    struct http_answer answers[REFUSED + SUCCESSES + 1];
    AUTO(fixture_done) struct fixture f = { 0 };
    struct aws_request rq = get_object("/k");

    for (int i = 0; i <= REFUSED + SUCCESSES; i++)
        answers[i] = (struct http_answer){ .status = i >= REFUSED && i < REFUSED + SUCCESSES ? 200 : 500 };
    if (!start(&f, answers, REFUSED + SUCCESSES + 1))
        return;
    for (int i = 0; i < CALLS; i++)
        CHECK(!call(&f, &rq));
    CHECK_I64(http_script_count(f.script), REFUSED);
    for (int i = 0; i < SUCCESSES; i++)
        CHECK(call(&f, &rq));
    CHECK(!call(&f, &rq));
    CHECK_I64(http_script_count(f.script), REFUSED + SUCCESSES + 2);
}

/* Whichever allocation fails, the call says so and leaves nothing behind (the sanitizers look). */
static void test_no_memory(void)
{
    static const struct http_answer answers[] = { { .status = 200, .body = "0123456789abcdef", .repeat = 1000 } };
    AUTO(fixture_done) struct fixture f = { 0 };
    struct aws_request rq = get_object("/k");
    bool ok = false;
    uint64_t n = 1;

    if (!start(&f, answers, 1))
        return;
    for (; !ok && n < 200; n++) {
        mem_fail_at(n);
        ok = call(&f, &rq);
        mem_fail_never();
        CHECK_I64(f.err.kind, ok ? ERR_NONE : ERR_MEMORY);
    }
    CHECK(ok);
    CHECK(n > 10);
}

static const struct test tests[] = {
    { "good_call", test_good_call },
    { "bodies", test_bodies },
    { "clock_skew", test_clock_skew },
    { "no_skew_within_four_minutes", test_no_skew_within_four_minutes },
    { "send_once", test_send_once },
    { "size_bounds", test_size_bounds },
    { "exact_bound", test_exact_bound },
    { "large_upload", test_large_upload },
    { "header_with_line_break", test_header_with_line_break },
    { "timeout", test_timeout },
    { "stats", test_stats },
    { "budget", test_budget },
    { "no_memory", test_no_memory },
};
TEST_MAIN("client", tests)
