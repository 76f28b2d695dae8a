#include "server/work/cleanup.h"

#include "aws/s3.h"
#include "server/base/buf.h"
#include "server/base/id.h"
#include "server/base/log.h"
#include "server/work/stage_place.h"
#include "server/work/step.h"
#include "sql/event_store.h"
#include "sql/folder_store.h"

#include <stdio.h>
#include <string.h>

enum { SHARD_PAGE = 500 };

bool cleanup_target(const struct shard_leftover *shard, const char *job, struct cleanup_target *out)
{
    char digits[ID_SIZE], own[STAGING_KEY_SIZE], id[ID_SIZE];
    struct span folder, tail;

    memset(out, 0, sizeof *out);
    if (!s3_parse_uri(span_of(shard->folder_uri), &out->bucket, &folder, NULL))
        return false;
    if (strcmp(shard->staging, "in_place") == 0) {
        id_format(ID_RECORD, shard->id, digits);
        snprintf(own, sizeof own, "%.*svidbatch-%s.jsonl", SPAN_ARG(folder), digits);
        snprintf(out->key, sizeof out->key, "%s", own);
        return shard->input_key && strcmp(shard->input_key, own) == 0;
    }
    id_format(ID_SHARD, shard->id, id);
    snprintf(own, sizeof own, "%s/%s/", job, id);
    tail = span_of(own);
    out->is_folder = true;
    snprintf(out->key, sizeof out->key, "%.*s", SPAN_ARG(folder));
    if (strcmp(shard->staging, "copy") != 0 || !span_ends(folder, tail))
        return false;
    return folder.len == tail.len || folder.ptr[folder.len - tail.len - 1] == '/';
}

struct cleanup {
    struct step *step;
    struct shard_leftover shard;
    const char *what; /* "removed", "kept", "failed"; NULL: there was nothing */
    const char *problem_json;
};

static bool wake_waiting(struct db *db, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };

    if (!folder_store_waiting(db, &rows, err))
        return false;
    for (int i = 0; i < rows.count; i++)
        if (!task_store_add(db, "stage", db_i64(&rows, i, 0), 0, err))
            return false;
    return true;
}

static bool store(struct db *db, void *arg, struct err *err)
{
    struct cleanup *cleanup = arg;
    const int64_t job_id = cleanup->step->task.subject_id;

    return task_store_fence(db, &cleanup->step->task, err) &&
           shard_store_cleaned(db, cleanup->shard.id, cleanup->what, cleanup->problem_json, err) &&
           (!cleanup->problem_json || event_store_add(db, job_id, "shard.staging_left", cleanup->problem_json, err)) &&
           folder_store_release(db, cleanup->shard.id, err) && wake_waiting(db, err) &&
           task_store_progress(db, &cleanup->step->task, err);
}

/* What a killed worker had begun to upload is nowhere to be seen, and is paid for all the same. */
static bool remove_target(struct step *step, const struct cleanup_target *target, const struct stage_place *place,
                          bool is_written, struct err *err)
{
    const struct s3_ref input = { place->bucket, span_of(place->input_key), place->owner };
    const struct s3_ref ref = { target->bucket, span_of(target->key), place->owner };
    int64_t deleted = 0;
    int aborted = 0;

    if (!is_written && !s3_abort_uploads(step->client, &input, &aborted, err))
        return false;
    return target->is_folder ? s3_delete_prefix(step->client, &ref, step_is_alive, step, &deleted, err)
                             : s3_delete(step->client, &ref, err);
}

/* Tried again like any step, but not for ever: others may wait for the folder. */
static bool will_pass(const struct step *step, const struct err *problem)
{
    return problem->kind == ERR_CANCELLED ||
           (step_may_pass(problem) && step->task.failures + 1 < step->settings->max_failures);
}

static bool clean_shard(struct cleanup *cleanup, struct err *err)
{
    AUTO(buf_done) struct buf json = { .max = 8192 };
    struct step *step = cleanup->step;
    const struct shard_leftover *shard = &cleanup->shard;
    const struct stage_place_ask ask = { shard->id, shard->staging, shard->folder_uri, span_of(shard->bucket),
                                         span_of(shard->owner) };
    struct cleanup_target target;
    struct stage_place place;
    struct err problem = { 0 };
    char job[ID_SIZE];

    id_format(ID_JOB, step->task.subject_id, job);
    if (shard->has_keep ? shard->keep : step->settings->keep_staging) {
        cleanup->what = "kept";
    } else if (cleanup_target(shard, job, &target)) {
        if (!stage_place(step->settings, &ask, &place, err))
            return false;
        cleanup->what = "removed";
        if (!remove_target(step, &target, &place, shard->is_written, &problem)) {
            if (will_pass(step, &problem))
                return err_pass(err, &problem);
            log_warn("finish.staging_left", "folder=%s cause=%s", shard->folder_uri, LOGQ(problem.what));
            cleanup->what = "failed";
            error_to_json(&problem, &json);
            if (!buf_check(&json, "cleanup problem", err))
                return false;
            cleanup->problem_json = buf_cstr(&json);
        }
    }
    return db_transaction(step->db, store, cleanup, err);
}

bool cleanup_job(struct step *step, struct err *err)
{
    int ordinal = -1;

    for (;;) {
        AUTO(db_rows_done) struct db_rows rows = { 0 };

        if (!shard_store_leftovers(step->db, step->task.subject_id, ordinal, SHARD_PAGE, &rows, err))
            return false;
        if (rows.count == 0)
            return true;
        for (int i = 0; i < rows.count; i++) {
            struct cleanup cleanup = { .step = step };

            if (!step_alive(step, err))
                return false;
            shard_leftover_read(&rows, i, &cleanup.shard);
            ordinal = cleanup.shard.ordinal;
            if (!clean_shard(&cleanup, err))
                return false;
        }
    }
}
