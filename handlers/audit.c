/* Who changed what: writing it down, and reading it. */
#include "handlers/app.h"
#include "handlers/audited.h"
#include "handlers/common.h"
#include "handlers/routes.h"
#include "server/base/id.h"
#include "sql/audit_store.h"

bool audited(struct db *db, const struct request *rq, const char *action, const char *id_prefix, int64_t id,
             struct err *err)
{
    const struct caller *caller = rq_caller(rq);
    char subject[ID_SIZE];
    const struct audit_row row = { .key_id = caller->key_id,
                                   .who = caller->key_id ? caller->name : "open",
                                   .action = action,
                                   .subject = subject,
                                   .address = rq_address(rq),
                                   .request_id = rq_id(rq) };

    id_format(id_prefix, id, subject);
    return audit_store_add(db, &row, err);
}

static void put_change(struct json_writer *w, const struct audit_row *row)
{
    json_begin_object(w);
    json_put_time(w, "at", row->at_ms);
    json_put_text(w, "who", row->who);
    json_put_id(w, "key_id", ID_KEY, row->key_id);
    json_put_text(w, "action", row->action);
    json_put_text(w, "subject", row->subject);
    json_put_text(w, "address", row->address);
    json_put_text(w, "request_id", row->request_id);
    json_end_object(w);
}

static int64_t put_row(struct json_writer *w, const struct db_rows *rows, int row, void *arg)
{
    struct audit_row change = { 0 };

    (void)arg;
    audit_row_read(rows, row, &change);
    put_change(w, &change);
    return change.id;
}

void audit_list(struct request *rq, struct reply *rp)
{
    static const char *const known[] = { "key_id", "from", "to", "limit", "after", NULL };
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct audit_filter filter = { 0 };
    struct err err = { 0 };
    bool has = false;
    int limit = 0;

    if (!rq_check_query(rq, rp, known) || !query_id(rq, rp, "key_id", ID_KEY, &filter.key_id) ||
        !query_time(rq, rp, "from", &filter.from_ms) || !query_time(rq, rp, "to", &filter.to_ms) ||
        !rq_limit(rq, rp, &limit) || !rq_cursor_i64(rq, rp, "audit", &has, &filter.before_id))
        return;
    filter.limit = limit + 1;
    if (!audit_store_list(db_of(rq), &filter, &rows, &err)) {
        reply_failure(rq, rp, &err);
        return;
    }
    reply_list(rq, rp, &rows, limit, "audit", put_row, NULL);
}
