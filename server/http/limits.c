/* How much outside may take: the limits that are asked about for each request. Those of connections are in daemon.c and
 * watch.c. */
#include "server/http/internal.h"

#include "server/base/clock.h"

#include <inttypes.h>
#include <stdio.h>

enum { KIB = 1024, HELD_BYTES = 64 << 20, BURST = 5 /* times the rate */ };

static int64_t or_else(int64_t asked, int64_t otherwise)
{
    return asked > 0 ? asked : otherwise;
}

struct http_limits limits_of(const struct http_limits *asked)
{
    struct http_limits l = *asked;

    l.max_connections = (int)or_else(l.max_connections, 1024);
    l.max_connections_per_address = (int)or_else(l.max_connections_per_address, 384);
    l.max_queue = (int)or_else(l.max_queue, 1024);
    l.max_held_bytes = or_else(l.max_held_bytes, HELD_BYTES);
    l.max_streams = (int)or_else(l.max_streams, 128);
    l.max_header_bytes = (size_t)or_else((int64_t)l.max_header_bytes, 16 * KIB);
    l.queue_timeout_ms = or_else(l.queue_timeout_ms, 10000);
    l.head_timeout_ms = or_else(l.head_timeout_ms, 10000);
    l.idle_timeout_ms = or_else(l.idle_timeout_ms, 30000);
    l.body_timeout_ms = or_else(l.body_timeout_ms, 30000);
    l.send_timeout_ms = or_else(l.send_timeout_ms, 60000);
    l.send_bytes_per_s = or_else(l.send_bytes_per_s, KIB);
    l.requests_burst = or_else(l.requests_burst, BURST * l.requests_per_s);
    return l;
}

static bool refuse(struct request *rq, enum http_refusal why, int64_t wait_s, const char *code, const char *detail)
{
    char text[24];

    metrics_refused(&rq->server->metrics, why);
    reply_problem(rq, &rq->reply, 429, code, "%s", detail);
    (void)snprintf(text, sizeof text, "%" PRId64, wait_s > 0 ? wait_s : 1);
    reply_header(&rq->reply, "Retry-After", text);
    return false;
}

bool limits_accept(struct request *rq)
{
    const struct http_server *server = rq->server;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(rq->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    int64_t wait_s = 0;

    if (info && info->header_size > server->limits.max_header_bytes) {
        reply_problem(rq, &rq->reply, 431, "headers_too_large",
                      "The request line and the headers may have at most %zu bytes together.",
                      server->limits.max_header_bytes);
        rq->reply.close = true;
        return false;
    }
    if (!server->authenticate || rq->match.route->access == ACCESS_PUBLIC || rq->sender.is_key ||
        tally_may_try(&rq->server->tally, rq->client, clock_mono_ms(), &wait_s))
        return true;
    return refuse(rq, HTTP_REFUSED_DENIED, wait_s, "too_many_denied",
                  "Too many requests without a valid key came from this address. Wait, and send a valid key.");
}

/* As draft-ietf-httpapi-ratelimit-headers-10 has them. */
static void add_fields(struct reply *rp, const struct quota *q)
{
    char text[100];

    (void)snprintf(text, sizeof text, "\"requests\";q=%" PRId64 ";w=%" PRId64, q->burst, q->window_s);
    reply_header(rp, "RateLimit-Policy", text);
    (void)snprintf(text, sizeof text, "\"requests\";r=%" PRId64 ";t=%" PRId64, q->left, q->full_in_s);
    reply_header(rp, "RateLimit", text);
}

bool limits_admit(struct request *rq)
{
    struct http_server *server = rq->server;
    struct quota q = { 0 };
    bool ok = false;

    if (server->limits.requests_per_s <= 0 || rq->match.route->access == ACCESS_PUBLIC)
        return true;
    ok = tally_request(&server->tally, rq->client, clock_mono_ms(), &q);
    add_fields(&rq->reply, &q);
    return ok ||
           refuse(rq, HTTP_REFUSED_RATE, q.wait_s, "rate_limited",
                  rq->client.is_key ? "This key sends requests faster than it may. Wait as Retry-After says."
                                    : "This address sends requests faster than it may. Wait as Retry-After says.");
}

/* First of what one client may have, so that nobody fills what all have. */
static bool hold(struct http_server *server, struct client_id who, size_t bytes)
{
    const int64_t now_ms = clock_mono_ms();
    bool held = tally_take(&server->tally, who, TALLY_HELD_BYTES, (int64_t)bytes, now_ms);

    if (held &&
        atomic_fetch_add(&server->held_bytes, (long long)bytes) + (long long)bytes > server->limits.max_held_bytes) {
        (void)atomic_fetch_sub(&server->held_bytes, (long long)bytes);
        tally_give(&server->tally, who, TALLY_HELD_BYTES, (int64_t)bytes, now_ms);
        held = false;
    }
    if (!held)
        metrics_refused(&server->metrics, HTTP_REFUSED_MEMORY);
    return held;
}

static void let_go(struct http_server *server, struct client_id who, size_t *bytes)
{
    if (*bytes == 0)
        return;
    (void)atomic_fetch_sub(&server->held_bytes, (long long)*bytes);
    tally_give(&server->tally, who, TALLY_HELD_BYTES, (int64_t)*bytes, clock_mono_ms());
    *bytes = 0;
}

bool limits_hold_body(struct request *rq, size_t bytes)
{
    if (!hold(rq->server, rq->from, bytes))
        return false;
    rq->body_bytes += bytes;
    return true;
}

bool limits_hold_answer(struct request *rq, size_t bytes)
{
    if (!hold(rq->server, rq->client, bytes))
        return false;
    rq->answer_bytes += bytes;
    return true;
}

void limits_let_go(struct request *rq)
{
    let_go(rq->server, rq->from, &rq->body_bytes);
    let_go(rq->server, rq->client, &rq->answer_bytes);
}

void limits_note_denied(struct request *rq)
{
    tally_denied(&rq->server->tally, rq->client, clock_mono_ms());
}

void limits_begin_stream(struct request *rq)
{
    struct http_server *server = rq->server;

    rq->has_stream = tally_take(&server->tally, rq->client, TALLY_STREAMS, 1, clock_mono_ms());
    if (!rq->has_stream)
        (void)refuse(rq, HTTP_REFUSED_STREAMS, 1, "too_many_streams",
                     "Too many long answers are being sent to this client. Read those first.");
}

void limits_end(struct request *rq)
{
    if (rq->has_stream)
        tally_give(&rq->server->tally, rq->client, TALLY_STREAMS, 1, clock_mono_ms());
    rq->has_stream = false;
    limits_let_go(rq);
}
