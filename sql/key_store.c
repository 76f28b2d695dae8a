#include "sql/key_store.h"

#include "sql/db_internal.h"

#include <inttypes.h>

void key_row_read(const struct db_rows *rows, int row, struct key_row *out)
{
    *out = (struct key_row){ .id = db_i64(rows, row, 0),
                             .name = db_text(rows, row, 1),
                             .scopes = db_text(rows, row, 2),
                             .prefixes = db_text(rows, row, 3),
                             .models = db_text(rows, row, 4),
                             .has_budget = !db_is_null(rows, row, 5),
                             .monthly_budget_micros = db_i64(rows, row, 5),
                             .hash = db_text(rows, row, 6),
                             .previous_hash = db_text(rows, row, 7),
                             .previous_until_ms = db_i64(rows, row, 8),
                             .created_ms = db_i64(rows, row, 9),
                             .created_by = db_i64(rows, row, 10),
                             .rotated_ms = db_i64(rows, row, 11),
                             .expires_ms = db_i64(rows, row, 12),
                             .revoked_ms = db_i64(rows, row, 13),
                             .last_used_ms = db_i64(rows, row, 14),
                             .now_ms = db_i64(rows, row, 15) };
}

bool key_store_add(struct db *db, const struct key_new *in, bool *added, struct err *err)
{
    char hash[DB_HEX_SIZE];

    db_hex32(in->hash, hash);
    return db_execute_one(
        db, Q_KEY_ADD,
        DB_ARGS(param_i64(in->id), param_span(in->name), param_span(in->scopes), param_span(in->prefixes),
                param_span(in->models), param_i64_or_null(in->has_budget, in->monthly_budget_micros), param_text(hash),
                param_time_ms(in->expires_ms), param_i64_or_null(in->created_by != 0, in->created_by)),
        added, err);
}

bool key_store_get(struct db *db, int64_t id, struct db_rows *rows, struct key_row *out, struct err *err)
{
    if (!db_query(db, Q_KEY_GET, DB_ARGS(param_i64(id)), rows, err))
        return false;
    if (rows->count == 0) {
        db_rows_done(rows);
        return err_set(err, ERR_NOT_FOUND, false, HERE, "there is no key %" PRId64, id);
    }
    key_row_read(rows, 0, out);
    return true;
}

bool key_store_list(struct db *db, int64_t before_id, int limit, struct db_rows *rows, struct err *err)
{
    return db_query(db, Q_KEY_LIST, DB_ARGS(param_i64(before_id > 0 ? before_id : INT64_MAX), param_i64(limit)), rows,
                    err);
}

bool key_store_any(struct db *db, bool *any, struct err *err)
{
    int64_t n = 0;

    if (!db_number(db, Q_KEY_ANY, NULL, 0, &n, err))
        return false;
    *any = n != 0;
    return true;
}

bool key_store_revoke(struct db *db, int64_t id, bool *revoked, struct err *err)
{
    return db_execute_one(db, Q_KEY_REVOKE, DB_ARGS(param_i64(id)), revoked, err);
}

bool key_store_rotate(struct db *db, int64_t id, const unsigned char hash[32], int64_t overlap_ms, bool *rotated,
                      struct err *err)
{
    char hex[DB_HEX_SIZE];

    db_hex32(hash, hex);
    return db_execute_one(db, Q_KEY_ROTATE, DB_ARGS(param_i64(id), param_text(hex), param_i64(overlap_ms)), rotated,
                          err);
}

bool key_store_used(struct db *db, int64_t id, struct err *err)
{
    return db_execute(db, Q_KEY_USED, DB_ARGS(param_i64(id)), NULL, err);
}

bool key_store_prefixes(struct db *db, int64_t id, struct db_rows *rows, const char **ids, struct err *err)
{
    if (!db_query(db, Q_KEY_PREFIXES, DB_ARGS(param_i64(id)), rows, err))
        return false;
    *ids = db_text(rows, 0, 0);
    return true;
}

bool key_store_places(struct db *db, const char *kind, int64_t id, struct db_rows *rows, struct err *err)
{
    return db_query(db, Q_KEY_PLACE, DB_ARGS(param_text(kind), param_i64(id)), rows, err);
}
