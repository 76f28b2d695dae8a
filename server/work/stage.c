/* Step stage: makes the shard's own folder. Every video is copied server-side to a clean key, then the JSONL is
 * streamed beside them. Keys are derived from ids, so doing it twice writes the same. Bedrock processes every .jsonl
 * under the folder: nobody else writes here. */
#include "aws/batch_input.h"
#include "aws/s3.h"
#include "server/base/buf.h"
#include "server/base/clock.h"
#include "server/base/id.h"
#include "server/base/log.h"
#include "server/base/mem.h"
#include "server/work/step.h"
#include "sql/event_store.h"
#include "sql/job_store.h"
#include "sql/prefix_store.h"
#include "sql/record_store.h"
#include "sql/shard_store.h"
#include "sql/summary_store.h"

#include <stdio.h>
#include <string.h>

enum { COPY_PAGE = 1000, LINE_PAGE = 5000, KEY_SIZE = 1100, LINE_BUFFER = 1024 * 1024 };

struct stage {
    struct step *step;
    struct shard_row shard;
    struct job_row job;
    struct prefix_row prefix;
    struct span bucket; /* of the staging location */
    struct span folder; /* key of the folder, with its trailing slash */
    int64_t lines;
    int64_t input_bytes;
    bool is_over; /* the shard was ended by a cancel, and so was the task */
};

/* In a transaction that holds the job's lock or is about to write: is the shard still to be staged? A cancel may have
 * ended it. */
static bool is_still_staging(struct db *db, int64_t shard_id, bool *yes, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct shard_row shard;

    if (!shard_store_get(db, shard_id, &rows, &shard, err))
        return false;
    *yes = strcmp(shard.state, "planned") == 0 || strcmp(shard.state, "staging") == 0;
    return true;
}

/* The shard was ended by somebody else: what was copied since is removed by the job's finish. */
static bool leave(struct db *db, struct stage *stage, struct err *err)
{
    return task_store_add(db, "finish", stage->job.id, 0, err) && task_store_done(db, &stage->step->task, err);
}

static bool start(struct db *db, void *arg, struct err *err)
{
    struct stage *stage = arg;
    bool moved;

    return task_store_fence(db, &stage->step->task, err) &&
           shard_store_move(db, stage->shard.id, "{planned}", "staging", NULL, &moved, err);
}

/* ---- copies ---- */

struct copy_item {
    struct record_source source;
    char to[KEY_SIZE];
    const char *failure; /* stable word, NULL while fine; static text, like the words */
    const char *words;
};

struct copy_page {
    struct stage *stage;
    struct db_rows rows;
    struct copy_item *items;
    int next;
    int copies, denied;
    struct err denial; /* the first of those */
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
        *copy =
            (struct s3_copy){ .from = { span_of(stage->prefix.bucket), span_of(it->source.key),
                                        span_of(stage->prefix.bucket_owner) },
                              .from_etag = span_of(it->source.etag),
                              .to = { stage->bucket, span_of(it->to), span_of(stage->step->settings->bucket_owner) },
                              .content_type = format ? format->mime : "application/octet-stream" };
        *item = it;
        return true;
    }
    return false;
}

/* What a refused copy means for its record; NULL where it concerns more than this one video. */
static const char *failure_of(const struct err *refusal, const char **words)
{
    const char *code = refusal->upstream_code;

    if (refusal->kind == ERR_NOT_FOUND && strcmp(code, "NoSuchBucket") != 0) {
        *words = "the video was no longer there when it was staged; scan the prefix again";
        return "source_vanished";
    }
    if (refusal->kind == ERR_CONFLICT) {
        *words =
            "the video changed between the plan and the staging; scan the prefix and run it again with its new content";
        return "source_changed";
    }
    if (strcmp(code, "InvalidObjectState") == 0 || strcmp(code, "ObjectNotInActiveTierError") == 0) {
        *words = "the video is archived; restore it in S3, then run it again";
        return "source_archived";
    }
    if (strcmp(code, "AccessDenied") == 0 && !refusal->retryable) {
        *words = "S3 denies access to this video (s3:GetObject); cure that, then run it again";
        return "source_denied";
    }
    return NULL;
}

static bool copied(void *arg, void *item, const struct err *copy_err, struct err *err)
{
    struct copy_page *page = arg;
    struct copy_item *it = item;

    page->copies++;
    if (copy_err) {
        it->failure = failure_of(copy_err, &it->words);
        if (!it->failure)
            return err_pass(err, copy_err);
        if (strcmp(it->failure, "source_denied") == 0 && page->denied++ == 0)
            page->denial = *copy_err;
    }
    return step_alive(page->stage->step, err);
}

static bool store_copies(struct db *db, void *arg, struct err *err)
{
    struct copy_page *page = arg;
    struct stage *stage = page->stage;
    char state[16];
    bool yes;

    if (!task_store_fence(db, &stage->step->task, err) || !job_store_lock(db, stage->job.id, state, err) ||
        !is_still_staging(db, stage->shard.id, &yes, err))
        return false;
    if (!yes) {
        stage->is_over = true;
        return leave(db, stage, err);
    }
    for (int i = 0; i < page->rows.count; i++) {
        const struct copy_item *it = &page->items[i];
        struct summary_new row = { .record_id = it->source.id,
                                   .job_id = stage->job.id,
                                   .shard_id = stage->shard.id,
                                   .video_id = it->source.video_id,
                                   .created_ms = clock_wall_ms(),
                                   .state = "failed" };

        if (!it->failure)
            continue;
        row.error_reason = span_of(it->failure);
        row.error_message = span_of(it->words);
        if (!summary_store_put(db, &row, err))
            return false;
    }
    return task_store_progress(db, &stage->step->task, err) &&
           shard_store_staged_through(db, stage->shard.id, page->items[page->rows.count - 1].source.id, err);
}

static void name_copy(const struct stage *stage, struct copy_item *it)
{
    const struct video_format *format = video_format_of(span_of(it->source.key));
    char digits[ID_SIZE];

    id_format(ID_RECORD, it->source.id, digits);
    snprintf(it->to, sizeof it->to, "%.*sv/%s%s", SPAN_ARG(stage->folder), digits, format ? format->suffix : "");
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
        record_source_read(&page.rows, i, &page.items[i].source);
        name_copy(stage, &page.items[i]);
    }
    if (!s3_copy_objects(stage->step->client, &many, err))
        return false;
    /* all of the first page, or of a whole one: that is not these videos, but our permissions */
    if (page.denied > 0 && page.denied == page.copies && (*after == 0 || page.rows.count == COPY_PAGE))
        return err_pass(err, &page.denial);
    if (!db_transaction(stage->step->db, store_copies, &page, err))
        return false;
    *after = page.items[page.rows.count - 1].source.id;
    return true;
}

/* ---- the JSONL ---- */

static bool write_page(struct stage *stage, const struct batch_input *input, struct s3_writer *writer,
                       struct buf *lines, const struct db_rows *rows, struct err *err)
{
    AUTO(buf_done) struct buf uri = { .max = KEY_SIZE + 80 };

    for (int i = 0; i < rows->count; i++) {
        struct copy_item it = { 0 };
        const struct video_format *format;
        char digits[ID_SIZE];

        record_source_read(rows, i, &it.source);
        format = video_format_of(span_of(it.source.key));
        if (it.source.has_summary || !format)
            continue;
        name_copy(stage, &it);
        buf_reset(&uri);
        buf_fmt(&uri, "s3://%.*s/%s", SPAN_ARG(stage->bucket), it.to);
        id_format(ID_RECORD, it.source.id, digits);
        batch_input_line(input, lines, digits, format->format, buf_view(&uri));
        stage->lines++;
        if (lines->len > LINE_BUFFER / 2) {
            if (!buf_check(lines, "JSONL lines", err) || !s3_writer_add(writer, buf_view(lines), err))
                return false;
            buf_reset(lines);
        }
    }
    return buf_check(lines, "JSONL lines", err);
}

static void writer_free(struct s3_writer **writer)
{
    s3_writer_free(*writer);
}

static bool write_lines(struct stage *stage, const struct batch_input *input, const struct s3_ref *ref, struct err *err)
{
    AUTO(writer_free) struct s3_writer *writer = NULL;
    AUTO(buf_done) struct buf lines = { .max = LINE_BUFFER * 2 };
    int64_t after = 0;
    bool more = true;

    if (!s3_writer_new(stage->step->client, ref, "application/x-ndjson", 0, &writer, err))
        return false;
    while (more) {
        AUTO(db_rows_done) struct db_rows rows = { 0 };
        struct record_source last;

        if (!step_alive(stage->step, err) ||
            !record_store_sources(stage->step->db, stage->shard.id, after, LINE_PAGE, &rows, err) ||
            !write_page(stage, input, writer, &lines, &rows, err))
            return false;
        more = rows.count > 0;
        if (more) {
            record_source_read(&rows, rows.count - 1, &last);
            after = last.id;
        }
    }
    return s3_writer_add(writer, buf_view(&lines), err) && s3_writer_finish(writer, &stage->input_bytes, err);
}

static void input_free(struct batch_input **input)
{
    batch_input_free(*input);
}

static bool write_jsonl(struct stage *stage, struct err *err)
{
    AUTO(input_free) struct batch_input *input = NULL;
    const struct job_row *job = &stage->job;
    const struct batch_inference inference = { job->has_max_tokens, job->has_temperature,
                                               job->has_top_p,      job->has_top_k,
                                               job->max_tokens,     job->top_k,
                                               job->temperature,    job->top_p };
    const bool same_bucket = span_eq_text(stage->bucket, stage->prefix.bucket);
    const char *owner = stage->step->settings->bucket_owner[0] ? stage->step->settings->bucket_owner
                        : same_bucket                          ? stage->prefix.bucket_owner
                                                               : NULL;
    char key[KEY_SIZE];
    int aborted = 0;
    struct s3_ref ref = { stage->bucket, { NULL, 0 }, span_of(stage->step->settings->bucket_owner) };

    snprintf(key, sizeof key, "%.*sinput.jsonl", SPAN_ARG(stage->folder));
    ref.key = span_of(key);
    input = batch_input_new(span_of(job->prompt), span_of(job->system), &inference, span_of(owner), err);
    return input && s3_abort_uploads(stage->step->client, &ref, &aborted, err) && write_lines(stage, input, &ref, err);
}

/* ---- the step ---- */

static bool finish_small(struct db *db, struct stage *stage, struct err *err)
{
    AUTO(buf_done) struct buf json = { .max = 2048 };
    char words[300];

    snprintf(
        words, sizeof words,
        "only %lld of %lld videos were still there unchanged when they were staged, fewer than the %lld that a Bedrock "
        "batch job takes; scan the prefix again and launch a new job",
        (long long)stage->lines, (long long)stage->shard.record_count, (long long)stage->step->settings->min_records);
    error_words_to_json("below_minimum", words, &json);
    return buf_check(&json, "shard error", err) &&
           shard_end(stage->step, stage->shard.id, stage->job.id, 0, "failed", "not_submitted", words, buf_cstr(&json),
                     err) &&
           task_store_done(db, &stage->step->task, err);
}

static bool finish(struct db *db, void *arg, struct err *err)
{
    struct stage *stage = arg;
    char state[16], detail[96];
    bool moved, yes;

    /* the job's lock orders this with a cancel */
    if (!task_store_fence(db, &stage->step->task, err) || !job_store_lock(db, stage->job.id, state, err) ||
        !is_still_staging(db, stage->shard.id, &yes, err))
        return false;
    if (!yes)
        return leave(db, stage, err);
    if (stage->lines < stage->step->settings->min_records)
        return finish_small(db, stage, err);
    if (!shard_store_staged(db, stage->shard.id, stage->input_bytes, &moved, err))
        return false;
    snprintf(detail, sizeof detail, "{\"shard\":%d,\"records\":%lld}", stage->shard.ordinal, (long long)stage->lines);
    if (moved && (!task_store_add(db, "submit", stage->shard.id, 0, err) ||
                  !event_store_add(db, stage->job.id, "shard.staged", detail, err)))
        return false;
    return task_store_done(db, &stage->step->task, err);
}

bool step_stage(struct step *step, struct err *err)
{
    AUTO(db_rows_done) struct db_rows shard_rows = { 0 };
    AUTO(db_rows_done) struct db_rows job_rows = { 0 };
    AUTO(db_rows_done) struct db_rows prefix_rows = { 0 };
    struct stage stage = { .step = step };
    int64_t after;
    bool more = true;

    if (!shard_store_get(step->db, step->task.subject_id, &shard_rows, &stage.shard, err))
        return false;
    if (strcmp(stage.shard.state, "planned") != 0 && strcmp(stage.shard.state, "staging") != 0)
        return step_end(step, err);
    step_about_job(step, stage.shard.job_id);
    if (!job_store_get(step->db, stage.shard.job_id, &job_rows, &stage.job, err) ||
        !prefix_store_get_any(step->db, stage.job.prefix_id, &prefix_rows, &stage.prefix, err) ||
        !s3_parse_uri(span_of(stage.shard.folder_uri), &stage.bucket, &stage.folder, err) ||
        !db_transaction(step->db, start, &stage, err))
        return false;
    after = stage.shard.staged_through;
    while (more && !stage.is_over)
        if (!step_alive(step, err) || !copy_from(&stage, &after, &more, err))
            return false;
    return stage.is_over || (write_jsonl(&stage, err) && db_transaction(step->db, finish, &stage, err));
}
