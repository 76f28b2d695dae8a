#include "sql/video_scan.h"

#include "sql/db_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

/* Of an id, the bits that come from the sequence. */
#define SEQUENCE_MASK INT64_C(4194303)

#define LAST_16                                                                                                        \
    "\xf4\x8f\xbf\xbf\xf4\x8f\xbf\xbf\xf4\x8f\xbf\xbf\xf4\x8f\xbf\xbf\xf4\x8f\xbf\xbf\xf4\x8f\xbf\xbf\xf4\x8f\xbf\xbf" \
    "\xf4\x8f\xbf\xbf\xf4\x8f\xbf\xbf\xf4\x8f\xbf\xbf\xf4\x8f\xbf\xbf\xf4\x8f\xbf\xbf\xf4\x8f\xbf\xbf\xf4\x8f\xbf\xbf" \
    "\xf4\x8f\xbf\xbf\xf4\x8f\xbf\xbf"
#define LAST_64 LAST_16 LAST_16 LAST_16 LAST_16

struct span video_scan_end(void)
{
    return SPAN_LIT(LAST_64 LAST_64 LAST_64 LAST_64);
}

bool video_scan_is_first(struct db *db, int64_t prefix_id, bool *is_first, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };

    if (!db_query(db, Q_VIDEO_SCAN_ANY, DB_ARGS(param_i64(prefix_id)), &rows, err))
        return false;
    *is_first = !db_bool(&rows, 0, 0);
    return true;
}

bool video_scan_ask_known(struct db *db, int64_t prefix_id, bool has_after, struct span after, struct span through,
                          int limit, struct err *err)
{
    return db_send(db, Q_VIDEO_SCAN_KNOWN,
                   DB_ARGS(param_i64(prefix_id), has_after ? param_span(after) : param_text(""), param_bool(!has_after),
                           param_span(through), param_i64(limit)),
                   err);
}

bool video_scan_take_known(struct db *db, struct db_rows *rows, struct err *err)
{
    return db_receive(db, rows, err);
}

void video_known_read(const struct db_rows *rows, int row, struct video_known *out)
{
    int c = 0;

    out->id = db_i64(rows, row, c++);
    out->name = db_span(rows, row, c++);
    out->size_bytes = db_i64(rows, row, c++);
    out->modified_ms = db_i64(rows, row, c++);
    out->etag = db_span(rows, row, c++);
    out->reason = db_span(rows, row, c++);
    out->is_vanished = db_bool(rows, row, c++);
}

bool video_scan_lock(struct db *db, int64_t prefix_id, struct err *err)
{
    AUTO(db_rows_done) struct db_rows locked = { 0 };

    if (!db_need_transaction(db, "video_scan_lock", err) ||
        !db_query(db, Q_PREFIX_SHARE, DB_ARGS(param_i64(prefix_id)), &locked, err))
        return false;
    return locked.count > 0 || err_set(err, ERR_NOT_FOUND, false, HERE, "there is no prefix %" PRId64, prefix_id);
}

bool video_scan_ids(struct db *db, int64_t count, struct video_ids *ids, struct err *err)
{
    /* What another session drew in between is not ours; then these are left unused. */
    for (int tries = 0; tries < 100; tries++) {
        AUTO(db_rows_done) struct db_rows rows = { 0 };

        if (!db_query(db, Q_VIDEO_SCAN_IDS, DB_ARGS(param_i64(count)), &rows, err))
            return false;
        *ids = (struct video_ids){ db_i64(&rows, 0, 0), db_i64(&rows, 0, 1), db_i64(&rows, 0, 2) };
        if (ids->last - ids->next + 1 == count)
            return true;
    }
    return err_set(err, ERR_DATABASE, true, HERE, "no %" PRId64 " ids in a row are to be had", count);
}

bool video_scan_add_begin(struct db *db, struct db_copy *copy, struct err *err)
{
    return db_copy_begin(db, Q_VIDEO_SCAN_ADD, copy, err);
}

void video_scan_add(struct db_copy *copy, struct video_ids *ids, int64_t prefix_id, struct span name,
                    int64_t size_bytes, int64_t modified_ms, struct span etag, struct span reason)
{
    assert(ids->next <= ids->last);
    db_copy_row(copy, 7);
    db_copy_i64(copy, ids->time_part | (ids->next++ & SEQUENCE_MASK));
    db_copy_i64(copy, prefix_id);
    db_copy_i64(copy, size_bytes);
    db_copy_time_ms(copy, modified_ms);
    db_copy_span(copy, name);
    db_copy_span(copy, etag);
    db_copy_span(copy, reason);
}

bool video_scan_change_begin(struct db *db, struct db_copy *copy, struct err *err)
{
    return db_need_transaction(db, "video_scan_change_begin", err) &&
           db_execute(db, Q_VIDEO_SCAN_CHANGE_TABLE, NULL, 0, NULL, err) &&
           db_copy_begin(db, Q_VIDEO_SCAN_CHANGE_COPY, copy, err);
}

void video_scan_change(struct db_copy *copy, int64_t id, int64_t size_bytes, int64_t modified_ms, struct span etag,
                       struct span reason)
{
    db_copy_row(copy, 5);
    db_copy_i64(copy, id);
    db_copy_i64(copy, size_bytes);
    db_copy_time_ms(copy, modified_ms);
    db_copy_span(copy, etag);
    db_copy_span(copy, reason);
}

void video_scan_vanish(struct db_copy *copy, int64_t id)
{
    db_copy_row(copy, 5);
    db_copy_i64(copy, id);
    for (int i = 0; i < 4; i++)
        db_copy_null(copy);
}

bool video_scan_change_apply(struct db *db, struct err *err)
{
    return db_query_planned(db, Q_VIDEO_SCAN_CHANGE, NULL, 0, NULL, NULL, err);
}
