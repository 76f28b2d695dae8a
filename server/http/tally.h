/* What each client has open and how much it may still ask: one table, one lock, held for a few additions. A client is a
 * key, or the address of whoever was asked for none. Private to
 * server/http and its tests. */
#ifndef VIDBATCH_HTTP_TALLY_H
#define VIDBATCH_HTTP_TALLY_H

#include "server/base/err.h"
#include "server/http/address.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct client_id {
    uint64_t high, low;
    bool is_key;
};
struct client_id client_of_key(int64_t key_id);
/* Whoever has an IPv6 address has its whole /64, so that is what counts. */
struct client_id client_of_address(const struct address *a);

bool client_is(struct client_id a, struct client_id b);

struct tally_limits { /* 0: no limit */
    int64_t connections, streams, running, parked, held_bytes;
    int64_t per_s, burst;               /* requests: tokens a second, and most that are saved up */
    int64_t denied_per_s, denied_burst; /* answers 401 */
};
enum { TALLY_SLOTS = 1024 };
struct tally_entry;
struct tally {
    pthread_mutex_t lock; /* guards slots and what hangs there */
    struct tally_limits limits;
    struct tally_entry *slots[TALLY_SLOTS];
};
void tally_init(struct tally *t, const struct tally_limits *limits);
void tally_done(struct tally *t);

/* Where there is no memory for a client nothing is refused to it. Any thread. */
/* Running: requests that have a handler thread, or are to have the next one; parked: those that wait until one of them
 * has ended. */
enum tally_kind { TALLY_CONNECTIONS, TALLY_STREAMS, TALLY_RUNNING, TALLY_PARKED, TALLY_HELD_BYTES, TALLY_KINDS };
/* So many more. False: it would have more than it may. True must be followed by tally_give of as many. */
MUST_CHECK bool tally_take(struct tally *t, struct client_id who, enum tally_kind kind, int64_t amount, int64_t now_ms);
/* Would it be given one more? For those who cannot give it back; then is not now. */
MUST_CHECK bool tally_has_room(struct tally *t, struct client_id who, enum tally_kind kind, int64_t now_ms);
void tally_give(struct tally *t, struct client_id who, enum tally_kind kind, int64_t amount, int64_t now_ms);

struct quota { /* as the RateLimit fields tell it */
    int64_t burst, window_s, left, full_in_s;
    int64_t wait_s; /* until the next request is let through; 0: this one was */
};
/* One request. False: too many; wait. *out is filled where requests are limited at all. */
MUST_CHECK bool tally_request(struct tally *t, struct client_id who, int64_t now_ms, struct quota *out);
/* One answer 401; and whether so many went there that nothing with a key is taken from there until *wait_s has passed.
 */
void tally_denied(struct tally *t, struct client_id who, int64_t now_ms);
MUST_CHECK bool tally_may_try(struct tally *t, struct client_id who, int64_t now_ms, int64_t *wait_s);

#endif
