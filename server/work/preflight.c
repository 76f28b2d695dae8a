#include "server/work/preflight.h"

#include "aws/s3.h"
#include "server/base/buf.h"
#include "server/base/log.h"
#include "server/base/mem.h"
#include "server/base/text.h"
#include "server/media/media.h"
#include "sql/media_store.h"
#include "sql/task_store.h"

#include <stdio.h>
#include <string.h>

enum { ALL_DENIED_LEAST = 10, ID_DIGITS = 21, CONTENT_TYPE_SIZE = 128 };

struct item {
    int64_t id, size_bytes;
    struct span key, etag; /* borrowed from the rows */
    bool is_known;
    bool has_head; /* the first piece was read: what comes now is the second one */
    struct media_look look;
    const char *refusal; /* static; NULL: none */
    char content_type[CONTENT_TYPE_SIZE];
};

struct page {
    struct step *step;
    const struct prefix_row *prefix;
    struct item *items;
    int count;
    int next;   /* the first one that is not asked for yet */
    int *again; /* the places of those that want a second piece, a stack */
    int again_count;
    int looks;
    struct preflight_tally *tally;
    int unreadable;
    struct err cause; /* of the first that is unreadable */
};

static void page_done(struct page *page)
{
    mem_free(page->items);
    mem_free(page->again);
    page->items = NULL;
    page->again = NULL;
}

static void take_rows(struct page *page, const struct db_rows *videos)
{
    for (int i = 0; i < videos->count; i++)
        page->items[i] = (struct item){ .id = db_i64(videos, i, 0),
                                        .key = db_span(videos, i, 1),
                                        .etag = db_span(videos, i, 2),
                                        .size_bytes = db_i64(videos, i, 3),
                                        .look.facts.duration_ms = -1 };
    page->count = videos->count;
}

static bool leave_out_known(struct page *page, struct err *err)
{
    AUTO(buf_done) struct buf ids = { .max = (size_t)page->count * ID_DIGITS + 3 };
    AUTO(db_rows_done) struct db_rows rows = { 0 };

    buf_char(&ids, '{');
    for (int i = 0; i < page->count; i++)
        buf_fmt(&ids, "%s%lld", i ? "," : "", (long long)page->items[i].id);
    buf_char(&ids, '}');
    if (!buf_check(&ids, "a list of videos", err) || !media_store_known(page->step->db, buf_cstr(&ids), &rows, err))
        return false;
    for (int i = 0; i < rows.count; i++) {
        struct span etag;
        int64_t at;

        media_known_read(&rows, i, &at, &etag);
        page->items[at].is_known = span_eq(etag, page->items[at].etag);
    }
    return true;
}

/* ---- the GETs ---- */

static bool next_range(void *arg, struct s3_range *range, void **item)
{
    struct page *page = arg;
    struct item *it = NULL;

    if (page->again_count > 0) {
        it = &page->items[page->again[--page->again_count]];
    } else {
        while (page->next < page->count && page->items[page->next].is_known)
            page->next++;
        if (page->next == page->count)
            return false;
        it = &page->items[page->next++];
    }
    *range = (struct s3_range){
        .ref = { span_of(page->prefix->bucket), it->key, span_of(page->prefix->bucket_owner) },
        .etag = it->etag,
        .offset = it->has_head ? it->look.more_offset : 0,
        .len = it->has_head ? (size_t)it->look.more_len : MEDIA_HEAD_BYTES,
    };
    *item = it;
    return true;
}

/* What a failed GET means for its video; NULL where it concerns more than this one. */
static const char *refusal_of(const struct err *cause)
{
    const char *code = cause->upstream_code;

    if (cause->kind == ERR_NOT_FOUND && strcmp(code, "NoSuchBucket") != 0)
        return "vanished";
    if (cause->kind == ERR_CONFLICT)
        return "changed";
    if (strcmp(code, "InvalidObjectState") == 0 || strcmp(code, "ObjectNotInActiveTierError") == 0)
        return "archived";
    if (cause->kind == ERR_DENIED && strcmp(code, "AccessDenied") == 0 && !cause->retryable)
        return "denied";
    if (cause->kind == ERR_INPUT && cause->upstream_status != 0 && !cause->retryable)
        return "unreadable";
    return NULL;
}

/* A server that sends no pieces: nothing is wrong with the video, it is only not known. */
static bool is_no_piece(const struct err *cause)
{
    return strcmp(cause->code, "range_ignored") == 0 || strcmp(cause->code, "bad_range") == 0;
}

static void count_refusal(struct page *page, const char *refusal, const struct err *cause)
{
    struct preflight_tally *tally = page->tally;
    const bool is_unreadable = strcmp(refusal, "unreadable") == 0;

    if (!is_unreadable && strcmp(refusal, "denied") != 0)
        return;
    if (tally->denied + tally->unreadable == 0)
        tally->cause = *cause;
    if (is_unreadable && page->unreadable++ == 0)
        page->cause = *cause;
    tally->unreadable += is_unreadable;
    tally->denied += !is_unreadable;
}

static bool take_failure(struct page *page, struct item *it, const struct err *cause, struct err *err)
{
    if (is_no_piece(cause))
        return true;
    it->refusal = refusal_of(cause);
    if (!it->refusal)
        return err_pass(err, cause);
    count_refusal(page, it->refusal, cause);
    return true;
}

static void take_head(struct page *page, struct item *it, const struct s3_range_got *got)
{
    it->has_head = true;
    if (text_is_utf8(span_of(got->content_type)))
        (void)snprintf(it->content_type, sizeof it->content_type, "%s", got->content_type);
    if (got->bytes.len == 0) {
        it->refusal = "empty";
        return;
    }
    media_start(got->bytes, it->size_bytes, &it->look);
    if (it->look.is_no_video)
        it->refusal = "not_a_video";
    else if (it->look.more_len > 0)
        page->again[page->again_count++] = (int)(it - page->items);
}

static bool range_done(void *arg, void *item, const struct s3_range_got *got, const struct err *range_err,
                       struct err *err)
{
    struct page *page = arg;
    struct item *it = item;

    page->looks += !it->has_head;
    page->tally->looks += !it->has_head;
    if (range_err) {
        if (!take_failure(page, it, range_err, err))
            return false;
    } else if (it->has_head) {
        media_go_on(got->bytes, it->size_bytes, &it->look);
    } else {
        take_head(page, it, got);
    }
    return step_alive(page->step, err);
}

/* ---- storing ---- */

static struct span text_or_null(const char *text)
{
    return text && text[0] ? span_of(text) : (struct span){ NULL, 0 };
}

static bool store(struct db *db, void *arg, struct err *err)
{
    struct page *page = arg;
    struct db_copy copy = { 0 };
    int64_t now_ms = 0;

    if (!task_store_fence(db, &page->step->task, err) || !db_now_ms(db, &now_ms, err) ||
        !media_store_copy(db, &copy, err))
        return false;
    for (int i = 0; i < page->count; i++) {
        const struct item *it = &page->items[i];
        const struct media_facts *facts = &it->look.facts;
        const struct media_new row = { .video_id = it->id,
                                       .etag = it->etag,
                                       .checked_ms = now_ms,
                                       .duration_ms = facts->duration_ms,
                                       .width = facts->width,
                                       .height = facts->height,
                                       .container = text_or_null(facts->container),
                                       .codec = text_or_null(facts->codec),
                                       .content_type = text_or_null(it->content_type),
                                       .refusal = text_or_null(it->refusal) };

        if (!it->is_known)
            media_store_add(&copy, &row);
    }
    return db_copy_end(&copy, err) && media_store_merge(db, err) && task_store_progress(db, &page->step->task, err);
}

bool preflight_page(struct step *step, const struct prefix_row *prefix, const struct db_rows *videos,
                    struct preflight_tally *tally, struct err *err)
{
    AUTO(page_done) struct page page = { .step = step, .prefix = prefix, .tally = tally };
    const struct s3_range_many many = { next_range, range_done, &page, step->settings->preflight_concurrency };

    if (videos->count == 0)
        return true;
    page.items = mem_alloc((size_t)videos->count, sizeof *page.items);
    page.again = mem_alloc((size_t)videos->count, sizeof *page.again);
    if (!page.items || !page.again)
        return err_memory(err, HERE);
    take_rows(&page, videos);
    if (!leave_out_known(&page, err) || !s3_read_ranges(step->client, &many, err))
        return false;
    if (page.looks == 0)
        return true;
    if (page.unreadable > 0) /* the only place that has S3's words for one of several */
        log_warn("preflight.unreadable", "prefix=%lld videos=%d cause=%s", (long long)prefix->id, page.unreadable,
                 LOGQ(page.cause.what));
    return db_transaction(step->db, store, &page, err);
}

bool preflight_judge(struct step *step, const struct prefix_row *prefix, const struct preflight_tally *tally,
                     struct err *err)
{
    const int64_t refused = tally->denied + tally->unreadable;
    bool any_read = false;

    if (refused < tally->looks || refused == 0 || (tally->unreadable == 0 && refused < ALL_DENIED_LEAST))
        return true;
    if (!media_store_any_read(step->db, prefix->id, &any_read, err))
        return false;
    return any_read || err_pass(err, &tally->cause);
}
