#include "aws/bedrock.h"

#include "aws/bedrock_check.h"
#include "aws/bedrock_json.h"
#include "server/base/clock.h"
#include "server/base/json_writer.h"
#include "server/base/text.h"

#include <stdio.h>
#include <string.h>

enum {
    BODY_MAX_BYTES = 256 * 1024, /* 200 tags of 384 characters and the rest */
    PATH_MAX_BYTES = 2 * 1024,
    QUERY_MAX_BYTES = 16 * 1024,
    TOKEN_MAX_BYTES = 4 * 1024,
    LIST_MAX_BYTES = 16 * 1024 * 1024, /* 1,000 jobs whose texts are as long as they may be */
    CLOCK_DOUBT_MS = 5 * 60 * 1000,    /* by so much AWS's clock may be behind ours, generously */
};

static const char json_type[] = "application/json";

bool bedrock_status_is_terminal(const char *status)
{
    static const char *const terminal[] = { "Completed", "PartiallyCompleted", "Failed", "Stopped", "Expired" };

    for (size_t i = 0; i < sizeof(terminal) / sizeof(terminal[0]); i++)
        if (strcmp(status, terminal[i]) == 0)
            return true;
    return false;
}

const char *bedrock_job_id(const char *arn)
{
    const char *slash = strrchr(arn, '/');

    return slash ? slash + 1 : arn;
}

/* Bedrock has no error name of its own for a job name that is taken: ConflictException in one place, and
 * ValidationException, which means everything, in another. Only there must the words decide. */
static bool is_name_in_use(const struct err *cause)
{
    if (strcmp(cause->upstream_code, "ConflictException") == 0)
        return true;
    return strcmp(cause->upstream_code, "ValidationException") == 0 &&
           strcasestr(cause->upstream_message, "currently in use") != NULL;
}

/* Gives the failures that callers tell apart their kind and code; `create` as the words are ambiguous elsewhere. */
static bool give_up(struct err *cause, bool create, struct err *err)
{
    if (strcmp(cause->upstream_code, "ServiceQuotaExceededException") == 0) {
        (void)err_code(cause, "bedrock_quota");
    } else if (cause->kind == ERR_BUSY) {
        (void)err_code(cause, "bedrock_throttled");
    } else if (create && is_name_in_use(cause)) {
        cause->kind = ERR_CONFLICT;
        cause->retryable = false;
        (void)err_code(cause, "bedrock_name_in_use");
    } else if (strcmp(cause->upstream_code, "ConflictException") == 0) {
        cause->kind = ERR_CONFLICT;
    }
    if (err && err->kind == ERR_NONE)
        *err = *cause;
    return false;
}

static void put_text_if_any(struct json_writer *w, const char *name, const char *value)
{
    if (value && value[0])
        json_put_text(w, name, value);
}

static void put_tags(struct json_writer *w, const struct bedrock_create *rq)
{
    if (rq->tag_count == 0)
        return;
    json_name(w, "tags");
    json_begin_array(w);
    for (size_t i = 0; i < rq->tag_count; i++) {
        json_begin_object(w);
        json_put_text(w, "key", rq->tags[i].key);
        json_put_text(w, "value", rq->tags[i].value ? rq->tags[i].value : "");
        json_end_object(w);
    }
    json_end_array(w);
}

static void build_create(struct buf *out, const struct bedrock_create *rq)
{
    struct json_writer w = json_writer_on(out);

    json_begin_object(&w);
    json_put_text(&w, "jobName", rq->job_name);
    json_put_text(&w, "clientRequestToken", rq->client_token);
    json_put_text(&w, "roleArn", rq->role_arn);
    json_put_text(&w, "modelId", rq->model_id);
    json_name(&w, "inputDataConfig");
    json_begin_object(&w);
    json_name(&w, "s3InputDataConfig");
    json_begin_object(&w);
    json_put_text(&w, "s3InputFormat", "JSONL");
    json_put_text(&w, "s3Uri", rq->input_uri);
    put_text_if_any(&w, "s3BucketOwner", rq->input_owner);
    json_end_object(&w);
    json_end_object(&w);
    json_name(&w, "outputDataConfig");
    json_begin_object(&w);
    json_name(&w, "s3OutputDataConfig");
    json_begin_object(&w);
    json_put_text(&w, "s3Uri", rq->output_uri);
    put_text_if_any(&w, "s3BucketOwner", rq->output_owner);
    put_text_if_any(&w, "s3EncryptionKeyId", rq->output_kms_key);
    json_end_object(&w);
    json_end_object(&w);
    if (rq->timeout_hours > 0)
        json_put_i64(&w, "timeoutDurationInHours", rq->timeout_hours);
    put_tags(&w, rq);
    json_end_object(&w);
}

bool bedrock_create_job(struct aws_client *client, const struct bedrock_create *rq, char arn[BEDROCK_ARN_SIZE],
                        struct err *err)
{
    AUTO(buf_done) struct buf body = { 0 };
    AUTO(aws_response_done) struct aws_response rs = { 0 };
    struct aws_request call = { .operation = "Bedrock.CreateModelInvocationJob", .service = AWS_BEDROCK };
    struct err cause = { 0 };

    if (!bedrock_check_create(rq, err))
        return false;
    buf_init(&body, BODY_MAX_BYTES);
    build_create(&body, rq);
    if (!buf_check(&body, "a request to create a job", err))
        return false;
    call.method = "POST";
    call.path = SPAN_LIT("/model-invocation-job");
    call.body = buf_view(&body);
    call.has_body = true;
    call.content_type = json_type;
    call.send_once = true; /* a job costs money: whoever calls looks it up before sending again */
    if (!aws_call(client, &call, &rs, &cause))
        return give_up(&cause, true, err);
    return bedrock_read_created(buf_view(&rs.body), arn, err);
}

/* "/model-invocation-job/" and the ARN as one segment. */
static bool job_path(const char *arn, const char *tail, struct buf *out, struct err *err)
{
    if (!bedrock_is_job_arn(span_of(arn))) {
        err_set(err, ERR_INPUT, false, HERE, "'%.120s' is not the ARN of a model invocation job", arn);
        return err_code(err, "bad_request_field");
    }
    buf_init(out, PATH_MAX_BYTES);
    buf_text(out, "/model-invocation-job/");
    text_percent_encode(out, span_of(arn), false);
    buf_text(out, tail);
    return buf_check(out, "a job's path", err);
}

bool bedrock_get_job(struct aws_client *client, const char *arn, struct bedrock_job *out, struct err *err)
{
    AUTO(buf_done) struct buf path = { 0 };
    AUTO(aws_response_done) struct aws_response rs = { 0 };
    struct aws_request call = { .operation = "Bedrock.GetModelInvocationJob", .service = AWS_BEDROCK, .method = "GET" };
    struct err cause = { 0 };

    if (!job_path(arn, "", &path, err))
        return false;
    call.path = buf_view(&path);
    if (!aws_call(client, &call, &rs, &cause))
        return give_up(&cause, false, err);
    return bedrock_read_job(buf_view(&rs.body), out, err);
}

bool bedrock_stop_job(struct aws_client *client, const char *arn, struct err *err)
{
    AUTO(buf_done) struct buf path = { 0 };
    AUTO(aws_response_done) struct aws_response rs = { 0 };
    struct aws_request call = { .operation = "Bedrock.StopModelInvocationJob",
                                .service = AWS_BEDROCK,
                                .method = "POST" };
    struct err cause = { 0 };

    if (!job_path(arn, "/stop", &path, err))
        return false;
    call.path = buf_view(&path);
    call.has_body = true;
    call.content_type = json_type;
    return aws_call(client, &call, &rs, &cause) || give_up(&cause, false, err);
}

static void param(struct buf *query, const char *name, struct span value)
{
    if (query->len > 0)
        buf_char(query, '&');
    buf_text(query, name);
    buf_char(query, '=');
    text_percent_encode(query, value, false);
}

/* In byte order of the names: the query is signed as it is. */
static void build_list_query(struct buf *query, const struct bedrock_list *rq, struct span token)
{
    char number[16], time[CLOCK_RFC3339_SIZE];

    (void)snprintf(number, sizeof(number), "%d", rq->max_results > 0 ? rq->max_results : 1000);
    buf_reset(query);
    param(query, "maxResults", span_of(number));
    if (rq->name_contains && rq->name_contains[0])
        param(query, "nameContains", span_of(rq->name_contains));
    if (token.len > 0)
        param(query, "nextToken", token);
    param(query, "sortBy", SPAN_LIT("CreationTime"));
    param(query, "sortOrder", SPAN_LIT("Descending"));
    if (rq->status_equals && rq->status_equals[0])
        param(query, "statusEquals", span_of(rq->status_equals));
    if (rq->submitted_after_ms > 0) {
        clock_rfc3339(rq->submitted_after_ms, time);
        param(query, "submitTimeAfter", span_of(time));
    }
}

/* One page, and the token of the next. */
static bool list_page(struct aws_client *client, struct span query,
                      bool (*each)(void *arg, const struct bedrock_job *job), void *arg, struct buf *next,
                      bool *stopped, struct err *err)
{
    AUTO(aws_response_done) struct aws_response rs = { 0 };
    struct aws_request call = { .operation = "Bedrock.ListModelInvocationJobs",
                                .service = AWS_BEDROCK,
                                .method = "GET" };
    struct err cause = { 0 };

    call.path = SPAN_LIT("/model-invocation-jobs");
    call.query = query;
    call.max_response_bytes = LIST_MAX_BYTES;
    if (!aws_call(client, &call, &rs, &cause))
        return give_up(&cause, false, err);
    return bedrock_read_page(buf_view(&rs.body), each, arg, next, stopped, err);
}

bool bedrock_list_jobs(struct aws_client *client, const struct bedrock_list *rq,
                       bool (*each)(void *arg, const struct bedrock_job *job), void *arg, struct err *err)
{
    AUTO(buf_done) struct buf query = { 0 };
    AUTO(buf_done) struct buf token = { 0 };
    AUTO(buf_done) struct buf next = { 0 };
    bool stopped = false;

    buf_init(&query, QUERY_MAX_BYTES);
    buf_init(&token, TOKEN_MAX_BYTES);
    buf_init(&next, TOKEN_MAX_BYTES);
    for (;;) {
        build_list_query(&query, rq, buf_view(&token));
        if (!buf_check(&query, "a query for jobs", err) ||
            !list_page(client, buf_view(&query), each, arg, &next, &stopped, err))
            return false;
        if (stopped || next.len == 0)
            return true;
        if (span_eq(buf_view(&next), buf_view(&token)))
            return err_set(err, ERR_UPSTREAM, false, HERE, "Bedrock sent the same page token twice");
        buf_reset(&token);
        buf_span(&token, buf_view(&next));
        if (!buf_check(&token, "a page token", err))
            return false;
    }
}

struct search {
    const char *client_token;
    struct bedrock_job *out;
    bool found;
};

static bool match(void *arg, const struct bedrock_job *job)
{
    struct search *s = arg;

    if (strcmp(job->client_token, s->client_token) != 0)
        return true;
    *s->out = *job;
    s->found = true;
    return false;
}

bool bedrock_find_job(struct aws_client *client, const char *job_name, const char *client_token,
                      int64_t submitted_after_ms, struct bedrock_job *out, bool *found, struct err *err)
{
    struct search search = { .client_token = client_token, .out = out };
    const struct bedrock_list rq = {
        .name_contains = job_name,
        .submitted_after_ms = submitted_after_ms > CLOCK_DOUBT_MS ? submitted_after_ms - CLOCK_DOUBT_MS : 0,
    };

    if (!bedrock_is_job_name(span_of(job_name)) || !bedrock_is_token(span_of(client_token))) {
        err_set(err, ERR_INPUT, false, HERE, "'%.63s' is no job name, or its token is none", job_name);
        return err_code(err, "bad_request_field");
    }
    if (!bedrock_list_jobs(client, &rq, match, &search, err))
        return false;
    *found = search.found;
    return true;
}
