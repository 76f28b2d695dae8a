#include "tests/emulator/store.h"

#include "server/base/mem.h"
#include "tests/emulator/emulator.h"
#include "tests/emulator/synthetic.h"

#include <string.h>

struct store *store_new(const char *data_dir)
{
    struct store *store = emu_alloc(1, sizeof *store);

    pthread_rwlock_init(&store->lock, NULL);
    blobs_init(&store->blobs, data_dir);
    return store;
}

int key_order(struct span a, struct span b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int cmp = n > 0 ? memcmp(a.ptr, b.ptr, n) : 0;

    return cmp != 0 ? cmp : (a.len > b.len) - (a.len < b.len);
}

static struct span object_key(const struct object *object)
{
    return (struct span){ object->key, object->key_len };
}

struct bucket *store_bucket_locked(struct store *store, struct span name)
{
    for (size_t i = 0; i < store->bucket_count; i++)
        if (span_eq_text(name, store->buckets[i]->name))
            return store->buckets[i];
    return NULL;
}

static struct bucket *make_bucket(struct store *store, struct span name, int64_t now_ms)
{
    struct bucket *bucket = emu_alloc(1, sizeof *bucket);
    size_t at = store->bucket_count;

    bucket->name = emu_copy(name);
    bucket->created_ms = now_ms;
    store->buckets = emu_resize(store->buckets, store->bucket_count + 1, sizeof(struct bucket *));
    while (at > 0 && key_order(span_of(store->buckets[at - 1]->name), name) > 0) {
        store->buckets[at] = store->buckets[at - 1];
        at--;
    }
    store->buckets[at] = bucket;
    store->bucket_count++;
    return bucket;
}

bool store_set_bucket(struct store *store, struct span name, const char *region, bool denied, int64_t now_ms)
{
    struct bucket *bucket = NULL;
    bool is_new = false;

    pthread_rwlock_wrlock(&store->lock);
    bucket = store_bucket_locked(store, name);
    is_new = !bucket;
    if (is_new)
        bucket = make_bucket(store, name, now_ms);
    mem_free(bucket->region);
    bucket->region = emu_copy(span_of(region));
    bucket->denied = denied;
    pthread_rwlock_unlock(&store->lock);
    return is_new;
}

void store_set_synthetic(struct store *store, struct span name, const char *region, int64_t count, struct span prefix,
                         int64_t now_ms)
{
    struct bucket *bucket = NULL;

    (void)store_set_bucket(store, name, region, false, now_ms);
    pthread_rwlock_wrlock(&store->lock);
    bucket = store_bucket_locked(store, name);
    mem_free(bucket->synthetic_prefix);
    bucket->synthetic_prefix = emu_copy(prefix);
    bucket->synthetic_count = count > SYNTHETIC_MAX_COUNT ? SYNTHETIC_MAX_COUNT : count;
    pthread_rwlock_unlock(&store->lock);
}

bool store_find_bucket(struct store *store, struct span name, struct bucket_info *out)
{
    struct bucket *bucket = NULL;

    pthread_rwlock_rdlock(&store->lock);
    bucket = store_bucket_locked(store, name);
    if (bucket) {
        struct span region = span_head(span_of(bucket->region), sizeof out->region - 1);
        memset(out, 0, sizeof *out);
        out->denied = bucket->denied;
        memcpy(out->region, region.ptr, region.len);
    }
    pthread_rwlock_unlock(&store->lock);
    return bucket != NULL;
}

char **store_bucket_names(struct store *store, size_t *count)
{
    char **names = NULL;

    pthread_rwlock_rdlock(&store->lock);
    *count = store->bucket_count;
    names = emu_alloc(*count, sizeof *names);
    for (size_t i = 0; i < *count; i++)
        names[i] = emu_copy(span_of(store->buckets[i]->name));
    pthread_rwlock_unlock(&store->lock);
    return names;
}

enum store_drop store_drop_bucket(struct store *store, struct span name)
{
    enum store_drop result = STORE_NO_BUCKET;
    size_t i = 0;

    pthread_rwlock_wrlock(&store->lock);
    while (i < store->bucket_count && !span_eq_text(name, store->buckets[i]->name))
        i++;
    if (i < store->bucket_count) {
        struct bucket *bucket = store->buckets[i];
        result = bucket->count > 0 || bucket->synthetic_count > 0 ? STORE_NOT_EMPTY : STORE_DROPPED;
        if (result == STORE_DROPPED) {
            memmove(store->buckets + i, store->buckets + i + 1, (--store->bucket_count - i) * sizeof(struct bucket *));
            mem_free(bucket->name);
            mem_free(bucket->region);
            mem_free(bucket->objects);
            mem_free(bucket->synthetic_prefix);
            mem_free(bucket);
        }
    }
    pthread_rwlock_unlock(&store->lock);
    return result;
}

struct object *object_new(struct span key, struct blob *blob, const char *etag, int64_t now_ms)
{
    struct object *object = emu_alloc(1, sizeof *object);
    struct span tag = span_head(span_of(etag), sizeof object->etag - 1);

    atomic_init(&object->refs, 1);
    object->key = emu_copy(key);
    object->key_len = key.len;
    object->blob = blob_ref(blob);
    object->size = blob->size;
    object->modified_ms = now_ms / 1000 * 1000; /* S3 keeps seconds */
    memcpy(object->etag, tag.ptr, tag.len);
    return object;
}

struct object *object_copy(const struct object *from, struct span key, int64_t now_ms)
{
    struct object *object = object_new(key, from->blob, from->etag, now_ms);

    object->content_type = emu_copy(span_of(from->content_type));
    object->stored_headers = from->stored_headers ? emu_copy(span_of(from->stored_headers)) : NULL;
    memcpy(object->checksum_name, from->checksum_name, sizeof object->checksum_name);
    memcpy(object->checksum, from->checksum, sizeof object->checksum);
    object->is_composite = from->is_composite;
    return object;
}

struct object *object_ref(struct object *object)
{
    if (object)
        atomic_fetch_add(&object->refs, 1);
    return object;
}

void object_unref(struct object *object)
{
    if (!object || atomic_fetch_sub(&object->refs, 1) != 1)
        return;
    blob_unref(object->blob);
    mem_free(object->key);
    mem_free(object->content_type);
    mem_free(object->stored_headers);
    mem_free(object);
}

void object_unref_auto(struct object **object)
{
    object_unref(*object);
    *object = NULL;
}

size_t bucket_lower_bound(const struct bucket *bucket, struct span key)
{
    size_t low = 0;
    size_t high = bucket->count;

    /* keys mostly come in order */
    if (high > 0 && key_order(object_key(bucket->objects[high - 1]), key) < 0)
        return high;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (key_order(object_key(bucket->objects[middle]), key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct object *computed_object(const struct bucket *bucket, struct span key)
{
    struct span prefix = span_of(bucket->synthetic_prefix);
    int64_t index = 0;
    char etag[33];
    struct blob *blob = NULL;
    struct object *object = NULL;

    if (bucket->synthetic_count == 0 || key.len != prefix.len + SYNTHETIC_DIGITS + 4 || !span_starts(key, prefix) ||
        !span_ends(key, SPAN_LIT(".mp4")))
        return NULL;
    for (size_t i = 0; i < SYNTHETIC_DIGITS; i++) {
        char c = key.ptr[prefix.len + i];
        if (c < '0' || c > '9')
            return NULL;
        index = index * 10 + (c - '0');
    }
    if (index >= bucket->synthetic_count)
        return NULL;
    synthetic_etag(index, etag);
    blob = blob_synthetic(index);
    object = object_new(key, blob, etag, synthetic_modified_ms(index));
    object->content_type = emu_copy(SPAN_LIT("video/mp4"));
    blob_unref(blob);
    return object;
}

struct object *store_get(struct store *store, struct span bucket_name, struct span key)
{
    struct bucket *bucket = NULL;
    struct object *object = NULL;

    pthread_rwlock_rdlock(&store->lock);
    bucket = store_bucket_locked(store, bucket_name);
    if (bucket) {
        size_t at = bucket_lower_bound(bucket, key);
        if (at < bucket->count && span_eq(object_key(bucket->objects[at]), key))
            object = object_ref(bucket->objects[at]);
        else
            object = computed_object(bucket, key);
    }
    pthread_rwlock_unlock(&store->lock);
    return object;
}

enum store_put store_put_locked(struct store *store, struct span bucket_name, struct object *object,
                                const struct store_condition *condition)
{
    struct bucket *bucket = store_bucket_locked(store, bucket_name);
    size_t at = 0;
    struct object *old = NULL;

    if (!bucket)
        return STORE_PUT_NO_BUCKET;
    at = bucket_lower_bound(bucket, object_key(object));
    if (at < bucket->count && span_eq(object_key(bucket->objects[at]), object_key(object)))
        old = bucket->objects[at];
    if (condition && condition->must_be_absent && old)
        return STORE_PUT_REFUSED;
    if (condition && condition->must_match.ptr && (!old || !span_eq_text(condition->must_match, old->etag)))
        return STORE_PUT_REFUSED;
    if (old) {
        bucket->objects[at] = object_ref(object);
        object_unref(old);
        return STORE_PUT;
    }
    if (bucket->count == bucket->cap) {
        bucket->cap = bucket->cap ? bucket->cap * 2 : 64;
        bucket->objects = emu_resize(bucket->objects, bucket->cap, sizeof(struct object *));
    }
    memmove(bucket->objects + at + 1, bucket->objects + at, (bucket->count - at) * sizeof(struct object *));
    bucket->objects[at] = object_ref(object);
    bucket->count++;
    return STORE_PUT;
}

enum store_put store_put(struct store *store, struct span bucket, struct object *object,
                         const struct store_condition *condition)
{
    enum store_put result = STORE_PUT;

    pthread_rwlock_wrlock(&store->lock);
    result = store_put_locked(store, bucket, object, condition);
    pthread_rwlock_unlock(&store->lock);
    return result;
}

void store_delete(struct store *store, struct span bucket_name, struct span key)
{
    struct bucket *bucket = NULL;
    struct object *old = NULL;

    pthread_rwlock_wrlock(&store->lock);
    bucket = store_bucket_locked(store, bucket_name);
    if (bucket) {
        size_t at = bucket_lower_bound(bucket, key);
        if (at < bucket->count && span_eq(object_key(bucket->objects[at]), key)) {
            old = bucket->objects[at];
            memmove(bucket->objects + at, bucket->objects + at + 1, (--bucket->count - at) * sizeof(struct object *));
        }
    }
    pthread_rwlock_unlock(&store->lock);
    object_unref(old);
}
