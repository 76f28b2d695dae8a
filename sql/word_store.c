#include "sql/word_store.h"

#include "sql/db_internal.h"

bool word_store_want(struct db *db, int64_t shard_id, bool *wanted, struct err *err)
{
    return db_need_transaction(db, "word_store_want", err) &&
           db_execute_one(db, Q_WORD_WANT, DB_ARGS(param_i64(shard_id)), wanted, err);
}

static bool lock(struct db *db, int64_t shard_id, int64_t *through, bool *found, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };

    if (!db_query(db, Q_WORD_LOCK, DB_ARGS(param_i64(shard_id)), &rows, err))
        return false;
    *found = rows.count > 0;
    *through = *found ? db_i64(&rows, 0, 0) : 0;
    return true;
}

bool word_store_batch(struct db *db, int64_t shard_id, int records, int64_t *indexed, bool *end, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    int64_t through = 0;
    bool found = false;
    bool last = false;

    if (!db_need_transaction(db, "word_store_batch", err) || !lock(db, shard_id, &through, &found, err))
        return false;
    if (!found) {
        *indexed = 0;
        *end = true;
        return true;
    }
    if (!db_query_planned(db, Q_WORD_BATCH, DB_ARGS(param_i64(shard_id), param_i64(through), param_i64(records)), &rows,
                          NULL, err))
        return false;
    last = db_is_null(&rows, 0, 0);
    *indexed = db_i64(&rows, 0, 2);
    *end = last;
    return db_execute(
        db, Q_WORD_THROUGH,
        DB_ARGS(param_i64(shard_id), param_i64(db_i64(&rows, 0, 0)), param_i64(db_i64(&rows, 0, 1)), param_bool(last)),
        NULL, err);
}

bool word_store_must_wait(struct db *db, int64_t shard_id, int64_t patience_ms, bool *must_wait, struct err *err)
{
    int64_t count = 0;

    if (!db_number(db, Q_WORD_MUST_WAIT, DB_ARGS(param_i64(shard_id), param_i64(patience_ms)), &count, err))
        return false;
    *must_wait = count > 0;
    return true;
}

bool word_store_lag(struct db *db, const char *within, struct word_lag *out, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };

    if (!db_query(db, Q_WORD_LAG, DB_ARGS(param_text(within)), &rows, err))
        return false;
    out->pending = db_i64(&rows, 0, 0);
    out->lag_ms = db_i64(&rows, 0, 1);
    return true;
}
