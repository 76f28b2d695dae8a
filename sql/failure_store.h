/* Failed and missing records of a job, over the tables summary and record. */
#ifndef VIDBATCH_SQL_FAILURE_STORE_H
#define VIDBATCH_SQL_FAILURE_STORE_H

#include "sql/record_store.h"

struct failure_row { /* one example of one cause; texts borrowed */
    const char *code;
    int64_t count, missing; /* of the cause: all of its records, and those of them without any result */
    struct record_row record;
};
void failure_row_read(const struct db_rows *rows, int row, struct failure_row *out);
/* The causes of a job's failures, the most frequent first; up to three rows a cause, next to each other.
 * catalogue_json: what tells the causes (the caller's; a row of it is described in failure_groups.sql). */
MUST_CHECK bool failure_store_groups(struct db *db, int64_t job_id, const char *catalogue_json, struct db_rows *rows,
                                     struct err *err);

#endif
