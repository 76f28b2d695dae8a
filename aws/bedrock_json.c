#include "aws/bedrock_json.h"

#include "aws/bedrock_check.h"
#include "server/base/clock.h"
#include "server/base/text.h"

#include <jansson.h>
#include <string.h>

static void json_free(json_t **root)
{
    json_decref(*root);
}

static bool refuse(const char *why, struct err *err)
{
    err_set(err, ERR_UPSTREAM, true, HERE, "Bedrock's answer cannot be used: %s", why);
    return err_code(err, "bad_json");
}

static json_t *load(struct span json, struct err *err)
{
    json_error_t why = { 0 };
    json_t *root = json_loadb(json.len ? json.ptr : "", json.len, JSON_REJECT_DUPLICATES, &why);

    if (json_is_object(root))
        return root;
    json_decref(root);
    (void)refuse(root ? "it is no JSON object" : why.text, err);
    return NULL;
}

static void take_text(const json_t *object, const char *name, char *out, size_t size)
{
    const json_t *value = json_object_get(object, name);
    struct span text = { "", 0 };

    if (json_is_string(value))
        text = text_utf8_head((struct span){ json_string_value(value), json_string_length(value) }, size - 1);
    text = span_head(text, span_find(text, '\0'));
    memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
}

static int64_t take_count(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    return json_is_integer(value) && json_integer_value(value) >= 0 ? json_integer_value(value) : -1;
}

/* ISO 8601, as the model says; seconds since 1970 would be the protocol's default. */
static int64_t take_time(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    int64_t ms = 0;

    if (json_is_string(value)) {
        struct span text = { json_string_value(value), json_string_length(value) };

        return clock_parse_rfc3339(text, &ms) ? ms : 0;
    }
    if (json_is_number(value) && json_number_value(value) > 0 && json_number_value(value) < 1e11)
        return (int64_t)(json_number_value(value) * 1000);
    return 0;
}

static bool take_arn(const json_t *object, char arn[BEDROCK_ARN_SIZE], struct err *err)
{
    const json_t *value = json_object_get(object, "jobArn");

    if (!json_is_string(value) ||
        !bedrock_is_job_arn((struct span){ json_string_value(value), json_string_length(value) }))
        return refuse("a job without a valid jobArn", err);
    take_text(object, "jobArn", arn, BEDROCK_ARN_SIZE);
    return true;
}

static bool take_job(const json_t *object, struct bedrock_job *out, struct err *err)
{
    const json_t *input = json_object_get(json_object_get(object, "inputDataConfig"), "s3InputDataConfig");
    const json_t *output = json_object_get(json_object_get(object, "outputDataConfig"), "s3OutputDataConfig");

    if (!take_arn(object, out->arn, err))
        return false;
    take_text(object, "jobName", out->name, sizeof(out->name));
    take_text(object, "clientRequestToken", out->client_token, sizeof(out->client_token));
    take_text(object, "status", out->status, sizeof(out->status));
    take_text(object, "message", out->message, sizeof(out->message));
    take_text(object, "modelId", out->model_id, sizeof(out->model_id));
    take_text(object, "roleArn", out->role_arn, sizeof(out->role_arn));
    take_text(input, "s3Uri", out->input_uri, sizeof(out->input_uri));
    take_text(output, "s3Uri", out->output_uri, sizeof(out->output_uri));
    out->submit_time_ms = take_time(object, "submitTime");
    out->last_modified_ms = take_time(object, "lastModifiedTime");
    out->end_time_ms = take_time(object, "endTime");
    out->expiration_ms = take_time(object, "jobExpirationTime");
    out->total = take_count(object, "totalRecordCount");
    out->processed = take_count(object, "processedRecordCount");
    out->succeeded = take_count(object, "successRecordCount");
    out->failed = take_count(object, "errorRecordCount");
    return true;
}

bool bedrock_read_created(struct span json, char arn[BEDROCK_ARN_SIZE], struct err *err)
{
    AUTO(json_free) json_t *root = load(json, err);

    return root && take_arn(root, arn, err);
}

bool bedrock_read_job(struct span json, struct bedrock_job *out, struct err *err)
{
    AUTO(json_free) json_t *root = load(json, err);
    struct bedrock_job job = { 0 };

    if (!root || !take_job(root, &job, err))
        return false;
    *out = job;
    return true;
}

bool bedrock_read_page(struct span json, bool (*each)(void *arg, const struct bedrock_job *job), void *arg,
                       struct buf *next_token, bool *stopped, struct err *err)
{
    AUTO(json_free) json_t *root = load(json, err);
    const json_t *list = NULL, *token = NULL, *entry = NULL;
    size_t i = 0;

    if (!root)
        return false;
    list = json_object_get(root, "invocationJobSummaries");
    if (list && !json_is_array(list) && !json_is_null(list))
        return refuse("invocationJobSummaries is no array", err);
    buf_reset(next_token);
    token = json_object_get(root, "nextToken");
    if (json_is_string(token))
        buf_add(next_token, json_string_value(token), json_string_length(token));
    if (!buf_check(next_token, "a page token", err))
        return false;
    *stopped = false;
    json_array_foreach((json_t *)list, i, entry)
    {
        struct bedrock_job job = { 0 };

        if (!take_job(entry, &job, err))
            return false;
        *stopped = !each(arg, &job);
        if (*stopped)
            return true;
    }
    return true;
}
