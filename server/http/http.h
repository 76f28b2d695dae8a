/* The HTTP side as handlers see it: a table of routes, a parsed request, a reply to fill. Sockets, limits, suspension,
 * problems and headers are this module's business. libmicrohttpd's epoll threads do I/O only; a handler runs on a
 * thread of the handler pool, which owns an opaque context (its database connection and what else the application gives
 * it). */
#ifndef VIDBATCH_HTTP_HTTP_H
#define VIDBATCH_HTTP_HTTP_H

#include "server/base/buf.h"
#include "server/base/err.h"
#include "server/base/json_writer.h"
#include "server/base/span.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct request;
struct reply;
typedef void handler_fn(struct request *rq, struct reply *rp);

/* Who may call a route. Zero is no level: a table that forgets one refuses to start. */
enum access { ACCESS_NONE_GIVEN, ACCESS_PUBLIC, ACCESS_READ, ACCESS_RUN, ACCESS_ADMIN };

/* Scopes are a set: who has SCOPE_RUN has SCOPE_READ too, who has SCOPE_ADMIN all of them (whoever fills a struct
 * caller sees to that). */
enum { SCOPE_READ = 1, SCOPE_RUN = 2, SCOPE_ADMIN = 4, SCOPE_ALL = 7, CALLER_NAME_SIZE = 104 };
struct caller {
    int64_t key_id;              /* 0: nobody was asked, and everybody may do everything */
    char name[CALLER_NAME_SIZE]; /* of the key, for people */
    unsigned scopes;
    void *grant; /* what else the application knows of the key; NULL: nothing. Given with the caller ... */
    void (*drop)(void *grant); /* ... and taken back by this, once, on any thread */
};

struct route {
    const char *method; /* "GET" (answers HEAD too), "POST", "PATCH", "DELETE" */
    const char *path;   /* "/v1/jobs/{id}/cancel" */
    enum access access;
    size_t max_body_bytes; /* 0: a body is refused */
    handler_fn *handler;
    bool inline_reply; /* answers from memory on the I/O thread (livez, openapi.yaml): public routes only */
};

/* What outside may take of the server. 0 is the default that stands behind it. */
struct http_limits {
    int max_connections;             /* at a time; more are closed as they come; 1024 */
    int max_connections_per_address; /* or per /64 of IPv6; trusted forwarders have no such limit; 384 */
    int max_queue; /* requests waiting for a handler thread, for one client half of it; beyond: 503 with Retry-After;
                      1024 */
    int max_running_per_client; /* requests of a recognized key, else of an address, that are handled at a time: the
                                   others wait without keeping those of other clients waiting; 0: no limit */
    int64_t max_held_bytes;     /* bodies that come and large answers that go, of all clients, for one a quarter of it;
                                   beyond: 503; 64 MiB */
    int max_streams;            /* long answers at a time per key, else per address; beyond: 429; 128 */
    size_t max_header_bytes;    /* request line and headers; beyond: 431; 16 KiB */
    size_t max_body_bytes;      /* beyond: 413; 0: only the routes' own limits */
    int64_t queue_timeout_ms;   /* who has waited so long for a handler thread is answered 503; 10,000 */
    int64_t head_timeout_ms;    /* from the connection's start to the end of its first head; 10,000 */
    int64_t idle_timeout_ms;    /* from an answer's end to the end of the next head; 30,000 */
    int64_t body_timeout_ms;    /* from the end of the head to the end of the body; 30,000 */
    int64_t send_timeout_ms;    /* in each such while the client must take ...; 60,000 */
    int64_t send_bytes_per_s;   /* ... so much, as long as anything waits for it; 1024 */
    int64_t requests_per_s;     /* per key, else per address; beyond: 429 with Retry-After; 0: no limit */
    int64_t requests_burst;     /* that may come at once; five times that */
    int64_t denied_per_s;       /* answers 401 per address; beyond, and beyond ten times that at once: 429, but for keys
                                   that are recognized; 0: no limit */
};

struct http_options {
    const char *host;           /* "127.0.0.1", "::1", "0.0.0.0"; borrowed during http_start */
    int port;                   /* 0: any free one; http_port tells */
    const struct route *routes; /* kept */
    size_t route_count;
    int io_threads;      /* 0 = 2 */
    int handler_threads; /* 0 = 8 */
    struct http_limits limits;
    /* Networks of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed, such as "10.0.0.0/8"; NULL: none.
     * Borrowed during http_start. */
    const char *forwarders;
    /* Origins whose web pages may use the server, such as "https://app.example"; NULL: none. Borrowed during
     * http_start.
     */
    const char *cors_origins;
    /* PEM files: TLS is spoken, and nothing else. NULL or empty: plain HTTP. Kept as names, see http_reload. */
    const char *tls_cert, *tls_key;
    /* One context a handler thread: opened on that thread before its first request, closed at the end. */
    void *(*open_context)(void *arg, struct err *err);
    void (*close_context)(void *context);
    /* Makes the handler or fill that runs with this context end soon. Called again and again by http_stop, after the
     * grace, for each that is still at it; on a thread of its own, so it may wait. NULL: they are only waited for. */
    void (*interrupt_context)(void *context);
    int64_t interrupt_ms; /* how long http_stop waits after the grace for handlers to end; 0 = 1500 */
    /* Says who sends a request: runs on the handler thread before the handler of every route that is not public. token
     * is what came as `Authorization: Bearer` or `x-api-key`, borrowed; ptr NULL where nothing came. True: *caller
     * (empty until then) is filled, and the route's scope is asked of it. False with ERR_DENIED: 401 with err's code
     * and words, which never quote the token; any other kind as reply_error has it. Any number of threads at a time.
     * NULL: nobody is asked. */
    bool (*authenticate)(void *arg, void *context, struct span token, struct caller *caller, struct err *err);
    /* The id of the key whose token this was when authenticate looked at it last, 0 where that is not known: so that
     * its requests are counted as its own before it is looked at. Never waits. Any thread. NULL: never known. */
    int64_t (*recognize)(void *arg, struct span token);
    /* A last look before the handler of a route that is not public, when the caller has the route's scope: may it have
     * what it names? Works like a handler: false with rp filled. NULL: no look. */
    bool (*admit)(struct request *rq, struct reply *rp);
    /* Whom nobody asked is served only under a name of this machine itself (Host: localhost, 127.0.0.1, [::1]) and not
     * through a proxy: or else a web page whose name was rebound to 127.0.0.1 could use the server. */
    bool open_is_local;
    void *arg; /* what rq_app gives to handlers too */
};
struct http_server;
MUST_CHECK bool http_start(const struct http_options *options, struct http_server **out, struct err *err);
int http_port(const struct http_server *server);
/* Reads certificate and key again, for connections that come from now on. False: they stay as they are, and err says
 * why. True where there is no TLS. Any thread. */
MUST_CHECK bool http_reload(struct http_server *server, struct err *err);
/* No new connections and requests (503, Connection: close); those under way finish within grace_ms, then handlers are
 * interrupted and all is closed. Gives back everything. False: a handler did not end within interrupt_ms; its thread
 * and all that it may use are left as they are, so that the process must end with _exit, or call this again. */
bool http_stop(struct http_server *server, int64_t grace_ms);
/* Why a connection was ended by us: a deadline of struct http_limits. */
enum http_cut { HTTP_CUT_HEAD, HTTP_CUT_IDLE, HTTP_CUT_BODY, HTTP_CUT_SEND, HTTP_CUTS };
/* Whom a limit turned away: connections in all and per address, requests in a full queue and after a long wait in it,
 * above the rate, and after too many answers 401, streams, and bodies beyond the memory for them. */
enum http_refusal {
    HTTP_REFUSED_CONNECTIONS,
    HTTP_REFUSED_ADDRESS,
    HTTP_REFUSED_QUEUE,
    HTTP_REFUSED_WAIT,
    HTTP_REFUSED_RATE,
    HTTP_REFUSED_DENIED,
    HTTP_REFUSED_STREAMS,
    HTTP_REFUSED_MEMORY,
    HTTP_REFUSALS
};
struct http_counts {
    uint64_t requests, in_flight, queued, connections, streams;
    uint64_t refused[HTTP_REFUSALS];
    uint64_t cuts[HTTP_CUTS];
    uint64_t by_status[6];    /* [2] = 2xx ... */
    int64_t tls_expires_at_s; /* when the certificate runs out; 0: no TLS */
};
void http_counts(struct http_server *server, struct http_counts *out);
/* Latency histogram of finished requests for /metrics: upper bounds in seconds and cumulative counts. */
enum { HTTP_BUCKETS = 12 };
void http_latency(struct http_server *server, double bounds_s[HTTP_BUCKETS], uint64_t counts[HTTP_BUCKETS],
                  uint64_t *total, double *sum_s);

/* ---- request ---- */
void *rq_app(struct request *rq);     /* http_options.arg */
void *rq_context(struct request *rq); /* the handler thread's context; NULL for inline replies */
const struct route *rq_route(const struct request *rq);
const char *rq_method(const struct request *rq); /* HEAD is given as GET */
const char *rq_target(const struct request *rq); /* path as sent, for `instance` */
const char *rq_id(const struct request *rq);     /* X-Request-Id of the client where it is well-formed, else ours */
struct span rq_path_param(const struct request *rq, const char *name); /* percent-decoded */
struct span rq_query(const struct request *rq, const char *name);      /* decoded; ptr NULL where absent */
struct span rq_header(const struct request *rq, const char *name);     /* ptr NULL where absent */
struct span rq_body(const struct request *rq);
struct http_server *rq_server(struct request *rq);
/* Who sends it, as authenticate said; key_id 0 where nobody was asked, and for public routes. Lives as long as the
 * request. */
const struct caller *rq_caller(const struct request *rq);
/* The client's address as text, such as "192.0.2.7" or "2001:db8::1"; "" where it is not known. */
const char *rq_address(const struct request *rq);

/* Refuses query parameters that are not in `allowed` (NULL-terminated), and any given twice: fills a 400 problem and
 * returns false. */
bool rq_check_query(struct request *rq, struct reply *rp, const char *const allowed[]);
/* The id of a path or query: parses with id_parse; a malformed one is answered 404 (path) as if it did not exist. */
bool rq_path_id(struct request *rq, struct reply *rp, const char *name, const char *id_prefix, int64_t *id);
/* ?limit= (1..1000, default 50): fills a 400 problem and returns false where it is bad. */
bool rq_limit(struct request *rq, struct reply *rp, int *limit);
/* ?after= cursors: opaque base64url of one of ours. Absent: *has false. A bad one: 400 problem, code "bad_cursor".
 * `kind` guards against a cursor of another list. rq_cursor_i64 for ids, rq_cursor_text for names (borrowed until the
 * request ends). */
bool rq_cursor_i64(struct request *rq, struct reply *rp, const char *kind, bool *has, int64_t *after);
bool rq_cursor_text(struct request *rq, struct reply *rp, const char *kind, bool *has, struct span *after);
/* Parses the body as a JSON object (Content-Type must be application/json: else 415; malformed: 400 with line and
 * column; duplicates and more than 32 levels refused). NULL: the problem is filled. Borrowed until the request ends. */
json_t *rq_json(struct request *rq, struct reply *rp);
/* Chooses by ?format= (wins) or Accept among NULL-terminated media types; -1: the problem is filled (406; 400 for an
 * unknown ?format=). Absent Accept or a wildcard: the first. formats: the words for ?format= in the same order ("json",
 * "ndjson", "csv"). */
int rq_accept(struct request *rq, struct reply *rp, const char *const types[], const char *const formats[]);

/* ---- a JSON body read into fields, collecting every problem (errors[] with JSON Pointers) ---- */
struct fields {
    struct request *rq;
    struct reply *rp;
    json_t *object;
    const char *pointer; /* of this object, "" at the top */
    int count;           /* problems found so far; their text is kept in the request */
    const char *seen[32];
    int seen_count;
};
/* Usage: fields_begin, the getters for every member that is known, fields_end (refuses unknown members; false: 422
 * problem filled). */
void fields_begin(struct fields *f, struct request *rq, struct reply *rp, json_t *object);
/* Optional unless required. Text lengths in bytes. Absent or null: *out untouched (text: ptr NULL) and false; true when
 * there is a value. */
bool fields_text(struct fields *f, const char *name, bool required, size_t min_len, size_t max_len, struct span *out);
bool fields_i64(struct fields *f, const char *name, bool required, int64_t min, int64_t max, int64_t *out);
bool fields_f64(struct fields *f, const char *name, bool required, double min, double max, double *out);
bool fields_bool(struct fields *f, const char *name, bool required, bool *out);
/* Index into NULL-terminated words. */
bool fields_word(struct fields *f, const char *name, bool required, const char *const words[], int *out);
/* The raw member, of the wanted Jansson type (JSON_OBJECT, JSON_ARRAY); NULL where absent or wrong. */
json_t *fields_member(struct fields *f, const char *name, bool required, json_type type);
/* A problem of the caller's own with a member: pointer = f->pointer "/" name. */
void fields_refuse(struct fields *f, const char *name, const char *fmt, ...) PRINTF(3, 4);
/* A member that has no place here, and detail says why: a problem where it is given. */
void fields_forbid(struct fields *f, const char *name, const char *detail);
/* Nested object: shares the error list of its parent; end it with fields_end_nested before the parent's end. */
void fields_nested(struct fields *f, struct fields *parent, const char *name, json_t *object);
void fields_end_nested(struct fields *f, struct fields *parent);
MUST_CHECK bool fields_end(struct fields *f);

/* ---- reply ---- */
void reply_status(struct reply *rp, int status);
/* Copied. Names and values of ours or checked: CR and LF are refused (assert). */
void reply_header(struct reply *rp, const char *name, const char *value);
/* The body under construction (at most 16 MiB); json_writer_on(reply_body(rp)) writes into it. */
struct buf *reply_body(struct reply *rp);
/* Content-Type of the body; "application/json" where nothing is said. Static text. */
void reply_type(struct reply *rp, const char *content_type);
/* A body that lives for ever (embedded files): not copied. Sets a strong ETag from its bytes; If-None-Match is answered
 * 304. */
void reply_static(struct reply *rp, const char *content_type, const char *bytes, size_t len);
/* Strong ETag from the body as it is now, for a resource. A matching If-None-Match makes a 200 a 304. */
void reply_etag(struct reply *rp);
/* Link: <target?query with after=cursor>; rel="next", and the "next" member's cursor text appended to w: call as the
 * last member of a list body. has_more false writes "next": null and no Link. */
void reply_next_i64(struct request *rq, struct reply *rp, struct json_writer *w, bool has_more, const char *kind,
                    int64_t after);
void reply_next_text(struct request *rq, struct reply *rp, struct json_writer *w, bool has_more, const char *kind,
                     struct span after);
/* RFC 9457. Throws away what was in the body. code: stable word; detail says rule and remedy. */
void reply_problem(struct request *rq, struct reply *rp, int status, const char *code, const char *fmt, ...)
    PRINTF(5, 6);
/* Adds a member to the problem just made (value is JSON). */
void reply_problem_member(struct reply *rp, const char *name, struct span json);
/* The one place that turns an err into a status, with code, upstream {code, message, request_id} and Retry-After. */
void reply_error(struct request *rq, struct reply *rp, const struct err *err);

/* A long answer, produced piece by piece on handler threads and sent with back-pressure: when the client has taken what
 * is in the buffer, fill is called again (on any handler thread, with that thread's context; never two at a time),
 * appends some, and sets *end after the last. Between calls no thread and no connection is held; the cost of a client
 * that stops reading is the buffer. fill returning false aborts the connection (the client sees a cut chunked body).
 * The first fill runs before the answer begins: its failure is answered by reply_error, and an answer that it completes
 * is sent with its length. A call should append up to about 64 KiB, may append nothing, and fails beyond 1 MiB. Takes
 * state: free_state runs once, on any thread. Not for inline routes. */
typedef bool stream_fill_fn(void *state, void *context, struct buf *out, bool *end, struct err *err);
void reply_stream(struct reply *rp, const char *content_type, stream_fill_fn *fill, void *state,
                  void (*free_state)(void *));

/* Runs a creating POST under its Idempotency-Key is the handlers' business (it needs the database); these give the
 * parts: the key, checked (1-255 visible ASCII; else a 400 problem and false). ptr NULL where absent. */
bool rq_idempotency_key(struct request *rq, struct reply *rp, struct span *key);

#endif
