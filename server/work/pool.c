/* Start and stop of the worker pool. */
#include "server/work/pool.h"

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/mem.h"
#include "server/base/text.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { CANCEL_EVERY_MS = 100 };
/* What the keeper asks for is short. */
static const int64_t keeper_answer_ms = 60 * 1000;

static void pool_free(struct work_pool *pool)
{
    for (int i = 0; pool->workers && i < pool->worker_count; i++) {
        aws_client_free(pool->workers[i].client);
        db_close(pool->workers[i].db);
        db_close(pool->workers[i].aside_db);
    }
    db_close(pool->keeper_db);
    if (pool->wake_pipe[0] >= 0) {
        close(pool->wake_pipe[0]);
        close(pool->wake_pipe[1]);
    }
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->claiming);
    pthread_mutex_destroy(&pool->lock);
    mem_free(pool->workers);
    mem_free(pool);
}

static bool open_worker(struct work_pool *pool, int index, const struct db_options *database, struct err *err)
{
    struct worker *worker = &pool->workers[index];

    worker->pool = pool;
    worker->index = index;
    worker->db = db_open(database, err);
    worker->aside_db = worker->db ? db_open(database, err) : NULL;
    worker->client = worker->aside_db ? aws_client_new(pool->aws, err) : NULL;
    return worker->client != NULL;
}

static bool start_threads(struct work_pool *pool, const struct db_options *database, struct err *err)
{
    if (pthread_create(&pool->keeper, NULL, keeper_run, pool) != 0)
        return err_set(err, ERR_MEMORY, false, HERE, "cannot start the keeper thread");
    pool->keeper_started = true;
    if (pool->settings->events_queue_url[0] &&
        !hints_start(pool->settings->events_queue_url, pool->aws, database, &pool->stopping, &pool->hints, err))
        return false;
    for (int i = 0; i < pool->worker_count; i++) {
        if (pthread_create(&pool->workers[i].thread, NULL, worker_run, &pool->workers[i]) != 0)
            return err_set(err, ERR_MEMORY, false, HERE, "cannot start worker thread %d", i);
        pool->workers[i].started = true;
    }
    return true;
}

static struct work_pool *pool_new(const struct work_settings *settings, struct aws *aws, struct err *err)
{
    struct work_pool *pool = mem_alloc(1, sizeof *pool);
    char host[40] = "host";
    uint32_t random = 0;

    if (!pool) {
        err_memory(err, HERE);
        return NULL;
    }
    pool->settings = settings;
    pool->aws = aws;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_mutex_init(&pool->claiming, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pool->wake_pipe[0] = pool->wake_pipe[1] = -1;
    gethostname(host, sizeof host - 1);
    text_random(&random, sizeof random); /* in containers, hosts and processes may share their names */
    snprintf(pool->name, sizeof pool->name, "%s:%ld:%08x", host, (long)getpid(), random);
    pool->workers = mem_alloc((size_t)settings->workers, sizeof *pool->workers);
    if (!pool->workers || pipe2(pool->wake_pipe, O_CLOEXEC | O_NONBLOCK) != 0) {
        pool_free(pool);
        err_memory(err, HERE);
        return NULL;
    }
    pool->worker_count = settings->workers;
    return pool;
}

bool work_pool_start(const struct work_settings *settings, struct aws *aws, const struct db_options *database,
                     struct work_pool **out, struct err *err)
{
    struct work_pool *pool = pool_new(settings, aws, err);
    struct db_options keeper = *database;
    bool opened;

    if (!pool)
        return false;
    keeper.answer_timeout_ms = keeper_answer_ms;
    pool->keeper_db = db_open(&keeper, err);
    opened = pool->keeper_db != NULL;
    for (int i = 0; opened && i < pool->worker_count; i++)
        opened = open_worker(pool, i, database, err);
    if (!opened || !start_threads(pool, database, err)) {
        work_pool_ask_stop(pool);
        if (!work_pool_stop(pool, 1000))
            log_warn("work.not_stopped", "note='threads are left'");
        return false;
    }
    *out = pool;
    return true;
}

void work_pool_ask_stop(struct work_pool *pool)
{
    atomic_store(&pool->stopping, true);
    if (write(pool->wake_pipe[1], "", 1) < 0) {
        /* full: the keeper wakes anyway */
    }
    pthread_mutex_lock(&pool->lock);
    pool->wakes++;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
}

/* Statements that still run after half of the grace are cancelled, again and again, for a step may begin another before
 * it looks up. A thread of its own: to tell a server that stands still takes as long as that does. */
static void *cancel_main(void *arg)
{
    struct work_pool *pool = arg;

    while (!atomic_load(&pool->cancelled)) {
        for (int i = 0; i < pool->worker_count; i++)
            if (!atomic_load(&pool->workers[i].ended)) {
                db_cancel(pool->workers[i].db);
                db_cancel(pool->workers[i].aside_db);
            }
        (void)nanosleep(&(struct timespec){ 0, CANCEL_EVERY_MS * 1000000L }, NULL);
    }
    return NULL;
}

/* The first who does not end patiently has all cancelled. */
static bool join_worker(struct work_pool *pool, struct worker *worker, int64_t patient_until_ms, int64_t deadline_ms)
{
    if (worker->started && !clock_join(worker->thread, patient_until_ms)) {
        if (!pool->canceller_started)
            pool->canceller_started = pthread_create(&pool->canceller, NULL, cancel_main, pool) == 0;
        if (!clock_join(worker->thread, deadline_ms))
            return false;
    }
    atomic_store(&worker->ended, true);
    return true;
}

bool work_pool_stop(struct work_pool *pool, int64_t grace_ms)
{
    const int64_t now = clock_mono_ms();
    bool all_ended = true;

    if (!pool)
        return true;
    work_pool_ask_stop(pool);
    for (int i = 0; i < pool->worker_count; i++)
        if (!join_worker(pool, &pool->workers[i], now + grace_ms / 2, now + grace_ms)) {
            log_warn("worker.left", "worker=%d note='its step did not end in time; its lease will run out'", i);
            all_ended = false;
        }
    atomic_store(&pool->cancelled, true);
    if (pool->canceller_started && !clock_join(pool->canceller, now + grace_ms + 500))
        all_ended = false;
    if (pool->keeper_started && !clock_join(pool->keeper, now + grace_ms + 500))
        all_ended = false;
    if (!hints_stop(pool->hints, now + grace_ms + 500))
        all_ended = false;
    if (all_ended)
        pool_free(pool);
    return all_ended;
}

bool work_pool_can_write(struct work_pool *pool, struct err *err)
{
    bool can = true;

    pthread_mutex_lock(&pool->lock);
    can = pool->claim_err.kind == ERR_NONE;
    if (!can)
        err_pass(err, &pool->claim_err);
    pthread_mutex_unlock(&pool->lock);
    return can;
}

static void metric(struct buf *out, const char *result, int kind, uint64_t value)
{
    buf_fmt(out, "vidbatch_steps_total{kind=\"%s\",result=\"%s\"} %llu\n", step_kinds[kind].name, result,
            (unsigned long long)value);
}

void work_pool_metrics(struct work_pool *pool, struct buf *out)
{
    struct step_counts counts[STEP_KINDS];
    const struct hint_counts hints = hints_counts(pool->hints);
    int busy = 0;

    pthread_mutex_lock(&pool->lock);
    memcpy(counts, pool->counts, sizeof counts);
    for (int i = 0; i < pool->worker_count; i++)
        busy += pool->workers[i].busy;
    pthread_mutex_unlock(&pool->lock);
    buf_fmt(
        out,
        "# HELP vidbatch_workers Worker threads of this process.\n# TYPE vidbatch_workers gauge\nvidbatch_workers %d\n"
        "# HELP vidbatch_workers_busy Worker threads that run a step now.\n# TYPE vidbatch_workers_busy gauge\n"
        "vidbatch_workers_busy %d\n"
        "# HELP vidbatch_steps_total Steps run by this process, by kind and result.\n"
        "# TYPE vidbatch_steps_total counter\n",
        pool->worker_count, busy);
    for (int k = 0; k < STEP_KINDS; k++) {
        metric(out, "done", k, counts[k].done);
        metric(out, "again", k, counts[k].again);
        metric(out, "retried", k, counts[k].retried);
        metric(out, "given_up", k, counts[k].given_up);
        metric(out, "lease_lost", k, counts[k].lost);
    }
    buf_fmt(
        out,
        "# HELP vidbatch_event_messages_total Messages from the queue of events.\n"
        "# TYPE vidbatch_event_messages_total counter\n"
        "vidbatch_event_messages_total{result=\"used\"} %llu\nvidbatch_event_messages_total{result=\"foreign\"} %llu\n"
        "# HELP vidbatch_event_failures_total Attempts to read the queue of events that failed.\n"
        "# TYPE vidbatch_event_failures_total counter\nvidbatch_event_failures_total %llu\n",
        (unsigned long long)(hints.received - hints.foreign), (unsigned long long)hints.foreign,
        (unsigned long long)hints.failures);
}
