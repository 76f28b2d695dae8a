/* What the files of server/http share. Private to server/http and its tests.
 *
 * Who owns a request: the I/O thread of its connection, except while the connection is suspended; then the handler pool
 * (first the queue, then one thread) owns it, and gives it back whole by resuming. Nobody touches it after giving it
 * away. libmicrohttpd never ends a suspended connection, so a request is only freed by the side that owns it, and needs
 * no lock. */
#ifndef VIDBATCH_HTTP_INTERNAL_H
#define VIDBATCH_HTTP_INTERNAL_H

#include "server/http/address.h"
#include "server/http/cors.h"
#include "server/http/http.h"
#include "server/http/parse.h"
#include "server/http/tally.h"
#include "server/http/tls.h"
#include "server/http/watch.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

enum {
    PATH_PARAMS = 8,
    REQUEST_ID_BYTES = 64,
    METHOD_BYTES = 16,
    ETAG_BYTES = 24,
    REPLY_MAX_BYTES = 16 << 20,
    STREAM_MAX_BYTES = 1 << 20,    /* most that one fill may append */
    STREAM_KEEP_BYTES = 256 << 10, /* a larger buffer is given back when it has been sent */
    STREAM_BLOCK_BYTES = 8 << 10,  /* libmicrohttpd's own, for clients that know no chunks */
    DRAIN_MAX_BYTES = 1 << 20,     /* of a refused body: read and dropped, so that the client gets to see the answer */
    MAX_FIELD_ERRORS = 100
};

/* ---- routing ---- */
struct path_param {
    struct span name, value; /* borrowed from the route table and from the path */
};
struct route_match {
    const struct route *route; /* NULL: the path is unknown, or known but not with this method */
    unsigned allowed;          /* methods of the path, 0: unknown path; router_allow writes them */
    struct path_param params[PATH_PARAMS];
    size_t param_count;
};
/* ERR_INPUT: names the route and the rule that it breaks. */
MUST_CHECK bool router_check(const struct route *routes, size_t count, struct err *err);
/* A literal segment beats a parameter, from the left. */
void router_find(const struct route *routes, size_t count, const char *method, const struct path *path,
                 struct route_match *out);
/* "GET, HEAD, OPTIONS" */
void router_allow(unsigned allowed, struct buf *out);

/* ---- reply under construction ---- */
struct stream {
    stream_fill_fn *fill; /* NULL: this reply is no stream */
    void *state;
    void (*free_state)(void *);
    struct buf out; /* what fill has appended; sent bytes of it are on their way */
    size_t sent;
    bool end;
    bool failed; /* cut the connection */
};
struct reply {
    struct request *rq;
    int status;
    const char *type;
    struct buf headers; /* name NUL value NUL ... */
    bool has_cache_control, has_policy, has_referrer;
    bool close; /* Connection: close */
    struct buf body;
    const char *static_bytes; /* instead of body */
    size_t static_len;
    char etag[ETAG_BYTES]; /* with quotes; empty: none */
    struct stream stream;
};
void reply_init(struct reply *rp, struct request *rq);
void reply_done(struct reply *rp);
/* A strong ETag from the bytes. */
void reply_etag_of(struct reply *rp, const void *bytes, size_t len);
/* 400 with errors[] naming the query parameter or header. */
void problem_of_parameter(struct request *rq, struct reply *rp, const char *code, const char *name, const char *fmt,
                          ...) PRINTF(5, 6);
/* A problem about the server itself, with Retry-After. */
void problem_unavailable(struct request *rq, const char *code, const char *detail);
/* Hands the reply to libmicrohttpd. I/O thread. */
enum MHD_Result reply_send(struct request *rq);

/* ---- streams ---- */
/* The first fill, on the handler's thread: its failure is still answered with a problem, and an answer that it
 * completes becomes an ordinary body. */
void stream_start(struct request *rq, void *context);
/* Later fills, on any handler thread. */
void stream_fill(struct request *rq, void *context);
/* libmicrohttpd's content reader; cls is the request. */
ssize_t stream_read(void *cls, uint64_t pos, char *to, size_t max);
/* Frees buffer and state. */
void stream_done(struct stream *s);

/* ---- request ---- */
enum phase {
    PHASE_NEW,      /* the request line is there */
    PHASE_BODY,     /* collecting the body */
    PHASE_DISCARD,  /* refused: the reply is ready, the body is read and dropped */
    PHASE_HANDLING, /* the pool owns it */
    PHASE_READY,    /* the reply waits for the I/O thread */
    PHASE_SENDING
};
enum work { WORK_HANDLER, WORK_FILL };

struct kept_block;
struct request {
    struct http_server *server;
    struct MHD_Connection *connection;
    enum phase phase;
    enum work work;       /* what the pool shall do */
    struct request *next; /* in the pool's queue */
    void *context;        /* of the handler thread that runs it */

    char id[REQUEST_ID_BYTES + 1];
    struct link *link;               /* NULL: there was no memory for it, and it is being closed */
    char address[ADDRESS_SIZE];      /* of the client */
    struct client_id client;         /* whose limits count: the key's, else the address's */
    struct client_id sender;         /* whose turn it takes: the key's that is recognized, else the address's */
    struct client_id from;           /* the address */
    bool has_stream;                 /* counted in the tally */
    size_t body_bytes, answer_bytes; /* held, of `from` and of `client` */
    bool is_https;                   /* its client speaks TLS, with us or with a trusted forwarder */
    struct span origin;              /* of the web page of another origin that may read the answer; ptr NULL: none */
    bool has_turn;                   /* counted in the tally, for sender */
    int64_t queued_ms;               /* when it began to wait for a handler thread */
    struct span token;               /* as it came; ptr NULL: none that can be used */
    const char *token_trouble;       /* what is wrong with it; NULL: nothing */
    struct caller caller;
    char method[METHOD_BYTES]; /* as sent, cut */
    char *target;              /* the raw path, terminated */
    struct span raw_query;     /* lies behind the path */
    struct path path;
    struct url_query query;
    struct route_match match;

    bool counted;   /* in flight */
    bool streaming; /* counted as a stream */
    int64_t started_us;
    uint64_t sent_bytes; /* of the body */
    uint64_t dropped_bytes;
    struct buf body;
    json_t *json;
    struct buf field_errors;
    struct kept_block *kept;
    struct reply reply;
};
/* NULL: no memory. Gives; free with request_free. */
struct request *request_new(struct http_server *server, const char *uri);
void request_free(struct request *rq);
/* Takes the client's X-Request-Id if it is well-formed, else makes one. */
void request_name(struct request *rq);
/* Zeroed memory that lives as long as the request; NULL: there is none. */
void *request_keep(struct request *rq, size_t size);
/* All lines of a header joined with commas; empty where absent. Lives as long as the request. */
struct span request_header_list(struct request *rq, const char *name);
bool request_reads(const struct request *rq); /* GET or HEAD */

/* ---- who asks ---- */
/* Notes the address of the client, its token, and so who it is for now. I/O thread. */
void caller_note(struct request *rq);
/* May the handler of the matched route run? False: the problem is filled (400, 401, 403, 503). */
MUST_CHECK bool caller_admit(struct request *rq, void *context);
/* Between pieces of a stream: false when its key has been revoked or has expired since. */
MUST_CHECK bool caller_may_go_on(struct request *rq, void *context);
void caller_done(struct caller *caller);

/* ---- web pages ---- */
/* May the page that sends it do so? Notes its origin. I/O thread. False: 403 is filled. */
MUST_CHECK bool browser_accept(struct request *rq);
/* OPTIONS: what pages of that origin may do here. allow: the methods of the path. */
void browser_preflight(struct request *rq, const char *allow);
/* The headers that every answer carries for browsers. */
MUST_CHECK bool browser_add_headers(struct request *rq, struct MHD_Response *response);

/* ---- limits ---- */
/* The defaults where *asked has zeros. */
struct http_limits limits_of(const struct http_limits *asked);
/* Does the head fit, and may a client that is not recognized come from there? I/O thread. False: the problem is filled
 * (431, 429). */
MUST_CHECK bool limits_accept(struct request *rq);
/* The caller is known: may it ask now? Adds the RateLimit fields. False: 429. */
MUST_CHECK bool limits_admit(struct request *rq);
/* Counts memory that the request takes until its end: for its body, whoever says to have sent it by the address, and
 * for its answer. False: all of it is taken, or what one client may have. Any thread. */
MUST_CHECK bool limits_hold_body(struct request *rq, size_t bytes);
MUST_CHECK bool limits_hold_answer(struct request *rq, size_t bytes);
/* And that is free again. */
void limits_let_go(struct request *rq);
/* It was answered 401. */
void limits_note_denied(struct request *rq);
/* A stream begins; where the client has too many it becomes a problem instead. */
void limits_begin_stream(struct request *rq);
void limits_end(struct request *rq);

/* ---- handler pool ---- */
enum submitted { POOL_TAKEN, POOL_FULL, POOL_CLOSED };
struct handler_thread {
    struct pool *pool;
    pthread_t thread;
    pthread_mutex_t lock; /* guards busy; held during an interrupt, for then the context must stay */
    void *busy;           /* the context of the request that runs now, NULL: none */
};
struct request_list {
    struct request *head, *tail;
};
struct pool {
    pthread_mutex_t lock;       /* guards ready, parked, queued, closed, running */
    pthread_cond_t some;        /* work came, or the pool closed */
    struct request_list ready;  /* each has its client's turn */
    struct request_list parked; /* wait for a turn of their client: whoever ends one gives it to the next */
    size_t queued;              /* handlers that wait; fills are as few as connections and always welcome */
    size_t max_queued;
    bool closed;
    int running;          /* threads that have not ended */
    pthread_cond_t ended; /* one of them ended; monotonic clock */
    struct handler_thread *threads;
    int thread_count;
    pthread_t interrupter;
    bool interrupts; /* interrupter is started; only pool_stop looks */
    struct http_server *server;
};
MUST_CHECK bool pool_start(struct pool *p, struct http_server *server, int threads, int max_queue, struct err *err);
/* Suspends the connection and queues the request. Only after POOL_TAKEN the pool owns it. */
MUST_CHECK enum submitted pool_submit(struct pool *p, struct request *rq, enum work work);
/* Runs the route's handler; the reply is complete afterwards. context NULL: the I/O thread, for inline replies. */
void pool_run_handler(struct request *rq, void *context);
size_t pool_queued(struct pool *p);
/* Answers 503 to those that have waited so long. */
void pool_expire(struct pool *p, int64_t wait_ms);
/* Closes: gives queued requests back (503, or a cut stream), interrupts those that run, joins the threads. False: after
 * wait_ms (negative: no limit) some still run, and use the pool; it may be called again. */
MUST_CHECK bool pool_stop(struct pool *p, int64_t wait_ms);
/* After pool_stop, when no I/O thread is left that could submit. */
void pool_done(struct pool *p);

/* ---- metrics ---- */
struct metrics {
    pthread_mutex_t lock; /* guards all fields below */
    pthread_cond_t idle;  /* in_flight became 0 */
    uint64_t requests, in_flight, connections, streams;
    uint64_t refused[HTTP_REFUSALS];
    uint64_t by_status[6];
    uint64_t buckets[HTTP_BUCKETS]; /* not cumulative */
    uint64_t finished;
    double sum_s;
};
MUST_CHECK bool metrics_init(struct metrics *m, struct err *err);
void metrics_done(struct metrics *m);
int64_t metrics_now_us(void);
void metrics_begin(struct metrics *m);
void metrics_end(struct metrics *m, int status, int64_t took_us, bool was_stream);
void metrics_stream(struct metrics *m);
void metrics_refused(struct metrics *m, enum http_refusal why);
void metrics_connection(struct metrics *m, bool opened);
uint64_t metrics_connections(struct metrics *m);
/* timeout_ms from now on the monotonic clock. */
struct timespec deadline_after(int64_t timeout_ms);
/* True when nothing is in flight; false: still busy after timeout_ms. */
bool metrics_wait_idle(struct metrics *m, int64_t timeout_ms);

/* ---- server ---- */
struct http_server {
    const struct route *routes;
    size_t route_count;
    void *(*open_context)(void *arg, struct err *err);
    void (*close_context)(void *context);
    void (*interrupt_context)(void *context);
    int64_t interrupt_ms;
    bool (*authenticate)(void *arg, void *context, struct span token, struct caller *caller, struct err *err);
    int64_t (*recognize)(void *arg, struct span token);
    bool (*admit)(struct request *rq, struct reply *rp);
    bool open_is_local;
    void *arg;
    struct MHD_Daemon *daemon;
    struct MHD_Response *exhausted; /* made in good time: the answer when there is no memory for one */
    int listen_fd;                  /* until libmicrohttpd has it; then -1 */
    int port;
    struct http_limits limits;
    struct networks forwarders; /* who are trusted to say for whom they ask */
    struct origins origins;
    struct tls *tls; /* NULL: plain HTTP */
    int accept_fd;   /* the listening socket, for looks only */
    atomic_bool stopping;
    atomic_llong held_bytes;      /* of bodies and large answers, of all requests */
    atomic_llong guests_until_ms; /* while stopping: new connections are let in until then */
    struct watch watch;
    struct tally tally;
    struct pool pool;
    struct metrics metrics;
};

/* libmicrohttpd's callbacks for a connection; cls is the server. */
enum MHD_Result connection_let_in(void *cls, const struct sockaddr *addr, socklen_t len);
void connection_changed(void *cls, struct MHD_Connection *connection, void **socket_context,
                        enum MHD_ConnectionNotificationCode toe);
int connection_present(gnutls_session_t session, const struct gnutls_cert_retr_st *info, gnutls_pcert_st **certs,
                       unsigned *cert_count, gnutls_ocsp_data_st **ocsp, unsigned *ocsp_count, gnutls_privkey_t *key,
                       unsigned *flags);
/* And for one request. */
void *exchange_begin(void *cls, const char *uri, struct MHD_Connection *connection);
enum MHD_Result exchange_continue(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *upload_data, size_t *upload_data_size,
                                  void **con_cls);
void exchange_end(void *cls, struct MHD_Connection *connection, void **con_cls, enum MHD_RequestTerminationCode toe);

#endif
