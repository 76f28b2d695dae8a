#include "tests/unit/aws/creds_fixture.h"

/* ---- where it may be ---- */

static const struct {
    const char *relative, *full;
    const char *want; /* NULL: refused ... */
    bool is_near;
    const char *words;
} urls[] = {
    { "/v2/credentials/x", "", "http://169.254.170.2/v2/credentials/x", true, "" },
    { "/v2", "https://example.com", "http://169.254.170.2/v2", true, "" }, /* the relative one wins */
    { "v2", "", NULL, false, "start with a slash" },
    { "@evil.example/", "", NULL, false, "start with a slash" },
    { "", "http://169.254.170.23/v1/credentials", "http://169.254.170.23/v1/credentials", true, "" },
    { "", "http://169.254.170.2/v1?a=b", "http://169.254.170.2/v1?a=b", true, "" },
    { "", "http://[fd00:ec2::23]/v1/credentials", "http://[fd00:ec2::23]/v1/credentials", true, "" },
    { "", "http://[FD00:EC2:0::23]/x", "http://[FD00:EC2:0::23]/x", true, "" },
    { "", "http://127.0.0.1:8080/x", "http://127.0.0.1:8080/x", true, "" },
    { "", "http://127.8.9.1/x", "http://127.8.9.1/x", true, "" },
    { "", "http://[::1]:8080/x", "http://[::1]:8080/x", true, "" },
    { "", "http://localhost/x", "http://localhost/x", true, "" },
    { "", "https://credentials.example.com/x", "https://credentials.example.com/x", false, "" },
    { "", "https://[2001:db8::1]/x", "https://[2001:db8::1]/x", false, "" },
    { "", "http://127.evil.example/x", NULL, false, "must be https" },
    { "", "http://169.254.170.2.evil.example/", NULL, false, "must be https" },
    { "", "http://169.254.170.3/", NULL, false, "must be https" },
    { "", "http://169.254.169.254/", NULL, false, "must be https" },
    { "", "http://[fd00:ec2::254]/", NULL, false, "must be https" },
    { "", "http://[::ffff:10.0.0.1]/", NULL, false, "must be https" },
    { "", "http://10.0.0.1/", NULL, false, "must be https" },
    { "", "http://localhost.evil.example/", NULL, false, "must be https" },
    { "", "http://evil.example#@127.0.0.1/", NULL, false, "must be https" },
    { "", "http://127.0.0.1@evil.example/", NULL, false, "user name" },
    { "", "https://me:secret@example.com/", NULL, false, "user name" },
    { "", "http://evil.example\\@127.0.0.1/", NULL, false, "" },
    { "", "ftp://127.0.0.1/", NULL, false, "must be https" },
    { "", "file:///etc/passwd", NULL, false, "" },
    { "", "127.0.0.1/x", NULL, false, "not a URL" },
    { "", "http://", NULL, false, "not a URL" },
    { "", "http://127.0.0.1 /", NULL, false, "not a URL" },
};

static void test_urls(void)
{
    for (size_t i = 0; i < COUNT_OF(urls); i++) {
        const struct creds_settings settings = { .container_relative_uri = urls[i].relative,
                                                 .container_full_uri = urls[i].full };
        AUTO(buf_done) struct buf url = { 0 };
        struct err err = { 0 };
        bool is_near = false;

        test_case("row %zu: %s%s", i, urls[i].relative, urls[i].full);
        CHECK(creds_container_url(&settings, &url, &is_near, &err) == (urls[i].want != NULL));
        CHECK_I64(err.kind, urls[i].want ? ERR_NONE : ERR_INPUT);
        CHECK(strstr(err.what, urls[i].words) != NULL && !strstr(err.what, "secret"));
        if (urls[i].want) {
            CHECK_TEXT(buf_cstr(&url), urls[i].want);
            CHECK(is_near == urls[i].is_near);
        }
    }
    test_case(NULL);
}

/* ---- asking ---- */

struct asked {
    struct http_script *script;
    struct creds_shared shared;
};

static void asked_done(struct asked *a)
{
    creds_shared_done(&a->shared);
    http_script_stop(a->script);
}

static bool start(struct asked *a, const struct http_answer *answers, size_t count, struct creds_settings settings)
{
    char url[128];
    struct err err = { 0 };

    a->script = http_script_start(answers, count);
    snprintf(url, sizeof(url), "%s/v1/credentials", http_script_url(a->script));
    settings.container_full_uri = url;
    return CHECK(creds_shared_init(&a->shared, &settings, &err));
}

static bool load(struct asked *a, struct creds *out, struct err *err)
{
    bool found = false;

    *out = (struct creds){ .access_key_id = "" };
    *err = (struct err){ 0 };
    return creds_container_load(&a->shared, out, &found, err) && CHECK(found);
}

/* The token of the file wins, and is read anew each time; one line break at its end is dropped. */
static void test_token(void)
{
    const struct http_answer answer = { .status = 200, .body = JSON_ANSWER("A") };
    AUTO(asked_done) struct asked a = { .script = NULL };
    AUTO(folder_done) struct folder f = { .count = 0 };
    const char *file = folder_file(&f, "token", "first token\n");
    struct creds got;
    struct err err;

    if (!start(&a, &answer, 1, (struct creds_settings){ .container_token_file = file, .container_token = "unused" }))
        return;
    CHECK(load(&a, &got, &err));
    CHECK_TEXT(got.access_key_id, "A");
    CHECK_TEXT(got.session_token, "A-token");
    CHECK_I64(got.expires_at_s, 4070908800);
    folder_file(&f, "token", "second\r\n");
    CHECK(load(&a, &got, &err));
    folder_file(&f, "token", "evil\r\nX-Other: 1\n");
    CHECK(!load(&a, &got, &err));
    CHECK(strstr(err.what, "line break") && !strstr(err.what, "evil"));
    unlink(file);
    CHECK(!load(&a, &got, &err));
    CHECK(strstr(err.what, "cannot be opened") != NULL);
    CHECK_I64(http_script_count(a.script), 2);
    CHECK_TEXT(http_script_seen(a.script, 0)->target, "/v1/credentials");
    check_seen_header(a.script, 0, "accept", "application/json");
    check_seen_header(a.script, 0, "authorization", "first token");
    check_seen_header(a.script, 1, "authorization", "second");
}

static void test_token_of_the_environment(void)
{
    const struct http_answer answer = { .status = 200, .body = JSON_ANSWER("A") };
    static const struct {
        const char *token, *want; /* NULL: refused */
    } tokens[] = { { "Basic abc=", "Basic abc=" }, { "", "" }, { "x\n", "x" }, { "x\ny", NULL }, { "x\n\n", NULL } };

    for (size_t i = 0; i < COUNT_OF(tokens); i++) {
        AUTO(asked_done) struct asked a = { .script = NULL };
        struct creds got;
        struct err err;

        test_case("%zu", i);
        if (!start(&a, &answer, 1, (struct creds_settings){ .container_token = tokens[i].token }))
            continue;
        CHECK(load(&a, &got, &err) == (tokens[i].want != NULL));
        if (tokens[i].want)
            check_seen_header(a.script, 0, "authorization", tokens[i].want);
    }
    test_case(NULL);
}

static const struct {
    struct http_answer first;
    size_t want_requests;
    enum err_kind kind;
    const char *words;
} faults[] = {
    { { .status = 500, .body = "no" }, 2, ERR_NONE, "" },
    { { .status = 404, .body = "no" }, 2, ERR_NONE, "" },
    { { .status = 0, .end = HTTP_RESET }, 2, ERR_NONE, "" },
    { { .status = 200, .body = "{\"AccessKeyId\":\"A\"", .announced = 500, .end = HTTP_CLOSE }, 2, ERR_NONE, "" },
    { { .status = 200, .body = "garbage" }, 2, ERR_NONE, "" },
    { { .status = 200, .body = "0123456789abcdef", .repeat = 5000 }, 2, ERR_NONE, "" },
    { { .status = 403, .body = "no" }, 1, ERR_DENIED, "refuses the authorization token" },
    { { .status = 401, .body = "no" }, 1, ERR_DENIED, "refuses the authorization token" },
};

static void test_faults(void)
{
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        const struct http_answer answers[] = { faults[i].first, { .status = 200, .body = JSON_ANSWER("A") } };
        AUTO(asked_done) struct asked a = { .script = NULL };
        struct creds got;
        struct err err;

        test_case("row %zu", i);
        if (!start(&a, answers, 2, (struct creds_settings){ .container_token = "t" }))
            continue;
        CHECK(load(&a, &got, &err) == (faults[i].kind == ERR_NONE));
        CHECK_I64(err.kind, faults[i].kind);
        CHECK(err.retryable == (faults[i].kind != ERR_NONE)); /* the agent gets new tokens and roles by and by */
        CHECK(strstr(err.what, faults[i].words) != NULL);
        CHECK_I64(http_script_count(a.script), faults[i].want_requests);
    }
    test_case(NULL);
}

/* Configured and failing is an error, not a reason to ask the next provider. */
static void test_gives_up(void)
{
    static const struct {
        struct http_answer answer;
        const char *words;
    } ends[] = { { { .status = 500, .body = "no" }, "HTTP 500" },
                 { { .status = 404, .body = "no" }, "HTTP 404" },
                 { { .status = 302, .headers = "Location: http://127.0.0.1:9/\r\n" }, "HTTP 302" },
                 { { .status = 200, .body = "{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"hidden\"}" },
                   "Token is missing" } };

    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        AUTO(asked_done) struct asked a = { .script = NULL };
        struct creds got;
        struct err err;

        test_case("%s", ends[i].words);
        if (!start(&a, &ends[i].answer, 1, (struct creds_settings){ .container_token = "t" }))
            continue;
        CHECK(!load(&a, &got, &err));
        CHECK_I64(http_script_count(a.script), 3);
        CHECK(err.retryable);
        CHECK(strstr(err.what, ends[i].words) && strstr(err.what, "container") && !strstr(err.what, "hidden"));
    }
    test_case(NULL);
}

/* Two seconds are all that one attempt gets. */
static void test_slow(void)
{
    const struct http_answer answers[] = { { .status = 200, .body = "x", .is_held = true },
                                           { .status = 200, .body = JSON_ANSWER("A") } };
    AUTO(asked_done) struct asked a = { .script = NULL };
    struct creds got;
    struct err err;

    if (!start(&a, answers, 2, (struct creds_settings){ .container_token = "t" }))
        return;
    CHECK(load(&a, &got, &err));
    CHECK_I64(http_script_count(a.script), 2);
    http_script_release(a.script);
}

static void test_nothing_configured(void)
{
    struct creds_shared shared;
    const struct creds_settings settings = { .container_token = "t" };
    struct creds got = { .access_key_id = "" };
    struct err err = { 0 };
    bool found = true;

    CHECK(creds_shared_init(&shared, &settings, &err));
    CHECK(creds_container_load(&shared, &got, &found, &err) && !found);
    CHECK(strstr(err.what, "_FULL_URI are not set") != NULL);
    creds_shared_done(&shared);
}

static const struct test tests[] = {
    { "urls", test_urls },
    { "token", test_token },
    { "token_of_the_environment", test_token_of_the_environment },
    { "faults", test_faults },
    { "gives_up", test_gives_up },
    { "slow", test_slow },
    { "nothing_configured", test_nothing_configured },
};
TEST_MAIN("creds_container", tests)
