/* Clients that take their time: each is cut at its deadline, however busy it looks, and the others are not. */
#include "server/http/http.h"

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/mem.h"
#include "tests/support/test.h"
#include "tests/unit/http/raw_client.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>

enum { DEADLINE_MS = 600, STEP_MS = 40, MUCH_BYTES = 8 << 20 };

static struct http_server *server;
static struct answer got;

static void echo(struct request *rq, struct reply *rp)
{
    struct json_writer w = json_writer_on(reply_body(rp));

    json_span(&w, rq_body(rq));
}

static void much(struct request *rq, struct reply *rp)
{
    char *room = buf_room(reply_body(rp), MUCH_BYTES);

    (void)rq;
    if (room) {
        memset(room, 'x', MUCH_BYTES);
        buf_grew(reply_body(rp), MUCH_BYTES);
    }
}

static bool fill(void *state, void *context, struct buf *out, bool *end, struct err *err)
{
    int *left = state;
    static const char bytes[65536] = "x";

    (void)context;
    (void)err;
    buf_add(out, bytes, sizeof bytes);
    *end = --*left == 0;
    return true;
}

static void stream(struct request *rq, struct reply *rp)
{
    int *left = mem_alloc(1, sizeof *left);

    (void)rq;
    if (!left)
        return;
    *left = MUCH_BYTES / 65536;
    reply_stream(rp, "text/plain", fill, left, mem_free);
}

/* Longer than a deadline, which is for clients and not for us. */
static bool fill_late(void *state, void *context, struct buf *out, bool *end, struct err *err)
{
    int *calls = state;

    (void)context;
    (void)err;
    if (++*calls > 1)
        (void)usleep((DEADLINE_MS + 300) * 1000);
    buf_text(out, "late\n");
    *end = *calls == 2;
    return true;
}

static void late(struct request *rq, struct reply *rp)
{
    int *calls = mem_alloc(1, sizeof *calls);

    (void)rq;
    if (calls)
        reply_stream(rp, "text/plain", fill_late, calls, mem_free);
}

static const struct route routes[] = {
    { "GET", "/echo", ACCESS_READ, 0, echo, false }, { "POST", "/echo", ACCESS_READ, 1 << 20, echo, false },
    { "GET", "/much", ACCESS_READ, 0, much, false }, { "GET", "/stream", ACCESS_READ, 0, stream, false },
    { "GET", "/late", ACCESS_READ, 0, late, false },
};

static bool start(void)
{
    const struct http_options options = {
        .host = "127.0.0.1",
        .routes = routes,
        .route_count = sizeof routes / sizeof routes[0],
        .handler_threads = 2,
        /* a slow machine may take long to send what is asked for at once: the rate is what a byte now and then is not
         */
        .limits = { .max_held_bytes = 16 * MUCH_BYTES, /* they all come from one address */
                    .head_timeout_ms = DEADLINE_MS,
                    .idle_timeout_ms = DEADLINE_MS,
                    .body_timeout_ms = DEADLINE_MS,
                    .send_timeout_ms = DEADLINE_MS,
                    .send_bytes_per_s = 100000 },
    };
    struct err err = { 0 };

    return CHECK(http_start(&options, &server, &err));
}

/* Says text byte by byte for ever, or reads a little for ever, until the connection is cut. Gives how long that took;
 * -1: it was not. */
static int64_t trickle(int fd, const char *text, size_t read_each)
{
    const int64_t begun_ms = clock_mono_ms();
    char bytes[4096];

    for (size_t i = 0; clock_mono_ms() < begun_ms + 20 * DEADLINE_MS; i++) {
        struct pollfd end = { .fd = fd, .events = POLLRDHUP };
        if (poll(&end, 1, STEP_MS) != 0 && (end.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0)
            return clock_mono_ms() - begun_ms;
        if (text && send(fd, &text[i % strlen(text)], 1, MSG_NOSIGNAL) != 1)
            return clock_mono_ms() - begun_ms;
        if (read_each > 0)
            (void)recv(fd, bytes, read_each, MSG_DONTWAIT);
    }
    return -1;
}

struct slow {
    const char *first; /* said at once, its answer read */
    const char *begin; /* said at once */
    const char *text;  /* then byte by byte, without end */
    size_t read_each;
    enum http_cut cut;
};

static const struct slow slow_clients[] = {
    { NULL, "", NULL, 0, HTTP_CUT_HEAD },
    { NULL, "", "GET / HTTP/1.1\r\nHost: x\r\nX: ", 0, HTTP_CUT_HEAD },
    { NULL, "GET /echo HTTP/1.1\r\nHost: x\r\n", "X: y\r\n", 0, HTTP_CUT_HEAD },
    { "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n", "", NULL, 0, HTTP_CUT_IDLE },
    { "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n", "GET /echo HTTP/1.1\r\nHost: x\r\n", "X: y\r\n", 0, HTTP_CUT_IDLE },
    { NULL, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n", "slow", 0, HTTP_CUT_BODY },
    { NULL, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n", 0, HTTP_CUT_BODY },
    { NULL, "POST /nope HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n", "slow", 0, HTTP_CUT_BODY },
    { NULL, "GET /much HTTP/1.1\r\nHost: x\r\n\r\n", NULL, 0, HTTP_CUT_SEND },
    { NULL, "GET /much HTTP/1.1\r\nHost: x\r\n\r\n", NULL, 100, HTTP_CUT_SEND },
    { NULL, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n", NULL, 0, HTTP_CUT_SEND },
    { NULL, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n", NULL, 100, HTTP_CUT_SEND },
};
enum { SLOW_CLIENTS = sizeof slow_clients / sizeof slow_clients[0] };

struct run {
    const struct slow *client;
    int64_t took_ms;
};

static void *run_slow(void *arg)
{
    struct run *run = arg;
    int fd = client_open_with(http_port(server), 4096);
    struct answer *a = malloc(sizeof *a);

    run->took_ms = -2;
    if (a && run->client->first) {
        (void)client_say(fd, run->client->first);
        client_read(fd, a, false);
    }
    if (client_say(fd, run->client->begin))
        run->took_ms = trickle(fd, run->client->text, run->client->read_each);
    (void)close(fd);
    free(a);
    return NULL;
}

static void slow_clients_are_cut(void)
{
    struct run runs[SLOW_CLIENTS];
    pthread_t threads[SLOW_CLIENTS];
    struct http_counts counts = { 0 };
    uint64_t want[HTTP_CUTS] = { 0 };
    int64_t until_ms = 0;

    if (!start())
        return;
    for (int i = 0; i < SLOW_CLIENTS; i++) {
        runs[i] = (struct run){ .client = &slow_clients[i] };
        want[slow_clients[i].cut]++;
        CHECK(pthread_create(&threads[i], NULL, run_slow, &runs[i]) == 0);
    }
    for (int i = 0; i < SLOW_CLIENTS; i++) {
        (void)pthread_join(threads[i], NULL);
        test_case("%s%s", slow_clients[i].begin, slow_clients[i].text ? slow_clients[i].text : "");
        CHECK(runs[i].took_ms >= DEADLINE_MS - STEP_MS); /* not before, and (-1) not never */
    }
    test_case(NULL);
    until_ms = clock_mono_ms() + 10000;
    do
        http_counts(server, &counts);
    while ((counts.connections > 0 || counts.in_flight > 0) && clock_mono_ms() < until_ms);
    CHECK_I64(counts.connections, 0);
    CHECK_I64(counts.in_flight, 0);
    CHECK_I64(counts.streams, 0);
    for (int i = 0; i < HTTP_CUTS; i++)
        CHECK_I64(counts.cuts[i], want[i]);
    http_stop(server, 1000);
}

/* Whoever reads at a fair rate for much longer than a deadline, and whoever waits for us. */
static void fair_clients_are_not(void)
{
    static char bytes[65536];
    int fd = -1, waiting = -1;
    size_t taken = 0;
    ssize_t n = 0;

    if (!start())
        return;
    fd = client_open_with(http_port(server), 65536);
    waiting = client_open(http_port(server));
    CHECK(client_say(fd, "GET /stream HTTP/1.0\r\nHost: x\r\n\r\n"));
    CHECK(client_say(waiting, "GET /late HTTP/1.1\r\nHost: x\r\n\r\n"));
    for (int64_t begun_ms = clock_mono_ms(); clock_mono_ms() < begun_ms + 3 * DEADLINE_MS; (void)usleep(20000)) {
        n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
        CHECK(n > 0 || (n < 0 && errno == EAGAIN));
        taken += n > 0 ? (size_t)n : 0;
    }
    while ((n = recv(fd, bytes, sizeof bytes, 0)) > 0)
        taken += (size_t)n;
    CHECK(taken > MUCH_BYTES);
    client_read(waiting, &got, false);
    CHECK(got.whole);
    CHECK_TEXT(got.body, "late\nlate\n");
    (void)close(fd);
    (void)close(waiting);
    http_stop(server, 1000);
}

static const struct test tests[] = {
    { "slow clients are cut", slow_clients_are_cut },
    { "fair clients are not", fair_clients_are_not },
};

int main(int argc, char **argv)
{
    log_setup(LOG_ERROR_LEVEL, false, STDERR_FILENO);
    return test_main("http/deadline", tests, (int)(sizeof tests / sizeof tests[0]), argc, argv);
}
