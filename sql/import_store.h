/* Imports: jobs over what another tool's Bedrock job left in S3; what they have read so far is in import_line. */
#ifndef VIDBATCH_SQL_IMPORT_STORE_H
#define VIDBATCH_SQL_IMPORT_STORE_H

#include "sql/db.h"

struct import_new {
    struct span name, model_id, output_uri, input_uri /* ptr NULL: none */;
    unsigned char recipe[32];
};
/* In a transaction. *id is the new job's, or with *exists that of the import that has this output already. Caller adds
 * the import task. */
MUST_CHECK bool import_store_create(struct db *db, const struct import_new *in, int64_t *id, bool *exists,
                                    struct err *err);

struct import_row { /* texts borrowed from the rows */
    const char *output_uri, *input_uri /* or NULL */, *model_id;
    bool has_question; /* what was asked is known */
};
/* ERR_NOT_FOUND: no such job, or it is no import. */
MUST_CHECK bool import_store_get(struct db *db, int64_t job_id, struct db_rows *rows, struct import_row *out,
                                 struct err *err);
/* Do videos, or the prefixes that they would be added to, lie outside what the key that asked for the import may use?
 * When all lines are there. */
MUST_CHECK bool import_store_is_outside(struct db *db, int64_t job_id, bool *outside, struct err *err);
/* Its one shard, which is made where it is not there yet. In a transaction. */
MUST_CHECK bool import_store_shard(struct db *db, int64_t job_id, const char *output_uri, int64_t *shard_id,
                                   struct err *err);

struct import_question {
    struct span prompt, system; /* system: ptr NULL: none */
    bool has_max_tokens, has_temperature, has_top_p, has_top_k;
    int64_t max_tokens, top_k;
    double temperature, top_p;
    unsigned char recipe[32];
};
/* The first one stays. */
MUST_CHECK bool import_store_question(struct db *db, int64_t job_id, const struct import_question *in, struct err *err);

/* In a transaction: lines that were read. */
MUST_CHECK bool import_store_lines(struct db *db, struct db_copy *copy, struct err *err);
void import_store_line_add(struct db_copy *copy, int64_t job_id, struct span source_id, struct span bucket,
                           struct span key);

struct import_count { /* of what was read; texts borrowed from the rows */
    int64_t lines, buckets;
    const char *bucket, *another; /* the first and the last of the buckets */
    int64_t homeless;             /* keys under no registered prefix: the first and the last of them */
    const char *first_key, *last_key;
};
struct import_count_rows {
    struct db_rows lines, homeless;
};
void import_count_rows_done(struct import_count_rows *rows);
MUST_CHECK bool import_store_count(struct db *db, int64_t job_id, struct import_count_rows *rows,
                                   struct import_count *out, struct err *err);
/* Registers a prefix without a scan; nothing where it is there. suffixes_json: array; error_json: what its scan_error
 * says until it is scanned. */
MUST_CHECK bool import_store_prefix(struct db *db, const char *bucket, struct span key_prefix, const char *region,
                                    const char *suffixes_json, const char *error_json, struct err *err);
/* In a transaction: makes videos and records of what was read, and the shard ready to be ingested. */
MUST_CHECK bool import_store_records(struct db *db, int64_t job_id, int64_t shard_id, int64_t *records,
                                     struct err *err);
/* What was read is worth nothing: the import fails. */
MUST_CHECK bool import_store_forget(struct db *db, int64_t job_id, struct err *err);

#endif
