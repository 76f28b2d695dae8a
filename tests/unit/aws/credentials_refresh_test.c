/* When the chain refreshes, and who waits: with scripted providers and a clock of the test's (threads: under TSan too).
 */
#include "aws/credentials.h"
#include "tests/support/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static atomic_llong clock_ms;

static int64_t now_ms(void)
{
    return atomic_load(&clock_ms);
}

static void clock_start(void)
{
    atomic_store(&clock_ms, 1795000000000LL);
}

static void clock_pass(int64_t seconds)
{
    atomic_fetch_add(&clock_ms, seconds * 1000);
}

struct scripted {
    atomic_int loads;
    atomic_int at_once, most_at_once;
    int64_t lives_s;     /* 0: for ever */
    atomic_bool is_gone; /* has nothing any more */
    atomic_bool fails;
    bool is_silent;      /* has nothing because nobody answers */
    atomic_bool is_held; /* a load waits until this is false */
};

static bool scripted_load(void *state, struct creds *out, bool *found, struct err *err)
{
    struct scripted *s = state;
    int now = atomic_fetch_add(&s->at_once, 1) + 1;

    if (now > atomic_load(&s->most_at_once))
        atomic_store(&s->most_at_once, now);
    atomic_fetch_add(&s->loads, 1);
    while (atomic_load(&s->is_held))
        usleep(200);
    *found = !atomic_load(&s->is_gone);
    snprintf(out->access_key_id, sizeof(out->access_key_id), "K%d", atomic_load(&s->loads));
    snprintf(out->secret_access_key, sizeof(out->secret_access_key), "S%d", atomic_load(&s->loads));
    out->expires_at_s = s->lives_s ? now_ms() / 1000 + s->lives_s : 0;
    atomic_fetch_sub(&s->at_once, 1);
    if (s->is_silent)
        err_set(err, ERR_TIMEOUT, true, HERE, "no answer");
    return !atomic_load(&s->fails) || err_set(err, ERR_UPSTREAM, true, HERE, "scripted failure");
}

static struct creds_chain *chain_of(struct scripted *s, int count, bool is_kept_serving)
{
    struct creds_provider providers[4];
    struct err err = { 0 };
    struct creds_chain *chain;

    clock_start();
    for (int i = 0; i < count; i++)
        providers[i] = (struct creds_provider){ i ? "second" : "first", is_kept_serving, scripted_load, &s[i] };
    chain = creds_chain_of(providers, count, now_ms, &err);
    CHECK(chain != NULL);
    return chain;
}

/* Asks until the chain gives this set: a thread of its own may be fetching it. */
static bool gives_soon(struct creds_chain *chain, const char *key_id)
{
    struct creds got = { .access_key_id = "" };

    for (int i = 0; i < 25000 && strcmp(got.access_key_id, key_id); i++) {
        if (i)
            usleep(200);
        if (!creds_chain_get(chain, &got, NULL))
            return false;
    }
    return strcmp(got.access_key_id, key_id) == 0;
}

/* The same until so many sets have been asked for. */
static void await_loads(struct scripted *s, int count)
{
    for (int i = 0; i < 25000 && atomic_load(&s->loads) < count; i++)
        usleep(200);
    CHECK_I64(s->loads, count);
}

/* A set that lives so long; so much later the second get. Whether that one refreshes (jitter is up to a minute), and
 * whether it gives a set when that refresh fails. */
static const struct {
    const char *name;
    int64_t lives_s, later_s;
    int want_loads;
    bool want_ok_failing;
    bool is_early;
} windows[] = {
    { "for ever", 0, 1000000, 1, true, false },
    { "long before", 3600, 3600 - 16 * 60 - 1, 1, true, false },
    { "early window", 3600, 3600 - 15 * 60, 2, true, true },
    { "late window", 3600, 3600 - 10 * 60, 2, true, false },
    { "last second", 3600, 3600 - 1, 2, true, false },
    { "expired", 3600, 3600, 2, false, false },
    { "short life, first half", 600, 299, 1, true, false },
    { "short life, second half", 600, 300, 2, true, true },
    { "very short life", 4, 1, 1, true, false },
    { "very short life, late", 4, 3, 2, true, false },
};

static void test_windows(void)
{
    for (size_t i = 0; i < sizeof(windows) / sizeof(windows[0]); i++) {
        for (int fails = 0; fails < 2; fails++) {
            struct scripted s = { .lives_s = windows[i].lives_s };
            struct creds_chain *chain = chain_of(&s, 1, false);
            struct creds got;
            struct err err = { 0 };

            test_case("%s%s", windows[i].name, fails ? ", fails" : "");
            CHECK(creds_chain_get(chain, &got, &err));
            CHECK_TEXT(got.access_key_id, "K1");
            atomic_store(&s.fails, fails);
            clock_pass(windows[i].later_s);
            CHECK(creds_chain_get(chain, &got, &err) == (!fails || windows[i].want_ok_failing));
            if (windows[i].is_early) /* nobody waits for it */
                CHECK_TEXT(got.access_key_id, "K1");
            await_loads(&s, windows[i].want_loads);
            if (!fails || windows[i].want_ok_failing)
                CHECK(gives_soon(chain, windows[i].want_loads == 2 && !fails ? "K2" : "K1"));
            CHECK_I64(s.loads, windows[i].want_loads);
            creds_chain_free(chain);
        }
    }
    test_case(NULL);
}

/* The early point moves by chance, so that a fleet does not come at once. */
static void test_jitter(void)
{
    int early = 0;

    for (int i = 0; i < 200; i++) {
        struct scripted s = { .lives_s = 3600 };
        struct creds_chain *chain = chain_of(&s, 1, false);
        struct creds got;

        CHECK(creds_chain_get(chain, &got, NULL));
        clock_pass(3600 - 15 * 60 - 30);
        CHECK(creds_chain_get(chain, &got, NULL));
        creds_chain_free(chain); /* waits for the refresh */
        early += atomic_load(&s.loads) - 1;
    }
    CHECK(early > 40 && early < 160);
}

/* After a failure the same is not tried again at once, neither with a good set nor without. */
static void test_hold(void)
{
    struct scripted s = { .lives_s = 3600 };
    struct creds_chain *chain = chain_of(&s, 1, false);
    struct creds got;
    struct err err = { 0 };

    CHECK(creds_chain_get(chain, &got, &err));
    atomic_store(&s.fails, true);
    clock_pass(3000);
    CHECK(creds_chain_get(chain, &got, &err) && creds_chain_get(chain, &got, &err));
    CHECK_I64(s.loads, 2);
    clock_pass(29);
    CHECK(creds_chain_get(chain, &got, &err));
    CHECK_I64(s.loads, 2);
    clock_pass(1);
    CHECK(creds_chain_get(chain, &got, &err));
    CHECK_I64(s.loads, 3);
    clock_pass(570); /* expired */
    CHECK(!creds_chain_get(chain, &got, &err) && !creds_chain_get(chain, &got, &err));
    CHECK_TEXT(err.what, "scripted failure");
    CHECK_I64(s.loads, 4);
    clock_pass(-3600); /* a clock that was set back must not hold for an hour */
    clock_pass(3600 + 3);
    atomic_store(&s.fails, false);
    CHECK(creds_chain_get(chain, &got, &err));
    CHECK_I64(s.loads, 5);
    creds_chain_free(chain);
}

static void test_already_expired(void)
{
    struct scripted s = { .lives_s = -5 };
    struct creds_chain *chain = chain_of(&s, 1, false);
    struct creds got;
    struct err err = { 0 };

    CHECK(!creds_chain_get(chain, &got, &err));
    CHECK_TEXT(err.code, "credentials_expired");
    creds_chain_free(chain);
}

/* AWS's refusal makes one refresh, and the next one not before a minute has passed. */
static void test_forced(void)
{
    struct scripted s = { 0 };
    struct creds_chain *chain = chain_of(&s, 1, false);
    struct creds first, got;

    CHECK(creds_chain_get(chain, &first, NULL));
    creds_chain_expired(chain, &first);
    CHECK(creds_chain_get(chain, &got, NULL));
    CHECK_TEXT(got.access_key_id, "K2");
    creds_chain_expired(chain, &first); /* comes late, about a set that is gone */
    creds_chain_expired(chain, &got);
    CHECK(creds_chain_get(chain, &got, NULL));
    CHECK_I64(s.loads, 2);
    clock_pass(60);
    creds_chain_expired(chain, &first);
    CHECK(creds_chain_get(chain, &got, NULL));
    CHECK_I64(s.loads, 2);
    creds_chain_expired(chain, &got);
    CHECK(creds_chain_get(chain, &got, NULL));
    CHECK_TEXT(got.access_key_id, "K3");
    clock_pass(60);
    atomic_store(&s.fails, true);
    creds_chain_expired(chain, &got);
    CHECK(!creds_chain_get(chain, &got, NULL)); /* the refused set is not given out again */
    CHECK(!creds_chain_get(chain, &got, NULL));
    CHECK_I64(s.loads, 4);
    clock_pass(3);
    atomic_store(&s.fails, false);
    CHECK(creds_chain_get(chain, &got, NULL));
    creds_chain_free(chain);
}

/* Metadata that do not answer any more: what they gave before is used on, and they are asked again soon. */
static void test_kept_serving(void)
{
    static const struct {
        bool is_kept, is_gone, fails, want;
    } cases[] = { { true, true, false, true }, { true, false, true, true }, { false, false, true, false } };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct scripted s = { .lives_s = 3600 };
        struct creds_chain *chain = chain_of(&s, 1, cases[i].is_kept);
        struct creds got;
        int64_t now_s;

        test_case("%zu", i);
        CHECK(creds_chain_get(chain, &got, NULL));
        atomic_store(&s.is_gone, cases[i].is_gone);
        atomic_store(&s.fails, cases[i].fails);
        clock_pass(4000);
        now_s = now_ms() / 1000;
        CHECK(creds_chain_get(chain, &got, NULL) == cases[i].want);
        if (!cases[i].want) {
            creds_chain_free(chain);
            continue;
        }
        CHECK_TEXT(got.access_key_id, "K1");
        CHECK(got.expires_at_s >= now_s + 17 * 60 && got.expires_at_s <= now_s + 25 * 60);
        clock_pass(20 * 60);
        atomic_store(&s.is_gone, false);
        atomic_store(&s.fails, false);
        CHECK(creds_chain_get(chain, &got, NULL));
        CHECK_TEXT(got.access_key_id, "K3");
        creds_chain_free(chain);
    }
    test_case(NULL);
}

static void test_winner_is_remembered(void)
{
    struct scripted s[2] = { { .is_gone = true }, { 0 } };
    struct creds_chain *chain = chain_of(s, 2, false);
    struct creds got;
    struct err err = { 0 };

    CHECK(creds_chain_get(chain, &got, &err));
    CHECK_TEXT(got.provider, "second");
    creds_chain_expired(chain, &got);
    CHECK(creds_chain_get(chain, &got, &err));
    CHECK_I64(s[0].loads, 1); /* not asked again ... */
    CHECK_I64(s[1].loads, 2);
    atomic_store(&s[0].is_gone, false);
    atomic_store(&s[1].is_gone, true);
    clock_pass(60);
    creds_chain_expired(chain, &got);
    CHECK(creds_chain_get(chain, &got, &err)); /* ... until the winner has nothing any more */
    CHECK_TEXT(got.provider, "first");
    creds_chain_free(chain);
}

/* Nothing found is for ever, unless a provider may yet have some: its silence may pass, or it had some before. */
static void test_nothing_found(void)
{
    static const struct {
        bool had_some, is_silent, want_retryable;
    } cases[] = { { false, false, false }, { false, true, true }, { true, false, true } };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct scripted s[2] = { { .is_gone = true },
                                 { .is_gone = !cases[i].had_some, .is_silent = cases[i].is_silent } };
        struct creds_chain *chain = chain_of(s, 2, false);
        struct creds got = { .access_key_id = "" };
        struct err err = { 0 };

        test_case("%zu", i);
        if (cases[i].had_some) {
            CHECK(creds_chain_get(chain, &got, &err));
            atomic_store(&s[1].is_gone, true);
            creds_chain_expired(chain, &got);
        }
        CHECK(!creds_chain_get(chain, &got, &err));
        CHECK_TEXT(err.code, "no_credentials");
        CHECK_I64(err.kind, ERR_DENIED);
        CHECK(err.retryable == cases[i].want_retryable);
        creds_chain_free(chain);
    }
    test_case(NULL);
}

static void test_failure_ends_the_search(void)
{
    struct scripted s[2] = { { .fails = true }, { 0 } };
    struct creds_chain *chain = chain_of(s, 2, false);
    struct creds got;
    struct err err = { 0 };

    CHECK(!creds_chain_get(chain, &got, &err));
    CHECK_TEXT(err.what, "scripted failure");
    CHECK_I64(s[1].loads, 0);
    creds_chain_free(chain);
}

/* ---- threads ---- */

enum { THREADS = 8 };
struct getter {
    pthread_t thread;
    struct creds_chain *chain;
    int rounds;
    int good, bad, torn;
};

static void *get_often(void *arg)
{
    struct getter *g = arg;

    for (int i = 0; i < g->rounds; i++) {
        struct creds got = { 0 };
        struct err err = { 0 };

        if (!creds_chain_get(g->chain, &got, &err)) {
            g->bad++;
            continue;
        }
        g->good++;
        g->torn += strcmp(got.access_key_id + 1, got.secret_access_key + 1) != 0; /* of two different refreshes? */
        if (i % 10 == 3) {
            clock_pass(60);
            creds_chain_expired(g->chain, &got);
        }
    }
    return NULL;
}

static void run_getters(struct getter *getters, struct creds_chain *chain, int rounds)
{
    for (int i = 0; i < THREADS; i++) {
        getters[i] = (struct getter){ .chain = chain, .rounds = rounds };
        CHECK(pthread_create(&getters[i].thread, NULL, get_often, &getters[i]) == 0);
    }
}

static void test_one_refresher(void)
{
    struct scripted s = { 0 };
    struct creds_chain *chain = chain_of(&s, 1, false);
    struct getter getters[THREADS];

    run_getters(getters, chain, 500);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(getters[i].thread, NULL);
        CHECK_I64(getters[i].good, 500);
        CHECK_I64(getters[i].torn, 0);
    }
    CHECK_I64(s.most_at_once, 1);
    CHECK(s.loads >= 50 && s.loads <= THREADS * 50 + 1);
    creds_chain_free(chain);
}

/* While the chain's own thread refreshes early, all go on with the old set, the first to come too; late they wait for
 * the new one, but not long where the old one is still good. */
static void test_who_waits(void)
{
    for (int late = 0; late < 2; late++) {
        struct scripted s = { .lives_s = 3600 };
        struct creds_chain *chain = chain_of(&s, 1, false);
        struct getter other = { .chain = chain, .rounds = 1 };
        struct creds got;

        test_case(late ? "late" : "early");
        CHECK(creds_chain_get(chain, &got, NULL));
        clock_pass(late ? 3100 : 2800);
        atomic_store(&s.is_held, true);
        CHECK(creds_chain_get(chain, &got, NULL)); /* would hang here if it waited for the provider */
        CHECK_TEXT(got.access_key_id, "K1");
        await_loads(&s, 2);
        CHECK(pthread_create(&other.thread, NULL, get_often, &other) == 0);
        usleep(20000);
        CHECK_I64(s.loads, 2);
        atomic_store(&s.is_held, false);
        pthread_join(other.thread, NULL);
        CHECK_I64(other.good, 1);
        CHECK(gives_soon(chain, "K2"));
        CHECK_I64(s.loads, 2);
        creds_chain_free(chain);
    }
    test_case(NULL);
}

/* Who must not wait gets a good set at once, and for the first set waits so long as it says. */
static void test_soon(void)
{
    struct scripted s = { .lives_s = 3600, .is_held = true };
    struct creds_chain *chain = chain_of(&s, 1, false);
    struct creds got = { .access_key_id = "" };
    struct err err = { 0 };

    CHECK(!creds_chain_get_soon(chain, 20, &got, &err)); /* the provider takes long */
    CHECK_I64(err.kind, ERR_TIMEOUT);
    CHECK(!creds_chain_get_soon(chain, 1, &got, NULL));
    CHECK_I64(s.loads, 1);
    atomic_store(&s.is_held, false);
    CHECK(creds_chain_get_soon(chain, 5000, &got, &err));
    CHECK_TEXT(got.access_key_id, "K1");
    clock_pass(3200); /* late */
    atomic_store(&s.is_held, true);
    CHECK(creds_chain_get_soon(chain, 0, &got, &err));
    CHECK_TEXT(got.access_key_id, "K1");
    while (atomic_load(&s.loads) < 2)
        usleep(200);
    CHECK(creds_chain_get_soon(chain, 0, &got, &err)); /* one refresh is enough */
    atomic_store(&s.is_held, false);
    CHECK(creds_chain_get(chain, &got, &err));
    CHECK_TEXT(got.access_key_id, "K2");
    CHECK_I64(s.loads, 2);
    atomic_store(&s.fails, true);
    clock_pass(3600);
    err = (struct err){ 0 };
    CHECK(!creds_chain_get_soon(chain, 5000, &got, &err));
    CHECK_TEXT(err.what, "scripted failure");
    CHECK(!creds_chain_get_soon(chain, 5000, &got, &err));
    CHECK_I64(s.loads, 3);
    creds_chain_free(chain);
}

/* Those who waited for a refresh that failed get its error, and so does who comes right after. */
static void test_failed_refresh_is_shared(void)
{
    struct scripted s = { .fails = true, .is_held = true };
    struct creds_chain *chain = chain_of(&s, 1, false);
    struct getter getters[THREADS];

    run_getters(getters, chain, 1);
    while (!atomic_load(&s.loads))
        usleep(200);
    usleep(5000); /* lets some of the others come to wait */
    atomic_store(&s.is_held, false);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(getters[i].thread, NULL);
        CHECK_I64(getters[i].bad, 1);
    }
    CHECK_I64(s.loads, 1);
    creds_chain_free(chain);
}

static const struct test tests[] = {
    { "windows", test_windows },
    { "jitter", test_jitter },
    { "hold", test_hold },
    { "already_expired", test_already_expired },
    { "forced", test_forced },
    { "kept_serving", test_kept_serving },
    { "winner_is_remembered", test_winner_is_remembered },
    { "nothing_found", test_nothing_found },
    { "failure_ends_the_search", test_failure_ends_the_search },
    { "one_refresher", test_one_refresher },
    { "who_waits", test_who_waits },
    { "soon", test_soon },
    { "failed_refresh_is_shared", test_failed_refresh_is_shared },
};
TEST_MAIN("credentials_refresh", tests)
