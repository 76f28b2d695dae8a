#include "sql/slot_store.h"

#include "sql/db_internal.h"

#include <string.h>

bool slot_store_lock(struct db *db, const char *model_key, struct err *err)
{
    return db_need_transaction(db, "slot_store_lock", err) &&
           db_query(db, Q_SLOT_LOCK, DB_ARGS(param_text(model_key)), NULL, err);
}

bool slot_store_look(struct db *db, const char *model_key, int64_t shard_id, struct slot_view *out, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };

    if (!db_query(db, Q_SLOT_LOOK, DB_ARGS(param_text(model_key), param_i64(shard_id)), &rows, err))
        return false;
    out->in_flight = db_i64(&rows, 0, 0);
    out->position = db_i64(&rows, 0, 1);
    out->is_refused = !db_is_null(&rows, 0, 2);
    out->is_throttled = out->is_refused && strcmp(db_text(&rows, 0, 2), "throttled") == 0;
    out->refused_in_flight = db_i64(&rows, 0, 3);
    out->refused_for_ms = db_i64(&rows, 0, 4);
    return true;
}

bool slot_store_models(struct db *db, struct db_rows *rows, struct err *err)
{
    return db_query(db, Q_SLOT_MODELS, NULL, 0, rows, err);
}

bool slot_store_first(struct db *db, const char *model_key, int64_t count, struct db_rows *rows, struct err *err)
{
    return db_query(db, Q_SLOT_FIRST, DB_ARGS(param_text(model_key), param_i64(count)), rows, err);
}

bool slot_store_positions(struct db *db, int64_t job_id, struct db_rows *rows, struct err *err)
{
    return db_query(db, Q_SLOT_POSITIONS, DB_ARGS(param_i64(job_id)), rows, err);
}

bool slot_store_probe(struct db *db, const char *model_key, int64_t wait_ms, struct err *err)
{
    return db_execute(db, Q_SLOT_PROBE, DB_ARGS(param_text(model_key), param_i64(wait_ms)), NULL, err);
}

bool slot_store_refuse(struct db *db, const char *model_key, bool is_throttled, int64_t shard_id, int64_t base_ms,
                       int64_t cap_ms, struct err *err)
{
    return db_execute(db, Q_SLOT_REFUSE,
                      DB_ARGS(param_text(model_key), param_text(is_throttled ? "throttled" : "quota"),
                              param_i64(shard_id), param_i64(base_ms), param_i64(cap_ms)),
                      NULL, err);
}

bool slot_store_granted(struct db *db, const char *model_key, int64_t limit, struct err *err)
{
    return db_execute(db, Q_SLOT_GRANTED, DB_ARGS(param_text(model_key), param_i64(limit)), NULL, err);
}
