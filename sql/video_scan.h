/* What a scan reads and writes of table video: the names that are known of a stretch of a prefix, then only the
 * differences. */
#ifndef VIDBATCH_SQL_VIDEO_SCAN_H
#define VIDBATCH_SQL_VIDEO_SCAN_H

#include "sql/db.h"

/* A name behind all others: no key is longer than 1,024 bytes, and this is 256 times the last character. */
struct span video_scan_end(void);

/* Is nothing known of the prefix yet? */
MUST_CHECK bool video_scan_is_first(struct db *db, int64_t prefix_id, bool *is_first, struct err *err);

struct video_known { /* texts borrowed from the rows */
    int64_t id, size_bytes, modified_ms;
    struct span name, etag, reason; /* reason.ptr NULL: eligible */
    bool is_vanished;
};
/* In order of names, those in (after, through], vanished ones too; with has_after false from the beginning on. Asked
 * and taken apart: db is busy in between, and the caller is not. */
MUST_CHECK bool video_scan_ask_known(struct db *db, int64_t prefix_id, bool has_after, struct span after,
                                     struct span through, int limit, struct err *err);
MUST_CHECK bool video_scan_take_known(struct db *db, struct db_rows *rows, struct err *err);
void video_known_read(const struct db_rows *rows, int row, struct video_known *out);

/* In a transaction, first: keeps the prefix from being deleted until it ends. ERR_NOT_FOUND when it is. */
MUST_CHECK bool video_scan_lock(struct db *db, int64_t prefix_id, struct err *err);

/* New videos, by COPY: ids for at most so many, begin, add .. add, db_copy_end. A name that is there: ERR_CONFLICT,
 * code "unique_violation". */
struct video_ids {
    int64_t time_part, next, last; /* as next_id() makes them */
};
MUST_CHECK bool video_scan_ids(struct db *db, int64_t count, struct video_ids *ids, struct err *err);
MUST_CHECK bool video_scan_add_begin(struct db *db, struct db_copy *copy, struct err *err);
void video_scan_add(struct db_copy *copy, struct video_ids *ids, int64_t prefix_id, struct span name,
                    int64_t size_bytes, int64_t modified_ms, struct span etag,
                    struct span reason /* ptr NULL: eligible */);

/* Changed and vanished ones, in a transaction: begin, change/vanish .., db_copy_end, apply. A changed one is there
 * again. */
MUST_CHECK bool video_scan_change_begin(struct db *db, struct db_copy *copy, struct err *err);
void video_scan_change(struct db_copy *copy, int64_t id, int64_t size_bytes, int64_t modified_ms, struct span etag,
                       struct span reason);
void video_scan_vanish(struct db_copy *copy, int64_t id);
MUST_CHECK bool video_scan_change_apply(struct db *db, struct err *err);

#endif
