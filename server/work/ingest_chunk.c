/* A chunk of answers: collected in one arena, stored by COPY together with the offset that it reaches. */
#include "server/base/log.h"
#include "server/base/mem.h"
#include "server/base/text.h"
#include "server/work/answer.h"
#include "server/work/ingest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of a chunk; what is kept tells of more, and the shard counts all. */
enum { MALFORMED_LOGGED = 3 };

bool chunk_init(struct chunk *chunk, struct ingest *ingest, struct span file, int64_t offset, struct err *err)
{
    *chunk = (struct chunk){ .ingest = ingest, .file = file, .from = offset, .to = offset };
    buf_init(&chunk->arena, 4 * (size_t)CHUNK_TEXT_BYTES);
    chunk->rows = mem_alloc(CHUNK_ROWS, sizeof *chunk->rows);
    chunk->unread = mem_alloc(UNREAD_LINES_KEPT, sizeof *chunk->unread);
    return (chunk->rows && chunk->unread) || err_memory(err, HERE);
}

void chunk_done(struct chunk *chunk)
{
    mem_free(chunk->rows);
    mem_free(chunk->unread);
    chunk->rows = NULL;
    chunk->unread = NULL;
    buf_done(&chunk->arena);
}

bool chunk_is_full(const struct chunk *chunk)
{
    return chunk->count == CHUNK_ROWS || chunk->arena.len > CHUNK_TEXT_BYTES ||
           chunk->to - chunk->from > CHUNK_FILE_BYTES; /* lines that nobody can use must be read only once too */
}

static void add_row(struct chunk *chunk, const struct batch_line *line, size_t key)
{
    struct record_key *record = &chunk->ingest->keys[key];
    struct chunk_row *row = &chunk->rows[chunk->count++];

    *row = (struct chunk_row){ .key = key,
                               .text = chunk->arena.len,
                               .had_row = record->stored_round != 0 || record->has_row };
    row->is_answer = line->kind == BATCH_LINE_ANSWER;
    row->altered = line->text_altered;
    row->input_tokens = line->input_tokens;
    row->output_tokens = line->output_tokens;
    row->error_code = line->error_code;
    row->error_retryable = line->error_retryable;
    row->error_expired = line->error_expired;
    row->text_len = line->text.len;
    row->stop_len = line->stop_reason.len;
    row->message_len = line->error_message.len;
    buf_span(&chunk->arena, line->text);
    buf_span(&chunk->arena, line->stop_reason);
    buf_span(&chunk->arena, line->error_message);
    chunk->meets_rows |= row->had_row;
    record->stored_round = chunk->ingest->shard.ingest_round;
    record->has_row = true;
}

/* Poison is kept for whoever wants to know, and never fatal. */
static bool keep_unread(struct chunk *chunk, const struct batch_output *output, const struct batch_line *line,
                        const char *kind, const char *problem, struct err *err)
{
    struct chunk_unread *unread = &chunk->unread[chunk->unread_count];

    if (chunk->unread_count == UNREAD_LINES_KEPT)
        return true;
    *unread = (struct chunk_unread){
        .offset = line->offset, .bytes = line->next_offset - line->offset, .kind = kind, .head = chunk->arena.len
    };
    snprintf(unread->problem, sizeof unread->problem, "%.*s",
             SPAN_ARG(text_utf8_head(span_of(problem), sizeof unread->problem - 1)));
    text_add_storable(&chunk->arena, span_trim(batch_output_head(output, line)));
    unread->head_len = chunk->arena.len - unread->head;
    chunk->unread_count++;
    return buf_check(&chunk->arena, "chunk of answers", err);
}

bool chunk_add(struct chunk *chunk, const struct batch_output *output, const struct batch_line *line, struct err *err)
{
    struct shard_progress *progress = &chunk->progress;
    struct record_key *record;
    bool is_success;
    size_t key;

    chunk->to = line->next_offset;
    if (line->kind == BATCH_LINE_MALFORMED) {
        if (progress->malformed_lines++ < MALFORMED_LOGGED)
            log_warn("ingest.malformed_line", "file=%.*s offset=%lld problem=%s", SPAN_ARG(chunk->file),
                     (long long)line->offset, LOGQ(line->problem.what));
        return keep_unread(chunk, output, line, "malformed", line->problem.what, err);
    }
    key = ingest_find_key(chunk->ingest, line->record_id);
    if (key == chunk->ingest->key_count) {
        progress->unknown_lines++;
        return keep_unread(chunk, output, line, "unknown", "its recordId is none of this part of the job", err);
    }
    is_success = line->kind == BATCH_LINE_ANSWER && line->text.len;
    record = &chunk->ingest->keys[key];
    if (record->stored_round == chunk->ingest->shard.ingest_round) {
        progress->duplicate_lines++;
        if (!is_success || record->has_success)
            return true;
        progress->failed--; /* an answer after an error: it was paid for, so it counts */
    }
    add_row(chunk, line, key);
    record->has_success |= is_success;
    if (is_success)
        progress->succeeded++;
    else
        progress->failed++;
    progress->input_tokens += line->input_tokens > 0 ? line->input_tokens : 0;
    progress->output_tokens += line->output_tokens > 0 ? line->output_tokens : 0;
    return buf_check(&chunk->arena, "chunk of answers", err);
}

static struct span part(const struct chunk *chunk, size_t at, size_t len)
{
    return len ? (struct span){ chunk->arena.data + at, len } : (struct span){ NULL, 0 };
}

static void row_to_summary(const struct chunk *chunk, const struct chunk_row *row, struct summary_new *out)
{
    const struct ingest *ingest = chunk->ingest;
    const size_t stop = row->text + row->text_len;
    const struct batch_line line = { .kind = row->is_answer ? BATCH_LINE_ANSWER : BATCH_LINE_ERROR,
                                     .text = part(chunk, row->text, row->text_len),
                                     .text_altered = row->altered,
                                     .stop_reason = part(chunk, stop, row->stop_len),
                                     .input_tokens = row->input_tokens,
                                     .output_tokens = row->output_tokens,
                                     .error_code = row->error_code,
                                     .error_message = part(chunk, stop + row->stop_len, row->message_len),
                                     .error_retryable = row->error_retryable,
                                     .error_expired = row->error_expired };

    *out = (struct summary_new){ .record_id = ingest->keys[row->key].id,
                                 .job_id = ingest->shard.job_id,
                                 .shard_id = ingest->shard.id,
                                 .video_id = ingest->keys[row->key].video_id,
                                 .created_ms = chunk->now_ms,
                                 .ingest_round = ingest->shard.ingest_round };
    answer_to_summary(&line, out);
}

static int by_key(const void *a, const void *b)
{
    const struct chunk_row *x = a, *y = b;

    return (x->key > y->key) - (x->key < y->key);
}

static bool copy_rows(struct db *db, struct chunk *chunk, bool merged, struct err *err)
{
    struct db_copy copy = { 0 };
    struct summary_new row;

    /* Bedrock writes answers in any order; in the order of records they find their places in the indexes side by side,
     * and a page of summaries finds them so in the table. */
    qsort(chunk->rows, chunk->count, sizeof *chunk->rows, by_key);
    if (merged ? !summary_store_copy_merge(db, &copy, err) : !summary_store_copy(db, &copy, err))
        return false;
    for (size_t i = 0; i < chunk->count; i++) {
        row_to_summary(chunk, &chunk->rows[i], &row);
        summary_store_add(&copy, &row);
    }
    return db_copy_end(&copy, err);
}

/* Another file may have brought some of these records already: what this chunk adds, only the rows can tell. Every line
 * of it that is no record's first is a duplicate. */
static bool count_new(struct db *db, const struct chunk *chunk, struct shard_progress *progress, struct err *err)
{
    const int64_t lines = progress->succeeded + progress->failed + progress->duplicate_lines;
    int64_t succeeded, failed, lifted;

    if (!shard_store_lock(db, chunk->ingest->shard.id, err) ||
        !summary_store_count_new(db, chunk->ingest->shard.ingest_round, &succeeded, &failed, &lifted, err))
        return false;
    progress->succeeded = succeeded + lifted;
    progress->failed = failed - lifted;
    progress->duplicate_lines = lines - succeeded - failed;
    return true;
}

static bool merge_rows(struct db *db, struct chunk *chunk, struct shard_progress *progress, struct err *err)
{
    const struct ingest *ingest = chunk->ingest;
    int64_t changed;

    return copy_rows(db, chunk, true, err) && (!ingest->is_shared || count_new(db, chunk, progress, err)) &&
           summary_store_merge(db, &changed, err);
}

static bool store_unread(struct db *db, const struct chunk *chunk, struct err *err)
{
    /* how many are kept is counted, which other files of the shard may do too */
    if (chunk->unread_count > 0 && !shard_store_lock(db, chunk->ingest->shard.id, err))
        return false;
    for (size_t i = 0; i < chunk->unread_count; i++) {
        const struct chunk_unread *unread = &chunk->unread[i];
        const struct unread_line line = { .job_id = chunk->ingest->shard.job_id,
                                          .shard_id = chunk->ingest->shard.id,
                                          .file = chunk->file,
                                          .offset = unread->offset,
                                          .bytes = unread->bytes,
                                          .kind = unread->kind,
                                          .problem = unread->problem,
                                          .head = unread->head_len ? part(chunk, unread->head, unread->head_len)
                                                                   : SPAN_LIT("") };

        if (!unread_line_store_add(db, &line, err))
            return false;
    }
    return true;
}

static bool store(struct db *db, void *arg, struct err *err)
{
    struct chunk *chunk = arg;
    struct shard_progress progress = chunk->progress;

    if (!task_store_fence(db, &chunk->ingest->step->task, err) || !db_now_ms(db, &chunk->now_ms, err))
        return false;
    if (chunk->count && !(chunk->meets_rows ? merge_rows(db, chunk, &progress, err) : copy_rows(db, chunk, false, err)))
        return false;
    return store_unread(db, chunk, err) && task_store_progress(db, &chunk->ingest->step->task, err) &&
           shard_store_file_advance(db, chunk->ingest->shard.id, chunk->file, chunk->from, chunk->to, &progress, err);
}

bool chunk_store(struct db *db, void *arg, struct err *err)
{
    struct chunk *chunk = arg;
    struct err problem = { 0 };

    if (chunk->from == chunk->to)
        return true;
    if (db_transaction(db, store, chunk, &problem))
        return true;
    /* another worker, on another file, has stored one of these records meanwhile */
    if (strcmp(problem.code, "unique_violation") != 0 || chunk->meets_rows)
        return err_pass(err, &problem);
    chunk->meets_rows = true;
    return db_transaction(db, store, chunk, err);
}

void chunk_begin(struct chunk *chunk, int64_t offset)
{
    chunk->from = chunk->to = offset;
    chunk->count = chunk->unread_count = 0;
    chunk->meets_rows = false;
    chunk->progress = (struct shard_progress){ 0 };
    buf_reset(&chunk->arena);
}
