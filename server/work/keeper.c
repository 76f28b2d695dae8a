/* The keeper: one thread that extends the leases of all running steps, listens for new tasks, and wakes workers when
 * one is due. */
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/mem.h"
#include "server/work/pool.h"

#include <stdio.h>
#include <unistd.h>

static const int64_t database_pause_ms = 1000;

/* As an SQL array. */
static void all_kinds(char out[256])
{
    size_t len = 0;

    for (int k = 0; k < STEP_KINDS; k++)
        len += (size_t)snprintf(out + len, 256 - len, "%s%s", k ? "," : "{", step_kinds[k].name);
    snprintf(out + len, 256 - len, "}");
}

static void wake_workers(struct work_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->wakes++;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
}

/* The task that the worker runs, copied under the lock; false when it is idle. */
static bool running_task(struct work_pool *pool, int index, struct task *out)
{
    const struct worker *worker = &pool->workers[index];
    bool busy;

    pthread_mutex_lock(&pool->lock);
    busy = worker->busy;
    *out = worker->task;
    pthread_mutex_unlock(&pool->lock);
    return busy;
}

static void mark_lost(struct work_pool *pool, int index, const struct task *task)
{
    struct worker *worker = &pool->workers[index];

    pthread_mutex_lock(&pool->lock);
    if (worker->busy && worker->task.id == task->id && worker->task.attempt == task->attempt)
        atomic_store(&worker->lease_lost, true);
    pthread_mutex_unlock(&pool->lock);
}

/* A task that has just been ended by its own step has no row to extend: its worker is no longer busy with it, so
 * nothing is marked wrongly for long; a step that has ended does not look at the flag again. */
static bool extend_leases(struct work_pool *pool, struct err *err)
{
    for (int i = 0; i < pool->worker_count; i++) {
        struct task task;
        bool held;

        if (!running_task(pool, i, &task))
            continue;
        if (!task_store_heartbeat(pool->keeper_db, &task, pool->settings->lease_ms, &held, err))
            return false;
        if (!held)
            mark_lost(pool, i, &task);
    }
    return true;
}

static void drain(int fd)
{
    char bytes[64];

    while (read(fd, bytes, sizeof bytes) > 0) {
    }
}

static bool one_turn(struct work_pool *pool, int64_t *next_heartbeat_ms, bool *listening, struct err *err)
{
    int64_t due_ms, wait_ms = pool->settings->poll_ms;
    const int64_t now = clock_mono_ms();
    bool notified = false;
    char kinds[256];

    if (!*listening && !db_listen(pool->keeper_db, "vidbatch_task", err))
        return false;
    if (!*listening)
        wake_workers(pool); /* what was asked for meanwhile was not heard */
    *listening = true;
    if (now >= *next_heartbeat_ms) {
        if (!extend_leases(pool, err))
            return false;
        *next_heartbeat_ms = now + pool->settings->heartbeat_ms;
    }
    all_kinds(kinds);
    if (!task_store_next_due(pool->keeper_db, kinds, &due_ms, err))
        return false;
    if (due_ms == 0) {
        wake_workers(pool);
        due_ms = -1; /* due, but perhaps all workers are busy: they look again by themselves when they end */
    }
    if (due_ms > 0 && due_ms < wait_ms)
        wait_ms = due_ms;
    if (*next_heartbeat_ms - now < wait_ms)
        wait_ms = *next_heartbeat_ms - now;
    if (!db_wait(pool->keeper_db, pool->wake_pipe[0], wait_ms > 0 ? wait_ms : 1, &notified, err))
        return false;
    drain(pool->wake_pipe[0]);
    wake_workers(pool);
    return true;
}

void *keeper_run(void *arg)
{
    struct work_pool *pool = arg;
    int64_t next_heartbeat_ms = 0;
    bool listening = false;

    while (!atomic_load(&pool->stopping)) {
        struct err err = { 0 };

        if (one_turn(pool, &next_heartbeat_ms, &listening, &err))
            continue;
        log_warn("keeper.database", "cause=%s", LOGQ(err.what));
        listening = false;
        if (!atomic_load(&pool->stopping))
            usleep((useconds_t)database_pause_ms * 1000);
    }
    return NULL;
}
