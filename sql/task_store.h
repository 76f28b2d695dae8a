/* Table task: the work queue. Every change of a claimed task names its attempt, so that a worker whose lease ran out
 * changes nothing. */
#ifndef VIDBATCH_SQL_TASK_STORE_H
#define VIDBATCH_SQL_TASK_STORE_H

#include "sql/db.h"

struct task {
    int64_t id;
    int64_t subject_id;
    int attempt;
    int failures; /* in a row */
    int lost;     /* leases that ran out in a row before this attempt */
    char kind[16];
};

/* Makes sure that the task runs (again) after delay_ms: inserts it, or moves a waiting one forward (never back), or
 * marks a running one so that it runs once more, or revives a dead one. */
MUST_CHECK bool task_store_add(struct db *db, const char *kind, int64_t subject_id, int64_t delay_ms, struct err *err);
/* Claims the task that has waited longest among these kinds ("{scan,plan}" as an SQL array), or one whose lease ran
 * out. */
MUST_CHECK bool task_store_claim(struct db *db, const char *kinds, const char *worker, int64_t lease_ms,
                                 struct task *out, bool *found, struct err *err);
/* Extends the lease; *held false: it is lost. */
MUST_CHECK bool task_store_heartbeat(struct db *db, const struct task *task, int64_t lease_ms, bool *held,
                                     struct err *err);
/* Inside a transaction: keeps others from claiming the task until the end (pokes and heartbeats pass) and fails with
 * ERR_CANCELLED, code "lease_lost", where it is no longer ours. First thing in every transaction of a step. */
MUST_CHECK bool task_store_fence(struct db *db, const struct task *task, struct err *err);
/* In a transaction that stored progress: failures in a row start anew, here and in *task. */
MUST_CHECK bool task_store_progress(struct db *db, struct task *task, struct err *err);
/* The next four end a claim, and fail with ERR_CANCELLED, code "lease_lost", where the task is no longer ours.
 * The step is complete: the row goes (or is ready again where it was poked). Inside the step's last transaction. */
MUST_CHECK bool task_store_done(struct db *db, const struct task *task, struct err *err);
/* Run again after delay_ms. last_error NULL: not a failure (failures becomes 0); else failures grows, or is 1 at least
 * where this one does not count. The leases that were lost in a row become task->lost: 0 where it was run. */
MUST_CHECK bool task_store_again(struct db *db, const struct task *task, int64_t delay_ms, const char *last_error,
                                 bool counts, struct err *err);
/* Given up; stays visible (ready again where it was poked meanwhile). job_id: of the job that it belongs to; 0: none.
 */
MUST_CHECK bool task_store_dead(struct db *db, const struct task *task, int64_t job_id, const char *last_error,
                                struct err *err);
/* Shutting down: ready at once for another worker; the attempt does not count as a failure. */
MUST_CHECK bool task_store_release(struct db *db, const struct task *task, struct err *err);
/* The lease was lost, but not whoever held it: takes it off the count of leases lost in a row. */
MUST_CHECK bool task_store_survived(struct db *db, const struct task *task, struct err *err);
/* As task_store_release, for all that `worker` has claimed but those in `known` ("{1,2}" as an SQL array): claims whose
 * answer was lost. */
MUST_CHECK bool task_store_release_orphans(struct db *db, const char *worker, const char *known, int64_t *released,
                                           struct err *err);
/* Milliseconds until the next task of these kinds is due or its lease ends; -1 when there is none. */
MUST_CHECK bool task_store_next_due(struct db *db, const char *kinds, int64_t *in_ms, struct err *err);
/* Removes the task, waiting or dead (a running one is left). */
MUST_CHECK bool task_store_remove(struct db *db, const char *kind, int64_t subject_id, struct err *err);

struct task_trouble {    /* a step that failed, and will be tried again; or is dead */
    const char *step;    /* kind of task; both texts borrowed from the rows. NULL: nothing is wrong */
    const char *message; /* of the last failure */
    int64_t id;
    int64_t failures; /* in a row */
    int64_t next_ms;  /* wall clock of the next try; 0 of a dead one */
    int64_t since_ms; /* of the first of these failures; 0: not known */
    bool is_dead;
};
/* The worst of a job (its shards and their files, and the watch, count), or of a prefix's scan. */
MUST_CHECK bool task_store_trouble_job(struct db *db, int64_t job_id, struct db_rows *rows, struct task_trouble *out,
                                       struct err *err);
MUST_CHECK bool task_store_trouble_prefix(struct db *db, int64_t prefix_id, struct db_rows *rows,
                                          struct task_trouble *out, struct err *err);

struct task_row { /* texts borrowed from the rows */
    int64_t id, subject_id;
    const char *kind, *state, *last_error; /* last_error NULL: it has not failed */
    int64_t attempts, failures, lost;
    int64_t failing_since_ms, due_ms, lease_until_ms, created_ms; /* wall clock; 0: none */
    int64_t job_id, prefix_id;                                    /* 0: it belongs to none */
};
void task_row_read(const struct db_rows *rows, int row, struct task_row *out);
/* Oldest first; state NULL: any. */
MUST_CHECK bool task_store_list(struct db *db, const char *state, int64_t after, int limit, struct db_rows *rows,
                                struct err *err);
/* ERR_NOT_FOUND. */
MUST_CHECK bool task_store_get(struct db *db, int64_t id, struct db_rows *rows, struct task_row *out, struct err *err);
/* Inside a transaction: *dead, and so until its end. */
MUST_CHECK bool task_store_lock_dead(struct db *db, int64_t id, bool *dead, struct err *err);
/* Removes dead tasks of jobs that have ended, and of scans, that are older than this. */
MUST_CHECK bool task_store_forget_dead(struct db *db, int64_t kept_ms, struct err *err);

struct task_count {
    char kind[16];
    char state[16];
    int64_t count;
    int64_t oldest_ms; /* since the oldest was due; 0 where none is */
};
MUST_CHECK bool task_store_counts(struct db *db, struct task_count *out, int max, int *count, struct err *err);

#endif
