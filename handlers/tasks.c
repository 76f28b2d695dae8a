/* The queue of work, for its operator: reading it. */
#include "handlers/app.h"
#include "handlers/common.h"
#include "handlers/routes.h"
#include "handlers/task_json.h"
#include "server/base/id.h"

static int64_t put_row(struct json_writer *w, const struct db_rows *rows, int row, void *arg)
{
    struct task_row task = { 0 };

    (void)arg;
    task_row_read(rows, row, &task);
    task_json(w, &task);
    return task.id;
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
        reply_list(rq, rp, &rows, limit, "tasks", put_row, NULL);
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
