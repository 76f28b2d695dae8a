/* One request from its first line to its end, as libmicrohttpd's callbacks see it: all on the I/O thread of its
 * connection. */
#include "server/http/internal.h"

#include "server/base/id.h"
#include "server/base/log.h"
#include "server/base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void *exchange_begin(void *cls, const char *uri, struct MHD_Connection *connection)
{
    (void)connection;
    return request_new(cls, uri);
}

/* ---- before the body ---- */

/* Bytes of body that the headers announce; INT64_MAX where they do not say how many (chunked). */
static int64_t announced_body(const struct request *rq)
{
    struct span length = rq_header(rq, "Content-Length");
    int64_t bytes = 0;

    if (rq_header(rq, "Transfer-Encoding").ptr)
        return INT64_MAX;
    if (!length.ptr)
        return 0;
    /* A length that is no number is refused before us; one that does not fit is too much in any case. */
    return text_parse_i64(length, &bytes) && bytes >= 0 ? bytes : INT64_MAX;
}

/* Could a proxy before us see the body end elsewhere? Then what follows it may be smuggled in. */
static bool is_ambiguous(struct request *rq)
{
    struct span length = rq_header(rq, "Content-Length");
    struct span encoding = rq_header(rq, "Transfer-Encoding");

    if (encoding.ptr)
        return length.ptr || !span_eq_nocase(request_header_list(rq, "Transfer-Encoding"), SPAN_LIT("chunked"));
    return length.ptr && request_header_list(rq, "Content-Length").len != length.len;
}

/* The reply is a refusal. A body that is on its way is read and dropped when it is small enough, because a connection
 * that is closed under a sending client loses the answer. A client that waits for 100 Continue gets the answer at once.
 */
static enum MHD_Result refuse_early(struct request *rq)
{
    int64_t bytes = announced_body(rq);
    bool chunked = bytes == INT64_MAX && rq_header(rq, "Transfer-Encoding").ptr;

    if (rq->reply.close || rq_header(rq, "Expect").ptr || (bytes > DRAIN_MAX_BYTES && !chunked)) {
        rq->reply.close = true;
        return reply_send(rq);
    }
    rq->phase = PHASE_DISCARD;
    return MHD_YES;
}

static size_t largest_body(const struct request *rq)
{
    size_t of_route = rq->match.route->max_body_bytes;
    size_t of_all = rq->server->limits.max_body_bytes;

    return of_all > 0 && of_all < of_route ? of_all : of_route;
}

static void refuse_too_large(struct request *rq)
{
    size_t limit = largest_body(rq);

    if (rq->match.route->max_body_bytes == 0)
        reply_problem(rq, &rq->reply, 413, "body_too_large", "%s %s takes no body.", rq->method, rq->target);
    else
        reply_problem(rq, &rq->reply, 413, "body_too_large", "The body may have at most %zu bytes.", limit);
}

/* True when a handler shall run; else the reply is there. */
static bool find_route(struct request *rq)
{
    struct http_server *server = rq->server;
    struct reply *rp = &rq->reply;
    struct buf allow = { 0 };
    struct err err = { 0 };

    if (!path_parse(span_of(rq->target), &rq->path, &err)) {
        reply_error(rq, rp, &err);
        return false;
    }
    router_find(server->routes, server->route_count, rq->method, &rq->path, &rq->match);
    if (rq->match.route)
        return true;
    if (rq->match.allowed == 0) {
        reply_problem(rq, rp, 404, "not_found", "There is nothing at this path.");
        return false;
    }
    buf_init(&allow, 0);
    router_allow(rq->match.allowed, &allow);
    if (strcmp(rq->method, "OPTIONS") == 0) {
        reply_status(rp, 204);
        browser_preflight(rq, buf_cstr(&allow));
    } else {
        reply_problem(rq, rp, 405, "method_not_allowed", "Allowed here: %s.", buf_cstr(&allow));
    }
    reply_header(rp, "Allow", buf_cstr(&allow));
    buf_done(&allow);
    return false;
}

/* True when the request may go on to its body. */
static bool accept_headers(struct request *rq)
{
    struct err err = { 0 };
    int64_t bytes = announced_body(rq);

    if (atomic_load(&rq->server->stopping)) {
        problem_unavailable(rq, "shutting_down", "The server is stopping. Try again.");
        return false;
    }
    if (is_ambiguous(rq)) {
        reply_problem(rq, &rq->reply, 400, "bad_framing",
                      "Send one Content-Length, or Transfer-Encoding: chunked without it.");
        rq->reply.close = true;
        return false;
    }
    if (!browser_accept(rq) || !find_route(rq) || !limits_accept(rq))
        return false;
    if (!query_parse(rq->raw_query, &rq->query, &err)) {
        reply_error(rq, &rq->reply, &err);
        return false;
    }
    buf_init(&rq->body, largest_body(rq));
    if (bytes == INT64_MAX && rq_header(rq, "Transfer-Encoding").ptr && largest_body(rq) > 0)
        return true; /* counted as it comes */
    if (bytes > 0 && (uint64_t)bytes > largest_body(rq)) {
        refuse_too_large(rq);
        return false;
    }
    return true;
}

/* NULL while there is no memory for it. */
static struct link *link_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info ? info->socket_context : NULL;
}

static enum MHD_Result on_headers(struct request *rq, struct MHD_Connection *connection, const char *method)
{
    rq->connection = connection;
    rq->link = link_of(connection);
    link_mark(rq->link, LINK_BODY);
    rq->counted = true;
    metrics_begin(&rq->server->metrics);
    (void)snprintf(rq->method, sizeof rq->method, "%s", method);
    request_name(rq);
    caller_note(rq);
    if (!accept_headers(rq))
        return refuse_early(rq);
    rq->phase = PHASE_BODY;
    return MHD_YES;
}

/* ---- the body ---- */

static void take_body(struct request *rq, const char *bytes, size_t len)
{
    if (len > largest_body(rq) - rq->body.len) {
        refuse_too_large(rq);
        rq->phase = PHASE_DISCARD;
        rq->dropped_bytes = rq->body.len + len;
        return;
    }
    if (!limits_hold_body(rq, len)) {
        problem_unavailable(rq, "overloaded", "Too many bodies are on their way. Try again.");
        rq->phase = PHASE_DISCARD;
        buf_done(&rq->body); /* this one makes room at once, though the rest of it is still to come */
        limits_let_go(rq);
        return;
    }
    buf_add(&rq->body, bytes, len);
    if (!buf_ok(&rq->body)) {
        problem_unavailable(rq, "out_of_memory", "The server is short of memory. Try again.");
        rq->phase = PHASE_DISCARD;
    }
}

static enum MHD_Result dispatch(struct request *rq)
{
    enum submitted how = POOL_TAKEN;

    if (rq->match.route->inline_reply) {
        pool_run_handler(rq, NULL);
        return reply_send(rq);
    }
    rq->phase = PHASE_HANDLING;
    link_mark(rq->link, LINK_HANDLING);
    how = pool_submit(&rq->server->pool, rq, WORK_HANDLER);
    if (how == POOL_TAKEN)
        return MHD_YES; /* it is the pool's now */
    if (how == POOL_FULL) {
        metrics_refused(&rq->server->metrics, HTTP_REFUSED_QUEUE);
        problem_unavailable(rq, "overloaded", "Too many requests are waiting. Try again.");
    } else {
        problem_unavailable(rq, "shutting_down", "The server is stopping. Try again.");
    }
    return reply_send(rq);
}

enum MHD_Result exchange_continue(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *upload_data, size_t *upload_data_size,
                                  void **con_cls)
{
    struct request *rq = *con_cls;
    size_t len = *upload_data_size;

    (void)cls;
    (void)url;
    (void)version;
    if (!rq)
        return MHD_NO; /* there was no memory for it */
    if (rq->phase == PHASE_NEW)
        return on_headers(rq, connection, method);
    *upload_data_size = 0;
    switch (rq->phase) {
    case PHASE_BODY:
        if (len == 0)
            return dispatch(rq);
        take_body(rq, upload_data, len);
        return MHD_YES;
    case PHASE_DISCARD:
        if (len == 0)
            return reply_send(rq);
        rq->dropped_bytes += len;
        return rq->dropped_bytes <= DRAIN_MAX_BYTES ? MHD_YES : MHD_NO;
    case PHASE_READY:
        return reply_send(rq);
    case PHASE_NEW:
    case PHASE_HANDLING:
    case PHASE_SENDING:
        break;
    }
    return MHD_YES;
}

/* ---- the end ---- */

static const char *how_it_ended(const struct request *rq, enum MHD_RequestTerminationCode toe)
{
    static const char *const cuts[HTTP_CUTS] = { "late_head", "idle", "late_body", "slow_reader" };
    int cut = rq->link ? atomic_load(&rq->link->cut) : 0;

    if (cut > 0)
        return cuts[cut - 1];
    switch (toe) {
    case MHD_REQUEST_TERMINATED_COMPLETED_OK:
        return "sent";
    case MHD_REQUEST_TERMINATED_TIMEOUT_REACHED:
        return "timeout";
    case MHD_REQUEST_TERMINATED_DAEMON_SHUTDOWN:
        return "shutdown";
    case MHD_REQUEST_TERMINATED_CLIENT_ABORT:
    case MHD_REQUEST_TERMINATED_READ_ERROR:
        return "client_gone";
    case MHD_REQUEST_TERMINATED_WITH_ERROR:
        break;
    }
    return "cut";
}

static uint64_t body_bytes(const struct request *rq, enum MHD_RequestTerminationCode toe)
{
    if (rq->streaming || toe != MHD_REQUEST_TERMINATED_COMPLETED_OK || rq->reply.status == 304 ||
        strcmp(rq->method, "HEAD") == 0)
        return rq->sent_bytes;
    return rq->reply.static_bytes ? rq->reply.static_len : rq->reply.body.len;
}

/* "-" where nobody was asked. */
static const char *key_of(const struct request *rq, char out[ID_SIZE])
{
    if (rq->caller.key_id == 0)
        return "-";
    id_format(ID_KEY, rq->caller.key_id, out);
    return out;
}

void exchange_end(void *cls, struct MHD_Connection *connection, void **con_cls, enum MHD_RequestTerminationCode toe)
{
    struct request *rq = *con_cls;
    int64_t took_us = 0;
    int status = 0;

    (void)cls;
    (void)connection;
    *con_cls = NULL;
    if (!rq)
        return;
    link_mark(rq->link, LINK_IDLE);
    if (rq->counted) {
        const char *path = rq->target;
        bool probe = strcmp(path, "/livez") == 0 || strcmp(path, "/readyz") == 0;
        char context[REQUEST_ID_BYTES + 16], key[ID_SIZE];

        took_us = metrics_now_us() - rq->started_us;
        status = rq->phase == PHASE_SENDING ? rq->reply.status : 0;
        (void)snprintf(context, sizeof context, "request=%s", rq->id);
        log_context(context);
        (probe ? log_debug : log_info)("http.request",
                                       "method=%s path=%s status=%d ms=%.3f bytes=%" PRIu64 " end=%s client=%s key=%s",
                                       LOGQ(rq->method), LOGQ(path), status, (double)took_us / 1000,
                                       body_bytes(rq, toe), how_it_ended(rq, toe), rq->address, key_of(rq, key));
        log_context(NULL);
        metrics_end(&rq->server->metrics, status, took_us, rq->streaming);
    }
    request_free(rq);
}
