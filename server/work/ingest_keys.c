/* The records of a shard as the ingest looks them up: by our own ids, or, in an import, by what the other tool called
 * them. Of those names only hashes are kept, so that memory stays the same however long they are. */
#include "server/base/id.h"
#include "server/base/mem.h"
#include "server/work/ingest.h"

#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 5000 };

struct source_key {
    unsigned char hash[16]; /* of SHA-256; first, for memcmp */
    uint32_t key;           /* index into ingest.keys */
};

static void hash_of(struct span source_id, unsigned char out[16])
{
    unsigned char digest[SHA256_DIGEST_LENGTH];

    SHA256((const unsigned char *)source_id.ptr, source_id.len, digest);
    memcpy(out, digest, 16);
}

static int by_hash(const void *a, const void *b)
{
    const struct source_key *x = a, *y = b;

    return memcmp(x->hash, y->hash, sizeof x->hash);
}

/* Both lists are in id order, and the records of a shard never change. */
static bool load_sources(struct ingest *ingest, struct err *err)
{
    size_t filled = 0;

    ingest->sources = mem_alloc(ingest->key_count + 1, sizeof *ingest->sources);
    if (!ingest->sources)
        return err_memory(err, HERE);
    while (filled < ingest->key_count) {
        AUTO(db_rows_done) struct db_rows rows = { 0 };
        const int64_t after = filled > 0 ? ingest->keys[filled - 1].id : -1;

        if (!record_store_source_ids(ingest->step->db, ingest->shard.id, after, PAGE, &rows, err))
            return false;
        for (int i = 0; i < rows.count && filled < ingest->key_count; i++) {
            if (db_i64(&rows, i, 0) != ingest->keys[filled].id)
                return err_set(err, ERR_INTERNAL, false, HERE, "the records of the shard changed under its ingest");
            hash_of(db_span(&rows, i, 1), ingest->sources[filled].hash);
            ingest->sources[filled].key = (uint32_t)filled;
            filled++;
        }
        if (rows.count == 0)
            return err_set(err, ERR_INTERNAL, false, HERE, "the records of the shard are fewer than they were");
    }
    qsort(ingest->sources, ingest->key_count, sizeof *ingest->sources, by_hash);
    return true;
}

bool ingest_load_keys(struct ingest *ingest, struct err *err)
{
    return record_store_keys(ingest->step->db, ingest->shard.id, &ingest->keys, &ingest->key_count, err) &&
           (!ingest_is_import(ingest) || load_sources(ingest, err));
}

void ingest_done(struct ingest *ingest)
{
    mem_free(ingest->keys);
    mem_free(ingest->sources);
    ingest->keys = NULL;
    ingest->sources = NULL;
}

static size_t find_source(const struct ingest *ingest, struct span record_id)
{
    struct source_key key = { .key = 0 };
    const struct source_key *found;

    hash_of(record_id, key.hash);
    found = bsearch(&key, ingest->sources, ingest->key_count, sizeof *ingest->sources, by_hash);
    return found ? found->key : ingest->key_count;
}

size_t ingest_find_key(const struct ingest *ingest, struct span record_id)
{
    size_t low = 0, high = ingest->key_count;
    int64_t id;

    if (ingest->sources)
        return find_source(ingest, record_id);
    if (!id_parse(ID_RECORD, record_id, &id))
        return ingest->key_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;

        if (ingest->keys[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < ingest->key_count && ingest->keys[low].id == id ? low : ingest->key_count;
}

bool ingest_is_import(const struct ingest *ingest)
{
    return strcmp(ingest->shard.staging, "none") == 0;
}

struct span ingest_owner(const struct ingest *ingest)
{
    return ingest_is_import(ingest) ? (struct span){ "", 0 } : span_of(ingest->step->settings->bucket_owner);
}
