#include "sql/prefix_store.h"

#include "sql/db_internal.h"
#include "sql/job_store.h"

#include <inttypes.h>

void prefix_row_read(const struct db_rows *rows, int row, struct prefix_row *out)
{
    int c = 0;

    *out = (struct prefix_row){ 0 };
    out->id = db_i64(rows, row, c++);
    out->bucket = db_text(rows, row, c++);
    out->key_prefix = db_text(rows, row, c++);
    out->name = db_text(rows, row, c++);
    out->bucket_owner = db_text(rows, row, c++);
    out->region = db_text(rows, row, c++);
    out->suffixes = db_text(rows, row, c++);
    out->version = (int)db_i64(rows, row, c++);
    out->scan_state = db_text(rows, row, c++);
    out->scan_started_ms = db_i64(rows, row, c++);
    out->scan_finished_ms = db_i64(rows, row, c++);
    out->scan_listed = db_i64(rows, row, c++);
    out->scan_error = db_text(rows, row, c++);
    out->video_count = db_i64(rows, row, c++);
    out->eligible_count = db_i64(rows, row, c++);
    out->total_bytes = db_i64(rows, row, c++);
    out->created_ms = db_i64(rows, row, c++);
    out->updated_ms = db_i64(rows, row, c++);
    out->deleted = db_bool(rows, row, c++);
}

static bool not_found(int64_t id, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, false, HERE, "there is no prefix %" PRId64, id);
}

bool prefix_store_create(struct db *db, const struct prefix_new *in, int64_t *id, bool *exists, struct err *err)
{
    /* The one in the way may be deleted just after it was in the way; then its place is free. */
    for (int attempt = 0; attempt < 3; attempt++) {
        AUTO(db_rows_done) struct db_rows made = { 0 };
        AUTO(db_rows_done) struct db_rows there = { 0 };

        if (!db_query(db, Q_PREFIX_CREATE,
                      DB_ARGS(param_span(in->bucket), param_span(in->key_prefix), param_span(in->name),
                              param_span(in->bucket_owner), param_span(in->region), param_span(in->suffixes)),
                      &made, err))
            return false;
        if (made.count == 0 &&
            !db_query(db, Q_PREFIX_AT, DB_ARGS(param_span(in->bucket), param_span(in->key_prefix)), &there, err))
            return false;
        if (made.count + there.count > 0) {
            *exists = made.count == 0;
            *id = db_i64(*exists ? &there : &made, 0, 0);
            return true;
        }
    }
    return err_set(err, ERR_BUSY, true, HERE, "prefixes of this place are created and deleted at the same time");
}

static bool get(struct db *db, enum query query, int64_t id, struct db_rows *rows, struct prefix_row *out,
                struct err *err)
{
    if (!db_query(db, query, DB_ARGS(param_i64(id)), rows, err))
        return false;
    if (rows->count == 0) {
        db_rows_done(rows);
        return not_found(id, err);
    }
    prefix_row_read(rows, 0, out);
    return true;
}

bool prefix_store_get(struct db *db, int64_t id, struct db_rows *rows, struct prefix_row *out, struct err *err)
{
    return get(db, Q_PREFIX_GET, id, rows, out, err);
}

bool prefix_store_get_any(struct db *db, int64_t id, struct db_rows *rows, struct prefix_row *out, struct err *err)
{
    return get(db, Q_PREFIX_GET_ANY, id, rows, out, err);
}

bool prefix_store_list(struct db *db, int64_t after_id, const char *within, int limit, struct db_rows *rows,
                       struct err *err)
{
    return db_query(db, Q_PREFIX_LIST, DB_ARGS(param_i64(after_id), param_i64(limit), param_text(within)), rows, err);
}

/* A change of one prefix that must be there. */
static bool change(struct db *db, enum query query, const struct param *params, int count, int64_t id, struct err *err)
{
    bool found = false;

    if (!db_execute_one(db, query, params, count, &found, err))
        return false;
    return found || not_found(id, err);
}

bool prefix_store_update(struct db *db, int64_t id, struct span name, struct span bucket_owner, bool clear_owner,
                         struct span suffixes, struct err *err)
{
    return change(db, Q_PREFIX_UPDATE,
                  DB_ARGS(param_i64(id), param_span(name), param_span(bucket_owner), param_bool(clear_owner),
                          param_span(suffixes)),
                  id, err);
}

bool prefix_store_delete(struct db *db, int64_t id, struct err *err)
{
    AUTO(db_rows_done) struct db_rows locked = { 0 };
    int64_t active = 0;

    if (!db_need_transaction(db, "prefix_store_delete", err))
        return false;
    /* From here on no job and no scan of it can begin (job_create and video_scan_lock take a lock that this one
     * excludes).
     */
    if (!db_query(db, Q_PREFIX_LOCK, DB_ARGS(param_i64(id)), &locked, err))
        return false;
    if (locked.count == 0)
        return not_found(id, err);
    if (!job_store_count_active(db, id, &active, err))
        return false;
    if (active > 0) {
        err_set(err, ERR_CONFLICT, false, HERE,
                "%" PRId64 " job(s) of this prefix are still at work: wait for them, or cancel them first", active);
        return err_code(err, "prefix_in_use");
    }
    return db_execute(db, Q_PREFIX_DELETE, DB_ARGS(param_i64(id)), NULL, err);
}

bool prefix_store_sweep(struct db *db, int64_t id, int64_t limit, int64_t *removed, struct err *err)
{
    return db_query_planned(db, Q_VIDEO_DELETE_UNUSED, DB_ARGS(param_i64(id), param_i64(limit)), NULL, removed, err);
}

bool prefix_store_scan_queued(struct db *db, int64_t id, struct err *err)
{
    return change(db, Q_PREFIX_SCAN_QUEUED, DB_ARGS(param_i64(id)), id, err);
}

bool prefix_store_scan_started(struct db *db, int64_t id, struct err *err)
{
    return change(db, Q_PREFIX_SCAN_STARTED, DB_ARGS(param_i64(id)), id, err);
}

bool prefix_store_scan_progress(struct db *db, int64_t id, int64_t listed, struct err *err)
{
    return change(db, Q_PREFIX_SCAN_PROGRESS, DB_ARGS(param_i64(id), param_i64(listed)), id, err);
}

bool prefix_store_scan_finished(struct db *db, int64_t id, const struct prefix_scan_counts *counts, struct err *err)
{
    return db_need_transaction(db, "prefix_store_scan_finished", err) &&
           db_query(db, Q_PREFIX_SCAN_LOCK, DB_ARGS(param_i64(id)), NULL, err) &&
           change(db, Q_PREFIX_SCAN_DONE,
                  DB_ARGS(param_i64(id), param_i64(counts->listed), param_i64(counts->videos),
                          param_i64(counts->eligible), param_i64(counts->bytes)),
                  id, err);
}

bool prefix_store_region(struct db *db, int64_t id, const char *region, struct err *err)
{
    return db_query(db, Q_PREFIX_REGION, DB_ARGS(param_i64(id), param_text(region)), NULL, err);
}

bool prefix_store_scan_failed(struct db *db, int64_t id, int64_t listed, const char *error_json, struct err *err)
{
    return db_need_transaction(db, "prefix_store_scan_failed", err) &&
           db_query(db, Q_PREFIX_SCAN_LOCK, DB_ARGS(param_i64(id)), NULL, err) &&
           change(db, Q_PREFIX_SCAN_FAILED, DB_ARGS(param_i64(id), param_i64(listed), param_text(error_json)), id, err);
}
