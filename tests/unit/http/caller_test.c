/* Who may call what: the token's way from the headers to the application, scopes, and what those get who may not. */
#include "server/http/http.h"

#include "server/base/log.h"
#include "server/base/mem.h"
#include "tests/support/test.h"
#include "tests/unit/http/raw_client.h"

#include <stdatomic.h>

static struct http_server *server;
static struct answer got;
static char field[1024];
static atomic_int grants; /* given and not taken back */
static atomic_bool is_open, is_revoked;

#define HEADER(name) answer_header(&got, name, field, sizeof field)

static void show(struct request *rq, struct reply *rp)
{
    const struct caller *caller = rq_caller(rq);

    buf_fmt(reply_body(rp), "%lld %s %u %s", (long long)caller->key_id, caller->name, caller->scopes, rq_address(rq));
}

static bool fill(void *state, void *context, struct buf *out, bool *end, struct err *err)
{
    static const char bytes[65536] = "x";
    int *pieces = state;

    (void)context;
    (void)err;
    buf_add(out, bytes, sizeof bytes);
    if (++*pieces == 3)
        atomic_store(&is_revoked, true);
    *end = *pieces == 64;
    return true;
}

static void stream(struct request *rq, struct reply *rp)
{
    static int pieces;

    (void)rq;
    pieces = 0;
    reply_stream(rp, "text/plain", fill, &pieces, NULL);
}

static const struct route routes[] = {
    { "GET", "/livez", ACCESS_PUBLIC, 0, show, true },    { "GET", "/public", ACCESS_PUBLIC, 0, show, false },
    { "GET", "/read", ACCESS_READ, 0, show, false },      { "POST", "/run/{id}", ACCESS_RUN, 100, show, false },
    { "DELETE", "/admin", ACCESS_ADMIN, 0, show, false }, { "GET", "/stream", ACCESS_READ, 0, stream, false },
};

static void drop(void *grant)
{
    atomic_fetch_sub(&grants, 1);
    mem_free(grant);
}

/* Tokens are names of scopes. */
static bool authenticate(void *arg, void *context, struct span token, struct caller *caller, struct err *err)
{
    static const struct {
        const char *token;
        unsigned scopes;
    } known[] = {
        { "reader", SCOPE_READ }, { "runner", SCOPE_READ | SCOPE_RUN }, { "boss", SCOPE_ALL }, { "idle", 0 }
    };

    CHECK_TEXT(arg, "the app");
    CHECK_TEXT(context, "the app");
    CHECK(caller->key_id == 0 && !caller->grant);
    caller->scopes = SCOPE_ALL;
    if (atomic_load(&is_open))
        return true;
    if (!token.ptr || atomic_load(&is_revoked)) {
        err_set(err, ERR_DENIED, false, HERE, "Send a key.");
        return err_code(err, "key_required");
    }
    if (span_eq_text(token, "later"))
        return err_set(err, ERR_DATABASE, true, HERE, "no database");
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (!span_eq_text(token, known[i].token))
            continue;
        *caller = (struct caller){ .key_id = (int64_t)i + 1, .scopes = known[i].scopes, .drop = drop };
        (void)snprintf(caller->name, sizeof caller->name, "%s", known[i].token);
        caller->grant = mem_alloc(1, 10);
        atomic_fetch_add(&grants, 1);
        return true;
    }
    err_set(err, ERR_DENIED, false, HERE, "This key is unknown.");
    return err_code(err, "key_invalid");
}

static void ask(const char *line, const char *headers)
{
    char request[600];

    (void)snprintf(request, sizeof request, "%s HTTP/1.1\r\nHost: x\r\n%s\r\n", line, headers);
    client_ask(http_port(server), request, &got);
}

static void scopes_are_asked(void)
{
    static const struct {
        const char *line, *token;
        int status;
        const char *want; /* the body, or its code */
    } cases[] = {
        { "GET /livez", NULL, 200, "0  0 127.0.0.1" },
        { "GET /livez", "nonsense", 200, "0  0 127.0.0.1" },
        { "GET /public", NULL, 200, "0  0 127.0.0.1" },
        { "GET /read", NULL, 401, "\"code\":\"key_required\"" },
        { "GET /read", "nonsense", 401, "\"code\":\"key_invalid\"" },
        { "GET /read", "later", 503, "\"code\":\"database_unavailable\"" },
        { "GET /read", "idle", 403, "this one has: none." },
        { "GET /read", "reader", 200, "1 reader 1 127.0.0.1" },
        { "GET /read", "runner", 200, "2 runner 3 127.0.0.1" },
        { "GET /read", "boss", 200, "3 boss 7 127.0.0.1" },
        { "POST /run/x", "reader", 403, "POST /run/{id} needs a key with the scope \\\"run\\\"; this one has: read." },
        { "POST /run/x", "runner", 200, "2 runner 3 127.0.0.1" },
        { "POST /run/x", "boss", 200, "3 boss 7 127.0.0.1" },
        { "DELETE /admin", "reader", 403, "\"scope\":\"admin\"" },
        { "DELETE /admin", "runner", 403, "this one has: read, run." },
        { "DELETE /admin", "boss", 200, "3 boss 7 127.0.0.1" },
        { "GET /nowhere", NULL, 404, "\"code\":\"not_found\"" },
        { "PATCH /admin", NULL, 405, "\"code\":\"method_not_allowed\"" },
    };
    char header[100];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        test_case("%s %s", cases[i].line, cases[i].token ? cases[i].token : "(nothing)");
        for (int way = 0; way < 2; way++) {
            header[0] = '\0';
            if (cases[i].token)
                (void)snprintf(header, sizeof header, "%s%s\r\n", way ? "x-api-key: " : "Authorization: Bearer ",
                               cases[i].token);
            ask(cases[i].line, header);
            CHECK_I64(got.status, cases[i].status);
            if (!CHECK(strstr(got.body, cases[i].want)))
                CHECK_TEXT(got.body, cases[i].want);
            if (cases[i].token)
                CHECK(got.status < 400 || !strstr(got.body, cases[i].token)); /* never quoted */
        }
    }
}

static void refusals_say_what_to_send(void)
{
    ask("GET /read", "");
    CHECK_TEXT(HEADER("WWW-Authenticate"), "Bearer realm=\"vidbatch\"");
    ask("GET /read", "x-api-key: nonsense\r\n");
    CHECK_TEXT(HEADER("WWW-Authenticate"), "Bearer realm=\"vidbatch\", error=\"invalid_token\"");
    ask("DELETE /admin", "x-api-key: reader\r\n");
    CHECK_TEXT(HEADER("WWW-Authenticate"), "Bearer realm=\"vidbatch\", error=\"insufficient_scope\", scope=\"admin\"");
    ask("GET /read", "x-api-key: later\r\n");
    CHECK_TEXT(HEADER("WWW-Authenticate"), "");
}

static void tokens_are_found_in_headers(void)
{
    static const struct {
        const char *headers;
        int status;
    } cases[] = {
        { "authorization: bearer reader\r\n", 200 },
        { "Authorization:   BEARER   reader  \r\n", 200 },
        { "X-API-Key:  reader \r\n", 200 },
        { "Authorization: Bearer reader\r\nx-api-key: reader\r\n", 200 },
        { "Authorization: Bearer reader\r\nx-api-key: boss\r\n", 400 },
        { "Authorization: Bearer reader\r\nx-api-key:\r\n", 400 },
        { "Authorization: Bearer reader\r\nAuthorization: Bearer reader\r\n", 400 },
        { "x-api-key: reader\r\nx-api-key: boss\r\n", 400 },
        { "Authorization: Bearer\r\n", 400 },
        { "Authorization: Bearer \r\n", 400 },
        { "Authorization: Bearerreader\r\n", 400 },
        { "Authorization: Basic cmVhZGVy\r\n", 400 },
        { "Authorization: reader\r\n", 400 },
        { "Authorization:\r\n", 400 },
        { "Authorization: Basic cmVhZGVy\r\nx-api-key: reader\r\n", 400 },
        { "x-api-key:\r\n", 401 },
        { "Authorization: Bearer reader x\r\n", 401 },
        { "X-Request-Id: reader\r\n", 401 },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        test_case("%s", cases[i].headers);
        ask("GET /read", cases[i].headers);
        CHECK_I64(got.status, cases[i].status);
        if (cases[i].status == 400)
            CHECK(strstr(got.body, "\"code\":\"bad_credentials\""));
        atomic_store(&is_open, true); /* where nobody is asked, a proxy's own credentials are no matter */
        ask("GET /read", cases[i].headers);
        CHECK_I64(got.status, 200);
        atomic_store(&is_open, false);
    }
}

static void a_stream_ends_with_its_key(void)
{
    ask("GET /stream", "x-api-key: reader\r\n");
    CHECK_I64(got.status, 200);
    CHECK(got.len == (size_t)3 * 65536 && !got.whole);
    atomic_store(&is_revoked, false);
}

static void who_is_not_asked_must_be_near(void)
{
    static const struct {
        const char *host, *headers;
        int status;
    } cases[] = {
        { "localhost", "", 200 },
        { "LOCALHOST:8080", "", 200 },
        { "127.0.0.1:8080", "", 200 },
        { "[::1]:8080", "", 200 },
        { "[::1]", "", 200 },
        { "app.localhost", "", 200 },
        { "evil.example", "", 403 },
        { "evil.example:8080", "Origin: http://evil.example:8080\r\n", 403 },
        { "localhost.evil.example", "", 403 },
        { "127.0.0.1.evil.example", "", 403 },
        { "localhost:80a", "", 403 },
        { "localhost", "X-Forwarded-For: 192.0.2.1\r\n", 403 },
        { "localhost", "Forwarded: for=192.0.2.1\r\n", 403 },
    };
    struct http_options options = {
        .host = "127.0.0.1", .routes = routes, .route_count = sizeof routes / sizeof routes[0], .open_is_local = true
    };
    struct http_server *open = NULL;
    struct err err = { 0 };
    char request[600];

    if (!CHECK(http_start(&options, &open, &err)))
        return;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        test_case("%s %s", cases[i].host, cases[i].headers);
        (void)snprintf(request, sizeof request, "GET /read HTTP/1.1\r\nHost: %s\r\n%s\r\n", cases[i].host,
                       cases[i].headers);
        client_ask(http_port(open), request, &got);
        CHECK_I64(got.status, cases[i].status);
    }
    client_ask(http_port(open), "GET /livez HTTP/1.1\r\nHost: evil.example\r\n\r\n", &got);
    CHECK_I64(got.status, 200); /* says nothing of anybody's */
    CHECK(http_stop(open, 1000));
}

static void what_was_given_is_taken_back(void)
{
    char header[] = "x-api-key: boss\r\n";

    for (int i = 0; i < 20; i++)
        ask(i % 2 ? "GET /read" : "DELETE /admin", header);
    CHECK(http_stop(server, 1000));
    server = NULL;
    CHECK_I64(atomic_load(&grants), 0);
}

static void inline_routes_are_public(void)
{
    static const struct route bad[] = { { "GET", "/now", ACCESS_READ, 0, show, true } };
    const struct http_options options = { .routes = bad, .route_count = 1 };
    struct http_server *none = NULL;
    struct err err = { 0 };

    CHECK(!http_start(&options, &none, &err));
    CHECK_TEXT(err.what, "route GET /now: only a public route is answered inline");
}

static void *open_context(void *arg, struct err *err)
{
    (void)err;
    return mem_text(arg);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        { "scopes are asked", scopes_are_asked },
        { "refusals say what to send", refusals_say_what_to_send },
        { "tokens are found in headers", tokens_are_found_in_headers },
        { "inline routes are public", inline_routes_are_public },
        { "a stream ends with its key", a_stream_ends_with_its_key },
        { "who is not asked must be near", who_is_not_asked_must_be_near },
        { "what was given is taken back", what_was_given_is_taken_back },
    };
    const struct http_options options = { .host = "127.0.0.1",
                                          .routes = routes,
                                          .route_count = sizeof routes / sizeof routes[0],
                                          .open_context = open_context,
                                          .close_context = mem_free,
                                          .authenticate = authenticate,
                                          .arg = (void *)"the app" };
    struct err err = { 0 };
    int status = 0;

    log_setup(LOG_ERROR_LEVEL, false, STDERR_FILENO);
    if (!http_start(&options, &server, &err)) {
        (void)fprintf(stderr, "%s\n", err.what);
        return 1;
    }
    status = test_main("http/caller", tests, (int)(sizeof tests / sizeof tests[0]), argc, argv);
    (void)http_stop(server, 0);
    return status;
}
