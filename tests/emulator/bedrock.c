#include "tests/emulator/bedrock.h"

#include "server/base/clock.h"
#include "server/base/json_writer.h"
#include "server/base/text.h"
#include "tests/emulator/jobs.h"
#include "tests/emulator/runtime.h"
#include "tests/emulator/sessions.h"
#include "tests/emulator/store.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Not published for Bedrock; other AWS services allow five minutes. */
enum { WINDOW_MS = 5 * 60 * 1000 };

static const char path_job[] = "/model-invocation-job";
static const char path_jobs[] = "/model-invocation-jobs";

bool bedrock_is_for(const struct request *rq)
{
    if (rq->claim.present && rq->claim.service[0])
        return strcmp(rq->claim.service, "bedrock") == 0;
    return span_starts(rq->raw_path, SPAN_LIT("/model-invocation-job")) || runtime_is_for(rq);
}

/* /model-invocation-job/{one segment}[/stop] */
static bool take_identifier(struct request *rq, bool stop)
{
    struct span rest = span_tail(rq->raw_path, sizeof path_job);
    size_t slash = span_find(rest, '/');

    if (!span_starts(rq->raw_path, SPAN_LIT("/model-invocation-job/")) || slash == 0)
        return false;
    if (stop ? !span_eq_text(span_tail(rest, slash), "/stop") : slash != rest.len)
        return false;
    rq->key = request_decode(rq, span_head(rest, slash), false);
    return true;
}

void bedrock_route(struct request *rq)
{
    bool is_get = strcmp(rq->method, "GET") == 0;
    bool is_post = strcmp(rq->method, "POST") == 0;

    if (is_post && span_eq_text(rq->raw_path, path_job))
        rq->op = "Bedrock.CreateModelInvocationJob";
    else if (is_get && span_eq_text(rq->raw_path, path_jobs))
        rq->op = "Bedrock.ListModelInvocationJobs";
    else if (is_get && take_identifier(rq, false))
        rq->op = "Bedrock.GetModelInvocationJob";
    else if (is_post && take_identifier(rq, true))
        rq->op = "Bedrock.StopModelInvocationJob";
    else if (is_post && runtime_route(rq))
        rq->op = "BedrockRuntime.InvokeModel";
    else
        rq->op = "Bedrock.Unknown";
}

void bedrock_add_id(struct request *rq)
{
    reply_header_fmt(&rq->reply, "x-amzn-requestid", "%.8s-%.4s-%.4s-%.4s-%.12s", rq->id, rq->id + 8, rq->id + 12,
                     rq->id + 16, rq->id + 20);
    reply_header(&rq->reply, "Content-Type", "application/json");
}

static void error_text(struct request *rq, int status, const char *code, const char *message)
{
    struct json_writer w;

    reply_reset(&rq->reply);
    rq->reply.status = status;
    snprintf(rq->reply.code, sizeof rq->reply.code, "%s", code);
    bedrock_add_id(rq);
    /* the URL after the colon is what AWS really sends */
    reply_header_fmt(&rq->reply, "x-amzn-errortype", "%s:http://internal.amazon.com/coral/com.amazon.bedrock/", code);
    w = json_writer_on(&rq->reply.body);
    json_begin_object(&w);
    json_put_text(&w, "message", message);
    json_end_object(&w);
}

bool bedrock_error(struct request *rq, int status, const char *code, const char *fmt, ...)
{
    char message[1024];
    va_list args;

    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    error_text(rq, status, code, message);
    return false;
}

void bedrock_fault(struct emulator *emu, struct request *rq, const struct fault_action *fault)
{
    const char *code = fault->code[0]         ? fault->code
                       : fault->status == 429 ? "ThrottlingException"
                       : fault->status == 503 ? "ServiceUnavailableException"
                                              : "InternalServerException";

    (void)emu;
    error_text(rq, fault->status, code, fault->message[0] ? fault->message : "Emulated fault");
    if (fault->retry_after[0])
        reply_header(&rq->reply, "Retry-After", fault->retry_after);
}

static bool check_signature(struct emulator *emu, struct request *rq)
{
    const enum sig_result result = sessions_verify(emu, rq, WINDOW_MS);

    switch (result) {
    case SIG_OK:
        break;
    case SIG_MISSING:
        return bedrock_error(rq, 403, "MissingAuthenticationTokenException", "Missing Authentication Token");
    case SIG_MALFORMED:
        return bedrock_error(rq, 403, "IncompleteSignatureException", "%s", rq->claim.bad);
    case SIG_UNKNOWN_KEY:
    case SIG_BAD_TOKEN:
        return bedrock_error(rq, 403, "UnrecognizedClientException",
                             "The security token included in the request is invalid.");
    case SIG_EXPIRED_TOKEN:
        return bedrock_error(rq, 403, "ExpiredTokenException", "The security token included in the request is expired");
    case SIG_SKEWED:
    case SIG_EXPIRED_URL:
        return bedrock_error(rq, 403, "InvalidSignatureException", "Signature expired: %s is too far from our clock",
                             rq->claim.timestamp);
    case SIG_UNSIGNED_HEADER:
    case SIG_MISMATCH:
        return bedrock_error(
            rq, 403, "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided. Check your "
            "AWS Secret Access Key and signing method. Consult the service documentation for details.");
    }
    if (strcmp(rq->claim.region, emu->config.region) != 0)
        return bedrock_error(rq, 403, "InvalidSignatureException", "Credential should be scoped to a valid region.");
    return true;
}

static void put_counts(struct json_writer *w, const struct job_counts *c)
{
    json_put_i64(w, "totalRecordCount", c->total);
    json_put_i64(w, "processedRecordCount", c->processed);
    json_put_i64(w, "successRecordCount", c->success);
    json_put_i64(w, "errorRecordCount", c->error);
}

static void put_job(struct json_writer *w, struct job *job)
{
    struct job_view v;

    job_look(job, &v);
    json_begin_object(w);
    json_put_text(w, "jobArn", job->arn);
    json_put_text(w, "jobName", job->name);
    json_put_text(w, "modelId", job->model_id);
    if (job->token[0])
        json_put_text(w, "clientRequestToken", job->token);
    json_put_text(w, "roleArn", job->role_arn);
    json_put_text(w, "status", job_status_name(v.status));
    if (v.message[0])
        json_put_text(w, "message", v.message);
    json_put_time(w, "submitTime", job->submit_ms);
    json_put_time(w, "lastModifiedTime", v.modified_ms);
    if (v.ended_ms)
        json_put_time(w, "endTime", v.ended_ms);
    json_put_raw(w, "inputDataConfig", span_of(job->input_config));
    json_put_raw(w, "outputDataConfig", span_of(job->output_config));
    if (job->vpc_config)
        json_put_raw(w, "vpcConfig", span_of(job->vpc_config));
    json_put_i64(w, "timeoutDurationInHours", job->timeout_hours);
    json_put_time(w, "jobExpirationTime", job->submit_ms + job->timeout_hours * 3600000);
    json_put_text(w, "modelInvocationType", job->type);
    put_counts(w, &v.counts);
    json_end_object(w);
}

static bool check_place(struct emulator *emu, struct request *rq, const char *uri, const char *permission)
{
    struct job_place place;
    struct bucket_info info;

    if (!job_place_read(uri, &place) || !store_find_bucket(emu->store, span_of(place.bucket), &info) || info.denied ||
        strcmp(info.region, emu->config.region) != 0)
        return bedrock_error(rq, 400, "ValidationException", "Could not validate %s permissions for S3URI %s",
                             permission, uri);
    return true;
}

static void create(struct emulator *emu, struct request *rq, json_t *json)
{
    struct job_request wanted;
    struct job *job = NULL;
    struct json_writer w;

    if (!bedrock_check_create(rq, json, &wanted) || !bedrock_check_batch_model(emu, rq, wanted.model_id) ||
        !check_place(emu, rq, wanted.input_uri, "ListBucket") || !check_place(emu, rq, wanted.output_uri, "PutObject"))
        return;
    if (emu->config.role_arn_prefix &&
        strncmp(wanted.role_arn, emu->config.role_arn_prefix, strlen(emu->config.role_arn_prefix)) != 0) {
        (void)bedrock_error(rq, 403, "AccessDeniedException",
                            "User is not authorized to perform: iam:PassRole on resource: %s", wanted.role_arn);
        return;
    }
    switch (jobs_create(emu->jobs, &wanted, &job)) {
    case JOBS_CREATED:
    case JOBS_REPEATED:
        break;
    case JOBS_NAME_TAKEN:
        (void)bedrock_error(rq, 400, "ConflictException", "The provided job name is currently in use");
        return;
    case JOBS_TOKEN_TAKEN:
        (void)bedrock_error(rq, 400, "ConflictException", "The clientRequestToken was used for another job");
        return;
    case JOBS_TOO_MANY:
        (void)bedrock_error(
            rq, 400, "ServiceQuotaExceededException",
            "The number of in-progress and submitted batch inference jobs for this model is at its limit: "
            "%" PRId64,
            emu->config.concurrent_jobs);
        return;
    }
    rq->reply.status = 200;
    bedrock_add_id(rq);
    w = json_writer_on(&rq->reply.body);
    json_begin_object(&w);
    json_put_text(&w, "jobArn", job->arn);
    json_end_object(&w);
}

static void create_from_body(struct emulator *emu, struct request *rq)
{
    json_error_t why;
    json_t *json = NULL;
    const char *type = request_header(rq, "content-type");

    if (!type || strncmp(type, "application/json", 16) != 0) {
        (void)bedrock_error(rq, 400, "ValidationException", "Content-Type must be application/json");
        return;
    }
    json = json_loadb(buf_cstr(&rq->body.memory), rq->body.memory.len, JSON_REJECT_DUPLICATES, &why);
    if (!json)
        (void)bedrock_error(rq, 400, "ValidationException", "The request body is not JSON: %s", why.text);
    else
        create(emu, rq, json);
    json_decref(json);
}

static void get_or_stop(struct emulator *emu, struct request *rq, bool stop)
{
    char *arn = request_copy(rq, rq->key);
    struct job *job = NULL;
    struct json_writer w = json_writer_on(&rq->reply.body);

    if (!bedrock_matches(PATTERN_ARN, arn)) {
        (void)bedrock_error(rq, 400, "ValidationException", "The provided ARN is invalid");
        return;
    }
    job = jobs_find(emu->jobs, arn);
    if (!job) {
        (void)bedrock_error(rq, 404, "ResourceNotFoundException", "The requested job %s was not found", arn);
        return;
    }
    if (stop && !job_stop(job)) {
        (void)bedrock_error(rq, 400, "ConflictException", "The job %s has ended and cannot be stopped", arn);
        return;
    }
    rq->reply.status = 200;
    bedrock_add_id(rq);
    if (!stop) {
        put_job(&w, job);
        return;
    }
    json_begin_object(&w);
    json_end_object(&w);
}

struct job_filter {
    struct span name, status;
    int64_t after_ms, before_ms; /* 0: none */
    int64_t max;
    int64_t from; /* number of the job to start at, 0: the first */
    bool ascending;
};

static bool read_time(struct request *rq, const char *name, int64_t *out)
{
    struct span value = request_param(rq, name);

    if (value.ptr && !clock_parse_rfc3339(value, out))
        return bedrock_error(rq, 400, "ValidationException", "%s is not a timestamp", name);
    return true;
}

static bool read_filter(struct request *rq, struct job_filter *f)
{
    struct span max = request_param(rq, "maxResults");
    struct span token = request_param(rq, "nextToken");
    struct span order = request_param(rq, "sortOrder");
    struct span sort = request_param(rq, "sortBy");

    *f = (struct job_filter){ .name = request_param(rq, "nameContains"), .status = request_param(rq, "statusEquals") };
    f->max = 100;
    f->ascending = order.ptr && span_eq_text(order, "Ascending");
    if (max.ptr && (!text_parse_i64(max, &f->max) || f->max < 1 || f->max > 1000))
        return bedrock_error(rq, 400, "ValidationException", "maxResults must be between 1 and 1000");
    if (f->name.ptr && (f->name.len > 63 || !bedrock_matches(PATTERN_JOB_NAME, request_copy(rq, f->name))))
        return bedrock_error(rq, 400, "ValidationException", "nameContains must satisfy regular expression pattern");
    if (order.ptr && !f->ascending && !span_eq_text(order, "Descending"))
        return bedrock_error(rq, 400, "ValidationException", "sortOrder must be Ascending or Descending");
    if (sort.ptr && !span_eq_text(sort, "CreationTime"))
        return bedrock_error(rq, 400, "ValidationException", "sortBy must be CreationTime");
    if (token.ptr && (!span_starts(token, SPAN_LIT("n+/=")) || !text_parse_i64(span_tail(token, 4), &f->from)))
        return bedrock_error(rq, 400, "ValidationException", "The provided nextToken is invalid");
    if (f->status.ptr) {
        enum job_status s = JOB_SUBMITTED;
        while (s <= JOB_EXPIRED && !span_eq_text(f->status, job_status_name(s)))
            s++;
        if (s > JOB_EXPIRED)
            return bedrock_error(rq, 400, "ValidationException", "statusEquals is not a status");
    }
    return read_time(rq, "submitTimeAfter", &f->after_ms) && read_time(rq, "submitTimeBefore", &f->before_ms);
}

static bool fits(const struct job_filter *f, struct job *job)
{
    struct job_view v;

    if (f->name.ptr && !emu_contains(span_of(job->name), f->name))
        return false;
    if ((f->after_ms && job->submit_ms <= f->after_ms) || (f->before_ms && job->submit_ms >= f->before_ms))
        return false;
    job_look(job, &v);
    return !f->status.ptr || span_eq_text(f->status, job_status_name(v.status));
}

static void list(struct emulator *emu, struct request *rq)
{
    struct job_filter f;
    struct json_writer w = json_writer_on(&rq->reply.body);
    int64_t shown = 0;
    int64_t count = 0;
    int64_t number = 0;
    struct job *job = NULL;

    if (!read_filter(rq, &f))
        return;
    rq->reply.status = 200;
    bedrock_add_id(rq);
    while (jobs_at(emu->jobs, (size_t)count))
        count++;
    json_begin_object(&w);
    json_name(&w, "invocationJobSummaries");
    json_begin_array(&w);
    number = f.from ? f.from : f.ascending ? 1 : count;
    for (; number >= 1 && (job = jobs_at(emu->jobs, (size_t)number - 1)) && shown < f.max;
         number += f.ascending ? 1 : -1)
        if (fits(&f, job)) {
            put_job(&w, job);
            shown++;
        }
    json_end_array(&w);
    if (shown == f.max && number >= 1 && number <= count) {
        char token[40];
        snprintf(token, sizeof token, "n+/=%" PRId64, number);
        json_put_text(&w, "nextToken", token);
    }
    json_end_object(&w);
}

void bedrock_handle(struct emulator *emu, struct request *rq)
{
    if (!rq->well_formed)
        (void)bedrock_error(rq, 400, "MalformedHttpRequestException", "The URI has a broken escape");
    else if (!check_signature(emu, rq))
        return;
    else if (strcmp(rq->op, "Bedrock.CreateModelInvocationJob") == 0)
        create_from_body(emu, rq);
    else if (strcmp(rq->op, "Bedrock.GetModelInvocationJob") == 0)
        get_or_stop(emu, rq, false);
    else if (strcmp(rq->op, "Bedrock.StopModelInvocationJob") == 0)
        get_or_stop(emu, rq, true);
    else if (strcmp(rq->op, "Bedrock.ListModelInvocationJobs") == 0)
        list(emu, rq);
    else if (rq->model.len > 0)
        runtime_handle(emu, rq);
    else
        (void)bedrock_error(rq, 404, "UnknownOperationException", "There is no such operation");
}
