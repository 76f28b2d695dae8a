#include "handlers/summary_page.h"

#include "handlers/app.h"
#include "handlers/common.h"
#include "handlers/summary_json.h"

enum { BATCH = 64, /* a default page in one go */ PAGE_BYTES = 8 * 1024 * 1024 };

/* Room is kept for a row twice as long as its texts; one of nothing but control characters still fits the largest body.
 */
static bool is_full(const struct buf *body, const struct summary_row *next)
{
    return body->len + 2 * summary_weight(next) > PAGE_BYTES;
}

struct progress {
    int shown;
    int64_t last;
    bool full; /* there is more */
};

static void put_rows(struct json_writer *w, const struct summary_page *page, const struct db_rows *rows,
                     struct progress *progress)
{
    for (int i = 0; i < rows->count && !progress->full; i++) {
        struct summary_row row = { 0 };
        summary_row_read(rows, i, &row);
        progress->full = progress->shown == page->limit || (progress->shown > 0 && is_full(w->out, &row));
        if (progress->full)
            break;
        json_begin_object(w);
        summary_json_members(w, &row);
        if (page->with_snippet)
            summary_json_snippet(w, row.snippet);
        json_end_object(w);
        progress->last = row.record_id;
        progress->shown++;
    }
}

static void put_next(struct request *rq, struct reply *rp, struct json_writer *w, const struct summary_page *page,
                     const struct progress *progress)
{
    bool more = (progress->full || page->rest != 0) && !page->is_only;

    reply_next_i64(rq, rp, w, more, page->cursor, progress->full ? progress->last : page->rest);
}

void summary_page_reply(struct request *rq, struct reply *rp, const struct summary_page *page)
{
    struct json_writer w = json_writer_on(reply_body(rp));
    struct progress progress = { .last = page->after };
    struct err err = { 0 };
    bool more = true;

    json_begin_object(&w);
    if (page->head)
        page->head(&w, page->arg);
    json_name(&w, "data");
    json_begin_array(&w);
    while (more && !progress.full) {
        AUTO(db_rows_done) struct db_rows rows = { 0 };
        int left = page->limit - progress.shown + 1; /* one beyond tells whether there is more */
        int batch = left < BATCH ? left : BATCH;
        if (!page->fetch(db_of(rq), page->arg, progress.last, batch, &rows, &err)) {
            reply_error(rq, rp, &err);
            return;
        }
        put_rows(&w, page, &rows, &progress);
        more = rows.count == batch;
    }
    if (progress.shown == 0 && page->when_empty && !page->when_empty(db_of(rq), page->arg, &err)) {
        reply_failure(rq, rp, &err);
        return;
    }
    json_end_array(&w);
    put_next(rq, rp, &w, page, &progress);
    json_end_object(&w);
    reply_page(rq, rp);
}
