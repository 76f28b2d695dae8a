/* The four Bedrock operations against a scripted server. */
#include "aws/bedrock.h"

#include "aws/bedrock_json.h"
#include "tests/unit/aws/aws_fixture.h"

#define JOB_A "arn:aws:bedrock:us-east-1:111122223333:model-invocation-job/abcdefghi123"
#define JOB_B "arn:aws:bedrock:us-east-1:111122223333:model-invocation-job/abcdefghi124"
#define PATH_A                                                                                                         \
    "/model-invocation-job/arn%3Aaws%3Abedrock%3Aus-east-1%3A111122223333%3Amodel-invocation-job%2Fabcdefghi123"

static const struct bedrock_tag tags[] = { { "app", "vidbatch" }, { "empty", NULL } };

static const struct bedrock_create least = {
    .job_name = "job-1",
    .client_token = "token-1",
    .role_arn = "arn:aws:iam::111122223333:role/r",
    .model_id = "amazon.nova-lite-v1:0",
    .input_uri = "s3://bucket/in/",
    .output_uri = "s3://bucket/out/",
};

static void create(void)
{
    static const struct http_answer answers[] = { { .status = 200, .body = "{\"jobArn\":\"" JOB_A "\"}" } };
    AUTO(fixture_done) struct fixture f = { 0 };
    struct bedrock_create most = least;
    char arn[BEDROCK_ARN_SIZE] = "";

    most.input_owner = "111122223333";
    most.output_owner = "444455556666";
    most.output_kms_key = "alias/k";
    most.timeout_hours = 72;
    most.tags = tags;
    most.tag_count = 2;
    if (!fixture_start(&f, answers, 1) || !CHECK(bedrock_create_job(f.client, &least, arn, &f.err)))
        return;
    CHECK_TEXT(arn, JOB_A);
    CHECK_TEXT(bedrock_job_id(arn), "abcdefghi123");
    CHECK(bedrock_create_job(f.client, &most, arn, &f.err));
    check_request(&f, 0, "POST", "/model-invocation-job");
    check_header(&f, 0, "content-type", "application/json");
    check_body(
        &f, 0,
        "{\"jobName\":\"job-1\",\"clientRequestToken\":\"token-1\",\"roleArn\":\"arn:aws:iam::111122223333:role/r\","
        "\"modelId\":\"amazon.nova-lite-v1:0\",\"inputDataConfig\":{\"s3InputDataConfig\":{\"s3InputFormat\":\"JSONL\","
        "\"s3Uri\":\"s3://bucket/in/\"}},\"outputDataConfig\":{\"s3OutputDataConfig\":{\"s3Uri\":"
        "\"s3://bucket/out/\"}}}");
    check_body(
        &f, 1,
        "{\"jobName\":\"job-1\",\"clientRequestToken\":\"token-1\",\"roleArn\":\"arn:aws:iam::111122223333:role/r\","
        "\"modelId\":\"amazon.nova-lite-v1:0\",\"inputDataConfig\":{\"s3InputDataConfig\":{\"s3InputFormat\":\"JSONL\","
        "\"s3Uri\":\"s3://bucket/in/"
        "\",\"s3BucketOwner\":\"111122223333\"}},\"outputDataConfig\":{\"s3OutputDataConfig\":"
        "{\"s3Uri\":\"s3://bucket/out/\",\"s3BucketOwner\":\"444455556666\",\"s3EncryptionKeyId\":\"alias/k\"}},"
        "\"timeoutDurationInHours\":72,\"tags\":[{\"key\":\"app\",\"value\":\"vidbatch\"},{\"key\":\"empty\","
        "\"value\":\"\"}]}");
    CHECK(http_script_seen(f.script, 0)->connection != http_script_seen(f.script, 1)->connection);
}

#define TYPE(name) "x-amzn-errortype: " name ":http://internal.amazon.com/\r\n"

static const struct {
    const char *name;
    struct http_answer answer;
    enum err_kind kind;
    const char *code, *upstream_code;
    bool retryable;
} failures[] = {
    { "no answer", { .status = 0, .end = HTTP_RESET }, ERR_UPSTREAM, "upstream", "", true },
    { "cut answer",
      { .status = 200, .body = "{\"jobArn\":\"" JOB_A "\"}", .cut_after = 9, .end = HTTP_CLOSE },
      ERR_UPSTREAM,
      "upstream",
      "",
      true },
    { "answer without an ARN", { .status = 200, .body = "{}" }, ERR_UPSTREAM, "bad_json", "", true },
    { "answer that is no JSON", { .status = 200, .body = "<html>" }, ERR_UPSTREAM, "bad_json", "", true },
    { "server error",
      { .status = 500, .headers = TYPE("InternalServerException"), .body = "{}" },
      ERR_UPSTREAM,
      "upstream",
      "InternalServerException",
      true },
    { "throttled",
      { .status = 429, .headers = TYPE("ThrottlingException"), .body = "{\"message\":\"slow\"}" },
      ERR_BUSY,
      "bedrock_throttled",
      "ThrottlingException",
      true },
    { "quota",
      { .status = 400, .headers = TYPE("ServiceQuotaExceededException"), .body = "{\"message\":\"100 jobs\"}" },
      ERR_BUSY,
      "bedrock_quota",
      "ServiceQuotaExceededException",
      true },
    { "name in use, as a conflict",
      { .status = 400, .headers = TYPE("ConflictException"), .body = "{\"message\":\"x\"}" },
      ERR_CONFLICT,
      "bedrock_name_in_use",
      "ConflictException",
      false },
    { "name in use, as a validation error",
      { .status = 400,
        .headers = TYPE("ValidationException"),
        .body = "{\"message\":\"The provided job name is currently in use.\"}" },
      ERR_CONFLICT,
      "bedrock_name_in_use",
      "ValidationException",
      false },
    { "another validation error",
      { .status = 400, .body = "{\"__type\":\"com.amazon#ValidationException\",\"message\":\"no such model\"}" },
      ERR_INPUT,
      "input",
      "ValidationException",
      false },
    { "denied",
      { .status = 403, .headers = TYPE("AccessDeniedException"), .body = "{}" },
      ERR_DENIED,
      "denied",
      "AccessDeniedException",
      false },
};

/* Whatever happens, a job is asked for once; the error says whether it may exist nevertheless. */
static void create_failures(void)
{
    for (size_t i = 0; i < COUNT_OF(failures); i++) {
        AUTO(fixture_done) struct fixture f = { 0 };
        char arn[BEDROCK_ARN_SIZE] = "";

        test_case("%s", failures[i].name);
        if (!fixture_start(&f, &failures[i].answer, 1))
            return;
        CHECK(!bedrock_create_job(f.client, &least, arn, &f.err));
        CHECK_I64(f.err.kind, failures[i].kind);
        CHECK_TEXT(err_code_of(&f.err), failures[i].code);
        CHECK_TEXT(f.err.upstream_code, failures[i].upstream_code);
        CHECK(f.err.retryable == failures[i].retryable);
        CHECK_TEXT(arn, "");
        CHECK_I64(http_script_count(f.script), 1);
    }
    test_case(NULL);
}

static void nothing_bad_is_sent(void)
{
    static const struct http_answer answers[] = { { .status = 200, .body = "{}" } };
    AUTO(fixture_done) struct fixture f = { 0 };
    struct bedrock_create bad = least;
    struct bedrock_job job;
    char arn[BEDROCK_ARN_SIZE];
    bool found = false;

    bad.job_name = "a_b";
    if (!fixture_start(&f, answers, 1))
        return;
    CHECK(!bedrock_create_job(f.client, &bad, arn, &f.err));
    CHECK_TEXT(f.err.code, "bad_request_field");
    CHECK(!bedrock_get_job(f.client, "abcdefghi123", &job, NULL)); /* a bare id was once refused by the service */
    CHECK(!bedrock_stop_job(f.client, JOB_A "/../x", NULL));
    CHECK(!bedrock_find_job(f.client, "a_b", "token-1", 0, &job, &found, NULL));
    CHECK_I64(http_script_count(f.script), 0);
}

static void get(void)
{
    static const struct http_answer answers[] = {
        { .status = 200,
          .body =
              "{\"jobArn\":\"" JOB_A
              "\",\"jobName\":\"job-1\",\"clientRequestToken\":\"token-1\",\"status\":\"Failed\","
              "\"message\":\"Not enough \\u00e9\",\"modelId\":\"m\",\"submitTime\":\"2026-11-01T12:00:00.000Z\","
              "\"lastModifiedTime\":\"2026-11-01T12:00:01Z\",\"endTime\":\"2026-11-01T12:00:02.5Z\","
              "\"jobExpirationTime\":"
              "1793534403,\"inputDataConfig\":{\"s3InputDataConfig\":{\"s3Uri\":\"s3://b/i/\"}},\"outputDataConfig\":"
              "{\"s3OutputDataConfig\":{\"s3Uri\":\"s3://b/o/\"}},\"totalRecordCount\":100,\"processedRecordCount\":7,"
              "\"successRecordCount\":5,\"errorRecordCount\":2,\"vpcConfig\":null,\"news\":[1]}" },
        { .status = 200, .body = "{\"jobArn\":\"" JOB_A "\",\"status\":7,\"inputDataConfig\":[]}" },
    };
    AUTO(fixture_done) struct fixture f = { 0 };
    struct bedrock_job job;

    if (!fixture_start(&f, answers, 2) || !CHECK(bedrock_get_job(f.client, JOB_A, &job, &f.err)))
        return;
    check_request(&f, 0, "GET", PATH_A);
    CHECK_TEXT(job.arn, JOB_A);
    CHECK_TEXT(job.name, "job-1");
    CHECK_TEXT(job.client_token, "token-1");
    CHECK_TEXT(job.status, "Failed");
    CHECK_TEXT(job.message, "Not enough \xc3\xa9");
    CHECK_TEXT(job.input_uri, "s3://b/i/");
    CHECK_TEXT(job.output_uri, "s3://b/o/");
    CHECK_I64(job.submit_time_ms, 1793534400000);
    CHECK_I64(job.last_modified_ms, 1793534401000);
    CHECK_I64(job.end_time_ms, 1793534402500);
    CHECK_I64(job.expiration_ms, 1793534403000);
    CHECK_I64(job.total, 100);
    CHECK_I64(job.processed, 7);
    CHECK_I64(job.succeeded, 5);
    CHECK_I64(job.failed, 2);
    if (!CHECK(bedrock_get_job(f.client, JOB_A, &job, &f.err))) /* nearly everything is optional */
        return;
    CHECK_TEXT(job.status, "");
    CHECK_TEXT(job.input_uri, "");
    CHECK_I64(job.submit_time_ms, 0);
    CHECK_I64(job.total, -1);
}

#define SUMMARY(arn, token) "{\"jobArn\":\"" arn "\",\"clientRequestToken\":\"" token "\"}"

static bool count_jobs(void *arg, const struct bedrock_job *job)
{
    int *left = arg;

    CHECK(job->arn[0] != '\0');
    return --*left > 0;
}

static void list(void)
{
    static const struct http_answer answers[] = {
        { .status = 200, .body = "{\"invocationJobSummaries\":[" SUMMARY(JOB_A, "a") "],\"nextToken\":\"t/1+\"}" },
        { .status = 500, .body = "{}" },
        { .status = 200, .body = "{\"invocationJobSummaries\":[" SUMMARY(JOB_A, "a") "," SUMMARY(JOB_B, "b") "]}" },
    };
    AUTO(fixture_done) struct fixture f = { 0 };
    const struct bedrock_list rq = { "job", "InProgress", 1793534400000, 50 };
    int left = 100;

    if (!fixture_start(&f, answers, COUNT_OF(answers)) ||
        !CHECK(bedrock_list_jobs(f.client, &rq, count_jobs, &left, &f.err)))
        return;
    CHECK_I64(left, 97);
    CHECK_I64(http_script_count(f.script), 3);
    check_request(
        &f, 0, "GET",
        "/model-invocation-jobs?maxResults=50&nameContains=job&sortBy=CreationTime&sortOrder=Descending&statusEquals="
        "InProgress&submitTimeAfter=2026-11-01T12%3A00%3A00.000Z");
    check_request(
        &f, 2, "GET",
        "/model-invocation-jobs?maxResults=50&nameContains=job&nextToken=t%2F1%2B&sortBy=CreationTime&sortOrder="
        "Descending&statusEquals=InProgress&submitTimeAfter=2026-11-01T12%3A00%3A00.000Z");
    left = 1; /* stops at the first: the second page is not asked for */
    CHECK(bedrock_list_jobs(f.client, &(struct bedrock_list){ 0 }, count_jobs, &left, &f.err));
    check_request(&f, 3, "GET", "/model-invocation-jobs?maxResults=1000&sortBy=CreationTime&sortOrder=Descending");
    CHECK_I64(http_script_count(f.script), 4);
}

static void list_loop(void)
{
    static const struct http_answer answers[] = { { .status = 200, .body = "{\"nextToken\":\"same\"}" } };
    AUTO(fixture_done) struct fixture f = { 0 };
    int left = 100;

    if (!fixture_start(&f, answers, 1))
        return;
    CHECK(!bedrock_list_jobs(f.client, &(struct bedrock_list){ 0 }, count_jobs, &left, &f.err));
    CHECK_I64(f.err.kind, ERR_UPSTREAM);
    CHECK_I64(http_script_count(f.script), 2);
}

static void find(void)
{
    static const struct http_answer answers[] = {
        { .status = 200,
          .body = "{\"invocationJobSummaries\":[" SUMMARY(JOB_A, "other") "," SUMMARY(JOB_B, "token-1") "]}" },
        { .status = 200, .body = "{\"invocationJobSummaries\":[" SUMMARY(JOB_A, "other") "]}" },
    };
    AUTO(fixture_done) struct fixture f = { 0 };
    struct bedrock_job job = { 0 };
    bool found = false;

    if (!fixture_start(&f, answers, 2))
        return;
    CHECK(bedrock_find_job(f.client, "job-1", "token-1", 1793534400000, &job, &found, &f.err) && found);
    CHECK_TEXT(job.arn, JOB_B);
    check_request(&f, 0, "GET",
                  "/model-invocation-jobs?maxResults=1000&nameContains=job-1&sortBy=CreationTime&sortOrder=Descending"
                  "&submitTimeAfter=2026-11-01T11%3A55%3A00.000Z");
    CHECK(bedrock_find_job(f.client, "job-1", "token-1", 0, &job, &found, &f.err) && !found);
}

static void stop(void)
{
    static const struct http_answer answers[] = {
        { .status = 200, .body = "{}" },
        { .status = 400, .headers = TYPE("ConflictException"), .body = "{\"message\":\"already ended\"}" },
        { .status = 400, .headers = TYPE("ValidationException"), .body = "{\"message\":\"already ended\"}" },
    };
    AUTO(fixture_done) struct fixture f = { 0 };

    if (!fixture_start(&f, answers, COUNT_OF(answers)))
        return;
    CHECK(bedrock_stop_job(f.client, JOB_A, &f.err));
    check_request(&f, 0, "POST", PATH_A "/stop");
    check_body(&f, 0, "");
    CHECK(!bedrock_stop_job(f.client, JOB_A, &f.err));
    CHECK_I64(f.err.kind, ERR_CONFLICT);
    CHECK_TEXT(err_code_of(&f.err), "conflict");
    err_clear(&f.err);
    CHECK(!bedrock_stop_job(f.client, JOB_A, &f.err));
    CHECK_I64(f.err.kind, ERR_INPUT);
}

static void statuses(void)
{
    static const char *const open[] = {
        "Submitted", "Validating", "Scheduled", "InProgress", "Stopping", "Invented", ""
    };
    static const char *const ended[] = { "Completed", "PartiallyCompleted", "Failed", "Stopped", "Expired" };

    for (size_t i = 0; i < COUNT_OF(open); i++)
        CHECK(!bedrock_status_is_terminal(open[i]));
    for (size_t i = 0; i < COUNT_OF(ended); i++)
        CHECK(bedrock_status_is_terminal(ended[i]));
}

/* Texts longer than our fields are cut at a character, not refused; a page with one bad job is refused whole. */
static void odd_answers(void)
{
    AUTO(buf_done) struct buf json = { 0 };
    AUTO(buf_done) struct buf token = { 0 };
    struct bedrock_job job;
    struct err err = { 0 };
    bool stopped = false;
    int left = 100;

    buf_init(&json, 1 << 16);
    buf_init(&token, 1 << 16);
    buf_text(&json, "{\"jobArn\":\"" JOB_A "\",\"status\":\"");
    for (int i = 0; i < 40; i++)
        buf_text(&json, "\xc3\xa9");
    buf_text(&json, "\"}");
    CHECK(bedrock_read_job(buf_view(&json), &job, &err));
    CHECK_I64(strlen(job.status), 30);
    CHECK(!bedrock_read_page(SPAN_LIT("{\"invocationJobSummaries\":[" SUMMARY(JOB_A, "a") ",{}]}"), count_jobs, &left,
                             &token, &stopped, &err));
    CHECK_TEXT(err.code, "bad_json");
    CHECK(!bedrock_read_page(SPAN_LIT("{\"invocationJobSummaries\":{}}"), count_jobs, &left, &token, &stopped, NULL));
    CHECK(!bedrock_read_job(SPAN_LIT("{\"jobArn\":\"x\",\"jobArn\":\"x\"}"), &job, NULL));
}

static const struct test tests[] = {
    { "create", create },
    { "create_failures", create_failures },
    { "nothing_bad_is_sent", nothing_bad_is_sent },
    { "get", get },
    { "list", list },
    { "list_loop", list_loop },
    { "find", find },
    { "stop", stop },
    { "statuses", statuses },
    { "odd_answers", odd_answers },
};

TEST_MAIN("bedrock", tests)
