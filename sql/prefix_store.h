/* Table prefix. Deleted prefixes are not found by anything here except prefix_store_get_any. */
#ifndef VIDBATCH_SQL_PREFIX_STORE_H
#define VIDBATCH_SQL_PREFIX_STORE_H

#include "sql/db.h"

struct prefix_row { /* texts borrowed from the rows */
    int64_t id;
    const char *bucket, *key_prefix, *name, *bucket_owner /* or NULL */, *region;
    const char *suffixes; /* JSON array of texts */
    int version;
    const char *scan_state; /* queued running done failed */
    int64_t scan_started_ms, scan_finished_ms, scan_listed;
    const char *scan_error; /* JSON or NULL */
    int64_t video_count, eligible_count, total_bytes;
    int64_t created_ms, updated_ms;
    bool deleted;
};
void prefix_row_read(const struct db_rows *rows, int row, struct prefix_row *out);

struct prefix_new {
    struct span bucket, key_prefix, name, bucket_owner /* ptr NULL: none */, region;
    struct span suffixes; /* JSON array of texts, lower case, each with its dot */
};
/* Inserts; the same place again gives *exists true and its id. Caller adds the scan task in the same transaction. */
MUST_CHECK bool prefix_store_create(struct db *db, const struct prefix_new *in, int64_t *id, bool *exists,
                                    struct err *err);
/* ERR_NOT_FOUND when there is none. rows holds the texts. */
MUST_CHECK bool prefix_store_get(struct db *db, int64_t id, struct db_rows *rows, struct prefix_row *out,
                                 struct err *err);
MUST_CHECK bool prefix_store_get_any(struct db *db, int64_t id, struct db_rows *rows, struct prefix_row *out,
                                     struct err *err);
/* By id upward, after after_id. within: only these, "{1,2}"; NULL: all. */
MUST_CHECK bool prefix_store_list(struct db *db, int64_t after_id, const char *within, int limit, struct db_rows *rows,
                                  struct err *err);
/* NULL-pointer spans stay as they are. Counts the version up. */
MUST_CHECK bool prefix_store_update(struct db *db, int64_t id, struct span name, struct span bucket_owner,
                                    bool clear_owner, struct span suffixes, struct err *err);
/* Hides it; ERR_CONFLICT, code "prefix_in_use", while a job of it is active. In a transaction, in which the caller adds
 * the sweep task. */
MUST_CHECK bool prefix_store_delete(struct db *db, int64_t id, struct err *err);
/* Removes up to `limit` videos of a deleted prefix that no job has taken (of one that is there: none). *removed below
 * the limit: there are no more. Call it in batches; each scans the prefix's records, so let them be large. */
MUST_CHECK bool prefix_store_sweep(struct db *db, int64_t id, int64_t limit, int64_t *removed, struct err *err);

/* A scan is due; one that runs stays shown as running. Before its task is added, in the same transaction. */
MUST_CHECK bool prefix_store_scan_queued(struct db *db, int64_t id, struct err *err);
MUST_CHECK bool prefix_store_scan_started(struct db *db, int64_t id, struct err *err);
MUST_CHECK bool prefix_store_scan_progress(struct db *db, int64_t id, int64_t listed, struct err *err);
struct prefix_scan_counts {
    int64_t listed;                  /* objects of any kind */
    int64_t videos, eligible, bytes; /* of the videos that are there; bytes are those of all of them */
};
/* These two in the transaction that ends the scan's task: where that was asked for again, the state is queued. */
MUST_CHECK bool prefix_store_scan_finished(struct db *db, int64_t id, const struct prefix_scan_counts *counts,
                                           struct err *err);
/* The bucket's Region, where it is another one than is kept. */
MUST_CHECK bool prefix_store_region(struct db *db, int64_t id, const char *region, struct err *err);
/* What the last complete scan counted stays. */
MUST_CHECK bool prefix_store_scan_failed(struct db *db, int64_t id, int64_t listed, const char *error_json,
                                         struct err *err);

#endif
