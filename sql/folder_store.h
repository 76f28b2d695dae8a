/* Table folder_lock: which shard may point Bedrock at which folder. No two that hold one share an object: neither the
 * same folder, nor one inside the other. */
#ifndef VIDBATCH_SQL_FOLDER_STORE_H
#define VIDBATCH_SQL_FOLDER_STORE_H

#include "sql/db.h"

/* The shards other than this one (0: all) that hold the folder, one inside it or one around it: rows of id and of the
 * key of the JSONL that lies there (NULL: input.jsonl in a folder of the shard's own). folder: with its trailing slash,
 * or "" for the bucket. */
MUST_CHECK bool folder_store_holders(struct db *db, struct span bucket, struct span folder, int64_t shard_id,
                                     struct db_rows *rows, struct err *err);
/* In a transaction: takes the folder for the shard, or sets *taken false where another holds it. A second time changes
 * nothing. */
MUST_CHECK bool folder_store_take(struct db *db, int64_t shard_id, struct span bucket, struct span folder, bool *taken,
                                  struct err *err);
/* The shard gives its folder back, unless its staging task still exists: a worker may be writing there. */
MUST_CHECK bool folder_store_release(struct db *db, int64_t shard_id, struct err *err);
/* Shards that wait for a folder: rows of ids (column 0). */
MUST_CHECK bool folder_store_waiting(struct db *db, struct db_rows *rows, struct err *err);

#endif
