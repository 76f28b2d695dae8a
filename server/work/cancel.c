/* Step cancel: parts that Bedrock has not heard of end here; those at Bedrock are stopped, and what they did until then
 * is ingested as usual. */
#include "aws/bedrock.h"
#include "server/base/buf.h"
#include "server/base/log.h"
#include "server/work/step.h"
#include "sql/event_store.h"
#include "sql/import_store.h"
#include "sql/job_store.h"
#include "sql/shard_store.h"

#include <string.h>

enum { SHARD_PAGE = 1000, LOOKS = 3 };

static bool is_unsubmitted(const struct shard_row *shard)
{
    return strcmp(shard->state, "planned") == 0 || strcmp(shard->state, "staging") == 0;
}

/* The step that knows what the other side has heard of the shard, and so how it ends; NULL: the watch will see. */
static const char *step_that_ends(const struct shard_row *shard)
{
    const bool is_submitting = strcmp(shard->state, "submitting") == 0;
    const bool is_running = strcmp(shard->state, "running") == 0;

    if (strcmp(shard->route, "on_demand") == 0)
        return is_submitting || is_running ? "invoke" : NULL;
    return is_submitting ? "submit" : NULL;
}

struct cancel {
    struct step *step;
    bool again;        /* a Stop was refused although the job goes on */
    int64_t oldest_ms; /* when the first part came to be that is not known to be asked for; 0: there is none */
};

static bool cancel_work(struct db *db, void *arg, struct err *err)
{
    struct cancel *cancel = arg;
    struct step *step = cancel->step;
    char state[16];
    int ordinal = -1;

    if (!task_store_fence(db, &step->task, err) || !job_store_lock(db, step->task.subject_id, state, err))
        return false;
    if (strcmp(state, "cancelling") != 0) {
        cancel->again = false;
        return task_store_done(db, &step->task, err);
    }
    for (;;) {
        AUTO(db_rows_done) struct db_rows rows = { 0 };

        if (!shard_store_list(db, step->task.subject_id, ordinal, SHARD_PAGE, &rows, err))
            return false;
        if (rows.count == 0)
            break;
        for (int i = 0; i < rows.count; i++) {
            struct shard_row shard;

            shard_row_read(&rows, i, &shard);
            ordinal = shard.ordinal;
            if (is_unsubmitted(&shard) &&
                (!task_store_remove(db, "stage", shard.id, err) ||
                 !shard_end(step, shard.id, shard.job_id, 0, "cancelled", "cancelled",
                            "the job was cancelled before this part was submitted", NULL, err)))
                return false;
            if (step_that_ends(&shard) && !task_store_add(db, step_that_ends(&shard), shard.id, 0, err))
                return false;
        }
    }
    /* what waits to be planned, or to be read, will not be */
    if (!task_store_remove(db, "plan", step->task.subject_id, err) ||
        !task_store_remove(db, "import", step->task.subject_id, err) ||
        !import_store_forget(db, step->task.subject_id, err))
        return false;
    return task_store_add(db, "finish", step->task.subject_id, 0, err) && task_store_add(db, "watch", 0, 0, err) &&
           (cancel->again || task_store_done(db, &step->task, err));
}

/* Stops one job at Bedrock. A refusal says that it has ended, or that it cannot be stopped now: which, the job itself
 * tells. */
static bool stop_one(struct cancel *cancel, const char *arn, struct err *err)
{
    struct err refusal = { 0 }, unread = { 0 };
    struct bedrock_job job;

    if (bedrock_stop_job(cancel->step->client, arn, &refusal))
        return true;
    if (refusal.kind == ERR_NOT_FOUND)
        return true;
    if (refusal.kind != ERR_CONFLICT && refusal.kind != ERR_INPUT)
        return err_pass(err, &refusal);
    if (!bedrock_get_job(cancel->step->client, arn, &job, &unread))
        return err_pass(err, &unread);
    if (!bedrock_status_is_terminal(job.status) && strcmp(job.status, "Stopping") != 0)
        cancel->again = true;
    log_info("cancel.refused", "arn=%s status=%s answer=%s", arn, job.status, LOGQ(refusal.what));
    return true;
}

/* May Bedrock know it although nothing is written down of that? */
static void note_unasked(struct cancel *cancel, const struct shard_row *shard)
{
    const bool is_submitting = strcmp(shard->state, "submitting") == 0 && shard->submit_started_ms == 0;

    if ((is_unsubmitted(shard) || is_submitting) && strcmp(shard->route, "batch") == 0 &&
        (cancel->oldest_ms == 0 || shard->created_ms < cancel->oldest_ms))
        cancel->oldest_ms = shard->created_ms;
}

/* Before the transaction: a Stop that is sent twice does no harm, one that is lost does. */
static bool stop_running(struct cancel *cancel, struct err *err)
{
    int ordinal = -1;

    for (;;) {
        AUTO(db_rows_done) struct db_rows rows = { 0 };

        if (!shard_store_list(cancel->step->db, cancel->step->task.subject_id, ordinal, SHARD_PAGE, &rows, err))
            return false;
        if (rows.count == 0)
            return true;
        for (int i = 0; i < rows.count; i++) {
            struct shard_row shard;

            shard_row_read(&rows, i, &shard);
            ordinal = shard.ordinal;
            note_unasked(cancel, &shard);
            if (strcmp(shard.state, "running") == 0 && shard.bedrock_arn &&
                (!step_alive(cancel->step, err) || !stop_one(cancel, shard.bedrock_arn, err)))
                return false;
        }
    }
}

struct look {
    struct cancel *cancel;
    bool ok;
    struct err *err;
};

static bool adopt(void *arg, const struct bedrock_job *job)
{
    struct look *look = arg;
    struct step *step = look->cancel->step;
    bool moved = false;

    look->ok = step_alive(step, look->err) &&
               shard_store_adopt(step->db, step->task.subject_id, job->name, job->client_token, &moved, look->err);
    if (moved)
        log_info("cancel.adopted", "name=%s arn=%s", job->name, job->arn);
    return look->ok;
}

/* Parts that have been there for a while may come from a backup, and have been submitted since. Those that Bedrock has
 * become parts whose answer is missing, and step submit takes them over, to be stopped as the others are. A Bedrock
 * that does not list its jobs holds up no cancel for good: as good as always it has none of these parts. */
static bool look_for_unasked(struct cancel *cancel, struct err *err)
{
    struct look look = { cancel, true, err };
    const struct bedrock_list rq = { .name_contains = "vidbatch-",
                                     .submitted_after_ms = cancel->oldest_ms - CLOCKS_DIFFER_MS };
    struct err failed = { 0 };
    int64_t now_ms = 0;

    if (cancel->oldest_ms == 0)
        return true;
    if (!db_now_ms(cancel->step->db, &now_ms, err))
        return false;
    if (now_ms - cancel->oldest_ms < cancel->step->settings->lookup_grace_ms ||
        bedrock_list_jobs(cancel->step->client, &rq, adopt, &look, &failed))
        return look.ok;
    if (failed.retryable && cancel->step->task.attempt < LOOKS)
        return err_pass(err, &failed);
    log_warn("cancel.not_looked", "cause=%s", LOGQ(failed.what));
    return true;
}

bool step_cancel(struct step *step, struct err *err)
{
    struct cancel cancel = { .step = step };

    if (!stop_running(&cancel, err) || !look_for_unasked(&cancel, err) ||
        !db_transaction(step->db, cancel_work, &cancel, err))
        return false;
    if (cancel.again)
        step->again_ms = step->settings->watch_min_ms;
    return true;
}

struct failure {
    struct step *step;
    const char *error_json, *words;
};

static bool store_failure(struct db *db, void *arg, struct err *err)
{
    struct failure *failure = arg;
    struct step *step = failure->step;
    bool moved;

    if (!task_store_fence(db, &step->task, err) ||
        !job_store_move(db, step->task.subject_id, "{queued,planning}", "failed", "failure", failure->error_json,
                        &moved, err))
        return false;
    if (moved && !event_store_add(db, step->task.subject_id, "job.failed", failure->error_json, err))
        return false;
    /* a cancel that cannot reach AWS is tried again when it is asked for again */
    return moved || strcmp(step->task.kind, "cancel") == 0
               ? task_store_dead(db, &step->task, step->task.subject_id, failure->words, err)
               : task_store_done(db, &step->task, err);
}

bool step_job_give_up(struct step *step, const struct err *cause, struct err *err)
{
    AUTO(buf_done) struct buf json = { .max = 8192 };
    struct failure failure = { step, NULL, cause->what };

    error_to_json(cause, &json);
    if (!buf_check(&json, "job error", err))
        return false;
    failure.error_json = buf_cstr(&json);
    return db_transaction(step->db, store_failure, &failure, err);
}
