/* The one judge of what is tried again, when, and how often: AWS's `standard` mode with the numbers of 2026. AWS's
 * error name decides first, the HTTP status second. Pure but for the budget, which is atomic. Any thread. */
#ifndef VIDBATCH_AWS_RETRY_H
#define VIDBATCH_AWS_RETRY_H

#include "server/base/attr.h"
#include "server/base/err.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum retry_class {
    RETRY_NEVER,
    RETRY_TRANSIENT,
    RETRY_THROTTLED,
    RETRY_SKEW,       /* once, beside the count, signed with the corrected clock */
    RETRY_CREDENTIALS /* once, beside the count, with credentials fetched anew */
};

struct retry_facts {
    int transport;       /* CURLcode; 0 when the whole answer arrived */
    int status;          /* an error inside a 200 counts as 500 */
    const char *code;    /* AWS's error name, "" if none */
    bool has_date;       /* the answer had a Date header ... */
    int64_t skew_gap_ms; /* ... which differs by so much (either sign) from the time that was signed */
};
enum retry_class retry_judge(const struct retry_facts *facts);
/* The kind of error that the facts make, apart from what is tried again. */
enum err_kind retry_kind(const struct retry_facts *facts);

/* Pause before retry number `retry` (1 = the first): random01 (0 <= r < 1) of a doubling base, at most cap_ms; a
 * server's hint_ms (0 = none) raises it by at most 5 s. */
int64_t retry_pause_ms(enum retry_class what, int retry, int64_t cap_ms, int64_t hint_ms, double random01);

/* Tokens that retries cost and successes give back: a long outage makes all calls fail fast. One for each service
 * endpoint. */
enum { RETRY_TOKENS = 500 };
struct retry_budget {
    atomic_int tokens;
};
void retry_budget_init(struct retry_budget *b);
/* Takes the price of one retry and returns it; 0 when it cannot be paid. The special classes are free: they return -1.
 */
int retry_budget_take(struct retry_budget *b, enum retry_class what);
/* A call ended well: `taken` is what its last retry cost, 0 if it had none. */
void retry_budget_refund(struct retry_budget *b, int taken);

#endif
