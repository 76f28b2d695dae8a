/* Inside server/work: the pool's parts. */
#ifndef VIDBATCH_WORK_POOL_H
#define VIDBATCH_WORK_POOL_H

#include "server/work/hints.h"
#include "server/work/step.h"

#include <pthread.h>
#include <stdatomic.h>

struct worker {
    struct work_pool *pool;
    pthread_t thread;
    bool started;
    atomic_bool ended; /* joined: nothing of its is cancelled any more */
    int index;
    struct db *db;
    struct db *aside_db; /* of what a step does beside itself */
    struct aws_client *client;
    atomic_bool lease_lost;
    /* guarded by pool->lock: what the keeper of leases needs */
    bool busy;
    int kind; /* index into step_kinds while busy */
    struct task task;
};

struct step_counts {
    uint64_t done, again, retried, given_up, lost;
};

struct work_pool {
    const struct work_settings *settings; /* kept */
    struct aws *aws;                      /* kept */
    struct db *keeper_db;                 /* the keeper's own connection */
    atomic_bool stopping;
    pthread_mutex_t lock; /* guards wakes, claim_err, counts and what struct worker says; never held during a query or a
                             network call */
    pthread_mutex_t claiming; /* held from the look at what runs to the claim that follows from it, query included */
    bool claim_lost;          /* guarded by claiming: a claim failed, perhaps only its answer */
    pthread_cond_t wake;
    uint64_t wakes;       /* grows when there may be work */
    struct err claim_err; /* of the last claim, which writes; empty where it worked */
    struct step_counts counts[STEP_KINDS];
    struct hints *hints; /* NULL: there is no queue of events */
    pthread_t keeper;
    bool keeper_started;
    pthread_t canceller;
    bool canceller_started;
    atomic_bool cancelled; /* the canceller may end */
    int wake_pipe[2];      /* makes the keeper look up */
    int worker_count;
    struct worker *workers;
    char name[64]; /* host:pid:chance, for the task table */
};

/* The keeper: extends leases, listens for new tasks, wakes workers when one is due. */
void *keeper_run(void *pool);
/* A worker: claims, runs, settles. */
void *worker_run(void *worker);

#endif
