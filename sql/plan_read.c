/* Plans: reading and ending them. */
#include "sql/db_internal.h"
#include "sql/plan_store.h"

bool plan_store_signature(struct db *db, int64_t prefix_id, char out[PLAN_SIGNATURE_SIZE], struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };

    if (!db_query(db, Q_PLAN_SIGNATURE, DB_ARGS(param_i64(prefix_id)), &rows, err))
        return false;
    db_copy_text(out, PLAN_SIGNATURE_SIZE, db_text(&rows, 0, 0));
    return true;
}

bool plan_store_unknown_videos(struct db *db, struct span ids, int64_t prefix_id, struct db_rows *rows, struct err *err)
{
    return db_query_planned(db, Q_PLAN_UNKNOWN_VIDEOS, DB_ARGS(param_span(ids), param_i64(prefix_id)), rows, NULL, err);
}

bool plan_store_get(struct db *db, int64_t id, struct db_rows *rows, struct err *err)
{
    return db_query(db, Q_PLAN_GET, DB_ARGS(param_i64(id)), rows, err);
}

bool plan_store_slots(struct db *db, const char *model_key, int64_t *in_use, struct err *err)
{
    return db_number(db, Q_PLAN_SLOTS, DB_ARGS(param_text(model_key)), in_use, err);
}

bool plan_store_list(struct db *db, int64_t before_id, int64_t prefix_id, const char *within, int limit,
                     struct db_rows *rows, struct err *err)
{
    return db_query_planned(db, Q_PLAN_LIST,
                            DB_ARGS(param_i64(before_id > 0 ? before_id : INT64_MAX),
                                    param_i64_or_null(prefix_id != 0, prefix_id), param_i64(limit), param_text(within)),
                            rows, NULL, err);
}

void plan_video_read(const struct db_rows *rows, int row, struct plan_video *out)
{
    *out = (struct plan_video){ .cursor = db_i64(rows, row, 0),
                                .video_id = db_i64(rows, row, 1),
                                .bucket = db_text(rows, row, 2),
                                .key_prefix = db_text(rows, row, 3),
                                .name = db_text(rows, row, 4),
                                .etag = db_text(rows, row, 5),
                                .size_bytes = db_i64(rows, row, 6),
                                .has_duration = !db_is_null(rows, row, 7),
                                .duration_ms = db_i64(rows, row, 7),
                                .reason = db_text(rows, row, 8) };
}

bool plan_store_taken(struct db *db, int64_t job_id, int64_t after_record, int limit, struct db_rows *rows,
                      struct err *err)
{
    return db_query_planned(db, Q_PLAN_LIST_TAKEN,
                            DB_ARGS(param_i64(job_id), param_i64(after_record), param_i64(limit)), rows, NULL, err);
}

bool plan_store_skipped_videos(struct db *db, int64_t job_id, const char *reason, const char *after_reason,
                               int64_t after_video, int limit, struct db_rows *rows, struct err *err)
{
    return db_query_planned(db, Q_PLAN_LIST_SKIPPED,
                            DB_ARGS(param_i64(job_id), param_text(reason), param_text(after_reason),
                                    param_i64(after_video), param_i64(limit)),
                            rows, NULL, err);
}

bool plan_store_expire(struct db *db, int64_t job_id, bool *expired, struct err *err)
{
    return db_execute_one(db, Q_PLAN_EXPIRE_ONE, DB_ARGS(param_i64(job_id)), expired, err);
}

bool plan_store_expire_due(struct db *db, struct err *err)
{
    return db_execute(db, Q_PLAN_EXPIRE_DUE, NULL, 0, NULL, err);
}

bool plan_store_expire_prefix(struct db *db, int64_t prefix_id, struct err *err)
{
    return db_execute(db, Q_PLAN_EXPIRE_PREFIX, DB_ARGS(param_i64(prefix_id)), NULL, err);
}

bool plan_store_remove(struct db *db, int64_t job_id, int64_t limit, bool *left, struct err *err)
{
    const struct param job = param_i64(job_id);
    const struct param most = param_i64(limit);
    int64_t records = 0, skips = 0;

    if (!db_need_transaction(db, "plan_store_remove", err) ||
        !db_query_planned(db, Q_PLAN_REMOVE_RECORDS, DB_ARGS(job, most), NULL, &records, err) ||
        !db_query_planned(db, Q_PLAN_REMOVE_SKIPS, DB_ARGS(job, most), NULL, &skips, err))
        return false;
    *left = records == limit || skips == limit;
    return *left || db_execute(db, Q_PLAN_REMOVE_SHARDS, DB_ARGS(job), NULL, err);
}
