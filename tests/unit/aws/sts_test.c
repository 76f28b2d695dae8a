#include "aws/sts.h"
#include "server/base/clock.h"
#include "server/base/mem.h"
#include "tests/unit/aws/creds_fixture.h"

#include <time.h>

/* ---- the form ---- */

static const struct {
    struct sts_role role;
    bool is_web;
    const char *want; /* NULL: refused ... */
    const char *words;
} forms[] = {
    { { .arn = SPAN_LIT(ROLE_ARN), .session_name = SPAN_LIT("me@host") },
      false,
      "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Freader"
      "&RoleSessionName=me%40host",
      "" },
    { { .arn = SPAN_LIT(ROLE_ARN),
        .session_name = SPAN_LIT("me"),
        .external_id = SPAN_LIT("a b&c"),
        .duration_s = 900 },
      false,
      "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Freader"
      "&RoleSessionName=me&DurationSeconds=900&ExternalId=a%20b%26c",
      "" },
    { { .arn = SPAN_LIT(ROLE_ARN), .session_name = SPAN_LIT("me"), .web_identity = SPAN_LIT("a.b+c=") },
      true,
      "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Freader"
      "&RoleSessionName=me&WebIdentityToken=a.b%2Bc%3D",
      "" },
    { { .arn = SPAN_LIT("reader"), .session_name = SPAN_LIT("me") }, false, NULL, "role_arn" },
    { { .session_name = SPAN_LIT("me") }, false, NULL, "role_arn" },
    { { .arn = SPAN_LIT(ROLE_ARN), .session_name = SPAN_LIT("m") }, false, NULL, "role_session_name" },
    { { .arn = SPAN_LIT(ROLE_ARN), .session_name = SPAN_LIT("a b") }, false, NULL, "role_session_name" },
    { { .arn = SPAN_LIT(ROLE_ARN), .session_name = SPAN_LIT("a\0b") }, false, NULL, "role_session_name" },
    { { .arn = SPAN_LIT(ROLE_ARN), .session_name = SPAN_LIT("me"), .duration_s = 899 },
      false,
      NULL,
      "duration_seconds" },
    { { .arn = SPAN_LIT(ROLE_ARN), .session_name = SPAN_LIT("me"), .duration_s = 43201 }, false, NULL, "duration" },
    { { .arn = SPAN_LIT(ROLE_ARN), .session_name = SPAN_LIT("me"), .external_id = SPAN_LIT("x") },
      false,
      NULL,
      "extern" },
    { { .arn = SPAN_LIT(ROLE_ARN), .session_name = SPAN_LIT("me"), .web_identity = SPAN_LIT("x") },
      true,
      NULL,
      "token" },
};

static void test_form(void)
{
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        AUTO(buf_done) struct buf out = { 0 };
        struct err err = { 0 };

        test_case("row %zu", i);
        CHECK(sts_role_form(&forms[i].role, forms[i].is_web, &out, &err) == (forms[i].want != NULL));
        if (forms[i].want)
            CHECK_TEXT(buf_cstr(&out), forms[i].want);
        CHECK(strstr(err.what, forms[i].words) != NULL);
    }
    test_case(NULL);
}

/* ---- the answer ---- */

#define PART(name, text) "<" name ">" text "</" name ">"
#define GOOD_TIME PART("Expiration", "2026-01-01T00:00:00Z")
#define WRAP(inside) "<R><X><Credentials>" inside "</Credentials></X></R>"

static const struct {
    const char *body;
    bool want;
    const char *words;
} answers[] = {
    { STS_ANSWER("AssumeRole", "A"), true, "" },
    { "\n<?xml version=\"1.0\"?>" STS_ANSWER("AssumeRoleWithWebIdentity", "A"), true, "" },
    { "<s:R "
      "xmlns:s=\"u\"><s:Credentials><s:AccessKeyId>A</s:AccessKeyId><s:SecretAccessKey>A-secret</s:SecretAccessKey>"
      "<s:SessionToken> "
      "A-token\n</s:SessionToken><s:Expiration>2099-01-01T00:00:00Z</s:Expiration></s:Credentials></s:R>",
      true, "" },
    { WRAP(PART("SecretAccessKey", "S") PART("SessionToken", "T") GOOD_TIME), false, "AccessKeyId" },
    { WRAP(PART("AccessKeyId", "A") PART("SessionToken", "T") GOOD_TIME), false, "SecretAccessKey" },
    { WRAP(PART("AccessKeyId", "A") PART("SecretAccessKey", "S") GOOD_TIME), false, "SessionToken" },
    { WRAP(PART("AccessKeyId", "A") PART("SecretAccessKey", "S") PART("SessionToken", "T")), false, "Expiration" },
    { WRAP(PART("AccessKeyId", "A") PART("SecretAccessKey", "S") PART("SessionToken", "T") PART("Expiration", "later")),
      false, "Expiration" },
    { WRAP(PART("AccessKeyId", "A B") PART("SecretAccessKey", "S") PART("SessionToken", "T") GOOD_TIME), false,
      "AccessKeyId" },
    /* keys that are not below <Credentials> are somebody else's */
    { "<R>" PART("AccessKeyId", "A") PART("SecretAccessKey", "S") PART("SessionToken", "T") GOOD_TIME "</R>", false,
      "AccessKeyId" },
    { "<R><Credentials><X>" PART("AccessKeyId", "A") "</X></Credentials></R>", false, "AccessKeyId" },
    { "<R><Credentials>", false, "cannot be read" },
    { "", false, "cannot be read" },
    { "{}", false, "cannot be read" },
};

static void test_answer(void)
{
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        struct creds got = { .generation = 7 };
        struct err err = { 0 };

        test_case("row %zu: %s", i, answers[i].body);
        CHECK(sts_read_credentials(span_of(answers[i].body), &got, &err) == answers[i].want);
        CHECK_TEXT(got.access_key_id, answers[i].want ? "A" : "");
        CHECK_TEXT(got.secret_access_key, answers[i].want ? "A-secret" : "");
        CHECK_TEXT(got.session_token, answers[i].want ? "A-token" : "");
        CHECK_I64(got.expires_at_s, answers[i].want ? 4070908800 : 0);
        CHECK_I64(got.generation, 7);
        CHECK(strstr(err.what, answers[i].words) != NULL);
    }
    test_case(NULL);
}

/* ---- calls ---- */

static const struct creds by = { .access_key_id = "AKIDEXAMPLE",
                                 .secret_access_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                                 .session_token = "source-token" };
static const struct sts_role role = { .arn = SPAN_LIT(ROLE_ARN),
                                      .session_name = SPAN_LIT("me"),
                                      .web_identity = SPAN_LIT("web-identity-token") };

static bool ask(struct http_script *script, bool is_web, struct creds *out, struct err *err)
{
    const struct endpoint ep = script_endpoint(script);
    const struct sts sts = { .endpoint = &ep };

    *out = (struct creds){ .access_key_id = "" };
    *err = (struct err){ 0 };
    return is_web ? sts_assume_role_with_web_identity(&sts, &role, out, err)
                  : sts_assume_role(&sts, &by, &role, out, err);
}

static void test_signed(void)
{
    const struct http_answer answer = { .status = 200, .body = STS_ANSWER("AssumeRole", "A") };
    struct http_script *script = http_script_start(&answer, 1);
    const struct http_seen *seen;
    struct creds got;
    struct err err;
    struct span auth;

    CHECK(ask(script, false, &got, &err));
    CHECK_TEXT(got.session_token, "A-token");
    CHECK(ask(script, true, &got, &err));
    seen = http_script_seen(script, 0);
    if (CHECK(seen != NULL)) {
        auth = http_seen_header(seen, "authorization");
        CHECK_TEXT(seen->method, "POST");
        CHECK_TEXT(seen->target, "/");
        CHECK(memmem(auth.ptr, auth.len, "/eu-west-1/sts/aws4_request", 27) != NULL);
        CHECK(memmem(auth.ptr, auth.len, "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token,", 63) !=
              NULL);
        CHECK_SPAN(http_seen_header(seen, "x-amz-security-token"), "source-token");
        CHECK_SPAN(http_seen_header(seen, "content-type"), "application/x-www-form-urlencoded; charset=utf-8");
    }
    check_seen_header(script, 1, "authorization", "");
    check_seen_header(script, 1, "x-amz-security-token", "");
    CHECK(body_has(script, 1, "&WebIdentityToken=web-identity-token"));
    http_script_stop(script);
}

#define BAD(status_, code)                                                                                             \
    {                                                                                                                  \
        .status = status_, .body = STS_ERROR(code)                                                                     \
    }

/* The first answer, then good ones: does the call go on, or what does it say? */
static const struct {
    struct http_answer first;
    bool is_web;
    size_t want_requests;
    enum err_kind kind; /* ERR_NONE: went well */
    const char *words;
} faults[] = {
    { BAD(500, "InternalFailure"), false, 2, ERR_NONE, "" },
    { { .status = 503, .body = "busy" }, true, 2, ERR_NONE, "" },
    { BAD(400, "IDPCommunicationError"), true, 2, ERR_NONE, "" },
    { { .status = 0, .end = HTTP_RESET }, false, 2, ERR_NONE, "" },
    { { .status = 200, .body = "<AssumeRoleResponse><Assu" }, false, 2, ERR_NONE, "" },
    { { .status = 200, .body = "<R><Credentials/></R>" }, false, 1, ERR_UPSTREAM, "no usable AccessKeyId" },
    { BAD(403, "AccessDenied"), false, 1, ERR_DENIED, "the caller needs sts:AssumeRole" },
    { BAD(403, "AccessDenied"), true, 1, ERR_DENIED, "sts:AssumeRoleWithWebIdentity" },
    { BAD(400, "ExpiredTokenException"), true, 1, ERR_DENIED, "must renew it" },
    { BAD(400, "InvalidIdentityToken"), true, 1, ERR_INPUT, "OIDC" },
    { BAD(403, "IDPRejectedClaim"), true, 1, ERR_DENIED, "IDPRejectedClaim" },
    { BAD(403, "RegionDisabledException"), false, 1, ERR_DENIED, "account settings" },
    { BAD(400, "MalformedPolicyDocument"), false, 1, ERR_INPUT, "MalformedPolicyDocument" },
    { { .status = 403, .body = "<Error><Code>AccessDenied</Code></Error>" }, false, 1, ERR_DENIED, "AccessDenied" },
    { { .status = 301, .headers = "Location: http://127.0.0.1:9/\r\n" }, false, 1, ERR_UPSTREAM, "HTTP 301" },
    { { .status = 200, .body = "0123456789abcdef", .repeat = 5000 }, false, 1, ERR_UPSTREAM, "larger than 64 KiB" },
};

static void test_faults(void)
{
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        const struct http_answer answers_[] = { faults[i].first,
                                                { .status = 200, .body = STS_ANSWER("AssumeRole", "A") } };
        struct http_script *script = http_script_start(answers_, 2);
        struct creds got;
        struct err err;

        test_case("row %zu: %s", i, faults[i].words);
        CHECK(ask(script, faults[i].is_web, &got, &err) == (faults[i].kind == ERR_NONE));
        CHECK_I64(err.kind, faults[i].kind);
        CHECK(strstr(err.what, faults[i].words) != NULL);
        CHECK(!strstr(err.what, "web-identity-token") && !strstr(err.what, "source-token"));
        CHECK_I64(http_script_count(script), faults[i].want_requests);
        CHECK_TEXT(got.access_key_id, faults[i].kind == ERR_NONE ? "A" : "");
        if (faults[i].first.status == 403 && faults[i].is_web) {
            CHECK_TEXT(err.code, "role_refused");
            CHECK_TEXT(err.upstream_message, "said so");
            CHECK_TEXT(err.upstream_request_id, "rq-1");
        }
        http_script_stop(script);
    }
    test_case(NULL);
}

static void test_gives_up(void)
{
    const struct http_answer answer = BAD(500, "InternalFailure");
    struct http_script *script = http_script_start(&answer, 1);
    struct creds got;
    struct err err;

    CHECK(!ask(script, false, &got, &err));
    CHECK_I64(http_script_count(script), 3);
    CHECK_TEXT(err.code, "sts_unreachable");
    CHECK(err.retryable);
    http_script_stop(script);
}

/* Our clock is wrong: signed once more with AWS's, and only once. */
static void test_clock_skew(void)
{
    char date[64], stamp[CLOCK_RFC3339_SIZE];
    struct http_answer answers_[] = { BAD(403, "SignatureDoesNotMatch"),
                                      { .status = 200, .body = STS_ANSWER("AssumeRole", "A") } };
    const time_t then = (clock_wall_ms() + 20 * 60 * 1000) / 1000;
    char want[32];
    struct tm tm;

    clock_http_date((int64_t)then * 1000, stamp);
    snprintf(date, sizeof(date), "Date: %s\r\n", stamp);
    answers_[0].headers = date;
    strftime(want, sizeof(want), "%Y%m%dT%H", gmtime_r(&then, &tm));
    for (int wrong = 0; wrong < 2; wrong++) {
        struct http_script *script = http_script_start(answers_, wrong ? 1 : 2);
        struct creds got;
        struct err err;

        test_case(wrong ? "still refused" : "corrected");
        CHECK(ask(script, false, &got, &err) == !wrong);
        CHECK_I64(http_script_count(script), 2);
        CHECK(span_starts(http_seen_header(http_script_seen(script, 1), "x-amz-date"), span_of(want)));
        http_script_stop(script);
    }
    test_case(NULL);
}

static bool yes(void *arg)
{
    (void)arg;
    return true;
}

static void test_stops(void)
{
    const struct http_answer answer = { .status = 200, .body = "x", .is_held = true };
    struct http_script *script = http_script_start(&answer, 1);
    const struct endpoint ep = script_endpoint(script);
    const struct sts sts = { .endpoint = &ep, .stop = { yes, NULL } };
    struct creds got;
    struct err err = { 0 };
    const int64_t began_ms = clock_mono_ms();

    CHECK(!sts_assume_role(&sts, &by, &role, &got, &err));
    CHECK_I64(err.kind, ERR_CANCELLED);
    CHECK(clock_mono_ms() - began_ms < 5000);
    http_script_release(script);
    http_script_stop(script);
}

static void test_no_memory(void)
{
    const struct http_answer answer = { .status = 200, .body = STS_ANSWER("AssumeRole", "A") };
    struct http_script *script = http_script_start(&answer, 1);
    const struct endpoint ep = script_endpoint(script);
    const struct sts sts = { .endpoint = &ep };
    bool ok = false;

    for (uint64_t n = 1; !ok && n < 200; n++) {
        struct creds got = { .access_key_id = "" };
        struct err err = { 0 };

        mem_fail_at(n);
        ok = sts_assume_role(&sts, &by, &role, &got, &err);
        mem_fail_never();
        CHECK_I64(err.kind, ok ? ERR_NONE : ERR_MEMORY);
    }
    CHECK(ok);
    http_script_stop(script);
}

static const struct test tests[] = {
    { "form", test_form },     { "answer", test_answer },       { "signed", test_signed },
    { "faults", test_faults }, { "gives_up", test_gives_up },   { "clock_skew", test_clock_skew },
    { "stops", test_stops },   { "no_memory", test_no_memory },
};
TEST_MAIN("sts", tests)
