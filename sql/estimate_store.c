#include "sql/estimate_store.h"

#include "sql/db_internal.h"

bool estimate_store_get(struct db *db, const char *model_key, const char *region, struct estimate_fit *out,
                        struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };

    if (!db_query(db, Q_ESTIMATE_GET, DB_ARGS(param_text(model_key), param_text(region)), &rows, err))
        return false;
    *out = (struct estimate_fit){ 0 };
    if (rows.count > 0)
        *out = (struct estimate_fit){ db_i64(&rows, 0, 0), db_i64(&rows, 0, 1), db_i64(&rows, 0, 2),
                                      db_i64(&rows, 0, 3), db_i64(&rows, 0, 4) };
    return true;
}

bool estimate_store_add(struct db *db, int64_t shard_id, const char *region, struct err *err)
{
    return db_need_transaction(db, "estimate_store_add", err) &&
           db_execute(db, Q_ESTIMATE_ADD, DB_ARGS(param_i64(shard_id), param_text(region)), NULL, err);
}

bool budget_store_lock(struct db *db, struct err *err)
{
    return db_need_transaction(db, "budget_store_lock", err) && db_query(db, Q_BUDGET_LOCK, NULL, 0, NULL, err);
}

void budget_part_read(const struct db_rows *rows, int row, struct budget_part *out)
{
    *out = (struct budget_part){ .model_id = db_text(rows, row, 0),
                                 .route = db_text(rows, row, 1),
                                 .input_tokens = db_i64(rows, row, 2),
                                 .output_tokens = db_i64(rows, row, 3),
                                 .estimated_micros = db_i64(rows, row, 4) };
}

bool budget_store_month(struct db *db, const char *currency, int64_t job_id, int64_t key_id, struct db_rows *rows,
                        struct err *err)
{
    return db_query_planned(db, Q_BUDGET_MONTH,
                            DB_ARGS(param_text(currency), param_i64(job_id), param_i64_or_null(key_id != 0, key_id)),
                            rows, NULL, err);
}

bool budget_store_key(struct db *db, int64_t job_id, struct db_rows *rows, struct budget_key *out, struct err *err)
{
    *out = (struct budget_key){ 0 };
    if (!db_query(db, Q_BUDGET_KEY, DB_ARGS(param_i64(job_id)), rows, err))
        return false;
    if (rows->count > 0)
        *out = (struct budget_key){ .key_id = db_i64(rows, 0, 0),
                                    .name = db_text(rows, 0, 1),
                                    .monthly_micros = db_i64(rows, 0, 2) };
    return true;
}
