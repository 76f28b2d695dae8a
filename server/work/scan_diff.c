#include "server/work/scan_diff.h"

#include "server/base/mem.h"
#include "sql/video_scan.h"

#include <string.h>

enum { BATCH_ROWS = 20000, BATCH_TEXT_BYTES = 4 * 1024 * 1024, KNOWN_PAGE = 2000 };

struct scan_row {
    int64_t id; /* of changed ones */
    int64_t size_bytes, modified_ms;
    size_t name, name_len, etag, etag_len; /* in texts */
    const char *reason;
    bool is_gone;
};

bool scan_diff_init(struct scan_diff *diff, struct step *step, int64_t prefix_id, struct err *err)
{
    *diff = (struct scan_diff){ .step = step, .prefix_id = prefix_id };
    buf_init(&diff->texts, 2 * (size_t)BATCH_TEXT_BYTES);
    buf_init(&diff->after, 4096);
    diff->fresh = mem_alloc(BATCH_ROWS, sizeof *diff->fresh);
    diff->changed = mem_alloc(BATCH_ROWS, sizeof *diff->changed);
    if (!diff->fresh || !diff->changed)
        return err_memory(err, HERE);
    return video_scan_is_first(step->db, prefix_id, &diff->is_first, err);
}

void scan_diff_done(struct scan_diff *diff)
{
    mem_free(diff->fresh);
    mem_free(diff->changed);
    diff->fresh = diff->changed = NULL;
    buf_done(&diff->texts);
    buf_done(&diff->after);
}

/* ---- writing ---- */

static struct span text(const struct scan_diff *diff, size_t at, size_t len)
{
    return (struct span){ len > 0 ? diff->texts.data + at : "", len };
}

static struct span reason_span(const char *reason)
{
    return reason ? span_of(reason) : (struct span){ NULL, 0 };
}

static bool write_fresh(struct db *db, const struct scan_diff *diff, struct err *err)
{
    struct db_copy copy = { 0 };
    struct video_ids ids;

    if (!video_scan_ids(db, (int64_t)diff->fresh_count, &ids, err) || !video_scan_add_begin(db, &copy, err))
        return false;
    for (size_t i = 0; i < diff->fresh_count; i++) {
        const struct scan_row *row = &diff->fresh[i];

        video_scan_add(&copy, &ids, diff->prefix_id, text(diff, row->name, row->name_len), row->size_bytes,
                       row->modified_ms, text(diff, row->etag, row->etag_len), reason_span(row->reason));
    }
    return db_copy_end(&copy, err);
}

static bool write_changed(struct db *db, const struct scan_diff *diff, struct err *err)
{
    struct db_copy copy = { 0 };

    if (!video_scan_change_begin(db, &copy, err))
        return false;
    for (size_t i = 0; i < diff->changed_count; i++) {
        const struct scan_row *row = &diff->changed[i];

        if (row->is_gone)
            video_scan_vanish(&copy, row->id);
        else
            video_scan_change(&copy, row->id, row->size_bytes, row->modified_ms, text(diff, row->etag, row->etag_len),
                              reason_span(row->reason));
    }
    return db_copy_end(&copy, err) && video_scan_change_apply(db, err);
}

static bool write_batch(struct db *db, void *arg, struct err *err)
{
    const struct scan_diff *diff = arg;

    return task_store_fence(db, &diff->step->task, err) && video_scan_lock(db, diff->prefix_id, err) &&
           (diff->fresh_count == 0 || write_fresh(db, diff, err)) &&
           (diff->changed_count == 0 || write_changed(db, diff, err));
}

bool scan_diff_flush(struct scan_diff *diff, struct err *err)
{
    if (diff->fresh_count == 0 && diff->changed_count == 0)
        return true;
    if (!buf_check(&diff->texts, "a scan's differences", err))
        return false;
    if (!db_transaction(diff->step->db, write_batch, diff, err)) {
        /* Somebody else added a video meanwhile: the next attempt knows of it. */
        if (strcmp(err->code, "unique_violation") == 0)
            err->retryable = true;
        return false;
    }
    diff->fresh_count = diff->changed_count = 0;
    buf_reset(&diff->texts);
    return true;
}

/* ---- comparing ---- */

/* Room for one more row of each kind. */
static bool make_room(struct scan_diff *diff, struct err *err)
{
    if (diff->fresh_count < BATCH_ROWS && diff->changed_count < BATCH_ROWS && diff->texts.len < BATCH_TEXT_BYTES)
        return true;
    return step_alive(diff->step, err) && scan_diff_flush(diff, err);
}

static void fill_row(struct scan_diff *diff, struct scan_row *row, const struct scan_found *found)
{
    *row = (struct scan_row){ .size_bytes = found->size_bytes,
                              .modified_ms = found->modified_ms,
                              .reason = found->reason,
                              .name = diff->texts.len,
                              .name_len = found->name.len,
                              .etag = diff->texts.len + found->name.len,
                              .etag_len = found->etag.len };
    buf_span(&diff->texts, found->name);
    buf_span(&diff->texts, found->etag);
}

static bool add_fresh(struct scan_diff *diff, const struct scan_found *found, struct err *err)
{
    if (!make_room(diff, err))
        return false;
    fill_row(diff, &diff->fresh[diff->fresh_count++], found);
    diff->inserted++;
    return true;
}

static bool is_same(const struct video_known *known, const struct scan_found *found)
{
    return !known->is_vanished && known->size_bytes == found->size_bytes && known->modified_ms == found->modified_ms &&
           span_eq(known->etag, found->etag) &&
           (found->reason ? span_eq_text(known->reason, found->reason) : !known->reason.ptr);
}

static bool take_known(struct scan_diff *diff, const struct video_known *known, const struct scan_found *found,
                       struct err *err)
{
    struct scan_row *row;

    if (found ? is_same(known, found) : known->is_vanished)
        return true;
    if (!make_room(diff, err))
        return false;
    row = &diff->changed[diff->changed_count++];
    if (found)
        fill_row(diff, row, found);
    else
        *row = (struct scan_row){ .is_gone = true };
    row->id = known->id;
    if (found)
        diff->updated++;
    else
        diff->vanished++;
    return true;
}

static int compare_names(struct span a, struct span b)
{
    const size_t len = a.len < b.len ? a.len : b.len;
    const int order = len > 0 ? memcmp(a.ptr, b.ptr, len) : 0;

    return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* Holds a page of what is known against what was found from *at on; *at is then the first that lies behind the page. */
static bool merge_page(struct scan_diff *diff, const struct db_rows *rows, const struct scan_found *found, size_t count,
                       size_t *at, struct err *err)
{
    for (int i = 0; i < rows->count; i++) {
        struct video_known known;
        int order = 1;

        video_known_read(rows, i, &known);
        while (*at < count && (order = compare_names(found[*at].name, known.name)) < 0)
            if (!add_fresh(diff, &found[(*at)++], err))
                return false;
        if (!take_known(diff, &known, *at < count && order == 0 ? &found[*at] : NULL, err))
            return false;
        if (*at < count && order == 0)
            (*at)++;
    }
    return true;
}

bool scan_diff_stretch(struct scan_diff *diff, bool has_after, struct span after, struct span through,
                       const struct scan_found *found, size_t count, struct err *err)
{
    size_t at = 0;

    for (bool more = !diff->is_first; more;) {
        AUTO(db_rows_done) struct db_rows rows = { 0 };
        struct video_known last;

        if (!video_scan_known(diff->step->db, diff->prefix_id, has_after, after, through, KNOWN_PAGE, &rows, err) ||
            !merge_page(diff, &rows, found, count, &at, err))
            return false;
        more = rows.count == KNOWN_PAGE;
        if (!more)
            break;
        video_known_read(&rows, rows.count - 1, &last);
        has_after = true;
        buf_reset(&diff->after);
        buf_span(&diff->after, last.name);
        after = buf_view(&diff->after);
    }
    while (at < count)
        if (!add_fresh(diff, &found[at++], err))
            return false;
    return true;
}
