#include "aws/retry.h"

#include <curl/curl.h>
#include <stddef.h>
#include <string.h>

enum { THROTTLED_BASE_MS = 1000, OTHER_BASE_MS = 50, THROTTLED_COST = 5, OTHER_COST = 14, FREE = -1 };
enum { HINT_RAISE_MS = 5000, SKEW_LIMIT_MS = 4 * 60 * 1000 };

struct known_code {
    const char *name;
    enum retry_class what;
};

static const struct known_code known_codes[] = {
    { "Throttling", RETRY_THROTTLED },
    { "ThrottlingException", RETRY_THROTTLED },
    { "ThrottledException", RETRY_THROTTLED },
    { "RequestThrottledException", RETRY_THROTTLED },
    { "RequestThrottled", RETRY_THROTTLED },
    { "TooManyRequestsException", RETRY_THROTTLED },
    { "ProvisionedThroughputExceededException", RETRY_THROTTLED },
    { "TransactionInProgressException", RETRY_THROTTLED },
    { "RequestLimitExceeded", RETRY_THROTTLED },
    { "BandwidthLimitExceeded", RETRY_THROTTLED },
    { "LimitExceededException", RETRY_THROTTLED },
    { "SlowDown", RETRY_THROTTLED },
    { "PriorRequestNotComplete", RETRY_THROTTLED },
    { "ServiceQuotaExceededException", RETRY_THROTTLED }, /* Bedrock: "You can resubmit your request later" */
    { "EC2ThrottledException", RETRY_THROTTLED },
    { "RequestTimeout", RETRY_TRANSIENT },
    { "RequestTimeoutException", RETRY_TRANSIENT },
    { "InternalError", RETRY_TRANSIENT },
    { "ServiceUnavailable", RETRY_TRANSIENT },
    { "IDPCommunicationError", RETRY_TRANSIENT },
    { "BadDigest", RETRY_TRANSIENT },
    { "IncompleteBody", RETRY_TRANSIENT },
    { "OperationAborted", RETRY_TRANSIENT },
    { "ModelNotReadyException", RETRY_TRANSIENT }, /* a 429, but botocore's model says that it is no throttling */
    { "ModelErrorException", RETRY_TRANSIENT },    /* a 424: the model failed, not the request */
    { "ExpiredToken", RETRY_CREDENTIALS },
    { "ExpiredTokenException", RETRY_CREDENTIALS },
    { "TokenRefreshRequired", RETRY_CREDENTIALS },
    { "InvalidToken", RETRY_CREDENTIALS },
    { "RequestExpired", RETRY_CREDENTIALS },
    { "RequestTimeTooSkewed", RETRY_SKEW },
    { "SignatureDoesNotMatch", RETRY_SKEW },
    { "InvalidSignatureException", RETRY_SKEW },
    { "AuthFailure", RETRY_SKEW },
    { "AccessDeniedException", RETRY_SKEW },
};

static enum retry_class judge_transport(int code)
{
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        return RETRY_TRANSIENT;
    default:
        return RETRY_NEVER;
    }
}

static enum retry_class judge_code(const char *code)
{
    for (size_t i = 0; i < sizeof(known_codes) / sizeof(known_codes[0]); i++)
        if (!strcmp(code, known_codes[i].name))
            return known_codes[i].what;
    return RETRY_NEVER;
}

static enum retry_class judge_status(int status)
{
    if (status == 429)
        return RETRY_THROTTLED;
    return status == 500 || status == 502 || status == 503 || status == 504 ? RETRY_TRANSIENT : RETRY_NEVER;
}

enum retry_class retry_judge(const struct retry_facts *facts)
{
    enum retry_class by_code = judge_code(facts->code);

    if (facts->transport)
        return judge_transport(facts->transport);
    /* These names mean a wrong clock only if the clocks do differ. */
    if (by_code == RETRY_SKEW && (!facts->has_date || facts->skew_gap_ms <= SKEW_LIMIT_MS))
        by_code = RETRY_NEVER;
    return by_code != RETRY_NEVER ? by_code : judge_status(facts->status);
}

enum err_kind retry_kind(const struct retry_facts *facts)
{
    if (facts->transport)
        return facts->transport == CURLE_OPERATION_TIMEDOUT ? ERR_TIMEOUT : ERR_UPSTREAM;
    switch (judge_code(facts->code)) {
    case RETRY_THROTTLED:
        return ERR_BUSY;
    case RETRY_TRANSIENT:
        return ERR_UPSTREAM;
    case RETRY_CREDENTIALS:
        return ERR_DENIED;
    default:
        break;
    }
    if (facts->status == 429)
        return ERR_BUSY;
    if (facts->status == 404)
        return ERR_NOT_FOUND;
    if (facts->status == 401 || facts->status == 403)
        return ERR_DENIED;
    if (facts->status == 409 || facts->status == 412 || !strcmp(facts->code, "ConflictException"))
        return ERR_CONFLICT;
    return facts->status >= 400 && facts->status < 500 ? ERR_INPUT : ERR_UPSTREAM;
}

int64_t retry_pause_ms(enum retry_class what, int retry, int64_t cap_ms, int64_t hint_ms, double random01)
{
    int64_t pause_ms = what == RETRY_THROTTLED ? THROTTLED_BASE_MS : OTHER_BASE_MS;

    if (what == RETRY_SKEW || what == RETRY_CREDENTIALS)
        return 0;
    for (int i = 1; i < retry && pause_ms < cap_ms; i++)
        pause_ms *= 2;
    pause_ms = (int64_t)((double)(pause_ms < cap_ms ? pause_ms : cap_ms) * random01);
    if (hint_ms <= pause_ms)
        return pause_ms;
    return hint_ms < pause_ms + HINT_RAISE_MS ? hint_ms : pause_ms + HINT_RAISE_MS;
}

void retry_budget_init(struct retry_budget *b)
{
    atomic_init(&b->tokens, RETRY_TOKENS);
}

int retry_budget_take(struct retry_budget *b, enum retry_class what)
{
    int cost = what == RETRY_THROTTLED ? THROTTLED_COST : OTHER_COST;
    int have = atomic_load(&b->tokens);

    if (what == RETRY_SKEW || what == RETRY_CREDENTIALS)
        return FREE;
    do {
        if (have < cost)
            return 0;
    } while (!atomic_compare_exchange_weak(&b->tokens, &have, have - cost));
    return cost;
}

void retry_budget_refund(struct retry_budget *b, int taken)
{
    int have = atomic_load(&b->tokens);
    int want;

    do {
        want = have + (taken > 0 ? taken : 1);
        want = want < RETRY_TOKENS ? want : RETRY_TOKENS;
    } while (!atomic_compare_exchange_weak(&b->tokens, &have, want));
}
