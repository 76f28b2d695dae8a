#include "sql/job_store.h"

#include "sql/db_internal.h"

#include <inttypes.h>
#include <string.h>

bool job_state_is_final(const char *state)
{
    return strcmp(state, "completed") == 0 || strcmp(state, "failed") == 0 || strcmp(state, "cancelled") == 0;
}

/* The columns that say how it was, or will be, planned. */
static void read_plan(const struct db_rows *rows, int row, int c, struct job_row *out)
{
    out->launched_ms = db_i64(rows, row, c++);
    out->planned_ms = db_i64(rows, row, c++);
    out->expires_ms = db_i64(rows, row, c++);
    out->is_plan = db_bool(rows, row, c++);
    out->retry_of = db_i64(rows, row, c++);
    out->retry_hopeless = db_bool(rows, row, c++);
    out->below_minimum = db_text(rows, row, c++);
    out->preflight = db_text(rows, row, c++);
    out->route = db_text(rows, row, c++);
    out->has_max_cost = !db_is_null(rows, row, c);
    out->max_cost_micros = db_i64(rows, row, c++);
    out->has_keep_staging = !db_is_null(rows, row, c);
    out->keep_staging = db_bool(rows, row, c++);
    out->has_estimate = !db_is_null(rows, row, c);
    out->estimated_low_micros = db_i64(rows, row, c++);
    out->estimated_micros = db_i64(rows, row, c++);
    out->estimated_high_micros = db_i64(rows, row, c++);
    out->currency = db_text(rows, row, c++);
    out->waiting = db_text(rows, row, c++);
    out->import_output_uri = db_text(rows, row, c++);
    out->import_input_uri = db_text(rows, row, c++);
    out->charged_input_tokens = db_i64(rows, row, c++);
    out->charged_output_tokens = db_i64(rows, row, c++);
    out->is_charged = db_bool(rows, row, c++);
}

void job_row_read(const struct db_rows *rows, int row, struct job_row *out)
{
    int c = 0;

    *out = (struct job_row){ 0 };
    out->id = db_i64(rows, row, c++);
    out->prefix_id = db_i64(rows, row, c++);
    out->name = db_text(rows, row, c++);
    out->state = db_text(rows, row, c++);
    out->outcome = db_text(rows, row, c++);
    out->model_id = db_text(rows, row, c++);
    out->prompt = db_text(rows, row, c++);
    out->system = db_text(rows, row, c++);
    out->has_max_tokens = !db_is_null(rows, row, c);
    out->max_tokens = db_i64(rows, row, c++);
    out->has_temperature = !db_is_null(rows, row, c);
    out->temperature = db_f64(rows, row, c++);
    out->has_top_p = !db_is_null(rows, row, c);
    out->top_p = db_f64(rows, row, c++);
    out->has_top_k = !db_is_null(rows, row, c);
    out->top_k = db_i64(rows, row, c++);
    out->select_mode = db_text(rows, row, c++);
    out->staging = db_text(rows, row, c++);
    out->metadata = db_text(rows, row, c++);
    out->error = db_text(rows, row, c++);
    out->version = (int)db_i64(rows, row, c++);
    out->created_ms = db_i64(rows, row, c++);
    out->started_ms = db_i64(rows, row, c++);
    out->completed_ms = db_i64(rows, row, c++);
    out->total = db_i64(rows, row, c++);
    out->succeeded = db_i64(rows, row, c++);
    out->failed = db_i64(rows, row, c++);
    out->missing = db_i64(rows, row, c++);
    out->bedrock_processed = db_i64(rows, row, c++);
    out->input_tokens = db_i64(rows, row, c++);
    out->output_tokens = db_i64(rows, row, c++);
    out->shards = (int)db_i64(rows, row, c++);
    out->cancel_requested = db_bool(rows, row, c++);
    read_plan(rows, row, c, out);
}

static bool not_found(int64_t id, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, false, HERE, "there is no job %" PRId64, id);
}

bool job_store_create(struct db *db, const struct job_new *in, int64_t *id, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    char recipe[DB_HEX_SIZE];

    db_hex32(in->recipe, recipe);
    if (!db_query(
            db, Q_JOB_CREATE,
            DB_ARGS(param_i64(in->prefix_id), param_span(in->name), param_span(in->model_id), param_span(in->prompt),
                    param_span(in->system), param_i64_or_null(in->has_max_tokens, in->max_tokens),
                    param_f64_or_null(in->has_temperature, in->temperature),
                    param_f64_or_null(in->has_top_p, in->top_p), param_i64_or_null(in->has_top_k, in->top_k),
                    param_text(recipe), param_text(in->select_mode), param_text(in->staging), param_span(in->metadata),
                    param_span(in->picked), param_text(in->below_minimum ? in->below_minimum : "refuse"),
                    param_text(in->preflight ? in->preflight : "full"),
                    param_i64_or_null(in->has_max_cost, in->max_cost_micros),
                    param_text(in->has_keep_staging ? (in->keep_staging ? "t" : "f") : NULL),
                    param_i64_or_null(in->retry_of != 0, in->retry_of), param_bool(in->retry_hopeless),
                    param_bool(in->is_plan), param_i64(in->keep_ms)),
            &rows, err))
        return false;
    if (rows.count == 0)
        return err_set(err, ERR_NOT_FOUND, false, HERE, "there is no prefix %" PRId64, in->prefix_id);
    *id = db_i64(&rows, 0, 0);
    return true;
}

static bool get(struct db *db, int64_t id, bool plans_too, struct db_rows *rows, struct job_row *out, struct err *err)
{
    if (!db_query(db, Q_JOB_GET, DB_ARGS(param_i64(id), param_bool(plans_too)), rows, err))
        return false;
    if (rows->count == 0) {
        db_rows_done(rows);
        return not_found(id, err);
    }
    job_row_read(rows, 0, out);
    return true;
}

bool job_store_get(struct db *db, int64_t id, struct db_rows *rows, struct job_row *out, struct err *err)
{
    return get(db, id, false, rows, out, err);
}

bool job_store_get_any(struct db *db, int64_t id, struct db_rows *rows, struct job_row *out, struct err *err)
{
    return get(db, id, true, rows, out, err);
}

bool job_store_retries(struct db *db, int64_t id, int limit, struct db_rows *rows, struct err *err)
{
    return db_query(db, Q_JOB_RETRIES, DB_ARGS(param_i64(id), param_i64(limit)), rows, err);
}

bool job_store_list(struct db *db, const struct job_filter *filter, struct db_rows *rows, struct err *err)
{
    return db_query_planned(db, Q_JOB_LIST,
                            DB_ARGS(param_i64(filter->before_id > 0 ? filter->before_id : INT64_MAX),
                                    param_i64_or_null(filter->prefix_id != 0, filter->prefix_id),
                                    param_text(filter->state), param_i64(filter->limit), param_text(filter->within),
                                    param_i64_or_null(filter->key_id != 0, filter->key_id)),
                            rows, NULL, err);
}

bool job_store_begun_by(struct db *db, int64_t id, int64_t key_id, struct err *err)
{
    return db_execute(db, Q_JOB_BEGUN_BY, DB_ARGS(param_i64(id), param_i64_or_null(key_id != 0, key_id)), NULL, err);
}

bool job_store_move(struct db *db, int64_t id, const char *from, const char *to, const char *outcome,
                    const char *error_json, bool *moved, struct err *err)
{
    return db_execute_one(
        db, Q_JOB_MOVE,
        DB_ARGS(param_i64(id), param_text(from), param_text(to), param_text(outcome), param_text(error_json)), moved,
        err);
}

bool job_store_lock(struct db *db, int64_t id, char state[16], struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };

    if (!db_need_transaction(db, "job_store_lock", err) ||
        !db_query(db, Q_JOB_LOCK, DB_ARGS(param_i64(id)), &rows, err))
        return false;
    if (rows.count == 0)
        return not_found(id, err);
    db_copy_text(state, 16, db_text(&rows, 0, 0));
    return true;
}

bool job_store_plan_lock(struct db *db, int64_t prefix_id, struct err *err)
{
    return db_need_transaction(db, "job_store_plan_lock", err) &&
           db_query(db, Q_JOB_PLAN_LOCK, DB_ARGS(param_i64(prefix_id)), NULL, err);
}

bool job_store_recipe(struct db *db, int64_t id, unsigned char recipe[32], struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct span hex = { 0 };
    unsigned char bytes[32] = { 0 };

    if (!db_query(db, Q_JOB_RECIPE, DB_ARGS(param_i64(id)), &rows, err))
        return false;
    if (rows.count == 0)
        return not_found(id, err);
    hex = db_span(&rows, 0, 0);
    if (hex.len != 2 * sizeof bytes)
        return err_set(err, ERR_INTERNAL, false, HERE, "the recipe of job %" PRId64 " is not 32 bytes", id);
    for (size_t i = 0; i < hex.len; i++) {
        char c = hex.ptr[i];
        bytes[i / 2] = (unsigned char)(bytes[i / 2] << 4 | (c >= 'a' ? c - 'a' + 10 : c - '0'));
    }
    memcpy(recipe, bytes, sizeof bytes);
    return true;
}

bool job_store_count_active(struct db *db, int64_t prefix_id, int64_t *count, struct err *err)
{
    return db_number(db, Q_JOB_COUNT_ACTIVE, DB_ARGS(param_i64(prefix_id)), count, err);
}
