/* Step sweep: removes the videos of a deleted prefix that no job ever took, a batch a transaction. */
#include "server/base/log.h"
#include "server/work/step.h"
#include "sql/prefix_store.h"

enum { BATCH = 100000 };

struct sweep {
    struct step *step;
    int64_t removed; /* by the batch */
};

static bool one_batch(struct db *db, void *arg, struct err *err)
{
    struct sweep *sweep = arg;
    struct step *step = sweep->step;

    if (!task_store_fence(db, &step->task, err) ||
        !prefix_store_sweep(db, step->task.subject_id, BATCH, &sweep->removed, err))
        return false;
    return sweep->removed == BATCH ? task_store_progress(db, &step->task, err) : task_store_done(db, &step->task, err);
}

bool step_sweep(struct step *step, struct err *err)
{
    struct sweep sweep = { .step = step };
    int64_t total = 0;

    do {
        if (!step_alive(step, err) || !db_transaction(step->db, one_batch, &sweep, err))
            return false;
        total += sweep.removed;
    } while (sweep.removed == BATCH);
    log_info("sweep.done", "removed=%lld", (long long)total);
    return true;
}
