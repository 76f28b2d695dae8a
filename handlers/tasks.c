/* The queue of work, for its operator: reading it. */
#include "handlers/app.h"
#include "handlers/common.h"
#include "handlers/routes.h"
#include "handlers/task_json.h"
#include "server/base/id.h"

static void put_page(struct request *rq, struct reply *rp, const struct db_rows *rows, int limit)
{
    struct json_writer w = json_writer_on(reply_body(rp));
    struct task_row row = { 0 };

    json_begin_object(&w);
    json_name(&w, "data");
    json_begin_array(&w);
    for (int i = 0; i < rows->count && i < limit; i++) {
        task_row_read(rows, i, &row);
        task_json(&w, &row);
    }
    json_end_array(&w);
    reply_next_i64(rq, rp, &w, rows->count > limit, "tasks", row.id);
    json_end_object(&w);
    reply_page(rq, rp);
}

void tasks_list(struct request *rq, struct reply *rp)
{
    static const char *const states[] = { "ready", "running", "dead", NULL };
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    const char *state = NULL;
    struct err err = { 0 };
    int64_t after = 0;
    bool has = false;
    int limit = 0;

    if (!rq_check_query(rq, rp, (const char *const[]){ "state", "limit", "after", NULL }) ||
        !query_word(rq, rp, "state", states, &state) || !rq_limit(rq, rp, &limit) ||
        !rq_cursor_i64(rq, rp, "tasks", &has, &after))
        return;
    if (task_store_list(db_of(rq), state, after, limit + 1, &rows, &err))
        put_page(rq, rp, &rows, limit);
    else
        reply_failure(rq, rp, &err);
}

void tasks_get(struct request *rq, struct reply *rp)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct json_writer w = json_writer_on(reply_body(rp));
    struct task_row row = { 0 };
    struct err err = { 0 };
    int64_t id = 0;

    if (!rq_check_query(rq, rp, (const char *const[]){ NULL }) || !rq_path_id(rq, rp, "id", ID_TASK, &id))
        return;
    if (!task_store_get(db_of(rq), id, &rows, &row, &err)) {
        reply_failure(rq, rp, &err);
        return;
    }
    task_json(&w, &row);
    reply_resource(rq, rp);
}
