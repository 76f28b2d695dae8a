/* Starting, overload, and stopping: what is started is answered, what is stuck is cut, nothing is left. */
#include "server/http/http.h"

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/mem.h"
#include "tests/support/test.h"
#include "tests/unit/http/raw_client.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

enum { CLIENTS = 8, MUCH_BYTES = 1000000 };

static struct answer got;
static sem_t gate; /* each post lets one gated handler go on */
static atomic_int at_gate;
static atomic_long handled;
static atomic_int contexts_open, opens_that_fail;
static atomic_long states_made, states_freed;

static void gated(struct request *rq, struct reply *rp)
{
    (void)rq;
    atomic_fetch_add(&at_gate, 1);
    while (sem_wait(&gate) != 0)
        continue;
    atomic_fetch_sub(&at_gate, 1);
    buf_text(reply_body(rp), "{}");
}

static void quick(struct request *rq, struct reply *rp)
{
    (void)rq;
    (void)usleep(300);
    atomic_fetch_add(&handled, 1);
    buf_text(reply_body(rp), "{\"quick\":true}");
}

static void inlined(struct request *rq, struct reply *rp)
{
    (void)rq;
    buf_text(reply_body(rp), "{}");
}

static void sluggish(struct request *rq, struct reply *rp)
{
    (void)rq;
    (void)usleep(2500000);
    buf_text(reply_body(rp), "{}");
}

static bool fill(void *state, void *context, struct buf *out, bool *end, struct err *err)
{
    (void)state;
    (void)context;
    (void)end;
    (void)err;
    for (int i = 0; i < 1000; i++)
        buf_text(out, "endless ");
    return true;
}

/* More than the kernel takes from us for a client that does not read. */
static bool fill_much(void *state, void *context, struct buf *out, bool *end, struct err *err)
{
    for (int i = 0; i < MUCH_BYTES / 8000; i++)
        (void)fill(state, context, out, end, err);
    return true;
}

static void free_state(void *state)
{
    atomic_fetch_add(&states_freed, 1);
    mem_free(state);
}

static void stream(struct request *rq, struct reply *rp)
{
    int *calls = mem_alloc(1, sizeof *calls);

    atomic_fetch_add(&states_made, 1);
    reply_stream(rp, "text/plain", rq_query(rq, "much").ptr ? fill_much : fill, calls, free_state);
}

static const struct route routes[] = {
    { "GET", "/gated", ACCESS_READ, 0, gated, false },       { "GET", "/quick", ACCESS_READ, 0, quick, false },
    { "GET", "/inline", ACCESS_PUBLIC, 0, inlined, true },   { "GET", "/stream", ACCESS_READ, 0, stream, false },
    { "GET", "/sluggish", ACCESS_READ, 0, sluggish, false },
};

static void *open_context(void *arg, struct err *err)
{
    (void)arg;
    if (atomic_fetch_sub(&opens_that_fail, 1) > 0) {
        err_set(err, ERR_DATABASE, true, HERE, "no connection");
        return NULL;
    }
    atomic_fetch_add(&contexts_open, 1);
    return mem_alloc(1, 1);
}

static void close_context(void *context)
{
    atomic_fetch_sub(&contexts_open, 1);
    mem_free(context);
}

static struct http_server *start(int handler_threads, int max_queue)
{
    struct http_options options = {
        .host = "127.0.0.1",
        .routes = routes,
        .route_count = sizeof routes / sizeof routes[0],
        .handler_threads = handler_threads,
        .limits = { .max_queue = max_queue, .head_timeout_ms = 1000, .idle_timeout_ms = 1000 },
        .open_context = open_context,
        .close_context = close_context,
        .interrupt_ms = 60000, /* for slow machines: the gates open soon */
    };
    struct http_server *server = NULL;
    struct err err = { 0 };

    if (!CHECK(http_start(&options, &server, &err)))
        abort();
    return server;
}

/* Until the counts say so, or ten seconds. */
static bool wait_queued(struct http_server *server, uint64_t queued, uint64_t streams, int waiting)
{
    int64_t until_ms = clock_mono_ms() + 10000;
    struct http_counts counts;

    do {
        http_counts(server, &counts);
        if (counts.queued == queued && counts.streams == streams && atomic_load(&at_gate) == waiting)
            return true;
        (void)usleep(500);
    } while (clock_mono_ms() < until_ms);
    return false;
}

static int ask_gated(struct http_server *server)
{
    int fd = client_open(http_port(server));

    CHECK(fd >= 0 && client_say(fd, "GET /gated HTTP/1.1\r\nHost: x\r\n\r\n"));
    return fd;
}

static void a_full_queue_says_later(void)
{
    struct http_server *server = start(1, 2);
    struct http_counts counts;
    char field[40];
    int fds[3];

    for (int i = 0; i < 3; i++) {
        fds[i] = ask_gated(server);
        CHECK(wait_queued(server, (uint64_t)i, 0, 1));
    }
    for (int i = 0; i < 5; i++) {
        client_get(http_port(server), "/quick", &got);
        CHECK_I64(got.status, 503);
        CHECK(strstr(got.body, "\"code\":\"overloaded\"") != NULL);
        CHECK_TEXT(answer_header(&got, "Retry-After", field, sizeof field), "1");
    }
    client_get(http_port(server), "/inline", &got); /* needs no handler thread */
    CHECK_I64(got.status, 200);
    http_counts(server, &counts);
    CHECK_I64(counts.refused[HTTP_REFUSED_QUEUE], 5);
    for (int i = 0; i < 3; i++)
        (void)sem_post(&gate);
    for (int i = 0; i < 3; i++) {
        client_read(fds[i], &got, false);
        CHECK_I64(got.status, 200);
        (void)close(fds[i]);
    }
    http_stop(server, 1000);
    CHECK_I64(atomic_load(&contexts_open), 0);
}

static void a_lost_context_comes_back(void)
{
    struct http_server *server = NULL;

    atomic_store(&opens_that_fail, 3); /* one at the thread's start */
    server = start(1, 2);
    for (int i = 0; i < 2; i++) {
        client_get(http_port(server), "/quick", &got);
        CHECK_I64(got.status, 503);
        CHECK(strstr(got.body, "\"code\":\"database_unavailable\"") != NULL);
    }
    client_get(http_port(server), "/quick", &got);
    CHECK_I64(got.status, 200);
    http_stop(server, 1000);
    atomic_store(&opens_that_fail, 0);
    CHECK_I64(atomic_load(&contexts_open), 0);
}

/* Nor does a stream's client who pauses count as idle, but whoever asks nothing does. */
static void what_is_slow_outlives_the_idle_timeout(void)
{
    static char bytes[4 * MUCH_BYTES];
    struct http_server *server = start(1, 2);
    int reader = client_open_with(http_port(server), 4096);
    int idle = client_open(http_port(server));

    CHECK(client_say(reader, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n"));
    CHECK(wait_queued(server, 0, 1, 0));
    client_get(http_port(server), "/sluggish", &got);
    CHECK_I64(got.status, 200);
    CHECK(client_take(reader, bytes, sizeof bytes));
    (void)client_say(idle, "GET /inline HTTP/1.1\r\nHost: x\r\n\r\n");
    client_read(idle, &got, false);
    CHECK_I64(got.status, 0);
    (void)close(reader);
    (void)close(idle);
    http_stop(server, 1000);
}

struct load {
    int port;
    long answered; /* 200 */
    long refused;  /* 503 */
    long broken;   /* begun to arrive, and cut */
};

/* Asks on one connection after another until there is nobody to ask. */
static void *run_load(void *arg)
{
    struct load *l = arg;
    struct answer *a = malloc(sizeof *a);
    int fd = -1;

    while (a && (fd = client_open(l->port)) >= 0) {
        a->status = 200;
        while (a->status == 200 && client_say(fd, "GET /quick HTTP/1.1\r\nHost: x\r\n\r\n")) {
            client_read(fd, a, false);
            l->answered += a->status == 200 && a->whole;
            l->refused += a->status == 503 && a->whole;
            l->broken += a->status != 0 && !a->whole;
        }
        (void)close(fd);
    }
    free(a);
    return NULL;
}

static void a_stop_under_load_loses_no_answer(void)
{
    for (int round = 0; round < 10; round++) {
        struct http_server *server = start(4, 0);
        struct load loads[CLIENTS] = { 0 };
        pthread_t threads[CLIENTS];
        long answered = 0;

        atomic_store(&handled, 0);
        for (int i = 0; i < CLIENTS; i++) {
            loads[i].port = http_port(server);
            CHECK(pthread_create(&threads[i], NULL, run_load, &loads[i]) == 0);
        }
        while (atomic_load(&handled) < 100)
            (void)usleep(500);
        http_stop(server, 10000);
        for (int i = 0; i < CLIENTS; i++) {
            (void)pthread_join(threads[i], NULL);
            answered += loads[i].answered;
            CHECK_I64(loads[i].broken, 0);
        }
        CHECK_I64(answered, atomic_load(&handled));
    }
}

/* Until nobody new is let in. */
static void wait_shut(int port)
{
    do {
        client_get(port, "/inline", &got);
    } while (got.status != 0);
}

static void *stop_soon(void *arg)
{
    http_stop(arg, 200);
    return NULL;
}

static void what_is_stuck_is_cut(void)
{
    struct http_server *server = start(2, 0);
    int port = http_port(server);
    int running[2] = { ask_gated(server), ask_gated(server) };
    int queued[2];
    int reader = client_open_with(port, 4096);
    int idle = client_open(port);
    pthread_t stopper;
    static struct answer cut;

    CHECK(wait_queued(server, 0, 0, 2));
    (void)sem_post(&gate); /* one goes on, to begin an endless stream for a client that does not read */
    (void)sem_post(&gate);
    for (int i = 0; i < 2; i++)
        client_read(running[i], &got, false);
    CHECK(client_say(reader, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n"));
    CHECK(wait_queued(server, 0, 1, 0));
    for (int i = 0; i < 2; i++)
        CHECK(client_say(running[i], "GET /gated HTTP/1.1\r\nHost: x\r\n\r\n"));
    CHECK(wait_queued(server, 0, 1, 2));
    for (int i = 0; i < 2; i++)
        queued[i] = ask_gated(server);
    CHECK(wait_queued(server, 2, 1, 2));
    CHECK(client_say(idle, "GET /inline HTTP/1.1\r\nHost: x\r\n\r\n"));
    client_read(idle, &got, false);
    CHECK_I64(got.status, 200);

    CHECK(pthread_create(&stopper, NULL, stop_soon, server) == 0);
    wait_shut(port);
    CHECK(client_say(idle, "GET /inline HTTP/1.1\r\nHost: x\r\n\r\n"));
    client_read(idle, &got, false);
    CHECK_I64(got.status, 503);
    CHECK(strcasestr(got.head, "\r\nConnection: close\r\n") != NULL);
    for (int i = 0; i < 2; i++) { /* after the grace: answered without having been run */
        client_read(queued[i], &cut, false);
        CHECK_I64(cut.status, 503);
        (void)close(queued[i]);
    }
    (void)sem_post(&gate);
    (void)sem_post(&gate);
    (void)pthread_join(stopper, NULL);
    client_read(reader, &cut, false);
    CHECK(!cut.whole);
    for (int i = 0; i < 2; i++)
        (void)close(running[i]);
    (void)close(reader);
    (void)close(idle);
    CHECK_I64(atomic_load(&contexts_open), 0);
    CHECK_I64(atomic_load(&states_freed), atomic_load(&states_made));
}

/* Streams whose next fill waits in the queue, or comes to a pool that is closed, when the grace ends. */
static void suspended_streams_are_cut(void)
{
    static char bytes[MUCH_BYTES];

    for (int round = 0; round < 5; round++) {
        struct http_server *server = start(1, 0);
        int port = http_port(server);
        pthread_t stopper;
        int readers[4];
        int blocker = -1;

        for (int i = 0; i < 4; i++) {
            readers[i] = client_open_with(port, 4096);
            CHECK(client_say(readers[i], "GET /stream?much HTTP/1.1\r\nHost: x\r\n\r\n"));
            CHECK(client_take_until(readers[i], "\r\n\r\n", got.head, sizeof got.head));
        }
        CHECK(wait_queued(server, 0, 4, 0));
        blocker = ask_gated(server); /* takes the only handler thread */
        CHECK(wait_queued(server, 0, 4, 1));
        for (int i = 0; i < 4; i++)
            CHECK(client_take(readers[i], bytes, sizeof bytes)); /* all that there is: they ask for more */
        CHECK(pthread_create(&stopper, NULL, stop_soon, server) == 0);
        wait_shut(port);
        for (int i = 0; i < 4; i++) {
            char rest[4096];
            while (client_take(readers[i], rest, 1))
                continue;
            (void)close(readers[i]);
        }
        (void)sem_post(&gate);
        (void)pthread_join(stopper, NULL);
        (void)close(blocker);
        CHECK_I64(atomic_load(&at_gate), 0);
        CHECK_I64(atomic_load(&states_freed), atomic_load(&states_made));
    }
}

static void bad_addresses_are_refused(void)
{
    struct http_server *server = start(1, 0);
    const struct {
        const char *host;
        int port;
        const char *says;
    } cases[] = {
        { "127.0.0.1", http_port(server), "in use" },
        { "127.0.0.1", 70000, "0 to 65535" },
        { "127.0.0.1", -1, "0 to 65535" },
        { "no such host", 0, "no such host" },
        { "192.0.2.1", 0, "192.0.2.1" },
    };
    struct http_options options = { .routes = routes, .route_count = 1 };
    struct http_server *second = NULL;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err err = { 0 };
        test_case("%s %d", cases[i].host, cases[i].port);
        options.host = cases[i].host;
        options.port = cases[i].port;
        CHECK(!http_start(&options, &second, &err));
        CHECK_I64(err.kind, ERR_INPUT);
        CHECK(strstr(err.what, cases[i].says) != NULL);
    }
    http_stop(server, 0);
    http_stop(NULL, 0);
}

static const struct test tests[] = {
    { "a full queue says later", a_full_queue_says_later },
    { "a lost context comes back", a_lost_context_comes_back },
    { "what is slow outlives the idle timeout", what_is_slow_outlives_the_idle_timeout },
    { "a stop under load loses no answer", a_stop_under_load_loses_no_answer },
    { "what is stuck is cut", what_is_stuck_is_cut },
    { "suspended streams are cut", suspended_streams_are_cut },
    { "bad addresses are refused", bad_addresses_are_refused },
};

int main(int argc, char **argv)
{
    log_setup(LOG_ERROR_LEVEL, false, STDERR_FILENO);
    (void)sem_init(&gate, 0, 0);
    return test_main("http/stop", tests, (int)(sizeof tests / sizeof tests[0]), argc, argv);
}
