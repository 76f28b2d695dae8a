/* Slots of the quota of concurrent Bedrock jobs, counted per model over all replicas: who holds one, who waits, and
 * what AWS refused (table slot_refusal, view slot_queue). */
#ifndef VIDBATCH_SQL_SLOT_STORE_H
#define VIDBATCH_SQL_SLOT_STORE_H

#include "sql/db.h"

struct slot_view {
    int64_t in_flight;         /* Bedrock jobs of the model that are, or may be, ours now */
    int64_t position;          /* of the shard in the queue, the next one is 1; 0: it does not wait */
    bool is_refused;           /* AWS refused one, and has not taken as many as there may be since */
    bool is_throttled;         /* so: it was throttling; else its quota */
    int64_t refused_in_flight; /* in flight when it refused */
    int64_t refused_for_ms;    /* how long nobody may ask again; 0 or less: over */
};

/* In a transaction: one giver of slots of the model at a time. */
MUST_CHECK bool slot_store_lock(struct db *db, const char *model_key, struct err *err);
/* shard_id 0: of none, which is cheap; a shard's position walks all that wait. */
MUST_CHECK bool slot_store_look(struct db *db, const char *model_key, int64_t shard_id, struct slot_view *out,
                                struct err *err);
/* The models that shards wait for: rows of model keys (column 0). */
MUST_CHECK bool slot_store_models(struct db *db, struct db_rows *rows, struct err *err);
/* The first `count` in the queue, but for those whose last try failed: rows of shard ids (column 0), in order. */
MUST_CHECK bool slot_store_first(struct db *db, const char *model_key, int64_t count, struct db_rows *rows,
                                 struct err *err);
/* The waiting shards of a job: rows of shard id, position, and until a refusal is over its reason and that time. */
MUST_CHECK bool slot_store_positions(struct db *db, int64_t job_id, struct db_rows *rows, struct err *err);
/* One shard asks AWS after a refusal; the others wait for its answer, but not for ever. */
MUST_CHECK bool slot_store_probe(struct db *db, const char *model_key, int64_t wait_ms, struct err *err);
/* AWS refused the shard (before it is forgotten that it was asked for): nobody asks for a pause that doubles from
 * base_ms up to cap_ms. */
MUST_CHECK bool slot_store_refuse(struct db *db, const char *model_key, bool is_throttled, int64_t shard_id,
                                  int64_t base_ms, int64_t cap_ms, struct err *err);
/* AWS took one; limit: most there may be. */
MUST_CHECK bool slot_store_granted(struct db *db, const char *model_key, int64_t limit, struct err *err);

#endif
