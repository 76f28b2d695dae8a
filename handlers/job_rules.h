/* What both a job and a plan must pass before they are stored. */
#ifndef VIDBATCH_HANDLERS_JOB_RULES_H
#define VIDBATCH_HANDLERS_JOB_RULES_H

#include "handlers/idempotent.h"
#include "handlers/job_input.h"
#include "sql/prefix_store.h"

/* In the transaction that stores it: the service can run jobs, the default model is one, the prefix is there and its
 * scan did not fail, and every video that is named is one of its. rows keeps prefix's texts. False: err, or a problem
 * that is filled (answer_refuse). */
MUST_CHECK bool job_rules_pass(struct db *db, struct request *rq, struct reply *rp, const struct job_input *in,
                               struct db_rows *rows, struct prefix_row *prefix, struct answer *out, struct err *err);

#endif
