#include "sql/task_store.h"

#include "sql/db_internal.h"

#include <inttypes.h>
#include <string.h>

bool task_store_add(struct db *db, const char *kind, int64_t subject_id, int64_t delay_ms, struct err *err)
{
    return db_execute(db, Q_TASK_ADD, DB_ARGS(param_text(kind), param_i64(subject_id), param_i64(delay_ms)), NULL, err);
}

bool task_store_claim(struct db *db, const char *kinds, const char *worker, int64_t lease_ms, struct task *out,
                      bool *found, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };

    if (!db_query(db, Q_TASK_CLAIM, DB_ARGS(param_text(kinds), param_text(worker), param_i64(lease_ms)), &rows, err))
        return false;
    *found = rows.count > 0;
    if (rows.count == 0)
        return true;
    *out = (struct task){ .id = db_i64(&rows, 0, 0),
                          .subject_id = db_i64(&rows, 0, 2),
                          .attempt = (int)db_i64(&rows, 0, 3),
                          .failures = (int)db_i64(&rows, 0, 4),
                          .lost = (int)db_i64(&rows, 0, 5) };
    db_copy_text(out->kind, sizeof out->kind, db_text(&rows, 0, 1));
    return true;
}

bool task_store_heartbeat(struct db *db, const struct task *task, int64_t lease_ms, bool *held, struct err *err)
{
    int64_t ours = 0;

    if (!db_number(db, Q_TASK_HEARTBEAT, DB_ARGS(param_i64(task->id), param_i64(task->attempt), param_i64(lease_ms)),
                   &ours, err))
        return false;
    *held = ours > 0;
    return true;
}

/* One row must have answered for the task, or it belongs to another worker by now. */
static bool still_ours(const struct task *task, int64_t rows, struct err *err)
{
    if (rows > 0)
        return true;
    err_set(err, ERR_CANCELLED, false, HERE, "the lease of task %s/%" PRId64 " (attempt %d) is lost", task->kind,
            task->subject_id, task->attempt);
    return err_code(err, "lease_lost");
}

bool task_store_fence(struct db *db, const struct task *task, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };

    return db_need_transaction(db, "task_store_fence", err) &&
           db_query(db, Q_TASK_FENCE, DB_ARGS(param_i64(task->id), param_i64(task->attempt)), &rows, err) &&
           still_ours(task, rows.count, err);
}

bool task_store_progress(struct db *db, struct task *task, struct err *err)
{
    if (task->failures == 0 && task->lost == 0)
        return true;
    task->failures = task->lost = 0;
    return db_execute(db, Q_TASK_PROGRESS, DB_ARGS(param_i64(task->id), param_i64(task->attempt)), NULL, err);
}

bool task_store_done(struct db *db, const struct task *task, struct err *err)
{
    int64_t ours = 0;

    return db_number(db, Q_TASK_DONE, DB_ARGS(param_i64(task->id), param_i64(task->attempt)), &ours, err) &&
           still_ours(task, ours, err);
}

bool task_store_again(struct db *db, const struct task *task, int64_t delay_ms, const char *last_error, bool counts,
                      struct err *err)
{
    int64_t ours = 0;

    return db_execute(db, Q_TASK_AGAIN,
                      DB_ARGS(param_i64(task->id), param_i64(task->attempt), param_i64(delay_ms),
                              param_text(last_error), param_bool(counts), param_i64(task->lost)),
                      &ours, err) &&
           still_ours(task, ours, err);
}

bool task_store_dead(struct db *db, const struct task *task, int64_t job_id, const char *last_error, struct err *err)
{
    int64_t ours = 0;

    return db_execute(db, Q_TASK_DEAD,
                      DB_ARGS(param_i64(task->id), param_i64(task->attempt), param_text(last_error),
                              param_i64_or_null(job_id > 0, job_id)),
                      &ours, err) &&
           still_ours(task, ours, err);
}

bool task_store_release(struct db *db, const struct task *task, struct err *err)
{
    int64_t ours = 0;

    return db_execute(db, Q_TASK_RELEASE, DB_ARGS(param_i64(task->id), param_i64(task->attempt)), &ours, err) &&
           still_ours(task, ours, err);
}

bool task_store_survived(struct db *db, const struct task *task, struct err *err)
{
    return db_execute(db, Q_TASK_SURVIVED, DB_ARGS(param_i64(task->id)), NULL, err);
}

bool task_store_release_orphans(struct db *db, const char *worker, const char *known, int64_t *released,
                                struct err *err)
{
    return db_execute(db, Q_TASK_RELEASE_ORPHANS, DB_ARGS(param_text(worker), param_text(known)), released, err);
}

bool task_store_next_due(struct db *db, const char *kinds, int64_t *in_ms, struct err *err)
{
    return db_number(db, Q_TASK_NEXT_DUE, DB_ARGS(param_text(kinds)), in_ms, err);
}

bool task_store_remove(struct db *db, const char *kind, int64_t subject_id, struct err *err)
{
    return db_execute(db, Q_TASK_REMOVE, DB_ARGS(param_text(kind), param_i64(subject_id)), NULL, err);
}

static bool trouble(struct db *db, enum query query, int64_t id, struct db_rows *rows, struct task_trouble *out,
                    struct err *err)
{
    *out = (struct task_trouble){ 0 };
    if (!db_query(db, query, DB_ARGS(param_i64(id)), rows, err))
        return false;
    if (rows->count == 0)
        return true;
    out->id = db_i64(rows, 0, 0);
    out->step = db_text(rows, 0, 1);
    out->message = db_text(rows, 0, 2);
    out->failures = db_i64(rows, 0, 3);
    out->since_ms = db_i64(rows, 0, 5);
    out->is_dead = db_bool(rows, 0, 6);
    out->next_ms = out->is_dead ? 0 : db_i64(rows, 0, 4);
    return true;
}

bool task_store_trouble_job(struct db *db, int64_t job_id, struct db_rows *rows, struct task_trouble *out,
                            struct err *err)
{
    return trouble(db, Q_TASK_TROUBLE_JOB, job_id, rows, out, err);
}

bool task_store_trouble_prefix(struct db *db, int64_t prefix_id, struct db_rows *rows, struct task_trouble *out,
                               struct err *err)
{
    return trouble(db, Q_TASK_TROUBLE_PREFIX, prefix_id, rows, out, err);
}

void task_row_read(const struct db_rows *rows, int row, struct task_row *out)
{
    int c = 0;

    *out = (struct task_row){ 0 };
    out->id = db_i64(rows, row, c++);
    out->kind = db_text(rows, row, c++);
    out->subject_id = db_i64(rows, row, c++);
    out->state = db_text(rows, row, c++);
    out->attempts = db_i64(rows, row, c++);
    out->failures = db_i64(rows, row, c++);
    out->lost = db_i64(rows, row, c++);
    out->last_error = db_text(rows, row, c++);
    out->failing_since_ms = db_i64(rows, row, c++);
    out->due_ms = db_i64(rows, row, c++);
    out->lease_until_ms = db_i64(rows, row, c++);
    out->created_ms = db_i64(rows, row, c++);
    out->job_id = db_i64(rows, row, c++);
    out->prefix_id = db_i64(rows, row, c++);
}

bool task_store_list(struct db *db, const char *state, int64_t after, int limit, struct db_rows *rows, struct err *err)
{
    if (state && strcmp(state, "dead") == 0)
        return db_query(db, Q_TASK_LIST_DEAD, DB_ARGS(param_i64(after), param_i64(limit)), rows, err);
    return db_query(db, Q_TASK_LIST, DB_ARGS(param_text(state), param_i64(after), param_i64(limit)), rows, err);
}

bool task_store_get(struct db *db, int64_t id, struct db_rows *rows, struct task_row *out, struct err *err)
{
    if (!db_query(db, Q_TASK_GET, DB_ARGS(param_i64(id)), rows, err))
        return false;
    if (rows->count == 0)
        return err_set(err, ERR_NOT_FOUND, false, HERE, "there is no task %" PRId64, id);
    task_row_read(rows, 0, out);
    return true;
}

bool task_store_lock_dead(struct db *db, int64_t id, bool *dead, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };

    if (!db_need_transaction(db, "task_store_lock_dead", err) ||
        !db_query(db, Q_TASK_LOCK_DEAD, DB_ARGS(param_i64(id)), &rows, err))
        return false;
    *dead = rows.count > 0;
    return true;
}

bool task_store_forget_dead(struct db *db, int64_t kept_ms, struct err *err)
{
    return db_execute(db, Q_TASK_FORGET_DEAD, DB_ARGS(param_i64(kept_ms)), NULL, err);
}

bool task_store_counts(struct db *db, struct task_count *out, int max, int *count, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };

    if (!db_query(db, Q_TASK_COUNTS, DB_ARGS(param_i64(max)), &rows, err))
        return false;
    for (int i = 0; i < rows.count; i++) {
        out[i] = (struct task_count){ .count = db_i64(&rows, i, 2), .oldest_ms = db_i64(&rows, i, 3) };
        db_copy_text(out[i].kind, sizeof out[i].kind, db_text(&rows, i, 0));
        db_copy_text(out[i].state, sizeof out[i].state, db_text(&rows, i, 1));
    }
    *count = rows.count;
    return true;
}
