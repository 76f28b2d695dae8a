/* The first half of an import: which record has which video. What was read and how far are one transaction. */
#include "aws/batch_echo.h"
#include "aws/s3.h"
#include "server/base/log.h"
#include "server/base/mem.h"
#include "server/work/import.h"
#include "server/work/recipe.h"
#include "sql/job_store.h"
#include "sql/shard_store.h"

#include <stdio.h>
#include <string.h>

enum { LINES = 10000, TEXT_BYTES = 4 * 1024 * 1024, LIST_KEYS = 1000 };

struct line { /* offsets into the arena */
    size_t at, id_len, bucket_len, key_len;
};

struct lines {
    struct import *import;
    struct span file;
    struct line *items;
    size_t count;
    struct buf arena;
    int64_t from, to;
    bool has_question;
    struct import_question question; /* its texts are in `words` */
    struct buf words;
};

static void lines_done(struct lines *lines)
{
    mem_free(lines->items);
    lines->items = NULL;
    buf_done(&lines->arena);
    buf_done(&lines->words);
}

/* ---- lines ---- */

static bool take_question(struct lines *lines, const struct batch_echo_line *line, struct err *err)
{
    const struct batch_inference *from = &line->inference;
    struct import_question *to = &lines->question;
    struct recipe recipe = { .model_id = span_of(lines->import->row.model_id),
                             .prompt = line->prompt,
                             .system = line->system,
                             .has_max_tokens = from->has_max_tokens,
                             .has_temperature = from->has_temperature,
                             .has_top_p = from->has_top_p,
                             .has_top_k = from->has_top_k,
                             .max_tokens = from->max_tokens,
                             .top_k = from->top_k,
                             .temperature = from->temperature,
                             .top_p = from->top_p };

    buf_reset(&lines->words);
    buf_span(&lines->words, line->prompt);
    buf_span(&lines->words, line->system);
    if (!buf_check(&lines->words, "prompt of an import", err))
        return false;
    *to = (struct import_question){ .prompt = span_head(buf_view(&lines->words), line->prompt.len),
                                    .system = span_tail(buf_view(&lines->words), line->prompt.len),
                                    .has_max_tokens = from->has_max_tokens,
                                    .has_temperature = from->has_temperature,
                                    .has_top_p = from->has_top_p,
                                    .has_top_k = from->has_top_k,
                                    .max_tokens = from->max_tokens,
                                    .top_k = from->top_k,
                                    .temperature = from->temperature,
                                    .top_p = from->top_p };
    if (to->system.len == 0)
        to->system = (struct span){ NULL, 0 };
    recipe_hash(&recipe, to->recipe);
    lines->has_question = true;
    return true;
}

/* A line that names no record or no video in S3 cannot be told apart from others: the ingest counts it as unknown. */
static bool add_line(struct lines *lines, const struct batch_echo_line *line, struct err *err)
{
    struct span bucket, key;
    struct line *item;

    lines->to = line->next_offset;
    if (line->malformed || line->record_id.len == 0 || !s3_parse_uri(line->video_uri, &bucket, &key, NULL) ||
        key.len == 0)
        return true;
    if (!lines->import->row.has_question && !lines->has_question && line->prompt.len > 0 &&
        !take_question(lines, line, err))
        return false;
    item = &lines->items[lines->count++];
    *item = (struct line){ lines->arena.len, line->record_id.len, bucket.len, key.len };
    buf_span(&lines->arena, line->record_id);
    buf_span(&lines->arena, bucket);
    buf_span(&lines->arena, key);
    return buf_check(&lines->arena, "lines of an import", err);
}

static bool copy_lines(struct db *db, const struct lines *lines, struct err *err)
{
    struct db_copy copy = { 0 };

    if (lines->count == 0)
        return true;
    if (!import_store_lines(db, &copy, err))
        return false;
    for (size_t i = 0; i < lines->count; i++) {
        const struct line *item = &lines->items[i];
        const struct span text = span_tail(buf_view(&lines->arena), item->at);
        const struct span place = span_tail(text, item->id_len);

        import_store_line_add(&copy, lines->import->job_id, span_head(text, item->id_len),
                              span_head(place, item->bucket_len),
                              span_head(span_tail(place, item->bucket_len), item->key_len));
    }
    return db_copy_end(&copy, err);
}

static bool store(struct db *db, void *arg, struct err *err)
{
    const struct shard_progress none = { 0 };
    struct lines *lines = arg;
    struct import *import = lines->import;
    char state[16];

    if (!task_store_fence(db, &import->step->task, err) || !job_store_lock(db, import->job_id, state, err))
        return false;
    if (strcmp(state, "planning") != 0) {
        import->is_over = true;
        return import_store_forget(db, import->job_id, err) && task_store_done(db, &import->step->task, err);
    }
    return copy_lines(db, lines, err) &&
           (!lines->has_question || import_store_question(db, import->job_id, &lines->question, err)) &&
           task_store_progress(db, &import->step->task, err) &&
           shard_store_file_advance(db, import->shard_id, lines->file, lines->from, lines->to, &none, err);
}

static bool store_lines(struct lines *lines, struct err *err)
{
    if (lines->from == lines->to)
        return true;
    if (!step_alive(lines->import->step, err) || !db_transaction(lines->import->step->db, store, lines, err))
        return false;
    lines->import->row.has_question |= lines->has_question;
    lines->has_question = false;
    lines->from = lines->to;
    lines->count = 0;
    buf_reset(&lines->arena);
    return true;
}

static bool read_lines(struct lines *lines, struct batch_echo *echo, struct err *err)
{
    struct batch_echo_line line;
    bool eof = false;

    while (!eof && !lines->import->is_over) {
        if (!batch_echo_next(echo, &line, &eof, err) || (!eof && !add_line(lines, &line, err)))
            return false;
        if ((eof || lines->count == LINES || lines->arena.len > TEXT_BYTES) && !store_lines(lines, err))
            return false;
    }
    return true;
}

/* ---- files ---- */

static bool more_bytes(void *arg, struct span *piece, struct err *err)
{
    return s3_reader_read(arg, piece, err);
}

static void reader_close(struct s3_reader **reader)
{
    s3_reader_close(*reader);
}

static void echo_free(struct batch_echo **echo)
{
    batch_echo_free(*echo);
}

static bool lines_init(struct lines *lines, struct import *import, struct span file, int64_t offset, struct err *err)
{
    *lines = (struct lines){ .import = import, .file = file, .from = offset, .to = offset };
    buf_init(&lines->arena, 2 * (size_t)TEXT_BYTES);
    buf_init(&lines->words, TEXT_BYTES);
    lines->items = mem_alloc(LINES, sizeof *lines->items);
    return lines->items || err_memory(err, HERE);
}

/* What was read may be of damaged bytes. */
static bool begin_anew(struct db *db, void *arg, struct err *err)
{
    struct import *import = arg;

    return task_store_fence(db, &import->step->task, err) && import_store_forget(db, import->job_id, err) &&
           shard_store_files_rewind(db, import->shard_id, err);
}

static bool read_file(struct import *import, const struct s3_ref *ref, struct span etag, int64_t size_bytes,
                      struct err *err)
{
    AUTO(reader_close) struct s3_reader *reader = NULL;
    AUTO(echo_free) struct batch_echo *echo = NULL;
    AUTO(lines_done) struct lines lines = { 0 };
    char pinned[136];
    int64_t offset;
    struct err failed = { 0 };

    if (!shard_store_file_open(import->step->db, import->shard_id, ref->key, etag, size_bytes, &offset, err))
        return false;
    if (offset >= size_bytes)
        return true;
    snprintf(pinned, sizeof pinned, "%.*s", SPAN_ARG(etag));
    if (!lines_init(&lines, import, ref->key, offset, err) ||
        !s3_reader_open(import->step->client, ref, offset, pinned, &reader, err))
        return false;
    echo = batch_echo_new(offset, more_bytes, reader, err);
    if (echo && read_lines(&lines, echo, err))
        return true;
    err->retryable |= strcmp(err->code, "object_changed") == 0; /* the next attempt begins with the new version */
    if (strcmp(err->code, "checksum_mismatch") == 0 && !db_transaction(import->step->db, begin_anew, import, &failed))
        *err = failed;
    return false;
}

/* ---- places ---- */

static struct span suffix_of(enum import_side side)
{
    return side == IMPORT_OUTPUT ? SPAN_LIT(".jsonl.out") : SPAN_LIT(".jsonl");
}

bool import_is_job_id(struct span name)
{
    if (name.len != IMPORT_JOB_ID_SIZE - 1)
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (!((name.ptr[i] >= 'a' && name.ptr[i] <= 'z') || (name.ptr[i] >= '0' && name.ptr[i] <= '9')))
            return false;
    return true;
}

/* recordIds are unique within one Bedrock job only. below: the key without the place's own path. */
static bool check_job_folder(struct import *import, struct span below, struct err *err)
{
    const struct span folder = span_head(below, span_find(below, '/'));

    if (folder.len == below.len || !import_is_job_id(folder))
        return true;
    if (import->job_folder[0] == '\0') {
        snprintf(import->job_folder, sizeof import->job_folder, "%.*s", SPAN_ARG(folder));
        return true;
    }
    if (span_eq_text(folder, import->job_folder))
        return true;
    err_set(err, ERR_INPUT, false, HERE,
            "under the output there are several Bedrock jobs (%s/, %.*s/ ...); import each by itself: name its folder",
            import->job_folder, SPAN_ARG(folder));
    return err_code(err, "several_jobs");
}

static bool read_one(struct import *import, const struct s3_ref *ref, struct err *err)
{
    struct s3_head head;

    return s3_head(import->step->client, ref, &head, err) &&
           read_file(import, ref, span_of(head.etag), head.size_bytes, err);
}

/* An object of a listed folder: only those that hold lines are of interest. */
static bool take_object(struct import *import, enum import_side side, const struct s3_list_request *rq,
                        const struct s3_object *object, struct err *err)
{
    const struct s3_ref ref = { rq->bucket, object->key, { "", 0 } };

    if (!span_ends(object->key, suffix_of(side)))
        return true;
    if (side == IMPORT_OUTPUT && !check_job_folder(import, span_tail(object->key, rq->prefix.len), err))
        return false;
    import->output_files += side == IMPORT_OUTPUT;
    return read_file(import, &ref, object->etag, object->size_bytes, err);
}

bool import_read(struct import *import, enum import_side side, struct err *err)
{
    const char *uri = side == IMPORT_OUTPUT ? import->row.output_uri : import->row.input_uri;
    AUTO(s3_page_done) struct s3_page page = { 0 };
    AUTO(buf_done) struct buf token = { .max = 8192 };
    struct s3_list_request rq = { .max_keys = LIST_KEYS };

    if (!s3_parse_uri(span_of(uri), &rq.bucket, &rq.prefix, err))
        return false;
    if (span_ends(rq.prefix, suffix_of(side))) {
        import->output_files += side == IMPORT_OUTPUT;
        return read_one(import, &(struct s3_ref){ rq.bucket, rq.prefix, { "", 0 } }, err);
    }
    do {
        if (!s3_list_page(import->step->client, &rq, &page, err))
            return false;
        for (size_t i = 0; i < page.object_count && !import->is_over; i++)
            if (!take_object(import, side, &rq, &page.objects[i], err))
                return false;
        buf_reset(&token);
        buf_span(&token, buf_view(&page.next_token));
        rq.token = buf_view(&token);
    } while (page.is_truncated && buf_ok(&token) && !import->is_over);
    return buf_check(&token, "continuation token", err);
}
