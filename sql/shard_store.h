/* Tables shard and shard_file. */
#ifndef VIDBATCH_SQL_SHARD_STORE_H
#define VIDBATCH_SQL_SHARD_STORE_H

#include "sql/db.h"

struct shard_row { /* texts borrowed from the rows; NULL where SQL NULL */
    int64_t id, job_id;
    int ordinal;
    const char *state;
    int64_t record_count, staged_through, input_bytes;
    const char *folder_uri, *output_uri, *bedrock_name, *client_token, *bedrock_arn, *bedrock_status, *bedrock_message;
    int64_t bedrock_processed, submit_started_ms, create_sent_ms, submitted_ms;
    int ingest_round;
    int64_t succeeded, failed, missing, unknown_lines, malformed_lines, duplicate_lines;
    int64_t input_tokens, output_tokens;
    bool has_manifest;
    int64_t manifest_input_tokens, manifest_output_tokens;
    const char *error; /* JSON */
    int64_t created_ms, completed_ms;
    const char *job_state; /* the job's, read with it */
    const char *staging, *route,
        *model_key;        /* "copy", "in_place", "none"; "batch", "on_demand"; of the models' table */
    const char *input_key; /* of the JSONL; NULL: input.jsonl in the folder, or none yet */
    int64_t video_bytes, planned_input_bytes;
    bool folder_busy;            /* planned, and waits for a folder that another shard holds */
    const char *cleanup;         /* of what staging wrote: "removed", "kept", "failed"; NULL: not yet */
    const char *cleanup_problem; /* JSON */
};
void shard_row_read(const struct db_rows *rows, int row, struct shard_row *out);

MUST_CHECK bool shard_store_get(struct db *db, int64_t id, struct db_rows *rows, struct shard_row *out,
                                struct err *err);
/* In ordinal order after after_ordinal (-1: from the first). */
MUST_CHECK bool shard_store_list(struct db *db, int64_t job_id, int after_ordinal, int limit, struct db_rows *rows,
                                 struct err *err);
/* A new id, so that folder and name can be built from it before the row is inserted. */
MUST_CHECK bool shard_store_new_id(struct db *db, int64_t *id, struct err *err);
struct shard_new {
    int64_t id, job_id;
    int ordinal;
    int64_t record_count;
    const char *folder_uri, *output_uri, *bedrock_name, *client_token;
    int64_t video_bytes, planned_input_bytes; /* of the JSONL: an upper bound */
    int64_t estimated_input_tokens, estimated_output_tokens;
    const char *model_key, *staging, *route; /* "copy", "in_place"; "batch", "on_demand" */
};
MUST_CHECK bool shard_store_create(struct db *db, const struct shard_new *in, struct err *err);

/* All return *moved false where the shard was not in the state that the move starts from. */
MUST_CHECK bool shard_store_move(struct db *db, int64_t id, const char *from /* "{planned,staging}" */, const char *to,
                                 const char *error_json, bool *moved, struct err *err);
/* planned -> staging. input_key: of the JSONL that will be written, where it is not input.jsonl; else NULL. */
MUST_CHECK bool shard_store_stage_begin(struct db *db, int64_t id, const char *input_key, bool *moved, struct err *err);
/* A planned shard waits for a folder that another holds. */
MUST_CHECK bool shard_store_folder_busy(struct db *db, int64_t id, struct err *err);
MUST_CHECK bool shard_store_staged_through(struct db *db, int64_t id, int64_t record_id, struct err *err);
MUST_CHECK bool shard_store_staged(struct db *db, int64_t id, int64_t input_bytes, bool *moved,
                                   struct err *err); /* staging -> submitting */
/* Before every CreateModelInvocationJob: sets submit_started_at where it is not set, and create_sent_at. */
MUST_CHECK bool shard_store_submit_started(struct db *db, int64_t id, struct err *err);
/* That one was refused, and so its answer is not missing: create_sent_at is what it was before. */
MUST_CHECK bool shard_store_submit_unsent(struct db *db, int64_t id, int64_t create_sent_ms, struct err *err);
/* Clears it: for certain AWS knows nothing of the shard (it refused, or the job did not show up in time). */
MUST_CHECK bool shard_store_submit_forgotten(struct db *db, int64_t id, struct err *err);
/* A shard that Bedrock has, though it is planned, staging or not asked for here -> submitting, as if asked for just
 * now. *moved false: there is none of that job, name and token, or it is further. */
MUST_CHECK bool shard_store_adopt(struct db *db, int64_t job_id, const char *name, const char *token, bool *moved,
                                  struct err *err);
MUST_CHECK bool shard_store_submitted(struct db *db, int64_t id, const char *arn, const char *status, bool *moved,
                                      struct err *err); /* submitting -> running */
/* A shard of the route "on_demand": submitting -> running. */
MUST_CHECK bool shard_store_invoke_begin(struct db *db, int64_t id, bool *moved, struct err *err);
/* Counts one record's row and its tokens, and clears the error that was shown meanwhile; nothing where the shard is not
 * running. In the transaction that stores the row. */
MUST_CHECK bool shard_store_count_answer(struct db *db, int64_t id, bool succeeded, int64_t input_tokens,
                                         int64_t output_tokens, struct err *err);
/* Bedrock's view of a running shard; message may be NULL. */
MUST_CHECK bool shard_store_status(struct db *db, int64_t id, const char *status, const char *message,
                                   int64_t processed, struct err *err);
/* Shards of the route "batch" in state running, oldest submission first: what the watch follows. */
MUST_CHECK bool shard_store_running(struct db *db, int limit, struct db_rows *rows, struct err *err);
/* Does one of them belong to the Bedrock job of this ARN? */
MUST_CHECK bool shard_store_is_followed(struct db *db, const char *arn, bool *found, struct err *err);
struct shards_left { /* of a job */
    bool is_ahead;   /* some are planned, staging, submitting or running */
    bool is_open;    /* those, or ingesting */
};
MUST_CHECK bool shard_store_left(struct db *db, int64_t job_id, struct shards_left *out, struct err *err);

/* ---- what is left of staging ---- */
struct shard_leftover { /* texts borrowed from the rows; NULL where SQL NULL */
    int64_t id;
    int ordinal;
    const char *staging, *folder_uri, *input_key;
    bool is_written;            /* the JSONL was completed */
    bool has_keep, keep;        /* the job's own word on it */
    const char *bucket, *owner; /* of the prefix */
};
void shard_leftover_read(const struct db_rows *rows, int row, struct shard_leftover *out);
/* In ordinal order after after_ordinal (-1: from the first). */
MUST_CHECK bool shard_store_leftovers(struct db *db, int64_t job_id, int after_ordinal, int limit, struct db_rows *rows,
                                      struct err *err);
/* what: "removed", "kept", "failed", or NULL; problem_json NULL: none. */
MUST_CHECK bool shard_store_cleaned(struct db *db, int64_t id, const char *what, const char *problem_json,
                                    struct err *err);

/* ---- ingest ---- */
/* In a transaction: nobody else changes the shard until it ends. */
MUST_CHECK bool shard_store_lock(struct db *db, int64_t id, struct err *err);
/* running, ingesting or ended -> ingesting with the next round, zero counters, no error, files forgotten: for a first
 * ingest and for a reingest. Only of a shard that has a bedrock_arn. */
MUST_CHECK bool shard_store_ingest_reset(struct db *db, int64_t id, bool *moved, struct err *err);
/* Adds the file where it is new; a changed etag starts it again at 0. Gives where to go on. */
MUST_CHECK bool shard_store_file_open(struct db *db, int64_t shard_id, struct span key, struct span etag,
                                      int64_t size_bytes, int64_t *next_offset, struct err *err);
/* All its files are read from the start again. */
MUST_CHECK bool shard_store_files_rewind(struct db *db, int64_t shard_id, struct err *err);
struct shard_progress {
    int64_t succeeded, failed, unknown_lines, malformed_lines, duplicate_lines, input_tokens, output_tokens;
};
/* In the chunk's transaction: adds to the counters and moves the file's offset from `from` to `to`; another offset
 * there is ERR_CANCELLED "lease_lost". */
MUST_CHECK bool shard_store_file_advance(struct db *db, int64_t shard_id, struct span key, int64_t from, int64_t to,
                                         const struct shard_progress *add, struct err *err);
MUST_CHECK bool shard_store_manifest(struct db *db, int64_t id, int64_t input_tokens, int64_t output_tokens,
                                     struct err *err);
/* Ends an ingesting shard without looking at its records, where its counters tell that each has got its row from one
 * line; *ended false: they do not, and nothing was changed. error_json NULL: none. */
MUST_CHECK bool shard_store_finish_counted(struct db *db, int64_t id, const char *to, const char *error_json,
                                           bool *ended, struct err *err);
/* error_json NULL: none. Counts anew from summary (succeeded, failed, missing, tokens) and moves to `to` ("completed",
 * "failed", "cancelled"). */
MUST_CHECK bool shard_store_finish(struct db *db, int64_t id, const char *to, const char *error_json, struct err *err);

#endif
