/* A server with handlers that show what they were given, and the checks that its tests share. One test program, one
 * server. */
#ifndef VIDBATCH_TESTS_HTTP_ECHO_APP_H
#define VIDBATCH_TESTS_HTTP_ECHO_APP_H

#include "server/http/http.h"

#include "server/base/log.h"
#include "server/base/mem.h"
#include "tests/support/test.h"
#include "tests/unit/http/raw_client.h"

static struct http_server *server;
static struct answer got;
static char field[1024];
static const char file[] = "openapi: 3.1.0\n";

#define HEADER(name) answer_header(&got, name, field, sizeof field)

static inline void livez(struct request *rq, struct reply *rp)
{
    (void)rq;
    reply_type(rp, "text/plain");
    buf_text(reply_body(rp), "ok\n");
}

static inline void embedded(struct request *rq, struct reply *rp)
{
    (void)rq;
    reply_static(rp, "application/yaml", file, sizeof file - 1);
}

/* Everything that a handler can see of its request. */
static inline void echo(struct request *rq, struct reply *rp)
{
    struct json_writer w = json_writer_on(reply_body(rp));

    json_begin_object(&w);
    json_put_text(&w, "method", rq_method(rq));
    json_put_text(&w, "target", rq_target(rq));
    json_put_text(&w, "request_id", rq_id(rq));
    json_put_span(&w, "id", rq_path_param(rq, "id"));
    json_put_span(&w, "q", rq_query(rq, "q"));
    json_put_span(&w, "body", rq_body(rq));
    json_put_text(&w, "app", rq_app(rq));
    json_put_text(&w, "context", rq_context(rq));
    json_end_object(&w);
}

static inline void versioned(struct request *rq, struct reply *rp)
{
    buf_fmt(reply_body(rp), "{\"id\":\"%.*s\",\"v\":3}", SPAN_ARG(rq_path_param(rq, "id")));
    reply_etag(rp);
}

static inline void create(struct request *rq, struct reply *rp)
{
    json_t *object = rq_json(rq, rp);
    struct span key = { 0 };

    if (!object || !rq_idempotency_key(rq, rp, &key))
        return;
    reply_status(rp, 201);
    reply_header(rp, "Location", "/v1/things/1");
    buf_fmt(reply_body(rp), "{\"key\":\"%.*s\",\"members\":%zu}", SPAN_ARG(key), json_object_size(object));
}

static inline void choose(struct request *rq, struct reply *rp)
{
    static const char *const types[] = { "application/json", "application/x-ndjson", "text/csv", NULL };
    static const char *const formats[] = { "json", "ndjson", "csv", NULL };
    int chosen = rq_accept(rq, rp, types, formats);

    if (chosen >= 0)
        buf_fmt(reply_body(rp), "%d", chosen);
}

static inline void lookup(struct request *rq, struct reply *rp)
{
    int64_t id = 0;

    if (rq_path_id(rq, rp, "id", "job_", &id))
        buf_fmt(reply_body(rp), "%lld", (long long)id);
}

static inline void big(struct request *rq, struct reply *rp)
{
    (void)rq;
    for (int i = 0; i < 17 << 4; i++) {
        char *room = buf_room(reply_body(rp), 1 << 16);
        if (room) {
            memset(room, 'x', 1 << 16);
            buf_grew(reply_body(rp), 1 << 16);
        }
    }
}

static inline void nothing(struct request *rq, struct reply *rp)
{
    (void)rq;
    reply_status(rp, 204);
}

static const struct route routes[] = {
    { "GET", "/livez", ACCESS_PUBLIC, 0, livez, true },
    { "GET", "/openapi.yaml", ACCESS_PUBLIC, 0, embedded, true },
    { "GET", "/echo/{id}", ACCESS_READ, 0, echo, false },
    { "POST", "/echo/{id}", ACCESS_RUN, 1000, echo, false },
    { "DELETE", "/echo/{id}", ACCESS_RUN, 0, nothing, false },
    { "GET", "/versioned/{id}", ACCESS_READ, 0, versioned, false },
    { "POST", "/things", ACCESS_RUN, 65536, create, false },
    { "GET", "/choose", ACCESS_READ, 0, choose, false },
    { "GET", "/jobs/{id}", ACCESS_READ, 0, lookup, false },
    { "GET", "/big", ACCESS_READ, 0, big, false },
};

static inline void *open_context(void *arg, struct err *err)
{
    (void)err;
    return mem_text(arg);
}

static inline int port(void)
{
    return http_port(server);
}

static inline void check_problem(int status, const char *code)
{
    char want[100];

    CHECK_I64(got.status, status);
    CHECK(got.whole);
    CHECK_TEXT(HEADER("Content-Type"), "application/problem+json");
    (void)snprintf(want, sizeof want, "\"code\":\"%s\"", code);
    if (!CHECK(strstr(got.body, want) != NULL))
        CHECK_TEXT(got.body, want);
    (void)snprintf(want, sizeof want, "\"status\":%d", status);
    CHECK(strstr(got.body, want) != NULL);
}

static inline int run_suite(const char *suite, const struct test *tests, int count, int argc, char **argv)
{
    struct http_options options = { .host = "127.0.0.1",
                                    .routes = routes,
                                    .route_count = sizeof routes / sizeof routes[0],
                                    .open_context = open_context,
                                    .close_context = mem_free,
                                    .arg = (void *)"the app" };
    struct err err = { 0 };
    int failed = 0;

    log_setup(LOG_ERROR_LEVEL, false, STDERR_FILENO);
    if (!http_start(&options, &server, &err)) {
        printf("%s\n", err.what);
        return 1;
    }
    failed = test_main(suite, tests, count, argc, argv);
    http_stop(server, 5000);
    return failed;
}

#endif
