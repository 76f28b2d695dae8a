/* Walking a bucket's keys in order: stored and computed ones merged, folded at a delimiter. */
#include "server/base/buf.h"
#include "tests/emulator/emulator.h"
#include "tests/emulator/store.h"
#include "tests/emulator/synthetic.h"

#include <string.h>

struct cursor {
    const struct bucket *bucket;
    size_t stored;      /* next stored key */
    int64_t computed;   /* next computed key */
    struct span prefix; /* of the computed keys */
    char *key;          /* room for a computed key, its prefix and end in place */
    size_t key_len;
};

static struct span computed_key(const struct cursor *c, int64_t index)
{
    synthetic_digits(index, c->key + c->prefix.len);
    return (struct span){ c->key, c->key_len };
}

/* Moves both sides to the first key that is not below `key`. */
static void seek(struct cursor *c, struct span key)
{
    int64_t low = 0;
    int64_t high = c->bucket->synthetic_count;

    c->stored = bucket_lower_bound(c->bucket, key);
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (key_order(computed_key(c, middle), key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    c->computed = low;
}

/* To the first key beyond all that start with `prefix`. */
static void seek_beyond(struct cursor *c, struct span prefix)
{
    AUTO(buf_done) struct buf next = { 0 };

    buf_init(&next, 0);
    buf_span(&next, prefix);
    while (next.len > 0 && (unsigned char)next.data[next.len - 1] == 0xff)
        buf_cut(&next, next.len - 1);
    if (next.len == 0) {
        c->stored = c->bucket->count;
        c->computed = c->bucket->synthetic_count;
        return;
    }
    next.data[next.len - 1] = (char)((unsigned char)next.data[next.len - 1] + 1);
    seek(c, buf_view(&next));
}

/* The key that the cursor stands on; false at the end. */
static bool current(const struct cursor *c, struct store_entry *entry)
{
    bool has_stored = c->stored < c->bucket->count;
    bool has_computed = c->computed < c->bucket->synthetic_count;
    const struct object *object = has_stored ? c->bucket->objects[c->stored] : NULL;
    struct span computed = { "", 0 };

    *entry = (struct store_entry){ .synthetic = -1 };
    if (has_computed)
        computed = computed_key(c, c->computed);
    if (object && (!has_computed || key_order((struct span){ object->key, object->key_len }, computed) <= 0)) {
        entry->key = (struct span){ object->key, object->key_len };
        entry->object = object;
        return true;
    }
    entry->key = computed;
    entry->synthetic = c->computed;
    return has_computed;
}

static void step(struct cursor *c, const struct store_entry *entry)
{
    if (entry->synthetic >= 0) {
        c->computed++;
        return;
    }
    /* a stored key hides a computed one of the same name */
    if (c->computed < c->bucket->synthetic_count && span_eq(computed_key(c, c->computed), entry->key))
        c->computed++;
    c->stored++;
}

static struct span folded(struct span key, const struct store_walk *walk)
{
    struct span rest = span_tail(key, walk->prefix.len);
    const char *at = walk->delimiter.len ? memmem(rest.ptr, rest.len, walk->delimiter.ptr, walk->delimiter.len) : NULL;

    return at ? span_head(key, (size_t)(at - key.ptr) + walk->delimiter.len) : (struct span){ NULL, 0 };
}

static void start(struct cursor *c, const struct store_walk *walk)
{
    if (walk->after.len == 0 || key_order(walk->after, walk->prefix) < 0) {
        seek(c, walk->prefix);
    } else if (walk->after_is_prefix) {
        seek_beyond(c, walk->after);
    } else {
        struct store_entry entry;
        seek(c, walk->after);
        if (current(c, &entry) && span_eq(entry.key, walk->after))
            step(c, &entry);
    }
}

/* start-after may name something inside a folder that folds into one prefix: that prefix is still shown, unless it is
 * the very one that the last page ended with. */
static bool walk_bucket(struct cursor *c, const struct store_walk *walk, store_visit_fn *visit, void *arg)
{
    int64_t seen = 0;
    struct store_entry entry;
    AUTO(buf_done) struct buf common = { 0 };

    buf_init(&common, 0);
    start(c, walk);
    while (current(c, &entry) && span_starts(entry.key, walk->prefix)) {
        struct span fold = folded(entry.key, walk);

        if (seen++ == walk->max)
            return true;
        if (!fold.ptr) {
            visit(arg, &entry);
            step(c, &entry);
            continue;
        }
        buf_reset(&common);
        buf_span(&common, fold); /* the key may lie in the cursor's own room, which moves */
        entry = (struct store_entry){ .key = buf_view(&common), .synthetic = -1, .is_prefix = true };
        visit(arg, &entry);
        seek_beyond(c, entry.key);
    }
    return false;
}

bool store_each(struct store *store, struct span name, const struct store_walk *walk, store_visit_fn *visit, void *arg)
{
    char key[1100];
    struct cursor c = { .key = key };
    bool more = false;

    pthread_rwlock_rdlock(&store->lock);
    c.bucket = store_bucket_locked(store, name);
    if (c.bucket && c.bucket->synthetic_count > 0) {
        c.prefix = span_head(span_of(c.bucket->synthetic_prefix), 1000);
        c.key_len = c.prefix.len + SYNTHETIC_DIGITS + 4;
        memcpy(key, c.prefix.ptr, c.prefix.len);
        memcpy(key + c.prefix.len + SYNTHETIC_DIGITS, ".mp4", 4);
    }
    if (c.bucket && walk->max > 0)
        more = walk_bucket(&c, walk, visit, arg);
    pthread_rwlock_unlock(&store->lock);
    return more;
}
