/* Web pages: which origins may send requests and read answers, and what every answer tells a browser. */
#include "server/http/http.h"

#include "server/base/log.h"
#include "server/http/cors.h"
#include "tests/support/test.h"
#include "tests/unit/http/raw_client.h"

static struct http_server *server;
static struct answer got;
static char field[1024];

#define HEADER(name) answer_header(&got, name, field, sizeof field)

static void plain(struct request *rq, struct reply *rp)
{
    (void)rq;
    buf_text(reply_body(rp), "{}");
}

static void page(struct request *rq, struct reply *rp)
{
    (void)rq;
    reply_type(rp, "text/html");
    reply_header(rp, "Content-Security-Policy", "default-src 'self'");
    reply_header(rp, "Referrer-Policy", "origin");
    buf_text(reply_body(rp), "<p>");
}

static const struct route routes[] = {
    { "GET", "/things", ACCESS_READ, 0, plain, false },
    { "POST", "/things", ACCESS_RUN, 100, plain, false },
    { "GET", "/page", ACCESS_READ, 0, page, false },
};

static void start(const char *origins, const char *forwarders)
{
    const struct http_options options = { .host = "127.0.0.1",
                                          .routes = routes,
                                          .route_count = sizeof routes / sizeof routes[0],
                                          .handler_threads = 1,
                                          .cors_origins = origins,
                                          .forwarders = forwarders };
    struct err err = { 0 };

    if (!CHECK(http_start(&options, &server, &err)))
        abort();
}

static void ask(const char *line, const char *headers)
{
    char request[1000];

    (void)snprintf(request, sizeof request, "%s HTTP/1.1\r\nHost: api.example:8080\r\n%s\r\n", line, headers);
    client_ask(http_port(server), request, &got);
}

static void origins_are_read(void)
{
    static const struct {
        const char *in;
        size_t count; /* 0: refused, but for empty text */
        const char *says;
    } cases[] = {
        { "", 0, NULL },
        { "https://app.example", 1, NULL },
        { "https://app.example, http://localhost:3000,http://[::1]:80801", 3, NULL },
        { "*", 0, "* is no origin" },
        { "null", 0, "null is no origin" },
        { "https://app.example/", 0, "is no origin" },
        { "https://App.example", 0, "is no origin" },
        { "https://app.example:443", 0, "is no origin" },
        { "http://app.example:80", 0, "is no origin" },
        { "https://", 0, "is no origin" },
        { "app.example", 0, "is no origin" },
        { "https://*.example", 0, "is no origin" },
        { "https://a.example;https://b.example", 0, "is no origin" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct origins o = { 0 };
        struct err err = { 0 };

        test_case("%s", cases[i].in);
        CHECK(origins_parse(cases[i].in, &o, &err) == !cases[i].says);
        CHECK_I64(o.count, cases[i].count);
        if (cases[i].says)
            CHECK(strstr(err.what, cases[i].says) != NULL);
        CHECK(!origins_have(&o, span_of("https://other.example")) && !origins_have(&o, span_of("")));
        origins_done(&o);
    }
}

static void pages_of_other_origins_need_leave(void)
{
    static const struct {
        const char *line, *headers;
        int status;
        const char *allowed; /* Access-Control-Allow-Origin */
    } cases[] = {
        { "GET /things", "", 200, "" },
        { "GET /things", "Origin: https://app.example\r\n", 200, "https://app.example" },
        { "GET /nothing", "Origin: https://app.example\r\n", 404, "https://app.example" },
        { "POST /things", "Origin: https://app.example\r\n", 200, "https://app.example" },
        { "GET /things", "Origin: https://evil.example\r\n", 200, "" },
        { "POST /things", "Origin: https://evil.example\r\n", 403, "" },
        { "POST /things", "Origin: https://app.example.evil\r\n", 403, "" },
        { "POST /things", "Origin: null\r\n", 403, "" },
        { "POST /things", "Origin: http://api.example:8080\r\n", 200, "" }, /* its own page */
        { "POST /things", "Origin: http://api.example:8081\r\n", 403, "" },
        { "DELETE /things", "Origin: https://evil.example\r\n", 403, "" },
    };

    start("http://localhost:3000 https://app.example", NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        test_case("%s %s", cases[i].line, cases[i].headers);
        ask(cases[i].line, cases[i].headers);
        CHECK_I64(got.status, cases[i].status);
        CHECK_TEXT(HEADER("Access-Control-Allow-Origin"), cases[i].allowed);
        CHECK(strstr(HEADER("Access-Control-Expose-Headers"), cases[i].allowed[0] ? "ETag" : "") != NULL);
        CHECK_TEXT(HEADER("Access-Control-Allow-Credentials"), "");
        CHECK_TEXT(HEADER("Vary"), "Origin");
        if (cases[i].status == 403)
            CHECK(strstr(got.body, "\"code\":\"origin_not_allowed\"") != NULL);
    }
    http_stop(server, 1000);
}

static void pages_may_ask_first(void)
{
    start("https://app.example", NULL);
    ask("OPTIONS /things", "Origin: https://app.example\r\nAccess-Control-Request-Method: POST\r\n"
                           "Access-Control-Request-Headers: authorization,content-type\r\n");
    CHECK_I64(got.status, 204);
    CHECK_TEXT(HEADER("Access-Control-Allow-Origin"), "https://app.example");
    CHECK_TEXT(HEADER("Access-Control-Allow-Methods"), "GET, HEAD, POST, OPTIONS");
    CHECK(strstr(HEADER("Access-Control-Allow-Headers"), "Authorization") != NULL);
    CHECK_TEXT(HEADER("Access-Control-Max-Age"), "600");
    ask("OPTIONS /things", "Origin: https://evil.example\r\nAccess-Control-Request-Method: POST\r\n");
    CHECK_I64(got.status, 204);
    CHECK_TEXT(HEADER("Access-Control-Allow-Origin"), "");
    CHECK_TEXT(HEADER("Access-Control-Allow-Methods"), "");
    http_stop(server, 1000);
    start(NULL, NULL);
    ask("OPTIONS /things", "Origin: https://app.example\r\nAccess-Control-Request-Method: POST\r\n");
    CHECK_TEXT(HEADER("Access-Control-Allow-Origin"), "");
    CHECK_TEXT(HEADER("Vary"), "");
    http_stop(server, 1000);
}

static void every_answer_is_guarded(void)
{
    static const char *const lines[] = { "GET /things", "GET /nothing", "PUT /things", "OPTIONS /things" };

    start(NULL, "127.0.0.1");
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        test_case("%s", lines[i]);
        ask(lines[i], "");
        CHECK_TEXT(HEADER("X-Content-Type-Options"), "nosniff");
        CHECK_TEXT(HEADER("Content-Security-Policy"), "default-src 'none'; frame-ancestors 'none'");
        CHECK_TEXT(HEADER("Referrer-Policy"), "no-referrer");
        CHECK(HEADER("Cache-Control")[0] != '\0');
        CHECK_TEXT(HEADER("Strict-Transport-Security"), "");
    }
    ask("GET /page", "X-Forwarded-Proto: https\r\n");
    CHECK_TEXT(HEADER("Content-Security-Policy"), "default-src 'self'");
    CHECK_TEXT(HEADER("Referrer-Policy"), "origin");
    CHECK_TEXT(HEADER("Strict-Transport-Security"), "max-age=31536000");
    http_stop(server, 1000);
    start(NULL, NULL); /* who is not trusted may say what it likes */
    ask("GET /page", "X-Forwarded-Proto: https\r\n");
    CHECK_TEXT(HEADER("Strict-Transport-Security"), "");
    http_stop(server, 1000);
}

static const struct test tests[] = {
    { "origins are read", origins_are_read },
    { "pages of other origins need leave", pages_of_other_origins_need_leave },
    { "pages may ask first", pages_may_ask_first },
    { "every answer is guarded", every_answer_is_guarded },
};

int main(int argc, char **argv)
{
    log_setup(LOG_ERROR_LEVEL, false, STDERR_FILENO);
    return test_main("http/browser", tests, (int)(sizeof tests / sizeof tests[0]), argc, argv);
}
