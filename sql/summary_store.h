/* Table summary: what became of each record. */
#ifndef VIDBATCH_SQL_SUMMARY_STORE_H
#define VIDBATCH_SQL_SUMMARY_STORE_H

#include "sql/db.h"

struct summary_new { /* spans with ptr NULL are SQL NULL */
    int64_t record_id, job_id, shard_id, video_id, created_ms;
    const char *state; /* succeeded failed missing */
    int32_t ingest_round;
    bool has_input_tokens, has_output_tokens, has_error_code, has_error_retryable, error_retryable, text_altered;
    int32_t input_tokens, output_tokens, error_code;
    struct span stop_reason, error_reason, error_message, text, summary, thinking;
};
/* Straight into summary: for rows that are new. */
MUST_CHECK bool summary_store_copy(struct db *db, struct db_copy *copy, struct err *err);
/* Into the session's temporary table (made and emptied here), then merged by summary_store_merge: a row that is there
 * is replaced when the new one is of a later round, except that a succeeded one is never replaced by one that is not; a
 * succeeded one replaces another of its own round too.
 */
MUST_CHECK bool summary_store_copy_merge(struct db *db, struct db_copy *copy, struct err *err);
void summary_store_add(struct db_copy *copy, const struct summary_new *row);
MUST_CHECK bool summary_store_merge(struct db *db, int64_t *changed, struct err *err);
/* Between the copy and the merge: what the new rows add to the round, whoever stored the rest of it. `lifted` ones have
 * failed and will have succeeded. Exact where other writers of the shard's rows are kept out (shard_store_lock). */
MUST_CHECK bool summary_store_count_new(struct db *db, int ingest_round, int64_t *succeeded, int64_t *failed,
                                        int64_t *lifted, struct err *err);
/* A single row, the same rule. *changed (may be NULL): it was written; false where what is there stays. */
MUST_CHECK bool summary_store_put(struct db *db, const struct summary_new *row, bool *changed, struct err *err);
/* `missing` rows for every record of the shard that has none. */
MUST_CHECK bool summary_store_mark_missing(struct db *db, int64_t shard_id, int ingest_round, const char *error_reason,
                                           const char *message, int64_t *count, struct err *err);

struct summary_row { /* texts borrowed; NULL where SQL NULL */
    int64_t record_id, job_id, video_id, created_ms;
    const char *state, *text, *summary /* NULL: same as text */, *thinking, *stop_reason;
    const char *error_reason, *error_message;
    bool has_error_code, has_input_tokens, has_output_tokens, error_retryable, text_altered;
    int64_t error_code, input_tokens, output_tokens;
    const char *bucket, *key_prefix, *name; /* of the video */
    const char *model_id;                   /* of the job */
    /* summary_store_get only: provenance */
    const char *etag, *prompt, *system, *route, *bedrock_arn;
    bool has_max_tokens, has_temperature, has_top_p, has_top_k;
    int64_t max_tokens, top_k;
    double temperature, top_p;
    const char *snippet; /* search only: HTML-free text with U+E000/U+E001 around hits */
};
void summary_row_read(const struct db_rows *rows, int row, struct summary_row *out);

MUST_CHECK bool summary_store_get(struct db *db, int64_t record_id, struct db_rows *rows, struct summary_row *out,
                                  struct err *err);
/* Of a job, by record id upward after after_id; state NULL: any. For pages, exports and the report. */
MUST_CHECK bool summary_store_list_job(struct db *db, int64_t job_id, const char *state, int64_t after_id, int limit,
                                       struct db_rows *rows, struct err *err);
/* The latest summaries of a video, newest first. */
MUST_CHECK bool summary_store_list_video(struct db *db, int64_t video_id, int limit, struct db_rows *rows,
                                         struct err *err);

#endif
