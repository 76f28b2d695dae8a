/* Step ingest: streams the output file of the shard's Bedrock job into the database; of several files each gets a task
 * of its own (ingest_file.c). What a chunk stored and how far it read are one transaction, so the next attempt goes on
 * where this one stopped. Ends with every record accounted for. */
#include "server/work/ingest.h"
#include "aws/bedrock.h"
#include "aws/s3.h"
#include "server/base/log.h"
#include "server/base/mem.h"
#include "sql/event_store.h"
#include "sql/job_store.h"
#include "sql/shard_file_store.h"

#include <stdio.h>
#include <string.h>

enum { MANIFEST_MAX_BYTES = 64 * 1024, LIST_KEYS = 1000 };

/* ---- one file ---- */

static bool more_bytes(void *arg, struct span *piece, struct err *err)
{
    return s3_reader_read(arg, piece, err);
}

static void reader_close(struct s3_reader **reader)
{
    s3_reader_close(*reader);
}

static void output_free(struct batch_output **output)
{
    batch_output_free(*output);
}

/* One chunk is filled while the other thread stores the one before. */
struct chunks {
    struct chunk pair[2];
    struct aside *aside;
};

static void chunks_done(struct chunks *chunks)
{
    aside_end(chunks->aside); /* before what it works on */
    chunk_done(&chunks->pair[0]);
    chunk_done(&chunks->pair[1]);
}

static bool read_chunk(struct chunk *chunk, struct batch_output *output, bool *eof, struct err *err)
{
    while (!*eof && !chunk_is_full(chunk)) {
        struct batch_line line;

        if (!batch_output_next(output, &line, eof, err) || (!*eof && !chunk_add(chunk, output, &line, err)))
            return false;
    }
    return true;
}

static bool read_lines(struct ingest *ingest, struct batch_output *output, struct chunks *chunks, struct err *err)
{
    bool eof = false;

    for (size_t i = 0; !eof; i ^= 1) {
        struct chunk *chunk = &chunks->pair[i];

        if (!read_chunk(chunk, output, &eof, err) || !step_alive(ingest->step, err) ||
            !aside_run(chunks->aside, chunk_store, chunk, err))
            return false;
        chunk_begin(&chunks->pair[i ^ 1], chunk->to);
    }
    return aside_wait(chunks->aside, err);
}

/* What was stored of it may be of damaged bytes: a new round of ingest replaces all. */
static bool begin_anew(struct db *db, void *arg, struct err *err)
{
    struct ingest *ingest = arg;
    char state[16];
    bool moved;

    return task_store_fence(db, &ingest->step->task, err) && job_store_lock(db, ingest->shard.job_id, state, err) &&
           shard_store_ingest_reset(db, ingest->shard.id, &moved, err) &&
           (!moved || task_store_add(db, "ingest", ingest->shard.id, 0, err));
}

/* Bedrock wrote the file anew while it was read: the next attempt lists again and starts the new version at its
 * beginning. Bytes that are not what S3 keeps are read again from the beginning too. Always false. */
static bool settle_failure(struct ingest *ingest, struct err *err)
{
    struct err failed = { 0 };

    if (strcmp(err->code, "object_changed") == 0)
        err->retryable = true;
    if (strcmp(err->code, "checksum_mismatch") == 0 && !db_transaction(ingest->step->db, begin_anew, ingest, &failed)) {
        log_error("ingest.not_begun_anew", "cause=%s", LOGQ(failed.what));
        *err = failed;
    }
    return false;
}

bool ingest_one_file(struct ingest *ingest, const struct s3_ref *ref, struct span etag, int64_t size_bytes,
                     struct err *err)
{
    AUTO(reader_close) struct s3_reader *reader = NULL;
    AUTO(output_free) struct batch_output *output = NULL;
    AUTO(chunks_done) struct chunks chunks = { 0 };
    char pinned[136];
    int64_t offset;

    if (!shard_store_file_open(ingest->step->db, ingest->shard.id, ref->key, etag, size_bytes, &offset, err))
        return false;
    if (offset >= size_bytes)
        return true;
    snprintf(pinned, sizeof pinned, "%.*s", SPAN_ARG(etag));
    if (!s3_reader_open(ingest->step->client, ref, offset, pinned, &reader, err) ||
        !chunk_init(&chunks.pair[0], ingest, ref->key, offset, err) ||
        !chunk_init(&chunks.pair[1], ingest, ref->key, offset, err) || !aside_start(ingest->step, &chunks.aside, err))
        return settle_failure(ingest, err);
    output = batch_output_new(offset, more_bytes, reader, err);
    return output && (read_lines(ingest, output, &chunks, err) || settle_failure(ingest, err));
}

static bool ingest_manifest(struct ingest *ingest, const struct s3_ref *ref, struct err *err)
{
    AUTO(buf_done) struct buf text = { .max = MANIFEST_MAX_BYTES };
    struct batch_manifest manifest;
    struct err problem = { 0 };

    if (!s3_get_small(ingest->step->client, ref, MANIFEST_MAX_BYTES, &text, &problem) &&
        (step_may_pass(&problem) || problem.kind == ERR_CANCELLED))
        return err_pass(err, &problem);
    if (problem.kind != ERR_NONE || !batch_manifest_parse(buf_view(&text), &manifest, &problem)) {
        log_warn("ingest.manifest_unreadable", "key=%.*s problem=%s", SPAN_ARG(ref->key), LOGQ(problem.what));
        return true; /* optional: the lines are the truth */
    }
    return shard_store_manifest(ingest->step->db, ingest->shard.id, manifest.input_tokens, manifest.output_tokens, err);
}

/* ---- the job's folder ---- */

struct folder {
    struct ingest *ingest;
    struct span bucket;
    int files;
    struct buf key, etag; /* of the first file; that there is a second one is not known before it is seen */
    int64_t size_bytes;
};

static void folder_done(struct folder *folder)
{
    buf_done(&folder->key);
    buf_done(&folder->etag);
}

static bool add_file(const struct folder *folder, struct span key, struct span etag, int64_t size_bytes,
                     struct err *err)
{
    int64_t offset;

    return shard_store_file_open(folder->ingest->step->db, folder->ingest->shard.id, key, etag, size_bytes, &offset,
                                 err);
}

/* From the second file on each is written down, to be read by a task of its own. */
static bool note_file(struct folder *folder, const struct s3_object *object, struct err *err)
{
    if (++folder->files == 1) {
        buf_span(&folder->key, object->key);
        buf_span(&folder->etag, object->etag);
        folder->size_bytes = object->size_bytes;
        return buf_check(&folder->key, "key of an output file", err) && buf_check(&folder->etag, "its ETag", err);
    }
    if (folder->files == 2 &&
        !add_file(folder, buf_view(&folder->key), buf_view(&folder->etag), folder->size_bytes, err))
        return false;
    return add_file(folder, object->key, object->etag, object->size_bytes, err);
}

static bool note_object(struct folder *folder, const struct s3_object *object, struct err *err)
{
    const struct s3_ref ref = { folder->bucket, object->key, ingest_owner(folder->ingest) };

    if (span_ends(object->key, SPAN_LIT(".jsonl.out")))
        return note_file(folder, object, err);
    if (span_ends(object->key, SPAN_LIT("/manifest.json.out")))
        return ingest_manifest(folder->ingest, &ref, err);
    return true;
}

/* An import may name the one object. */
static bool note_named(struct folder *folder, struct span key, struct err *err)
{
    const struct s3_ref ref = { folder->bucket, key, ingest_owner(folder->ingest) };
    struct s3_object object = { .key = key };
    struct s3_head head;

    if (!s3_head(folder->ingest->step->client, &ref, &head, err))
        return false;
    object.etag = span_of(head.etag);
    object.size_bytes = head.size_bytes;
    return note_file(folder, &object, err);
}

static bool list_folder(struct folder *folder, struct err *err)
{
    AUTO(s3_page_done) struct s3_page page = { 0 };
    AUTO(buf_done) struct buf prefix = { .max = 2048 };
    AUTO(buf_done) struct buf token = { .max = 8192 };
    const struct ingest *ingest = folder->ingest;
    struct s3_list_request rq = { .owner = ingest_owner(ingest), .max_keys = LIST_KEYS };
    struct span path;

    if (!s3_parse_uri(span_of(ingest->shard.output_uri), &folder->bucket, &path, err))
        return false;
    rq.bucket = folder->bucket;
    if (ingest_is_import(ingest) && span_ends(path, SPAN_LIT(".jsonl.out")))
        return note_named(folder, path, err);
    if (ingest_is_import(ingest))
        buf_span(&prefix, path);
    else
        buf_fmt(&prefix, "%.*s%s/", SPAN_ARG(path), bedrock_job_id(ingest->shard.bedrock_arn));
    if (!buf_check(&prefix, "output folder", err))
        return false;
    rq.prefix = buf_view(&prefix);
    do {
        if (!s3_list_page(ingest->step->client, &rq, &page, err))
            return false;
        for (size_t i = 0; i < page.object_count; i++)
            if (!note_object(folder, &page.objects[i], err))
                return false;
        buf_reset(&token);
        buf_span(&token, buf_view(&page.next_token));
        rq.token = buf_view(&token);
    } while (page.is_truncated && buf_ok(&token));
    return buf_check(&token, "continuation token", err);
}

/* ---- the step ---- */

static bool end_shard(struct db *db, struct ingest *ingest, const char *state, const char *reason, const char *words,
                      const char *error_json, struct err *err)
{
    char detail[64];

    snprintf(detail, sizeof detail, "{\"shard\":%d}", ingest->shard.ordinal);
    return shard_end(ingest->step, ingest->shard.id, ingest->shard.job_id, ingest->shard.ingest_round, state, reason,
                     words, error_json, err) &&
           event_store_add(db, ingest->shard.job_id, strcmp(state, "failed") == 0 ? "shard.failed" : "shard.stored",
                           detail, err);
}

bool ingest_end_shard(struct db *db, struct ingest *ingest, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    AUTO(buf_done) struct buf words = { .max = 4096 };
    AUTO(buf_done) struct buf json = { .max = 8192 };
    const char *status = ingest->shard.bedrock_status ? ingest->shard.bedrock_status : "Completed";
    const bool is_whole = strcmp(status, "Completed") == 0;
    struct shard_file_row bad;
    bool found;

    if (!shard_file_store_first_error(db, ingest->shard.id, &rows, &bad, &found, err))
        return false;
    if (found) {
        buf_fmt(&words, "a file of the output could not be read: %s", bad.key);
        return buf_check(&words, "words", err) &&
               end_shard(db, ingest, "failed", "not_ingested", buf_cstr(&words), bad.error, err);
    }
    if (is_whole)
        buf_text(&words, "Bedrock completed the job, but its output has no line for this record");
    else
        bedrock_end_words(status, ingest->shard.bedrock_message, &words);
    if (!is_whole)
        error_words_to_json(strcmp(status, "Failed") == 0 ? "bedrock_failed" : "bedrock_incomplete", buf_cstr(&words),
                            &json);
    return buf_check(&words, "words", err) && buf_check(&json, "shard error", err) &&
           end_shard(db, ingest, "completed", "no_result", buf_cstr(&words), is_whole ? NULL : buf_cstr(&json), err);
}

/* Of one file, or none: it is stored. */
static bool finish(struct db *db, void *arg, struct err *err)
{
    struct ingest *ingest = arg;
    char state[16];

    return task_store_fence(db, &ingest->step->task, err) && job_store_lock(db, ingest->shard.job_id, state, err) &&
           ingest_end_shard(db, ingest, err) && task_store_done(db, &ingest->step->task, err);
}

/* Of several files: each gets its task, and the last one that ends ends the shard. Where all of them ended already this
 * task was only asked for once more. */
static bool split(struct db *db, void *arg, struct err *err)
{
    struct ingest *ingest = arg;
    char state[16];
    int64_t open;

    return task_store_fence(db, &ingest->step->task, err) && job_store_lock(db, ingest->shard.job_id, state, err) &&
           shard_file_store_add_tasks(db, ingest->shard.id, err) &&
           shard_file_store_count_open(db, ingest->shard.id, &open, err) &&
           (open > 0 || ingest_end_shard(db, ingest, err)) && task_store_done(db, &ingest->step->task, err);
}

static bool read_one(struct folder *folder, struct err *err)
{
    struct ingest *ingest = folder->ingest;
    const struct s3_ref ref = { folder->bucket, buf_view(&folder->key), ingest_owner(ingest) };

    return ingest_load_keys(ingest, err) &&
           ingest_one_file(ingest, &ref, buf_view(&folder->etag), folder->size_bytes, err);
}

bool step_ingest(struct step *step, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    AUTO(folder_done) struct folder folder = { .key = { .max = 2048 }, .etag = { .max = 136 } };
    AUTO(ingest_done) struct ingest ingest = { .step = step };

    if (!shard_store_get(step->db, step->task.subject_id, &rows, &ingest.shard, err))
        return false;
    step_about_job(step, ingest.shard.job_id);
    if (strcmp(ingest.shard.state, "ingesting") != 0)
        return step_end(step, err);
    folder.ingest = &ingest;
    if ((ingest.shard.bedrock_arn || ingest_is_import(&ingest)) && !list_folder(&folder, err))
        return false;
    if (folder.files > 1)
        return db_transaction(step->db, split, &ingest, err);
    return (folder.files == 0 || read_one(&folder, err)) && db_transaction(step->db, finish, &ingest, err);
}

void ingest_failure_words(const struct err *cause, struct buf *words, struct buf *error_json)
{
    struct err told = *cause;

    buf_fmt(words,
            "the output could not be read; it is still in S3: cure the cause, then POST /v1/jobs/{id}/reingest (%s)",
            cause->what);
    snprintf(told.what, sizeof told.what, "%s", buf_cstr(words));
    error_to_json(&told, error_json);
}

/* The output cannot be read (no permission, no bucket): nothing is lost, it stays in S3 and can be ingested again. */
bool step_ingest_give_up(struct step *step, const struct err *cause, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    AUTO(buf_done) struct buf json = { .max = 8192 };
    AUTO(buf_done) struct buf words = { .max = 4096 };
    struct shard_row shard;

    if (!shard_store_get(step->db, step->task.subject_id, &rows, &shard, err))
        return false;
    ingest_failure_words(cause, &words, &json);
    if (!buf_check(&json, "shard error", err) || !buf_check(&words, "shard error", err))
        return false;
    return shard_fail(step, &shard, shard.ingest_round, "not_ingested", buf_cstr(&words), buf_cstr(&json), err);
}
