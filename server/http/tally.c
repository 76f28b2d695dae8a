#include "server/http/tally.h"

#include "server/base/mem.h"

#include <string.h>

/* A token bucket by what it lacks, in thousandths: all zero is a full one. */
struct bucket {
    int64_t missing;
    int64_t at_ms;
};
enum { TOKEN = 1000 };

struct tally_entry {
    struct tally_entry *next;
    struct client_id who;
    int64_t open[TALLY_KINDS];
    struct bucket requests, denied;
};

struct client_id client_of_key(int64_t key_id)
{
    return (struct client_id){ .high = (uint64_t)key_id, .is_key = true };
}

struct client_id client_of_address(const struct address *a)
{
    static const uint8_t v4_prefix[12] = { [10] = 0xFF, [11] = 0xFF };
    struct client_id who = { 0 };

    memcpy(&who.high, a->bytes, 8);
    if (memcmp(a->bytes, v4_prefix, sizeof v4_prefix) == 0)
        memcpy(&who.low, a->bytes + 8, 8);
    return who;
}

bool client_is(struct client_id a, struct client_id b)
{
    return a.high == b.high && a.low == b.low && a.is_key == b.is_key;
}

void tally_init(struct tally *t, const struct tally_limits *limits)
{
    *t = (struct tally){ .limits = *limits };
    (void)pthread_mutex_init(&t->lock, NULL);
}

void tally_done(struct tally *t)
{
    for (int i = 0; i < TALLY_SLOTS; i++)
        while (t->slots[i]) {
            struct tally_entry *e = t->slots[i];
            t->slots[i] = e->next;
            mem_free(e);
        }
    (void)pthread_mutex_destroy(&t->lock);
}

/* ---- buckets ---- */

/* A thousandth of a token comes each millisecond for each token a second. */
static void refill(struct bucket *b, int64_t per_s, int64_t now_ms)
{
    int64_t passed_ms = now_ms - b->at_ms;

    if (b->missing > 0 && passed_ms < b->missing / per_s + 1)
        b->missing -= passed_ms > 0 ? passed_ms * per_s : 0;
    else
        b->missing = 0;
    if (b->missing < 0)
        b->missing = 0;
    b->at_ms = now_ms;
}

static bool has_token(const struct bucket *b, int64_t burst)
{
    return b->missing <= (burst - 1) * TOKEN;
}

/* Whole seconds until the bucket lacks no more than this. */
static int64_t seconds_until(const struct bucket *b, int64_t lacking, int64_t per_s)
{
    int64_t over = b->missing - lacking;

    return over > 0 ? (over - 1) / (per_s * TOKEN) + 1 : 0;
}

/* ---- entries ---- */

/* Nothing of it would be missed. */
static bool is_as_new(struct tally *t, struct tally_entry *e, int64_t now_ms)
{
    if (t->limits.per_s > 0)
        refill(&e->requests, t->limits.per_s, now_ms);
    if (t->limits.denied_per_s > 0)
        refill(&e->denied, t->limits.denied_per_s, now_ms);
    for (int kind = 0; kind < TALLY_KINDS; kind++)
        if (e->open[kind] > 0)
            return false;
    return e->requests.missing == 0 && e->denied.missing == 0;
}

/* With the lock. Whoever walks a slot throws away what has become as new there, so the table holds hardly more than who
 * was here within the last few seconds. NULL: there is no memory, or (where not wanted) no entry. */
static struct tally_entry *find(struct tally *t, struct client_id who, bool add, int64_t now_ms)
{
    /* Fibonacci's: addresses that follow each other go apart */
    uint64_t hash = (who.high ^ who.low * 0x9E3779B97F4A7C15U ^ who.is_key) * 0x9E3779B97F4A7C15U;
    struct tally_entry **slot = &t->slots[(hash >> 40) % TALLY_SLOTS];
    struct tally_entry **at = slot;

    while (*at) {
        struct tally_entry *e = *at;

        if (client_is(e->who, who))
            return e;
        if (is_as_new(t, e, now_ms)) {
            *at = e->next;
            mem_free(e);
        } else {
            at = &e->next;
        }
    }
    if (add && (*at = mem_alloc(1, sizeof **at)) != NULL)
        (*at)->who = who;
    return *at;
}

/* ---- what is open ---- */

static bool is_full(const struct tally *t, const struct tally_entry *e, enum tally_kind kind, int64_t amount)
{
    const int64_t most[TALLY_KINDS] = { t->limits.connections, t->limits.streams, t->limits.running, t->limits.parked,
                                        t->limits.held_bytes };

    return e && most[kind] > 0 && e->open[kind] > most[kind] - amount;
}

bool tally_has_room(struct tally *t, struct client_id who, enum tally_kind kind, int64_t now_ms)
{
    bool full = false;

    pthread_mutex_lock(&t->lock);
    full = is_full(t, find(t, who, false, now_ms), kind, 1);
    pthread_mutex_unlock(&t->lock);
    return !full;
}

bool tally_take(struct tally *t, struct client_id who, enum tally_kind kind, int64_t amount, int64_t now_ms)
{
    struct tally_entry *e = NULL;
    bool full = false;

    pthread_mutex_lock(&t->lock);
    e = find(t, who, true, now_ms);
    full = is_full(t, e, kind, amount);
    if (e && !full)
        e->open[kind] += amount;
    pthread_mutex_unlock(&t->lock);
    return !full;
}

void tally_give(struct tally *t, struct client_id who, enum tally_kind kind, int64_t amount, int64_t now_ms)
{
    struct tally_entry *e = NULL;

    pthread_mutex_lock(&t->lock);
    e = find(t, who, false, now_ms);
    if (e) /* it is not there if there was no memory */
        e->open[kind] = e->open[kind] > amount ? e->open[kind] - amount : 0;
    pthread_mutex_unlock(&t->lock);
}

/* ---- how much is asked ---- */

bool tally_request(struct tally *t, struct client_id who, int64_t now_ms, struct quota *out)
{
    const struct tally_limits *l = &t->limits;
    struct tally_entry *e = NULL;
    struct bucket none = { .at_ms = now_ms };
    struct bucket *b = &none;
    bool ok = true;

    if (l->per_s <= 0)
        return true;
    pthread_mutex_lock(&t->lock);
    e = find(t, who, true, now_ms);
    if (e)
        b = &e->requests;
    refill(b, l->per_s, now_ms);
    ok = has_token(b, l->burst);
    if (ok)
        b->missing += TOKEN;
    *out = (struct quota){ .burst = l->burst,
                           .window_s = (l->burst - 1) / l->per_s + 1,
                           .left = (l->burst * TOKEN - b->missing) / TOKEN,
                           .full_in_s = seconds_until(b, 0, l->per_s),
                           .wait_s = ok ? 0 : seconds_until(b, (l->burst - 1) * TOKEN, l->per_s) };
    pthread_mutex_unlock(&t->lock);
    return ok;
}

void tally_denied(struct tally *t, struct client_id who, int64_t now_ms)
{
    struct tally_entry *e = NULL;

    if (t->limits.denied_per_s <= 0)
        return;
    pthread_mutex_lock(&t->lock);
    e = find(t, who, true, now_ms);
    if (e) {
        refill(&e->denied, t->limits.denied_per_s, now_ms);
        if (has_token(&e->denied, t->limits.denied_burst))
            e->denied.missing += TOKEN;
    }
    pthread_mutex_unlock(&t->lock);
}

bool tally_may_try(struct tally *t, struct client_id who, int64_t now_ms, int64_t *wait_s)
{
    const struct tally_limits *l = &t->limits;
    struct tally_entry *e = NULL;
    bool ok = true;

    if (l->denied_per_s <= 0)
        return true;
    pthread_mutex_lock(&t->lock);
    e = find(t, who, false, now_ms);
    if (e) {
        refill(&e->denied, l->denied_per_s, now_ms);
        ok = has_token(&e->denied, l->denied_burst);
        *wait_s = seconds_until(&e->denied, (l->denied_burst - 1) * TOKEN, l->denied_per_s);
    }
    pthread_mutex_unlock(&t->lock);
    return ok;
}
