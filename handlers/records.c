/* The videos of a job, and how far each one is. */
#include "handlers/app.h"
#include "handlers/common.h"
#include "handlers/routes.h"
#include "handlers/summary_json.h"
#include "handlers/video_json.h"
#include "server/base/id.h"
#include "sql/job_store.h"
#include "sql/record_store.h"

#include <string.h>

static void put_record(struct json_writer *w, const struct record_row *row)
{
    json_begin_object(w);
    json_put_id(w, "id", ID_RECORD, row->id);
    json_put_id(w, "job_id", ID_JOB, row->job_id);
    json_put_id(w, "shard_id", ID_SHARD, row->shard_id);
    video_json_brief(w, row->video_id, row->bucket, row->key_prefix, row->name);
    json_put_text(w, "source_id", row->source_id);
    json_put_text(w, "etag", row->etag);
    json_put_text(w, "state", row->state);
    json_put_id(w, "summary_id", ID_SUMMARY, strcmp(row->state, "pending") == 0 ? 0 : row->id);
    record_error_json(w, row->error_reason, row->has_error_code, row->error_code, row->error_message,
                      row->error_retryable);
    json_end_object(w);
}

static int64_t put_row(struct json_writer *w, const struct db_rows *rows, int row, void *arg)
{
    struct record_row record = { 0 };

    (void)arg;
    record_row_read(rows, row, &record);
    put_record(w, &record);
    return record.id;
}

void records_list(struct request *rq, struct reply *rp)
{
    static const char *const states[] = { "pending", "succeeded", "failed", "missing", NULL };
    AUTO(db_rows_done) struct db_rows job_rows = { 0 };
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    const char *state = NULL;
    struct job_row job = { 0 };
    struct err err = { 0 };
    int64_t after = 0;
    bool has = false;
    int limit = 0;
    int64_t id = 0;

    if (!rq_path_id(rq, rp, "id", ID_JOB, &id) ||
        !rq_check_query(rq, rp, (const char *const[]){ "state", "limit", "after", NULL }) ||
        !query_word(rq, rp, "state", states, &state) || !rq_limit(rq, rp, &limit) ||
        !rq_cursor_i64(rq, rp, "records", &has, &after))
        return;
    if (job_store_get(db_of(rq), id, &job_rows, &job, &err) &&
        record_store_list(db_of(rq), id, state, after, limit + 1, &rows, &err))
        reply_list(rq, rp, &rows, limit, "records", put_row, NULL);
    else
        reply_failure(rq, rp, &err);
}
