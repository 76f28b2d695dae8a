/* Lines of a job's output that could not be used. */
#include "handlers/app.h"
#include "handlers/common.h"
#include "handlers/routes.h"
#include "server/base/id.h"
#include "sql/job_store.h"
#include "sql/unread_line_store.h"

static void put_line(struct json_writer *w, const struct unread_line *line)
{
    json_begin_object(w);
    json_put_id(w, "shard_id", ID_SHARD, line->shard_id);
    json_put_span(w, "file", line->file);
    json_put_i64(w, "offset", line->offset);
    json_put_i64(w, "bytes", line->bytes);
    json_put_text(w, "kind", line->kind);
    json_put_text(w, "problem", line->problem);
    json_put_span(w, "head", line->head);
    json_end_object(w);
}

static int64_t put_row(struct json_writer *w, const struct db_rows *rows, int row, void *arg)
{
    struct unread_line line = { 0 };

    (void)arg;
    unread_line_read(rows, row, &line);
    put_line(w, &line);
    return line.id;
}

void unread_lines_list(struct request *rq, struct reply *rp)
{
    AUTO(db_rows_done) struct db_rows job_rows = { 0 };
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct job_row job = { 0 };
    struct err err = { 0 };
    int64_t after = 0;
    bool has = false;
    int limit = 0;
    int64_t id = 0;

    if (!rq_path_id(rq, rp, "id", ID_JOB, &id) ||
        !rq_check_query(rq, rp, (const char *const[]){ "limit", "after", NULL }) || !rq_limit(rq, rp, &limit) ||
        !rq_cursor_i64(rq, rp, "unread", &has, &after))
        return;
    if (job_store_get(db_of(rq), id, &job_rows, &job, &err) &&
        unread_line_store_list(db_of(rq), id, after, limit + 1, &rows, &err))
        reply_list(rq, rp, &rows, limit, "unread", put_row, NULL);
    else
        reply_failure(rq, rp, &err);
}
