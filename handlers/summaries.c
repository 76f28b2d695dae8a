/* What became of each video: a job's summaries in three forms, and a single one with its provenance. */
#include "handlers/app.h"
#include "handlers/common.h"
#include "handlers/routes.h"
#include "handlers/summary_json.h"
#include "handlers/summary_page.h"
#include "handlers/summary_stream.h"
#include "server/base/id.h"
#include "sql/job_store.h"
#include "sql/summary_store.h"

#include <stdio.h>

enum form { FORM_JSON, FORM_NDJSON, FORM_CSV };

/* ---- of a job ---- */

struct of_job {
    int64_t job_id;
    const char *state; /* NULL: any */
};

static bool fetch_of_job(struct db *db, void *arg, int64_t after, int limit, struct db_rows *rows, struct err *err)
{
    const struct of_job *of = arg;

    return summary_store_list_job(db, of->job_id, of->state, after, limit, rows, err);
}

/* A page with rows needs no look at the job: they say that it is there. */
static bool has_job(struct db *db, void *arg, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    const struct of_job *of = arg;
    struct job_row job = { 0 };

    return job_store_get(db, of->job_id, &rows, &job, err);
}

static void write_ndjson(struct summary_stream *stream, struct buf *out, const struct summary_row *row)
{
    (void)stream;
    summary_ndjson(out, row);
}

static void write_csv(struct summary_stream *stream, struct buf *out, const struct summary_row *row)
{
    (void)stream;
    summary_csv(out, row);
}

static void reply_export(struct request *rq, struct reply *rp, const struct of_job *of, enum form form)
{
    struct summary_stream *stream = summary_stream_new(of->job_id);
    char disposition[80];
    char id[ID_SIZE];
    struct err err = { 0 };

    if (!stream) {
        err_memory(&err, HERE);
        reply_error(rq, rp, &err);
        return;
    }
    stream->states[0] = of->state ? of->state : "";
    stream->row = form == FORM_CSV ? write_csv : write_ndjson;
    if (form == FORM_CSV)
        summary_csv_header(&stream->head);
    id_format(ID_JOB, of->job_id, id);
    snprintf(disposition, sizeof disposition, "inline; filename=\"%s.%s\"", id, form == FORM_CSV ? "csv" : "ndjson");
    reply_header(rp, "Content-Disposition", disposition);
    summary_stream_reply(rp, form == FORM_CSV ? "text/csv; charset=utf-8; header=present" : "application/x-ndjson",
                         stream);
}

void summaries_of_job(struct request *rq, struct reply *rp)
{
    static const char *const types[] = { "application/json", "application/x-ndjson", "text/csv", NULL };
    static const char *const formats[] = { "json", "ndjson", "csv", NULL };
    static const char *const states[] = { "succeeded", "failed", "missing", NULL };
    static const char *const of_page[] = { "format", "state", "limit", "after", NULL };
    static const char *const of_export[] = { "format", "state", NULL };
    struct of_job of = { 0 };
    struct summary_page page = { .fetch = fetch_of_job, .when_empty = has_job, .arg = &of, .cursor = "job_summaries" };
    struct err err = { 0 };
    bool has = false;
    int form = 0;

    if (!rq_path_id(rq, rp, "id", ID_JOB, &of.job_id) || (form = rq_accept(rq, rp, types, formats)) < 0 ||
        !rq_check_query(rq, rp, form == FORM_JSON ? of_page : of_export) ||
        !query_word(rq, rp, "state", states, &of.state) || !rq_limit(rq, rp, &page.limit) ||
        !rq_cursor_i64(rq, rp, page.cursor, &has, &page.after))
        return;
    if (form == FORM_JSON)
        summary_page_reply(rq, rp, &page);
    else if (has_job(db_of(rq), &of, &err))
        reply_export(rq, rp, &of, (enum form)form);
    else
        reply_failure(rq, rp, &err);
}

/* ---- one ---- */

void summaries_get(struct request *rq, struct reply *rp)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct json_writer w = json_writer_on(reply_body(rp));
    struct summary_row row = { 0 };
    struct err err = { 0 };
    int64_t id = 0;

    if (!rq_check_query(rq, rp, (const char *const[]){ NULL }) || !rq_path_id(rq, rp, "id", ID_SUMMARY, &id))
        return;
    if (!summary_store_get(db_of(rq), id, &rows, &row, &err)) {
        reply_failure(rq, rp, &err);
        return;
    }
    json_begin_object(&w);
    summary_json_members(&w, &row);
    summary_json_provenance(&w, &row);
    json_end_object(&w);
    reply_resource(rq, rp);
}
