/* The catalogue of causes: every failure that we or Bedrock can state has its cause, remedy and verdict on a retry. */
#include "aws/cure.h"
#include "server/base/attr.h"
#include "server/work/causes.h"
#include "tests/support/test.h"

#include <ctype.h>
#include <curl/curl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *reason;
    int64_t error_code;
    bool retryable;
    const char *message;
    const char *cause;
    enum cause_retry retry;
} failures[] = {
    { "source_vanished", 0, false, "", "source_vanished", CAUSE_RETRY_AFTER_CURE },
    { "source_changed", 0, false, "", "source_changed", CAUSE_RETRY_AFTER_CURE },
    { "source_archived", 0, false, "", "source_archived", CAUSE_RETRY_AFTER_CURE },
    { "source_denied", 0, false, "", "source_denied", CAUSE_RETRY_AFTER_CURE },
    { "source_refused", 0, false, "S3 refuses to copy this video: InvalidRequest: x", "source_refused",
      CAUSE_RETRY_AFTER_CURE },
    { "cancelled", 0, false, "the job was cancelled", "cancelled", CAUSE_RETRY_YES },
    { "expired", 0, false, "", "expired", CAUSE_RETRY_YES },
    { "not_ingested", 0, false, "", "not_ingested", CAUSE_RETRY_NO },
    { "content_filtered", 0, false, "", "content_filtered", CAUSE_RETRY_NO },
    { "guardrail_intervened", 0, false, "", "guardrail_intervened", CAUSE_RETRY_NO },
    { "max_tokens", 0, false, "", "max_tokens", CAUSE_RETRY_NO },
    { "malformed_model_output", 0, false, "", "malformed_model_output", CAUSE_RETRY_YES },
    { "empty_answer", 0, false, "", "empty_answer", CAUSE_RETRY_YES },
    /* Bedrock's words, as users of the real service met them */
    { "bedrock", 400, false, "Provided S3 URI is invalid", "key_refused", CAUSE_RETRY_AFTER_CURE },
    { "bedrock", 400, false,
      "The S3 resource locations in your prompt do not match the folder prefix specified in CreateModelInvocationJob. "
      "x",
      "outside_folder", CAUSE_RETRY_AFTER_CURE },
    { "bedrock", 400, false, "Blocked. Please adjust your input video to submit a new request.", "input_refused",
      CAUSE_RETRY_NO },
    { "bedrock", 400, true, "Please adjust your input text", "input_refused", CAUSE_RETRY_NO },
    { "bedrock", 429, true, "Too many requests", "throttled", CAUSE_RETRY_YES },
    { "bedrock", 400, false, "ThrottlingException: slow down", "throttled", CAUSE_RETRY_YES },
    { "bedrock", 500, true, "Internal", "model_unavailable", CAUSE_RETRY_YES },
    { "bedrock", 503, false, "", "model_unavailable", CAUSE_RETRY_YES },
    { "bedrock", 599, false, "", "model_unavailable", CAUSE_RETRY_YES },
    { "bedrock", 424, false, "model error", "model_unavailable", CAUSE_RETRY_YES },
    { "bedrock", 400, true, "something else", "bedrock_retryable", CAUSE_RETRY_YES },
    { "bedrock", 408, false, "", "model_timeout", CAUSE_RETRY_YES },
    { "bedrock", 403, false, "AccessDenied", "model_denied", CAUSE_RETRY_AFTER_CURE },
    { "bedrock", 404, false, "", "not_found_by_model", CAUSE_RETRY_AFTER_CURE },
    { "bedrock", 400, false, "The provided S3 object does not exist or could not be read.", "source_unreadable",
      CAUSE_RETRY_AFTER_CURE },
    { "bedrock", 400, false, "Malformed input request", "request_refused", CAUSE_RETRY_NO },
    { "bedrock", 499, false, "", "request_refused", CAUSE_RETRY_NO },
    { "bedrock", 600, false, "", "error_unknown", CAUSE_RETRY_YES },
    { "bedrock", 0, false, "", "error_unknown", CAUSE_RETRY_YES },
    { "bedrock", -400, false, "", "error_unknown", CAUSE_RETRY_YES },
    /* records of whole Bedrock jobs */
    { "no_result", 0, false, "Bedrock completed the job, but its output has no line for this record", "no_result",
      CAUSE_RETRY_YES },
    { "no_result", 0, false,
      "Bedrock ended the job as Failed: Batch job contains less records (3) than the required minimum of: 100",
      "below_minimum", CAUSE_RETRY_AFTER_CURE },
    { "no_result", 0, false, "Bedrock ended the job as Failed: Customer doesn't have permissions to invokeModel",
      "role_may_not_invoke", CAUSE_RETRY_AFTER_CURE },
    { "not_submitted", 0, false, "the shard was not submitted: Could not validate GetObject permissions to access x",
      "role_may_not_read", CAUSE_RETRY_AFTER_CURE },
    { "not_submitted", 0, false, "Could not validate ListBucket permissions for S3URI", "role_may_not_list",
      CAUSE_RETRY_AFTER_CURE },
    { "not_submitted", 0, false, "Could not assume provided IAM role", "role_not_assumed", CAUSE_RETRY_AFTER_CURE },
    { "not_submitted", 0, false, "User is not authorized to perform: iam:PassRole on x", "role_not_passed",
      CAUSE_RETRY_AFTER_CURE },
    { "not_submitted", 0, false, "Batch inference is not supported for model amazon.nova-lite-v1:0 in region us-west-2",
      "model_not_here", CAUSE_RETRY_AFTER_CURE },
    { "not_submitted", 0, false, "The provided model identifier is invalid", "model_unknown", CAUSE_RETRY_AFTER_CURE },
    { "not_submitted", 0, false, "This Model is marked by provider as Legacy", "model_legacy", CAUSE_RETRY_AFTER_CURE },
    { "not_submitted", 0, false,
      "only 3 of 100 videos were still there unchanged when they were staged, fewer than the 100", "too_few_staged",
      CAUSE_RETRY_AFTER_CURE },
    { "not_submitted", 0, false,
      "User: x is not authorized to perform: bedrock:CreateModelInvocationJob on resource: y", "service_may_not_create",
      CAUSE_RETRY_AFTER_CURE },
    { "not_submitted", 0, false, "not authorized to perform: bedrock:TagResource on resource: y", "service_may_not_tag",
      CAUSE_RETRY_AFTER_CURE },
    { "not_submitted", 0, false, "not authorized to perform: bedrock:InvokeModel on resource: y",
      "service_may_not_invoke", CAUSE_RETRY_AFTER_CURE },
    { "not_submitted", 0, false, "You don't have access to the model with the specified model ID.",
      "model_access_denied", CAUSE_RETRY_AFTER_CURE },
    { "no_result", 0, false, "Bedrock ended the job as Failed: Could not validate PutObject permissions",
      "role_not_checked", CAUSE_RETRY_AFTER_CURE },
    { "not_submitted", 0, false, "not authorized to perform: sts:AssumeRole on resource: y", "role_not_assumed",
      CAUSE_RETRY_AFTER_CURE },
    { "not_submitted", 0, false,
      "Invocation of model ID amazon.nova-pro-v1:0 with on-demand throughput isn't supported", "model_not_here",
      CAUSE_RETRY_AFTER_CURE },
    { "not_submitted", 0, false, "The provided job name is currently in use", "job_name_in_use", CAUSE_RETRY_YES },
    { "not_submitted", 0, false, "The provided ARN is invalid", "job_arn_refused", CAUSE_RETRY_AFTER_CURE },
    { "no_result", 0, false, "Bedrock ended the job as Expired: x", "job_expired", CAUSE_RETRY_YES },
    { "no_result", 0, false, "Bedrock ended the job as PartiallyCompleted", "job_out_of_time", CAUSE_RETRY_YES },
    { "no_result", 0, false, "Bedrock ended the job as Stopped", "job_stopped", CAUSE_RETRY_YES },
    { "no_result", 0, false, "Bedrock ended the job as NotFound", "job_lost", CAUSE_RETRY_YES },
    { "no_result", 0, false, "Bedrock ended the job as Failed: new words", "job_failed", CAUSE_RETRY_AFTER_CURE },
    { "not_submitted", 0, false, "new words", "not_submitted", CAUSE_RETRY_AFTER_CURE },
    /* what nobody foresaw; words of other kinds are no reasons of records */
    { "too_large", 0, false, "", "unknown", CAUSE_RETRY_YES },
    { "throttled", 429, false, "", "unknown", CAUSE_RETRY_YES },
    { "", 0, false, "", "unknown", CAUSE_RETRY_YES },
    { NULL, 0, false, "", "unknown", CAUSE_RETRY_YES },
};

static void every_failure_has_its_cause(void)
{
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        const struct cause *cause = cause_of_failure(failures[i].reason, failures[i].error_code, failures[i].retryable,
                                                     span_of(failures[i].message));

        test_case("%s %d '%s'", failures[i].reason ? failures[i].reason : "NULL", (int)failures[i].error_code,
                  failures[i].message);
        CHECK_TEXT(cause->code, failures[i].cause);
        CHECK(cause->retry == failures[i].retry);
    }
    test_case(NULL);
}

/* What aws/cure.c says of our own calls has a cause here too, by its very words. */
static void own_calls_have_their_causes(void)
{
    static const struct {
        const char *code;
        int status, transport;
        const char *cause;
    } rows[] = {
        { "AccessDenied", 403, 0, "service_denied" },
        { "NoSuchBucket", 404, 0, "bucket_missing" },
        { "PermanentRedirect", 301, 0, "bucket_elsewhere" },
        { "TemporaryRedirect", 307, 0, "bucket_elsewhere" },
        { "ExpiredToken", 400, 0, "credentials_expired" },
        { "SignatureDoesNotMatch", 403, 0, "credentials_refused" },
        { "InvalidAccessKeyId", 403, 0, "credentials_refused" },
        { "RequestTimeTooSkewed", 403, 0, "clock_wrong" },
        { "", 0, CURLE_COULDNT_CONNECT, "aws_unreachable" },
        { "", 0, CURLE_COULDNT_RESOLVE_HOST, "aws_unreachable" },
        { "", 0, CURLE_OPERATION_TIMEDOUT, "aws_unreachable" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct err err = { .what = "S3.CopyObject b/k: no", .upstream_status = rows[i].status };

        err.transport = rows[i].transport;
        snprintf(err.upstream_code, sizeof err.upstream_code, "%s", rows[i].code);
        cure_add(&err, "S3.CopyObject");
        test_case("%s %d", rows[i].code, rows[i].transport);
        CHECK_TEXT(cause_of_failure("not_submitted", 0, false, span_of(err.what))->code, rows[i].cause);
    }
    test_case(NULL);
}

/* A refusal of Bedrock's gets its remedy, once, and what cannot be explained stays as it is. */
static void refusals_are_explained(void)
{
    struct err err = { .what =
                           "Create: AWS answered 400 ValidationException: The provided model identifier is invalid.",
                       .upstream_code = "ValidationException",
                       .upstream_message = "The provided model identifier is invalid.",
                       .upstream_status = 400 };
    struct err odd = { .what = "odd", .upstream_message = "odd", .upstream_status = 400 };
    struct err denied = { .what = "no",
                          .upstream_code = "AccessDeniedException",
                          .upstream_message = "not authorized to perform: iam:PassRole on resource: x",
                          .upstream_status = 403 };

    CHECK(!cause_explain(&err));
    CHECK_TEXT(err.what,
               "Create: AWS answered 400 ValidationException: The provided model identifier is invalid. Use a "
               "model or inference profile that exists in this Region.");
    CHECK(!cause_explain(&odd));
    CHECK_TEXT(odd.what, "odd");
    CHECK(!cause_explain(&denied)); /* aws/cure.c has said it */
    CHECK_TEXT(denied.what, "no");
    memset(err.what, 'x', sizeof err.what - 1);
    CHECK(!cause_explain(&err));
    CHECK(strlen(err.what) == sizeof err.what - 1 && strstr(err.what, "x. Use a model or inference profile"));
    CHECK(!cause_explain(NULL));
}

/* The words of the contract between plans, videos and this table. */
static void videos_have_their_words(void)
{
    static const char *const words[] = { "unsupported_format", "empty",       "too_large",  "archived",
                                         "not_a_video",        "vanished",    "changed",    "denied",
                                         "has_summary",        "in_progress", "not_failed", "hopeless",
                                         "over_shard_bytes" };

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        const struct cause *cause = cause_find(words[i]);

        test_case("%s", words[i]);
        CHECK(cause != NULL && cause->about == CAUSE_VIDEO);
    }
    test_case(NULL);
    CHECK(cause_find("no such cause") == NULL);
    CHECK(cause_find(NULL) == NULL);
}

static void stop_reasons(void)
{
    CHECK_TEXT(cause_of_empty_answer(SPAN_LIT("content_filtered"))->code, "content_filtered");
    CHECK_TEXT(cause_of_empty_answer(SPAN_LIT("end_turn"))->code, "empty_answer");
    CHECK_TEXT(cause_of_empty_answer((struct span){ NULL, 0 })->code, "empty_answer");
    CHECK_TEXT(cause_of_empty_answer(SPAN_LIT("too_large"))->code, "empty_answer");
}

/* Each row can be reached, explains itself in whole sentences, and has a pattern that the search can find. */
static void every_row_is_whole(void)
{
    size_t count;
    const struct cause *all = causes_all(&count);

    CHECK(count > 40);
    for (size_t i = 0; i < count; i++) {
        test_case("row %d: %s", (int)i, all[i].code);
        CHECK(span_ends(span_of(all[i].rule), SPAN_LIT(".")));
        CHECK(span_ends(span_of(all[i].remedy), SPAN_LIT(".")));
        CHECK(strchr(all[i].rule, '|') == NULL && strchr(all[i].remedy, '|') == NULL);
        CHECK(all[i].about != CAUSE_JOB || all[i].pattern != NULL);
        CHECK(cause_find(all[i].code)->retry == all[i].retry && cause_find(all[i].code)->about == all[i].about);
        for (const char *p = all[i].pattern; p && *p; p++)
            CHECK(!isupper((unsigned char)*p));
    }
    test_case(NULL);
}

static void sql_gets_the_same_choices(void)
{
    AUTO(buf_done) struct buf text = { .max = 65536 };
    json_t *rows = NULL;

    CHECK(causes_for_sql(&text));
    rows = json_loads(buf_cstr(&text), 0, NULL);
    if (!CHECK(json_is_array(rows)))
        return;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_t *row = json_array_get(rows, i);
        const char *code = json_string_value(json_object_get(row, "code"));
        const struct cause *cause = cause_find(code);

        test_case("%s", code);
        if (!CHECK(cause != NULL))
            continue;
        CHECK(cause->about != CAUSE_VIDEO);
        CHECK(json_is_true(json_object_get(row, "hopeless")) == (cause->retry == CAUSE_RETRY_NO));
    }
    test_case(NULL);
    json_decref(rows);
}

static const struct test tests[] = {
    { "every failure has its cause", every_failure_has_its_cause },
    { "own calls have their causes", own_calls_have_their_causes },
    { "refusals are explained", refusals_are_explained },
    { "videos have their words", videos_have_their_words },
    { "stop reasons", stop_reasons },
    { "every row is whole", every_row_is_whole },
    { "SQL gets the same choices", sql_gets_the_same_choices },
};
TEST_MAIN("causes", tests)
