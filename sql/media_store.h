/* Table video_media: what a look into a video found, one row a video, valid at one ETag of it. */
#ifndef VIDBATCH_SQL_MEDIA_STORE_H
#define VIDBATCH_SQL_MEDIA_STORE_H

#include "sql/db.h"

struct media_new { /* spans with ptr NULL are NULL */
    int64_t video_id;
    struct span etag;
    int64_t checked_ms;
    int64_t duration_ms;   /* -1: not known */
    int32_t width, height; /* 0: not known */
    struct span container, codec, content_type;
    struct span refusal; /* ptr NULL: it can be run */
};
/* In a transaction: begin, add rows (each video once), end with db_copy_end, then merge, which replaces what was known
 * of them. */
MUST_CHECK bool media_store_copy(struct db *db, struct db_copy *copy, struct err *err);
void media_store_add(struct db_copy *copy, const struct media_new *row);
MUST_CHECK bool media_store_merge(struct db *db, struct err *err);

/* Of which of these videos (ids: a PostgreSQL array of numbers, "{1,2}") it is known for good whether they can be run,
 * and at which ETag: rows for media_known_read, in any order. Refusals that can pass (archived, denied,
 * unreadable, vanished, changed) do not count as known. */
MUST_CHECK bool media_store_known(struct db *db, const char *ids, struct db_rows *rows, struct err *err);
/* *any: of some video of the prefix more is known than that S3 would not hand it out (denied, unreadable). */
MUST_CHECK bool media_store_any_read(struct db *db, int64_t prefix_id, bool *any, struct err *err);
/* *position: in ids, from 0 on. The ETag is borrowed from the rows. */
void media_known_read(const struct db_rows *rows, int row, int64_t *position, struct span *etag);

#endif
