/* Starts and stops the server: listening socket, libmicrohttpd's epoll threads, handler pool. */
#include "server/http/internal.h"

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/mem.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    OWN_MEMORY_BYTES = 16 << 10, /* of a connection, beside the request line and headers: libmicrohttpd's own buffers */
    SPARE_CONNECTIONS = 64, /* let_in turns away whom it counts; libmicrohttpd's own limit must not come before it */
    BACKLOG = 511,
    LAST_WORDS_MS = 300, /* for answers of handlers that were interrupted to reach their clients */
    GUESTS_MS = 100,     /* for whom the kernel had let in before the stop to be told of it */
    DRAIN_LOOK_MS = 2,
    DENIED_BURST = 10 /* times the rate */
};

static const char exhausted_text[] =
    "{\"type\":\"urn:vidbatch:problem:out_of_memory\",\"title\":\"Out of memory\",\"status\":503,"
    "\"detail\":\"The server is short of memory. Try again.\",\"code\":\"out_of_memory\"}";

static bool listen_on(struct http_server *server, const struct addrinfo *at, const char *host, int port,
                      struct err *err)
{
    int on = 1;
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } bound = { 0 };
    socklen_t len = sizeof bound;
    int fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return err_set(err, ERR_INTERNAL, false, HERE, "socket: %s", strerror(errno));
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (at->ai_family == AF_INET6) /* "::" means all addresses of both kinds */
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){ 0 }, sizeof(int));
    if (bind(fd, at->ai_addr, at->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, &bound.any, &len) != 0) {
        err_set(err, ERR_INPUT, false, HERE, "cannot listen on %s port %d: %s", host, port, strerror(errno));
        (void)close(fd);
        return false;
    }
    server->listen_fd = fd;
    server->port = ntohs(at->ai_family == AF_INET6 ? bound.v6.sin6_port : bound.v4.sin_port);
    return true;
}

static bool open_socket(struct http_server *server, const struct http_options *o, struct err *err)
{
    struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
    struct addrinfo *found = NULL;
    char port[16];
    const char *host = o->host ? o->host : "127.0.0.1"; /* without a word nobody outside gets in */
    int rc = 0;
    bool ok = false;

    if (o->port < 0 || o->port > 65535)
        return err_set(err, ERR_INPUT, false, HERE, "port %d: a port is 0 to 65535", o->port);
    (void)snprintf(port, sizeof port, "%d", o->port);
    rc = getaddrinfo(host, port, &hints, &found);
    if (rc != 0)
        return err_set(err, ERR_INPUT, false, HERE, "cannot listen on %s: %s", host, gai_strerror(rc));
    ok = listen_on(server, found, host, o->port, err);
    freeaddrinfo(found);
    return ok;
}

/* Path and query are decoded by us, after they were taken apart. */
static size_t leave_escaped(void *cls, struct MHD_Connection *connection, char *text)
{
    (void)cls;
    (void)connection;
    return strlen(text);
}

static void on_library_log(void *cls, const char *fmt, va_list args) PRINTF(2, 0);
static void on_library_log(void *cls, const char *fmt, va_list args)
{
    char text[300];

    (void)cls;
    (void)vsnprintf(text, sizeof text, fmt, args);
    text[strcspn(text, "\n")] = '\0';
    log_debug("http.library", "text=%s", LOGQ(text)); /* mostly what clients did wrong */
}

static bool start_tls(struct http_server *server, const struct http_options *o, struct err *err)
{
    if (!o->tls_cert || !o->tls_cert[0])
        return true;
    if (MHD_is_feature_supported(MHD_FEATURE_HTTPS_CERT_CALLBACK2) != MHD_YES)
        return err_set(err, ERR_INPUT, false, HERE, "this libmicrohttpd was built without TLS");
    return tls_new(o->tls_cert, o->tls_key ? o->tls_key : "", &server->tls, err);
}

bool http_reload(struct http_server *server, struct err *err)
{
    return !server->tls || tls_reload(server->tls, err);
}

static bool start_daemon(struct http_server *server, const struct http_options *o, struct err *err)
{
    unsigned io_threads = o->io_threads > 0 ? (unsigned)o->io_threads : 2;
    unsigned tls = server->tls ? MHD_USE_TLS : 0;
    struct MHD_OptionItem tls_options[] = { { MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)TLS_PRIORITIES },
                                            { MHD_OPTION_HTTPS_CERT_CALLBACK2, 0, (void *)connection_present },
                                            { MHD_OPTION_END, 0, NULL } };
    int listen_fd = server->listen_fd;

    server->accept_fd = listen_fd;
    server->listen_fd = -1; /* libmicrohttpd closes it, also when it does not start */

    server->daemon =
        MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | tls, 0,
                         connection_let_in, server, exchange_continue, server, MHD_OPTION_EXTERNAL_LOGGER,
                         on_library_log, server, MHD_OPTION_LISTEN_SOCKET, listen_fd,
                         /* a pool of one is no pool to libmicrohttpd */
                         MHD_OPTION_THREAD_POOL_SIZE, io_threads > 1 ? io_threads : 0U, MHD_OPTION_CONNECTION_LIMIT,
                         /* of which each thread has its part, however unevenly they take connections */
                         io_threads * ((unsigned)server->limits.max_connections + SPARE_CONNECTIONS),
                         MHD_OPTION_CONNECTION_TIMEOUT, 0U, /* the watch knows better */
                         MHD_OPTION_CONNECTION_MEMORY_LIMIT, server->limits.max_header_bytes + OWN_MEMORY_BYTES,
                         MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK, exchange_begin, server,
                         MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, server, MHD_OPTION_NOTIFY_COMPLETED, exchange_end,
                         server, MHD_OPTION_NOTIFY_CONNECTION, connection_changed, server, MHD_OPTION_ARRAY,
                         tls ? tls_options : &tls_options[2], MHD_OPTION_END);
    return server->daemon || err_set(err, ERR_INTERNAL, false, HERE, "libmicrohttpd did not start");
}

static bool make_exhausted(struct http_server *server, struct err *err)
{
    server->exhausted =
        MHD_create_response_from_buffer(sizeof exhausted_text - 1, (void *)exhausted_text, MHD_RESPMEM_PERSISTENT);
    return (server->exhausted &&
            MHD_add_response_header(server->exhausted, "Content-Type", "application/problem+json") == MHD_YES &&
            MHD_add_response_header(server->exhausted, "Retry-After", "1") == MHD_YES &&
            MHD_add_response_header(server->exhausted, "Connection", "close") == MHD_YES) ||
           err_memory(err, HERE);
}

/* Of a server that has metrics: gives back all else that is there. */
static void give_back_rest(struct http_server *server)
{
    watch_end(&server->watch); /* it looks into the pool */
    if (server->daemon)
        MHD_stop_daemon(server->daemon);
    if (server->pool.server)
        pool_done(&server->pool);
    watch_done(&server->watch);
    tally_done(&server->tally);
    networks_done(&server->forwarders);
    origins_done(&server->origins);
    tls_free(server->tls);
    if (server->listen_fd >= 0)
        (void)close(server->listen_fd);
    if (server->exhausted)
        MHD_destroy_response(server->exhausted);
    metrics_done(&server->metrics);
    mem_free(server);
}

static void start_tally(struct http_server *server)
{
    const struct http_limits *l = &server->limits;

    tally_init(&server->tally, &(struct tally_limits){ .connections = l->max_connections_per_address,
                                                       .streams = l->max_streams,
                                                       .running = l->max_running_per_client,
                                                       .parked = l->max_queue / 2,
                                                       .held_bytes = l->max_held_bytes / 4,
                                                       .per_s = l->requests_per_s,
                                                       .burst = l->requests_burst,
                                                       .denied_per_s = l->denied_per_s,
                                                       .denied_burst = DENIED_BURST * l->denied_per_s });
}

static void each_tick(void *arg)
{
    struct http_server *server = arg;

    pool_expire(&server->pool, server->limits.queue_timeout_ms);
}

static bool start_watch(struct http_server *server, struct err *err)
{
    const struct http_limits *l = &server->limits;
    const struct watch_limits limits = { .head_ms = l->head_timeout_ms,
                                         .idle_ms = l->idle_timeout_ms,
                                         .body_ms = l->body_timeout_ms,
                                         .send_ms = l->send_timeout_ms,
                                         .send_bytes = l->send_bytes_per_s * l->send_timeout_ms / 1000 };

    return watch_start(&server->watch, &limits, each_tick, server, err);
}

static bool start_all(struct http_server *server, const struct http_options *o, struct err *err)
{
    return networks_parse(span_of(o->forwarders ? o->forwarders : ""), &server->forwarders, err) &&
           origins_parse(o->cors_origins ? o->cors_origins : "", &server->origins, err) && start_tls(server, o, err) &&
           make_exhausted(server, err) && open_socket(server, o, err) &&
           pool_start(&server->pool, server, o->handler_threads > 0 ? o->handler_threads : 8, server->limits.max_queue,
                      err) &&
           start_watch(server, err) && start_daemon(server, o, err);
}

bool http_start(const struct http_options *options, struct http_server **out, struct err *err)
{
    struct http_server *server = NULL;

    if (!router_check(options->routes, options->route_count, err))
        return false;
    server = mem_alloc(1, sizeof *server);
    if (!server)
        return err_memory(err, HERE);
    if (!metrics_init(&server->metrics, err)) {
        mem_free(server);
        return false;
    }
    server->routes = options->routes;
    server->route_count = options->route_count;
    server->open_context = options->open_context;
    server->close_context = options->close_context;
    server->interrupt_context = options->interrupt_context;
    server->interrupt_ms = options->interrupt_ms > 0 ? options->interrupt_ms : 1500;
    server->authenticate = options->authenticate;
    server->recognize = options->recognize;
    server->admit = options->admit;
    server->open_is_local = options->open_is_local;
    server->arg = options->arg;
    server->listen_fd = -1;
    server->limits = limits_of(&options->limits);
    start_tally(server);
    if (!start_all(server, options, err)) {
        if (server->pool.thread_count == 0 || pool_stop(&server->pool, -1))
            give_back_rest(server);
        return false;
    }
    *out = server;
    return true;
}

int http_port(const struct http_server *server)
{
    return server->port;
}

static bool has_guests(const struct http_server *server)
{
    struct pollfd listening = { .fd = server->accept_fd, .events = POLLIN };

    return poll(&listening, 1, 0) > 0;
}

/* Until every request that reached us is answered: those under way, those that a socket holds unread, and those of
 * connections that the kernel took before we stopped. Then nobody new is let in. False: the time is over. */
static bool drain(struct http_server *server, int64_t grace_ms)
{
    const int64_t begun_ms = clock_mono_ms();
    int64_t left_ms = grace_ms;
    bool shut = false;
    bool done = false;

    atomic_store(&server->guests_until_ms, begun_ms + GUESTS_MS);
    atomic_store(&server->stopping, true);
    for (; !done && left_ms >= 0; left_ms = begun_ms + grace_ms - clock_mono_ms()) {
        bool idle = metrics_wait_idle(&server->metrics, left_ms);

        done = idle && shut && watch_is_quiet(&server->watch);
        shut = shut || clock_mono_ms() >= begun_ms + GUESTS_MS || !has_guests(server);
        if (shut)
            atomic_store(&server->guests_until_ms, begun_ms);
        if (!done)
            (void)usleep(DRAIN_LOOK_MS * 1000);
    }
    return done;
}

bool http_stop(struct http_server *server, int64_t grace_ms)
{
    bool idle = false;

    if (!server)
        return true;
    idle = drain(server, grace_ms);
    if (!idle)
        log_warn("http.stop_cut", "grace_ms=%lld", (long long)grace_ms);
    /* After this no connection is suspended: what libmicrohttpd demands before it stops. */
    if (!pool_stop(&server->pool, server->interrupt_ms)) {
        log_warn("http.threads_left", "waited_ms=%lld", (long long)server->interrupt_ms);
        return false;
    }
    if (!idle)
        (void)metrics_wait_idle(&server->metrics, LAST_WORDS_MS);
    give_back_rest(server);
    return true;
}
