#include "sql/failure_store.h"

#include "sql/db_internal.h"

void failure_row_read(const struct db_rows *rows, int row, struct failure_row *out)
{
    int c = 14; /* behind those of the record */

    *out = (struct failure_row){ 0 };
    record_row_read(rows, row, &out->record);
    out->code = db_text(rows, row, c++);
    out->count = db_i64(rows, row, c++);
    out->missing = db_i64(rows, row, c++);
}

bool failure_store_groups(struct db *db, int64_t job_id, const char *catalogue_json, struct db_rows *rows,
                          struct err *err)
{
    return db_query_planned(db, Q_FAILURE_GROUPS, DB_ARGS(param_i64(job_id), param_text(catalogue_json)), rows, NULL,
                            err);
}
