/* A real server on loopback: what is answered to good, odd and broken requests. */
#include "tests/unit/http/echo_app.h"

static void handlers_see_the_request(void)
{
    client_ask(port(), "GET /echo/a%2Fb%20+?q=x+%26y&q2 HTTP/1.1\r\nHost: x\r\nX-Request-Id: my.id-1_Z\r\n\r\n", &got);
    CHECK_I64(got.status, 200);
    CHECK_TEXT(got.body,
               "{\"method\":\"GET\",\"target\":\"/echo/a%2Fb%20+\",\"request_id\":\"my.id-1_Z\",\"id\":\"a/b +\","
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

static void methods_are_told(void)
{
    client_ask(port(), "OPTIONS /echo/1 HTTP/1.1\r\nHost: x\r\n\r\n", &got);
    CHECK_I64(got.status, 204);
    CHECK_TEXT(HEADER("Allow"), "GET, HEAD, POST, DELETE, OPTIONS");
    client_ask(port(), "PATCH /livez HTTP/1.1\r\nHost: x\r\n\r\n", &got);
    CHECK_I64(got.status, 405);
    CHECK_TEXT(HEADER("Allow"), "GET, HEAD, OPTIONS");
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
                       "GET %s HTTP/1.1\r\nHost: x\r\nIf-None-Match: \"x\"\r\nIf-None-Match: W/%s\r\n\r\n", targets[i],
                       etag);
        CHECK(client_say(fd, request));
        client_read(fd, &got, false);
        CHECK_I64(got.status, 304);
        CHECK_TEXT(HEADER("ETag"), etag);
        CHECK(client_say(fd, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"));
        client_read(fd, &got, false);
        CHECK_TEXT(got.body, "ok\n");
        (void)close(fd);
        (void)snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\nIf-None-Match: \"x\"\r\n\r\n",
                       targets[i]);
        client_ask(port(), request, &got);
        CHECK_I64(got.status, 200);
    }
    client_get(port(), "/versioned/b", &got);
    CHECK(strcmp(HEADER("ETag"), etag) != 0);
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

    do /* the last answer of the test before may be read, but not counted yet */
        http_counts(server, &before);
    while (before.in_flight > 0);
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
    { "methods are told", methods_are_told },
    { "idempotency keys are checked", idempotency_keys_are_checked },
    { "formats are chosen", formats_are_chosen },
    { "HEAD is GET without body", head_is_get_without_body },
    { "ETags save bodies", etags_save_bodies },
    { "pipelined requests are answered in order", pipelined_requests_are_answered_in_order },
    { "counts add up", counts_add_up },
};

int main(int argc, char **argv)
{
    return run_suite("http/server", tests, (int)(sizeof tests / sizeof tests[0]), argc, argv);
}
