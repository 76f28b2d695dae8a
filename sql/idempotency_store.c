#include "sql/idempotency_store.h"

#include "sql/db_internal.h"

bool idempotency_store_find(struct db *db, const char *route, struct span key, const unsigned char body_hash[32],
                            struct db_rows *rows, struct idempotency_answer *out, bool *found, struct err *err)
{
    char hex[DB_HEX_SIZE];

    /* Two statements: the second must see what the holder of the lock has committed while the first waited. */
    if (!db_need_transaction(db, "idempotency_store_find", err) ||
        !db_query(db, Q_IDEMPOTENCY_LOCK, DB_ARGS(param_text(route), param_span(key)), NULL, err))
        return false;
    db_hex32(body_hash, hex);
    if (!db_query(db, Q_IDEMPOTENCY_GET, DB_ARGS(param_text(route), param_span(key), param_text(hex)), rows, err))
        return false;
    *found = rows->count > 0;
    if (*found)
        *out = (struct idempotency_answer){ .status = (int)db_i64(rows, 0, 0),
                                            .location = db_text(rows, 0, 1),
                                            .body = db_text(rows, 0, 2),
                                            .same_body = db_bool(rows, 0, 3) };
    return true;
}

bool idempotency_store_put(struct db *db, const char *route, struct span key, const unsigned char body_hash[32],
                           int status, const char *location, struct span body, struct err *err)
{
    char hex[DB_HEX_SIZE];

    db_hex32(body_hash, hex);
    return db_execute(db, Q_IDEMPOTENCY_ADD,
                      DB_ARGS(param_text(route), param_span(key), param_text(hex), param_i64(status),
                              param_text(location), param_span(body)),
                      NULL, err);
}

bool idempotency_store_expire(struct db *db, int64_t max_age_ms, int64_t *removed, struct err *err)
{
    return db_execute(db, Q_IDEMPOTENCY_EXPIRE, DB_ARGS(param_i64(max_age_ms)), removed, err);
}
