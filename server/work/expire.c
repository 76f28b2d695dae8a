/* Step expire: removes what a plan chose that nobody launched in time, a batch a transaction. The plan itself stays,
 * and says that it is expired. */
#include "server/base/log.h"
#include "server/work/step.h"
#include "sql/job_store.h"
#include "sql/plan_store.h"
#include "sql/prefix_store.h"

enum { BATCH = 50000 };

struct expiry {
    struct step *step;
    int64_t prefix_id;
    bool prefix_deleted;
    bool left; /* there is more */
};

static bool one_batch(struct db *db, void *arg, struct err *err)
{
    struct expiry *expiry = arg;
    struct step *step = expiry->step;

    if (!task_store_fence(db, &step->task, err) ||
        !plan_store_remove(db, step->task.subject_id, BATCH, &expiry->left, err))
        return false;
    if (expiry->left)
        return task_store_progress(db, &step->task, err);
    /* Its records kept videos of a deleted prefix from being removed. */
    if (expiry->prefix_deleted && !task_store_add(db, "sweep", expiry->prefix_id, 0, err))
        return false;
    return task_store_done(db, &step->task, err);
}

bool step_expire(struct step *step, struct err *err)
{
    AUTO(db_rows_done) struct db_rows job_rows = { 0 };
    AUTO(db_rows_done) struct db_rows prefix_rows = { 0 };
    struct expiry expiry = { .step = step, .left = true };
    struct prefix_row prefix;
    struct job_row job;

    if (!job_store_get_any(step->db, step->task.subject_id, &job_rows, &job, err) ||
        !prefix_store_get_any(step->db, job.prefix_id, &prefix_rows, &prefix, err))
        return false;
    expiry.prefix_id = prefix.id;
    expiry.prefix_deleted = prefix.deleted;
    while (expiry.left)
        if (!step_alive(step, err) || !db_transaction(step->db, one_batch, &expiry, err))
            return false;
    log_info("expire.done", "state=%s", job.state);
    return true;
}
