/* Step submit: one CreateModelInvocationJob a shard, exactly once. That we are about to ask is committed before AWS is
 * asked; from then on, whatever happened to the answer, the job is looked up by its token before it is asked for again,
 * and the token makes AWS ignore a repeat. */
#include "aws/bedrock.h"
#include "server/base/buf.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/work/step.h"
#include "sql/event_store.h"
#include "sql/job_store.h"
#include "sql/shard_store.h"

#include <stdio.h>
#include <string.h>

enum { SLOT_POLL_MS = 2000, LOOK_BACK_MS = 3600 * 1000 };

struct submit {
    struct step *step;
    struct shard_row shard;
    struct job_row job;
    bool wait; /* no slot is free */
    char arn[BEDROCK_ARN_SIZE];
    char status[32];
};

static bool end_task(struct db *db, void *arg, struct err *err)
{
    return task_store_done(db, &((struct step *)arg)->task, err);
}

/* Takes a slot of the quota of concurrent jobs. A shard that has started holds one already. */
static bool take_slot(struct db *db, void *arg, struct err *err)
{
    struct submit *submit = arg;
    int64_t in_flight;

    submit->wait = false;
    if (!task_store_fence(db, &submit->step->task, err) || !shard_store_lock_submission(db, err) ||
        !shard_store_count_in_flight(db, &in_flight, err))
        return false;
    if (in_flight >= submit->step->settings->concurrent_jobs) {
        submit->wait = true;
        return true;
    }
    return shard_store_submit_started(db, submit->shard.id, err);
}

static bool find(struct submit *submit, bool *found, struct err *err)
{
    struct bedrock_job job;

    if (!bedrock_find_job(submit->step->client, submit->shard.bedrock_name, submit->shard.client_token,
                          submit->shard.submit_started_ms - LOOK_BACK_MS, &job, found, err))
        return false;
    if (*found) {
        memcpy(submit->arn, job.arn, sizeof submit->arn);
        memcpy(submit->status, job.status, sizeof submit->status);
        log_info("submit.adopted", "name=%s arn=%s", submit->shard.bedrock_name, submit->arn);
    }
    return true;
}

static bool create(struct submit *submit, struct err *err)
{
    const struct work_settings *settings = submit->step->settings;
    const struct bedrock_tag tags[] = { { "app", "vidbatch" } };
    const struct bedrock_create rq = { .job_name = submit->shard.bedrock_name,
                                       .client_token = submit->shard.client_token,
                                       .role_arn = settings->role_arn,
                                       .model_id = submit->job.model_id,
                                       .input_uri = submit->shard.folder_uri,
                                       .input_owner = settings->bucket_owner,
                                       .output_uri = submit->shard.output_uri,
                                       .output_owner = settings->bucket_owner,
                                       .output_kms_key = settings->output_kms_key,
                                       .timeout_hours = settings->job_timeout_hours,
                                       .tags = tags,
                                       .tag_count = 1 };

    snprintf(submit->status, sizeof submit->status, "Submitted");
    return bedrock_create_job(submit->step->client, &rq, submit->arn, err);
}

static bool store(struct db *db, void *arg, struct err *err)
{
    struct submit *submit = arg;
    char state[16], detail[BEDROCK_ARN_SIZE + 64];
    bool moved;

    if (!task_store_fence(db, &submit->step->task, err) || !job_store_lock(db, submit->job.id, state, err) ||
        !shard_store_submitted(db, submit->shard.id, submit->arn, submit->status, &moved, err))
        return false;
    snprintf(detail, sizeof detail, "{\"shard\":%d,\"arn\":\"%s\"}", submit->shard.ordinal, submit->arn);
    if (!job_store_move(db, submit->job.id, "{staging}", "running", NULL, NULL, &moved, err) ||
        !event_store_add(db, submit->job.id, "shard.submitted", detail, err) ||
        !task_store_add(db, "watch", 0, submit->step->settings->watch_min_ms, err))
        return false;
    if (strcmp(state, "cancelling") == 0 && !task_store_add(db, "cancel", submit->job.id, 0, err))
        return false;
    return task_store_done(db, &submit->step->task, err);
}

static bool store_cancelled(struct db *db, void *arg, struct err *err)
{
    struct submit *submit = arg;
    char state[16];

    return task_store_fence(db, &submit->step->task, err) && job_store_lock(db, submit->job.id, state, err) &&
           shard_end(submit->step, submit->shard.id, submit->job.id, 0, "cancelled", "cancelled",
                     "the job was cancelled before this part was submitted", NULL, err) &&
           task_store_done(db, &submit->step->task, err);
}

/* A job that was asked for a moment ago may exist although the list does not show it yet: to give it up now could leave
 * it running, and billed, with nobody to stop it. */
static bool may_still_appear(const struct submit *submit)
{
    return submit->shard.submit_started_ms &&
           clock_wall_ms() - submit->shard.submit_started_ms < submit->step->settings->lookup_grace_ms;
}

/* AWS's refusals that mean "later": they put the shard back, they do not fail it. */
static bool is_later(const struct err *err)
{
    return strcmp(err->code, "bedrock_quota") == 0 || strcmp(err->code, "bedrock_throttled") == 0 ||
           strcmp(err->code, "bedrock_name_in_use") == 0;
}

/* AWS said no before it made anything. */
static bool is_certain_refusal(const struct err *err)
{
    return strcmp(err->code, "bedrock_quota") == 0 || strcmp(err->code, "bedrock_throttled") == 0;
}

/* Nothing was asked for before this attempt, and this attempt was refused: the slot is free, there is nothing to look
 * up. */
static bool forget_start(struct db *db, void *arg, struct err *err)
{
    struct submit *submit = arg;

    return task_store_fence(db, &submit->step->task, err) && shard_store_submit_forgotten(db, submit->shard.id, err);
}

static bool ask(struct submit *submit, struct err *err)
{
    struct step *step = submit->step;
    struct err refusal = { 0 };

    if (!submit->shard.submit_started_ms) {
        if (!db_transaction(step->db, take_slot, submit, err))
            return false;
        if (submit->wait) {
            step->again_ms = SLOT_POLL_MS;
            return true;
        }
    }
    if (!step_alive(step, err)) /* a lease that is ours now outlives the call's timeout */
        return false;
    if (create(submit, &refusal))
        return db_transaction(step->db, store, submit, err);
    if (is_certain_refusal(&refusal) && !submit->shard.submit_started_ms &&
        !db_transaction(step->db, forget_start, submit, err))
        return false;
    if (is_later(&refusal)) {
        log_info("submit.later", "name=%s cause=%s", submit->shard.bedrock_name, LOGQ(refusal.what));
        step->again_ms = SLOT_POLL_MS;
        return true;
    }
    return err_pass(err, &refusal);
}

bool step_submit(struct step *step, struct err *err)
{
    AUTO(db_rows_done) struct db_rows shard_rows = { 0 };
    AUTO(db_rows_done) struct db_rows job_rows = { 0 };
    struct submit submit = { .step = step };
    bool found = false;

    if (!shard_store_get(step->db, step->task.subject_id, &shard_rows, &submit.shard, err))
        return false;
    if (strcmp(submit.shard.state, "submitting") != 0)
        return db_transaction(step->db, end_task, step, err);
    if (!job_store_get(step->db, submit.shard.job_id, &job_rows, &submit.job, err))
        return false;
    if (submit.shard.submit_started_ms && !find(&submit, &found, err))
        return false;
    if (found)
        return db_transaction(step->db, store, &submit, err);
    if (strcmp(submit.job.state, "cancelling") != 0)
        return ask(&submit, err);
    if (may_still_appear(&submit)) {
        step->again_ms = SLOT_POLL_MS;
        return true;
    }
    return db_transaction(step->db, store_cancelled, &submit, err);
}
