/* The JSON form of a plan. */
#ifndef VIDBATCH_HANDLERS_PLAN_JSON_H
#define VIDBATCH_HANDLERS_PLAN_JSON_H

#include "server/base/err.h"
#include "server/base/json_writer.h"
#include "server/http/http.h"
#include "sql/job_store.h"

/* "planning", "waiting", "ready", "refused", "launched" or "expired". Static text. */
const char *plan_state(const struct job_row *job, int64_t now_ms);
/* Reads what was found from the database. */
MUST_CHECK bool plan_json_put(struct json_writer *w, struct request *rq, const struct job_row *job, struct err *err);

#endif
