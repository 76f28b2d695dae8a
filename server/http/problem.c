/* Problems (RFC 9457), and the one place that turns an err into a status. */
#include "server/http/internal.h"

#include "server/base/log.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* "not_found" as "Not found". The code names the kind of problem, so its words are the kind's title. */
static void write_title(struct json_writer *w, const char *code)
{
    char title[64];

    (void)snprintf(title, sizeof title, "%s", code);
    for (char *c = title; *c; c++)
        if (*c == '_')
            *c = ' ';
    title[0] = (char)toupper((unsigned char)title[0]);
    json_put_text(w, "title", title);
}

static void write_problem(struct request *rq, struct buf *body, int status, const char *code, const char *detail)
{
    struct json_writer w = json_writer_on(body);
    char type[80];

    (void)snprintf(type, sizeof type, "urn:vidbatch:problem:%s", code);
    json_begin_object(&w);
    json_put_text(&w, "type", type);
    write_title(&w, code);
    json_put_i64(&w, "status", status);
    json_put_text(&w, "detail", detail);
    json_put_text(&w, "instance", rq->target);
    json_put_text(&w, "code", code);
    json_end_object(&w);
}

void reply_problem(struct request *rq, struct reply *rp, int status, const char *code, const char *fmt, ...)
{
    char detail[1000];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(detail, sizeof detail, fmt, args);
    va_end(args);
    stream_done(&rp->stream);
    rp->static_bytes = NULL;
    rp->etag[0] = '\0';
    rp->status = status;
    rp->type = "application/problem+json";
    buf_reset(&rp->body);
    write_problem(rq, &rp->body, status, code, detail);
}

void reply_problem_member(struct reply *rp, const char *name, struct span json)
{
    struct buf *body = &rp->body;

    if (!buf_ok(body) || body->len == 0)
        return;
    buf_cut(body, body->len - 1); /* reopens the object */
    buf_fmt(body, ",\"%s\":", name);
    buf_span(body, json);
    buf_char(body, '}');
}

void problem_unavailable(struct request *rq, const char *code, const char *detail)
{
    reply_problem(rq, &rq->reply, 503, code, "%s", detail);
    reply_header(&rq->reply, "Retry-After", "1");
}

/* What each kind means to a client. `detail` NULL: the error's own words are for it; else they are for the log only. */
struct meaning {
    int status;
    const char *code; /* where the error has none of its own */
    const char *detail;
    bool own_code;
};

/* A database's failures by their code (sql/db.h); without one of these it is not to be reached, or in disorder. */
static const struct {
    const char *of;
    struct meaning meaning;
} database_meanings[] = {
    { "query_timeout", { 503, "query_timeout", "The query took too long. Narrow it, or try again.", false } },
    { "lock_timeout",
      { 503, "being_changed", "It is being changed right now, as a job is while it is planned. Try again.", false } },
    { "serialization_failure", { 503, "being_changed", "Others change the same thing right now. Try again.", false } },
    { "deadlock", { 503, "being_changed", "Others change the same thing right now. Try again.", false } },
    { "database_read_only",
      { 503, "database_read_only",
        "The database takes no changes now: it is a standby, or set to read only. What is stored can be read. Try "
        "again.",
        false } },
    { "database_full",
      { 503, "database_full",
        "The database has no room on its disk. What is stored can be read. Try again once there is room.", false } },
    { "database_busy", { 503, "database_busy", "The database is short of connections or memory. Try again.", false } },
    { "commit_unknown",
      { 503, "commit_unknown",
        "The database was lost while it stored this: it may be stored or not. With the same Idempotency-Key it is safe "
        "to ask again; without one, look first.",
        false } },
};

static struct meaning database_meaning(const struct err *err)
{
    for (size_t i = 0; i < sizeof database_meanings / sizeof database_meanings[0]; i++)
        if (strcmp(err->code, database_meanings[i].of) == 0)
            return database_meanings[i].meaning;
    return (struct meaning){ 503, "database_unavailable", "The database cannot answer now. Try again.", false };
}

static struct meaning meaning_of(const struct err *err)
{
    switch (err->kind) {
    case ERR_INPUT:
        return (struct meaning){ 400, "invalid_request", NULL, true };
    case ERR_NOT_FOUND:
        return (struct meaning){ 404, "not_found", NULL, true };
    case ERR_CONFLICT:
        if (strcmp(err->code, "unique_violation") == 0)
            return (struct meaning){ 409, "conflict", "Something that exists already is in the way.", false };
        return (struct meaning){ 409, "conflict", NULL, true };
    case ERR_DENIED:
        /* Whom AWS refuses is the service, not the client. */
        return (struct meaning){ err->upstream_code[0] ? 502 : 403, "access_denied", NULL, true };
    case ERR_BUSY:
        return (struct meaning){ 503, "busy", NULL, true };
    case ERR_TIMEOUT:
        return (struct meaning){ 504, "timeout", NULL, true };
    case ERR_UPSTREAM:
        return (struct meaning){ 502, "upstream_failed", NULL, true };
    case ERR_DATABASE:
        return database_meaning(err);
    case ERR_CANCELLED:
        return (struct meaning){ 503, "shutting_down", "The server is stopping. Try again.", false };
    case ERR_MEMORY:
        return (struct meaning){ 503, "out_of_memory", "The server is short of memory. Try again.", false };
    case ERR_NONE:
    case ERR_INTERNAL:
        break;
    }
    return (struct meaning){ 500, "internal",
                             "The server made a mistake. Its log tells more under this answer's X-Request-Id.", false };
}

static void add_upstream(struct reply *rp, const struct err *err)
{
    struct buf upstream = { 0 };
    struct json_writer w = json_writer_on(&upstream);

    buf_init(&upstream, 0);
    json_begin_object(&w);
    json_put_text(&w, "code", err->upstream_code);
    json_put_text(&w, "message", err->upstream_message);
    json_put_text(&w, "request_id", err->upstream_request_id);
    json_end_object(&w);
    if (buf_ok(&upstream))
        reply_problem_member(rp, "upstream", buf_view(&upstream));
    buf_done(&upstream);
}

void reply_error(struct request *rq, struct reply *rp, const struct err *err)
{
    struct meaning m = meaning_of(err);
    const char *code = m.own_code && err->code[0] != '\0' ? err->code : m.code;

    reply_problem(rq, rp, m.status, code, "%s", m.detail ? m.detail : err->what);
    if (err->upstream_code[0] != '\0')
        add_upstream(rp, err);
    if (m.status == 503 && (err->kind != ERR_DATABASE || err->retryable)) {
        int64_t wait_s = err->retry_after_ms > 0 ? (err->retry_after_ms - 1) / 1000 + 1 : 1;
        char text[24];

        (void)snprintf(text, sizeof text, "%" PRId64, wait_s);
        reply_header(rp, "Retry-After", text);
    }
    if (m.status >= 500)
        log_warn("http.error", "status=%d code=%s kind=%s at=%s cause=%s", m.status, code, err_kind_name(err->kind),
                 err->where ? err->where : "unknown", LOGQ(err->what));
}
