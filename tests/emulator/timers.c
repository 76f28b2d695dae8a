#include "tests/emulator/timers.h"

#include "server/base/clock.h"
#include "server/base/mem.h"
#include "tests/emulator/emulator.h"

#include <microhttpd.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

struct wait {
    int64_t due_ms;
    struct MHD_Connection *connection;
};

struct timers {
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t changed;
    pthread_t thread;
    bool stopping;
    struct wait *waits; /* sorted, the next one last */
    size_t count, cap;
};

static void *run(void *arg)
{
    struct timers *t = arg;

    pthread_mutex_lock(&t->lock);
    while (!t->stopping || t->count > 0) {
        int64_t now = clock_mono_ms();
        if (t->count == 0) {
            pthread_cond_wait(&t->changed, &t->lock);
        } else if (t->stopping || t->waits[t->count - 1].due_ms <= now) {
            MHD_resume_connection(t->waits[--t->count].connection);
        } else {
            int64_t due = t->waits[t->count - 1].due_ms;
            struct timespec until = { due / 1000, due % 1000 * 1000000 };
            pthread_cond_timedwait(&t->changed, &t->lock, &until);
        }
    }
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

struct timers *timers_start(void)
{
    struct timers *t = emu_alloc(1, sizeof *t);
    pthread_condattr_t attributes;

    pthread_mutex_init(&t->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&t->changed, &attributes);
    if (pthread_create(&t->thread, NULL, run, t) != 0)
        emu_die("timer thread");
    return t;
}

void timers_stop(struct timers *t)
{
    pthread_mutex_lock(&t->lock);
    t->stopping = true;
    pthread_cond_signal(&t->changed);
    pthread_mutex_unlock(&t->lock);
    pthread_join(t->thread, NULL);
    mem_free(t->waits);
    mem_free(t);
}

void timers_suspend(struct timers *t, struct MHD_Connection *connection, int64_t delay_ms)
{
    struct wait wait = { clock_mono_ms() + delay_ms, connection };
    size_t at = 0;

    MHD_suspend_connection(connection);
    pthread_mutex_lock(&t->lock);
    if (t->count == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 64;
        t->waits = emu_resize(t->waits, t->cap, sizeof *t->waits);
    }
    at = t->count;
    while (at > 0 && t->waits[at - 1].due_ms < wait.due_ms)
        at--;
    memmove(t->waits + at + 1, t->waits + at, (t->count - at) * sizeof *t->waits);
    t->waits[at] = wait;
    t->count++;
    pthread_cond_signal(&t->changed);
    pthread_mutex_unlock(&t->lock);
}
