/* Step import: takes over what a Bedrock job left that another tool started. Reads it for records and videos, makes
 * these, and hands the shard to the ordinary ingest. */
#include "server/work/import.h"
#include "aws/batch_input.h"
#include "server/base/json_writer.h"
#include "sql/event_store.h"
#include "sql/job_store.h"
#include "sql/shard_store.h"

#include <stdio.h>
#include <string.h>

struct span import_common_folder(struct span first, struct span last)
{
    size_t slash = 0;

    for (size_t i = 0; i < first.len && i < last.len && first.ptr[i] == last.ptr[i]; i++)
        if (first.ptr[i] == '/')
            slash = i + 1;
    return (struct span){ first.ptr ? first.ptr : "", slash };
}

static bool begin(struct db *db, void *arg, struct err *err)
{
    struct import *import = arg;
    char state[16];
    bool moved;

    if (!task_store_fence(db, &import->step->task, err) || !job_store_lock(db, import->job_id, state, err))
        return false;
    if (strcmp(state, "queued") != 0 && strcmp(state, "planning") != 0) {
        import->is_over = true;
        return import_store_forget(db, import->job_id, err) && task_store_done(db, &import->step->task, err);
    }
    return job_store_move(db, import->job_id, "{queued}", "planning", NULL, NULL, &moved, err) &&
           import_store_shard(db, import->job_id, import->row.output_uri, &import->shard_id, err);
}

static void put_suffixes(struct buf *out)
{
    struct json_writer w = json_writer_on(out);
    size_t count;
    const struct video_format *formats = video_formats(&count);

    json_begin_array(&w);
    for (size_t i = 0; i < count; i++)
        json_text(&w, formats[i].suffix);
    json_end_array(&w);
}

/* The videos that lie under no registered prefix get one: the deepest folder that holds them all. */
static bool give_home(struct db *db, const struct import *import, const struct import_count *count, struct err *err)
{
    AUTO(buf_done) struct buf suffixes = { .max = 1024 };
    AUTO(buf_done) struct buf note = { .max = 1024 };

    if (count->homeless == 0)
        return true;
    put_suffixes(&suffixes);
    error_words_to_json(
        "not_scanned",
        "an import registered this prefix; scan it (POST /v1/prefixes/{id}/scan) before jobs run over it", &note);
    return buf_check(&suffixes, "suffixes", err) && buf_check(&note, "note of a prefix", err) &&
           import_store_prefix(db, count->bucket,
                               import_common_folder(span_of(count->first_key), span_of(count->last_key)),
                               import->step->settings->region, buf_cstr(&suffixes), buf_cstr(&note), err);
}

static bool refuse(struct err *err, const char *code)
{
    err_code(err, code);
    return false;
}

static bool check_lines(const struct import *import, const struct import_count *count, struct err *err)
{
    if (import->output_files == 0) {
        err_set(err, ERR_INPUT, false, HERE,
                "there is no .jsonl.out object at %s: name the folder of a Bedrock job's "
                "output, or the object itself",
                import->row.output_uri);
        return refuse(err, "no_output");
    }
    if (count->lines == 0) {
        err_set(err, ERR_INPUT, false, HERE,
                "none of the lines has a recordId and a video by s3Location; videos that "
                "stand in the lines themselves (bytes) cannot be imported, for nothing says which they are");
        return refuse(err, "no_records");
    }
    if (count->buckets > 1) {
        err_set(err, ERR_INPUT, false, HERE,
                "the videos lie in %lld buckets (%s, %s ...); those of one Bedrock job lie "
                "in one",
                (long long)count->buckets, count->bucket, count->another);
        return refuse(err, "several_buckets");
    }
    return true;
}

/* What the other tool's lines name may lie anywhere. */
static bool check_key(struct db *db, const struct import *import, struct err *err)
{
    bool outside = false;

    if (!import_store_is_outside(db, import->job_id, &outside, err))
        return false;
    if (!outside)
        return true;
    err_set(err, ERR_INPUT, false, HERE,
            "the videos do not all lie under one of the places that the key which asked for the import is held to, or "
            "belong "
            "to a registered prefix outside them");
    return refuse(err, "place_not_allowed");
}

static bool make_records(struct db *db, void *arg, struct err *err)
{
    AUTO(import_count_rows_done) struct import_count_rows rows = { 0 };
    const struct import_question unknown = { .prompt = SPAN_LIT("") };
    struct import *import = arg;
    struct import_count count;
    char state[16], detail[64];
    int64_t records = 0;

    if (!task_store_fence(db, &import->step->task, err) || !job_store_lock(db, import->job_id, state, err))
        return false;
    if (strcmp(state, "planning") != 0)
        return import_store_forget(db, import->job_id, err) && task_store_done(db, &import->step->task, err);
    if (!import_store_count(db, import->job_id, &rows, &count, err) || !check_lines(import, &count, err) ||
        !check_key(db, import, err) || !give_home(db, import, &count, err) ||
        !import_store_question(db, import->job_id, &unknown, err) ||
        !import_store_records(db, import->job_id, import->shard_id, &records, err))
        return false;
    snprintf(detail, sizeof detail, "{\"records\":%lld}", (long long)records);
    return task_store_add(db, "ingest", import->shard_id, 0, err) &&
           event_store_add(db, import->job_id, "job.imported", detail, err) &&
           task_store_done(db, &import->step->task, err);
}

bool step_import(struct step *step, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct import import = { .step = step, .job_id = step->task.subject_id };

    if (!import_store_get(step->db, import.job_id, &rows, &import.row, err) ||
        !db_transaction(step->db, begin, &import, err))
        return false;
    if (!import.is_over && import.row.input_uri && !import_read(&import, IMPORT_INPUT, err))
        return false;
    if (!import.is_over && !import_read(&import, IMPORT_OUTPUT, err))
        return false;
    return import.is_over || db_transaction(step->db, make_records, &import, err);
}

struct failure {
    struct step *step;
    const char *error_json, *words;
    bool is_askers; /* what was asked for cannot be imported: told by the job, and nothing to requeue */
};

static bool store_failure(struct db *db, void *arg, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    const struct failure *failure = arg;
    struct step *step = failure->step;
    struct shard_row shard;
    char state[16];
    bool moved;

    if (!task_store_fence(db, &step->task, err) || !job_store_lock(db, step->task.subject_id, state, err) ||
        !job_store_move(db, step->task.subject_id, "{queued,planning}", "failed", "failure", failure->error_json,
                        &moved, err) ||
        !import_store_forget(db, step->task.subject_id, err) ||
        !shard_store_list(db, step->task.subject_id, -1, 1, &rows, err))
        return false;
    if (moved && rows.count > 0) {
        shard_row_read(&rows, 0, &shard);
        if (!shard_store_finish(db, shard.id, "failed", failure->error_json, err))
            return false;
    }
    if (!moved)
        return task_store_done(db, &step->task, err);
    if (!event_store_add(db, step->task.subject_id, "job.failed", failure->error_json, err))
        return false;
    if (failure->is_askers)
        return task_store_done(db, &step->task, err);
    return task_store_dead(db, &step->task, step->task.subject_id, failure->words, err);
}

bool step_import_give_up(struct step *step, const struct err *cause, struct err *err)
{
    AUTO(buf_done) struct buf json = { .max = 8192 };
    struct failure failure = { .step = step, .words = cause->what, .is_askers = cause->kind == ERR_INPUT };

    error_to_json(cause, &json);
    if (!buf_check(&json, "job error", err))
        return false;
    failure.error_json = buf_cstr(&json);
    return db_transaction(step->db, store_failure, &failure, err);
}
