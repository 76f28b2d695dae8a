/* What concerns browsers: which pages of other origins may send requests and read answers (CORS), and the headers that
 * keep a browser from doing more with an answer than it should. */
#include "server/http/internal.h"

#include <string.h>

#define SENT_HEADERS                                                                                                   \
    "Authorization, X-Api-Key, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID, X-Request-Id"
#define READ_HEADERS                                                                                                   \
    "Content-Disposition, ETag, Idempotency-Replayed, Link, Location, RateLimit, RateLimit-Policy, Retry-After, "      \
    "WWW-Authenticate, X-Request-Id"
#define NO_CONTENT_POLICY "default-src 'none'; frame-ancestors 'none'"
#define A_YEAR "max-age=31536000"

/* A page may send some requests without asking first, and where nobody is asked for a key that would be enough. */
bool browser_accept(struct request *rq)
{
    const struct http_server *server = rq->server;
    struct span origin = rq_header(rq, "Origin");
    struct span scheme = rq->link && rq->link->is_forwarder ? rq_header(rq, "X-Forwarded-Proto") : (struct span){ 0 };

    rq->is_https = server->tls || span_eq_nocase(scheme, SPAN_LIT("https"));
    if (!origin.ptr)
        return true;
    if (origins_have(&server->origins, origin))
        rq->origin = origin;
    else if (!request_reads(rq) && strcmp(rq->method, "OPTIONS") != 0 &&
             !origin_is_host(origin, rq_header(rq, "Host"))) {
        reply_problem(rq, &rq->reply, 403, "origin_not_allowed",
                      "Web pages of %.*s may not use this server; VIDBATCH_CORS_ORIGINS names those that may.",
                      SPAN_ARG(span_head(origin, 200)));
        return false;
    }
    return true;
}

void browser_preflight(struct request *rq, const char *allow)
{
    if (!rq->origin.ptr || !rq_header(rq, "Access-Control-Request-Method").ptr)
        return;
    reply_header(&rq->reply, "Access-Control-Allow-Methods", allow);
    reply_header(&rq->reply, "Access-Control-Allow-Headers", SENT_HEADERS);
    reply_header(&rq->reply, "Access-Control-Max-Age", "600");
}

static bool add(struct MHD_Response *response, const char *name, const char *value)
{
    return MHD_add_response_header(response, name, value) == MHD_YES;
}

bool browser_add_headers(struct request *rq, struct MHD_Response *response)
{
    const struct reply *rp = &rq->reply;
    bool ok = add(response, "X-Content-Type-Options", "nosniff");

    if (!rp->has_policy)
        ok = ok && add(response, "Content-Security-Policy", NO_CONTENT_POLICY);
    if (!rp->has_referrer)
        ok = ok && add(response, "Referrer-Policy", "no-referrer");
    if (rq->is_https)
        ok = ok && add(response, "Strict-Transport-Security", A_YEAR);
    if (rq->server->origins.count > 0)
        ok = ok && add(response, "Vary", "Origin");
    if (rq->origin.ptr)
        ok = ok && add(response, "Access-Control-Allow-Origin", rq->origin.ptr) &&
             add(response, "Access-Control-Expose-Headers", READ_HEADERS);
    return ok;
}
