/* The chain with the providers that ship, and with scripted ones for refreshing (threads: run under TSan too). */
#include "aws/credentials.h"
#include "server/base/clock.h"
#include "tests/support/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- environment and profile ---- */

struct files {
    char folder[64], config[96], credentials[96];
};

static void write_file(const char *path, const char *text)
{
    FILE *file = text ? fopen(path, "w") : NULL;

    if (!file)
        return;
    CHECK(fputs(text, file) >= 0);
    CHECK(fclose(file) == 0);
}

static void files_make(struct files *f, const char *config, const char *credentials)
{
    strcpy(f->folder, "/tmp/vidbatch-creds-XXXXXX");
    CHECK(mkdtemp(f->folder) != NULL);
    snprintf(f->config, sizeof(f->config), "%s/config", f->folder);
    snprintf(f->credentials, sizeof(f->credentials), "%s/credentials", f->folder);
    write_file(f->config, config);
    write_file(f->credentials, credentials);
}

static void files_done(struct files *f)
{
    unlink(f->config);
    unlink(f->credentials);
    rmdir(f->folder);
}

static const struct {
    const char *name;
    struct creds_settings env; /* the files' paths are filled in */
    const char *config, *credentials;
    const char *want_id, *want_provider; /* NULL: fails ... */
    enum err_kind kind;
    const char *words; /* ... with these among its words */
} rows[] = {
    { "environment",
      { .access_key_id = "A", .secret_access_key = "S", .session_token = "T" },
      NULL,
      NULL,
      "A",
      "environment",
      ERR_NONE,
      "" },
    { "environment wins",
      { .access_key_id = "A", .secret_access_key = "S" },
      NULL,
      "[default]\naws_access_key_id=B\naws_secret_access_key=S\n",
      "A",
      "environment",
      ERR_NONE,
      "" },
    { "id alone", { .access_key_id = "A" }, NULL, NULL, NULL, NULL, ERR_INPUT, "set together" },
    { "secret alone", { .secret_access_key = "A" }, NULL, NULL, NULL, NULL, ERR_INPUT, "set together" },
    { "blank in id",
      { .access_key_id = "A B", .secret_access_key = "S" },
      NULL,
      NULL,
      NULL,
      NULL,
      ERR_INPUT,
      "AWS_ACCESS_KEY_ID" },
    { "line break in token",
      { .access_key_id = "A", .secret_access_key = "S", .session_token = "x\r\ny: z" },
      NULL,
      NULL,
      NULL,
      NULL,
      ERR_INPUT,
      "AWS_SESSION_TOKEN" },
    { "nothing", { 0 }, NULL, NULL, NULL, NULL, ERR_DENIED, "no AWS credentials" },
    { "empty is unset",
      { .access_key_id = "", .secret_access_key = "" },
      NULL,
      NULL,
      NULL,
      NULL,
      ERR_DENIED,
      "no AWS credentials" },
    { "default profile",
      { 0 },
      NULL,
      "[default]\naws_access_key_id=B\naws_secret_access_key=S\n",
      "B",
      "profile",
      ERR_NONE,
      "" },
    { "config file alone",
      { 0 },
      "[default]\naws_access_key_id=C\naws_secret_access_key=S\n",
      NULL,
      "C",
      "profile",
      ERR_NONE,
      "" },
    { "credentials file wins, key by key",
      { .profile = "x" },
      "[profile x]\naws_access_key_id=C\naws_secret_access_key=S\n",
      "[x]\naws_access_key_id=B\n",
      "B",
      "profile",
      ERR_NONE,
      "" },
    { "named and missing", { .profile = "x" }, NULL, "[y]\n", NULL, NULL, ERR_INPUT, "no such profile" },
    { "named and empty", { .profile = "x" }, NULL, "[x]\n", NULL, NULL, ERR_INPUT, "holds no keys" },
    { "half a profile", { 0 }, NULL, "[default]\naws_access_key_id=B\n", NULL, NULL, ERR_INPUT, "set together" },
    { "role",
      { .profile = "x" },
      "[profile x]\nrole_arn = r\nsource_profile = y\n",
      NULL,
      NULL,
      NULL,
      ERR_INPUT,
      "role_arn is not supported yet" },
    { "process",
      { 0 },
      "[default]\ncredential_process = /bin/true\n",
      NULL,
      NULL,
      NULL,
      ERR_INPUT,
      "credential_process is not supported yet" },
    { "sso", { 0 }, "[default]\nsso_session = s\n", NULL, NULL, NULL, ERR_INPUT, "SSO is not supported yet" },
    { "continued secret",
      { 0 },
      NULL,
      "[default]\naws_access_key_id=B\naws_secret_access_key=S\n  more\n",
      NULL,
      NULL,
      ERR_INPUT,
      "aws_secret_access_key" },
    { "broken file", { 0 }, "[default\n", NULL, NULL, NULL, ERR_INPUT, "line 1" },
};

static void test_chain(void)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        AUTO(files_done) struct files f = { 0 };
        struct creds_settings settings = rows[i].env;
        struct creds got = { 0 };
        struct err err = { 0 };
        struct creds_chain *chain;

        test_case("%s", rows[i].name);
        files_make(&f, rows[i].config, rows[i].credentials);
        settings.config_file = f.config;
        settings.credentials_file = f.credentials;
        chain = creds_chain_new(&settings, &err);
        CHECK((chain && creds_chain_get(chain, &got, &err)) == (rows[i].want_id != NULL));
        CHECK_I64(err.kind, rows[i].kind);
        CHECK(strstr(err.what, rows[i].words) != NULL);
        CHECK_TEXT(got.access_key_id, rows[i].want_id ? rows[i].want_id : "");
        CHECK_TEXT(got.provider, rows[i].want_provider ? rows[i].want_provider : "");
        creds_chain_free(chain);
        creds_wipe(&got);
    }
    test_case(NULL);
}

static void test_put_bounds(void)
{
    char field[4];

    CHECK(creds_put(field, sizeof(field), SPAN_LIT("abc")));
    CHECK_TEXT(field, "abc");
    CHECK(creds_put(field, sizeof(field), SPAN_LIT("x")));
    CHECK_TEXT(field, "x");
    CHECK(!creds_put(field, sizeof(field), SPAN_LIT("abcd")));
    CHECK(!creds_put(field, sizeof(field), SPAN_LIT("\x7f")));
    CHECK_TEXT(field, "x");
}

/* A file that was changed is read again when AWS refuses the old keys. */
static void test_reread(void)
{
    AUTO(files_done) struct files f = { 0 };
    struct creds_settings settings = { 0 };
    struct creds first = { 0 }, second = { 0 };
    struct err err = { 0 };
    struct creds_chain *chain;

    files_make(&f, NULL, "[default]\naws_access_key_id=A\naws_secret_access_key=S\n");
    settings.credentials_file = f.credentials;
    chain = creds_chain_new(&settings, &err);
    if (!CHECK(chain && creds_chain_get(chain, &first, &err)))
        return;
    write_file(f.credentials, "[default]\naws_access_key_id=B\naws_secret_access_key=S\n");
    CHECK(creds_chain_get(chain, &second, &err));
    CHECK_TEXT(second.access_key_id, "A");
    creds_chain_expired(chain, &first);
    CHECK(creds_chain_get(chain, &second, &err));
    CHECK_TEXT(second.access_key_id, "B");
    CHECK(second.generation > first.generation);
    creds_chain_expired(chain, &first); /* an old refusal that comes late changes nothing */
    CHECK(creds_chain_get(chain, &first, &err));
    CHECK_I64(first.generation, second.generation);
    creds_chain_free(chain);
}

/* ---- refreshing, with scripted providers ---- */

struct scripted {
    atomic_int loads;
    atomic_int at_once, most_at_once;
    int64_t lives_s;     /* 0: for ever */
    atomic_bool is_gone; /* has nothing any more */
    atomic_bool fails;
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
    out->expires_at_s = s->lives_s ? clock_wall_ms() / 1000 + s->lives_s : 0;
    atomic_fetch_sub(&s->at_once, 1);
    return !atomic_load(&s->fails) || err_set(err, ERR_UPSTREAM, true, HERE, "scripted failure");
}

static struct creds_chain *chain_of(struct scripted *s, int count)
{
    struct creds_provider providers[4];
    struct err err = { 0 };
    struct creds_chain *chain;

    for (int i = 0; i < count; i++)
        providers[i] = (struct creds_provider){ i ? "second" : "first", scripted_load, NULL, &s[i] };
    chain = creds_chain_of(providers, count, &err);
    CHECK(chain != NULL);
    return chain;
}

static const struct {
    const char *name;
    int64_t lives_s;
    bool fails_later;
    int want_loads; /* after three gets */
    bool want_ok;   /* of the third */
} lives[] = {
    { "for ever", 0, false, 1, true },
    { "long", 3600, false, 1, true },
    { "refreshed early", 14 * 60, false, 3, true },
    { "early refresh fails: the old set is good", 14 * 60, true, 3, true },
    { "refreshed late", 9 * 60, false, 3, true },
    { "late refresh fails", 9 * 60, true, 3, false },
};

static void test_refresh_windows(void)
{
    for (size_t i = 0; i < sizeof(lives) / sizeof(lives[0]); i++) {
        struct scripted s = { .lives_s = lives[i].lives_s };
        struct creds_chain *chain = chain_of(&s, 1);
        struct creds got;
        struct err err = { 0 };

        test_case("%s", lives[i].name);
        CHECK(creds_chain_get(chain, &got, &err));
        atomic_store(&s.fails, lives[i].fails_later);
        (void)!creds_chain_get(chain, &got, NULL);
        CHECK(creds_chain_get(chain, &got, &err) == lives[i].want_ok);
        CHECK_I64(s.loads, lives[i].want_loads);
        creds_chain_free(chain);
    }
    test_case(NULL);
}

static void test_already_expired(void)
{
    struct scripted s = { .lives_s = -5 };
    struct creds_chain *chain = chain_of(&s, 1);
    struct creds got;
    struct err err = { 0 };

    CHECK(!creds_chain_get(chain, &got, &err));
    CHECK_TEXT(err.code, "credentials_expired");
    creds_chain_free(chain);
}

static void test_winner_is_remembered(void)
{
    struct scripted s[2] = { { .is_gone = true }, { 0 } };
    struct creds_chain *chain = chain_of(s, 2);
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
    creds_chain_expired(chain, &got);
    CHECK(creds_chain_get(chain, &got, &err)); /* ... until the winner has nothing any more */
    CHECK_TEXT(got.provider, "first");
    creds_chain_free(chain);
}

static void test_failure_ends_the_search(void)
{
    struct scripted s[2] = { { .fails = true }, { 0 } };
    struct creds_chain *chain = chain_of(s, 2);
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
        if (i % 10 == 3)
            creds_chain_expired(g->chain, &got);
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
    struct creds_chain *chain = chain_of(&s, 1);
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

/* How often a refresh that fails is tried when all threads want it at once. */
static int loads_of_failing_refresh(void)
{
    struct scripted s = { .fails = true, .is_held = true };
    struct creds_chain *chain = chain_of(&s, 1);
    struct getter getters[THREADS];
    int loads;

    run_getters(getters, chain, 1);
    while (!atomic_load(&s.loads))
        usleep(200);
    usleep(5000); /* lets the others come to wait; one that is late tries for itself, rightly */
    atomic_store(&s.is_held, false);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(getters[i].thread, NULL);
        CHECK_I64(getters[i].bad, 1);
    }
    CHECK_I64(s.most_at_once, 1);
    loads = atomic_load(&s.loads);
    creds_chain_free(chain);
    return loads;
}

/* Those who waited for a refresh that failed get its error. Without that each would try again and it would always be
 * eight loads; with it one is enough as soon as all had come in time. */
static void test_failed_refresh_is_shared(void)
{
    int fewest = THREADS;

    for (int i = 0; i < 50 && fewest > 1; i++) {
        int loads = loads_of_failing_refresh();

        fewest = loads < fewest ? loads : fewest;
    }
    CHECK_I64(fewest, 1);
}

static const struct test tests[] = {
    { "chain", test_chain },
    { "put_bounds", test_put_bounds },
    { "reread", test_reread },
    { "refresh_windows", test_refresh_windows },
    { "already_expired", test_already_expired },
    { "winner_is_remembered", test_winner_is_remembered },
    { "failure_ends_the_search", test_failure_ends_the_search },
    { "one_refresher", test_one_refresher },
    { "failed_refresh_is_shared", test_failed_refresh_is_shared },
};
TEST_MAIN("credentials", tests)
