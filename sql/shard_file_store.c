#include "sql/shard_file_store.h"

#include "sql/db_internal.h"

#include <inttypes.h>

static void read_row(const struct db_rows *rows, struct shard_file_row *out)
{
    int c = 0;

    *out = (struct shard_file_row){ 0 };
    out->id = db_i64(rows, 0, c++);
    out->shard_id = db_i64(rows, 0, c++);
    out->key = db_text(rows, 0, c++);
    out->ended = db_bool(rows, 0, c++);
    out->error = db_text(rows, 0, c++);
}

bool shard_file_store_get(struct db *db, int64_t id, struct db_rows *rows, struct shard_file_row *out, struct err *err)
{
    if (!db_query(db, Q_SHARD_FILE_GET, DB_ARGS(param_i64(id)), rows, err))
        return false;
    if (rows->count == 0)
        return err_set(err, ERR_NOT_FOUND, false, HERE, "there is no output file %" PRId64, id);
    read_row(rows, out);
    return true;
}

bool shard_file_store_add_tasks(struct db *db, int64_t shard_id, struct err *err)
{
    return db_need_transaction(db, "shard_file_store_add_tasks", err) &&
           db_execute(db, Q_SHARD_FILE_TASKS, DB_ARGS(param_i64(shard_id)), NULL, err);
}

bool shard_file_store_end(struct db *db, int64_t id, const char *error_json, struct err *err)
{
    return db_need_transaction(db, "shard_file_store_end", err) &&
           db_execute(db, Q_SHARD_FILE_END, DB_ARGS(param_i64(id), param_text(error_json)), NULL, err);
}

bool shard_file_store_count_open(struct db *db, int64_t shard_id, int64_t *count, struct err *err)
{
    return db_number(db, Q_SHARD_FILE_COUNT_OPEN, DB_ARGS(param_i64(shard_id)), count, err);
}

bool shard_file_store_first_error(struct db *db, int64_t shard_id, struct db_rows *rows, struct shard_file_row *out,
                                  bool *found, struct err *err)
{
    if (!db_query(db, Q_SHARD_FILE_FIRST_ERROR, DB_ARGS(param_i64(shard_id)), rows, err))
        return false;
    *found = rows->count > 0;
    if (*found)
        read_row(rows, out);
    return true;
}
