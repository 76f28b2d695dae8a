/* A worker: claims a task, runs its step, and settles what became of it. */
#include "server/base/buf.h"
#include "server/base/clock.h"
#include "server/base/id.h"
#include "server/base/log.h"
#include "server/base/text.h"
#include "server/work/pool.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { DATABASE_PAUSES = 5, DATABASE_PAUSE_MS = 50 };

/* Which kinds this worker may take now, as an SQL array: long ones take no more than half of the workers each, and all
 * but one together. The index of words, which nobody waits for, takes one. */
static void allowed_kinds(struct work_pool *pool, char *out, size_t size)
{
    int running[STEP_KINDS] = { 0 }, long_running = 0;
    const int half = pool->worker_count > 1 ? pool->worker_count / 2 : 1;
    size_t len = 0;

    pthread_mutex_lock(&pool->lock);
    for (int i = 0; i < pool->worker_count; i++)
        if (pool->workers[i].busy)
            running[pool->workers[i].kind]++;
    pthread_mutex_unlock(&pool->lock);
    for (int k = 0; k < STEP_KINDS; k++)
        if (step_kinds[k].is_long)
            long_running += running[k];
    len += (size_t)snprintf(out, size, "{");
    for (int k = 0; k < STEP_KINDS; k++) {
        const int most = step_kinds[k].run == step_index ? 1 : half;

        if (step_kinds[k].is_long &&
            (running[k] >= most || (pool->worker_count > 1 && long_running >= pool->worker_count - 1)))
            continue;
        len += (size_t)snprintf(out + len, size - len, "%s%s", len > 1 ? "," : "", step_kinds[k].name);
    }
    snprintf(out + len, size - len, "}");
}

static int kind_index(const char *name)
{
    for (int k = 0; k < STEP_KINDS; k++)
        if (strcmp(step_kinds[k].name, name) == 0)
            return k;
    return -1;
}

static void set_busy(struct worker *worker, bool busy, int kind, const struct task *task)
{
    pthread_mutex_lock(&worker->pool->lock);
    worker->busy = busy;
    if (busy) {
        worker->kind = kind;
        worker->task = *task;
    }
    atomic_store(&worker->lease_lost, false);
    pthread_mutex_unlock(&worker->pool->lock);
}

/* Full jitter over an exponential cap, so that tasks that failed together do not come back together. */
static int64_t backoff_ms(const struct work_settings *settings, int failures)
{
    int64_t cap = settings->retry_base_ms << (failures < 16 ? failures : 16);
    uint32_t dice;

    if (cap > settings->retry_cap_ms)
        cap = settings->retry_cap_ms;
    text_random(&dice, sizeof dice);
    return cap / 2 + cap / 2 * (dice >> 8) / (1 << 24);
}

enum result { RESULT_DONE, RESULT_AGAIN, RESULT_RETRIED, RESULT_GIVEN_UP, RESULT_LOST };
static const char *const result_names[] = { "done", "again", "retried", "given_up", "lease_lost" };

static void count(struct worker *worker, int kind, enum result result)
{
    struct step_counts *c = &worker->pool->counts[kind];
    uint64_t *slots[] = { &c->done, &c->again, &c->retried, &c->given_up, &c->lost };

    pthread_mutex_lock(&worker->pool->lock);
    (*slots[result])++;
    pthread_mutex_unlock(&worker->pool->lock);
}

static void pause_while_working(const struct step *step)
{
    for (int i = 0; i < DATABASE_PAUSES && !atomic_load(step->stopping); i++)
        usleep(DATABASE_PAUSE_MS * 1000);
}

/* A database that is gone, or has no time, is waited for, as long as the lease may still be ours: without this the task
 * would wait for its lease to run out. What sounds like that counts as a failure all the same where this is taken at
 * once: then the database is there, and it is the step that it cannot bear. */
static void put_back(struct step *step, int64_t delay_ms, const struct err *failure)
{
    const int64_t until_ms = clock_mono_ms() + step->settings->lease_ms;
    bool at_once = true;

    for (;;) {
        struct err err = { 0 };

        if (task_store_again(step->db, &step->task, delay_ms, failure ? failure->what : NULL,
                             failure && (at_once || !db_is_down(failure)), &err))
            return;
        if (err.kind != ERR_DATABASE || !err.retryable || atomic_load(step->stopping) || clock_mono_ms() >= until_ms) {
            log_warn("task.not_put_back", "kind=%s cause=%s", step->task.kind, LOGQ(err.what));
            return;
        }
        at_once = false;
        pause_while_working(step);
    }
}

static enum result settle_failure(struct step *step, const struct step_kind *kind, const struct err *cause)
{
    /* a database that is gone, however long, lets nothing be given up either */
    const bool is_last = step->task.failures + 1 >= step->settings->max_failures;
    struct err err = { 0 };

    if (step_may_pass(cause) && !is_last) {
        const int64_t wait_ms = backoff_ms(step->settings, step->task.failures);

        log_warn("task.retry", "attempt=%d failures=%d wait_ms=%lld at=%s cause=%s upstream=%s", step->task.attempt,
                 step->task.failures + 1, (long long)wait_ms, cause->where ? cause->where : "", LOGQ(cause->what),
                 LOGQ(cause->upstream_code));
        put_back(step, wait_ms, cause);
        return RESULT_RETRIED;
    }
    log_error("task.failed", "attempt=%d failures=%d at=%s cause=%s upstream=%s", step->task.attempt,
              step->task.failures + 1, cause->where ? cause->where : "", LOGQ(cause->what), LOGQ(cause->upstream_code));
    step->again_ms = -1;
    if (!kind->give_up(step, cause, &err)) {
        log_warn("task.retry", "note='the failure could not be stored' cause=%s", LOGQ(err.what));
        put_back(step, db_is_down(&err) ? step->settings->retry_base_ms : step->settings->retry_cap_ms, cause);
    } else if (step->again_ms >= 0) {
        step->task.lost = 0;
        put_back(step, step->again_ms, cause);
    }
    return RESULT_GIVEN_UP;
}

/* It was slow, or stood still, but the step did not end it. */
static enum result settle_lost(struct step *step)
{
    struct err err = { 0 };

    if (!task_store_survived(step->db, &step->task, &err))
        log_warn("task.not_settled", "cause=%s", LOGQ(err.what));
    return RESULT_LOST;
}

static enum result settle_cancelled(struct step *step)
{
    struct err err = { 0 };

    if (atomic_load(step->lease_lost))
        return settle_lost(step);
    if (!task_store_release(step->db, &step->task, &err))
        log_warn("task.not_released", "kind=%s cause=%s", step->task.kind, LOGQ(err.what));
    return RESULT_AGAIN;
}

/* Whoever ran it so far did not come back: perhaps it is what ended them. */
static bool is_deadly(const struct step *step, struct err *err)
{
    /* nothing goes on anywhere without the watch */
    if (step->task.lost < step->settings->max_failures || strcmp(step->task.kind, "watch") == 0)
        return false;
    err_set(
        err, ERR_INTERNAL, false, HERE,
        "whoever ran this step was lost, %d times in a row: it may end the process, or take all its memory. The log "
        "of those times may tell",
        step->task.lost);
    err_code(err, "worker_lost");
    return true;
}

static enum result run_step(struct step *step, const struct step_kind *kind)
{
    struct err err = { 0 };

    if (is_deadly(step, &err))
        return settle_failure(step, kind, &err);
    step->task.lost = 0; /* whatever comes of it: whoever lived to tell was not lost */
    if (kind->run(step, &err)) {
        if (step->again_ms < 0)
            return RESULT_DONE;
        put_back(step, step->again_ms, NULL);
        return RESULT_AGAIN;
    }
    if (strcmp(err.code, "lease_lost") == 0)
        return settle_lost(step);
    if (err.kind == ERR_CANCELLED)
        return settle_cancelled(step);
    return settle_failure(step, kind, &err);
}

static void run_task(struct worker *worker, const struct task *task)
{
    struct work_pool *pool = worker->pool;
    const int kind = kind_index(task->kind);
    struct step step = { .settings = pool->settings,
                         .db = worker->db,
                         .aside_db = worker->aside_db,
                         .aws = pool->aws,
                         .client = worker->client,
                         .task = *task,
                         .lease_lost = &worker->lease_lost,
                         .stopping = &pool->stopping,
                         .again_ms = -1 };
    const int64_t started = clock_mono_ms();
    char context[96], subject[ID_SIZE];
    enum result result;

    id_format(step_kinds[kind].id_prefix, task->subject_id, subject);
    snprintf(context, sizeof context, "step=%s subject=%s", task->kind, subject);
    log_context(context);
    result = run_step(&step, &step_kinds[kind]);
    set_busy(worker, false, kind, task);
    count(worker, kind, result);
    log_debug("step.end", "result=%s ms=%lld", result_names[result], (long long)(clock_mono_ms() - started));
    log_context(NULL);
}

/* Sleeps until the keeper says that there may be work; `seen` is the wake that this worker has already followed. */
static void wait_for_work(struct work_pool *pool, uint64_t *seen)
{
    pthread_mutex_lock(&pool->lock);
    while (pool->wakes == *seen && !atomic_load(&pool->stopping))
        pthread_cond_wait(&pool->wake, &pool->lock);
    *seen = pool->wakes;
    pthread_mutex_unlock(&pool->lock);
}

/* The ids of the tasks that run here, as an SQL array. */
static void running_ids(struct work_pool *pool, struct buf *out)
{
    buf_char(out, '{');
    pthread_mutex_lock(&pool->lock);
    for (int i = 0; i < pool->worker_count; i++)
        if (pool->workers[i].busy)
            buf_fmt(out, "%s%lld", out->len > 1 ? "," : "", (long long)pool->workers[i].task.id);
    pthread_mutex_unlock(&pool->lock);
    buf_char(out, '}');
}

/* With `claiming` held. A claim that failed may have been stored, its answer lost: nobody would run that task before
 * its lease ends. */
static bool release_orphans(struct worker *worker, struct err *err)
{
    AUTO(buf_done) struct buf known = { .max = 64 * 1024 };
    int64_t released = 0;

    running_ids(worker->pool, &known);
    if (!buf_check(&known, "the tasks that run", err) ||
        !task_store_release_orphans(worker->db, worker->pool->name, buf_cstr(&known), &released, err))
        return false;
    if (released > 0)
        log_info("worker.released", "tasks=%lld note='claimed while the database was lost'", (long long)released);
    return true;
}

static void keep_claim_error(struct work_pool *pool, const struct err *err)
{
    pthread_mutex_lock(&pool->lock);
    pool->claim_err = *err;
    pthread_mutex_unlock(&pool->lock);
}

/* One claim at a time in this process, for what may be claimed depends on what the others run. */
static bool claim(struct worker *worker, struct task *task)
{
    struct work_pool *pool = worker->pool;
    struct err err = { 0 };
    char kinds[256];
    bool found = false;

    pthread_mutex_lock(&pool->claiming);
    allowed_kinds(pool, kinds, sizeof kinds);
    if ((pool->claim_lost && !release_orphans(worker, &err)) ||
        !task_store_claim(worker->db, kinds, pool->name, pool->settings->lease_ms, task, &found, &err))
        log_warn("worker.database", "cause=%s", LOGQ(err.what));
    pool->claim_lost = err.kind != ERR_NONE;
    keep_claim_error(pool, &err);
    if (found)
        set_busy(worker, true, kind_index(task->kind), task);
    pthread_mutex_unlock(&pool->claiming);
    return found;
}

void *worker_run(void *arg)
{
    struct worker *worker = arg;
    uint64_t seen = 0;

    while (!atomic_load(&worker->pool->stopping)) {
        struct task task;

        if (claim(worker, &task))
            run_task(worker, &task);
        else
            wait_for_work(worker->pool, &seen);
    }
    return NULL;
}
