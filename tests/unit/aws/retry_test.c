#include "aws/retry.h"
#include "tests/support/test.h"

#include <curl/curl.h>
#include <pthread.h>

enum { MINUTE_MS = 60 * 1000 };

static const struct {
    const char *name;
    struct retry_facts facts;
    enum retry_class what;
    enum err_kind kind;
} rows[] = {
    { "throttling wins over transient", { 0, 503, "SlowDown", false, 0 }, RETRY_THROTTLED, ERR_BUSY },
    { "name wins over status", { 0, 400, "ThrottlingException", false, 0 }, RETRY_THROTTLED, ERR_BUSY },
    { "both lists", { 0, 400, "PriorRequestNotComplete", false, 0 }, RETRY_THROTTLED, ERR_BUSY },
    { "bare 429", { 0, 429, "", false, 0 }, RETRY_THROTTLED, ERR_BUSY },
    { "500", { 0, 500, "", false, 0 }, RETRY_TRANSIENT, ERR_UPSTREAM },
    { "502", { 0, 502, "", false, 0 }, RETRY_TRANSIENT, ERR_UPSTREAM },
    { "503", { 0, 503, "ServiceUnavailable", false, 0 }, RETRY_TRANSIENT, ERR_UPSTREAM },
    { "504", { 0, 504, "Whatever", false, 0 }, RETRY_TRANSIENT, ERR_UPSTREAM },
    { "501", { 0, 501, "NotImplemented", false, 0 }, RETRY_NEVER, ERR_UPSTREAM },
    { "socket idle", { 0, 400, "RequestTimeout", false, 0 }, RETRY_TRANSIENT, ERR_UPSTREAM },
    { "damaged on the way", { 0, 400, "BadDigest", false, 0 }, RETRY_TRANSIENT, ERR_UPSTREAM },
    { "aborted", { 0, 409, "OperationAborted", false, 0 }, RETRY_TRANSIENT, ERR_UPSTREAM },
    { "quota", { 0, 400, "ServiceQuotaExceededException", false, 0 }, RETRY_THROTTLED, ERR_BUSY },
    { "model not ready", { 0, 429, "ModelNotReadyException", false, 0 }, RETRY_TRANSIENT, ERR_UPSTREAM },
    { "model failed", { 0, 424, "ModelErrorException", false, 0 }, RETRY_TRANSIENT, ERR_UPSTREAM },
    { "model took too long", { 0, 408, "ModelTimeoutException", false, 0 }, RETRY_NEVER, ERR_INPUT },
    { "validation", { 0, 400, "ValidationException", false, 0 }, RETRY_NEVER, ERR_INPUT },
    { "conflict by name", { 0, 400, "ConflictException", false, 0 }, RETRY_NEVER, ERR_CONFLICT },
    { "409", { 0, 409, "BucketNotEmpty", false, 0 }, RETRY_NEVER, ERR_CONFLICT },
    { "412", { 0, 412, "", false, 0 }, RETRY_NEVER, ERR_CONFLICT },
    { "404", { 0, 404, "NoSuchKey", false, 0 }, RETRY_NEVER, ERR_NOT_FOUND },
    { "403", { 0, 403, "AccessDenied", false, 0 }, RETRY_NEVER, ERR_DENIED },
    { "401", { 0, 401, "", false, 0 }, RETRY_NEVER, ERR_DENIED },
    { "archived", { 0, 403, "InvalidObjectState", false, 0 }, RETRY_NEVER, ERR_DENIED },
    { "expired", { 0, 400, "ExpiredToken", false, 0 }, RETRY_CREDENTIALS, ERR_DENIED },
    { "expired, other service", { 0, 403, "ExpiredTokenException", false, 0 }, RETRY_CREDENTIALS, ERR_DENIED },
    { "skewed", { 0, 403, "RequestTimeTooSkewed", true, 5 * MINUTE_MS }, RETRY_SKEW, ERR_DENIED },
    { "bad signature by skew", { 0, 403, "SignatureDoesNotMatch", true, 4 * MINUTE_MS + 1 }, RETRY_SKEW, ERR_DENIED },
    { "exactly four minutes", { 0, 403, "SignatureDoesNotMatch", true, 4 * MINUTE_MS }, RETRY_NEVER, ERR_DENIED },
    { "no Date", { 0, 403, "RequestTimeTooSkewed", false, 0 }, RETRY_NEVER, ERR_DENIED },
    { "other name, clocks apart", { 0, 403, "AccessDenied", true, 60 * MINUTE_MS }, RETRY_NEVER, ERR_DENIED },
    { "301", { 0, 301, "PermanentRedirect", false, 0 }, RETRY_NEVER, ERR_UPSTREAM },
    { "no connection", { CURLE_COULDNT_CONNECT, 0, "", false, 0 }, RETRY_TRANSIENT, ERR_UPSTREAM },
    { "timed out", { CURLE_OPERATION_TIMEDOUT, 0, "", false, 0 }, RETRY_TRANSIENT, ERR_TIMEOUT },
    { "cut", { CURLE_PARTIAL_FILE, 200, "", false, 0 }, RETRY_TRANSIENT, ERR_UPSTREAM },
    { "reset", { CURLE_RECV_ERROR, 200, "", false, 0 }, RETRY_TRANSIENT, ERR_UPSTREAM },
    { "nothing", { CURLE_GOT_NOTHING, 0, "", false, 0 }, RETRY_TRANSIENT, ERR_UPSTREAM },
    { "certificate", { CURLE_PEER_FAILED_VERIFICATION, 0, "", false, 0 }, RETRY_NEVER, ERR_UPSTREAM },
    { "too large", { CURLE_FILESIZE_EXCEEDED, 200, "", false, 0 }, RETRY_NEVER, ERR_UPSTREAM },
};

static void test_judge(void)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        test_case("%s", rows[i].name);
        CHECK_I64(retry_judge(&rows[i].facts), rows[i].what);
        CHECK_I64(retry_kind(&rows[i].facts), rows[i].kind);
    }
    test_case(NULL);
}

static const struct {
    enum retry_class what;
    int retry;
    int64_t cap_ms, hint_ms;
    double random01;
    int64_t want_ms;
} pauses[] = {
    { RETRY_TRANSIENT, 1, 20000, 0, 0.5, 25 },
    { RETRY_TRANSIENT, 4, 20000, 0, 0.5, 200 },
    { RETRY_THROTTLED, 1, 20000, 0, 0.5, 500 },
    { RETRY_THROTTLED, 3, 20000, 0, 0.5, 2000 },
    { RETRY_THROTTLED, 9, 20000, 0, 0.5, 10000 }, /* the cap comes before the jitter */
    { RETRY_THROTTLED, 1000, 20000, 0, 0.0, 0 },
    { RETRY_THROTTLED, 1, 20000, 900, 0.5, 900 },    /* a hint raises ... */
    { RETRY_THROTTLED, 1, 20000, 100, 0.5, 500 },    /* ... never lowers ... */
    { RETRY_THROTTLED, 1, 20000, 90000, 0.5, 5500 }, /* ... and by five seconds at most */
    { RETRY_THROTTLED, 1, 20000, INT64_MAX, 0.5, 5500 },
    { RETRY_TRANSIENT, 1, 20000, -5, 0.5, 25 },
    { RETRY_SKEW, 1, 20000, 9000, 0.5, 0 },
    { RETRY_CREDENTIALS, 0, 20000, 9000, 0.5, 0 },
};

static void test_pauses(void)
{
    for (size_t i = 0; i < sizeof(pauses) / sizeof(pauses[0]); i++) {
        test_case("row %zu", i);
        CHECK_I64(
            retry_pause_ms(pauses[i].what, pauses[i].retry, pauses[i].cap_ms, pauses[i].hint_ms, pauses[i].random01),
            pauses[i].want_ms);
    }
    test_case(NULL);
}

static void test_budget(void)
{
    struct retry_budget b;
    int taken = 0;

    retry_budget_init(&b);
    retry_budget_refund(&b, 14);
    CHECK_I64(b.tokens, 500);
    CHECK_I64(retry_budget_take(&b, RETRY_THROTTLED), 5);
    CHECK_I64(retry_budget_take(&b, RETRY_TRANSIENT), 14);
    CHECK_I64(retry_budget_take(&b, RETRY_SKEW), -1);
    CHECK_I64(b.tokens, 481);
    retry_budget_refund(&b, 14);
    retry_budget_refund(&b, 0);
    retry_budget_refund(&b, -1);
    CHECK_I64(b.tokens, 497);
    while (retry_budget_take(&b, RETRY_TRANSIENT))
        taken++;
    CHECK_I64(taken, 497 / 14);
    CHECK_I64(b.tokens, 497 % 14);
    CHECK_I64(retry_budget_take(&b, RETRY_THROTTLED), 5); /* what is left buys a cheaper one */
    CHECK_I64(retry_budget_take(&b, RETRY_THROTTLED), 0);
    CHECK_I64(b.tokens, 2);
}

static void *take_and_give(void *arg)
{
    struct retry_budget *b = arg;

    for (int i = 0; i < 20000; i++) {
        int taken = retry_budget_take(b, i % 2 ? RETRY_THROTTLED : RETRY_TRANSIENT);

        if (taken)
            retry_budget_refund(b, taken);
    }
    return NULL;
}

static void test_budget_threads(void)
{
    struct retry_budget b;
    pthread_t threads[4];

    retry_budget_init(&b);
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, take_and_give, &b) == 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    CHECK_I64(b.tokens, 500);
}

static const struct test tests[] = {
    { "judge", test_judge },
    { "pauses", test_pauses },
    { "budget", test_budget },
    { "budget_threads", test_budget_threads },
};
TEST_MAIN("retry", tests)
