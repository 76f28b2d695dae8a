/* One step of a job's life: a function over a claimed task. Inside server/work only.
 *
 * A step returns true when its last transaction, which ended the task (task_store_done), is committed, or after it set
 * again_ms: then the runner puts the task back. It returns false with err on a failure: a retryable one is tried again
 * with backoff; any other, and the last of too many, goes to the kind's `give_up`, which writes the failure where users
 * see it and leaves the task dead. Every step may be killed anywhere and run again; one whose worker is lost too often
 * in a row is given up unrun, with the code "worker_lost": it may be what ends the process; not so the watch. */
#ifndef VIDBATCH_WORK_STEP_H
#define VIDBATCH_WORK_STEP_H

#include "aws/client.h"
#include "server/base/err.h"
#include "server/work/work.h"
#include "sql/task_store.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* At most, AWS's clock and the database's: a look for what was asked for begins so much earlier. */
enum { CLOCKS_DIFFER_MS = 24 * 3600 * 1000 };

struct step {
    const struct work_settings *settings;
    struct db *db;
    struct db *aside_db; /* for a thread beside the step (aside.h); connects when it is first used */
    struct aws *aws;
    struct aws_client *client;
    struct task task;
    atomic_bool *lease_lost; /* set by the keeper of leases */
    atomic_bool *stopping;
    int64_t again_ms; /* -1: the task is ended; else run it again after so long */
};

/* False with ERR_CANCELLED when the lease is lost or the process stops: asked wherever a step could go on for long. */
MUST_CHECK bool step_alive(const struct step *step, struct err *err);
/* Is another attempt worth it? What a short memory or a database says may pass, whatever it is. */
bool step_may_pass(const struct err *cause);
/* For callbacks of aws/ that want a plain answer. */
bool step_is_alive(void *step);

/* From here on the log names the job too, for steps whose subject is another. */
void step_about_job(const struct step *step, int64_t job_id);

/* There is nothing (more) to do: ends the task in a transaction of its own. */
MUST_CHECK bool step_end(struct step *step, struct err *err);

typedef bool step_fn(struct step *step, struct err *err);
typedef bool step_give_up_fn(struct step *step, const struct err *cause, struct err *err);

struct step_kind {
    const char *name;
    const char *id_prefix; /* of its subject, for the log */
    step_fn *run;
    step_give_up_fn *give_up;
    bool is_long; /* may hold a worker for minutes: such kinds never take all workers */
};
enum { STEP_KINDS = 14 };
extern const struct step_kind step_kinds[STEP_KINDS];

step_fn step_scan, step_plan, step_stage, step_submit, step_watch, step_ingest, step_finish, step_cancel, step_sweep,
    step_invoke, step_ingest_file, step_import, step_expire, step_index;
step_give_up_fn step_scan_give_up, step_job_give_up, step_shard_give_up, step_submit_give_up, step_keep_trying,
    step_ingest_give_up, step_invoke_give_up, step_ingest_file_give_up, step_import_give_up;

/* In a transaction: ends a shard for good. Records without a row become `missing` with these words; counts are taken
 * from the rows; the job's finish task is added. to: "completed", "failed", "cancelled". error_json may be NULL. */
MUST_CHECK bool shard_end(struct step *step, int64_t shard_id, int64_t job_id, int ingest_round, const char *to,
                          const char *reason, const char *words, const char *error_json, struct err *err);

struct shard_row;
/* The same for a shard whose step is given up, in a transaction of its own: it has failed, the job's story says so, and
 * the step's task is dead. */
MUST_CHECK bool shard_fail(struct step *step, const struct shard_row *shard, int ingest_round, const char *reason,
                           const char *words, const char *error_json, struct err *err);

/* {"code","message","upstream"?} for the error columns. */
void error_to_json(const struct err *cause, struct buf *out);
void error_words_to_json(const char *code, const char *message, struct buf *out);
/* What a Bedrock job's end means for people: status, AWS's message, and the remedy of the catalogue. Appended as text.
 */
void bedrock_end_words(const char *status, const char *message, struct buf *out);

#endif
