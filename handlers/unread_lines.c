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

static void put_page(struct request *rq, struct reply *rp, const struct db_rows *rows, int limit)
{
    struct json_writer w = json_writer_on(reply_body(rp));
    struct unread_line line = { 0 };

    json_begin_object(&w);
    json_name(&w, "data");
    json_begin_array(&w);
    for (int i = 0; i < rows->count && i < limit; i++) {
        unread_line_read(rows, i, &line);
        put_line(&w, &line);
    }
    json_end_array(&w);
    reply_next_i64(rq, rp, &w, rows->count > limit, "unread", line.id);
    json_end_object(&w);
    reply_page(rq, rp);
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
        put_page(rq, rp, &rows, limit);
    else
        reply_failure(rq, rp, &err);
}
