#include "aws/credentials.h"

#include "aws/creds_internal.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/mem.h"
#include "server/base/text.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { MAX_PROVIDERS = 8 };
/* How long a refresh is waited for without a good set, and with one that has not long to live. */
enum { WAIT_BAD_MS = 60 * 1000, WAIT_GOOD_MS = 1000 };
/* A thread of the chain's own refreshes from the early point on, while all go on with the old set; from the late point
 * on they wait for it a little. The early point is up to a minute earlier by chance, so that many replicas do not come
 * together. */
enum { REFRESH_EARLY_MS = 15 * 60 * 1000, REFRESH_LATE_MS = 10 * 60 * 1000, JITTER_MS = 60 * 1000 };
/* Pauses after what failed, and between refreshes that AWS's refusals ask for. */
enum { HOLD_GOOD_MS = 30 * 1000, HOLD_BAD_MS = 3 * 1000, FORCED_PAUSE_MS = 60 * 1000 };
/* How long a set is used on when its provider does not answer any more. */
enum { KEEP_SERVING_S = 15 * 60, KEEP_JITTER_LEAST_S = 120, KEEP_JITTER_S = 481 };

struct creds_chain {
    struct creds_shared shared; /* of the providers of creds_chain_new; fixed after creation, but for what they keep */
    struct creds_provider providers[MAX_PROVIDERS]; /* fixed after creation */
    int provider_count;
    int64_t (*now_ms)(void);

    pthread_mutex_t lock; /* guards all fields below; never held while a provider loads */
    pthread_cond_t refreshed;
    bool is_refreshing;
    bool must_refresh; /* AWS refused the present set */
    bool has_current;
    uint64_t refresh_count;    /* finished ones, good or bad */
    int winner;                /* index of the provider that had credentials, -1 none yet */
    struct creds current;      /* copied out whole, never lent by pointer */
    int64_t early_ms, late_ms; /* wall clock: from when on `current` is to be refreshed; INT64_MAX: never */
    int64_t failed_at_ms;      /* wall clock: the last refresh, if it failed; else 0 */
    int64_t forced_at_ms;      /* wall clock: the last refresh that AWS's refusal asked for; 0: none */
    struct err last_error;     /* of the last refresh, for those who waited for it or come soon after */
    pthread_t helper;          /* refreshes while there is a good set, or for those who do not wait */
    bool has_helper;           /* to be joined */
    bool is_helper_done;
};

void creds_wipe(struct creds *c)
{
    OPENSSL_cleanse(c, sizeof(*c));
}

bool creds_put(char *field, size_t size, struct span value)
{
    if (value.len >= size)
        return false;
    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] <= ' ' || value.ptr[i] >= 127)
            return false;
    memset(field, 0, size);
    if (value.len)
        memcpy(field, value.ptr, value.len);
    return true;
}

/* ---- life ---- */

/* An empty chain; NULL when there is no memory. */
static struct creds_chain *make(int64_t (*now_ms)(void), struct err *err)
{
    struct creds_chain *chain = mem_alloc(1, sizeof(*chain));
    pthread_condattr_t monotonic;

    if (!chain) {
        err_memory(err, HERE);
        return NULL;
    }
    chain->now_ms = now_ms ? now_ms : clock_wall_ms;
    chain->winner = -1;
    pthread_mutex_init(&chain->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&chain->refreshed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return chain;
}

struct creds_chain *creds_chain_of(const struct creds_provider *providers, int count, int64_t (*now_ms)(void),
                                   struct err *err)
{
    struct creds_chain *chain = make(now_ms, err);

    assert(count <= MAX_PROVIDERS);
    if (!chain)
        return NULL;
    memcpy(chain->providers, providers, (size_t)count * sizeof(*providers));
    chain->provider_count = count;
    return chain;
}

struct creds_chain *creds_chain_new(const struct creds_settings *settings, struct err *err)
{
    static const struct creds_provider order[] = { { "environment", false, creds_env_load, NULL },
                                                   { "web identity", false, creds_web_identity_load, NULL },
                                                   { "profile", false, creds_profile_load, NULL },
                                                   { "container", false, creds_container_load, NULL },
                                                   { "EC2 metadata", true, creds_imds_load, NULL } };
    AUTO(creds_wipe) struct creds ignored = { 0 };
    struct creds_chain *chain = make(NULL, err);
    struct err why = { 0 };
    bool found;

    if (!chain)
        return NULL;
    if (!creds_shared_init(&chain->shared, settings, err)) {
        creds_chain_free(chain);
        return NULL;
    }
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        chain->providers[i] = order[i];
        chain->providers[i].state = &chain->shared;
        chain->provider_count++;
    }
    /* What is wrong in the environment will not mend itself: said at once. */
    if (creds_env_load(&chain->shared, &ignored, &found, &why))
        return chain;
    err_pass(err, &why);
    creds_chain_free(chain);
    return NULL;
}

void creds_chain_free(struct creds_chain *chain)
{
    if (!chain)
        return;
    if (chain->has_helper)
        pthread_join(chain->helper, NULL);
    creds_shared_done(&chain->shared);
    pthread_cond_destroy(&chain->refreshed);
    pthread_mutex_destroy(&chain->lock);
    creds_wipe(&chain->current);
    mem_free(chain);
}

/* ---- looking for credentials, without the lock ---- */

/* One provider: false when it fails, *found when it has some. */
static bool ask(const struct creds_chain *chain, int i, struct creds *out, bool *found, struct err *why)
{
    const struct creds_provider *provider = &chain->providers[i];

    creds_wipe(out);
    err_clear(why);
    *found = false;
    if (!provider->load(provider->state, out, found, why))
        return false;
    if (*found && out->expires_at_s && out->expires_at_s * 1000 <= chain->now_ms()) {
        err_set(why, ERR_DENIED, true, HERE, "the credentials from %s have already expired", provider->name);
        return err_code(why, "credentials_expired");
    }
    if (*found)
        (void)snprintf(out->provider, sizeof(out->provider), "%s", provider->name);
    return true;
}

static bool not_found(const struct buf *tried, bool may_pass, struct err *err)
{
    err_set(err, ERR_DENIED, may_pass, HERE, "no AWS credentials found; tried %s", buf_cstr(tried));
    return err_code(err, "no_credentials");
}

/* The first provider with credentials; `from` is the one that had them before, or -1: it is asked first, and once. */
static bool load(const struct creds_chain *chain, int from, struct creds *out, int *winner, struct err *err)
{
    AUTO(buf_done) struct buf tried = { 0 };
    struct err why = { 0 }, why_from = { 0 };
    bool found = false, may_pass = from >= 0; /* who had some may have some again */

    buf_init(&tried, 4096);
    *winner = from;
    if (from >= 0 && !ask(chain, from, out, &found, &why_from))
        return err_pass(err, &why_from);
    for (int i = 0; !found && i < chain->provider_count; i++) {
        const struct err *said = i == from ? &why_from : &why;

        *winner = i;
        if (i != from && !ask(chain, i, out, &found, &why))
            return err_pass(err, &why);
        may_pass = may_pass || said->retryable;
        buf_fmt(&tried, "%s%s (%s)", tried.len ? ", " : "", chain->providers[i].name,
                said->kind == ERR_NONE ? "nothing" : said->what);
    }
    return found || not_found(&tried, may_pass, err);
}

/* ---- refresh ---- */

static int64_t random_below(int64_t n)
{
    uint32_t bits;

    text_random(&bits, sizeof(bits));
    return bits % n;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* A set that lives shortly is refreshed by fractions of its life, or it would be fetched for every request. */
static void plan_refresh(struct creds_chain *chain)
{
    const int64_t expires_ms = chain->current.expires_at_s * 1000, life_ms = expires_ms - chain->now_ms();

    chain->early_ms = chain->late_ms = INT64_MAX;
    if (!expires_ms)
        return;
    chain->early_ms = expires_ms - least(REFRESH_EARLY_MS + random_below(JITTER_MS), life_ms / 2);
    chain->late_ms = expires_ms - least(REFRESH_LATE_MS, life_ms / 3);
}

/* Nothing new is to be had, but AWS mostly takes on what such a provider gave last. */
static bool keep_serving(struct creds_chain *chain, const struct err *failure)
{
    if (!chain->has_current || chain->must_refresh || !chain->providers[chain->winner].is_kept_serving)
        return false;
    chain->current.expires_at_s =
        chain->now_ms() / 1000 + KEEP_SERVING_S + KEEP_JITTER_LEAST_S + random_below(KEEP_JITTER_S);
    plan_refresh(chain);
    log_warn("aws.credentials.kept", "provider='%s' cause=%s", chain->current.provider, LOGQ(failure->what));
    return true;
}

static void take(struct creds_chain *chain, struct creds *fresh, int winner)
{
    fresh->generation = chain->current.generation + 1;
    chain->current = *fresh;
    chain->has_current = true;
    chain->must_refresh = false;
    chain->winner = winner;
    plan_refresh(chain);
}

/* Called with the lock held, gives it up while the providers work. */
static bool refresh(struct creds_chain *chain, struct err *err)
{
    struct creds fresh = { 0 };
    struct err failure = { 0 };
    int winner = chain->winner;
    bool ok;

    chain->is_refreshing = true;
    if (chain->must_refresh)
        chain->forced_at_ms = chain->now_ms();
    pthread_mutex_unlock(&chain->lock);
    ok = load(chain, winner, &fresh, &winner, &failure);
    pthread_mutex_lock(&chain->lock);
    chain->is_refreshing = false;
    chain->refresh_count++;
    chain->failed_at_ms = ok ? 0 : chain->now_ms();
    chain->last_error = failure;
    if (ok)
        take(chain, &fresh, winner);
    else
        ok = keep_serving(chain, &failure);
    if (!ok && err)
        *err = failure;
    creds_wipe(&fresh);
    pthread_cond_broadcast(&chain->refreshed);
    return ok;
}

/* ---- what those see who want credentials; all with the lock held ---- */

/* May the present set be used, whether or not it should be refreshed? */
static bool is_good(const struct creds_chain *chain)
{
    return chain->has_current && !chain->must_refresh &&
           (!chain->current.expires_at_s || chain->current.expires_at_s * 1000 > chain->now_ms());
}

/* Has a refresh failed so shortly ago that the next one must wait? A clock that was set back ends the wait. */
static bool is_held(const struct creds_chain *chain)
{
    const int64_t since_ms = chain->now_ms() - chain->failed_at_ms;

    return chain->failed_at_ms && since_ms >= 0 && since_ms < (is_good(chain) ? HOLD_GOOD_MS : HOLD_BAD_MS);
}

/* Until some refresh has ended; false: not within wait_ms. */
static bool await_refresh(struct creds_chain *chain, int64_t wait_ms)
{
    const uint64_t before = chain->refresh_count;
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait_ms / 1000;
    until.tv_nsec += wait_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    while (chain->refresh_count == before)
        if (pthread_cond_timedwait(&chain->refreshed, &chain->lock, &until))
            return chain->refresh_count != before;
    return true;
}

/* Refreshes; true when chain->current may be used then. */
static bool renew(struct creds_chain *chain, struct err *err)
{
    struct err failure = { 0 };

    if (refresh(chain, &failure))
        return true;
    if (!is_good(chain))
        return err_pass(err, &failure);
    log_warn("aws.credentials.refresh", "left_s=%lld cause=%s",
             (long long)(chain->current.expires_at_s - chain->now_ms() / 1000), LOGQ(failure.what));
    return true;
}

static void *help(void *arg)
{
    struct creds_chain *chain = arg;

    pthread_mutex_lock(&chain->lock);
    /* Somebody else may have come first. */
    if (!chain->is_refreshing && !is_held(chain) && (!is_good(chain) || chain->now_ms() >= chain->early_ms))
        (void)renew(chain, NULL); /* why not stays in last_error */
    chain->is_helper_done = true;
    pthread_mutex_unlock(&chain->lock);
    return NULL;
}

/* Lets the helper refresh, unless it is at work already. */
static bool call_helper(struct creds_chain *chain, struct err *err)
{
    if (chain->has_helper && !chain->is_helper_done)
        return true;
    if (chain->has_helper)
        pthread_join(chain->helper, NULL); /* it has given the lock up for good */
    chain->is_helper_done = false;
    chain->has_helper = pthread_create(&chain->helper, NULL, help, chain) == 0;
    return chain->has_helper || err_set(err, ERR_MEMORY, true, HERE, "there is no thread for fresh AWS credentials");
}

/* True when chain->current may be used. */
static bool ensure_usable(struct creds_chain *chain, struct err *err)
{
    const int64_t now_ms = chain->now_ms();

    if (is_good(chain) && (now_ms < chain->early_ms || is_held(chain)))
        return true;
    if (is_good(chain) && call_helper(chain, NULL)) {
        if (now_ms >= chain->late_ms)
            (void)await_refresh(chain, WAIT_GOOD_MS);
        if (is_good(chain))
            return true;
    }
    if (!chain->is_refreshing)
        return is_held(chain) ? err_pass(err, &chain->last_error) : renew(chain, err);
    if (!await_refresh(chain, WAIT_BAD_MS))
        return is_good(chain) ||
               err_set(err, ERR_TIMEOUT, true, HERE, "waited %d s for fresh AWS credentials", WAIT_BAD_MS / 1000);
    /* A set that came fresh is used, though another thread may have had it refused meanwhile. */
    return chain->last_error.kind == ERR_NONE || is_good(chain) || err_pass(err, &chain->last_error);
}

bool creds_chain_get(struct creds_chain *chain, struct creds *out, struct err *err)
{
    bool ok;

    pthread_mutex_lock(&chain->lock);
    ok = ensure_usable(chain, err);
    if (ok)
        *out = chain->current;
    pthread_mutex_unlock(&chain->lock);
    return ok;
}

/* For those who do not wait for AWS: until some refresh has ended. */
static bool await_helper(struct creds_chain *chain, int64_t wait_ms, struct err *err)
{
    if (!call_helper(chain, err))
        return false;
    if (!await_refresh(chain, wait_ms))
        return err_set(err, ERR_TIMEOUT, true, HERE, "AWS credentials are still being fetched");
    return is_good(chain) || err_pass(err, &chain->last_error);
}

bool creds_chain_get_soon(struct creds_chain *chain, int64_t wait_ms, struct creds *out, struct err *err)
{
    bool ok;

    pthread_mutex_lock(&chain->lock);
    ok = is_good(chain);
    if (ok && chain->now_ms() >= chain->early_ms && !is_held(chain))
        (void)call_helper(chain, NULL); /* the old set is good enough for now */
    if (!ok)
        ok = is_held(chain) ? err_pass(err, &chain->last_error) : await_helper(chain, wait_ms, err);
    if (ok)
        *out = chain->current;
    pthread_mutex_unlock(&chain->lock);
    return ok;
}

void creds_chain_expired(struct creds_chain *chain, const struct creds *used)
{
    int64_t since_ms;

    pthread_mutex_lock(&chain->lock);
    since_ms = chain->now_ms() - chain->forced_at_ms;
    if (chain->has_current && chain->current.generation == used->generation &&
        (!chain->forced_at_ms || since_ms < 0 || since_ms >= FORCED_PAUSE_MS))
        chain->must_refresh = true;
    pthread_mutex_unlock(&chain->lock);
}
