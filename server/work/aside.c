#include "server/work/aside.h"

#include "server/base/mem.h"

#include <pthread.h>

struct aside {
    struct db *db; /* the other thread's while work is set */
    pthread_t thread;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t change;
    aside_fn *work; /* NULL: nothing is left to do */
    void *arg;
    bool is_over;
    bool failed;
    struct err err; /* of the failed work, until it is told */
};

static void *run(void *arg)
{
    struct aside *aside = arg;

    pthread_mutex_lock(&aside->lock);
    while (!aside->is_over) {
        struct err err = { 0 };
        bool ok = true;

        if (!aside->work) {
            pthread_cond_wait(&aside->change, &aside->lock);
            continue;
        }
        pthread_mutex_unlock(&aside->lock);
        ok = aside->work(aside->db, aside->arg, &err);
        pthread_mutex_lock(&aside->lock);
        aside->failed = !ok;
        aside->err = err;
        aside->work = NULL;
        pthread_cond_broadcast(&aside->change);
    }
    pthread_mutex_unlock(&aside->lock);
    return NULL;
}

bool aside_start(struct step *step, struct aside **out, struct err *err)
{
    struct aside *aside = mem_alloc(1, sizeof *aside);

    if (!aside)
        return err_memory(err, HERE);
    aside->db = step->aside_db;
    pthread_mutex_init(&aside->lock, NULL);
    pthread_cond_init(&aside->change, NULL);
    if (pthread_create(&aside->thread, NULL, run, aside) != 0) {
        pthread_cond_destroy(&aside->change);
        pthread_mutex_destroy(&aside->lock);
        mem_free(aside);
        return err_set(err, ERR_MEMORY, true, HERE, "cannot start a thread beside the step");
    }
    *out = aside;
    return true;
}

/* With the lock held. */
static bool settle(struct aside *aside, struct err *err)
{
    while (aside->work)
        pthread_cond_wait(&aside->change, &aside->lock);
    if (!aside->failed)
        return true;
    aside->failed = false;
    return err_pass(err, &aside->err);
}

bool aside_run(struct aside *aside, aside_fn *work, void *arg, struct err *err)
{
    bool ok = false;

    pthread_mutex_lock(&aside->lock);
    ok = settle(aside, err);
    if (ok) {
        aside->work = work;
        aside->arg = arg;
        pthread_cond_broadcast(&aside->change);
    }
    pthread_mutex_unlock(&aside->lock);
    return ok;
}

bool aside_wait(struct aside *aside, struct err *err)
{
    bool ok = false;

    pthread_mutex_lock(&aside->lock);
    ok = settle(aside, err);
    pthread_mutex_unlock(&aside->lock);
    return ok;
}

void aside_end(struct aside *aside)
{
    if (!aside)
        return;
    pthread_mutex_lock(&aside->lock);
    (void)settle(aside, NULL);
    aside->is_over = true;
    pthread_cond_broadcast(&aside->change);
    pthread_mutex_unlock(&aside->lock);
    (void)pthread_join(aside->thread, NULL);
    pthread_cond_destroy(&aside->change);
    pthread_mutex_destroy(&aside->lock);
    mem_free(aside);
}

void aside_end_auto(struct aside **aside)
{
    aside_end(*aside);
    *aside = NULL;
}
