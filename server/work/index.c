/* Step index: puts the words of a shard's summaries into the full-text index, a batch a transaction, once they are
 * stored. It gives way to answers that are being stored. */
#include "server/base/log.h"
#include "server/work/step.h"
#include "sql/word_store.h"

enum { BATCH = 2000, WAIT_MS = 1000, PATIENCE_MS = 5 * 60 * 1000 };

struct batch {
    struct step *step;
    int64_t indexed;
    bool end;
};

static bool one_batch(struct db *db, void *arg, struct err *err)
{
    struct batch *batch = arg;
    struct step *step = batch->step;

    if (!task_store_fence(db, &step->task, err) ||
        !word_store_batch(db, step->task.subject_id, BATCH, &batch->indexed, &batch->end, err))
        return false;
    return batch->end ? task_store_done(db, &step->task, err) : task_store_progress(db, &step->task, err);
}

bool step_index(struct step *step, struct err *err)
{
    struct batch batch = { .step = step };
    bool must_wait = false;
    int64_t total = 0;

    while (!batch.end) {
        if (!step_alive(step, err) ||
            !word_store_must_wait(step->db, step->task.subject_id, PATIENCE_MS, &must_wait, err))
            return false;
        if (must_wait) {
            step->again_ms = WAIT_MS;
            return true;
        }
        if (!db_transaction(step->db, one_batch, &batch, err))
            return false;
        total += batch.indexed;
    }
    log_info("index.done", "summaries=%lld", (long long)total);
    return true;
}
