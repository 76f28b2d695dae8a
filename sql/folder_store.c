#include "sql/folder_store.h"

#include "sql/db_internal.h"

bool folder_store_is_held(struct db *db, struct span bucket, struct span folder, int64_t shard_id, bool *held,
                          struct err *err)
{
    int64_t count = 0;

    if (!db_number(db, Q_FOLDER_HELD, DB_ARGS(param_span(bucket), param_span(folder), param_i64(shard_id)), &count,
                   err))
        return false;
    *held = count > 0;
    return true;
}

bool folder_store_take(struct db *db, int64_t shard_id, struct span bucket, struct span folder, bool *taken,
                       struct err *err)
{
    bool held = false;

    if (!db_need_transaction(db, "folder_store_take", err) || !db_query(db, Q_FOLDER_LOCK_ALL, NULL, 0, NULL, err) ||
        !folder_store_is_held(db, bucket, folder, shard_id, &held, err))
        return false;
    *taken = !held;
    return held || db_execute(db, Q_FOLDER_HOLD, DB_ARGS(param_i64(shard_id), param_span(bucket), param_span(folder)),
                              NULL, err);
}

bool folder_store_release(struct db *db, int64_t shard_id, struct err *err)
{
    return db_execute(db, Q_FOLDER_RELEASE, DB_ARGS(param_i64(shard_id)), NULL, err);
}

bool folder_store_waiting(struct db *db, struct db_rows *rows, struct err *err)
{
    return db_query(db, Q_FOLDER_WAITING, NULL, 0, rows, err);
}
