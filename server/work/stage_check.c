/* In place nothing is copied, so the listing of the folder says what copies would: which videos are still there, and
 * unchanged. One request for 1,000 objects instead of one for each. */
#include "aws/s3.h"
#include "server/base/mem.h"
#include "server/base/text.h"
#include "server/work/folder_look.h"
#include "server/work/stage.h"

#include <stdlib.h>
#include <string.h>

enum { RECORD_PAGE = 5000 };

struct seen {                        /* 64 bytes a video; a shard has at most as many as a Bedrock job takes records */
    unsigned char key[16], etag[16]; /* SHA-256, its first half */
    int64_t record_id, video_id;
    bool is_there, is_same;
};

struct check {
    struct stage *stage;
    struct seen *items; /* in the order of key */
    size_t count, cap;
};

static void check_done(struct check *check)
{
    mem_free(check->items);
}

static void half_hash(struct span s, unsigned char out[16])
{
    unsigned char whole[32];

    text_sha256(s.ptr, s.len, whole);
    memcpy(out, whole, 16);
}

static int by_key(const void *a, const void *b)
{
    return memcmp(((const struct seen *)a)->key, ((const struct seen *)b)->key, sizeof((struct seen *)0)->key);
}

static bool add_page(struct check *check, const struct db_rows *rows, struct err *err)
{
    if (check->cap - check->count < (size_t)rows->count) {
        const size_t cap = check->cap * 2 + RECORD_PAGE;
        struct seen *items = mem_resize(check->items, cap, sizeof *items);

        if (!items)
            return err_memory(err, HERE);
        check->items = items;
        check->cap = cap;
    }
    for (int i = 0; i < rows->count; i++) {
        struct seen *it = &check->items[check->count];
        struct record_source source;

        record_source_read(rows, i, &source);
        if (source.has_summary)
            continue;
        *it = (struct seen){ .record_id = source.id, .video_id = source.video_id };
        half_hash(span_of(source.key), it->key);
        half_hash(span_of(source.etag), it->etag);
        check->count++;
    }
    return true;
}

static bool read_records(struct check *check, struct err *err)
{
    int64_t after = 0;

    for (;;) {
        AUTO(db_rows_done) struct db_rows rows = { 0 };
        struct record_source last;

        if (!step_alive(check->stage->step, err) ||
            !record_store_sources(check->stage->step->db, check->stage->shard.id, after, RECORD_PAGE, &rows, err))
            return false;
        if (rows.count == 0)
            break;
        if (!add_page(check, &rows, err))
            return false;
        record_source_read(&rows, rows.count - 1, &last);
        after = last.id;
    }
    if (check->count > 0)
        qsort(check->items, check->count, sizeof *check->items, by_key);
    return true;
}

static void see(void *arg, const struct s3_object *object)
{
    struct check *check = arg;
    struct seen wanted, *it;
    unsigned char etag[16];

    half_hash(object->key, wanted.key);
    it = check->count ? bsearch(&wanted, check->items, check->count, sizeof *check->items, by_key) : NULL;
    if (!it)
        return;
    half_hash(object->etag, etag);
    it->is_there = true;
    it->is_same = memcmp(it->etag, etag, sizeof etag) == 0;
}

static bool store(struct db *db, void *arg, struct err *err)
{
    struct check *check = arg;
    struct stage *stage = check->stage;
    bool yes;

    if (!stage_lock(db, stage, &yes, err))
        return false;
    if (!yes)
        return true;
    for (size_t i = 0; i < check->count; i++) {
        const struct seen *it = &check->items[i];
        const struct stage_failure failure = { it->record_id, it->video_id,
                                               !it->is_there  ? stage_vanished
                                               : !it->is_same ? stage_changed
                                                              : NULL,
                                               it->is_there ? stage_changed_words : stage_vanished_words };

        if (!stage_store_failure(db, stage, &failure, err))
            return false;
    }
    return task_store_progress(db, &stage->step->task, err);
}

bool stage_check_videos(struct stage *stage, struct err *err)
{
    AUTO(check_done) struct check check = { .stage = stage };
    struct staging_folder found = { 0 };
    const struct folder_look look = { .client = stage->step->client,
                                      .folder = { stage->place.bucket, stage->place.folder, stage->place.owner },
                                      .own_key = span_of(stage->place.input_key),
                                      .alive = step_is_alive,
                                      .alive_arg = stage->step,
                                      .each = see,
                                      .each_arg = &check };

    return read_records(&check, err) && folder_look(&look, &found, err) && folder_is_ours(&found, err) &&
           db_transaction(stage->step->db, store, &check, err);
}
