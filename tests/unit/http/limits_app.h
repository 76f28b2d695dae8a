/* A server whose limits its tests set, and the checks that they share. One test program, one server at a time. */
#ifndef VIDBATCH_TESTS_HTTP_LIMITS_APP_H
#define VIDBATCH_TESTS_HTTP_LIMITS_APP_H

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
static atomic_int looks; /* at tokens */
static int handler_threads = 1;

#define HEADER(name) answer_header(&got, name, field, sizeof field)
#define PUBLIC "GET /public HTTP/1.1\r\nHost: x\r\n\r\n"

static inline void plain(struct request *rq, struct reply *rp)
{
    struct json_writer w = json_writer_on(reply_body(rp));

    json_begin_object(&w);
    json_put_text(&w, "from", rq_address(rq));
    json_put_span(&w, "body", rq_body(rq));
    json_end_object(&w);
}

static inline void gated(struct request *rq, struct reply *rp)
{
    (void)rq;
    atomic_fetch_add(&at_gate, 1);
    while (sem_wait(&gate) != 0)
        continue;
    atomic_fetch_sub(&at_gate, 1);
    buf_text(reply_body(rp), "{}");
}

static inline bool fill(void *state, void *context, struct buf *out, bool *end, struct err *err)
{
    static const char bytes[65536] = "x";
    int *left = state;

    (void)context;
    (void)err;
    buf_add(out, bytes, sizeof bytes);
    *end = --*left == 0;
    return true;
}

static inline void stream(struct request *rq, struct reply *rp)
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
    { "GET", "/stream", ACCESS_READ, 0, stream, false },   { "GET", "/health", ACCESS_PUBLIC, 0, plain, false },
};

/* "one", "two" and "powerless" are keys. */
static inline bool authenticate(void *arg, void *context, struct span token, struct caller *caller, struct err *err)
{
    (void)arg;
    (void)context;
    atomic_fetch_add(&looks, 1);
    if (!span_eq_text(token, "one") && !span_eq_text(token, "two") && !span_eq_text(token, "powerless"))
        return err_set(err, ERR_DENIED, false, HERE, "no such key");
    *caller = (struct caller){ .key_id = token.ptr[0], .scopes = token.ptr[0] == 'p' ? 0 : SCOPE_ALL };
    return true;
}

/* Only "one" was seen before. */
static inline int64_t recognize(void *arg, struct span token)
{
    (void)arg;
    return span_eq_text(token, "one") ? token.ptr[0] : 0;
}

static inline void start(bool asks, struct http_limits limits, const char *forwarders)
{
    const struct http_options options = { .host = "127.0.0.1",
                                          .routes = routes,
                                          .route_count = sizeof routes / sizeof routes[0],
                                          .handler_threads = handler_threads,
                                          .limits = limits,
                                          .forwarders = forwarders,
                                          .authenticate = asks ? authenticate : NULL,
                                          .recognize = asks ? recognize : NULL };
    struct err err = { 0 };

    if (!CHECK(http_start(&options, &server, &err)))
        abort();
}

static inline void stop(void)
{
    CHECK(http_stop(server, 5000));
}

static inline void ask(const char *path, const char *headers)
{
    char request[1000];

    (void)snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n", path, headers);
    client_ask(http_port(server), request, &got);
}

static inline void check_refused(int status, const char *code)
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

static inline void wait_connections(uint64_t want)
{
    const int64_t until_ms = clock_mono_ms() + 10000;
    struct http_counts counts = { 0 };

    do
        http_counts(server, &counts);
    while (counts.connections != want && clock_mono_ms() < until_ms);
    CHECK_I64(counts.connections, want);
}

static inline void check_counted(enum http_refusal why, uint64_t want)
{
    struct http_counts counts = { 0 };

    http_counts(server, &counts);
    CHECK_I64(counts.refused[why], want);
}

#endif
