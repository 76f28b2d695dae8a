#include "sql/folder_store.h"

#include "sql/db_internal.h"

bool folder_store_holders(struct db *db, struct span bucket, struct span folder, int64_t shard_id, struct db_rows *rows,
                          struct err *err)
{
    return db_query(db, Q_FOLDER_HOLDERS, DB_ARGS(param_span(bucket), param_span(folder), param_i64(shard_id)), rows,
                    err);
}

bool folder_store_take(struct db *db, int64_t shard_id, struct span bucket, struct span folder, bool *taken,
                       struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };

    if (!db_need_transaction(db, "folder_store_take", err) || !db_query(db, Q_FOLDER_LOCK_ALL, NULL, 0, NULL, err) ||
        !folder_store_holders(db, bucket, folder, shard_id, &rows, err))
        return false;
    *taken = rows.count == 0;
    return !*taken || db_execute(db, Q_FOLDER_HOLD,
                                 DB_ARGS(param_i64(shard_id), param_span(bucket), param_span(folder)), NULL, err);
}

bool folder_store_release(struct db *db, int64_t shard_id, struct err *err)
{
    return db_execute(db, Q_FOLDER_RELEASE, DB_ARGS(param_i64(shard_id)), NULL, err);
}

bool folder_store_waiting(struct db *db, struct db_rows *rows, struct err *err)
{
    return db_query(db, Q_FOLDER_WAITING, NULL, 0, rows, err);
}
