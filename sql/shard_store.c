#include "sql/shard_store.h"

#include "sql/db_internal.h"

#include <inttypes.h>

void shard_row_read(const struct db_rows *rows, int row, struct shard_row *out)
{
    int c = 0;

    *out = (struct shard_row){ 0 };
    out->id = db_i64(rows, row, c++);
    out->job_id = db_i64(rows, row, c++);
    out->ordinal = (int)db_i64(rows, row, c++);
    out->state = db_text(rows, row, c++);
    out->record_count = db_i64(rows, row, c++);
    out->staged_through = db_i64(rows, row, c++);
    out->input_bytes = db_i64(rows, row, c++);
    out->folder_uri = db_text(rows, row, c++);
    out->output_uri = db_text(rows, row, c++);
    out->bedrock_name = db_text(rows, row, c++);
    out->client_token = db_text(rows, row, c++);
    out->bedrock_arn = db_text(rows, row, c++);
    out->bedrock_status = db_text(rows, row, c++);
    out->bedrock_message = db_text(rows, row, c++);
    out->bedrock_processed = db_i64(rows, row, c++);
    out->submit_started_ms = db_i64(rows, row, c++);
    out->create_sent_ms = db_i64(rows, row, c++);
    out->submitted_ms = db_i64(rows, row, c++);
    out->ingest_round = (int)db_i64(rows, row, c++);
    out->succeeded = db_i64(rows, row, c++);
    out->failed = db_i64(rows, row, c++);
    out->missing = db_i64(rows, row, c++);
    out->unknown_lines = db_i64(rows, row, c++);
    out->malformed_lines = db_i64(rows, row, c++);
    out->duplicate_lines = db_i64(rows, row, c++);
    out->input_tokens = db_i64(rows, row, c++);
    out->output_tokens = db_i64(rows, row, c++);
    out->has_manifest = !db_is_null(rows, row, c);
    out->manifest_input_tokens = db_i64(rows, row, c++);
    out->manifest_output_tokens = db_i64(rows, row, c++);
    out->error = db_text(rows, row, c++);
    out->created_ms = db_i64(rows, row, c++);
    out->completed_ms = db_i64(rows, row, c++);
    out->job_state = db_text(rows, row, c++);
    out->staging = db_text(rows, row, c++);
    out->route = db_text(rows, row, c++);
    out->model_key = db_text(rows, row, c++);
    out->input_key = db_text(rows, row, c++);
    out->video_bytes = db_i64(rows, row, c++);
    out->planned_input_bytes = db_i64(rows, row, c++);
    out->folder_busy = db_bool(rows, row, c++);
    out->cleanup = db_text(rows, row, c++);
    out->cleanup_problem = db_text(rows, row, c++);
}

static bool not_found(int64_t id, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, false, HERE, "there is no shard %" PRId64, id);
}

/* A change of one shard that must be there. */
static bool change(struct db *db, enum query query, const struct param *params, int count, int64_t id, struct err *err)
{
    bool found = false;

    if (!db_execute_one(db, query, params, count, &found, err))
        return false;
    return found || not_found(id, err);
}

bool shard_store_get(struct db *db, int64_t id, struct db_rows *rows, struct shard_row *out, struct err *err)
{
    if (!db_query(db, Q_SHARD_GET, DB_ARGS(param_i64(id)), rows, err))
        return false;
    if (rows->count == 0) {
        db_rows_done(rows);
        return not_found(id, err);
    }
    shard_row_read(rows, 0, out);
    return true;
}

bool shard_store_list(struct db *db, int64_t job_id, int after_ordinal, int limit, struct db_rows *rows,
                      struct err *err)
{
    return db_query(db, Q_SHARD_LIST, DB_ARGS(param_i64(job_id), param_i64(after_ordinal), param_i64(limit)), rows,
                    err);
}

bool shard_store_new_id(struct db *db, int64_t *id, struct err *err)
{
    return db_number(db, Q_SHARD_NEW_ID, NULL, 0, id, err);
}

bool shard_store_create(struct db *db, const struct shard_new *in, struct err *err)
{
    return db_execute(db, Q_SHARD_CREATE,
                      DB_ARGS(param_i64(in->id), param_i64(in->job_id), param_i64(in->ordinal),
                              param_i64(in->record_count), param_text(in->folder_uri), param_text(in->output_uri),
                              param_text(in->bedrock_name), param_text(in->client_token), param_i64(in->video_bytes),
                              param_i64(in->planned_input_bytes), param_i64(in->estimated_input_tokens),
                              param_i64(in->estimated_output_tokens), param_text(in->model_key),
                              param_text(in->staging), param_text(in->route)),
                      NULL, err);
}

bool shard_store_move(struct db *db, int64_t id, const char *from, const char *to, const char *error_json, bool *moved,
                      struct err *err)
{
    return db_execute_one(db, Q_SHARD_MOVE,
                          DB_ARGS(param_i64(id), param_text(from), param_text(to), param_text(error_json)), moved, err);
}

bool shard_store_stage_begin(struct db *db, int64_t id, const char *input_key, bool *moved, struct err *err)
{
    return db_execute_one(db, Q_SHARD_STAGE_BEGIN, DB_ARGS(param_i64(id), param_text(input_key)), moved, err);
}

bool shard_store_folder_busy(struct db *db, int64_t id, struct err *err)
{
    return db_execute(db, Q_SHARD_FOLDER_BUSY, DB_ARGS(param_i64(id)), NULL, err);
}

bool shard_store_staged_through(struct db *db, int64_t id, int64_t record_id, struct err *err)
{
    return change(db, Q_SHARD_STAGED_THROUGH, DB_ARGS(param_i64(id), param_i64(record_id)), id, err);
}

bool shard_store_staged(struct db *db, int64_t id, int64_t input_bytes, bool *moved, struct err *err)
{
    return db_execute_one(db, Q_SHARD_STAGED, DB_ARGS(param_i64(id), param_i64(input_bytes)), moved, err);
}

bool shard_store_submit_forgotten(struct db *db, int64_t id, struct err *err)
{
    return db_execute(db, Q_SHARD_SUBMIT_FORGOTTEN, DB_ARGS(param_i64(id)), NULL, err);
}

bool shard_store_submit_started(struct db *db, int64_t id, struct err *err)
{
    return change(db, Q_SHARD_SUBMIT_STARTED, DB_ARGS(param_i64(id)), id, err);
}

bool shard_store_submit_unsent(struct db *db, int64_t id, int64_t create_sent_ms, struct err *err)
{
    return change(db, Q_SHARD_SUBMIT_UNSENT, DB_ARGS(param_i64(id), param_i64(create_sent_ms)), id, err);
}

bool shard_store_submitted(struct db *db, int64_t id, const char *arn, const char *status, bool *moved, struct err *err)
{
    return db_execute_one(db, Q_SHARD_SUBMITTED, DB_ARGS(param_i64(id), param_text(arn), param_text(status)), moved,
                          err);
}

bool shard_store_adopt(struct db *db, int64_t job_id, const char *name, const char *token, bool *moved, struct err *err)
{
    return db_execute_one(db, Q_SHARD_ADOPT, DB_ARGS(param_i64(job_id), param_text(name), param_text(token)), moved,
                          err);
}

bool shard_store_invoke_begin(struct db *db, int64_t id, bool *moved, struct err *err)
{
    return db_execute_one(db, Q_SHARD_INVOKE_BEGIN, DB_ARGS(param_i64(id)), moved, err);
}

bool shard_store_count_answer(struct db *db, int64_t id, bool succeeded, int64_t input_tokens, int64_t output_tokens,
                              struct err *err)
{
    return db_execute(db, Q_SHARD_COUNT_ANSWER,
                      DB_ARGS(param_i64(id), param_bool(succeeded), param_i64(input_tokens), param_i64(output_tokens)),
                      NULL, err);
}

bool shard_store_status(struct db *db, int64_t id, const char *status, const char *message, int64_t processed,
                        struct err *err)
{
    return db_execute(db, Q_SHARD_STATUS,
                      DB_ARGS(param_i64(id), param_text(status), param_text(message), param_i64(processed)), NULL, err);
}

bool shard_store_running(struct db *db, int limit, struct db_rows *rows, struct err *err)
{
    return db_query(db, Q_SHARD_RUNNING, DB_ARGS(param_i64(limit)), rows, err);
}

bool shard_store_is_followed(struct db *db, const char *arn, bool *found, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };

    if (!db_query(db, Q_SHARD_FOLLOWED, DB_ARGS(param_text(arn)), &rows, err))
        return false;
    *found = db_bool(&rows, 0, 0);
    return true;
}

bool shard_store_left(struct db *db, int64_t job_id, struct shards_left *out, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };

    if (!db_query(db, Q_SHARD_LEFT, DB_ARGS(param_i64(job_id)), &rows, err))
        return false;
    *out = (struct shards_left){ db_bool(&rows, 0, 0), db_bool(&rows, 0, 1) };
    return true;
}

void shard_leftover_read(const struct db_rows *rows, int row, struct shard_leftover *out)
{
    int c = 0;

    *out = (struct shard_leftover){ 0 };
    out->id = db_i64(rows, row, c++);
    out->ordinal = (int)db_i64(rows, row, c++);
    out->staging = db_text(rows, row, c++);
    out->folder_uri = db_text(rows, row, c++);
    out->input_key = db_text(rows, row, c++);
    out->is_written = db_bool(rows, row, c++);
    out->has_keep = !db_is_null(rows, row, c);
    out->keep = db_bool(rows, row, c++);
    out->bucket = db_text(rows, row, c++);
    out->owner = db_text(rows, row, c++);
}

bool shard_store_leftovers(struct db *db, int64_t job_id, int after_ordinal, int limit, struct db_rows *rows,
                           struct err *err)
{
    return db_query(db, Q_SHARD_LIST_CLEANUP, DB_ARGS(param_i64(job_id), param_i64(after_ordinal), param_i64(limit)),
                    rows, err);
}

bool shard_store_cleaned(struct db *db, int64_t id, const char *what, const char *problem_json, struct err *err)
{
    return change(db, Q_SHARD_CLEANED, DB_ARGS(param_i64(id), param_text(what), param_text(problem_json)), id, err);
}

bool shard_store_ingest_reset(struct db *db, int64_t id, bool *moved, struct err *err)
{
    int64_t count = 0;

    if (!db_number(db, Q_SHARD_INGEST_RESET, DB_ARGS(param_i64(id)), &count, err))
        return false;
    *moved = count > 0;
    return true;
}

bool shard_store_lock(struct db *db, int64_t id, struct err *err)
{
    return db_need_transaction(db, "shard_store_lock", err) &&
           db_query(db, Q_SHARD_LOCK, DB_ARGS(param_i64(id)), NULL, err);
}

bool shard_store_file_open(struct db *db, int64_t shard_id, struct span key, struct span etag, int64_t size_bytes,
                           int64_t *next_offset, struct err *err)
{
    return db_number(db, Q_SHARD_FILE_OPEN,
                     DB_ARGS(param_i64(shard_id), param_span(key), param_span(etag), param_i64(size_bytes)),
                     next_offset, err);
}

bool shard_store_files_rewind(struct db *db, int64_t shard_id, struct err *err)
{
    return db_query(db, Q_SHARD_FILE_REWIND, DB_ARGS(param_i64(shard_id)), NULL, err);
}

bool shard_store_file_advance(struct db *db, int64_t shard_id, struct span key, int64_t from, int64_t to,
                              const struct shard_progress *add, struct err *err)
{
    bool moved = false;

    if (!db_execute_one(db, Q_SHARD_FILE_ADVANCE,
                        DB_ARGS(param_i64(shard_id), param_span(key), param_i64(from), param_i64(to),
                                param_i64(add->succeeded), param_i64(add->failed), param_i64(add->unknown_lines),
                                param_i64(add->malformed_lines), param_i64(add->duplicate_lines),
                                param_i64(add->input_tokens), param_i64(add->output_tokens)),
                        &moved, err))
        return false;
    if (moved)
        return true;
    err_set(err, ERR_CANCELLED, false, HERE, "shard %" PRId64 ": another worker reads this file, it is not at %" PRId64,
            shard_id, from);
    return err_code(err, "lease_lost");
}

bool shard_store_manifest(struct db *db, int64_t id, int64_t input_tokens, int64_t output_tokens, struct err *err)
{
    return change(db, Q_SHARD_MANIFEST, DB_ARGS(param_i64(id), param_i64(input_tokens), param_i64(output_tokens)), id,
                  err);
}

bool shard_store_finish_counted(struct db *db, int64_t id, const char *to, const char *error_json, bool *ended,
                                struct err *err)
{
    int64_t changed = 0;

    if (!db_query_planned(db, Q_SHARD_FINISH_COUNTED, DB_ARGS(param_i64(id), param_text(to), param_text(error_json)),
                          NULL, &changed, err))
        return false;
    *ended = changed > 0;
    return true;
}

bool shard_store_finish(struct db *db, int64_t id, const char *to, const char *error_json, struct err *err)
{
    int64_t changed = 0;

    return db_query_planned(db, Q_SHARD_FINISH, DB_ARGS(param_i64(id), param_text(to), param_text(error_json)), NULL,
                            &changed, err) &&
           (changed > 0 || not_found(id, err));
}
