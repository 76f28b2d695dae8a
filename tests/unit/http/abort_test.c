/* Clients that go away in every phase of a request: nothing stays behind. */
#include "server/http/http.h"

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/mem.h"
#include "tests/support/test.h"
#include "tests/unit/http/raw_client.h"

#include <pthread.h>
#include <stdatomic.h>

enum { CLIENTS = 4, ABORTS_EACH = 500 };

static struct http_server *server;
static atomic_long states_made, states_freed;

struct source {
    int left;
    char *kept; /* so that a forgotten state is a leak that is seen */
};

static void free_source(void *state)
{
    struct source *s = state;

    atomic_fetch_add(&states_freed, 1);
    mem_free(s->kept);
    mem_free(s);
}

static bool fill(void *state, void *context, struct buf *out, bool *end, struct err *err)
{
    struct source *s = state;
    static const char bytes[8192] = "x";

    (void)context;
    (void)err;
    for (int i = 0; i < 8; i++)
        buf_add(out, bytes, sizeof bytes);
    *end = --s->left == 0;
    return true;
}

static void stream(struct request *rq, struct reply *rp)
{
    struct source *s = mem_alloc(1, sizeof *s);

    (void)rq;
    if (!s)
        return;
    s->left = 40;
    s->kept = mem_text("kept");
    atomic_fetch_add(&states_made, 1);
    reply_stream(rp, "text/plain", fill, s, free_source);
}

static void echo(struct request *rq, struct reply *rp)
{
    struct json_writer w = json_writer_on(reply_body(rp));

    if (rq_query(rq, "wait").ptr)
        (void)usleep(2000); /* a handler at work while its client leaves */
    json_span(&w, rq_body(rq));
}

static void fields(struct request *rq, struct reply *rp)
{
    json_t *object = rq_json(rq, rp);
    struct fields f;
    struct span name;

    if (!object)
        return;
    fields_begin(&f, rq, rp, object);
    (void)fields_text(&f, "name", true, 1, 10, &name);
    if (fields_end(&f))
        reply_status(rp, 204);
}

static const struct route routes[] = {
    { "GET", "/inline", ACCESS_PUBLIC, 0, echo, true },    { "GET", "/echo", ACCESS_READ, 0, echo, false },
    { "POST", "/echo", ACCESS_RUN, 1 << 20, echo, false }, { "POST", "/fields", ACCESS_RUN, 65536, fields, false },
    { "GET", "/stream", ACCESS_READ, 0, stream, false },
};

#define JSON_HEAD "POST /fields HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: "
static const char *const requests[] = {
    "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /inline HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /echo?wait HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /echo?wait HTTP/1.1\r\nHost: x\r\n\r\nGET /stream HTTP/1.1\r\nHost: x\r\n\r\n",
    "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 26\r\n\r\nabcdefghijklmnopqrstuvwxyz",
    "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n3\r\nxyz\r\n0\r\n\r\n",
    "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\nabc",
    JSON_HEAD "12\r\n\r\n{\"name\":\"a\"}",
    JSON_HEAD "12\r\n\r\n{\"nome\":\"a\"}",
    "POST /nope HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\n{\"name\":\"a\"}",
    "GET /nope HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n",
    "BROKEN\r\n\r\n",
};

/* A cheap generator: each client has its own, so a failing run can be repeated. */
static uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* Sends part or all of a request, reads none, some or much of the answer, and goes away politely or not. */
static void abort_once(uint32_t *random)
{
    static _Thread_local char sink[40000];
    const char *request = requests[next_random(random) % (sizeof requests / sizeof requests[0])];
    size_t len = strlen(request);
    struct linger reset = { .l_onoff = 1 };
    int fd = client_open(http_port(server));

    if (fd < 0)
        return;
    if (next_random(random) % 2)
        len = next_random(random) % (len + 1);
    (void)client_send(fd, request, len);
    switch (next_random(random) % 4) {
    case 0:
        break;
    case 1:
        (void)shutdown(fd, SHUT_WR);
        break;
    case 2:
        (void)recv(fd, sink, 1 + next_random(random) % 300, len == strlen(request) ? 0 : MSG_DONTWAIT);
        break;
    default:
        if (request == requests[0] && len == strlen(request))
            (void)client_take(fd, sink, next_random(random) % sizeof sink);
        break;
    }
    if (next_random(random) % 2)
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    (void)close(fd);
}

static void *run_client(void *arg)
{
    uint32_t random = 2463534242U + 7919U * (uint32_t) * (int *)arg;

    for (int i = 0; i < ABORTS_EACH; i++)
        abort_once(&random);
    return NULL;
}

static void aborts_leave_nothing(void)
{
    struct http_options options = { .host = "127.0.0.1",
                                    .routes = routes,
                                    .route_count = sizeof routes / sizeof routes[0],
                                    .handler_threads = 3,
                                    .limits = { .max_connections_per_address = 1024,
                                                .idle_timeout_ms = 600000,
                                                .body_timeout_ms = 600000,
                                                .head_timeout_ms = 600000 } };
    pthread_t threads[CLIENTS];
    int numbers[CLIENTS];
    struct http_counts counts = { 0 };
    struct answer *got = malloc(sizeof *got);
    struct err err = { 0 };
    int64_t until_ms = 0;

    if (!CHECK(http_start(&options, &server, &err)) || !CHECK(got != NULL))
        return;
    for (int i = 0; i < CLIENTS; i++) {
        numbers[i] = i;
        CHECK(pthread_create(&threads[i], NULL, run_client, &numbers[i]) == 0);
    }
    for (int i = 0; i < CLIENTS; i++)
        (void)pthread_join(threads[i], NULL);
    client_get(http_port(server), "/echo", got);
    CHECK_I64(got->status, 200);
    until_ms = clock_mono_ms() + 30000;
    do {
        http_counts(server, &counts);
        (void)usleep(1000);
    } while ((counts.in_flight > 0 || counts.connections > 0) && clock_mono_ms() < until_ms);
    printf("  %llu requests were begun, %ld streams\n", (unsigned long long)counts.requests, atomic_load(&states_made));
    CHECK(counts.requests > CLIENTS * ABORTS_EACH / 8);
    CHECK_I64(counts.in_flight, 0);
    CHECK_I64(counts.streams, 0);
    CHECK_I64(counts.queued, 0);
    CHECK_I64(counts.connections, 0);
    CHECK(atomic_load(&states_made) > CLIENTS * ABORTS_EACH / 80);
    CHECK_I64(atomic_load(&states_freed), atomic_load(&states_made));
    http_stop(server, 1000);
    free(got);
}

static const struct test tests[] = {
    { "2,000 aborts leave nothing", aborts_leave_nothing },
};

int main(int argc, char **argv)
{
    log_setup(LOG_ERROR_LEVEL, false, STDERR_FILENO);
    return test_main("http/abort", tests, (int)(sizeof tests / sizeof tests[0]), argc, argv);
}
