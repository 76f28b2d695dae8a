/* The calls to SQS against a scripted server. */
#include "aws/sqs.h"

#include "tests/unit/aws/aws_fixture.h"

#define URL "https://sqs.us-east-1.amazonaws.com/111122223333/jobs"

static void receive(void)
{
    static const struct http_answer answers[] = {
        { .status = 200,
          .body = "{\"Messages\":[{\"MessageId\":\"1\",\"ReceiptHandle\":\"r/1\",\"Body\":\"a \\\"b\\\"\"},"
                  "{\"ReceiptHandle\":\"r2\"}],\"New\":1}" },
        { .status = 200, .body = "{}" },
    };
    AUTO(fixture_done) struct fixture f = { 0 };
    AUTO(sqs_batch_done) struct sqs_batch batch = { 0 }, none = { 0 };

    if (!fixture_start(&f, answers, 2) || !CHECK(sqs_receive(f.client, URL, 20, &batch, &f.err)) ||
        !CHECK(sqs_receive(f.client, URL, 0, &none, &f.err)))
        return;
    check_request(&f, 0, "POST", "/");
    check_header(&f, 0, "x-amz-target", "AmazonSQS.ReceiveMessage");
    check_header(&f, 0, "content-type", "application/x-amz-json-1.0");
    check_body(&f, 0, "{\"QueueUrl\":\"" URL "\",\"MaxNumberOfMessages\":10,\"WaitTimeSeconds\":20}");
    CHECK(span_find(http_seen_header(http_script_seen(f.script, 0), "authorization"), '/') > 0);
    CHECK_I64(batch.count, 2);
    CHECK_SPAN(batch.messages[0].body, "a \"b\"");
    CHECK_SPAN(batch.messages[0].receipt, "r/1");
    CHECK_SPAN(batch.messages[1].body, "");
    CHECK_I64(none.count, 0);
}

static const struct {
    const char *name;
    struct http_answer answer;
    enum err_kind kind;
    const char *code;
    size_t requests;
} refusals[] = {
    { "no queue",
      { .status = 400, .body = "{\"__type\":\"com.amazonaws.sqs#QueueDoesNotExist\",\"message\":\"no such queue\"}" },
      ERR_INPUT,
      "QueueDoesNotExist",
      1 },
    { "denied",
      { .status = 403, .body = "{\"__type\":\"com.amazon.coral.service#AccessDeniedException\",\"message\":\"no\"}" },
      ERR_DENIED,
      "AccessDeniedException",
      1 },
    { "throttled",
      { .status = 400, .body = "{\"__type\":\"com.amazonaws.sqs#RequestThrottled\"}" },
      ERR_BUSY,
      "RequestThrottled",
      5 },
    { "no JSON", { .status = 200, .body = "<html>" }, ERR_UPSTREAM, "", 1 },
    { "an array", { .status = 200, .body = "[]" }, ERR_UPSTREAM, "", 1 },
    { "no receipt", { .status = 200, .body = "{\"Messages\":[{\"Body\":\"x\"}]}" }, ERR_UPSTREAM, "", 1 },
    { "messages are a text", { .status = 200, .body = "{\"Messages\":\"x\"}" }, ERR_NONE, "", 1 },
};

static void refused(void)
{
    for (size_t i = 0; i < COUNT_OF(refusals); i++) {
        AUTO(fixture_done) struct fixture f = { 0 };
        AUTO(sqs_batch_done) struct sqs_batch batch = { 0 };

        test_case("%s", refusals[i].name);
        if (!fixture_start(&f, &refusals[i].answer, 1))
            return;
        CHECK(sqs_receive(f.client, URL, 0, &batch, &f.err) == (refusals[i].kind == ERR_NONE));
        CHECK_I64(f.err.kind, refusals[i].kind);
        CHECK_TEXT(f.err.upstream_code, refusals[i].code);
        CHECK_I64(http_script_count(f.script), refusals[i].requests);
    }
    test_case(NULL);
}

static void delete_batch(void)
{
    static const struct http_answer answers[] = {
        { .status = 200, .body = "{\"Successful\":[{\"Id\":\"m0\"}],\"Failed\":[{\"Id\":\"m1\",\"Code\":\"x\"}]}" },
    };
    const struct sqs_batch batch = { .messages = { { { "", 0 }, SPAN_LIT("r/1") }, { { "", 0 }, SPAN_LIT("r\"2") } },
                                     .count = 2 };
    const struct sqs_batch none = { 0 };
    AUTO(fixture_done) struct fixture f = { 0 };
    int kept = -1;

    if (!fixture_start(&f, answers, 1) || !CHECK(sqs_delete(f.client, URL, &batch, &kept, &f.err)))
        return;
    CHECK_I64(kept, 1);
    check_header(&f, 0, "x-amz-target", "AmazonSQS.DeleteMessageBatch");
    check_body(&f, 0,
               "{\"QueueUrl\":\"" URL "\",\"Entries\":[{\"Id\":\"m0\",\"ReceiptHandle\":\"r/1\"},"
               "{\"Id\":\"m1\",\"ReceiptHandle\":\"r\\\"2\"}]}");
    CHECK(sqs_delete(f.client, URL, &none, &kept, &f.err));
    CHECK_I64(http_script_count(f.script), 1);
}

static void urls(void)
{
    static const struct {
        const char *url;
        bool is_good;
    } cases[] = {
        { URL, true },
        { "https://sqs.us-gov-west-1.amazonaws.com/111122223333/jobs.fifo", true },
        { "http://127.0.0.1:9324/queue/jobs", true },
        { "", false },
        { "jobs", false },
        { "arn:aws:sqs:us-east-1:111122223333:jobs", false },
        { "https://sqs.us-east-1.amazonaws.com", false },
        { "https://sqs.us-east-1.amazonaws.com/", false },
        { "https:///111122223333/jobs", false },
        { "https://sqs.us-east-1.amazonaws.com/1/a b", false },
        { "https://sqs.us-east-1.amazonaws.com/1/a\"b", false },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        test_case("%s", cases[i].url);
        CHECK(sqs_is_queue_url(span_of(cases[i].url)) == cases[i].is_good);
    }
    test_case(NULL);
}

static void arns(void)
{
    static const struct {
        const char *url, *arn;
    } cases[] = {
        { URL, "arn:aws:sqs:eu-west-1:111122223333:jobs" },
        { "http://127.0.0.1:9324/queue/jobs", "" },
        { "https://sqs.us-east-1.amazonaws.com/111122223333/", "" },
        { "https://sqs.us-east-1.amazonaws.com/111122223333/a/b", "" },
        { "https://sqs.us-east-1.amazonaws.com/11112222333x/a", "" },
        { "nothing", "" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char arn[SQS_ARN_SIZE] = "old";

        test_case("%s", cases[i].url);
        sqs_queue_arn(cases[i].url, "aws", "eu-west-1", arn);
        CHECK_TEXT(arn, cases[i].arn);
    }
    test_case(NULL);
}

static const struct test tests[] = {
    { "receive", receive }, { "refused", refused }, { "delete_batch", delete_batch },
    { "urls", urls },       { "arns", arns },
};

TEST_MAIN("sqs", tests)
