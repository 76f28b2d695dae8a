#include "aws/bedrock_runtime.h"

#include "server/base/buf.h"
#include "server/base/text.h"

#include <string.h>

enum {
    PATH_MAX_BYTES = 8 * 1024, /* a model id has 2,048 characters at most */
    ANSWER_MAX_BYTES = 8 * 1024 * 1024,
};

struct invoking {
    const struct bedrock_invoke_many *many;
    struct span path;
    struct batch_output *reader;
};

static void reader_free(struct batch_output **reader)
{
    batch_output_free(*reader);
}

static bool next(void *arg, struct aws_request *rq, void **item)
{
    const struct invoking *v = arg;
    struct span body = { "", 0 };

    if (!v->many->next(v->many->arg, &body, item))
        return false;
    *rq = (struct aws_request){ .operation = "BedrockRuntime.InvokeModel",
                                .service = AWS_BEDROCK_RUNTIME,
                                .method = "POST",
                                .path = v->path,
                                .headers = { { "accept", SPAN_LIT("application/json") } },
                                .header_count = 1,
                                .body = body,
                                .has_body = true,
                                .content_type = "application/json",
                                .is_paid = true,
                                .max_response_bytes = ANSWER_MAX_BYTES,
                                .timeout_ms = v->many->timeout_ms };
    return true;
}

/* What the failure concerns, for those who must tell it apart. */
static void name_failure(struct err *cause)
{
    const char *said = cause->upstream_code;
    const int status = cause->upstream_status;

    if (cause->kind == ERR_BUSY) {
        (void)err_code(cause, "bedrock_throttled");
    } else if (cause->kind == ERR_TIMEOUT) {
        (void)err_code(cause, "bedrock_late");
    } else if (strcmp(said, "ModelErrorException") == 0 || strcmp(said, "ModelTimeoutException") == 0) {
        cause->kind = ERR_UPSTREAM;
        cause->retryable = true; /* another day the same video may go through */
        (void)err_code(cause, "bedrock_model");
    } else if (cause->kind == ERR_INPUT && (status == 400 || status == 408 || status == 413 || status == 422)) {
        (void)err_code(cause, "bedrock_refused");
    }
}

static bool done(void *arg, void *item, const struct aws_response *rs, const struct err *call_err, struct err *err)
{
    struct invoking *v = arg;
    struct batch_line answer;
    struct err cause = { 0 };

    if (call_err) {
        cause = *call_err;
        name_failure(&cause);
    } else if (batch_output_answer(v->reader, buf_view(&rs->body), &answer, &cause)) {
        return v->many->done(v->many->arg, item, &answer, NULL, err);
    }
    return v->many->done(v->many->arg, item, NULL, &cause, err);
}

bool bedrock_invoke(struct aws_client *client, const struct bedrock_invoke_many *many, struct err *err)
{
    AUTO(buf_done) struct buf path = { .max = PATH_MAX_BYTES };
    AUTO(reader_free) struct batch_output *reader = NULL;
    struct invoking v = { .many = many };
    const struct aws_many calls = { .next = next, .done = done, .arg = &v, .concurrency = many->concurrency };

    buf_text(&path, "/model/");
    text_percent_encode(&path, span_of(many->model_id), false);
    buf_text(&path, "/invoke");
    if (!buf_check(&path, "a model's path", err))
        return false;
    reader = batch_output_new(0, NULL, NULL, err);
    if (!reader)
        return false;
    v.path = buf_view(&path);
    v.reader = reader;
    return aws_call_many(client, &calls, err);
}
