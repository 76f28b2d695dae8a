/* Table video, but for what a scan writes (video_scan.h). */
#ifndef VIDBATCH_SQL_VIDEO_STORE_H
#define VIDBATCH_SQL_VIDEO_STORE_H

#include "sql/db.h"

struct video_row { /* texts borrowed from the rows */
    int64_t id, prefix_id, size_bytes, modified_ms, vanished_ms;
    const char *name, *etag, *reason; /* reason NULL: eligible */
    const char *bucket, *key_prefix;  /* the key is key_prefix + name */
    const char *bucket_owner;         /* or NULL */
    const char *region;               /* of the bucket */
    struct {                          /* the latest look into it at its present ETag */
        int64_t checked_ms;           /* 0: there was none */
        bool has_duration, has_size;
        int64_t duration_ms;
        int width, height;
        const char *container, *codec, *content_type; /* NULL: not known */
        const char *refusal;                          /* why it can't be run; NULL: it can */
    } media;
};
/* Why it can't be run, whoever found that: "vanished", or the scan's reason, or the look's; NULL: it can. */
const char *video_row_reason(const struct video_row *video);
void video_row_read(const struct db_rows *rows, int row, struct video_row *out);

/* Of prefixes that are deleted too (their summaries stay readable). ERR_NOT_FOUND. */
MUST_CHECK bool video_store_get(struct db *db, int64_t id, struct db_rows *rows, struct video_row *out,
                                struct err *err);

enum video_filter { VIDEO_ALL, VIDEO_ELIGIBLE, VIDEO_NOT_ELIGIBLE };
/* In key order after after_name ("" with has_after false: from the start); vanished ones left out. */
MUST_CHECK bool video_store_list(struct db *db, int64_t prefix_id, enum video_filter filter, bool has_after,
                                 struct span after_name, int limit, struct db_rows *rows, struct err *err);

/* How many videos a job would take now: eligible, not vanished, and in mode "new" without a succeeded summary for this
 * recipe (32 bytes) at their present ETag. Mode "in_progress": how many of those that are eligible a job that has not
 * ended asks the same question about. */
MUST_CHECK bool video_store_count_selected(struct db *db, int64_t prefix_id, const char *select_mode,
                                           const unsigned char recipe[32], int64_t *count, struct err *err);
/* The same, but stops counting at at_most and gives up after patience_ms: *known false, *count 0. In a transaction,
 * which goes on either way. */
MUST_CHECK bool video_store_count_selected_up_to(struct db *db, int64_t prefix_id, const char *select_mode,
                                                 const unsigned char recipe[32], int64_t at_most, int64_t patience_ms,
                                                 int64_t *count, bool *known, struct err *err);

#endif
