/* Runs of a prompt over the videos of a prefix: reading them. Prompts may be long, so a page is fetched a few rows at a
 * time and ends early when it is full. */
#include "handlers/app.h"
#include "handlers/common.h"
#include "handlers/grant.h"
#include "handlers/job_json.h"
#include "handlers/routes.h"
#include "handlers/trouble_json.h"
#include "server/base/id.h"
#include "sql/job_store.h"

#include <string.h>

enum {
    MOST_RETRIES = 1000,
    BATCH = 32,
    PAGE_BYTES = 8 * 1024 * 1024,
    ESCAPED = 6 /* most bytes that one byte becomes in JSON */
};

static bool is_full(const struct buf *body, const struct job_row *next)
{
    size_t texts = span_of(next->prompt).len + span_of(next->system).len + span_of(next->metadata).len;

    return body->len + ESCAPED * texts > PAGE_BYTES;
}

struct list {
    struct job_filter filter;
    int limit;
    int shown;
    bool full; /* there is more */
};

static void put_rows(struct json_writer *w, struct list *list, const struct db_rows *rows,
                     const struct handlers_app *app)
{
    for (int i = 0; i < rows->count; i++) {
        struct job_row row = { 0 };
        job_row_read(rows, i, &row);
        list->full = list->shown == list->limit || (list->shown > 0 && is_full(w->out, &row));
        if (list->full)
            return;
        job_json(w, &row, app);
        list->filter.before_id = row.id;
        list->shown++;
    }
}

static void put_page(struct request *rq, struct reply *rp, struct list *list)
{
    struct json_writer w = json_writer_on(reply_body(rp));
    AUTO(db_rows_done) struct db_rows seen = { 0 };
    struct err err = { 0 };
    bool more = true;

    if (!grant_prefix_ids(rq, &seen, &list->filter.within, &err)) {
        reply_failure(rq, rp, &err);
        return;
    }
    list->filter.key_id = rq_caller(rq)->key_id;
    json_begin_object(&w);
    json_name(&w, "data");
    json_begin_array(&w);
    while (more && !list->full) {
        AUTO(db_rows_done) struct db_rows rows = { 0 };
        int left = list->limit - list->shown + 1; /* one beyond tells whether there is more */
        int batch = left < BATCH ? left : BATCH;
        list->filter.limit = batch;
        if (!job_store_list(db_of(rq), &list->filter, &rows, &err)) {
            reply_failure(rq, rp, &err);
            return;
        }
        put_rows(&w, list, &rows, app_of(rq));
        more = rows.count == batch;
    }
    json_end_array(&w);
    reply_next_i64(rq, rp, &w, list->full, "jobs", list->filter.before_id);
    json_end_object(&w);
    reply_page(rq, rp);
}

void jobs_list(struct request *rq, struct reply *rp)
{
    static const char *const states[] = { "queued",    "planning", "staging",    "running",   "ingesting",
                                          "completed", "failed",   "cancelling", "cancelled", NULL };
    struct list list = { 0 };
    bool has = false;

    if (rq_check_query(rq, rp, (const char *const[]){ "prefix_id", "state", "limit", "after", NULL }) &&
        query_id(rq, rp, "prefix_id", ID_PREFIX, &list.filter.prefix_id) &&
        query_word(rq, rp, "state", states, &list.filter.state) && rq_limit(rq, rp, &list.limit) &&
        rq_cursor_i64(rq, rp, "jobs", &has, &list.filter.before_id))
        put_page(rq, rp, &list);
}

static void put_retries(struct json_writer *w, const struct db_rows *rows)
{
    char id[ID_SIZE];

    json_name(w, "retries");
    json_begin_array(w);
    for (int i = 0; i < rows->count; i++) {
        id_format(ID_JOB, db_i64(rows, i, 0), id);
        json_text(w, id);
    }
    json_end_array(w);
}

static bool all_is_well(const struct job_row *job)
{
    return job->outcome && strcmp(job->outcome, "success") == 0;
}

void jobs_get(struct request *rq, struct reply *rp)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    AUTO(db_rows_done) struct db_rows retries = { 0 };
    AUTO(db_rows_done) struct db_rows troubles = { 0 };
    struct task_trouble trouble = { 0 };
    struct json_writer w = json_writer_on(reply_body(rp));
    struct job_row row = { 0 };
    struct err err = { 0 };
    int64_t id = 0;

    if (!rq_check_query(rq, rp, (const char *const[]){ NULL }) || !rq_path_id(rq, rp, "id", ID_JOB, &id))
        return;
    if (!job_store_get(db_of(rq), id, &rows, &row, &err) ||
        !job_store_retries(db_of(rq), id, MOST_RETRIES, &retries, &err) ||
        (!all_is_well(&row) && !task_store_trouble_job(db_of(rq), id, &troubles, &trouble, &err))) {
        reply_failure(rq, rp, &err);
        return;
    }
    json_begin_object(&w);
    job_json_members(&w, &row, app_of(rq));
    put_retries(&w, &retries);
    trouble_json(&w, &trouble);
    json_end_object(&w);
    reply_resource(rq, rp);
}
