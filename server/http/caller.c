/* Who sends a request: the address, the token that came with it, and whether the route's scope is among the caller's.
 */
#include "server/http/internal.h"

#include <stdio.h>
#include <string.h>

#define REALM "Bearer realm=\"vidbatch\""

static const struct {
    unsigned scope;
    const char *name;
} scope_names[] = { { SCOPE_READ, "read" }, { SCOPE_RUN, "run" }, { SCOPE_ADMIN, "admin" } };
enum { SCOPES = 3 };

/* ---- the token ---- */

/* What follows the word Bearer; ptr NULL: it is another scheme, or broken. */
static struct span after_bearer(struct span value)
{
    const struct span word = SPAN_LIT("Bearer");

    value = span_trim(value);
    if (value.len <= word.len || !span_eq_nocase(span_head(value, word.len), word) || value.ptr[word.len] != ' ')
        return (struct span){ 0 };
    return span_trim(span_tail(value, word.len));
}

/* A header that may come once. False: it came again with another value. */
static bool header_once(struct request *rq, const char *name, struct span *out)
{
    *out = rq_header(rq, name);
    return !out->ptr || request_header_list(rq, name).len == out->len;
}

/* *token: ptr NULL where nothing came that can be used. Gives what is wrong with it; NULL: nothing. */
static const char *find_token(struct request *rq, struct span *token)
{
    struct span authorization = { 0 }, key = { 0 };

    *token = (struct span){ 0 };
    if (!header_once(rq, "Authorization", &authorization) || !header_once(rq, "x-api-key", &key))
        return "Authorization and x-api-key may each come once.";
    if (authorization.ptr) {
        *token = after_bearer(authorization);
        if (!token->ptr)
            return "Authorization must be: Bearer and the key, with a blank between them.";
    }
    if (!key.ptr)
        return NULL;
    key = span_trim(key);
    if (token->ptr && !span_eq(*token, key)) {
        *token = (struct span){ 0 };
        return "Authorization and x-api-key hold different keys. Send one of them.";
    }
    *token = key;
    return NULL;
}

/* ---- who it is ---- */

void caller_note(struct request *rq)
{
    const struct http_server *server = rq->server;
    struct address from = rq->link ? rq->link->peer : (struct address){ 0 };
    int64_t key_id = 0;

    if (rq->link && rq->link->is_forwarder)
        from = forwarded_client(&server->forwarders, &from, request_header_list(rq, "X-Forwarded-For"));
    rq->client = rq->from = client_of_address(&from);
    address_text(&from, rq->address);
    rq->token_trouble = find_token(rq, &rq->token);
    if (server->recognize && rq->token.ptr)
        key_id = server->recognize(server->arg, rq->token);
    rq->sender = key_id != 0 ? client_of_key(key_id) : rq->from;
}

const char *rq_address(const struct request *rq)
{
    return rq->address;
}

const struct caller *rq_caller(const struct request *rq)
{
    return &rq->caller;
}

void caller_done(struct caller *caller)
{
    if (caller->grant && caller->drop)
        caller->drop(caller->grant);
    *caller = (struct caller){ 0 };
}

/* ---- may it? ---- */

/* What is wrong with the headers is no matter where nobody is asked, as behind a proxy that has credentials of its own.
 */
static bool refuse_caller(struct request *rq, const struct err *err)
{
    struct reply *rp = &rq->reply;

    if (err->kind != ERR_DENIED) {
        reply_error(rq, rp, err);
        return false;
    }
    limits_note_denied(rq);
    if (rq->token_trouble) {
        reply_problem(rq, rp, 400, "bad_credentials", "%s", rq->token_trouble);
        return false;
    }
    reply_problem(rq, rp, 401, err_code_of(err), "%s", err->what);
    reply_header(rp, "WWW-Authenticate", rq->token.ptr ? REALM ", error=\"invalid_token\"" : REALM);
    return false;
}

static bool refuse_scope(struct request *rq, const char *needed)
{
    struct reply *rp = &rq->reply;
    char text[100], has[32] = "";
    size_t len = 0;

    for (int i = 0; i < SCOPES; i++)
        if ((rq->caller.scopes & scope_names[i].scope) != 0)
            len += (size_t)snprintf(has + len, sizeof has - len, "%s%s", len ? ", " : "", scope_names[i].name);
    reply_problem(rq, rp, 403, "scope_missing", "%s %s needs a key with the scope \"%s\"; this one has: %s.",
                  rq->match.route->method, rq->match.route->path, needed, len ? has : "none");
    (void)snprintf(text, sizeof text, "\"%s\"", needed);
    reply_problem_member(rp, "scope", span_of(text));
    (void)snprintf(text, sizeof text, REALM ", error=\"insufficient_scope\", scope=\"%s\"", needed);
    reply_header(rp, "WWW-Authenticate", text);
    return false;
}

/* localhost, 127.0.0.1 or [::1], with any port or none. A browser always sends Host; what sends none is no browser. */
static bool names_this_machine(struct span host)
{
    static const char *const names[] = { "localhost", "127.0.0.1", "[::1]" };
    size_t colon = host.len;

    while (colon > 0 && host.ptr[colon - 1] >= '0' && host.ptr[colon - 1] <= '9')
        colon--;
    if (colon > 0 && host.ptr[colon - 1] == ':' && host.ptr[0] != ':')
        host = span_head(host, colon - 1);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (span_eq_nocase(host, span_of(names[i])))
            return true;
    return span_ends(host, SPAN_LIT(".localhost")) || !host.ptr;
}

/* Nobody was asked. */
static bool admit_open(struct request *rq)
{
    if (!rq->server->open_is_local)
        return true;
    if (!names_this_machine(rq_header(rq, "Host"))) {
        reply_problem(
            rq, &rq->reply, 403, "host_not_local",
            "Without API keys this server answers only as localhost, 127.0.0.1 or [::1]. Make a key "
            "(vidbatchd key create), or set VIDBATCH_ALLOW_OPEN where something in front of it keeps strangers "
            "out.");
        return false;
    }
    if (rq_header(rq, "X-Forwarded-For").ptr || rq_header(rq, "Forwarded").ptr) {
        reply_problem(rq, &rq->reply, 403, "forwarded_without_key",
                      "Without API keys this server answers no proxy. Make a key (vidbatchd key create), or set "
                      "VIDBATCH_ALLOW_OPEN where the proxy keeps strangers out.");
        return false;
    }
    return true;
}

bool caller_admit(struct request *rq, void *context)
{
    struct http_server *server = rq->server;
    const int level = (int)rq->match.route->access - (int)ACCESS_READ; /* of scope_names; public: -1 */
    struct err err = { 0 };

    if (level < 0)
        return true;
    if (!server->authenticate) {
        rq->caller.scopes = SCOPE_ALL;
        return admit_open(rq) && limits_admit(rq);
    }
    if (!server->authenticate(server->arg, context, rq->token, &rq->caller, &err))
        return refuse_caller(rq, &err);
    if (rq->caller.key_id != 0)
        rq->client = client_of_key(rq->caller.key_id);
    else if (!admit_open(rq))
        return false;
    if (!limits_admit(rq)) /* what is refused below counts too */
        return false;
    if ((rq->caller.scopes & scope_names[level].scope) == 0)
        return refuse_scope(rq, scope_names[level].name);
    return !server->admit || server->admit(rq, &rq->reply);
}

bool caller_may_go_on(struct request *rq, void *context)
{
    struct http_server *server = rq->server;
    struct caller now = { .key_id = 0 };
    struct err err = { 0 };
    bool ok = true;

    if (!server->authenticate || rq->caller.key_id == 0)
        return true;
    /* A database that does not answer says nothing about the key. */
    ok = server->authenticate(server->arg, context, rq->token, &now, &err) || err.kind != ERR_DENIED;
    caller_done(&now);
    return ok;
}
