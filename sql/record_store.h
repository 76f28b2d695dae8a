/* Table record: one row a video of a job, written by the plan. */
#ifndef VIDBATCH_SQL_RECORD_STORE_H
#define VIDBATCH_SQL_RECORD_STORE_H

#include "sql/db.h"

struct record_source { /* what staging needs; texts borrowed */
    int64_t id, video_id, size_bytes;
    const char *key, *etag; /* whole key; etag as planned */
    bool has_summary;       /* a failure is already on record: leave it out of the JSONL */
};
void record_source_read(const struct db_rows *rows, int row, struct record_source *out);
MUST_CHECK bool record_store_sources(struct db *db, int64_t shard_id, int64_t after_id, int limit, struct db_rows *rows,
                                     struct err *err);
/* Records of a shard that nothing is stored of yet. */
MUST_CHECK bool record_store_count_left(struct db *db, int64_t shard_id, int64_t *count, struct err *err);

/* Every record of a shard, in id order: for the ingest. */
struct record_key {
    int64_t id, video_id;
    int32_t stored_round; /* ingest round of its summary row, 0 where it has none */
    bool has_row;         /* there is a summary row (a failure found while staging has round 0) */
    bool has_success;     /* and it is a succeeded one */
};
/* Gives *out (mem_free) and *count. */
MUST_CHECK bool record_store_keys(struct db *db, int64_t shard_id, struct record_key **out, size_t *count,
                                  struct err *err);

/* What the other tool called an import's records: id int8, source_id text. By id after after_id. */
MUST_CHECK bool record_store_source_ids(struct db *db, int64_t shard_id, int64_t after_id, int limit,
                                        struct db_rows *rows, struct err *err);

struct record_row { /* for the API; texts borrowed */
    int64_t id, job_id, shard_id, video_id;
    const char *bucket, *key_prefix, *name, *etag, *state; /* pending succeeded failed missing */
    const char *error_reason, *error_message;              /* or NULL */
    bool has_error_code, error_retryable;
    int64_t error_code;
    const char *source_id; /* what another tool called an imported one; or NULL */
};
void record_row_read(const struct db_rows *rows, int row, struct record_row *out);
/* By id after after_id; state NULL: any. */
MUST_CHECK bool record_store_list(struct db *db, int64_t job_id, const char *state, int64_t after_id, int limit,
                                  struct db_rows *rows, struct err *err);

#endif
