#include "handlers/keyring.h"

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/mem.h"

#include <assert.h>
#include <pthread.h>

/* Two keys that fall on one slot take turns in it: slower, never wrong. */
enum { SLOTS = 1024, USED_EVERY_MS = 60000 };

struct slot {
    int64_t key_id;
    struct grant *grant; /* NULL: there is no such key */
    int64_t read_ms;     /* monotonic, when it was asked for; 0: the slot is empty */
    int64_t used_ms;     /* monotonic: then its use is noted again */
};
struct keyring {
    bool must_ask;
    pthread_mutex_t lock; /* guards all below; never held during a query */
    bool any;             /* there was a key once */
    int64_t any_read_ms;  /* monotonic; 0: never asked */
    uint64_t changes;     /* counts keyring_forget: what was read before one is not kept */
    struct slot slots[SLOTS];
};

struct keyring *keyring_new(const struct keyring_options *options, struct err *err)
{
    struct keyring *ring = mem_alloc(1, sizeof *ring);

    if (!ring) {
        err_memory(err, HERE);
        return NULL;
    }
    ring->must_ask = options->must_ask;
    (void)pthread_mutex_init(&ring->lock, NULL);
    return ring;
}

void keyring_free(struct keyring *ring)
{
    if (!ring)
        return;
    for (size_t i = 0; i < SLOTS; i++)
        grant_unref(ring->slots[i].grant);
    (void)pthread_mutex_destroy(&ring->lock);
    mem_free(ring);
}

static struct slot *slot_of(struct keyring *ring, int64_t key_id)
{
    return &ring->slots[(uint64_t)key_id * 0x9e3779b97f4a7c15U >> 32 & (SLOTS - 1)];
}

static bool is_fresh(int64_t read_ms, int64_t now_ms)
{
    return read_ms != 0 && now_ms - read_ms < KEYRING_FRESH_MS;
}

/* Is anybody to be asked? That nobody is must be known, not remembered: another process may have made a key since. */
static bool asks(struct keyring *ring, struct db *db, bool *out, struct err *err)
{
    const int64_t now_ms = clock_mono_ms();
    bool known = false;
    uint64_t changes = 0;

    pthread_mutex_lock(&ring->lock);
    *out = ring->must_ask || ring->any;
    known = *out || is_fresh(ring->any_read_ms, now_ms);
    changes = ring->changes;
    pthread_mutex_unlock(&ring->lock);
    if (known)
        return true;
    if (!key_store_any(db, out, err))
        return false;
    pthread_mutex_lock(&ring->lock);
    ring->any = ring->any || *out;
    if (changes == ring->changes)
        ring->any_read_ms = now_ms;
    pthread_mutex_unlock(&ring->lock);
    return true;
}

/* True: *out is the key's grant, referenced, or NULL where there is no such key. False: it is not known here. */
static bool recall(struct keyring *ring, int64_t key_id, struct grant **out, uint64_t *changes)
{
    const struct slot *slot = slot_of(ring, key_id);
    bool found = false;

    pthread_mutex_lock(&ring->lock);
    found = slot->key_id == key_id && is_fresh(slot->read_ms, clock_mono_ms());
    if (found && slot->grant)
        *out = grant_ref(slot->grant);
    *changes = ring->changes;
    pthread_mutex_unlock(&ring->lock);
    return found;
}

/* Shares grant. That there is no key pushes out no other one: ids can be made up without end. */
static void keep(struct keyring *ring, int64_t key_id, struct grant *grant, int64_t read_ms, uint64_t changes)
{
    struct slot *slot = slot_of(ring, key_id);
    struct grant *old = NULL;

    pthread_mutex_lock(&ring->lock);
    if (changes == ring->changes && (grant || !slot->grant || slot->key_id == key_id)) {
        old = slot->grant;
        if (slot->key_id != key_id)
            slot->used_ms = 0;
        slot->key_id = key_id;
        slot->grant = grant ? grant_ref(grant) : NULL;
        slot->read_ms = read_ms;
    }
    ring->any = ring->any || grant;
    pthread_mutex_unlock(&ring->lock);
    grant_unref(old);
}

/* Gives a reference in *out; NULL: there is no such key. */
static bool find(struct keyring *ring, struct db *db, int64_t key_id, struct grant **out, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    const int64_t now_ms = clock_mono_ms();
    struct key_row row = { 0 };
    struct err failed = { 0 };
    uint64_t changes = 0;

    *out = NULL;
    if (recall(ring, key_id, out, &changes))
        return true;
    if (key_store_get(db, key_id, &rows, &row, &failed)) {
        *out = grant_new(&row, err);
        if (!*out)
            return false;
    } else if (failed.kind != ERR_NOT_FOUND) {
        return err_pass(err, &failed);
    }
    keep(ring, key_id, *out, now_ms, changes);
    return true;
}

/* That a key is used is worth a write now and then, and never worth a failure. */
static void note_use(struct keyring *ring, struct db *db, const struct grant *grant)
{
    struct slot *slot = slot_of(ring, grant->caller.key_id);
    const int64_t now_ms = clock_mono_ms();
    struct err err = { 0 };
    bool due = false;

    pthread_mutex_lock(&ring->lock);
    if (slot->key_id == grant->caller.key_id && slot->used_ms <= now_ms) {
        due = grant_now_ms(grant) - grant->last_used_ms >= USED_EVERY_MS;
        slot->used_ms = due ? now_ms + USED_EVERY_MS : now_ms + KEYRING_FRESH_MS;
    }
    pthread_mutex_unlock(&ring->lock);
    if (due && !key_store_used(db, grant->caller.key_id, &err))
        log_debug("key.use_not_noted", "cause=%s", LOGQ(err.what));
}

static bool deny(struct err *err, const char *code, const char *words)
{
    err_set(err, ERR_DENIED, false, HERE, "%s", words);
    return err_code(err, code);
}

bool keyring_authenticate(struct keyring *ring, struct db *db, struct span token, struct caller *caller,
                          struct err *err)
{
    unsigned char hash[API_KEY_HASH];
    struct grant *grant = NULL;
    bool must = false, is_key = false;
    int64_t key_id = 0;

    if (!asks(ring, db, &must, err))
        return false;
    is_key = token.ptr && api_key_parse(token, &key_id, hash);
    if (is_key && !find(ring, db, key_id, &grant, err))
        return false;
    if (!must && !grant) { /* a key that is there shows that keys are asked for, though this was not known yet */
        caller->scopes = SCOPE_ALL;
        return true;
    }
    if (!token.ptr || token.len == 0)
        return deny(err, "key_required", "Send an API key, as Authorization: Bearer or as x-api-key.");
    if (!is_key)
        return deny(
            err, "key_malformed",
            "This is no API key: one is vb_, 11 characters, _ and 36 more, and its last six are a checksum. Look "
            "whether it was cut or mistyped.");
    if (!grant_judge(grant, hash, grant_now_ms(grant), err)) {
        grant_unref(grant);
        return false;
    }
    assert(grant); /* grant_judge lets nobody pass without one */
    note_use(ring, db, grant);
    *caller = grant->caller;
    caller->grant = grant;
    caller->drop = grant_unref;
    return true;
}

int64_t keyring_recognize(struct keyring *ring, struct span token)
{
    unsigned char hash[API_KEY_HASH];
    const struct slot *slot = NULL;
    struct err err = { 0 };
    int64_t key_id = 0;
    bool is = false;

    if (!api_key_parse(token, &key_id, hash))
        return 0;
    slot = slot_of(ring, key_id);
    pthread_mutex_lock(&ring->lock);
    is = slot->key_id == key_id && slot->grant && grant_judge(slot->grant, hash, grant_now_ms(slot->grant), &err);
    pthread_mutex_unlock(&ring->lock);
    return is ? key_id : 0;
}

void keyring_forget(struct keyring *ring, int64_t key_id)
{
    struct slot *slot = slot_of(ring, key_id);

    pthread_mutex_lock(&ring->lock);
    ring->changes++;
    ring->any_read_ms = 0;
    if (slot->key_id == key_id)
        slot->read_ms = 0; /* its grant stays, for keyring_recognize only */
    pthread_mutex_unlock(&ring->lock);
}
