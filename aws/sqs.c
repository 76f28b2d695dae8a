#include "aws/sqs.h"

#include "server/base/json_writer.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum {
    MAX_URL_CHARS = 1024,
    MAX_BODY_BYTES = 64 * 1024,              /* of ten receipt handles and the queue's URL */
    MAX_ANSWER_BYTES = 11 * 2 * 1024 * 1024, /* ten messages of 1 MiB, whose JSON may double, and the rest */
    CALL_MS = 30 * 1000,
};

bool sqs_is_queue_url(struct span url)
{
    size_t scheme = span_starts(url, SPAN_LIT("https://")) ? 8 : span_starts(url, SPAN_LIT("http://")) ? 7 : 0;
    struct span rest = span_tail(url, scheme);
    size_t slash = span_find(rest, '/');

    if (!scheme || url.len > MAX_URL_CHARS || !slash || slash + 1 >= rest.len)
        return false;
    for (size_t i = 0; i < url.len; i++)
        if (url.ptr[i] <= ' ' || url.ptr[i] >= 127 || url.ptr[i] == '"' || url.ptr[i] == '\\')
            return false;
    return true;
}

void sqs_queue_arn(const char *queue_url, const char *partition, const char *region, char arn[SQS_ARN_SIZE])
{
    const char *path = strstr(queue_url, "://");
    const char *account = path ? strchr(path + 3, '/') : NULL;
    const char *name = account ? strchr(account + 1, '/') : NULL;
    int len = 0;

    arn[0] = '\0';
    if (!name || name - account != 13 || strspn(account + 1, "0123456789") != 12 || strchr(name + 1, '/') || !name[1])
        return;
    len = snprintf(arn, SQS_ARN_SIZE, "arn:%s:sqs:%s:%.12s:%s", partition, region, account + 1, name + 1);
    if (len >= SQS_ARN_SIZE)
        arn[0] = '\0';
}

void sqs_batch_done(struct sqs_batch *batch)
{
    json_decref(batch->document);
    *batch = (struct sqs_batch){ 0 };
}

static bool refuse(const char *operation, const char *why, struct err *err)
{
    err_set(err, ERR_UPSTREAM, true, HERE, "%s: the answer cannot be used: %s", operation, why);
    return err_code(err, "bad_json");
}

static bool call(struct aws_client *client, const char *operation, struct span target, struct span body,
                 int64_t timeout_ms, json_t **out, struct err *err)
{
    AUTO(aws_response_done) struct aws_response rs = { 0 };
    const struct aws_request rq = { .operation = operation,
                                    .service = AWS_SQS,
                                    .method = "POST",
                                    .path = SPAN_LIT("/"),
                                    .headers = { { "x-amz-target", target } },
                                    .header_count = 1,
                                    .body = body,
                                    .has_body = true,
                                    .content_type = "application/x-amz-json-1.0",
                                    .max_response_bytes = MAX_ANSWER_BYTES,
                                    .timeout_ms = timeout_ms };
    json_error_t why = { 0 };
    json_t *root;

    if (!aws_call(client, &rq, &rs, err))
        return false;
    root = json_loadb(rs.body.len ? rs.body.data : "", rs.body.len, JSON_REJECT_DUPLICATES, &why);
    if (json_is_object(root)) {
        *out = root;
        return true;
    }
    json_decref(root);
    return refuse(operation, root ? "it is no JSON object" : why.text, err);
}

static struct span text_of(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    return json_is_string(value) ? (struct span){ json_string_value(value), json_string_length(value) }
                                 : (struct span){ "", 0 };
}

bool sqs_receive(struct aws_client *client, const char *queue_url, int wait_s, struct sqs_batch *out, struct err *err)
{
    static const char operation[] = "SQS.ReceiveMessage";
    AUTO(buf_done) struct buf body = { .max = MAX_BODY_BYTES };
    struct json_writer w = json_writer_on(&body);
    json_t *root = NULL;
    const json_t *messages, *message;
    size_t i;

    *out = (struct sqs_batch){ 0 };
    json_begin_object(&w);
    json_put_text(&w, "QueueUrl", queue_url);
    json_put_i64(&w, "MaxNumberOfMessages", SQS_MAX_MESSAGES);
    json_put_i64(&w, "WaitTimeSeconds", wait_s);
    json_end_object(&w);
    if (!buf_check(&body, "a request for messages", err) ||
        !call(client, operation, SPAN_LIT("AmazonSQS.ReceiveMessage"), buf_view(&body),
              CALL_MS + (int64_t)wait_s * 1000, &root, err))
        return false;
    out->document = root;
    messages = json_object_get(root, "Messages"); /* absent where there are none */
    json_array_foreach(messages, i, message)
    {
        struct span receipt = text_of(message, "ReceiptHandle");

        if (!receipt.len || out->count == SQS_MAX_MESSAGES)
            return refuse(operation, "more messages than were asked for, or one without a ReceiptHandle", err);
        out->messages[out->count++] = (struct sqs_message){ text_of(message, "Body"), receipt };
    }
    return true;
}

static void write_entries(struct buf *out, const char *queue_url, const struct sqs_batch *batch)
{
    struct json_writer w = json_writer_on(out);
    char id[16];

    json_begin_object(&w);
    json_put_text(&w, "QueueUrl", queue_url);
    json_name(&w, "Entries");
    json_begin_array(&w);
    for (int i = 0; i < batch->count; i++) {
        (void)snprintf(id, sizeof id, "m%d", i);
        json_begin_object(&w);
        json_put_text(&w, "Id", id);
        json_put_span(&w, "ReceiptHandle", batch->messages[i].receipt);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_end_object(&w);
}

bool sqs_delete(struct aws_client *client, const char *queue_url, const struct sqs_batch *batch, int *kept,
                struct err *err)
{
    AUTO(buf_done) struct buf body = { .max = MAX_BODY_BYTES };
    json_t *root = NULL;

    *kept = 0;
    if (!batch->count)
        return true;
    write_entries(&body, queue_url, batch);
    if (!buf_check(&body, "a request to delete messages", err) ||
        !call(client, "SQS.DeleteMessageBatch", SPAN_LIT("AmazonSQS.DeleteMessageBatch"), buf_view(&body), CALL_MS,
              &root, err))
        return false;
    *kept = (int)json_array_size(json_object_get(root, "Failed"));
    json_decref(root);
    return true;
}
