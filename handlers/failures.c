/* Why records of a job have no summary: grouped by cause, with the catalogue's words. */
#include "handlers/app.h"
#include "handlers/common.h"
#include "handlers/routes.h"
#include "handlers/summary_json.h"
#include "handlers/video_json.h"
#include "server/base/id.h"
#include "server/work/causes.h"
#include "sql/failure_store.h"
#include "sql/job_store.h"

#include <string.h>

enum { CATALOGUE_MAX = 64 * 1024 };

static void put_example(struct json_writer *w, const struct record_row *row)
{
    json_begin_object(w);
    json_put_id(w, "record_id", ID_RECORD, row->id);
    video_json_brief(w, row->video_id, row->bucket, row->key_prefix, row->name);
    json_put_text(w, "state", row->state);
    record_error_json(w, row->error_reason, row->has_error_code, row->error_code, row->error_message,
                      row->error_retryable);
    json_end_object(w);
}

/* The group that begins at this row; gives the row behind it. */
static int put_group(struct json_writer *w, const struct db_rows *rows, int first)
{
    struct failure_row row, next;
    const struct cause *cause;
    int i = first;

    failure_row_read(rows, first, &row);
    cause = cause_find(row.code);
    json_begin_object(w);
    json_put_text(w, "cause", row.code);
    json_put_i64(w, "count", row.count);
    json_put_i64(w, "missing", row.missing);
    json_put_text(w, "explanation", cause ? cause->rule : NULL);
    json_put_text(w, "remedy", cause ? cause->remedy : NULL);
    json_put_text(w, "retry_helps", cause_retry_word(cause ? cause->retry : CAUSE_RETRY_YES));
    json_name(w, "examples");
    json_begin_array(w);
    for (next = row; i < rows->count && strcmp(next.code, row.code) == 0; i++) {
        put_example(w, &next.record);
        if (i + 1 < rows->count)
            failure_row_read(rows, i + 1, &next);
    }
    json_end_array(w);
    json_end_object(w);
    return i;
}

static void put_groups(struct json_writer *w, const struct job_row *job, const struct db_rows *rows)
{
    int64_t total = 0, missing = 0, hopeless = 0;
    struct failure_row row;
    const struct cause *cause;

    json_begin_object(w);
    json_put_id(w, "job_id", ID_JOB, job->id);
    json_name(w, "data");
    json_begin_array(w);
    for (int i = 0; i < rows->count;) {
        failure_row_read(rows, i, &row);
        cause = cause_find(row.code);
        total += row.count;
        missing += row.missing;
        hopeless += cause && cause->retry == CAUSE_RETRY_NO ? row.count : 0;
        i = put_group(w, rows, i);
    }
    json_end_array(w);
    json_put_i64(w, "total", total);
    json_put_i64(w, "failed", total - missing);
    json_put_i64(w, "missing", missing);
    json_put_i64(w, "hopeless", hopeless);
    json_end_object(w);
}

void failures_list(struct request *rq, struct reply *rp)
{
    AUTO(db_rows_done) struct db_rows job_rows = { 0 };
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    AUTO(buf_done) struct buf catalogue = { .max = CATALOGUE_MAX };
    struct json_writer w = json_writer_on(reply_body(rp));
    struct job_row job = { 0 };
    struct err err = { 0 };
    int64_t id = 0;

    if (!rq_path_id(rq, rp, "id", ID_JOB, &id) || !rq_check_query(rq, rp, (const char *const[]){ NULL }))
        return;
    if (!causes_for_sql(&catalogue)) {
        (void)err_memory(&err, HERE);
        reply_failure(rq, rp, &err);
        return;
    }
    if (!job_store_get(db_of(rq), id, &job_rows, &job, &err) ||
        !failure_store_groups(db_of(rq), id, buf_cstr(&catalogue), &rows, &err)) {
        reply_failure(rq, rp, &err);
        return;
    }
    put_groups(&w, &job, &rows);
    reply_resource(rq, rp);
}
