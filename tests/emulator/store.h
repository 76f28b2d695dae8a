/* Buckets and their objects: metadata in memory in byte order of the keys, bytes in blobs. Nothing survives a restart.
 * Any thread; one lock inside. */
#ifndef VIDBATCH_EMULATOR_STORE_H
#define VIDBATCH_EMULATOR_STORE_H

#include "server/base/attr.h"
#include "server/base/span.h"
#include "tests/emulator/blob.h"
#include "tests/emulator/storage.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Immutable once it is in the store; counted. */
struct object {
    atomic_int refs;
    char *key;
    size_t key_len;
    struct blob *blob; /* shared */
    int64_t size;
    int64_t modified_ms;
    char etag[64]; /* without quotes */
    char *content_type;
    char *stored_headers;   /* "name\nvalue\n" ..., given back by GET and HEAD; may be NULL */
    char checksum_name[40]; /* "x-amz-checksum-crc32", empty: none */
    char checksum[96];
    bool is_composite; /* the checksum is one of parts */
    struct storage storage;
};

struct bucket {
    char *name;
    char *region;
    bool denied;
    int64_t created_ms;
    struct object **objects; /* sorted */
    size_t count, cap;
    int64_t synthetic_count; /* computed keys: prefix, SYNTHETIC_DIGITS digits, ".mp4" */
    char *synthetic_prefix;
};

struct upload;

struct store {
    pthread_rwlock_t lock; /* guards all below but blobs */
    struct bucket **buckets;
    size_t bucket_count;
    struct upload *uploads;
    struct blobs blobs;
};

struct bucket_info {
    bool denied;
    char region[40];
};

struct store *store_new(const char *data_dir);

/* Makes the bucket, or changes the region and the denial of one that is there. True: it is new. */
bool store_set_bucket(struct store *store, struct span name, const char *region, bool denied, int64_t now_ms);
/* Turns a bucket (made if need be) into one with computed keys. */
void store_set_synthetic(struct store *store, struct span name, const char *region, int64_t count, struct span prefix,
                         int64_t now_ms);
bool store_find_bucket(struct store *store, struct span name, struct bucket_info *out);
/* An array of copies of the names, in order. Gives: free each and the array with mem_free. */
char **store_bucket_names(struct store *store, size_t *count);
enum store_drop { STORE_DROPPED, STORE_NO_BUCKET, STORE_NOT_EMPTY };
enum store_drop store_drop_bucket(struct store *store, struct span name);

/* A new object without a place; keeps nothing of what it is given, shares the blob. Gives: drop with object_unref. */
struct object *object_new(struct span key, struct blob *blob, const char *etag, int64_t now_ms);
/* The same content under another key, without its storage class. Gives: drop with object_unref. */
struct object *object_copy(const struct object *from, struct span key, int64_t now_ms);
struct object *object_ref(struct object *object);
void object_unref(struct object *object);
void object_unref_auto(struct object **object);

/* Gives a share of the object, or NULL. */
struct object *store_get(struct store *store, struct span bucket, struct span key);

struct store_condition {
    bool must_be_absent;    /* If-None-Match: * */
    struct span must_match; /* If-Match, without quotes; ptr NULL: no condition */
};
enum store_put { STORE_PUT, STORE_PUT_NO_BUCKET, STORE_PUT_REFUSED };
/* Shares the object. */
enum store_put store_put(struct store *store, struct span bucket, struct object *object,
                         const struct store_condition *condition);
/* Nothing to delete is fine. */
void store_delete(struct store *store, struct span bucket, struct span key);

/* Walks keys in order. */
struct store_entry {
    struct span key;
    const struct object *object; /* NULL: computed, or a common prefix */
    int64_t synthetic;           /* index of a computed key, -1: none */
    bool is_prefix;
};
struct store_walk {
    struct span prefix;
    struct span delimiter; /* empty: none */
    struct span after;     /* keys up to and with this one are left out */
    bool after_is_prefix;  /* so are all keys that start with `after` */
    int64_t max;
};
typedef void store_visit_fn(void *arg, const struct store_entry *entry);
/* Calls visit under the store's lock, at most walk->max times. True: there are more. False also where no bucket is. */
bool store_each(struct store *store, struct span bucket, const struct store_walk *walk, store_visit_fn *visit,
                void *arg);

/* Inside the module: the bucket under the lock, and where the key is or would be. */
struct bucket *store_bucket_locked(struct store *store, struct span name);
size_t bucket_lower_bound(const struct bucket *bucket, struct span key);
int key_order(struct span a, struct span b);
enum store_put store_put_locked(struct store *store, struct span bucket, struct object *object,
                                const struct store_condition *condition);

#endif
