/* EC2's metadata: the token, credentials and Region out of it, and all that can go wrong. */
#include "aws/region.h"
#include "server/base/clock.h"
#include "tests/unit/aws/creds_fixture.h"

#define TOKEN                                                                                                          \
    {                                                                                                                  \
        .status = 200, .body = "token-1"                                                                               \
    }
#define ROLE                                                                                                           \
    {                                                                                                                  \
        .status = 200, .body = "my-role\nother\n"                                                                      \
    }
#define KEYS                                                                                                           \
    {                                                                                                                  \
        .status = 200, .body = JSON_ANSWER("A")                                                                        \
    }

struct asked {
    struct http_script *script;
    struct creds_shared shared;
};

static void asked_done(struct asked *a)
{
    creds_shared_done(&a->shared);
    http_script_stop(a->script);
}

static bool start(struct asked *a, const struct http_answer *answers, size_t count)
{
    struct err err = { 0 };
    struct creds_settings settings = { .is_metadata_off = false };

    a->script = http_script_start(answers, count);
    settings.metadata_endpoint = http_script_url(a->script);
    return CHECK(creds_shared_init(&a->shared, &settings, &err));
}

/* Whether credentials were found; a failure is never one of the provider. */
static bool load(struct asked *a, struct creds *out, struct err *err)
{
    bool found = false;

    *out = (struct creds){ .access_key_id = "" };
    *err = (struct err){ 0 };
    CHECK(creds_imds_load(&a->shared, out, &found, err));
    return found;
}

static void check_target(struct asked *a, size_t i, const char *method, const char *target)
{
    const struct http_seen *seen = http_script_seen(a->script, i);

    if (!CHECK(seen != NULL))
        return;
    CHECK_TEXT(seen->method, method);
    CHECK_TEXT(seen->target, target);
}

static void test_good(void)
{
    const struct http_answer answers[] = { TOKEN, ROLE, KEYS, ROLE, KEYS };
    AUTO(asked_done) struct asked a = { .script = NULL };
    struct creds got;
    struct err err;

    if (!start(&a, answers, 5))
        return;
    CHECK(load(&a, &got, &err));
    CHECK_TEXT(got.access_key_id, "A");
    CHECK_TEXT(got.detail, "role my-role of this EC2 instance");
    CHECK_I64(got.expires_at_s, 4070908800);
    CHECK(load(&a, &got, &err)); /* with the same token */
    check_target(&a, 0, "PUT", "/latest/api/token");
    check_seen_header(a.script, 0, "x-aws-ec2-metadata-token-ttl-seconds", "21600");
    check_target(&a, 1, "GET", "/latest/meta-data/iam/security-credentials/");
    check_seen_header(a.script, 1, "x-aws-ec2-metadata-token", "token-1");
    check_target(&a, 2, "GET", "/latest/meta-data/iam/security-credentials/my-role");
    check_target(&a, 3, "GET", "/latest/meta-data/iam/security-credentials/");
    CHECK_I64(http_script_count(a.script), 5);
    a.shared.imds.token_until_ms = clock_mono_ms(); /* its time is over: a new one is asked for */
    CHECK(!load(&a, &got, &err));
    check_target(&a, 5, "PUT", "/latest/api/token");
}

/* What is answered, whether credentials come of it, and what the note says. */
static const struct {
    const char *name;
    struct http_answer answers[6];
    size_t count, want_requests;
    bool want;
    const char *words;
} cases[] = {
    { "token taken on the second attempt", { { .status = 500, .body = "x" }, TOKEN, ROLE, KEYS }, 4, 4, true, "" },
    { "token after a reset", { { .status = 0, .end = HTTP_RESET }, TOKEN, ROLE, KEYS }, 4, 4, true, "" },
    { "no token: 400", { { .status = 400, .body = "x" } }, 1, 1, false, "gives no token (HTTP 400)" },
    { "no token: 403", { { .status = 403, .body = "x" } }, 1, 1, false, "version 1 is never used" },
    { "no token: 404", { { .status = 404, .body = "x" } }, 1, 1, false, "version 1 is never used" },
    { "no token: 405", { { .status = 405, .body = "x" } }, 1, 1, false, "version 1 is never used" },
    { "no token: 500 twice", { { .status = 500, .body = "x" } }, 1, 2, false, "no usable token (HTTP 500)" },
    { "empty token", { { .status = 200, .body = "" } }, 1, 2, false, "no usable token (HTTP 200)" },
    { "token with a line break", { { .status = 200, .body = "a\r\nb: c" } }, 1, 2, false, "no usable token" },
    { "token refused once",
      { TOKEN, { .status = 401, .body = "x" }, { .status = 200, .body = "token-2" }, ROLE, KEYS },
      5,
      5,
      true,
      "" },
    { "token refused for ever",
      { TOKEN,
        { .status = 401, .body = "x" },
        TOKEN,
        { .status = 401, .body = "x" },
        TOKEN,
        { .status = 401, .body = "x" } },
      6,
      7,
      false,
      "gives no token (HTTP 401)" },
    { "no role", { TOKEN, { .status = 404, .body = "x" } }, 2, 2, false, "has no iam/security-credentials/" },
    { "500 once",
      { TOKEN, { .status = 500, .body = "x" }, ROLE, { .status = 0, .end = HTTP_CLOSE }, KEYS },
      5,
      5,
      true,
      "" },
    { "500 twice", { TOKEN, { .status = 500, .body = "x" } }, 2, 3, false, "HTTP 500" },
    { "role with a slash", { TOKEN, { .status = 200, .body = "../x" } }, 2, 2, false, "name no role" },
    { "malformed once", { TOKEN, ROLE, { .status = 200, .body = "{" }, KEYS }, 4, 4, true, "" },
    { "malformed", { TOKEN, ROLE, { .status = 200, .body = "{" } }, 3, 4, false, "role my-role of the instance" },
    { "a field is missing",
      { TOKEN, ROLE, { .status = 200, .body = "{\"Code\":\"AssumeRoleUnauthorizedAccess\"}" } },
      3,
      4,
      false,
      "AccessKeyId is missing" },
    { "a redirect", { TOKEN, { .status = 302, .headers = "Location: /\r\n" } }, 2, 3, false, "HTTP 302" },
};

static void test_cases(void)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(asked_done) struct asked a = { .script = NULL };
        struct creds got;
        struct err err;

        test_case("%s", cases[i].name);
        if (!start(&a, cases[i].answers, cases[i].count))
            continue;
        CHECK(load(&a, &got, &err) == cases[i].want);
        CHECK(strstr(err.what, cases[i].words) != NULL);
        CHECK_I64(http_script_count(a.script), cases[i].want_requests);
    }
    test_case(NULL);
}

/* A connection, but no answer: the hops of a container. One second an attempt, two attempts. */
static void test_silence(void)
{
    const struct http_answer answer = { .status = 200, .body = "x", .is_held = true };
    AUTO(asked_done) struct asked a = { .script = NULL };
    const int64_t began_ms = clock_mono_ms();
    struct creds got;
    struct err err;

    if (!start(&a, &answer, 1))
        return;
    CHECK(!load(&a, &got, &err));
    CHECK(strstr(err.what, "http-put-response-hop-limit") != NULL);
    CHECK(clock_mono_ms() - began_ms >= 2000 && clock_mono_ms() - began_ms < 10000);
    http_script_release(a.script);
}

static void test_nobody_there(void)
{
    const struct http_answer answer = { .status = 200, .body = "x" };
    AUTO(asked_done) struct asked a = { .script = NULL };
    struct creds_shared gone;
    struct creds_settings settings = { .is_metadata_off = false };
    struct err err = { 0 };
    struct creds got = { .access_key_id = "" };
    char url[64];
    bool found = true;

    if (!start(&a, &answer, 1))
        return;
    snprintf(url, sizeof(url), "%s", http_script_url(a.script));
    http_script_stop(a.script);
    a.script = http_script_start(&answer, 1);
    settings.metadata_endpoint = url;
    CHECK(creds_shared_init(&gone, &settings, &err));
    CHECK(creds_imds_load(&gone, &got, &found, &err) && !found);
    CHECK(strstr(err.what, "no answer from http://127.0.0.1") != NULL);
    creds_shared_done(&gone);
}

static void test_settings(void)
{
    static const struct {
        const char *endpoint, *mode;
        const char *want; /* NULL: refused */
    } rows[] = {
        { "", "", "http://169.254.169.254" },
        { "", "ipv4", "http://169.254.169.254" },
        { NULL, "IPv6", "http://[fd00:ec2::254]" },
        { "http://127.0.0.1:1338/", "ipv6", "http://127.0.0.1:1338" },
        { "127.0.0.1", "", NULL },
        { "ftp://127.0.0.1", "", NULL },
        { "http://a:hidden@127.0.0.1", "", NULL },
        { "a:hidden@127.0.0.1", "", NULL },
        { "http://127.0.0.1/?x", "", NULL },
        { "http://127.0.0.1/#x", "", NULL },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct imds imds;
        struct err err = { 0 };

        test_case("row %zu", i);
        CHECK(imds_init(&imds, rows[i].endpoint, rows[i].mode, false, (struct creds_stop){ NULL, NULL }, &err) ==
              (rows[i].want != NULL));
        CHECK_TEXT(imds.base, rows[i].want ? rows[i].want : "");
        CHECK(!strstr(err.what, "hidden"));
    }
    test_case(NULL);
}

static void test_off(void)
{
    const struct http_answer answer = TOKEN;
    AUTO(asked_done) struct asked a = { .script = NULL };
    struct creds got;
    struct err err;

    if (!start(&a, &answer, 1))
        return;
    a.shared.imds.is_off = true;
    CHECK(!load(&a, &got, &err));
    CHECK_TEXT(err.what, "switched off by AWS_EC2_METADATA_DISABLED");
    CHECK_I64(http_script_count(a.script), 0);
}

/* What has nearly run out is used on, and asked for again in some minutes. */
static void test_extended(void)
{
    static const int left_s[] = { -600, 0, 14 * 60, 16 * 60 };

    for (size_t i = 0; i < COUNT_OF(left_s); i++) {
        const int64_t now_s = clock_wall_ms() / 1000;
        char stamp[CLOCK_RFC3339_SIZE], body[256];
        struct http_answer answers[] = { TOKEN, ROLE, { .status = 200, .body = body } };
        AUTO(asked_done) struct asked a = { .script = NULL };
        struct creds got;
        struct err err;
        int64_t lives_s;

        test_case("%d", left_s[i]);
        clock_rfc3339((now_s + left_s[i]) * 1000, stamp);
        snprintf(body, sizeof(body),
                 "{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"S\",\"Token\":\"T\",\"Expiration\":\"%s\"}", stamp);
        if (!start(&a, answers, 3))
            continue;
        CHECK(load(&a, &got, &err));
        lives_s = got.expires_at_s - now_s;
        if (left_s[i] > 15 * 60)
            CHECK_I64(lives_s, left_s[i]);
        else
            CHECK(lives_s >= 17 * 60 && lives_s <= 25 * 60 + 5);
    }
    test_case(NULL);
}

/* ---- the Region ---- */

static void test_zones(void)
{
    static const struct {
        const char *zone, *want; /* NULL: does not tell */
    } rows[] = {
        { "us-east-1a", "us-east-1" },
        { "us-gov-west-1b", "us-gov-west-1" },
        { "us-isob-east-1a", "us-isob-east-1" },
        { "ap-southeast-2c", "ap-southeast-2" },
        { "eusc-de-east-1a", "eusc-de-east-1" },
        { "cn-north-1a", "cn-north-1" },
        { "us-west-2-lax-1a", NULL },
        { "us-east-1-wl1-bos-wlz-1", NULL },
        { "us-east-1", NULL },
        { "us-east-1A", NULL },
        { "", NULL },
        { "a", NULL },
        { "us-east-a", NULL },
        { "east-1a", NULL },
        { "us--1a", NULL },
        { "us-east-1.evil.example", NULL },
        { "<html>", NULL },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char region[AWS_REGION_SIZE] = "";

        test_case("%s", rows[i].zone);
        CHECK(region_of_zone(span_of(rows[i].zone), region) == (rows[i].want != NULL));
        CHECK_TEXT(region, rows[i].want ? rows[i].want : "");
    }
    test_case(NULL);
}

static void test_region(void)
{
    static const struct {
        const char *config; /* the shared file */
        const char *zone;   /* NULL: no such path */
        const char *want, *want_origin;
        const char *words;
    } rows[] = {
        { "[default]\nregion = eu-west-3\n", "us-east-1a", "eu-west-3", "profile default", "" },
        { "[default]\nregion = eu west\n", "us-east-1a", "", "", "'eu west' of profile default is not" },
        { "[default]\n", "us-gov-west-1a\n", "us-gov-west-1", "EC2 metadata", "" },
        { "[default]\n", "us-west-2-lax-1a", "", "",
          "AWS_REGION must be set, such as us-east-1: neither profile default" },
        { "[default]\n", NULL, "", "", "has no placement/availability-zone" },
        { "[defau", NULL, "", "", "line 1" },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct http_answer answers[] = { TOKEN, { .status = rows[i].zone ? 200 : 404, .body = rows[i].zone } };
        AUTO(folder_done) struct folder f = { .count = 0 };
        struct http_script *script = http_script_start(answers, 2);
        const struct creds_settings settings = { .config_file = folder_file(&f, "config", rows[i].config),
                                                 .metadata_endpoint = http_script_url(script) };
        struct region_found found = { .name = "" };
        struct err err = { 0 };

        test_case("row %zu", i);
        CHECK(region_find(&settings, &found, &err) == (rows[i].want[0] != '\0'));
        CHECK_TEXT(found.name, rows[i].want);
        CHECK_TEXT(found.origin, rows[i].want_origin);
        CHECK(strstr(err.what, rows[i].words) != NULL);
        http_script_stop(script);
    }
    test_case(NULL);
}

static const struct test tests[] = {
    { "good", test_good },         { "cases", test_cases },
    { "silence", test_silence },   { "nobody_there", test_nobody_there },
    { "settings", test_settings }, { "off", test_off },
    { "extended", test_extended }, { "zones", test_zones },
    { "region", test_region },
};
TEST_MAIN("imds", tests)
