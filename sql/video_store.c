#include "sql/video_store.h"

#include "sql/db_internal.h"

#include <inttypes.h>
#include <string.h>

void video_row_read(const struct db_rows *rows, int row, struct video_row *out)
{
    int c = 0;

    *out = (struct video_row){ 0 };
    out->id = db_i64(rows, row, c++);
    out->prefix_id = db_i64(rows, row, c++);
    out->size_bytes = db_i64(rows, row, c++);
    out->modified_ms = db_i64(rows, row, c++);
    out->vanished_ms = db_i64(rows, row, c++);
    out->name = db_text(rows, row, c++);
    out->etag = db_text(rows, row, c++);
    out->reason = db_text(rows, row, c++);
    out->bucket = db_text(rows, row, c++);
    out->key_prefix = db_text(rows, row, c++);
    out->bucket_owner = db_text(rows, row, c++);
    out->region = db_text(rows, row, c++);
    out->media.checked_ms = db_i64(rows, row, c++);
    out->media.has_duration = !db_is_null(rows, row, c);
    out->media.duration_ms = db_i64(rows, row, c++);
    out->media.has_size = !db_is_null(rows, row, c);
    out->media.width = (int)db_i64(rows, row, c++);
    out->media.height = (int)db_i64(rows, row, c++);
    out->media.container = db_text(rows, row, c++);
    out->media.codec = db_text(rows, row, c++);
    out->media.content_type = db_text(rows, row, c++);
    out->media.refusal = db_text(rows, row, c++);
}

const char *video_row_reason(const struct video_row *video)
{
    if (video->vanished_ms)
        return "vanished";
    return video->reason ? video->reason : video->media.refusal;
}

bool video_store_get(struct db *db, int64_t id, struct db_rows *rows, struct video_row *out, struct err *err)
{
    if (!db_query(db, Q_VIDEO_GET, DB_ARGS(param_i64(id)), rows, err))
        return false;
    if (rows->count == 0) {
        db_rows_done(rows);
        return err_set(err, ERR_NOT_FOUND, false, HERE, "there is no video %" PRId64, id);
    }
    video_row_read(rows, 0, out);
    return true;
}

bool video_store_list(struct db *db, int64_t prefix_id, enum video_filter filter, bool has_after,
                      struct span after_name, int limit, struct db_rows *rows, struct err *err)
{
    enum query query = filter == VIDEO_ALL        ? Q_VIDEO_LIST
                       : filter == VIDEO_ELIGIBLE ? Q_VIDEO_LIST_ELIGIBLE
                                                  : Q_VIDEO_LIST_REFUSED;

    return db_query_planned(db, query,
                            DB_ARGS(param_i64(prefix_id), has_after ? param_span(after_name) : param_text(""),
                                    param_bool(!has_after), param_i64(limit)),
                            rows, NULL, err);
}

static bool count_selected(struct db *db, int64_t prefix_id, const char *select_mode, const unsigned char recipe[32],
                           struct param at_most, int64_t *count, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    char hex[DB_HEX_SIZE];
    bool ok = false;

    db_hex32(recipe, hex);
    if (strcmp(select_mode, "new") == 0)
        ok = db_query_planned(db, Q_VIDEO_COUNT_NEW, DB_ARGS(param_i64(prefix_id), param_text(hex), at_most), &rows,
                              NULL, err);
    else if (strcmp(select_mode, "in_progress") == 0)
        ok = db_query_planned(db, Q_VIDEO_COUNT_ACTIVE, DB_ARGS(param_i64(prefix_id), param_text(hex), at_most), &rows,
                              NULL, err);
    else
        ok = db_query_planned(db, Q_VIDEO_COUNT_ALL, DB_ARGS(param_i64(prefix_id), at_most), &rows, NULL, err);
    if (ok)
        *count = db_i64(&rows, 0, 0);
    return ok;
}

bool video_store_count_selected(struct db *db, int64_t prefix_id, const char *select_mode,
                                const unsigned char recipe[32], int64_t *count, struct err *err)
{
    return count_selected(db, prefix_id, select_mode, recipe, param_i64_or_null(false, 0), count, err);
}

bool video_store_count_selected_up_to(struct db *db, int64_t prefix_id, const char *select_mode,
                                      const unsigned char recipe[32], int64_t at_most, int64_t patience_ms,
                                      int64_t *count, bool *known, struct err *err)
{
    struct err slow = { 0 };
    int64_t found = 0;
    bool counted = false;

    if (!db_need_transaction(db, "video_store_count_selected_up_to", err) ||
        !db_script(db, "video_count", "SAVEPOINT video_count", err) ||
        !db_query(db, Q_VIDEO_COUNT_PATIENCE, DB_ARGS(param_i64(patience_ms)), NULL, err))
        return false;
    counted = count_selected(db, prefix_id, select_mode, recipe, param_i64(at_most), &found, &slow);
    if (!counted && strcmp(slow.code, "query_timeout") != 0) {
        if (err)
            *err = slow;
        return false;
    }
    /* Nothing was written: this only gives the transaction its life and its own timeout back. */
    if (!db_script(db, "video_count", "ROLLBACK TO SAVEPOINT video_count; RELEASE SAVEPOINT video_count", err))
        return false;
    *known = counted;
    *count = found;
    return true;
}
