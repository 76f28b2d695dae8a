/* Step scan: lists a prefix and brings the video table up to date. Rows pass through a temporary table; only
 * differences are written. */
#include "aws/batch_input.h"
#include "aws/s3.h"
#include "server/base/buf.h"
#include "server/base/json_reader.h"
#include "server/base/log.h"
#include "server/base/text.h"
#include "server/work/step.h"
#include "sql/plan_store.h"
#include "sql/prefix_store.h"
#include "sql/video_store.h"

#include <string.h>

enum { MAX_SUFFIXES = 32, PAGES_PER_PROGRESS = 20 };

struct scan {
    struct step *step;
    struct prefix_row prefix;
    struct span suffixes[MAX_SUFFIXES];
    size_t suffix_count;
    struct span hidden[2]; /* key prefixes in this bucket that are never scanned: staging and output */
    size_t hidden_count;
    int64_t listed;
    int pages;
};

static bool hide_location(struct scan *scan, const char *uri, struct err *err)
{
    struct span bucket, path;

    if (!uri[0])
        return true;
    if (!s3_parse_uri(span_of(uri), &bucket, &path, err))
        return false;
    if (span_eq_text(bucket, scan->prefix.bucket))
        scan->hidden[scan->hidden_count++] = path;
    return true;
}

static bool is_hidden(const struct scan *scan, struct span key)
{
    for (size_t i = 0; i < scan->hidden_count; i++) {
        const struct span h = scan->hidden[i];

        if (h.len == 0 || (span_starts(key, h) && (key.len == h.len || key.ptr[h.len] == '/')))
            return true;
    }
    return false;
}

static bool has_wanted_suffix(const struct scan *scan, struct span key)
{
    for (size_t i = 0; i < scan->suffix_count; i++) {
        const struct span suffix = scan->suffixes[i];

        if (key.len > suffix.len && span_eq_nocase(span_tail(key, key.len - suffix.len), suffix))
            return true;
    }
    return false;
}

/* Why Bedrock could not run this object; NULL where it can. The words are part of the API. */
static const char *reason_of(const struct scan *scan, const struct s3_object *object)
{
    if (!video_format_of(object->key))
        return "unsupported_format";
    if (object->size_bytes == 0)
        return "empty";
    if (object->size_bytes > scan->step->settings->max_video_bytes)
        return "too_large";
    if (!object->is_restored &&
        (span_eq_text(object->storage_class, "GLACIER") || span_eq_text(object->storage_class, "DEEP_ARCHIVE")))
        return "archived";
    return NULL;
}

static bool store_page(struct scan *scan, const struct s3_page *page, struct err *err)
{
    const size_t prefix_len = strlen(scan->prefix.key_prefix);
    struct db_copy copy = { 0 };

    if (!video_store_scan_copy(scan->step->db, &copy, err))
        return false;
    for (size_t i = 0; i < page->object_count; i++) {
        const struct s3_object *object = &page->objects[i];
        const char *reason;

        if (object->key.len < prefix_len || is_hidden(scan, object->key) || !has_wanted_suffix(scan, object->key))
            continue;
        if (!text_is_utf8(object->key) || memchr(object->key.ptr, 0, object->key.len)) {
            log_warn("scan.key_refused", "bucket=%s reason='not storable text'", scan->prefix.bucket);
            continue;
        }
        reason = reason_of(scan, object);
        video_store_scan_add(&copy, span_tail(object->key, prefix_len), object->size_bytes, object->last_modified_ms,
                             object->etag, reason ? span_of(reason) : (struct span){ NULL, 0 });
    }
    scan->listed += (int64_t)page->object_count;
    return db_copy_end(&copy, err);
}

static bool list_all(struct scan *scan, struct err *err)
{
    AUTO(s3_page_done) struct s3_page page = { 0 };
    AUTO(buf_done) struct buf token = { .max = 8192 };
    struct s3_list_request rq = { .bucket = span_of(scan->prefix.bucket),
                                  .prefix = span_of(scan->prefix.key_prefix),
                                  .owner = span_of(scan->prefix.bucket_owner) };

    do {
        if (!step_alive(scan->step, err) || !s3_list_page(scan->step->client, &rq, &page, err) ||
            !store_page(scan, &page, err))
            return false;
        buf_reset(&token);
        buf_span(&token, buf_view(&page.next_token));
        if (!buf_check(&token, "continuation token", err))
            return false;
        rq.token = buf_view(&token);
        if (++scan->pages % PAGES_PER_PROGRESS == 0 &&
            !prefix_store_scan_progress(scan->step->db, scan->prefix.id, scan->listed, err))
            return false;
    } while (page.is_truncated);
    return true;
}

static bool begin(struct db *db, void *arg, struct err *err)
{
    struct scan *scan = arg;

    return task_store_fence(db, &scan->step->task, err) && prefix_store_scan_started(db, scan->prefix.id, err);
}

static bool merge(struct db *db, void *arg, struct err *err)
{
    struct scan *scan = arg;
    struct video_scan_result result;

    if (!task_store_fence(db, &scan->step->task, err) || !video_store_scan_merge(db, scan->prefix.id, &result, err) ||
        !prefix_store_scan_finished(db, scan->prefix.id, scan->listed, NULL, err) ||
        !plan_store_wake(db, scan->prefix.id, err) || !task_store_done(db, &scan->step->task, err))
        return false;
    log_info("scan.done", "listed=%lld new=%lld changed=%lld vanished=%lld", (long long)scan->listed,
             (long long)result.inserted, (long long)result.updated, (long long)result.vanished);
    return true;
}

/* The suffixes come as a JSON array of texts; `text` keeps them. */
static bool read_suffixes(struct scan *scan, struct buf *text, struct err *err)
{
    size_t ends[MAX_SUFFIXES] = { 0 }, at = 0;
    struct json_reader reader;
    bool done = false;

    json_reader_init(&reader, span_of(scan->prefix.suffixes), 0, NULL, NULL);
    if (!json_enter_array(&reader, err))
        return false;
    while (json_next_item(&reader, &done, err) && !done) {
        if (scan->suffix_count == MAX_SUFFIXES)
            return err_set(err, ERR_INTERNAL, false, HERE, "a prefix with more than %d suffixes", MAX_SUFFIXES);
        if (!json_take_string(&reader, text, err))
            return false;
        ends[scan->suffix_count++] = text->len;
    }
    for (size_t i = 0; i < scan->suffix_count; at = ends[i++]) /* only now: the buffer may have moved */
        scan->suffixes[i] = (struct span){ text->data + at, ends[i] - at };
    return done;
}

bool step_scan(struct step *step, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    AUTO(buf_done) struct buf suffixes = { .max = 4096 };
    struct scan scan = { .step = step };

    if (!prefix_store_get_any(step->db, step->task.subject_id, &rows, &scan.prefix, err))
        return false;
    if (scan.prefix.deleted)
        return step_end(step, err);
    if (!read_suffixes(&scan, &suffixes, err) || !hide_location(&scan, step->settings->staging_uri, err) ||
        !hide_location(&scan, step->settings->output_uri, err))
        return false;
    return db_transaction(step->db, begin, &scan, err) && video_store_scan_open(step->db, err) &&
           list_all(&scan, err) && db_transaction(step->db, merge, &scan, err);
}

struct scan_failure {
    struct step *step;
    const char *error_json;
};

static bool store_failure(struct db *db, void *arg, struct err *err)
{
    struct scan_failure *failure = arg;
    struct step *step = failure->step;

    return task_store_fence(db, &step->task, err) &&
           prefix_store_scan_finished(db, step->task.subject_id, 0, failure->error_json, err) &&
           task_store_done(db, &step->task, err);
}

bool step_scan_give_up(struct step *step, const struct err *cause, struct err *err)
{
    AUTO(buf_done) struct buf json = { .max = 8192 };
    struct scan_failure failure = { step, NULL };

    error_to_json(cause, &json);
    if (!buf_check(&json, "scan error", err))
        return false;
    failure.error_json = buf_cstr(&json);
    return db_transaction(step->db, store_failure, &failure, err);
}
