#include "sql/event_store.h"

#include "sql/db_internal.h"

bool event_store_add(struct db *db, int64_t job_id, const char *kind, const char *detail_json, struct err *err)
{
    return db_execute(db, Q_EVENT_ADD, DB_ARGS(param_i64(job_id), param_text(kind), param_text(detail_json)), NULL,
                      err);
}
