/* A stop does not wait for ever: handlers that are at it too long are interrupted, and those that do not mind are left.
 */
#include "server/http/http.h"

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/mem.h"
#include "tests/support/test.h"
#include "tests/unit/http/raw_client.h"

#include <stdatomic.h>

struct context {
    atomic_bool interrupted;
};
static struct answer got;
static atomic_int at_work, contexts_open, interrupts;
static atomic_bool released;

/* Works until it is interrupted. */
static void stubborn(struct request *rq, struct reply *rp)
{
    struct context *context = rq_context(rq);

    atomic_fetch_add(&at_work, 1);
    while (!atomic_load(&context->interrupted))
        (void)usleep(1000);
    atomic_fetch_sub(&at_work, 1);
    reply_problem(rq, rp, 503, "shutting_down", "Interrupted.");
}

/* Does not mind interrupts. */
static void deaf(struct request *rq, struct reply *rp)
{
    (void)rq;
    atomic_fetch_add(&at_work, 1);
    while (!atomic_load(&released))
        (void)usleep(1000);
    atomic_fetch_sub(&at_work, 1);
    buf_text(reply_body(rp), "{}");
}

static const struct route routes[] = {
    { "GET", "/stubborn", ACCESS_READ, 0, stubborn, false },
    { "GET", "/deaf", ACCESS_READ, 0, deaf, false },
};

static void *open_context(void *arg, struct err *err)
{
    (void)arg;
    (void)err;
    atomic_fetch_add(&contexts_open, 1);
    return mem_alloc(1, sizeof(struct context));
}

static void close_context(void *context)
{
    atomic_fetch_sub(&contexts_open, 1);
    mem_free(context);
}

static void interrupt_context(void *context)
{
    atomic_fetch_add(&interrupts, 1);
    atomic_store(&((struct context *)context)->interrupted, true);
}

static struct http_server *start(int64_t interrupt_ms)
{
    const struct http_options options = {
        .host = "127.0.0.1",
        .routes = routes,
        .route_count = sizeof routes / sizeof routes[0],
        .handler_threads = 3,
        .open_context = open_context,
        .close_context = close_context,
        .interrupt_context = interrupt_context,
        .interrupt_ms = interrupt_ms,
    };
    struct http_server *server = NULL;
    struct err err = { 0 };

    atomic_store(&interrupts, 0);
    if (!CHECK(http_start(&options, &server, &err)))
        abort();
    return server;
}

/* Asks, and waits until so many handlers are at work. */
static int ask(struct http_server *server, const char *request, int working)
{
    int64_t until_ms = clock_mono_ms() + 10000;
    int fd = client_open(http_port(server));

    CHECK(fd >= 0 && client_say(fd, request));
    while (atomic_load(&at_work) < working && clock_mono_ms() < until_ms)
        (void)usleep(500);
    CHECK_I64(atomic_load(&at_work), working);
    return fd;
}

static void who_works_too_long_is_interrupted(void)
{
    struct http_server *server = start(60000);
    int fds[2];

    for (int i = 0; i < 2; i++)
        fds[i] = ask(server, "GET /stubborn HTTP/1.1\r\nHost: x\r\n\r\n", i + 1);
    CHECK(http_stop(server, 100));
    CHECK(atomic_load(&interrupts) >= 2);
    for (int i = 0; i < 2; i++) { /* and still has the last word */
        client_read(fds[i], &got, false);
        CHECK_I64(got.status, 503);
        CHECK(strstr(got.body, "\"code\":\"shutting_down\"") != NULL);
        (void)close(fds[i]);
    }
    CHECK_I64(atomic_load(&contexts_open), 0);
}

static void who_has_nothing_to_do_is_not_interrupted(void)
{
    CHECK(http_stop(start(60000), 100));
    CHECK_I64(atomic_load(&interrupts), 0);
    CHECK_I64(atomic_load(&contexts_open), 0);
}

static void who_does_not_end_is_left(void)
{
    struct http_server *server = start(300);
    int fd = ask(server, "GET /deaf HTTP/1.1\r\nHost: x\r\n\r\n", 1);
    int64_t started_ms = clock_mono_ms();

    CHECK(!http_stop(server, 100));
    CHECK(clock_mono_ms() - started_ms >= 400);
    CHECK_I64(atomic_load(&at_work), 1);
    atomic_store(&released, true);
    while (!http_stop(server, 100))
        continue;
    CHECK_I64(atomic_load(&contexts_open), 0);
    (void)close(fd);
}

static const struct test tests[] = {
    { "who works too long is interrupted", who_works_too_long_is_interrupted },
    { "who has nothing to do is not interrupted", who_has_nothing_to_do_is_not_interrupted },
    { "who does not end is left", who_does_not_end_is_left },
};

int main(int argc, char **argv)
{
    log_setup(LOG_ERROR_LEVEL, false, STDERR_FILENO);
    return test_main("http/interrupt", tests, (int)(sizeof tests / sizeof tests[0]), argc, argv);
}
