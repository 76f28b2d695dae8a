/* Table unread_line: lines of outputs that could not be used, the first of each shard. A new round of ingest forgets
 * them (shard_store_ingest_reset). */
#ifndef VIDBATCH_SQL_UNREAD_LINE_STORE_H
#define VIDBATCH_SQL_UNREAD_LINE_STORE_H

#include "sql/db.h"

enum { UNREAD_LINES_KEPT = 100 }; /* of a shard */

struct unread_line { /* texts borrowed: from the caller, or from the rows */
    int64_t id, job_id, shard_id;
    struct span file; /* the object's key */
    int64_t offset, bytes;
    const char *kind; /* "malformed", "unknown" */
    const char *problem;
    struct span head; /* storable */
};
/* Nothing happens where the shard has UNREAD_LINES_KEPT of them, or this one. */
MUST_CHECK bool unread_line_store_add(struct db *db, const struct unread_line *line, struct err *err);
MUST_CHECK bool unread_line_store_list(struct db *db, int64_t job_id, int64_t after, int limit, struct db_rows *rows,
                                       struct err *err);
void unread_line_read(const struct db_rows *rows, int row, struct unread_line *out);

#endif
