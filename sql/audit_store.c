#include "sql/audit_store.h"

#include "sql/db_internal.h"

void audit_row_read(const struct db_rows *rows, int row, struct audit_row *out)
{
    *out = (struct audit_row){ .id = db_i64(rows, row, 0),
                               .at_ms = db_i64(rows, row, 1),
                               .key_id = db_i64(rows, row, 2),
                               .who = db_text(rows, row, 3),
                               .action = db_text(rows, row, 4),
                               .subject = db_text(rows, row, 5),
                               .address = db_text(rows, row, 6),
                               .request_id = db_text(rows, row, 7) };
}

bool audit_store_add(struct db *db, const struct audit_row *in, struct err *err)
{
    return db_execute(db, Q_AUDIT_ADD,
                      DB_ARGS(param_i64_or_null(in->key_id != 0, in->key_id), param_text(in->who),
                              param_text(in->action), param_text(in->subject), param_text(in->address),
                              param_text(in->request_id)),
                      NULL, err);
}

bool audit_store_list(struct db *db, const struct audit_filter *filter, struct db_rows *rows, struct err *err)
{
    return db_query_planned(db, Q_AUDIT_LIST,
                            DB_ARGS(param_i64(filter->before_id > 0 ? filter->before_id : INT64_MAX),
                                    param_i64_or_null(filter->key_id != 0, filter->key_id),
                                    param_time_ms(filter->from_ms), param_time_ms(filter->to_ms),
                                    param_i64(filter->limit)),
                            rows, NULL, err);
}
