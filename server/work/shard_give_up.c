/* A shard that cannot be staged or submitted: its failure is written where users see it, and its job can finish. */
#include "server/base/buf.h"
#include "server/work/slots.h"
#include "server/work/step.h"
#include "sql/event_store.h"
#include "sql/job_store.h"
#include "sql/shard_store.h"

#include <string.h>

struct shard_failure {
    struct step *step;
    struct shard_row shard;
    const struct err *cause;
    const char *words;
    const char *error_json;
};

static bool store_failure(struct db *db, void *arg, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct shard_failure *failure = arg;
    struct shard_row now;
    char state[16];

    if (!task_store_fence(db, &failure->step->task, err) || !job_store_lock(db, failure->shard.job_id, state, err) ||
        !shard_store_get(db, failure->shard.id, &rows, &now, err))
        return false;
    if (strcmp(now.state, failure->shard.state) != 0) /* a cancel came first: the job's finish tidies up */
        return task_store_add(db, "finish", failure->shard.job_id, 0, err) &&
               task_store_done(db, &failure->step->task, err);
    return shard_end(failure->step, failure->shard.id, failure->shard.job_id, 0, "failed", "not_submitted",
                     failure->words, failure->error_json, err) &&
           event_store_add(db, failure->shard.job_id, "shard.failed", failure->error_json, err) &&
           slots_wake(failure->step, failure->shard.model_key, err) && /* the slot it may have had is free */
           task_store_dead(db, &failure->step->task, failure->shard.job_id, failure->cause->what, err);
}

bool step_shard_give_up(struct step *step, const struct err *cause, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    AUTO(buf_done) struct buf json = { .max = 8192 };
    AUTO(buf_done) struct buf words = { .max = 8192 };
    struct shard_failure failure = { .step = step, .cause = cause };

    if (!shard_store_get(step->db, step->task.subject_id, &rows, &failure.shard, err))
        return false;
    error_to_json(cause, &json);
    buf_fmt(&words, "the shard was not submitted: %s", cause->what);
    if (!buf_check(&json, "shard error", err) || !buf_check(&words, "shard error", err))
        return false;
    failure.words = buf_cstr(&words);
    failure.error_json = buf_cstr(&json);
    return db_transaction(step->db, store_failure, &failure, err);
}
