/* Table shard_file: the output files of a shard, where a task each reads them. How far each has been read is
 * shard_store's.
 */
#ifndef VIDBATCH_SQL_SHARD_FILE_STORE_H
#define VIDBATCH_SQL_SHARD_FILE_STORE_H

#include "sql/db.h"

struct shard_file_row { /* texts borrowed from the rows */
    int64_t id, shard_id;
    const char *key;
    bool ended;
    const char *error; /* JSON: why it was given up; or NULL */
};
/* ERR_NOT_FOUND: there is none, or its shard is read anew. */
MUST_CHECK bool shard_file_store_get(struct db *db, int64_t id, struct db_rows *rows, struct shard_file_row *out,
                                     struct err *err);
/* An ingest_file task for each file that has not ended. In a transaction. */
MUST_CHECK bool shard_file_store_add_tasks(struct db *db, int64_t shard_id, struct err *err);
/* It is stored (error_json NULL), or given up. In a transaction that holds the job's lock, which orders the files'
 * ends. */
MUST_CHECK bool shard_file_store_end(struct db *db, int64_t id, const char *error_json, struct err *err);
MUST_CHECK bool shard_file_store_count_open(struct db *db, int64_t shard_id, int64_t *count, struct err *err);
/* The first file of the shard that was given up; *found false: none was. */
MUST_CHECK bool shard_file_store_first_error(struct db *db, int64_t shard_id, struct db_rows *rows,
                                             struct shard_file_row *out, bool *found, struct err *err);

#endif
