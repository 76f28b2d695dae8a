/* A real server on loopback: what is answered to good, odd and broken requests. */
#include "server/http/http.h"

#include "server/base/log.h"
#include "server/base/mem.h"
#include "tests/support/test.h"
#include "tests/unit/http/raw_client.h"

#include <fcntl.h>
#include <stdatomic.h>

static struct http_server *server;
static struct answer got;
static char field[1024];
static const char file[] = "openapi: 3.1.0\n";

#define HEADER(name) answer_header(&got, name, field, sizeof field)

static void livez(struct request *rq, struct reply *rp)
{
    (void)rq;
    reply_type(rp, "text/plain");
    buf_text(reply_body(rp), "ok\n");
}

static void embedded(struct request *rq, struct reply *rp)
{
    (void)rq;
    reply_static(rp, "application/yaml", file, sizeof file - 1);
}

/* Everything that a handler can see of its request. */
static void echo(struct request *rq, struct reply *rp)
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

static void versioned(struct request *rq, struct reply *rp)
{
    if (!reply_etag(rq, rp, "%.*s-%d", SPAN_ARG(rq_path_param(rq, "id")), 3))
        buf_text(reply_body(rp), "{\"v\":3}");
}

static void create(struct request *rq, struct reply *rp)
{
    json_t *object = rq_json(rq, rp);
    struct span key = { 0 };

    if (!object || !rq_idempotency_key(rq, rp, &key))
        return;
    reply_status(rp, 201);
    reply_header(rp, "Location", "/v1/things/1");
    buf_fmt(reply_body(rp), "{\"key\":\"%.*s\",\"members\":%zu}", SPAN_ARG(key), json_object_size(object));
}

static void choose(struct request *rq, struct reply *rp)
{
    static const char *const types[] = { "application/json", "application/x-ndjson", "text/csv", NULL };
    static const char *const formats[] = { "json", "ndjson", "csv", NULL };
    int chosen = rq_accept(rq, rp, types, formats);

    if (chosen >= 0)
        buf_fmt(reply_body(rp), "%d", chosen);
}

static void lookup(struct request *rq, struct reply *rp)
{
    int64_t id = 0;

    if (rq_path_id(rq, rp, "id", "job_", &id))
        buf_fmt(reply_body(rp), "%lld", (long long)id);
}

static void big(struct request *rq, struct reply *rp)
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

static void nothing(struct request *rq, struct reply *rp)
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

static void *open_context(void *arg, struct err *err)
{
    (void)err;
    return mem_text(arg);
}

static int port(void)
{
    return http_port(server);
}

static void check_problem(int status, const char *code)
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

static void handlers_see_the_request(void)
{
    client_ask(port(), "GET /echo/a%2Fb%20+?q=x+%26y&q2 HTTP/1.1\r\nHost: x\r\nX-Request-Id: my.id-1_Z\r\n\r\n", &got);
    CHECK_I64(got.status, 200);
    CHECK_TEXT(got.body, "{\"method\":\"GET\",\"target\":\"/echo/a%2Fb%20+\",\"request_id\":\"my.id-1_Z\",\"id\":\"a/b +\","
                         "\"q\":\"x &y\",\"body\":\"\",\"app\":\"the app\",\"context\":\"the app\"}");
    CHECK_TEXT(HEADER("X-Request-Id"), "my.id-1_Z");
    CHECK_TEXT(HEADER("X-Content-Type-Options"), "nosniff");
    CHECK_TEXT(HEADER("Cache-Control"), "no-store");
    CHECK_TEXT(HEADER("Content-Type"), "application/json");
    client_ask(port(), "POST http://x/echo/1?q HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody", &got);
    CHECK(strstr(got.body, "\"target\":\"/echo/1\"") && strstr(got.body, "\"q\":\"\"") &&
          strstr(got.body, "\"body\":\"body\""));
}

static void request_ids_are_checked(void)
{
    static const char *const bad[] = { "", "a b", "a/b", "\xC3\xBC",
                                       "1234567890123456789012345678901234567890123456789012345678901234x" };
    char request[300];

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        test_case("%s", bad[i]);
        (void)snprintf(request, sizeof request, "GET /nope HTTP/1.1\r\nHost: x\r\nX-Request-Id: %s\r\n\r\n", bad[i]);
        client_ask(port(), request, &got);
        CHECK_I64(got.status, 404);
        CHECK_I64(strlen(HEADER("X-Request-Id")), 16);
        CHECK_I64(strspn(field, "0123456789abcdef"), 16);
    }
}

struct case_of_problem {
    const char *request;
    int status;
    const char *code;
};

static const struct case_of_problem problems[] = {
    { "GET /nope HTTP/1.1\r\nHost: x\r\n\r\n", 404, "not_found" },
    { "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n", 404, "not_found" },
    { "GET /echo/1/ HTTP/1.1\r\nHost: x\r\n\r\n", 404, "not_found" },
    { "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_path" },
    { "GET /echo/%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_path" },
    { "GET /echo/%00 HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_path" },
    { "GET /echo/1?q=%f HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_query" },
    { "PUT /echo/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", 405, "method_not_allowed" },
    { "BREW /echo/1 HTTP/1.1\r\nHost: x\r\n\r\n", 405, "method_not_allowed" },
    { "GET /echo/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx", 413, "body_too_large" },
    { "GET /echo/1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", 413, "body_too_large" },
    { "DELETE /echo/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx", 413, "body_too_large" },
    { "POST /echo/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999\r\n\r\n", 413, "body_too_large" },
    { "POST /echo/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n\r\n", 413, "body_too_large" },
    { "POST /echo/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
      "bad_framing" },
    { "POST /echo/1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400, "bad_framing" },
    { "POST /echo/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", 400, "bad_framing" },
    { "POST /things HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", 415, "unsupported_media_type" },
    { "POST /things HTTP/1.1\r\nHost: x\r\nContent-Type: text/json\r\nContent-Length: 2\r\n\r\n{}", 415,
      "unsupported_media_type" },
    { "POST /things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\r\n", 400, "invalid_json" },
    { "GET /choose HTTP/1.1\r\nHost: x\r\nAccept: image/png\r\n\r\n", 406, "not_acceptable" },
    { "GET /choose?format=xml HTTP/1.1\r\nHost: x\r\n\r\n", 400, "invalid_parameter" },
    { "GET /jobs/job_1 HTTP/1.1\r\nHost: x\r\n\r\n", 404, "not_found" },
    { "GET /jobs/vid_00000000001 HTTP/1.1\r\nHost: x\r\n\r\n", 404, "not_found" },
    { "GET /jobs/job_zzzzzzzzzzz HTTP/1.1\r\nHost: x\r\n\r\n", 404, "not_found" },
    { "GET /big HTTP/1.1\r\nHost: x\r\n\r\n", 503, "out_of_memory" },
};

static void problems_are_told(void)
{
    for (size_t i = 0; i < sizeof problems / sizeof problems[0]; i++) {
        test_case("%s", problems[i].request);
        client_ask(port(), problems[i].request, &got);
        check_problem(problems[i].status, problems[i].code);
        CHECK(HEADER("X-Request-Id")[0] != '\0');
    }
}

static void methods_are_told(void)
{
    client_ask(port(), "OPTIONS /echo/1 HTTP/1.1\r\nHost: x\r\n\r\n", &got);
    CHECK_I64(got.status, 204);
    CHECK_TEXT(HEADER("Allow"), "GET, HEAD, POST, DELETE, OPTIONS");
    client_ask(port(), "PATCH /livez HTTP/1.1\r\nHost: x\r\n\r\n", &got);
    CHECK_I64(got.status, 405);
    CHECK_TEXT(HEADER("Allow"), "GET, HEAD, OPTIONS");
}

static void json_bodies_are_checked(void)
{
    static const struct {
        const char *body;
        int status;
        const char *says;
    } cases[] = {
        { "{}", 201, "\"members\":0" },
        { "{\"a\":1,\"b\":{\"a\":[1]}}", 201, "\"members\":2" },
        { "{", 400, "line 1, column 1" },
        { "{\"a\":1,\n\"a\":2}", 400, "twice in one object (line 2" },
        { "{\"a\":{\"b\":1,\"b\":2}}", 400, "twice" },
        { "{}x", 400, "line 1" },
        { "[]", 400, "must be a JSON object" },
        { "\"x\"", 400, "" },
        { "{\"a\":\"\\u0000\"}", 400, "" },
        { "{\"a\":\"\xFF\"}", 400, "" },
        { "{\"a\":NaN}", 400, "" },
        { "{\"a\":99999999999999999999}", 400, "" },
        { "{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}", 400, "32 levels" },
        { "{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}", 201, "\"members\":1" },
        { "{\"a\":\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[\"}", 201, "\"members\":1" },
    };
    char request[1000];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        test_case("%s", cases[i].body);
        (void)snprintf(request, sizeof request,
                       "POST /things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json; charset=utf-8\r\n"
                       "Content-Length: %zu\r\n\r\n%s",
                       strlen(cases[i].body), cases[i].body);
        client_ask(port(), request, &got);
        CHECK_I64(got.status, cases[i].status);
        if (cases[i].status == 400)
            check_problem(400, "invalid_json");
        CHECK(strstr(got.body, cases[i].says) != NULL);
    }
}

static void idempotency_keys_are_checked(void)
{
    char long_key[258];
    const struct {
        const char *lines;
        int status;
        const char *key;
    } cases[] = {
        { "", 201, "" },
        { "Idempotency-Key: abc-123\r\n", 201, "abc-123" },
        { "idempotency-key: !~\r\n", 201, "!~" },
        { "Idempotency-Key:\r\n", 400, NULL },
        { "Idempotency-Key: a b\r\n", 400, NULL },
        { "Idempotency-Key: \xC3\xBC\r\n", 400, NULL },
        { "Idempotency-Key: a\r\nIdempotency-Key: b\r\n", 400, NULL },
        { "Idempotency-Key: a\r\nIdempotency-Key: a\r\n", 400, NULL },
        { long_key, 400, NULL },
    };
    char request[1000];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool is_long = cases[i].lines == long_key;
        char line[300] = "";

        test_case("case %zu", i);
        memset(long_key, 'k', sizeof long_key);
        if (is_long)
            (void)snprintf(line, sizeof line, "Idempotency-Key: %.256s\r\n", long_key);
        (void)snprintf(request, sizeof request,
                       "POST /things HTTP/1.1\r\nHost: x\r\n%sContent-Type: application/json\r\nContent-Length: "
                       "2\r\n\r\n{}",
                       is_long ? line : cases[i].lines);
        client_ask(port(), request, &got);
        CHECK_I64(got.status, cases[i].status);
        if (cases[i].key) {
            (void)snprintf(line, sizeof line, "{\"key\":\"%s\",\"members\":0}", cases[i].key);
            CHECK_TEXT(got.body, line);
            CHECK_TEXT(HEADER("Location"), "/v1/things/1");
        } else {
            check_problem(400, "bad_idempotency_key");
        }
    }
}

static void formats_are_chosen(void)
{
    static const struct {
        const char *query, *accept, *want;
    } cases[] = {
        { "", "", "0" },
        { "", "Accept: text/csv\r\n", "2" },
        { "", "Accept: image/png\r\nAccept: text/csv\r\n", "2" },
        { "?format=ndjson", "Accept: text/csv\r\n", "1" },
        { "?format=csv", "Accept: image/png\r\n", "2" },
    };
    char request[300];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        test_case("%s %s", cases[i].query, cases[i].accept);
        (void)snprintf(request, sizeof request, "GET /choose%s HTTP/1.1\r\nHost: x\r\n%s\r\n", cases[i].query,
                       cases[i].accept);
        client_ask(port(), request, &got);
        CHECK_TEXT(got.body, cases[i].want);
    }
}

static void head_is_get_without_body(void)
{
    static const char *const targets[] = { "/livez", "/openapi.yaml", "/echo/7", "/nope", "/versioned/a" };
    char request[200];

    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        char length[32];
        int status = 0;
        int fd = client_open(port());

        test_case("%s", targets[i]);
        (void)snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\nX-Request-Id: a\r\n\r\n", targets[i]);
        client_ask(port(), request, &got);
        status = got.status;
        (void)snprintf(length, sizeof length, "%zu", got.len);
        (void)snprintf(request, sizeof request, "HEAD %s HTTP/1.1\r\nHost: x\r\nX-Request-Id: a\r\n\r\n", targets[i]);
        CHECK(client_say(fd, request));
        client_read(fd, &got, true);
        CHECK_I64(got.status, status);
        CHECK_TEXT(HEADER("Content-Length"), length);
        /* The next answer follows at once: there was no body. */
        CHECK(client_say(fd, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"));
        client_read(fd, &got, false);
        CHECK_TEXT(got.body, "ok\n");
        (void)close(fd);
    }
}

static void etags_save_bodies(void)
{
    static const char *const targets[] = { "/openapi.yaml", "/versioned/a" };
    char etag[100];
    char request[300];

    for (size_t i = 0; i < 2; i++) {
        int fd = client_open(port());

        test_case("%s", targets[i]);
        client_get(port(), targets[i], &got);
        CHECK_I64(got.status, 200);
        (void)answer_header(&got, "ETag", etag, sizeof etag);
        CHECK(etag[0] == '"' && strlen(etag) == 18);
        CHECK_TEXT(HEADER("Cache-Control"), i == 0 ? "no-cache" : "private, no-cache");
        (void)snprintf(request, sizeof request,
                       "GET %s HTTP/1.1\r\nHost: x\r\nIf-None-Match: \"x\"\r\nIf-None-Match: W/%s\r\n\r\n", targets[i], etag);
        CHECK(client_say(fd, request));
        client_read(fd, &got, false);
        CHECK_I64(got.status, 304);
        CHECK_TEXT(HEADER("ETag"), etag);
        CHECK(client_say(fd, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"));
        client_read(fd, &got, false);
        CHECK_TEXT(got.body, "ok\n");
        (void)close(fd);
        (void)snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\nIf-None-Match: \"x\"\r\n\r\n", targets[i]);
        client_ask(port(), request, &got);
        CHECK_I64(got.status, 200);
    }
    client_get(port(), "/versioned/b", &got);
    CHECK(strcmp(HEADER("ETag"), etag) != 0);
}

/* Requests that were refused with a body on its way leave the connection good, or say that they close it. */
static void connections_survive_refusals(void)
{
    struct answer next;

    for (size_t i = 0; i < sizeof problems / sizeof problems[0]; i++) {
        int fd = client_open(port());
        bool closes = false;

        test_case("%s", problems[i].request);
        CHECK(client_say(fd, problems[i].request));
        client_read(fd, &got, false);
        CHECK_I64(got.status, problems[i].status);
        closes = strcmp(HEADER("Connection"), "close") == 0;
        (void)client_say(fd, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n");
        client_read(fd, &next, false);
        CHECK_I64(next.status, closes ? 0 : 200);
        (void)close(fd);
    }
}

static void chunked_bodies_are_bounded(void)
{
    static const char head[] = "POST /echo/1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    char chunk[1100];
    int fd = client_open(port());

    /* 1,000 bytes fit, in pieces */
    CHECK(client_say(fd, head));
    for (int i = 0; i < 10; i++) {
        (void)snprintf(chunk, sizeof chunk, "64\r\n%0100d\r\n", i);
        CHECK(client_say(fd, chunk));
    }
    CHECK(client_say(fd, "0\r\n\r\n"));
    client_read(fd, &got, false);
    CHECK_I64(got.status, 200);
    CHECK(got.len > 1000);

    /* one more does not, and the connection lives on */
    CHECK(client_say(fd, head));
    (void)snprintf(chunk, sizeof chunk, "3e9\r\n%01001d\r\n0\r\n\r\n", 1);
    CHECK(client_say(fd, chunk));
    client_read(fd, &got, false);
    check_problem(413, "body_too_large");

    /* one without end is cut */
    CHECK(client_say(fd, head));
    (void)snprintf(chunk, sizeof chunk, "3e9\r\n%01001d\r\n", 1);
    for (int i = 0; i < 100000; i++)
        if (!client_say(fd, chunk))
            break;
    client_read(fd, &got, false);
    CHECK_I64(got.status, 0);
    (void)close(fd);
}

static void continue_is_sent_only_when_the_body_is_wanted(void)
{
    char line[100];
    int fd = client_open(port());
    static const char good[] = "POST /echo/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n";
    static const char bad[] = "POST /nope HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n";

    CHECK(client_say(fd, good));
    CHECK(client_take_until(fd, "\r\n\r\n", line, sizeof line));
    CHECK(strncmp(line, "HTTP/1.1 100 ", 13) == 0);
    CHECK(client_say(fd, "body"));
    client_read(fd, &got, false);
    CHECK_I64(got.status, 200);
    CHECK(client_say(fd, bad));
    CHECK(client_take_until(fd, "\r\n\r\n", got.head, sizeof got.head));
    CHECK(strncmp(got.head, "HTTP/1.1 404 ", 13) == 0);
    CHECK_TEXT(HEADER("Connection"), "close");
    (void)close(fd);
}

/* Refusals that libmicrohttpd itself makes: any 4xx and no crash. */
static void broken_requests_are_refused(void)
{
    static const char *const requests[] = {
        "GET /livez HTTP/1.1\r\n\r\n", /* no Host */
        "GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n",
        "POST /echo/1 HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "GET /livez\r\n\r\n",
        "GARBAGE\r\n\r\n",
        "POST /echo/1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "GET /livez HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
    };
    char *huge = malloc(200000);

    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        int fd = client_open(port());

        test_case("%s", requests[i]);
        CHECK(client_say(fd, requests[i]));
        (void)shutdown(fd, SHUT_WR);
        client_read(fd, &got, false);
        CHECK(got.status == 0 || (got.status >= 400 && got.status < 500) || i == 3);
        (void)close(fd);
    }
    for (int i = 0; huge && i < 2; i++) {
        int n = i == 0 ? snprintf(huge, 200000, "GET /echo/%0100000d HTTP/1.1\r\nHost: x\r\n\r\n", 1)
                       : snprintf(huge, 200000, "GET /echo/1 HTTP/1.1\r\nHost: x\r\nX: %0100000d\r\n\r\n", 1);
        int fd = client_open(port());
        (void)client_send(fd, huge, (size_t)n);
        client_read(fd, &got, false);
        CHECK(got.status == 0 || got.status == 414 || got.status == 431 || got.status == 413);
        (void)close(fd);
    }
    free(huge);
    client_get(port(), "/livez", &got);
    CHECK_I64(got.status, 200);
}

static void pipelined_requests_are_answered_in_order(void)
{
    char request[100];
    char want[40];
    int fd = client_open(port());

    for (int i = 0; i < 50; i++) {
        (void)snprintf(request, sizeof request, "GET /echo/%d HTTP/1.1\r\nHost: x\r\n\r\n", i);
        CHECK(client_say(fd, request));
    }
    for (int i = 0; i < 50; i++) {
        client_read(fd, &got, false);
        (void)snprintf(want, sizeof want, "\"id\":\"%d\"", i);
        CHECK(strstr(got.body, want) != NULL);
    }
    (void)close(fd);
}

static void counts_add_up(void)
{
    struct http_counts before;
    struct http_counts after;
    double bounds[HTTP_BUCKETS];
    uint64_t counts[HTTP_BUCKETS];
    uint64_t total = 0;
    double sum_s = 0;

    http_counts(server, &before);
    client_get(port(), "/livez", &got);
    client_get(port(), "/nope", &got);
    do {
        http_counts(server, &after);
    } while (after.in_flight > 0);
    CHECK_I64(after.requests - before.requests, 2);
    CHECK_I64(after.by_status[2] - before.by_status[2], 1);
    CHECK_I64(after.by_status[4] - before.by_status[4], 1);
    CHECK_I64(after.queued, 0);
    CHECK_I64(after.streams, 0);
    http_latency(server, bounds, counts, &total, &sum_s);
    CHECK_I64(total, after.requests);
    CHECK(sum_s > 0);
    for (int i = 1; i < HTTP_BUCKETS; i++)
        CHECK(bounds[i] > bounds[i - 1] && counts[i] >= counts[i - 1]);
    CHECK(counts[HTTP_BUCKETS - 1] <= total);
}

static const struct test tests[] = {
    { "handlers see the request", handlers_see_the_request },
    { "request ids are checked", request_ids_are_checked },
    { "problems are told", problems_are_told },
    { "methods are told", methods_are_told },
    { "JSON bodies are checked", json_bodies_are_checked },
    { "idempotency keys are checked", idempotency_keys_are_checked },
    { "formats are chosen", formats_are_chosen },
    { "HEAD is GET without body", head_is_get_without_body },
    { "ETags save bodies", etags_save_bodies },
    { "connections survive refusals", connections_survive_refusals },
    { "chunked bodies are bounded", chunked_bodies_are_bounded },
    { "100 Continue is sent only when the body is wanted", continue_is_sent_only_when_the_body_is_wanted },
    { "broken requests are refused", broken_requests_are_refused },
    { "pipelined requests are answered in order", pipelined_requests_are_answered_in_order },
    { "counts add up", counts_add_up },
};

int main(int argc, char **argv)
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
    failed = test_main("http/server", tests, (int)(sizeof tests / sizeof tests[0]), argc, argv);
    http_stop(server, 5000);
    return failed;
}
