/* The keys that a process has seen lately: who is asked, for how long what was seen counts, and many threads at a time.
 */
#include "handlers/keyring.h"

#include "server/base/clock.h"
#include "tests/integration/sql/testdb.h"
#include "tests/support/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int64_t make(struct db *db, const char *scopes, char text[API_KEY_SIZE])
{
    struct key_new key = { .name = SPAN_LIT("k"), .scopes = span_of(scopes) };
    struct err err = { 0 };
    bool added = false;

    api_key_new(clock_wall_ms(), &key.id, text, key.hash);
    OK(key_store_add(db, &key, &added, &err));
    CHECK(added);
    return key.id;
}

/* "ok" and the scopes, or the code of the refusal. */
static const char *asked(struct keyring *ring, struct db *db, const char *token, unsigned *scopes)
{
    static _Thread_local struct err err;
    struct caller caller = { 0 };

    err_clear(&err);
    if (!keyring_authenticate(ring, db, span_of(token), &caller, &err))
        return err_code_of(&err);
    if (scopes)
        *scopes = caller.scopes;
    if (caller.grant)
        caller.drop(caller.grant);
    return "ok";
}

static void ring_done(struct keyring **ring)
{
    keyring_free(*ring);
}

static struct keyring *ring_new(bool must_ask)
{
    const struct keyring_options options = { .must_ask = must_ask };
    struct err err = { 0 };
    struct keyring *ring = keyring_new(&options, &err);

    CHECK(ring);
    return ring;
}

static void the_first_key_closes(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    AUTO(ring_done) struct keyring *ring = ring_new(false);
    AUTO(ring_done) struct keyring *other = ring_new(false); /* another process */
    AUTO(ring_done) struct keyring *strict = ring_new(true);
    char key[API_KEY_SIZE], another[API_KEY_SIZE];
    unsigned scopes = 0;
    struct err err = { 0 };
    bool revoked = false;
    int64_t id = 0;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    CHECK_TEXT(asked(ring, db, NULL, &scopes), "ok");
    CHECK_I64(scopes, SCOPE_ALL);
    CHECK_TEXT(asked(ring, db, "what a proxy sends", NULL), "ok");
    CHECK_TEXT(asked(other, db, NULL, NULL), "ok");
    CHECK_TEXT(asked(strict, db, NULL, NULL), "key_required");
    id = make(db, "[\"run\"]", key);
    CHECK_TEXT(asked(ring, db, NULL, NULL), "ok"); /* it does not know yet ... */
    keyring_forget(ring, id);
    CHECK_TEXT(asked(ring, db, NULL, NULL), "key_required"); /* ... and now it does, at once */
    CHECK_TEXT(asked(ring, db, "", NULL), "key_required");
    CHECK_TEXT(asked(ring, db, "vb_nonsense", NULL), "key_malformed");
    CHECK_TEXT(asked(ring, db, key, &scopes), "ok");
    CHECK_I64(scopes, SCOPE_READ | SCOPE_RUN);
    CHECK_TEXT(asked(other, db, key, &scopes), "ok"); /* a key that is there tells it */
    CHECK_I64(scopes, SCOPE_READ | SCOPE_RUN);
    CHECK_TEXT(asked(other, db, NULL, NULL), "key_required");
    (void)make(db, "[\"read\"]", another);
    memcpy(another + 3, key + 3, ID_DIGITS); /* another secret under this id: the checksum tells */
    CHECK_TEXT(asked(ring, db, another, NULL), "key_malformed");
    OK(key_store_revoke(db, id, &revoked, &err));
    keyring_forget(ring, id);
    CHECK_TEXT(asked(ring, db, key, NULL), "key_revoked");
    CHECK_TEXT(asked(other, db, key, NULL), "ok"); /* for KEYRING_FRESH_MS at most */
    testdb_sql(&t, "DELETE FROM api_key");         /* nobody does that; even then it stays closed */
    keyring_forget(ring, id);
    CHECK_TEXT(asked(ring, db, NULL, NULL), "key_required");
    CHECK_TEXT(asked(ring, db, key, NULL), "key_invalid");
}

/* Without a query, from the last look; only whole, good tokens. */
static void known_keys_are_recognized(void)
{
    AUTO(testdb_close) struct db *db = NULL;
    AUTO(ring_done) struct keyring *ring = ring_new(true);
    AUTO(testdb_end) struct testdb t;
    unsigned char hash[API_KEY_HASH];
    char key[API_KEY_SIZE], wrong[API_KEY_SIZE];
    struct err err = { 0 };
    bool revoked = false;
    int64_t id = 0;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    id = make(db, "[\"read\"]", key);
    api_key_renew(id, wrong, hash);
    CHECK_I64(keyring_recognize(ring, span_of(key)), 0);
    CHECK_TEXT(asked(ring, db, key, NULL), "ok");
    CHECK_I64(keyring_recognize(ring, span_of(key)), id);
    CHECK_I64(keyring_recognize(ring, span_of(wrong)), 0);
    CHECK_I64(keyring_recognize(ring, span_of("")), 0);
    CHECK_I64(keyring_recognize(ring, (struct span){ 0 }), 0);
    CHECK_I64(keyring_recognize(ring, span_of("vb_nonsense")), 0);
    keyring_forget(ring, id);
    CHECK_I64(keyring_recognize(ring, span_of(key)), id); /* it lets in nobody */
    OK(key_store_revoke(db, id, &revoked, &err));
    CHECK_TEXT(asked(ring, db, key, NULL), "key_revoked");
    CHECK_I64(keyring_recognize(ring, span_of(key)), 0);
}

static void without_a_database(void)
{
    AUTO(testdb_close) struct db *db = NULL;
    AUTO(ring_done) struct keyring *ring = ring_new(false);
    AUTO(ring_done) struct keyring *fresh = ring_new(false);
    const struct db_options nowhere = { .url = "postgresql://127.0.0.1:1/none", .connect_timeout_ms = 500 };
    AUTO(testdb_close) struct db *dead = NULL;
    AUTO(testdb_end) struct testdb t;
    struct err err = { 0 };
    char key[API_KEY_SIZE];
    int64_t id = 0;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    dead = db_open(&nowhere, &err);
    CHECK(dead);
    CHECK_TEXT(asked(fresh, dead, NULL, NULL), "connection_lost"); /* it never knew: nobody gets in */
    CHECK_TEXT(asked(ring, db, NULL, NULL), "ok");
    id = make(db, "[\"read\"]", key);
    keyring_forget(ring, id);
    CHECK_TEXT(asked(ring, db, key, NULL), "ok");
    CHECK_TEXT(asked(ring, dead, key, NULL), "ok"); /* from memory */
    keyring_forget(ring, id);
    CHECK_TEXT(asked(ring, dead, key, NULL), "connection_lost");
    CHECK_TEXT(asked(ring, dead, NULL, NULL), "key_required");
}

/* Another process made the first key. This one finds the database away when it looks again: it must not serve openly.
 */
static void a_failed_look_is_never_open(void)
{
    AUTO(testdb_close) struct db *db = NULL;
    AUTO(testdb_close) struct db *dead = NULL;
    AUTO(ring_done) struct keyring *ring = ring_new(false);
    const struct db_options nowhere = { .url = "postgresql://127.0.0.1:1/none", .connect_timeout_ms = 500 };
    const struct timespec fresh = { .tv_sec = KEYRING_FRESH_MS / 1000, .tv_nsec = 100000000 };
    AUTO(testdb_end) struct testdb t;
    struct err err = { 0 };
    char key[API_KEY_SIZE];

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    dead = db_open(&nowhere, &err);
    CHECK(dead);
    CHECK_TEXT(asked(ring, db, NULL, NULL), "ok");
    (void)make(db, "[\"read\"]", key);
    CHECK_TEXT(asked(ring, dead, NULL, NULL), "ok"); /* from memory, for KEYRING_FRESH_MS at most */
    (void)nanosleep(&fresh, NULL);
    for (int i = 0; i < 2; i++) {
        CHECK_TEXT(asked(ring, dead, NULL, NULL), "connection_lost");
        CHECK_TEXT(asked(ring, dead, "nonsense", NULL), "connection_lost");
        CHECK_TEXT(asked(ring, dead, key, NULL), "connection_lost");
    }
    CHECK_TEXT(asked(ring, db, NULL, NULL), "key_required"); /* the database is back */
}

/* Ids with a good checksum can be made up without end: they must not push out the keys that are in use. */
static void made_up_keys_push_out_nothing(void)
{
    AUTO(testdb_close) struct db *db = NULL;
    AUTO(testdb_close) struct db *dead = NULL;
    AUTO(ring_done) struct keyring *ring = ring_new(true);
    AUTO(ring_done) struct keyring *empty = ring_new(true);
    const struct db_options nowhere = { .url = "postgresql://127.0.0.1:1/none", .connect_timeout_ms = 500 };
    AUTO(testdb_end) struct testdb t;
    unsigned char hash[API_KEY_HASH];
    char key[API_KEY_SIZE], made_up[API_KEY_SIZE];
    struct err err = { 0 };
    int64_t id = 0, other = 1;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    dead = db_open(&nowhere, &err);
    CHECK(dead);
    id = make(db, "[\"read\"]", key);
    /* as the keyring finds a slot */
    while (other == id ||
           ((uint64_t)other * 0x9e3779b97f4a7c15U >> 32 & 1023) != ((uint64_t)id * 0x9e3779b97f4a7c15U >> 32 & 1023))
        other++;
    api_key_renew(other, made_up, hash);
    CHECK_TEXT(asked(ring, db, key, NULL), "ok");
    CHECK_TEXT(asked(ring, db, made_up, NULL), "key_invalid");
    CHECK_TEXT(asked(ring, dead, key, NULL), "ok"); /* it is still there */
    keyring_forget(ring, id);
    CHECK_TEXT(asked(ring, db, made_up, NULL), "key_invalid");
    CHECK_I64(keyring_recognize(ring, span_of(key)), id); /* nor out of what is no longer fresh */
    CHECK_TEXT(asked(empty, db, made_up, NULL), "key_invalid");
    CHECK_TEXT(asked(empty, dead, made_up, NULL), "key_invalid"); /* an empty slot takes it ... */
    CHECK_TEXT(asked(empty, db, key, NULL), "ok");                /* ... and gives way to a key */
    CHECK_TEXT(asked(empty, dead, key, NULL), "ok");
}

/* ---- threads ---- */

enum { THREADS = 6, KEYS = 8, ROUNDS = 600 };
struct crowd {
    struct testdb *t;
    struct keyring *ring;
    char keys[KEYS][API_KEY_SIZE];
    atomic_int revoked; /* keys[0..revoked) are revoked, and forgotten */
    atomic_int wrong, answers;
};

static void *ask_on(void *arg)
{
    struct crowd *crowd = arg;
    struct db *db = testdb_open(crowd->t);

    for (int i = 0; i < ROUNDS; i++) {
        const int revoked = atomic_load(&crowd->revoked);
        const int k = i % 2 ? revoked : i / 2 % KEYS; /* every other time the one that is revoked next */
        const bool was_revoked = k < revoked;
        const char *got = asked(crowd->ring, db, crowd->keys[k], NULL);
        const bool is_ok = strcmp(got, "ok") == 0;

        /* What began after the key was forgotten must know; what began before may know either way. */
        if ((was_revoked && strcmp(got, "key_revoked") != 0) || (!is_ok && strcmp(got, "key_revoked") != 0))
            atomic_fetch_add(&crowd->wrong, 1);
        atomic_fetch_add(&crowd->answers, 1);
        if (i % 50 == 0)
            CHECK_TEXT(asked(crowd->ring, db, "nonsense", NULL), "key_malformed");
    }
    testdb_close(&db);
    return NULL;
}

static void many_threads(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    AUTO(ring_done) struct keyring *ring = ring_new(false);
    static struct crowd crowd;
    pthread_t threads[THREADS];
    struct err err = { 0 };
    int64_t ids[KEYS];

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    crowd.t = &t;
    crowd.ring = ring;
    for (int i = 0; i < KEYS; i++)
        ids[i] = make(db, "[\"read\"]", crowd.keys[i]);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, ask_on, &crowd) == 0);
    for (int i = 0; i < KEYS - 1; i++) { /* the last one stays */
        bool revoked = false;

        while (atomic_load(&crowd.answers) < (i + 1) * THREADS * ROUNDS / (2 * KEYS))
            keyring_forget(ring, ids[i]); /* so that threads read it all the time, and some while it is revoked */
        OK(key_store_revoke(db, ids[i], &revoked, &err));
        keyring_forget(ring, ids[i]);
        atomic_store(&crowd.revoked, i + 1);
    }
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK_I64(atomic_load(&crowd.wrong), 0);
    CHECK_I64(atomic_load(&crowd.answers), THREADS * ROUNDS);
}

/* ---- a key that is read while it is revoked ---- */

struct reader {
    struct testdb *t;
    struct keyring *ring;
    const char *key;
};

static void *ask_once(void *arg)
{
    struct reader *reader = arg;
    struct db *db = testdb_open(reader->t);

    CHECK_TEXT(asked(reader->ring, db, reader->key, NULL), "ok"); /* it came before the end of the key */
    testdb_close(&db);
    return NULL;
}

/* What was read before a key was forgotten must not be kept after it. */
static void read_while_revoked(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    AUTO(ring_done) struct keyring *ring = ring_new(true);
    struct reader reader = { .t = &t, .ring = ring };
    char key[API_KEY_SIZE];
    struct err err = { 0 };
    bool revoked = false;
    pthread_t thread;
    int64_t id = 0;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    id = make(db, "[\"read\"]", key);
    reader.key = key;
    testdb_sql(&t, "CREATE OR REPLACE FUNCTION epoch_ms(timestamptz) RETURNS int8 LANGUAGE plpgsql STABLE AS"
                   " 'BEGIN PERFORM pg_sleep(0.05); RETURN (date_part(''epoch'', $1) * 1000)::int8; END'");
    CHECK(pthread_create(&thread, NULL, ask_once, &reader) == 0);
    while (testdb_number(&t, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                             " AND wait_event = 'PgSleep'") == 0)
        (void)usleep(1000);
    OK(key_store_revoke(db, id, &revoked, &err));
    keyring_forget(ring, id);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_TEXT(asked(ring, db, key, NULL), "key_revoked");
}

static const struct test tests[] = {
    { "read while revoked", read_while_revoked },
    { "the first key closes", the_first_key_closes },
    { "without a database", without_a_database },
    { "known keys are recognized", known_keys_are_recognized },
    { "a failed look is never open", a_failed_look_is_never_open },
    { "made up keys push out nothing", made_up_keys_push_out_nothing },
    { "many threads", many_threads },
};
TEST_MAIN("handlers/keyring", tests)
