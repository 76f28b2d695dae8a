/* Step submit: one CreateModelInvocationJob a shard, exactly once. That we are about to ask is committed before AWS is
 * asked; from then on, whatever happened to the answer, the job is looked up by its token before it is asked for again,
 * and the token makes AWS ignore a repeat. */
#include "aws/bedrock.h"
#include "server/base/buf.h"
#include "server/base/log.h"
#include "server/base/text.h"
#include "server/work/causes.h"
#include "server/work/folder_look.h"
#include "server/work/slots.h"
#include "server/work/stage_place.h"
#include "server/work/step.h"
#include "sql/event_store.h"
#include "sql/job_store.h"
#include "sql/prefix_store.h"
#include "sql/shard_store.h"

#include <stdio.h>
#include <string.h>

enum { SLOT_POLL_MS = 2000, SLEEP_WATCHES = 60, LONGEST_SLEEP_MS = 24 * 3600 * 1000 };

struct submit {
    struct step *step;
    struct shard_row shard;
    struct job_row job;
    struct prefix_row prefix;
    struct stage_place place;
    struct db_rows shard_rows, job_rows, prefix_rows; /* what the three borrow from */
    bool has_slot;                                    /* of the quota: an earlier attempt took it */
    bool is_first;                                    /* for certain AWS has no job of it from an earlier attempt */
    bool is_throttled;                                /* AWS's refusal was for the rate, not for the quota */
    struct slot_verdict slot;
    char arn[BEDROCK_ARN_SIZE];
    char status[32];
};

static void submit_done(struct submit *submit)
{
    db_rows_done(&submit->shard_rows);
    db_rows_done(&submit->job_rows);
    db_rows_done(&submit->prefix_rows);
}

/* Commits that AWS is about to be asked, having taken a slot of the quota of concurrent jobs where the shard has none
 * yet. */
static bool begin(struct db *db, void *arg, struct err *err)
{
    struct submit *submit = arg;

    submit->slot.is_given = submit->has_slot;
    if (!task_store_fence(db, &submit->step->task, err))
        return false;
    if (!submit->has_slot && !slots_take(submit->step, submit->shard.id, submit->shard.model_key, &submit->slot, err))
        return false;
    return !submit->slot.is_given || shard_store_submit_started(db, submit->shard.id, err);
}

/* From the shard's first moment: a database that was restored knows nothing of when it was submitted. */
static bool find(struct submit *submit, bool *found, struct err *err)
{
    struct bedrock_job job;

    if (!bedrock_find_job(submit->step->client, submit->shard.bedrock_name, submit->shard.client_token,
                          submit->shard.created_ms - CLOCKS_DIFFER_MS, &job, found, err))
        return false;
    if (*found) {
        memcpy(submit->arn, job.arn, sizeof submit->arn);
        memcpy(submit->status, job.status, sizeof submit->status);
        log_info("submit.adopted", "name=%s arn=%s", submit->shard.bedrock_name, submit->arn);
    }
    return true;
}

/* A shard that has been there for so long may come from a backup, and have been submitted since: how long AWS knows its
 * token, and whether a job that has ended frees its name, nobody says. */
static bool find_of_old(struct submit *submit, bool *found, struct err *err)
{
    int64_t now_ms = 0;

    *found = false;
    return db_now_ms(submit->step->db, &now_ms, err) &&
           (now_ms - submit->shard.created_ms < submit->step->settings->lookup_grace_ms || find(submit, found, err));
}

static bool create(struct submit *submit, struct err *err)
{
    const struct work_settings *settings = submit->step->settings;
    const struct bedrock_tag tags[] = { { "app", "vidbatch" } };
    char owner[16], output_owner[16];
    const struct bedrock_create rq = { .job_name = submit->shard.bedrock_name,
                                       .client_token = submit->shard.client_token,
                                       .role_arn = settings->role_arn,
                                       .model_id = submit->job.model_id,
                                       .input_uri = submit->shard.folder_uri,
                                       .input_owner = owner,
                                       .output_uri = submit->shard.output_uri,
                                       .output_owner = output_owner,
                                       .output_kms_key = settings->output_kms_key,
                                       .timeout_hours = settings->job_timeout_hours,
                                       .tags = tags,
                                       .tag_count = 1 };

    snprintf(owner, sizeof owner, "%.*s", SPAN_ARG(submit->place.owner));
    snprintf(output_owner, sizeof output_owner, "%.*s", SPAN_ARG(submit->place.output_owner));
    snprintf(submit->status, sizeof submit->status, "Submitted");
    return bedrock_create_job(submit->step->client, &rq, submit->arn, err) || cause_explain(err);
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
        !slots_granted(submit->step, submit->shard.model_key, err) ||
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

/* AWS's refusals that mean "later": they put the shard back, they do not fail it. */
static bool is_later(const struct err *err)
{
    return strcmp(err->code, "bedrock_quota") == 0 || strcmp(err->code, "bedrock_throttled") == 0;
}

/* AWS said no, or was not asked, so this attempt made nothing: an answer that could not be taken or understood may have
 * been a yes. */
static bool is_certain(const struct err *refusal)
{
    const bool is_answered = refusal->kind != ERR_UPSTREAM || refusal->upstream_status >= 400;

    return is_later(refusal) || (!step_may_pass(refusal) && is_answered);
}

static bool forget(struct db *db, void *arg, struct err *err)
{
    struct submit *submit = arg;

    return task_store_fence(db, &submit->step->task, err) && shard_store_submit_forgotten(db, submit->shard.id, err);
}

/* The same where AWS refused for its quota or the rate: the other shards of the model learn of it. */
static bool put_back(struct db *db, void *arg, struct err *err)
{
    struct submit *submit = arg;

    return task_store_fence(db, &submit->step->task, err) &&
           slots_refused(submit->step, submit->shard.id, submit->shard.model_key, submit->is_throttled, err) &&
           (!submit->is_first || shard_store_submit_forgotten(db, submit->shard.id, err));
}

/* In place others write into the folder too: a last look, after which AWS is asked at once. */
static bool look_again(struct submit *submit, struct err *err)
{
    struct staging_folder found = { 0 };
    const struct folder_look look = { .client = submit->step->client,
                                      .folder = { submit->place.bucket, submit->place.folder, submit->place.owner },
                                      .own_key = span_of(submit->place.input_key),
                                      .alive = step_is_alive,
                                      .alive_arg = submit->step };

    return !submit->place.in_place || (folder_look(&look, &found, err) && folder_is_ours(&found, err));
}

static int64_t at_random(int64_t most_ms)
{
    uint16_t dice;

    text_random(&dice, sizeof dice);
    return most_ms / 2 + most_ms * dice / 65536 / 2;
}

/* Whoever sees a slot become free wakes the first in the queue, and the watch makes up for a wake that was missed: the
 * thousands behind them sleep. */
static int64_t sleep_ms(const struct submit *submit)
{
    const int64_t most = submit->step->settings->watch_max_ms;

    return at_random(most < LONGEST_SLEEP_MS / SLEEP_WATCHES ? most * SLEEP_WATCHES : LONGEST_SLEEP_MS);
}

/* AWS found it too early: longer after each time, and never all at once. */
static void wait_longer(struct submit *submit)
{
    const int64_t most = submit->step->settings->watch_max_ms;
    int64_t pause = (int64_t)SLOT_POLL_MS << (submit->step->task.attempt < 8 ? submit->step->task.attempt : 8);

    pause = pause < most ? pause : most;
    submit->step->again_ms = at_random(pause);
}

/* AWS refused for the moment: the shard goes back into the queue. */
static bool later(struct submit *submit, const struct err *refusal, struct err *err)
{
    log_info("submit.later", "name=%s cause=%s", submit->shard.bedrock_name, LOGQ(refusal->what));
    submit->is_throttled = strcmp(refusal->code, "bedrock_throttled") == 0;
    wait_longer(submit);
    return db_transaction(submit->step->db, put_back, submit, err);
}

static bool unsend(struct db *db, void *arg, struct err *err)
{
    struct submit *submit = arg;

    return task_store_fence(db, &submit->step->task, err) &&
           shard_store_submit_unsent(db, submit->shard.id, submit->shard.create_sent_ms, err);
}

/* The name may be that of our own job, which the list does not show yet; made by this attempt it is not. Where it would
 * have shown up by now, it is another's, and the shard can't be submitted under it. */
static bool name_in_use(struct submit *submit, const struct err *refusal, struct err *err)
{
    const bool is_final = submit->is_first && submit->has_slot; /* the list was given the time it may need */
    struct err told = *refusal;

    if (submit->has_slot && !db_transaction(submit->step->db, is_final ? forget : unsend, submit, err))
        return false;
    told.retryable = !is_final;
    snprintf(told.what, sizeof told.what, "Bedrock says that the name %s is in use%s", submit->shard.bedrock_name,
             is_final ? ", but shows no job with this part's token: it is another's. Look at that job in Bedrock; what "
                        "it left can be taken over with POST /v1/imports, and POST /v1/jobs/{id}/retry asks for this "
                        "part anew, under another name"
                      : ", perhaps by this part's own job, which it does not show yet: that is looked for");
    return err_pass(err, &told);
}

static bool ask(struct submit *submit, bool is_first, struct err *err)
{
    struct step *step = submit->step;
    struct err refusal = { 0 };
    bool found = false;

    submit->is_first = is_first;
    submit->has_slot = submit->shard.submit_started_ms != 0;
    if (!db_transaction(step->db, begin, submit, err))
        return false;
    if (!submit->slot.is_given) {
        step->again_ms = sleep_ms(submit);
        return true;
    }
    if (is_first && !submit->has_slot && !find_of_old(submit, &found, err))
        return false;
    if (found)
        return db_transaction(step->db, store, submit, err);
    if (is_first && !look_again(submit, &refusal))
        return db_transaction(step->db, forget, submit, err) && err_pass(err, &refusal);
    if (!step_alive(step, err)) /* a lease that is ours now outlives the call's timeout */
        return false;
    if (create(submit, &refusal))
        return db_transaction(step->db, store, submit, err);
    if (is_later(&refusal))
        return later(submit, &refusal, err);
    if (strcmp(refusal.code, "bedrock_name_in_use") == 0)
        return name_in_use(submit, &refusal, err);
    if (is_first && is_certain(&refusal) && !db_transaction(step->db, forget, submit, err))
        return false;
    return err_pass(err, &refusal);
}

/* An earlier attempt whose answer is missing: the job is looked for. One that was asked for a moment ago may exist
 * although the list does not show it yet; to give it up now could leave it running, and billed, with nobody to stop it.
 */
static bool resolve(struct submit *submit, struct err *err)
{
    struct step *step = submit->step;
    struct err refusal = { 0 };
    int64_t now_ms = 0, age_ms = 0;
    bool found, is_cancelling;

    if (!db_now_ms(step->db, &now_ms, err) || !find(submit, &found, err))
        return false;
    age_ms = now_ms - submit->shard.create_sent_ms;
    is_cancelling = strcmp(submit->job.state, "cancelling") == 0;
    if (found)
        return db_transaction(step->db, store, submit, err);
    if (age_ms >= step->settings->lookup_grace_ms && is_cancelling) {
        step->again_ms = 0; /* from the start */
        return db_transaction(step->db, forget, submit, err);
    }
    if (age_ms >= step->settings->lookup_grace_ms)
        return ask(submit, true, err);
    if (!is_cancelling) {
        if (look_again(submit, &refusal))
            return ask(submit, false, err); /* same name, same token: AWS ignores what it already has */
        if (refusal.retryable)
            return err_pass(err, &refusal);
        /* It may not be asked for any more, but may have been: after that time it is certain, and the refusal counts.
         */
        log_info("submit.waits", "name=%s cause=%s", submit->shard.bedrock_name, LOGQ(refusal.what));
    }
    step->again_ms = SLOT_POLL_MS;
    return true;
}

static bool load(struct submit *submit, struct err *err)
{
    struct db *db = submit->step->db;
    struct stage_place_ask ask = { 0 };

    if (!shard_store_get(db, submit->step->task.subject_id, &submit->shard_rows, &submit->shard, err) ||
        !job_store_get(db, submit->shard.job_id, &submit->job_rows, &submit->job, err) ||
        !prefix_store_get_any(db, submit->job.prefix_id, &submit->prefix_rows, &submit->prefix, err))
        return false;
    ask = (struct stage_place_ask){ submit->shard.id, submit->shard.staging, submit->shard.folder_uri,
                                    span_of(submit->prefix.bucket), span_of(submit->prefix.bucket_owner) };
    return stage_place(submit->step->settings, &ask, &submit->place, err);
}

bool step_submit(struct step *step, struct err *err)
{
    AUTO(submit_done) struct submit submit = { .step = step };

    if (!load(&submit, err))
        return false;
    step_about_job(step, submit.shard.job_id);
    if (strcmp(submit.shard.state, "submitting") != 0)
        return step_end(step, err);
    if (submit.shard.submit_started_ms)
        return resolve(&submit, err);
    if (strcmp(submit.job.state, "cancelling") == 0)
        return db_transaction(step->db, store_cancelled, &submit, err);
    return ask(&submit, true, err);
}

/* A shard that AWS may know is never given up: its job would run, and be billed, with nobody to take its answers. What
 * is wrong is shown, and it is tried again for as long as it takes, or until the job is cancelled. */
bool step_submit_give_up(struct step *step, const struct err *cause, struct err *err)
{
    AUTO(buf_done) struct buf json = { .max = 8192 };
    AUTO(submit_done) struct submit submit = { .step = step };
    bool moved;

    if (!load(&submit, err))
        return false;
    if (!submit.shard.submit_started_ms)
        return step_shard_give_up(step, cause, err);
    error_to_json(cause, &json);
    if (!buf_check(&json, "shard error", err) ||
        !shard_store_move(step->db, submit.shard.id, "{submitting}", "submitting", buf_cstr(&json), &moved, err))
        return false;
    if (strcmp(cause->code, "worker_lost") == 0) /* somebody must look: asked for again, it goes on */
        return task_store_dead(step->db, &step->task, submit.shard.job_id, cause->what, err);
    /* Asked again sooner, it would never be certain that AWS does not have it. */
    step->again_ms = step->settings->retry_cap_ms;
    if (step->again_ms < step->settings->lookup_grace_ms)
        step->again_ms = step->settings->lookup_grace_ms;
    return true;
}
