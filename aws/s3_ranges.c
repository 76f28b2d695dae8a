#include "aws/s3_call.h"

#include "server/base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* One piece on its way. */
struct flight {
    struct s3_call call;
    char range[64];
    int64_t offset;
    size_t len;
    struct span etag;
    void *item; /* the caller's */
};

struct reading {
    const struct s3_range_many *many;
    struct err failure; /* of a piece that could not even be asked for, when the caller stopped for it */
    bool is_stopped;
};

static void flight_free(struct flight *f)
{
    if (!f)
        return;
    s3_call_done(&f->call);
    mem_free(f);
}

static bool flight_fill(struct flight *f, const struct s3_range *range, struct err *err)
{
    if (range->ref.key.len == 0 || range->offset < 0 || range->len == 0 || range->len > S3_RANGE_MAX_BYTES) {
        err_set(err, ERR_INPUT, false, HERE, "a piece of an object needs a key, a place, and 1 byte to 1 MiB");
        return s3_name_error(&range->ref, err);
    }
    if (!s3_call_init(&f->call, "S3.GetObjectRange", "GET", &range->ref, err))
        return false;
    f->offset = range->offset;
    f->len = range->len;
    f->etag = range->etag;
    (void)snprintf(f->range, sizeof(f->range), "bytes=%" PRId64 "-%" PRId64, range->offset,
                   range->offset + (int64_t)range->len - 1);
    s3_call_header(&f->call, "range", span_of(f->range));
    s3_call_header(&f->call, "if-match", range->etag);
    f->call.rq.max_response_bytes = range->len;
    f->call.rq.may_be_cut = true;
    return s3_call_ready(&f->call, err);
}

static struct flight *flight_new(const struct s3_range *range, void *item, struct err *err)
{
    struct flight *f = mem_alloc(1, sizeof(*f));

    if (!f) {
        err_memory(err, HERE);
        return NULL;
    }
    f->item = item;
    if (!flight_fill(f, range, err)) {
        flight_free(f);
        return NULL;
    }
    return f;
}

static bool next(void *arg, struct aws_request *rq, void **item)
{
    struct reading *r = arg;
    struct s3_range range = { 0 };
    void *users_item = NULL;

    while (!r->is_stopped && r->many->next(r->many->arg, &range, &users_item)) {
        struct err cause = { 0 };
        struct flight *f = flight_new(&range, users_item, &cause);

        if (f) {
            *rq = f->call.rq;
            *item = f;
            return true;
        }
        r->is_stopped = !r->many->done(r->many->arg, users_item, NULL, &cause, &r->failure);
        range = (struct s3_range){ 0 };
    }
    return false;
}

static bool refuse(const char *code, const char *why, struct err *err)
{
    err_set(err, ERR_UPSTREAM, false, HERE, "%s", why);
    return err_code(err, code);
}

static bool take(const struct flight *f, const struct aws_response *rs, struct s3_range_got *got, struct err *err)
{
    int64_t first = 0, size = 0;

    if (f->etag.len > 0 && rs->etag[0] && !span_eq_text(f->etag, rs->etag)) {
        err_set(err, ERR_CONFLICT, false, HERE, "it has ETag %s, not %.*s", rs->etag, SPAN_ARG(f->etag));
        return err_code(err, "object_changed");
    }
    if (rs->status == 206 && (!s3_parse_content_range(span_of(rs->content_range), &first, &size) || first != f->offset))
        return refuse("bad_range", "the server sent another piece of the object than was asked for", err);
    if (rs->status != 206 && f->offset > 0)
        return refuse("range_ignored", "the server sends whole objects only, not pieces", err);
    *got = (struct s3_range_got){ span_head(buf_view(&rs->body), f->len), rs->content_type };
    return true;
}

/* Behind the end of an object is nothing; that is an answer. */
static bool is_behind_end(const struct err *call_err)
{
    return call_err->upstream_status == 416 && strcmp(call_err->upstream_code, "InvalidRange") == 0;
}

static bool done(void *arg, void *item, const struct aws_response *rs, const struct err *call_err, struct err *err)
{
    struct reading *r = arg;
    struct flight *f = item;
    struct s3_range_got got = { { "", 0 }, "" };
    struct err cause = { 0 };
    bool ok = true, go_on = false;

    if (!call_err || call_err->kind == ERR_NONE) {
        ok = take(f, rs, &got, &cause);
    } else if (!is_behind_end(call_err)) {
        cause = *call_err;
        ok = false;
    }
    if (!ok)
        (void)s3_name_error(&f->call.ref, &cause);
    go_on = r->many->done(r->many->arg, f->item, ok ? &got : NULL, ok ? NULL : &cause, err);
    flight_free(f);
    return go_on;
}

bool s3_read_ranges(struct aws_client *client, const struct s3_range_many *many, struct err *err)
{
    struct reading reading = { .many = many };
    const struct aws_many calls = { .next = next, .done = done, .arg = &reading, .concurrency = many->concurrency };

    if (!aws_call_many(client, &calls, err))
        return false;
    if (!reading.is_stopped)
        return true;
    if (err && err->kind == ERR_NONE)
        *err = reading.failure;
    return false;
}
