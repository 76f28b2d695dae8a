#include "aws/creds_json.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#define M CREDS_JSON_METADATA
#define P CREDS_JSON_PROCESS
#define S CREDS_JSON_SSO
#define KEYS "\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"S\""
#define SSO(expires)                                                                                                   \
    "{\"roleCredentials\":{\"accessKeyId\":\"A\",\"secretAccessKey\":\"S\",\"sessionToken\":\"T\"" expires "}}"

static const struct {
    enum creds_json form;
    const char *text;
    const char *want_token; /* NULL: refused ... */
    int64_t want_expiry_s;
    const char *words; /* ... with these */
} rows[] = {
    { M, "{" KEYS ",\"Token\":\"T\",\"Expiration\":\"2026-01-01T00:00:00Z\",\"Code\":\"Success\"}", "T", 1767225600,
      "" },
    { M, " {" KEYS ",\"Token\":\"T\",\"Expiration\":\"2026-01-01T01:00:00.500+01:00\"}\n", "T", 1767225600, "" },
    { M, "{" KEYS ",\"Expiration\":\"2026-01-01T00:00:00Z\"}", NULL, 0, "Token is missing" },
    { M, "{" KEYS ",\"Token\":\"\",\"Expiration\":\"2026-01-01T00:00:00Z\"}", NULL, 0, "Token is missing" },
    { M, "{" KEYS ",\"Token\":\"T\"}", NULL, 0, "Expiration is missing" },
    { M, "{" KEYS ",\"Token\":\"T\",\"Expiration\":\"soon\"}", NULL, 0, "Expiration is not a time" },
    { M, "{" KEYS ",\"Token\":\"T\",\"Expiration\":1767225600}", NULL, 0, "Expiration is not a text" },
    { M, "{" KEYS ",\"Token\":\"a\\r\\nb: c\",\"Expiration\":\"2026-01-01T00:00:00Z\"}", NULL, 0, "Token is too long" },
    { M, "{\"Code\":\"AssumeRoleUnauthorizedAccess\"}", NULL, 0, "AccessKeyId is missing" },
    { M, "{\"AccessKeyId\":\"A\",\"Token\":\"T\",\"Expiration\":\"2026-01-01T00:00:00Z\"}", NULL, 0,
      "SecretAccessKey is" },
    { M, "{\"AccessKeyId\":7,\"SecretAccessKey\":\"S\"}", NULL, 0, "AccessKeyId is not a text" },
    { M, "", NULL, 0, "not a JSON object" },
    { M, "[]", NULL, 0, "not a JSON object" },
    { M, "{" KEYS, NULL, 0, "not a JSON object" },
    { M, "<html>", NULL, 0, "not a JSON object" },
    { P, "{\"Version\":1," KEYS "}", "", 0, "" },
    { P, "{\"Version\":1," KEYS ",\"SessionToken\":null}", "", 0, "" },
    { P, "{\"Version\":1," KEYS ",\"SessionToken\":\"T\",\"Expiration\":\"2026-01-01T00:00:00Z\"}", "T", 1767225600,
      "" },
    { P, "{" KEYS "}", NULL, 0, "Version is not the number 1" },
    { P, "{\"Version\":2," KEYS "}", NULL, 0, "Version is not the number 1" },
    { P, "{\"Version\":\"1\"," KEYS "}", NULL, 0, "Version is not the number 1" },
    { P, "{\"Version\":1,\"Version\":1," KEYS "}", NULL, 0, "not a JSON object" },
    { P, "{\"Version\":1,\"AccessKeyId\":\"A B\",\"SecretAccessKey\":\"S\"}", NULL, 0, "AccessKeyId is too long" },
    { S, SSO(",\"expiration\":1767225600999"), "T", 1767225600, "" },
    { S, SSO(",\"expiration\":\"1767225600999\""), NULL, 0, "not a number of milliseconds" },
    { S, SSO(""), NULL, 0, "not a number of milliseconds" },
    { S, SSO(",\"expiration\":-5"), NULL, 0, "expiration is missing" },
    { S, "{" KEYS "}", NULL, 0, "roleCredentials is missing" },
};

static void test_credentials(void)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct creds got = { .access_key_id = "before", .generation = 7 };
        struct err err = { 0 };

        test_case("row %zu: %s", i, rows[i].text);
        CHECK(creds_json_read(rows[i].form, span_of(rows[i].text), &got, &err) == (rows[i].want_token != NULL));
        CHECK_TEXT(got.access_key_id, rows[i].want_token ? "A" : "before");
        CHECK_TEXT(got.session_token, rows[i].want_token ? rows[i].want_token : "");
        CHECK_I64(got.expires_at_s, rows[i].want_expiry_s);
        CHECK_I64(got.generation, 7);
        CHECK(strstr(err.what, rows[i].words) != NULL);
        CHECK_I64(err.kind, rows[i].want_token ? ERR_NONE : ERR_UPSTREAM);
        CHECK(err.retryable == !rows[i].want_token); /* the next answer may be whole */
    }
    test_case(NULL);
}

static void test_sso_token(void)
{
    static const struct {
        const char *text, *words;
        int64_t want_s; /* 0: refused */
    } tokens[] = {
        { "{\"accessToken\":\"t\",\"expiresAt\":\"2026-01-01T00:00:00Z\",\"startUrl\":\"u\"}", "", 1767225600 },
        { "{\"accessToken\":\"t\",\"expiresAt\":\"2026-01-01T00:00:00UTC\"}", "", 1767225600 },
        { "{\"accessToken\":\"t\",\"expiresAt\":\"UTC\"}", "expiresAt is not a time", 0 },
        { "{\"accessToken\":\"t\"}", "expiresAt is missing", 0 },
        { "{\"expiresAt\":\"2026-01-01T00:00:00Z\"}", "accessToken is missing", 0 },
        { "{\"accessToken\":\"a b\",\"expiresAt\":\"2026-01-01T00:00:00Z\"}", "accessToken is too long", 0 },
        { "null", "not a JSON object", 0 },
    };

    for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
        struct sso_token got = { .expires_at_s = 0 };
        struct err err = { 0 };

        test_case("row %zu", i);
        CHECK(sso_token_read(span_of(tokens[i].text), &got, &err) == (tokens[i].want_s != 0));
        CHECK_I64(got.expires_at_s, tokens[i].want_s);
        CHECK_TEXT(got.token, tokens[i].want_s ? "t" : "");
        CHECK(strstr(err.what, tokens[i].words) != NULL);
    }
    test_case(NULL);
}

static const struct test tests[] = { { "credentials", test_credentials }, { "sso_token", test_sso_token } };
TEST_MAIN("creds_json", tests)
