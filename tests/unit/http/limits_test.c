/* Every limit on what clients may take is reached, answered as it should be, and given back. */
#include "server/http/http.h"

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/mem.h"
#include "tests/support/test.h"
#include "tests/unit/http/raw_client.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

static struct http_server *server;
static struct answer got;
static char field[1024];
static sem_t gate; /* each post lets one gated handler go on */
static atomic_int at_gate;

#define HEADER(name) answer_header(&got, name, field, sizeof field)
#define PUBLIC "GET /public HTTP/1.1\r\nHost: x\r\n\r\n"

static void plain(struct request *rq, struct reply *rp)
{
    struct json_writer w = json_writer_on(reply_body(rp));

    json_begin_object(&w);
    json_put_text(&w, "from", rq_address(rq));
    json_put_span(&w, "body", rq_body(rq));
    json_end_object(&w);
}

static void gated(struct request *rq, struct reply *rp)
{
    (void)rq;
    atomic_fetch_add(&at_gate, 1);
    while (sem_wait(&gate) != 0)
        continue;
    atomic_fetch_sub(&at_gate, 1);
    buf_text(reply_body(rp), "{}");
}

static bool fill(void *state, void *context, struct buf *out, bool *end, struct err *err)
{
    static const char bytes[65536] = "x";
    int *left = state;

    (void)context;
    (void)err;
    buf_add(out, bytes, sizeof bytes);
    *end = --*left == 0;
    return true;
}

static void stream(struct request *rq, struct reply *rp)
{
    int *left = mem_alloc(1, sizeof *left);

    if (!left)
        return;
    *left = rq_query(rq, "short").ptr ? 1 : 64;
    reply_stream(rp, "text/plain", fill, left, mem_free);
}

static const struct route routes[] = {
    { "GET", "/public", ACCESS_PUBLIC, 0, plain, true },   { "GET", "/plain", ACCESS_READ, 0, plain, false },
    { "POST", "/plain", ACCESS_READ, 1000, plain, false }, { "GET", "/gated", ACCESS_READ, 0, gated, false },
    { "GET", "/stream", ACCESS_READ, 0, stream, false },
};

/* "one", "two" and "powerless" are keys. */
static bool authenticate(void *arg, void *context, struct span token, struct caller *caller, struct err *err)
{
    (void)arg;
    (void)context;
    if (!span_eq_text(token, "one") && !span_eq_text(token, "two") && !span_eq_text(token, "powerless"))
        return err_set(err, ERR_DENIED, false, HERE, "no such key");
    *caller = (struct caller){ .key_id = token.ptr[0], .scopes = token.ptr[0] == 'p' ? 0 : SCOPE_ALL };
    return true;
}

static void start(bool asks, struct http_limits limits, const char *forwarders)
{
    const struct http_options options = { .host = "127.0.0.1",
                                          .routes = routes,
                                          .route_count = sizeof routes / sizeof routes[0],
                                          .handler_threads = 1,
                                          .limits = limits,
                                          .forwarders = forwarders,
                                          .authenticate = asks ? authenticate : NULL };
    struct err err = { 0 };

    if (!CHECK(http_start(&options, &server, &err)))
        abort();
}

static void stop(void)
{
    CHECK(http_stop(server, 5000));
}

static void ask(const char *path, const char *headers)
{
    char request[1000];

    (void)snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n", path, headers);
    client_ask(http_port(server), request, &got);
}

static void check_refused(int status, const char *code)
{
    char want[100];

    CHECK_I64(got.status, status);
    CHECK(got.whole);
    (void)snprintf(want, sizeof want, "\"code\":\"%s\"", code);
    if (!CHECK(strstr(got.body, want) != NULL))
        CHECK_TEXT(got.body, want);
    if (status != 413 && status != 431)
        CHECK(atoi(HEADER("Retry-After")) > 0);
}

static void wait_connections(uint64_t want)
{
    const int64_t until_ms = clock_mono_ms() + 10000;
    struct http_counts counts = { 0 };

    do
        http_counts(server, &counts);
    while (counts.connections != want && clock_mono_ms() < until_ms);
    CHECK_I64(counts.connections, want);
}

static void check_counted(enum http_refusal why, uint64_t want)
{
    struct http_counts counts = { 0 };

    http_counts(server, &counts);
    CHECK_I64(counts.refused[why], want);
}

/* From another address of loopback, such as "127.0.0.9". */
static int open_from(const char *address)
{
    struct sockaddr_in from = { .sin_family = AF_INET }, to = { .sin_family = AF_INET };
    struct timeval patience = { .tv_sec = 30 };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)inet_pton(AF_INET, address, &from.sin_addr);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons((uint16_t)http_port(server));
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    CHECK(bind(fd, (struct sockaddr *)&from, sizeof from) == 0);
    CHECK(connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
    return fd;
}

/* What one more connection from there gets: 200, or 0 where it is closed. */
static int knock(const char *address)
{
    int fd = open_from(address);

    got.status = 0;
    if (client_say(fd, PUBLIC))
        client_read(fd, &got, false);
    (void)close(fd);
    return got.status;
}

static void connections_are_bounded(void)
{
    int fds[8];

    start(false, (struct http_limits){ .max_connections = 8 }, NULL);
    for (int i = 0; i < 8; i++)
        fds[i] = open_from("127.0.0.1");
    wait_connections(8);
    CHECK_I64(knock("127.0.0.1"), 0);
    CHECK_I64(knock("127.0.0.9"), 0);
    check_counted(HTTP_REFUSED_CONNECTIONS, 2);
    CHECK(client_say(fds[0], PUBLIC)); /* those that are in are served */
    client_read(fds[0], &got, false);
    CHECK_I64(got.status, 200);
    for (int i = 0; i < 8; i++)
        (void)close(fds[i]);
    wait_connections(0);
    CHECK_I64(knock("127.0.0.1"), 200);
    stop();
}

static void connections_of_an_address_are_bounded(void)
{
    int fds[3];

    start(false, (struct http_limits){ .max_connections_per_address = 3 }, "127.0.0.7/32");
    for (int i = 0; i < 3; i++)
        fds[i] = open_from("127.0.0.1");
    wait_connections(3);
    CHECK_I64(knock("127.0.0.1"), 0);
    CHECK_I64(knock("127.0.0.9"), 200);
    check_counted(HTTP_REFUSED_ADDRESS, 1);
    (void)close(fds[2]);
    wait_connections(2);
    CHECK_I64(knock("127.0.0.1"), 200);
    for (int i = 0; i < 2; i++)
        (void)close(fds[i]);
    wait_connections(0);
    for (int i = 0; i < 3; i++) /* for a forwarder it would be a limit on all */
        fds[i] = open_from("127.0.0.7");
    wait_connections(3);
    CHECK_I64(knock("127.0.0.7"), 200);
    for (int i = 0; i < 3; i++)
        (void)close(fds[i]);
    stop();
}

static void heads_are_bounded(void)
{
    static char request[70000];
    static const struct {
        int bytes, status;
    } cases[] = { { 3900, 200 }, { 4200, 431 }, { 15000, 431 }, { 60000, 431 } };

    start(false, (struct http_limits){ .max_header_bytes = 4096 }, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        test_case("%d bytes", cases[i].bytes);
        (void)snprintf(request, sizeof request, "GET /plain HTTP/1.1\r\nHost: x\r\nX: %0*d\r\n\r\n", cases[i].bytes, 1);
        client_ask(http_port(server), request, &got);
        CHECK_I64(got.status, cases[i].status);
        if (cases[i].status == 431 && cases[i].bytes < 16000) /* beyond, libmicrohttpd has words of its own */
            check_refused(431, "headers_too_large");
    }
    stop();
}

static void bodies_are_bounded_for_all_routes(void)
{
    start(false, (struct http_limits){ .max_body_bytes = 10 }, NULL);
    client_ask(http_port(server), "POST /plain HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n0123456789", &got);
    CHECK_I64(got.status, 200);
    client_ask(http_port(server), "POST /plain HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n0123456789a", &got);
    check_refused(413, "body_too_large");
    CHECK(strstr(got.body, "at most 10 bytes") != NULL);
    client_ask(http_port(server),
               "POST /plain HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n0123456789a\r\n0\r\n\r\n",
               &got);
    check_refused(413, "body_too_large");
    stop();
}

/* A whole body of that length; its answer is in `got`. */
static void post(int length)
{
    char request[1200], bytes[1000];

    memset(bytes, 'a', sizeof bytes);
    (void)snprintf(request, sizeof request, "POST /plain HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%.*s", length,
                   length, bytes);
    client_ask(http_port(server), request, &got);
}

/* Clients that have sent so much of bodies which never end, and are held: a body of `probe` bytes finds no room beside
 * them. Where it came between them it took the room of one, and all begin anew. */
static void open_bodies(int *fds, int count, size_t len, int probe)
{
    char bytes[1000];

    memset(bytes, 'a', sizeof bytes);
    for (;;) {
        for (int i = 0; i < count; i++) {
            fds[i] = client_open(http_port(server));
            CHECK(client_say(fds[i], "POST /plain HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n") &&
                  client_send(fds[i], bytes, len));
        }
        post(probe);
        if (got.status != 200)
            return;
        for (int i = 0; i < count; i++)
            (void)close(fds[i]);
        wait_connections(0);
    }
}

/* Many small bodies that never end take no more than they may, all together. */
static void memory_is_bounded(void)
{
    int fds[4];

    start(false, (struct http_limits){ .max_held_bytes = 4000, .body_timeout_ms = 60000 }, NULL);
    open_bodies(fds, 4, 900, 401);
    check_refused(503, "overloaded");
    for (int i = 0; i < 4; i++)
        (void)close(fds[i]);
    wait_connections(0);
    post(1000); /* all was given back */
    CHECK_I64(got.status, 200);
    stop();
}

/* A body that was refused holds nothing, though its client is still sending it. */
static void what_is_refused_holds_nothing(void)
{
    struct http_counts counts = { 0 };
    uint64_t refused = 0;
    int fd = -1;

    start(false, (struct http_limits){ .max_held_bytes = 700, .body_timeout_ms = 60000 }, NULL);
    open_bodies(&fd, 1, 500, 300);
    check_refused(503, "overloaded");
    http_counts(server, &counts);
    refused = counts.refused[HTTP_REFUSED_MEMORY];
    CHECK(client_say(
        fd, "................................................................................................"
            "................................................................................................"
            "................................................................................................"));
    do /* now it is refused itself */
        http_counts(server, &counts);
    while (counts.refused[HTTP_REFUSED_MEMORY] == refused);
    do /* the count comes just before the room */
        post(600);
    while (got.status == 503 && ++refused < 1000);
    CHECK_I64(got.status, 200);
    (void)close(fd);
    stop();
}

static void waiting_is_bounded(void)
{
    int running = -1, waiting[2];
    int64_t begun_ms = 0;

    start(false, (struct http_limits){ .max_queue = 2, .queue_timeout_ms = 300 }, NULL);
    running = client_open(http_port(server));
    CHECK(client_say(running, "GET /gated HTTP/1.1\r\nHost: x\r\n\r\n"));
    while (atomic_load(&at_gate) == 0)
        (void)usleep(500);
    begun_ms = clock_mono_ms();
    for (int i = 0; i < 2; i++) {
        waiting[i] = client_open(http_port(server));
        CHECK(client_say(waiting[i], "GET /plain HTTP/1.1\r\nHost: x\r\n\r\n"));
    }
    for (int i = 0; i < 2; i++) {
        client_read(waiting[i], &got, false); /* while the only thread still works for the first */
        check_refused(503, "overloaded");
        CHECK(strstr(got.body, "was not begun") != NULL);
        (void)close(waiting[i]);
    }
    CHECK(clock_mono_ms() - begun_ms >= 300);
    check_counted(HTTP_REFUSED_WAIT, 2);
    (void)sem_post(&gate);
    client_read(running, &got, false);
    CHECK_I64(got.status, 200);
    (void)close(running);
    stop();
}

static int open_stream(const char *headers)
{
    int fd = client_open_with(http_port(server), 4096);
    char request[200];

    (void)snprintf(request, sizeof request, "GET /stream HTTP/1.1\r\nHost: x\r\n%s\r\n", headers);
    CHECK(client_say(fd, request));
    CHECK(client_take_until(fd, "\r\n\r\n", got.head, sizeof got.head));
    CHECK(strncmp(got.head, "HTTP/1.1 200 ", 13) == 0);
    return fd;
}

static void streams_are_bounded(void)
{
    int fds[3];

    start(true, (struct http_limits){ .max_streams = 2 }, NULL);
    fds[0] = open_stream("x-api-key: one\r\n");
    fds[1] = open_stream("x-api-key: one\r\n");
    ask("/stream", "x-api-key: one\r\n");
    check_refused(429, "too_many_streams");
    check_counted(HTTP_REFUSED_STREAMS, 1);
    ask("/stream?short", "x-api-key: one\r\n"); /* sent whole, no stream */
    CHECK_I64(got.status, 200);
    fds[2] = open_stream("x-api-key: two\r\n");
    for (int i = 0; i < 3; i++)
        (void)close(fds[i]);
    wait_connections(0);
    fds[0] = open_stream("x-api-key: one\r\n");
    (void)close(fds[0]);
    stop();
    start(false, (struct http_limits){ .max_streams = 1 }, NULL); /* by address */
    fds[0] = open_stream("");
    ask("/stream", "");
    check_refused(429, "too_many_streams");
    (void)close(fds[0]);
    stop();
}

static void rates_are_bounded(void)
{
    int ok = 0;

    start(true, (struct http_limits){ .requests_per_s = 1, .requests_burst = 4 }, NULL);
    for (int i = 0; i < 5; i++) {
        ask("/plain", "Authorization: Bearer one\r\n");
        ok += got.status == 200;
    }
    CHECK(ok == 4 || ok == 5); /* a slow machine takes a second for them */
    while (got.status == 200)
        ask("/plain", "Authorization: Bearer one\r\n");
    check_refused(429, "rate_limited");
    CHECK_TEXT(HEADER("Retry-After"), "1");
    CHECK_TEXT(HEADER("RateLimit-Policy"), "\"requests\";q=4;w=4");
    CHECK_TEXT(HEADER("RateLimit"), "\"requests\";r=0;t=4");
    ask("/plain", "Authorization: Bearer two\r\n");
    CHECK_I64(got.status, 200);
    CHECK_TEXT(HEADER("RateLimit"), "\"requests\";r=3;t=1");
    do /* what is refused counts too */
        ask("/plain", "Authorization: Bearer powerless\r\n");
    while (got.status == 403);
    check_refused(429, "rate_limited");
    for (int i = 0; i < 10; i++) { /* public routes are for everybody, at any rate */
        ask("/public", "");
        CHECK_I64(got.status, 200);
        CHECK_TEXT(HEADER("RateLimit"), "");
    }
    stop();
    start(false, (struct http_limits){ .requests_per_s = 1, .requests_burst = 1 }, NULL);
    do
        ask("/plain", "");
    while (got.status == 200);
    check_refused(429, "rate_limited");
    CHECK(strstr(got.body, "This address") != NULL);
    stop();
}

static void wrong_keys_are_bounded(void)
{
    int denied = 0;

    start(true, (struct http_limits){ .denied_per_s = 1 }, NULL);
    for (got.status = 401; got.status == 401 && denied < 1000; denied += got.status == 401)
        ask("/plain", denied % 2 ? "x-api-key: three\r\n" : "");
    check_refused(429, "too_many_denied");
    CHECK(denied >= 10 && denied < 1000);
    ask("/public", "x-api-key: three\r\n");
    CHECK_I64(got.status, 200);
    do { /* it passes */
        (void)usleep(50000);
        ask("/plain", "x-api-key: one\r\n");
    } while (got.status == 429);
    CHECK_I64(got.status, 200);
    stop();
}

static void forwarders_speak_for_others(void)
{
    static const struct {
        const char *forwarders, *headers, *want;
    } cases[] = {
        { NULL, "X-Forwarded-For: 192.0.2.1\r\n", "127.0.0.1" },
        { "10.0.0.0/8", "X-Forwarded-For: 192.0.2.1\r\n", "127.0.0.1" },
        { "127.0.0.0/8", "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 192.0.2.1, 127.0.0.2\r\n", "192.0.2.1" },
        { "127.0.0.0/8", "", "127.0.0.1" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char want[100];

        test_case("%s", cases[i].headers);
        start(false, (struct http_limits){ 0 }, cases[i].forwarders);
        ask("/plain", cases[i].headers);
        (void)snprintf(want, sizeof want, "\"from\":\"%s\"", cases[i].want);
        CHECK(strstr(got.body, want) != NULL);
        stop();
    }
}

static const struct test tests[] = {
    { "connections are bounded", connections_are_bounded },
    { "connections of an address are bounded", connections_of_an_address_are_bounded },
    { "heads are bounded", heads_are_bounded },
    { "bodies are bounded for all routes", bodies_are_bounded_for_all_routes },
    { "memory is bounded", memory_is_bounded },
    { "what is refused holds nothing", what_is_refused_holds_nothing },
    { "waiting is bounded", waiting_is_bounded },
    { "streams are bounded", streams_are_bounded },
    { "rates are bounded", rates_are_bounded },
    { "wrong keys are bounded", wrong_keys_are_bounded },
    { "forwarders speak for others", forwarders_speak_for_others },
};

int main(int argc, char **argv)
{
    log_setup(LOG_ERROR_LEVEL, false, STDERR_FILENO);
    (void)sem_init(&gate, 0, 0);
    return test_main("http/limits", tests, (int)(sizeof tests / sizeof tests[0]), argc, argv);
}
