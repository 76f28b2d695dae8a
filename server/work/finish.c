/* Step finish: once every shard has ended, says what became of the job; then, in a second turn, removes what
 * staging wrote. */
#include "server/base/buf.h"
#include "server/work/cleanup.h"
#include "server/work/step.h"
#include "sql/event_store.h"
#include "sql/job_store.h"
#include "sql/shard_store.h"

#include <stdio.h>
#include <string.h>

static const char *outcome_of(const struct job_row *job)
{
    if (job->total > 0 && job->succeeded == job->total)
        return "success";
    return job->succeeded > 0 ? "partial" : "failure";
}

/* Why not all went well, in words: the first shard's own error, else what the records say. */
static bool explain(struct db *db, const struct job_row *job, struct buf *json, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    char words[300];

    if (!shard_store_list(db, job->id, -1, 1000, &rows, err))
        return false;
    for (int i = 0; i < rows.count; i++) {
        struct shard_row shard;

        shard_row_read(&rows, i, &shard);
        if (shard.error) {
            buf_text(json, shard.error);
            return buf_check(json, "job error", err);
        }
    }
    snprintf(
        words, sizeof words,
        "of %lld records %lld failed and %lld have no result: GET /v1/jobs/{id}/records?state=%s says why for each",
        (long long)job->total, (long long)job->failed, (long long)job->missing, job->failed ? "failed" : "missing");
    error_words_to_json(job->succeeded ? "records_failed" : "all_records_failed", words, json);
    return buf_check(json, "job error", err);
}

static bool conclude(struct db *db, struct step *step, const struct job_row *job, struct err *err)
{
    AUTO(buf_done) struct buf json = { .max = 16384 };
    const char *outcome = outcome_of(job);
    const char *to = job->cancel_requested ? "cancelled" : job->succeeded > 0 ? "completed" : "failed";
    char detail[160], event[32];
    bool moved;

    if (strcmp(outcome, "success") != 0 && strcmp(to, "cancelled") != 0 && !explain(db, job, &json, err))
        return false;
    snprintf(event, sizeof event, "job.%s", to);
    snprintf(detail, sizeof detail, "{\"total\":%lld,\"succeeded\":%lld,\"failed\":%lld,\"missing\":%lld}",
             (long long)job->total, (long long)job->succeeded, (long long)job->failed, (long long)job->missing);
    if (!job_store_move(db, job->id, "{queued,planning,staging,running,ingesting,cancelling}", to, outcome,
                        json.len ? buf_cstr(&json) : NULL, &moved, err) ||
        !event_store_add(db, job->id, event, detail, err))
        return false;
    step->again_ms = 0;                                   /* the next turn cleans up */
    return task_store_remove(db, "cancel", job->id, err); /* one that was given up has nothing left to stop */
}

static bool finish_work(struct db *db, void *arg, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct step *step = arg;
    struct job_row job;
    char state[16];
    struct shards_left left;

    step->again_ms = -1;
    if (!task_store_fence(db, &step->task, err) || !job_store_lock(db, step->task.subject_id, state, err) ||
        !shard_store_left(db, step->task.subject_id, &left, err))
        return false;
    if (left.is_open) /* the last shard to end adds this task again */
        return task_store_done(db, &step->task, err);
    if (!job_store_get(db, step->task.subject_id, &rows, &job, err))
        return false;
    return conclude(db, step, &job, err);
}

bool step_finish(struct step *step, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct job_row job;

    if (!job_store_get(step->db, step->task.subject_id, &rows, &job, err))
        return false;
    if (!job_state_is_final(job.state))
        return db_transaction(step->db, finish_work, step, err);
    return cleanup_job(step, err) && step_end(step, err);
}
