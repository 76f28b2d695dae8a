/* Hands a finished reply to libmicrohttpd. */
#include "server/http/internal.h"

#include <string.h>

/* What is known only now that the reply is complete: it did not fit, or the client has it already. */
static void settle(struct request *rq)
{
    struct reply *rp = &rq->reply;

    if (!buf_ok(&rp->body) || !buf_ok(&rp->headers)) {
        buf_reset(&rp->headers);
        rp->has_cache_control = rp->has_policy = rp->has_referrer = false;
        problem_unavailable(rq, "out_of_memory", "The answer does not fit in the server's memory. Ask for less.");
    }
    if (rp->status == 200 && rp->etag[0] != '\0' && request_reads(rq) &&
        etag_listed(request_header_list(rq, "If-None-Match"), span_of(rp->etag)))
        rp->status = 304;
    /* A 304 keeps its body, which is not sent, so that Content-Length tells the size of what it stands for. */
    if (rp->status == 304 || rp->status == 204)
        stream_done(&rp->stream);
    if (rp->status == 204)
        buf_reset(&rp->body);
}

static struct MHD_Response *make_response(struct request *rq)
{
    struct reply *rp = &rq->reply;

    if (rp->stream.fill)
        return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK_BYTES, stream_read, rq, NULL);
    if (rp->static_bytes)
        return MHD_create_response_from_buffer(rp->static_len, (void *)rp->static_bytes, MHD_RESPMEM_PERSISTENT);
    /* Not given away: the request outlives the sending. */
    return MHD_create_response_from_buffer(rp->body.len, rp->body.len > 0 ? rp->body.data : (void *)"",
                                           MHD_RESPMEM_PERSISTENT);
}

static bool add(struct MHD_Response *response, const char *name, const char *value)
{
    return MHD_add_response_header(response, name, value) == MHD_YES;
}

static bool add_headers(struct request *rq, struct MHD_Response *response)
{
    struct reply *rp = &rq->reply;
    struct span rest = buf_view(&rp->headers);
    bool has_body = rp->stream.fill || rp->static_bytes || rp->body.len > 0;
    bool ok = add(response, "X-Request-Id", rq->id) && browser_add_headers(rq, response);

    if (has_body)
        ok = ok && add(response, "Content-Type", rp->type);
    if (!rp->has_cache_control)
        ok = ok && add(response, "Cache-Control", rp->etag[0] != '\0' ? "private, no-cache" : "no-store");
    if (rp->etag[0] != '\0')
        ok = ok && add(response, "ETag", rp->etag);
    if (rp->close || atomic_load(&rq->server->stopping))
        ok = ok && add(response, "Connection", "close");
    while (ok && rest.len > 0) {
        const char *name = rest.ptr;
        const char *value = name + strlen(name) + 1;

        ok = add(response, name, value);
        rest = span_tail(rest, strlen(name) + 1 + strlen(value) + 1);
    }
    return ok;
}

static void begin_stream(struct request *rq)
{
    rq->streaming = true;
    metrics_stream(&rq->server->metrics);
}

enum MHD_Result reply_send(struct request *rq)
{
    struct MHD_Response *response = NULL;
    enum MHD_Result result = MHD_NO;

    settle(rq);
    rq->phase = PHASE_SENDING;
    link_mark(rq->link, LINK_SENDING);
    response = make_response(rq);
    if (response && add_headers(rq, response)) {
        result = MHD_queue_response(rq->connection, (unsigned)rq->reply.status, response);
    } else {
        rq->reply.status = 503;
        stream_done(&rq->reply.stream);
        result = MHD_queue_response(rq->connection, 503, rq->server->exhausted);
    }
    if (response)
        MHD_destroy_response(response);
    if (result == MHD_YES && rq->reply.stream.fill)
        begin_stream(rq);
    return result;
}
