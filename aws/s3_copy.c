#include "aws/s3_call.h"

#include "server/base/mem.h"
#include "server/base/text.h"

enum { COPY_TIMEOUT_MS = 10 * 60 * 1000, SOURCE_MAX_BYTES = 64 + 1 + 3 * S3_KEY_MAX_BYTES };

/* One copy on its way. */
struct flight {
    struct s3_call call;
    struct buf source; /* x-amz-copy-source */
    void *item;        /* the caller's */
};

struct copying {
    const struct s3_copy_many *many;
    struct err failure; /* of a copy that could not even be prepared, when the caller stopped for it */
    bool is_stopped;
};

static void flight_free(struct flight *f)
{
    if (!f)
        return;
    s3_call_done(&f->call);
    buf_done(&f->source);
    mem_free(f);
}

static bool flight_fill(struct flight *f, const struct s3_copy *copy, struct err *err)
{
    buf_init(&f->source, SOURCE_MAX_BYTES);
    if (!s3_bucket_name_ok(copy->from.bucket) || copy->from.key.len == 0 || copy->from.key.len > S3_KEY_MAX_BYTES) {
        err_set(err, ERR_INPUT, false, HERE, "the source of a copy has no legal bucket and key");
        return s3_name_error(&copy->from, err);
    }
    if (!s3_call_init(&f->call, "S3.CopyObject", "PUT", &copy->to, err))
        return false;
    buf_span(&f->source, copy->from.bucket);
    buf_char(&f->source, '/');
    text_percent_encode(&f->source, copy->from.key, true);
    if (!buf_check(&f->source, "a copy's source", err))
        return false;
    s3_call_header(&f->call, "x-amz-copy-source", buf_view(&f->source));
    s3_call_header(&f->call, "x-amz-copy-source-if-match", copy->from_etag);
    s3_call_header(&f->call, "x-amz-metadata-directive", SPAN_LIT("REPLACE"));
    s3_call_header(&f->call, "x-amz-source-expected-bucket-owner", copy->from.owner);
    s3_call_body(&f->call, (struct span){ "", 0 }, copy->content_type);
    f->call.rq.error_in_200 = true; /* S3 says 200 before it has copied anything */
    f->call.rq.timeout_ms = COPY_TIMEOUT_MS;
    return s3_call_ready(&f->call, err);
}

static struct flight *flight_new(const struct s3_copy *copy, void *item, struct err *err)
{
    struct flight *f = mem_alloc(1, sizeof(*f));

    if (!f) {
        err_memory(err, HERE);
        return NULL;
    }
    f->item = item;
    if (!flight_fill(f, copy, err)) {
        flight_free(f);
        return NULL;
    }
    return f;
}

static bool next(void *arg, struct aws_request *rq, void **item)
{
    struct copying *c = arg;
    struct s3_copy copy = { 0 };
    void *users_item = NULL;

    while (!c->is_stopped && c->many->next(c->many->arg, &copy, &users_item)) {
        struct err cause = { 0 };
        struct flight *f = flight_new(&copy, users_item, &cause);

        if (f) {
            *rq = f->call.rq;
            *item = f;
            return true;
        }
        c->is_stopped = !c->many->done(c->many->arg, users_item, &cause, &c->failure);
        copy = (struct s3_copy){ 0 };
    }
    return false;
}

static bool done(void *arg, void *item, const struct aws_response *rs, const struct err *call_err, struct err *err)
{
    struct copying *c = arg;
    struct flight *f = item;
    struct err cause = { 0 };
    bool go_on = false;

    (void)rs;
    if (call_err && call_err->kind != ERR_NONE) {
        cause = *call_err;
        (void)s3_name_error(&f->call.ref, &cause);
    }
    go_on = c->many->done(c->many->arg, f->item, cause.kind != ERR_NONE ? &cause : NULL, err);
    flight_free(f);
    return go_on;
}

bool s3_copy_objects(struct aws_client *client, const struct s3_copy_many *many, struct err *err)
{
    struct copying copying = { .many = many };
    const struct aws_many calls = { .next = next, .done = done, .arg = &copying, .concurrency = many->concurrency };

    if (!aws_call_many(client, &calls, err))
        return false;
    if (!copying.is_stopped)
        return true;
    if (err && err->kind == ERR_NONE)
        *err = copying.failure;
    return false;
}
