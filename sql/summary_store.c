#include "sql/summary_store.h"

#include "sql/db_internal.h"

#include <inttypes.h>

bool summary_store_copy(struct db *db, struct db_copy *copy, struct err *err)
{
    return db_copy_begin(db, Q_SUMMARY_COPY, copy, err);
}

bool summary_store_copy_merge(struct db *db, struct db_copy *copy, struct err *err)
{
    return db_need_transaction(db, "summary_store_copy_merge", err) &&
           db_execute(db, Q_SUMMARY_NEW_TABLE, NULL, 0, NULL, err) &&
           db_execute(db, Q_SUMMARY_NEW_EMPTY, NULL, 0, NULL, err) && db_copy_begin(db, Q_SUMMARY_NEW_COPY, copy, err);
}

static void add_i32(struct db_copy *copy, bool has, int32_t n)
{
    if (has)
        db_copy_i32(copy, n);
    else
        db_copy_null(copy);
}

void summary_store_add(struct db_copy *copy, const struct summary_new *row)
{
    db_copy_row(copy, 18);
    db_copy_i64(copy, row->record_id);
    db_copy_i64(copy, row->job_id);
    db_copy_i64(copy, row->shard_id);
    db_copy_i64(copy, row->video_id);
    db_copy_time_ms(copy, row->created_ms);
    db_copy_span(copy, span_of(row->state));
    db_copy_i32(copy, row->ingest_round);
    add_i32(copy, row->has_input_tokens, row->input_tokens);
    add_i32(copy, row->has_output_tokens, row->output_tokens);
    add_i32(copy, row->has_error_code, row->error_code);
    if (row->has_error_retryable)
        db_copy_bool(copy, row->error_retryable);
    else
        db_copy_null(copy);
    db_copy_bool(copy, row->text_altered);
    db_copy_span(copy, row->stop_reason);
    db_copy_span(copy, row->error_reason);
    db_copy_span(copy, row->error_message);
    db_copy_span(copy, row->text);
    db_copy_span(copy, row->summary);
    db_copy_span(copy, row->thinking);
}

bool summary_store_merge(struct db *db, int64_t *changed, struct err *err)
{
    return db_need_transaction(db, "summary_store_merge", err) &&
           db_query_planned(db, Q_SUMMARY_MERGE, NULL, 0, NULL, changed, err);
}

bool summary_store_count_new(struct db *db, int ingest_round, int64_t *succeeded, int64_t *failed, int64_t *lifted,
                             struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };

    if (!db_need_transaction(db, "summary_store_count_new", err) ||
        !db_query_planned(db, Q_SUMMARY_NEW_COUNT, DB_ARGS(param_i64(ingest_round)), &rows, NULL, err))
        return false;
    *succeeded = db_i64(&rows, 0, 0);
    *failed = db_i64(&rows, 0, 1);
    *lifted = db_i64(&rows, 0, 2);
    return true;
}

bool summary_store_put(struct db *db, const struct summary_new *row, bool *changed, struct err *err)
{
    int64_t rows = 0;
    struct param retryable = row->has_error_retryable ? param_bool(row->error_retryable) : param_text(NULL);

    if (!db_execute(db, Q_SUMMARY_PUT,
                    DB_ARGS(param_i64(row->record_id), param_i64(row->job_id), param_i64(row->shard_id),
                            param_i64(row->video_id), param_time_ms(row->created_ms), param_text(row->state),
                            param_i64(row->ingest_round), param_i64_or_null(row->has_input_tokens, row->input_tokens),
                            param_i64_or_null(row->has_output_tokens, row->output_tokens),
                            param_i64_or_null(row->has_error_code, row->error_code), retryable,
                            param_bool(row->text_altered), param_span(row->stop_reason), param_span(row->error_reason),
                            param_span(row->error_message), param_span(row->text), param_span(row->summary),
                            param_span(row->thinking)),
                    &rows, err))
        return false;
    if (changed)
        *changed = rows > 0;
    return true;
}

bool summary_store_mark_missing(struct db *db, int64_t shard_id, int ingest_round, const char *error_reason,
                                const char *message, int64_t *count, struct err *err)
{
    return db_query_planned(
        db, Q_SUMMARY_MARK_MISSING,
        DB_ARGS(param_i64(shard_id), param_i64(ingest_round), param_text(error_reason), param_text(message)), NULL,
        count, err);
}

/* Behind the columns that all have: one query adds the provenance, one the snippet. */
static void read_more(const struct db_rows *rows, int row, int c, struct summary_row *out)
{
    int more = PQnfields(rows->result) - c;

    if (more == 1)
        out->snippet = db_text(rows, row, c);
    if (more <= 1)
        return;
    out->etag = db_text(rows, row, c++);
    out->prompt = db_text(rows, row, c++);
    out->system = db_text(rows, row, c++);
    out->route = db_text(rows, row, c++);
    out->bedrock_arn = db_text(rows, row, c++);
    out->has_max_tokens = !db_is_null(rows, row, c);
    out->max_tokens = db_i64(rows, row, c++);
    out->has_temperature = !db_is_null(rows, row, c);
    out->temperature = db_f64(rows, row, c++);
    out->has_top_p = !db_is_null(rows, row, c);
    out->top_p = db_f64(rows, row, c++);
    out->has_top_k = !db_is_null(rows, row, c);
    out->top_k = db_i64(rows, row, c++);
}

void summary_row_read(const struct db_rows *rows, int row, struct summary_row *out)
{
    int c = 0;

    *out = (struct summary_row){ 0 };
    out->record_id = db_i64(rows, row, c++);
    out->job_id = db_i64(rows, row, c++);
    out->video_id = db_i64(rows, row, c++);
    out->created_ms = db_i64(rows, row, c++);
    out->state = db_text(rows, row, c++);
    out->text = db_text(rows, row, c++);
    out->summary = db_text(rows, row, c++);
    out->thinking = db_text(rows, row, c++);
    out->stop_reason = db_text(rows, row, c++);
    out->error_reason = db_text(rows, row, c++);
    out->error_message = db_text(rows, row, c++);
    out->has_error_code = !db_is_null(rows, row, c);
    out->error_code = db_i64(rows, row, c++);
    out->has_input_tokens = !db_is_null(rows, row, c);
    out->input_tokens = db_i64(rows, row, c++);
    out->has_output_tokens = !db_is_null(rows, row, c);
    out->output_tokens = db_i64(rows, row, c++);
    out->error_retryable = db_bool(rows, row, c++);
    out->text_altered = db_bool(rows, row, c++);
    out->bucket = db_text(rows, row, c++);
    out->key_prefix = db_text(rows, row, c++);
    out->name = db_text(rows, row, c++);
    out->model_id = db_text(rows, row, c++);
    read_more(rows, row, c, out);
}

bool summary_store_get(struct db *db, int64_t record_id, struct db_rows *rows, struct summary_row *out, struct err *err)
{
    if (!db_query(db, Q_SUMMARY_GET, DB_ARGS(param_i64(record_id)), rows, err))
        return false;
    if (rows->count == 0) {
        db_rows_done(rows);
        return err_set(err, ERR_NOT_FOUND, false, HERE, "there is no summary of record %" PRId64, record_id);
    }
    summary_row_read(rows, 0, out);
    return true;
}

bool summary_store_list_job(struct db *db, int64_t job_id, const char *state, int64_t after_id, int limit,
                            struct db_rows *rows, struct err *err)
{
    if (!state)
        return db_query(db, Q_SUMMARY_LIST_JOB, DB_ARGS(param_i64(job_id), param_i64(after_id), param_i64(limit)), rows,
                        err);
    return db_query_planned(db, Q_SUMMARY_LIST_JOB_STATE,
                            DB_ARGS(param_i64(job_id), param_text(state), param_i64(after_id), param_i64(limit)), rows,
                            NULL, err);
}

bool summary_store_list_video(struct db *db, int64_t video_id, int limit, struct db_rows *rows, struct err *err)
{
    return db_query_planned(db, Q_SUMMARY_LIST_VIDEO, DB_ARGS(param_i64(video_id), param_i64(limit)), rows, NULL, err);
}
