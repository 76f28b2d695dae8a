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
static int64_t put_row(struct json_writer *w, const struct db_rows *rows, int row, void *queue)
{
    struct shard_row shard = { 0 };
    struct slot_wait wait;

    shard_row_read(rows, row, &shard);
    wait = wait_of(queue, shard.id);
    shard_json(w, &shard, &wait);
    return shard.ordinal;
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
        reply_list(rq, rp, &rows, limit, "shards", put_row, &queue);
    else
        reply_failure(rq, rp, &err);
}
