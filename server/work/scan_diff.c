#include "server/work/scan_diff.h"

#include "server/base/mem.h"
#include "sql/video_scan.h"

#include <stdlib.h>
#include <string.h>

enum { BATCH_ROWS = 20000, BATCH_TEXT_BYTES = 4 * 1024 * 1024, KNOWN_PAGE = 2000, HELD_TEXT_BYTES = 16 * 1024 * 1024 };

struct scan_row {
    int64_t id; /* of changed ones */
    int64_t size_bytes, modified_ms;
    size_t name, name_len, etag, etag_len; /* in texts */
    const char *reason;
    bool is_gone;
};

static bool batch_init(struct scan_batch *batch, const struct step *step, int64_t prefix_id, struct err *err)
{
    *batch = (struct scan_batch){ .step = step, .prefix_id = prefix_id };
    buf_init(&batch->texts, 2 * (size_t)BATCH_TEXT_BYTES);
    batch->fresh = mem_alloc(BATCH_ROWS, sizeof *batch->fresh);
    batch->changed = mem_alloc(BATCH_ROWS, sizeof *batch->changed);
    return (batch->fresh && batch->changed) || err_memory(err, HERE);
}

bool scan_diff_init(struct scan_diff *diff, struct step *step, int64_t prefix_id, struct err *err)
{
    *diff = (struct scan_diff){ .step = step, .prefix_id = prefix_id, .filling = diff->batches };
    buf_init(&diff->held.texts, HELD_TEXT_BYTES);
    return batch_init(&diff->batches[0], step, prefix_id, err) && batch_init(&diff->batches[1], step, prefix_id, err) &&
           video_scan_is_first(step->db, prefix_id, &diff->is_first, err) && aside_start(step, &diff->aside, err);
}

void scan_diff_done(struct scan_diff *diff)
{
    aside_end(diff->aside);
    for (size_t i = 0; i < 2; i++) {
        mem_free(diff->batches[i].fresh);
        mem_free(diff->batches[i].changed);
        buf_done(&diff->batches[i].texts);
    }
    buf_done(&diff->held.texts);
    mem_free(diff->held.found);
    *diff = (struct scan_diff){ 0 };
}

/* ---- writing ---- */

static struct span text(const struct scan_batch *batch, size_t at, size_t len)
{
    return (struct span){ len > 0 ? batch->texts.data + at : "", len };
}

static struct span reason_span(const char *reason)
{
    return reason ? span_of(reason) : (struct span){ NULL, 0 };
}

static int compare_names(struct span a, struct span b)
{
    const size_t len = a.len < b.len ? a.len : b.len;
    const int order = len > 0 ? memcmp(a.ptr, b.ptr, len) : 0;

    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int by_name(const void *a, const void *b, void *texts)
{
    const struct scan_row *x = a, *y = b;

    return compare_names((struct span){ (char *)texts + x->name, x->name_len },
                         (struct span){ (char *)texts + y->name, y->name_len });
}

static bool write_fresh(struct db *db, struct scan_batch *batch, struct err *err)
{
    struct db_copy copy = { 0 };
    struct video_ids ids;

    /* What was found side by side goes into the indexes side by side. */
    qsort_r(batch->fresh, batch->fresh_count, sizeof *batch->fresh, by_name, batch->texts.data);

    if (!video_scan_ids(db, (int64_t)batch->fresh_count, &ids, err) || !video_scan_add_begin(db, &copy, err))
        return false;
    for (size_t i = 0; i < batch->fresh_count; i++) {
        const struct scan_row *row = &batch->fresh[i];

        video_scan_add(&copy, &ids, batch->prefix_id, text(batch, row->name, row->name_len), row->size_bytes,
                       row->modified_ms, text(batch, row->etag, row->etag_len), reason_span(row->reason));
    }
    return db_copy_end(&copy, err);
}

static bool write_changed(struct db *db, const struct scan_batch *batch, struct err *err)
{
    struct db_copy copy = { 0 };

    if (!video_scan_change_begin(db, &copy, err))
        return false;
    for (size_t i = 0; i < batch->changed_count; i++) {
        const struct scan_row *row = &batch->changed[i];

        if (row->is_gone)
            video_scan_vanish(&copy, row->id);
        else
            video_scan_change(&copy, row->id, row->size_bytes, row->modified_ms, text(batch, row->etag, row->etag_len),
                              reason_span(row->reason));
    }
    return db_copy_end(&copy, err) && video_scan_change_apply(db, err);
}

static bool write_rows(struct db *db, void *arg, struct err *err)
{
    struct scan_batch *batch = arg;

    return task_store_fence(db, &batch->step->task, err) && video_scan_lock(db, batch->prefix_id, err) &&
           (batch->fresh_count == 0 || write_fresh(db, batch, err)) &&
           (batch->changed_count == 0 || write_changed(db, batch, err));
}

/* In the other thread. */
static bool write_batch(struct db *db, void *arg, struct err *err)
{
    struct scan_batch *batch = arg;

    if (!db_transaction(db, write_rows, batch, err)) {
        /* Somebody else added a video meanwhile: the next attempt knows of it. */
        if (strcmp(err->code, "unique_violation") == 0)
            err->retryable = true;
        return false;
    }
    batch->fresh_count = batch->changed_count = 0;
    buf_reset(&batch->texts);
    return true;
}

/* Gives what waits to the other thread, and goes on with the batch that it wrote before. */
static bool hand_over(struct scan_diff *diff, struct err *err)
{
    struct scan_batch *full = diff->filling;

    if (!buf_check(&full->texts, "a scan's differences", err) || !aside_run(diff->aside, write_batch, full, err))
        return false;
    diff->filling = full == diff->batches ? &diff->batches[1] : diff->batches;
    return true;
}

/* ---- comparing ---- */

/* Room for one more row of each kind. */
static bool make_room(struct scan_diff *diff, struct err *err)
{
    const struct scan_batch *batch = diff->filling;

    if (batch->fresh_count < BATCH_ROWS && batch->changed_count < BATCH_ROWS && batch->texts.len < BATCH_TEXT_BYTES)
        return true;
    return step_alive(diff->step, err) && hand_over(diff, err);
}

static void fill_row(struct scan_batch *batch, struct scan_row *row, const struct scan_found *found)
{
    *row = (struct scan_row){ .size_bytes = found->size_bytes,
                              .modified_ms = found->modified_ms,
                              .reason = found->reason,
                              .name = batch->texts.len,
                              .name_len = found->name.len,
                              .etag = batch->texts.len + found->name.len,
                              .etag_len = found->etag.len };
    buf_span(&batch->texts, found->name);
    buf_span(&batch->texts, found->etag);
}

static bool add_fresh(struct scan_diff *diff, const struct scan_found *found, struct err *err)
{
    if (!make_room(diff, err))
        return false;
    fill_row(diff->filling, &diff->filling->fresh[diff->filling->fresh_count++], found);
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
    row = &diff->filling->changed[diff->filling->changed_count++];
    if (found)
        fill_row(diff->filling, row, found);
    else
        *row = (struct scan_row){ .is_gone = true };
    row->id = known->id;
    if (found)
        diff->updated++;
    else
        diff->vanished++;
    return true;
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

/* ---- a stretch, asked for now and compared when the next one comes ---- */

static struct span hold_text(struct buf *texts, struct span text)
{
    const size_t at = texts->len;

    buf_span(texts, text);
    return (struct span){ text.len > 0 ? texts->data + at : "", text.len };
}

/* Keeps copies: what was listed is gone when the next page is read. */
static bool hold(struct scan_held *held, bool has_after, struct span after, struct span through,
                 const struct scan_found *found, size_t count, struct err *err)
{
    size_t bytes = after.len + through.len;

    if (count > held->capacity) {
        struct scan_found *more = mem_resize(held->found, count, sizeof *more);

        if (!more)
            return err_memory(err, HERE);
        held->found = more;
        held->capacity = count;
    }
    for (size_t i = 0; i < count; i++)
        bytes += found[i].name.len + found[i].etag.len;
    buf_reset(&held->texts);
    if (!buf_room(&held->texts, bytes)) /* all of it, for spans point into it */
        return buf_check(&held->texts, "a page of a listing", err);
    held->has_after = has_after;
    held->after = hold_text(&held->texts, after);
    held->through = hold_text(&held->texts, through);
    held->count = count;
    for (size_t i = 0; i < count; i++) {
        held->found[i] = found[i];
        held->found[i].name = hold_text(&held->texts, found[i].name);
        held->found[i].etag = hold_text(&held->texts, found[i].etag);
    }
    return true;
}

static bool ask(struct scan_diff *diff, bool has_after, struct span after, struct err *err)
{
    return video_scan_ask_known(diff->step->db, diff->prefix_id, has_after, after, diff->held.through, KNOWN_PAGE, err);
}

/* Of the page's last row; the next page begins behind it. */
static bool ask_on(struct scan_diff *diff, const struct db_rows *rows, struct err *err)
{
    struct video_known last;

    video_known_read(rows, rows->count - 1, &last);
    return ask(diff, true, last.name, err);
}

/* Compares what is held with what the database says of it. */
bool scan_diff_settle(struct scan_diff *diff, struct err *err)
{
    struct scan_held *held = &diff->held;
    size_t at = 0;

    for (bool more = held->is_asked; more;) {
        AUTO(db_rows_done) struct db_rows rows = { 0 };

        held->is_asked = false;
        if (!video_scan_take_known(diff->step->db, &rows, err))
            return false;
        more = rows.count == KNOWN_PAGE;
        if ((more && !ask_on(diff, &rows, err)) || !merge_page(diff, &rows, held->found, held->count, &at, err))
            return false;
    }
    while (at < held->count)
        if (!add_fresh(diff, &held->found[at++], err))
            return false;
    held->count = 0;
    return true;
}

bool scan_diff_stretch(struct scan_diff *diff, bool has_after, struct span after, struct span through,
                       const struct scan_found *found, size_t count, struct err *err)
{
    if (diff->is_first) {
        for (size_t i = 0; i < count; i++)
            if (!add_fresh(diff, &found[i], err))
                return false;
        return true;
    }
    if (!scan_diff_settle(diff, err) || !hold(&diff->held, has_after, after, through, found, count, err) ||
        !ask(diff, has_after, diff->held.after, err))
        return false;
    diff->held.is_asked = true;
    return true;
}

bool scan_diff_flush(struct scan_diff *diff, struct err *err)
{
    const struct scan_batch *last = NULL;

    if (!scan_diff_settle(diff, err))
        return false;
    last = diff->filling;
    return (last->fresh_count + last->changed_count == 0 || hand_over(diff, err)) && aside_wait(diff->aside, err);
}
