/* Step watch: one walk over ListModelInvocationJobs moves all running shards on, whichever job they belong to. One task
 * for the whole database. */
#include "aws/bedrock.h"
#include "server/base/buf.h"
#include "server/base/id.h"
#include "server/base/log.h"
#include "server/base/mem.h"
#include "server/base/text.h"
#include "server/work/slots.h"
#include "server/work/step.h"
#include "sql/event_store.h"
#include "sql/idempotency_store.h"
#include "sql/job_store.h"
#include "sql/plan_store.h"
#include "sql/shard_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FOLLOWED = 10000 };
static const int64_t look_back_ms = 24 * 3600 * 1000;
static const int64_t answers_kept_ms = 24 * 3600 * 1000;
static const int64_t dead_kept_ms = (int64_t)7 * 24 * 3600 * 1000;

struct followed {
    struct shard_row shard;
    bool seen;
};

struct watch {
    struct step *step;
    struct followed *items; /* in the order of their ARNs */
    int count;
    int unseen;
    int changed;
    int64_t wake_ms; /* until a refusal is over that shards wait for */
    bool failed;     /* inside the callback of the list: err says why */
    struct err err;
};

static int by_arn(const void *a, const void *b)
{
    return strcmp(((const struct followed *)a)->shard.bedrock_arn, ((const struct followed *)b)->shard.bedrock_arn);
}

struct turn {
    struct watch *watch;
    const struct shard_row *shard;
    const struct bedrock_job *job;
};

/* The job shows `ingesting` once none of its shards has anything before that ahead of it. */
static bool settle_job(struct db *db, int64_t job_id, struct err *err)
{
    struct shards_left left;
    bool moved;

    if (!shard_store_left(db, job_id, &left, err))
        return false;
    return left.is_ahead || job_store_move(db, job_id, "{staging,running}", "ingesting", NULL, NULL, &moved, err);
}

static bool store_end(struct db *db, void *arg, struct err *err)
{
    struct turn *turn = arg;
    char state[16], detail[128];
    bool moved;

    if (!task_store_fence(db, &turn->watch->step->task, err) || !job_store_lock(db, turn->shard->job_id, state, err) ||
        !shard_store_status(db, turn->shard->id, turn->job->status, turn->job->message, turn->job->processed, err) ||
        !shard_store_ingest_reset(db, turn->shard->id, &moved, err))
        return false;
    snprintf(detail, sizeof detail, "{\"shard\":%d,\"status\":\"%s\"}", turn->shard->ordinal, turn->job->status);
    return settle_job(db, turn->shard->job_id, err) && slots_wake(turn->watch->step, turn->shard->model_key, err) &&
           task_store_add(db, "ingest", turn->shard->id, 0, err) &&
           event_store_add(db, turn->shard->job_id, "shard.ended", detail, err);
}

/* Once, when it is stored that the job has ended. */
static void log_end(const struct shard_row *shard, const struct bedrock_job *job)
{
    AUTO(buf_done) struct buf words = { .max = 4096 };

    if (strcmp(job->status, "Completed") == 0)
        return;
    bedrock_end_words(job->status, job->message, &words);
    log_warn("bedrock.job_ended", "arn=%s status=%s cause=%s", shard->bedrock_arn, job->status, LOGQ(buf_cstr(&words)));
}

static bool end_turn(struct turn *turn, struct err *err)
{
    turn->watch->changed++;
    if (!db_transaction(turn->watch->step->db, store_end, turn, err))
        return false;
    log_end(turn->shard, turn->job);
    return true;
}

static bool take_turn(struct watch *watch, struct followed *it, const struct bedrock_job *job, struct err *err)
{
    struct turn turn = { watch, &it->shard, job };

    if (!it->seen) {
        it->seen = true;
        watch->unseen--;
    }
    if (bedrock_status_is_terminal(job->status))
        return end_turn(&turn, err);
    if (it->shard.bedrock_status && strcmp(it->shard.bedrock_status, job->status) == 0 &&
        job->processed <= it->shard.bedrock_processed)
        return true;
    watch->changed++;
    return shard_store_status(watch->step->db, it->shard.id, job->status, job->message, job->processed, err);
}

static bool on_listed(void *arg, const struct bedrock_job *job)
{
    struct watch *watch = arg;
    struct followed key = { .shard = { .bedrock_arn = job->arn } };
    struct followed *it = bsearch(&key, watch->items, (size_t)watch->count, sizeof *watch->items, by_arn);

    if (it && !it->seen && !take_turn(watch, it, job, &watch->err))
        watch->failed = true;
    return !watch->failed && watch->unseen > 0 && step_is_alive(watch->step);
}

/* A job that Bedrock does not know any more has ended: what it left in S3 is ingested. One that was made a moment ago
 * may only not be known everywhere yet. */
static bool take_lost(struct watch *watch, struct followed *it, struct err *err)
{
    const struct bedrock_job gone = { .status = "NotFound",
                                      .message = "Bedrock does not know this job any more",
                                      .processed = -1 };
    struct turn turn = { watch, &it->shard, &gone };
    int64_t now_ms = 0;

    if (!db_now_ms(watch->step->db, &now_ms, err))
        return false;
    if (now_ms - it->shard.submitted_ms < watch->step->settings->lookup_grace_ms)
        return true;
    return end_turn(&turn, err);
}

/* What the list did not show (it is eventually consistent) is asked for by name. One that cannot be read does not hold
 * up the others. */
static bool ask_for_unseen(struct watch *watch, struct err *err)
{
    for (int i = 0; i < watch->count; i++) {
        struct followed *it = &watch->items[i];
        struct err refusal = { 0 };
        struct bedrock_job job;

        if (it->seen)
            continue;
        if (!step_alive(watch->step, err))
            return false;
        if (bedrock_get_job(watch->step->client, it->shard.bedrock_arn, &job, &refusal)) {
            if (!take_turn(watch, it, &job, err))
                return false;
        } else if (refusal.kind == ERR_NOT_FOUND) {
            if (!take_lost(watch, it, err))
                return false;
        } else {
            log_warn("watch.unreadable", "arn=%s cause=%s", it->shard.bedrock_arn, LOGQ(refusal.what));
        }
    }
    return true;
}

static bool wake_waiting(struct db *db, void *arg, struct err *err)
{
    struct watch *watch = arg;

    (void)db;
    watch->wake_ms = INT64_MAX;
    return slots_wake_all(watch->step, &watch->wake_ms, err);
}

static bool follow(struct watch *watch, int64_t oldest_ms, struct err *err)
{
    struct bedrock_list rq = { .name_contains = "vidbatch-", .submitted_after_ms = oldest_ms - look_back_ms };

    qsort(watch->items, (size_t)watch->count, sizeof *watch->items, by_arn);
    if (!bedrock_list_jobs(watch->step->client, &rq, on_listed, watch, err))
        return false;
    if (watch->failed)
        return err_pass(err, &watch->err);
    return ask_for_unseen(watch, err);
}

static void items_free(struct followed **items)
{
    mem_free(*items);
}

/* Close looks while something moves, longer pauses while nothing does; jitter keeps replicas and accounts apart. */
static int64_t pause_ms(const struct watch *watch)
{
    const struct work_settings *settings = watch->step->settings;
    int64_t pause = watch->count == 0 ? settings->watch_max_ms : settings->watch_min_ms;
    uint16_t dice;

    if (settings->events_queue_url[0] && watch->changed == 0)
        pause = settings->watch_max_ms; /* an event comes sooner */
    else if (watch->count > 0 && watch->changed == 0)
        pause =
            settings->watch_min_ms * 3 < settings->watch_max_ms ? settings->watch_min_ms * 3 : settings->watch_max_ms;
    text_random(&dice, sizeof dice);
    pause += pause * dice / 65536 / 5;
    return pause < watch->wake_ms ? pause : watch->wake_ms;
}

bool step_watch(struct step *step, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    AUTO(items_free) struct followed *items = NULL;
    struct watch watch = { .step = step };
    int64_t oldest_ms = 0, removed;

    if (!shard_store_running(step->db, MAX_FOLLOWED, &rows, err) ||
        !idempotency_store_expire(step->db, answers_kept_ms, &removed, err) || !plan_store_expire_due(step->db, err) ||
        !task_store_forget_dead(step->db, dead_kept_ms, err) || !db_transaction(step->db, wake_waiting, &watch, err))
        return false;
    items = mem_alloc((size_t)rows.count + 1, sizeof *items);
    if (!items)
        return err_memory(err, HERE);
    for (int i = 0; i < rows.count; i++)
        shard_row_read(&rows, i, &items[i].shard);
    watch.items = items;
    watch.count = watch.unseen = rows.count;
    if (rows.count > 0)
        oldest_ms = items[0].shard.submitted_ms;
    if (rows.count > 0 && !follow(&watch, oldest_ms, err))
        return false;
    step->again_ms = pause_ms(&watch);
    return true;
}

/* Some steps are never given up: the next look may succeed. Only what may end the process is left until somebody has
 * looked at it. */
bool step_keep_trying(struct step *step, const struct err *cause, struct err *err)
{
    const int64_t job_id = strcmp(step->task.kind, "finish") == 0 ? step->task.subject_id : 0;

    if (strcmp(cause->code, "worker_lost") == 0)
        return task_store_dead(step->db, &step->task, job_id, cause->what, err);
    log_error("step.keeps_failing", "kind=%s cause=%s", step->task.kind, LOGQ(cause->what));
    step->again_ms = step->settings->retry_cap_ms;
    return true;
}
