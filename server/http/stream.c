/* Long answers with back-pressure. The buffer is filled on a handler thread while the connection is suspended, and
 * emptied by the I/O thread while it is not: one side has it at any time. A client that does not read leaves the
 * connection waiting in epoll, with one full buffer and no thread. */
#include "server/http/internal.h"

#include "server/base/log.h"

#include <string.h>

/* False: the stream has failed, which is logged. */
static bool fill_once(struct request *rq, void *context, struct err *err)
{
    struct stream *s = &rq->reply.stream;

    s->sent = 0;
    if (!s->fill(s->state, context, &s->out, &s->end, err) || !buf_check(&s->out, "a piece of a stream", err))
        s->failed = true;
    return !s->failed;
}

void stream_start(struct request *rq, void *context)
{
    struct reply *rp = &rq->reply;
    struct err err = { 0 };

    if (!fill_once(rq, context, &err)) {
        reply_error(rq, rp, &err);
    } else if (rp->stream.end) {
        buf_done(&rp->body);
        rp->body = rp->stream.out;
        rp->stream.out = (struct buf){ 0 };
        stream_done(&rp->stream);
    } else {
        limits_begin_stream(rq);
    }
}

void stream_fill(struct request *rq, void *context)
{
    struct err err = { 0 };

    if (!caller_may_go_on(rq, context)) {
        rq->reply.stream.failed = true;
        log_warn("http.stream_cut", "sent_bytes=%llu cause='its key is no longer good'",
                 (unsigned long long)rq->sent_bytes);
    } else if (!fill_once(rq, context, &err)) {
        log_warn("http.stream_cut", "sent_bytes=%llu at=%s cause=%s", (unsigned long long)rq->sent_bytes,
                 err.where ? err.where : "unknown", LOGQ(err.what));
    }
}

ssize_t stream_read(void *cls, uint64_t pos, char *to, size_t max)
{
    struct request *rq = cls;
    struct stream *s = &rq->reply.stream;
    size_t have = s->out.len - s->sent;
    size_t n = have < max ? have : max;

    (void)pos;
    if (s->failed)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (have > 0) {
        memcpy(to, s->out.data + s->sent, n);
        s->sent += n;
        rq->sent_bytes += n;
        return (ssize_t)n;
    }
    if (s->end)
        return MHD_CONTENT_READER_END_OF_STREAM;
    buf_reset(&s->out);
    s->sent = 0;
    if (s->out.cap > STREAM_KEEP_BYTES)
        buf_done(&s->out);
    if (pool_submit(&rq->server->pool, rq, WORK_FILL) == POOL_TAKEN)
        return 0; /* suspended: we are called again after the fill */
    s->failed = true;
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

void stream_done(struct stream *s)
{
    if (s->free_state)
        s->free_state(s->state);
    buf_done(&s->out);
    *s = (struct stream){ 0 };
}
