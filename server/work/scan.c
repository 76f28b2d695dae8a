/* Step scan: lists a prefix over many connections and brings the video table up to date, stretch by stretch; only
 * differences are written. */
#include "aws/batch_input.h"
#include "aws/s3_list_many.h"
#include "server/base/buf.h"
#include "server/base/json_reader.h"
#include "server/base/log.h"
#include "server/base/mem.h"
#include "server/base/text.h"
#include "server/work/scan_diff.h"
#include "server/work/step.h"
#include "sql/plan_store.h"
#include "sql/prefix_store.h"
#include "sql/video_scan.h"

#include <string.h>

enum { MAX_SUFFIXES = 32, PROGRESS_KEYS = 50000 };

struct scan {
    struct step *step;
    struct prefix_row prefix;
    struct span suffixes[MAX_SUFFIXES];
    size_t suffix_count;
    struct span hidden[2]; /* key prefixes in this bucket that are never scanned: staging and output */
    size_t hidden_count;
    struct prefix_scan_counts counts;
    int64_t told; /* how many were listed when progress was told */
    struct scan_found *found;
    size_t found_capacity;
    struct scan_diff diff;
};

static void scan_done(struct scan *scan)
{
    scan_diff_done(&scan->diff);
    mem_free(scan->found);
    scan->found = NULL;
}

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

static bool is_storable(struct span key)
{
    return key.ptr && text_is_utf8(key) && !memchr(key.ptr, 0, key.len);
}

static bool is_video(const struct scan *scan, struct span key)
{
    if (key.len < strlen(scan->prefix.key_prefix) || is_hidden(scan, key) || !has_wanted_suffix(scan, key))
        return false;
    if (is_storable(key))
        return true;
    log_warn("scan.key_refused", "bucket=%s reason='not storable text'", scan->prefix.bucket);
    return false;
}

/* Those of the stretch that are videos, into scan->found. */
static bool find_videos(struct scan *scan, const struct s3_stretch *stretch, size_t *count, struct err *err)
{
    const size_t prefix_len = strlen(scan->prefix.key_prefix);

    *count = 0;
    if (stretch->object_count > scan->found_capacity) {
        struct scan_found *more = mem_resize(scan->found, stretch->object_count, sizeof *more);

        if (!more)
            return err_memory(err, HERE);
        scan->found = more;
        scan->found_capacity = stretch->object_count;
    }
    for (size_t i = 0; i < stretch->object_count; i++) {
        const struct s3_object *object = &stretch->objects[i];
        struct scan_found *found = &scan->found[*count];

        if (!is_video(scan, object->key))
            continue;
        *found = (struct scan_found){ .name = span_tail(object->key, prefix_len),
                                      .size_bytes = object->size_bytes,
                                      .modified_ms = object->last_modified_ms,
                                      .etag = object->etag,
                                      .reason = reason_of(scan, object) };
        scan->counts.videos++;
        scan->counts.eligible += !found->reason;
        scan->counts.bytes += found->size_bytes;
        (*count)++;
    }
    return true;
}

static bool tell_progress(struct scan *scan, struct err *err)
{
    if (scan->counts.listed - scan->told < PROGRESS_KEYS)
        return true;
    scan->told = scan->counts.listed;
    return scan_diff_settle(&scan->diff, err) &&
           prefix_store_scan_progress(scan->step->db, scan->prefix.id, scan->counts.listed, err);
}

/* Where a stretch ends must be text: names are compared by the database, too. */
static bool check_end(const struct scan *scan, struct span key, struct err *err)
{
    if (key.len == 0 || is_storable(key))
        return true;
    err_set(err, ERR_UPSTREAM, false, HERE, "s3://%s/%s: S3 lists a key that is not UTF-8", scan->prefix.bucket,
            scan->prefix.key_prefix);
    return err_code(err, "bad_listing");
}

static bool take_stretch(void *arg, const struct s3_stretch *stretch, struct err *err)
{
    struct scan *scan = arg;
    const size_t prefix_len = strlen(scan->prefix.key_prefix);
    const struct span through = stretch->through.ptr ? span_tail(stretch->through, prefix_len) : video_scan_end();
    size_t count = 0;

    scan->counts.listed += (int64_t)stretch->object_count;
    return step_alive(scan->step, err) && check_end(scan, stretch->after, err) &&
           check_end(scan, stretch->through, err) && find_videos(scan, stretch, &count, err) &&
           scan_diff_stretch(&scan->diff, stretch->after.len > 0, span_tail(stretch->after, prefix_len), through,
                             scan->found, count, err) &&
           tell_progress(scan, err);
}

static bool list_all(struct scan *scan, struct err *err)
{
    struct s3_list_many many = { .bucket = span_of(scan->prefix.bucket),
                                 .prefix = span_of(scan->prefix.key_prefix),
                                 .owner = span_of(scan->prefix.bucket_owner),
                                 .concurrency = scan->step->settings->list_concurrency,
                                 .stretch = take_stretch,
                                 .arg = scan };

    if (!scan_diff_init(&scan->diff, scan->step, scan->prefix.id, err))
        return false;
    many.prefers_order = scan->diff.is_first; /* the table's indexes grow best at their end */
    return s3_list_many(scan->step->client, &many, err) && scan_diff_flush(&scan->diff, err);
}

static bool begin(struct db *db, void *arg, struct err *err)
{
    struct scan *scan = arg;

    return task_store_fence(db, &scan->step->task, err) && prefix_store_scan_started(db, scan->prefix.id, err);
}

/* S3 has told where the bucket lies: links are made for there, also by other processes, and plans judge it. */
static bool keep_region(struct db *db, const struct scan *scan, struct err *err)
{
    char region[AWS_REGION_SIZE];

    return !aws_bucket_region(scan->step->aws, span_of(scan->prefix.bucket), region) ||
           prefix_store_region(db, scan->prefix.id, region, err);
}

static bool finish(struct db *db, void *arg, struct err *err)
{
    struct scan *scan = arg;

    return task_store_fence(db, &scan->step->task, err) && video_scan_lock(db, scan->prefix.id, err) &&
           prefix_store_scan_finished(db, scan->prefix.id, &scan->counts, err) && keep_region(db, scan, err) &&
           plan_store_wake(db, scan->prefix.id, err) && task_store_done(db, &scan->step->task, err);
}

static void log_done(const struct scan *scan)
{
    log_info("scan.done", "listed=%lld new=%lld changed=%lld vanished=%lld", (long long)scan->counts.listed,
             (long long)scan->diff.inserted, (long long)scan->diff.updated, (long long)scan->diff.vanished);
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
    AUTO(scan_done) struct scan scan = { .step = step };

    if (!prefix_store_get_any(step->db, step->task.subject_id, &rows, &scan.prefix, err))
        return false;
    if (scan.prefix.deleted)
        return step_end(step, err);
    if (!read_suffixes(&scan, &suffixes, err) || !hide_location(&scan, step->settings->staging_uri, err) ||
        !hide_location(&scan, step->settings->output_uri, err))
        return false;
    if (!db_transaction(step->db, begin, &scan, err) || !list_all(&scan, err) ||
        !db_transaction(step->db, finish, &scan, err))
        return false;
    log_done(&scan);
    return true;
}

struct scan_failure {
    struct step *step;
    const char *error_json, *words;
};

static bool store_failure(struct db *db, void *arg, struct err *err)
{
    struct scan_failure *failure = arg;
    struct step *step = failure->step;

    return task_store_fence(db, &step->task, err) &&
           prefix_store_scan_failed(db, step->task.subject_id, 0, failure->error_json, err) &&
           task_store_dead(db, &step->task, 0, failure->words, err);
}

bool step_scan_give_up(struct step *step, const struct err *cause, struct err *err)
{
    AUTO(buf_done) struct buf json = { .max = 8192 };
    struct scan_failure failure = { step, NULL, cause->what };

    error_to_json(cause, &json);
    if (!buf_check(&json, "scan error", err))
        return false;
    failure.error_json = buf_cstr(&json);
    return db_transaction(step->db, store_failure, &failure, err);
}
