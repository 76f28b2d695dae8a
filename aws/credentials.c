#include "aws/credentials.h"

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/mem.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { MAX_PROVIDERS = 8, WAIT_LIMIT_S = 60 };
/* One thread refreshes from the early point on while the others go on with the old set; from the late point on all
 * wait. */
enum { REFRESH_EARLY_S = 15 * 60, REFRESH_LATE_S = 10 * 60 };

struct creds_chain {
    struct creds_provider providers[MAX_PROVIDERS]; /* fixed after creation */
    int provider_count;

    pthread_mutex_t lock; /* guards all fields below; never held while a provider loads */
    pthread_cond_t refreshed;
    bool is_refreshing;
    bool must_refresh; /* AWS refused the present set */
    bool has_current;
    uint64_t refresh_count; /* finished ones, good or bad */
    int winner;             /* index of the provider that had credentials, -1 none yet */
    struct creds current;   /* copied out whole, never lent by pointer */
    struct err last_error;  /* of the last refresh, for those who waited for it */
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

static void free_providers(const struct creds_provider *providers, int count)
{
    for (int i = 0; i < count; i++)
        if (providers[i].free)
            providers[i].free(providers[i].state);
}

struct creds_chain *creds_chain_of(const struct creds_provider *providers, int count, struct err *err)
{
    struct creds_chain *chain = mem_alloc(1, sizeof(*chain));

    assert(count <= MAX_PROVIDERS);
    if (!chain) {
        free_providers(providers, count);
        err_memory(err, HERE);
        return NULL;
    }
    memcpy(chain->providers, providers, (size_t)count * sizeof(*providers));
    chain->provider_count = count;
    chain->winner = -1;
    pthread_mutex_init(&chain->lock, NULL);
    pthread_cond_init(&chain->refreshed, NULL);
    return chain;
}

struct creds_chain *creds_chain_new(const struct creds_settings *settings, struct err *err)
{
    struct creds_provider providers[2] = { 0 };

    if (!creds_env_provider(settings, &providers[0], err))
        return NULL;
    if (!creds_profile_provider(settings, &providers[1], err)) {
        free_providers(providers, 1);
        return NULL;
    }
    return creds_chain_of(providers, 2, err);
}

void creds_chain_free(struct creds_chain *chain)
{
    if (!chain)
        return;
    free_providers(chain->providers, chain->provider_count);
    pthread_cond_destroy(&chain->refreshed);
    pthread_mutex_destroy(&chain->lock);
    creds_wipe(&chain->current);
    mem_free(chain);
}

/* ---- refresh ---- */

static int64_t wall_s(void)
{
    return clock_wall_ms() / 1000;
}

/* The first provider with credentials; `from` is the one that had them before, or -1. Runs without the lock. */
static bool load(const struct creds_chain *chain, int from, struct creds *out, int *winner, struct err *err)
{
    for (int i = from < 0 ? 0 : from; i < chain->provider_count; i++) {
        const struct creds_provider *provider = &chain->providers[i];
        bool found = false;

        creds_wipe(out);
        if (!provider->load(provider->state, out, &found, err))
            return false;
        if (!found)
            continue;
        if (out->expires_at_s && out->expires_at_s <= wall_s()) {
            err_set(err, ERR_DENIED, true, HERE, "the credentials from %s have already expired", provider->name);
            return err_code(err, "credentials_expired");
        }
        (void)snprintf(out->provider, sizeof(out->provider), "%s", provider->name);
        *winner = i;
        return true;
    }
    if (from > 0)
        return load(chain, -1, out, winner, err);
    err_set(err, ERR_DENIED, false, HERE,
            "no AWS credentials found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile in the shared "
            "config or credentials file");
    return err_code(err, "no_credentials");
}

/* Called with the lock held, gives it up while the providers work. */
static bool refresh(struct creds_chain *chain, struct err *err)
{
    struct creds fresh = { 0 };
    struct err failure = { 0 };
    int winner = chain->winner;
    bool ok;

    chain->is_refreshing = true;
    pthread_mutex_unlock(&chain->lock);
    ok = load(chain, winner, &fresh, &winner, &failure);
    pthread_mutex_lock(&chain->lock);
    chain->is_refreshing = false;
    chain->refresh_count++;
    chain->last_error = failure;
    if (ok) {
        fresh.generation = chain->current.generation + 1;
        chain->current = fresh;
        chain->has_current = true;
        chain->must_refresh = false;
        chain->winner = winner;
    } else if (err) {
        *err = failure;
    }
    creds_wipe(&fresh);
    pthread_cond_broadcast(&chain->refreshed);
    return ok;
}

/* Called with the lock held: waits for the refresh that another thread does. */
static bool await_refresh(struct creds_chain *chain, struct err *err)
{
    uint64_t before = chain->refresh_count;
    struct timespec deadline;

    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += WAIT_LIMIT_S;
    while (chain->refresh_count == before)
        if (pthread_cond_timedwait(&chain->refreshed, &chain->lock, &deadline) && chain->refresh_count == before)
            return err_set(err, ERR_TIMEOUT, true, HERE, "waited %d s for fresh AWS credentials", WAIT_LIMIT_S);
    if (chain->last_error.kind == ERR_NONE)
        return true;
    if (err)
        *err = chain->last_error;
    return false;
}

enum freshness { FRESH, STALE_USABLE, UNUSABLE };

static enum freshness freshness(const struct creds_chain *chain)
{
    int64_t left_s = chain->current.expires_at_s - wall_s();

    if (!chain->has_current || chain->must_refresh)
        return UNUSABLE;
    if (!chain->current.expires_at_s || left_s > REFRESH_EARLY_S)
        return FRESH;
    return left_s > REFRESH_LATE_S ? STALE_USABLE : UNUSABLE;
}

/* Called with the lock held; true when chain->current may be used. */
static bool ensure_usable(struct creds_chain *chain, struct err *err)
{
    struct err failure = { 0 };
    enum freshness state = freshness(chain);

    if (state == FRESH || (state == STALE_USABLE && chain->is_refreshing))
        return true;
    if (chain->is_refreshing)
        return await_refresh(chain, err);
    if (refresh(chain, &failure))
        return true;
    if (state == STALE_USABLE) {
        log_warn("aws.credentials.refresh", "cause=%s", log_quote(failure.what));
        return true;
    }
    if (err)
        *err = failure;
    return false;
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

void creds_chain_expired(struct creds_chain *chain, const struct creds *used)
{
    pthread_mutex_lock(&chain->lock);
    if (chain->has_current && chain->current.generation == used->generation)
        chain->must_refresh = true;
    pthread_mutex_unlock(&chain->lock);
}
