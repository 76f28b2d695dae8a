/* POST /v1/jobs {"plan_id"}: launching what was planned. */
#ifndef VIDBATCH_HANDLERS_JOB_LAUNCH_H
#define VIDBATCH_HANDLERS_JOB_LAUNCH_H

#include "handlers/idempotent.h"
#include "handlers/job_input.h"

/* In a transaction: launches the plan in->plan_id, unless it is launched, expired, refused or not ready, its videos are
 * no longer what they were, or it costs more than it may. False: err, or a problem that is filled (answer_refuse). */
MUST_CHECK bool job_launch_plan(struct db *db, struct request *rq, struct reply *rp, const struct job_input *in,
                                struct answer *out, struct err *err);
/* The job as the answer to what made or launched it (202). */
MUST_CHECK bool job_create_answer(struct db *db, struct request *rq, int64_t id, struct answer *out, struct err *err);

#endif
