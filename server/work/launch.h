/* Launching what was planned: the only way in which a job leaves `planned`, whoever asks. The budgets - the job's own
 * limit, that of the key that began it, and the service's - are judged here, so that nothing is staged that may cost
 * more than it should. */
#ifndef VIDBATCH_WORK_LAUNCH_H
#define VIDBATCH_WORK_LAUNCH_H

#include "server/base/err.h"
#include "server/base/json_writer.h"
#include "server/base/span.h"
#include "server/work/models.h"
#include "sql/db.h"

struct launch_rules {
    const struct models *models;
    const char *region;
    int64_t monthly_budget_micros; /* of the whole service and a calendar month (UTC); 0: none */
};

enum { LAUNCH_WORDS = 500 };
struct launch_refusal {
    const char *code;          /* NULL: not refused; "budget_exceeded", "price_unknown": static */
    char words[LAUNCH_WORDS];  /* for the one that asked to launch it */
    char stored[LAUNCH_WORDS]; /* for the job, which others see: without the key's name and the sums of a month */
    bool is_of_month;          /* a month's budget was passed, not the job's own limit */
    bool is_of_service;        /* and it was the whole service's, not a key's */
    int64_t estimate_micros, limit_micros; /* the two numbers of "budget_exceeded" */
    int64_t spent_micros;                  /* of the month, without this job; 0 where the job's own limit was passed */
    char currency[8];
};

/* What a job may cost, and the limit of its own. Texts borrowed. */
struct launch_cost {
    int64_t job_id;
    const char *model_id, *currency; /* currency NULL: no price is known */
    bool has_estimate, has_max_cost;
    int64_t high_micros, max_cost_micros;
};

/* Could a job that costs so much start now? Holds nothing: others may spend the same rest of the month before this one
 * starts. refusal is written in any case. Any thread. */
MUST_CHECK bool launch_foresee(struct db *db, const struct launch_rules *rules, const struct launch_cost *cost,
                               struct launch_refusal *refusal, struct err *err);
/* The same, and holds what is left of the month until the transaction ends: the last thing before launch_job, for all
 * other launches wait meanwhile. In a transaction. */
MUST_CHECK bool launch_judge(struct db *db, const struct launch_rules *rules, const struct launch_cost *cost,
                             struct launch_refusal *refusal, struct err *err);
/* Writes for the job itself, where the refusal is "budget_exceeded", "estimated", and where it is the job's own limit
 * "limit" and "spent", as decimal texts. */
void launch_put_amounts(struct json_writer *w, const struct launch_refusal *refusal);
/* Launches a planned job that was judged: launched_at, state staging, the tasks of its shards, event job.launched. In a
 * transaction that holds the job's lock. name, metadata: ptr NULL leaves them.
 * ERR_CONFLICT, code "not_planned", where the job is not planned. Any thread. */
MUST_CHECK bool launch_job(struct db *db, int64_t job_id, struct span name, struct span metadata, struct err *err);

#endif
