/* The Bedrock side of a job. */
#include "handlers/app.h"
#include "handlers/common.h"
#include "handlers/job_json.h"
#include "handlers/routes.h"
#include "server/base/id.h"
#include "sql/job_store.h"
#include "sql/shard_store.h"
#include "sql/slot_store.h"

#include <limits.h>

static struct slot_wait wait_of(const struct db_rows *queue, int64_t shard_id)
{
    for (int i = 0; i < queue->count; i++)
        if (db_i64(queue, i, 0) == shard_id)
            return (struct slot_wait){ db_i64(queue, i, 1), db_text(queue, i, 2), db_i64(queue, i, 3) };
    return (struct slot_wait){ 0 };
}

/* queue: those shards of the job that wait for a slot. */
static void put_page(struct request *rq, struct reply *rp, const struct db_rows *rows, const struct db_rows *queue,
                     int limit)
{
    struct json_writer w = json_writer_on(reply_body(rp));
    struct shard_row row = { 0 };

    json_begin_object(&w);
    json_name(&w, "data");
    json_begin_array(&w);
    for (int i = 0; i < rows->count && i < limit; i++) {
        struct slot_wait wait;

        shard_row_read(rows, i, &row);
        wait = wait_of(queue, row.id);
        shard_json(&w, &row, &wait);
    }
    json_end_array(&w);
    reply_next_i64(rq, rp, &w, rows->count > limit, "shards", row.ordinal);
    json_end_object(&w);
    reply_page(rq, rp);
}

void shards_list(struct request *rq, struct reply *rp)
{
    AUTO(db_rows_done) struct db_rows job_rows = { 0 };
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    AUTO(db_rows_done) struct db_rows queue = { 0 };
    struct job_row job = { 0 };
    struct err err = { 0 };
    int64_t after = -1;
    bool has = false;
    int limit = 0;
    int64_t id = 0;

    if (!rq_path_id(rq, rp, "id", ID_JOB, &id) ||
        !rq_check_query(rq, rp, (const char *const[]){ "limit", "after", NULL }) || !rq_limit(rq, rp, &limit) ||
        !rq_cursor_i64(rq, rp, "shards", &has, &after))
        return;
    if (after > INT_MAX)
        after = INT_MAX;
    if (job_store_get(db_of(rq), id, &job_rows, &job, &err) && slot_store_positions(db_of(rq), id, &queue, &err) &&
        shard_store_list(db_of(rq), id, (int)after, limit + 1, &rows, &err))
        put_page(rq, rp, &rows, &queue, limit);
    else
        reply_failure(rq, rp, &err);
}
