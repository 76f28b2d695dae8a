/* Every allocation of ours fails once: the answer is a good one, a 503, or a closed connection; never a crash or a
 * leak. */
#include "server/http/http.h"

#include "server/base/log.h"
#include "server/base/mem.h"
#include "tests/support/test.h"
#include "tests/unit/http/raw_client.h"

enum { MOST_ALLOCATIONS = 200 };

static struct answer got;

static void list(struct request *rq, struct reply *rp)
{
    static const char *const allowed[] = { "limit", "after", "format", NULL };
    static const char *const types[] = { "application/json", NULL };
    static const char *const formats[] = { "json", NULL };
    struct json_writer w = json_writer_on(reply_body(rp));
    struct span after = { 0 };
    bool has = false;
    int limit = 0;

    if (!rq_check_query(rq, rp, allowed) || !rq_limit(rq, rp, &limit) ||
        !rq_cursor_text(rq, rp, "things", &has, &after) || rq_accept(rq, rp, types, formats) < 0)
        return;
    json_begin_object(&w);
    json_put_span(&w, "after", after);
    reply_next_text(rq, rp, &w, true, "things", SPAN_LIT("next"));
    json_end_object(&w);
    reply_etag(rp);
}

static void create(struct request *rq, struct reply *rp)
{
    json_t *object = rq_json(rq, rp);
    struct fields f;
    struct fields nested;
    struct span text;

    if (!object)
        return;
    fields_begin(&f, rq, rp, object);
    fields_nested(&nested, &f, "in", fields_member(&f, "in", true, JSON_OBJECT));
    fields_text(&nested, "name", true, 1, 9, &text);
    fields_end_nested(&nested, &f);
    if (fields_end(&f))
        buf_text(reply_body(rp), "{\"created\":true}");
}

static void refuse(struct request *rq, struct reply *rp)
{
    struct err err = { .kind = ERR_DENIED, .upstream_code = "AccessDenied", .what = "s3://x" };

    reply_error(rq, rp, &err);
}

static bool fill(void *state, void *context, struct buf *out, bool *end, struct err *err)
{
    int *left = state;

    (void)context;
    (void)err;
    for (int i = 0; i < 1000; i++)
        buf_text(out, "some text of a stream ");
    *end = --*left == 0;
    return true;
}

static void stream(struct request *rq, struct reply *rp)
{
    int *left = mem_alloc(1, sizeof *left);
    struct err err = { 0 };

    if (!left) {
        err_memory(&err, HERE);
        reply_error(rq, rp, &err);
        return;
    }
    *left = 3;
    reply_stream(rp, "text/plain", fill, left, mem_free);
}

static const struct route routes[] = {
    { "GET", "/list", ACCESS_READ, 0, list, false },
    { "POST", "/things", ACCESS_RUN, 65536, create, false },
    { "GET", "/refuse", ACCESS_READ, 0, refuse, false },
    { "GET", "/stream", ACCESS_READ, 0, stream, false },
};
static const struct http_options options = {
    .host = "127.0.0.1", .routes = routes, .route_count = sizeof routes / sizeof routes[0], .handler_threads = 1
};

#define JSON_HEAD "POST /things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: "
static const struct {
    const char *request;
    int status; /* with memory */
} cases[] = {
    { "GET /list?limit=5&after=dGhpbmdzOmE HTTP/1.1\r\nHost: x\r\nAccept: */*\r\nIf-None-Match: \"x\"\r\n\r\n", 200 },
    { "GET /list?limit=0 HTTP/1.1\r\nHost: x\r\n\r\n", 400 },
    { JSON_HEAD "19\r\n\r\n{\"in\":{\"name\":\"ab\"}}", 400 },
    { JSON_HEAD "20\r\n\r\n{\"in\":{\"name\":\"ab\"}}", 200 },
    { JSON_HEAD "20\r\n\r\n{\"in\":{\"nome\":\"ab\"}}", 422 },
    { "GET /refuse HTTP/1.1\r\nHost: x\r\n\r\n", 502 },
    { "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n", 200 },
    { "DELETE /list HTTP/1.1\r\nHost: x\r\n\r\n", 405 },
    { "GET /nope HTTP/1.1\r\nHost: x\r\n\r\n", 404 },
};

static void requests_survive(void)
{
    struct http_server *server = NULL;
    struct err err = { 0 };

    if (!CHECK(http_start(&options, &server, &err)))
        return;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int refused = 0;
        int n = 1;

        for (; n < MOST_ALLOCATIONS; n++) {
            test_case("%s failing at %d", cases[i].request, n);
            mem_fail_at((uint64_t)n);
            client_ask(http_port(server), cases[i].request, &got);
            mem_fail_never();
            if (got.status == cases[i].status && got.whole)
                break; /* from the n-th on all failed, and none was needed */
            refused++;
            CHECK(got.status == 0 || got.status == 503 || (cases[i].status == 200 && !got.whole));
        }
        CHECK(refused > 0);
        CHECK(n < MOST_ALLOCATIONS);
        client_ask(http_port(server), cases[i].request, &got);
        CHECK_I64(got.status, cases[i].status);
    }
    http_stop(server, 1000);
}

static void starts_survive(void)
{
    for (int n = 1;; n++) {
        struct http_server *server = NULL;
        struct err err = { 0 };
        bool started = false;

        mem_fail_at((uint64_t)n);
        started = http_start(&options, &server, &err);
        mem_fail_never();
        if (started) {
            http_stop(server, 0);
            CHECK(n > 2);
            return;
        }
        CHECK_I64(err.kind, ERR_MEMORY);
    }
}

static const struct test tests[] = {
    { "requests survive", requests_survive },
    { "starts survive", starts_survive },
};

int main(int argc, char **argv)
{
    log_setup(LOG_ERROR_LEVEL, false, STDERR_FILENO);
    return test_main("http/memory", tests, (int)(sizeof tests / sizeof tests[0]), argc, argv);
}
