/* Copies: every video is copied server-side, many at a time, to a key made of its record's id. */
#include "aws/batch_input.h"
#include "aws/s3.h"
#include "server/base/id.h"
#include "server/base/mem.h"
#include "server/base/text.h"
#include "server/work/stage.h"

#include <stdio.h>
#include <string.h>

enum { COPY_PAGE = 1000, WORDS_SIZE = 200 };

static const char source_denied[] = "source_denied", source_refused[] = "source_refused";

struct copy_item {
    struct record_source source;
    char to[STAGING_KEY_SIZE];
    struct stage_failure failure;
    char words[WORDS_SIZE]; /* of the failure, where they are S3's */
};

struct copy_page {
    struct stage *stage;
    struct db_rows rows;
    struct copy_item *items;
    int next;
    int copies, refused; /* without any that says which video is at fault */
    struct err refusal;  /* the first of those */
};

static void copy_page_done(struct copy_page *page)
{
    db_rows_done(&page->rows);
    mem_free(page->items);
    page->items = NULL;
}

static bool next_copy(void *arg, struct s3_copy *copy, void **item)
{
    struct copy_page *page = arg;
    struct stage *stage = page->stage;

    while (page->next < page->rows.count) {
        struct copy_item *it = &page->items[page->next++];
        const struct video_format *format;

        if (it->source.has_summary)
            continue;
        format = video_format_of(span_of(it->source.key));
        *copy = (struct s3_copy){ .from = { span_of(stage->prefix.bucket), span_of(it->source.key),
                                            span_of(stage->prefix.bucket_owner) },
                                  .from_etag = span_of(it->source.etag),
                                  .to = { stage->place.bucket, span_of(it->to), stage->place.owner },
                                  .content_type = format ? format->mime : "application/octet-stream" };
        *item = it;
        return true;
    }
    return false;
}

/* What a refused copy means for its record; NULL where it concerns more than this one video. */
static const char *failure_of(struct copy_item *it, const struct err *refusal)
{
    const char **words = &it->failure.words;
    const char *code = refusal->upstream_code;

    if (refusal->kind == ERR_NOT_FOUND && strcmp(code, "NoSuchBucket") != 0) {
        *words = stage_vanished_words;
        return stage_vanished;
    }
    if (refusal->kind == ERR_CONFLICT) {
        *words = stage_changed_words;
        return stage_changed;
    }
    if (strcmp(code, "InvalidObjectState") == 0 || strcmp(code, "ObjectNotInActiveTierError") == 0) {
        *words = "the video is archived; restore it in S3, then run it again";
        return "source_archived";
    }
    if (strcmp(code, "AccessDenied") == 0 && !refusal->retryable) {
        *words = "S3 denies access to this video (s3:GetObject); cure that, then run it again";
        return source_denied;
    }
    if (refusal->kind == ERR_INPUT && refusal->upstream_status != 0 && !refusal->retryable) {
        snprintf(it->words, sizeof it->words, "S3 refuses to copy this video: %s: %.*s", code,
                 SPAN_ARG(text_utf8_head(span_of(refusal->upstream_message), WORDS_SIZE / 2)));
        *words = it->words;
        return source_refused;
    }
    return NULL;
}

static bool may_be_ours(const char *reason)
{
    return strcmp(reason, source_denied) == 0 || strcmp(reason, source_refused) == 0;
}

static bool copied(void *arg, void *item, const struct err *copy_err, struct err *err)
{
    struct copy_page *page = arg;
    struct copy_item *it = item;

    page->copies++;
    if (copy_err) {
        it->failure.reason = failure_of(it, copy_err);
        if (!it->failure.reason)
            return err_pass(err, copy_err);
        if (may_be_ours(it->failure.reason) && page->refused++ == 0)
            page->refusal = *copy_err;
    }
    return step_alive(page->stage->step, err);
}

static bool store_copies(struct db *db, void *arg, struct err *err)
{
    struct copy_page *page = arg;
    struct stage *stage = page->stage;
    bool yes;

    if (!stage_lock(db, stage, &yes, err))
        return false;
    if (!yes)
        return true;
    for (int i = 0; i < page->rows.count; i++)
        if (!stage_store_failure(db, stage, &page->items[i].failure, err))
            return false;
    return task_store_progress(db, &stage->step->task, err) &&
           shard_store_staged_through(db, stage->shard.id, page->items[page->rows.count - 1].source.id, err);
}

void stage_name_copy(const struct stage_place *place, const struct record_source *source, char to[STAGING_KEY_SIZE])
{
    const struct video_format *format = video_format_of(span_of(source->key));
    char digits[ID_SIZE];

    id_format(ID_RECORD, source->id, digits);
    snprintf(to, STAGING_KEY_SIZE, "%.*sv/%s%s", SPAN_ARG(place->folder), digits, format ? format->suffix : "");
}

static bool copy_from(struct stage *stage, int64_t *after, bool *more, struct err *err)
{
    AUTO(copy_page_done) struct copy_page page = { .stage = stage };
    struct s3_copy_many many = { next_copy, copied, &page, stage->step->settings->copy_concurrency };

    if (!record_store_sources(stage->step->db, stage->shard.id, *after, COPY_PAGE, &page.rows, err))
        return false;
    *more = page.rows.count > 0;
    if (!*more)
        return true;
    page.items = mem_alloc((size_t)page.rows.count, sizeof *page.items);
    if (!page.items)
        return err_memory(err, HERE);
    for (int i = 0; i < page.rows.count; i++) {
        struct copy_item *it = &page.items[i];

        record_source_read(&page.rows, i, &it->source);
        stage_name_copy(&stage->place, &it->source, it->to);
        it->failure.record_id = it->source.id;
        it->failure.video_id = it->source.video_id;
    }
    if (!s3_copy_objects(stage->step->client, &many, err))
        return false;
    /* all of the first page: that is not these videos, but our permissions, or a key of the bucket */
    if (page.refused > 0 && page.refused == page.copies && *after == 0)
        return err_pass(err, &page.refusal);
    if (!db_transaction(stage->step->db, store_copies, &page, err))
        return false;
    *after = page.items[page.rows.count - 1].source.id;
    return true;
}

bool stage_copy_videos(struct stage *stage, struct err *err)
{
    int64_t after = stage->shard.staged_through;
    bool more = true;

    while (more && !stage->is_over)
        if (!step_alive(stage->step, err) || !copy_from(stage, &after, &more, err))
            return false;
    return true;
}
