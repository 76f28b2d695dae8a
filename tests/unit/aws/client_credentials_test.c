/* A call whose credentials are not to be had: its error is no answer to the call. */
#include "server/base/clock.h"
#include "tests/unit/aws/client_fixture.h"
#include "tests/unit/aws/creds_fixture.h"

static const struct {
    const char *name;
    bool is_role; /* STS is asked, else a container's agent */
    struct http_answer answer;
    const char *want_code, *want_words;
} rows[] = {
    { "STS denies", true, { .status = 403, .body = STS_ERROR("AccessDenied") }, "role_refused", "AccessDenied" },
    { "STS refuses", true, { .status = 400, .body = STS_ERROR("ValidationError") }, "role_refused", "ValidationError" },
    { "STS answers nonsense", true, { .status = 200, .body = "<a/>" }, "bad_credentials_answer", "AccessKeyId" },
    { "the agent refuses", false, { .status = 403, .body = "no" }, "credentials", "HTTP 403" },
    { "the agent answers nonsense", false, { .status = 200, .body = "{}" }, "bad_credentials_answer", "AccessKeyId" },
};

static bool begin(struct fixture *f, struct folder *folder, const struct http_answer *answer, bool is_role)
{
    struct aws_options options = { .region = "us-east-1", .backoff_cap_ms = 4 };

    curl_global_init(CURL_GLOBAL_DEFAULT);
    f->script = http_script_start(answer, 1);
    options.endpoint_url = http_script_url(f->script);
    if (is_role) {
        options.credentials.role_arn = ROLE_ARN;
        options.credentials.web_identity_token_file = folder_file(folder, "token", "a.token.here");
    } else {
        options.credentials.container_full_uri = http_script_url(f->script);
    }
    f->aws = aws_new(&options, &f->err);
    if (f->aws)
        f->client = aws_client_new(f->aws, &f->err);
    CHECK_TEXT(f->err.what, "");
    return CHECK(f->client != NULL);
}

/* Whoever judges a call by kind, code or AWS's words must not take STS's for those of the service that was called. */
static void test_no_verdict(void)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO(folder_done) struct folder folder = { .count = 0 };
        AUTO(fixture_done) struct fixture f = { 0 };
        const struct aws_request rq = get_object("/k");

        test_case("%s", rows[i].name);
        if (!begin(&f, &folder, &rows[i].answer, rows[i].is_role))
            continue;
        CHECK(!call(&f, &rq));
        CHECK_I64(f.err.kind, ERR_UPSTREAM);
        CHECK_TEXT(f.err.code, rows[i].want_code);
        CHECK(strstr(f.err.what, rows[i].want_words) != NULL);
        CHECK_TEXT(f.err.upstream_code, "");
        CHECK_TEXT(f.err.upstream_message, "");
        CHECK_TEXT(f.err.upstream_request_id, "");
        CHECK_I64(f.err.upstream_status, 0);
    }
    test_case(NULL);
}

/* A token of SSO goes to no endpoint that is to be ignored, but to AWS's own: here through a proxy that refuses. */
static void test_sso_ignores_endpoints(void)
{
    static const char sso[] = "sso_account_id = 111122223333\nsso_role_name = reader\nsso_region = eu-west-1\n"
                              "sso_start_url = https://corp.awsapps.com/start\n";
    static const char cached[] = "{\"accessToken\":\"sso-token\",\"expiresAt\":\"2099-01-01T00:00:00Z\"}";
    const struct http_answer refusal = { .status = 403, .body = "no" };

    for (int by_profile = 0; by_profile < 2; by_profile++) {
        AUTO(folder_done) struct folder folder = { .count = 0 };
        AUTO(fixture_done) struct fixture f = { .script = http_script_start(&refusal, 1) };
        const char *url = http_script_url(f.script);
        struct aws_options options = { .region = "eu-west-1", .credentials.sso_cache_folder = folder.path };
        struct creds got = { .access_key_id = "" };
        char config[400];

        test_case(by_profile ? "profile" : "environment");
        setenv("https_proxy", url, 1);
        snprintf(config, sizeof(config), "[default]\n%s%s", sso,
                 by_profile ? "ignore_configured_endpoint_urls = true\n" : "");
        options.credentials.config_file = folder_file(&folder, "config", config);
        folder_file(&folder, "a51746d4aa793ae07b25e90c3a5db96fc7832bd7.json", cached);
        options.ignore_endpoint_urls = by_profile ? "" : "true";
        options.endpoint_url = by_profile ? url : "";
        options.credentials.sso_endpoint_url = by_profile ? "" : url;
        f.aws = aws_new(&options, &f.err);
        CHECK_TEXT(f.err.what, "");
        CHECK(f.aws && !aws_credentials(f.aws, &got, &f.err));
        if (CHECK(http_script_count(f.script) > 0)) {
            CHECK_TEXT(http_script_seen(f.script, 0)->method, "CONNECT");
            CHECK_TEXT(http_script_seen(f.script, 0)->target, "portal.sso.eu-west-1.amazonaws.com:443");
            check_seen_header(f.script, 0, "x-amz-sso_bearer_token", "");
        }
        unsetenv("https_proxy");
    }
    test_case(NULL);
}

/* A client's end holds for its credentials too: their provider's silence does not keep the caller. */
static void test_ends_in_time(void)
{
    const struct http_answer silence = { .status = 403, .body = "no", .is_held = true };
    AUTO(folder_done) struct folder folder = { .count = 0 };
    AUTO(fixture_done) struct fixture f = { 0 };
    const struct aws_request rq = get_object("/k");
    const int64_t began_ms = clock_mono_ms();

    if (!begin(&f, &folder, &silence, false))
        return;
    aws_client_until(f.client, began_ms + 100);
    CHECK(!call(&f, &rq));
    CHECK_I64(f.err.kind, ERR_CANCELLED);
    CHECK(clock_mono_ms() - began_ms < 1500); /* three attempts of two seconds it would be */
    http_script_release(f.script);
}

static const struct test tests[] = { { "no_verdict", test_no_verdict },
                                     { "sso_ignores_endpoints", test_sso_ignores_endpoints },
                                     { "ends_in_time", test_ends_in_time } };
TEST_MAIN("client_credentials", tests)
