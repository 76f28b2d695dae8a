/* Table event: the story of a job, appended in the transaction of what happened. */
#ifndef VIDBATCH_SQL_EVENT_STORE_H
#define VIDBATCH_SQL_EVENT_STORE_H

#include "sql/db.h"

/* kind: "job.created", "shard.submitted" ...; detail_json may be NULL. */
MUST_CHECK bool event_store_add(struct db *db, int64_t job_id, const char *kind, const char *detail_json,
                                struct err *err);

#endif
