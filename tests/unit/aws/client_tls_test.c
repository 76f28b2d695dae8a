/* TLS: whom the client trusts, and streams that come through the tunnel of an HTTP proxy. */
#include "tests/unit/aws/tls_fixture.h"

#define HOST "s3.vidbatch.test"

static void test_trust(void)
{
    static const struct http_answer answers[] = { { .status = 200, .body = "secret" } };
    static const struct {
        const char *name, *names, *host;
        bool is_trusted, ok;
    } rows[] = {
        { "trusted", "IP:127.0.0.1", NULL, true, true },
        { "not in the bundle", "IP:127.0.0.1", NULL, false, false },
        { "for another address", "IP:127.0.0.2,DNS:localhost", NULL, true, false },
        { "trusted, through a proxy", "DNS:" HOST, HOST, true, true },
        { "for another name, through a proxy", "DNS:other.test,IP:127.0.0.1", HOST, true, false },
        { "not in the bundle, through a proxy", "DNS:" HOST, HOST, false, false },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        AUTO(secure_done) struct secure s = { 0 };
        struct aws_request rq = get_object("/k");

        test_case("%s", rows[i].name);
        if (!start_secure(&s, answers, 1, rows[i].names, rows[i].host, rows[i].is_trusted))
            return;
        CHECK(call(&s.f, &rq) == rows[i].ok);
        CHECK_I64(http_script_count(s.f.script), rows[i].ok); /* nothing is said to a stranger ... */
        CHECK_I64(http_script_connections(s.f.script), 1);    /* ... who is not asked twice */
        CHECK_TEXT(rows[i].ok ? buf_cstr(&s.f.rs.body) : "", rows[i].ok ? "secret" : "");
        CHECK_I64(s.f.err.kind, rows[i].ok ? ERR_NONE : ERR_UPSTREAM);
        CHECK(!s.f.err.retryable);
    }
    test_case(NULL);
}

/* The proxy's "200 Connection established" is not the answer. */
static void test_stream_through_proxy(void)
{
    static const struct http_answer answers[] = {
        { .status = 503, .body = S3_ERROR("SlowDown") },
        { .status = 206, .headers = "ETag: \"e\"\r\n", .body = "0123456789abcdef", .repeat = 1 << 16 },
        { .status = 404, .body = S3_ERROR("NoSuchKey") },
    };
    AUTO(secure_done) struct secure s = { 0 };
    struct aws_request rq = get_object("/k");
    struct aws_stream *stream = NULL;
    struct fixture *f = &s.f;
    struct span piece = { "x", 1 };
    size_t total = 0;

    if (!start_secure(&s, answers, 3, "DNS:" HOST, HOST, true) ||
        !CHECK(aws_stream_open(f->client, &rq, &f->rs, &stream, &f->err)))
        return;
    CHECK_I64(f->rs.status, 206);
    CHECK_TEXT(f->rs.etag, "\"e\"");
    CHECK_I64(f->rs.content_length, 16 << 16);
    for (; piece.len > 0; total += piece.len)
        if (!CHECK(aws_stream_read(stream, &piece, &f->err)))
            break;
    CHECK_I64(total, 16 << 16);
    aws_stream_close(stream);
    stream = NULL;
    CHECK(!aws_stream_open(f->client, &rq, &f->rs, &stream, &f->err));
    CHECK_I64(f->err.kind, ERR_NOT_FOUND);
    CHECK_I64(http_script_count(f->script), 3);
    aws_stream_close(stream);
}

/* The proxies of the environment are for the world: what is on this machine is asked without them. */
static void test_no_proxy_for_loopback(void)
{
    static const struct http_answer answers[] = { { .status = 200, .body = "x" } };
    AUTO(fixture_done) struct fixture f = { 0 };
    struct aws_request rq = get_object("/k");

    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("all_proxy", "http://127.0.0.1:1", 1);
    if (start(&f, answers, 1))
        CHECK(call(&f, &rq));
    unsetenv("http_proxy");
    unsetenv("all_proxy");
}

static const struct test tests[] = {
    { "no_proxy_for_loopback", test_no_proxy_for_loopback },
    { "trust", test_trust },
    { "stream_through_proxy", test_stream_through_proxy },
};
TEST_MAIN("client_tls", tests)
