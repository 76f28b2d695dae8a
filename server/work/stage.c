/* Step stage: makes the folder that Bedrock is pointed at. By copies it is the shard's own, with the videos under clean
 * keys; in place it is the videos' own. Either way the shard holds the folder (table folder_lock) from before anything
 * is written until what was written is removed: Bedrock runs every .jsonl under it, whosesoever. Keys are derived from
 * ids, so doing it twice writes the same. */
#include "server/work/stage.h"

#include "server/base/buf.h"
#include "server/base/log.h"
#include "server/base/text.h"
#include "sql/event_store.h"
#include "sql/folder_store.h"
#include "sql/summary_store.h"

#include <stdio.h>
#include <string.h>

enum { FOLDER_POLL_MS = 5000 };

const char stage_vanished[] = "source_vanished";
const char stage_vanished_words[] = "the video was no longer there when it was staged; scan the prefix again";
const char stage_changed[] = "source_changed";
const char stage_changed_words[] = "the video changed between the plan and the staging; scan the prefix and run it "
                                   "again with its new content";

/* A cancel may have ended it. */
static bool still_wanted(struct db *db, struct stage *stage, bool *yes, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct shard_row shard;

    if (!shard_store_get(db, stage->shard.id, &rows, &shard, err))
        return false;
    *yes = strcmp(shard.state, "planned") == 0 || strcmp(shard.state, "staging") == 0;
    if (*yes)
        return true;
    stage->is_over = true; /* what was written since is removed by the job's finish */
    return task_store_add(db, "finish", stage->job.id, 0, err) && task_store_done(db, &stage->step->task, err);
}

bool stage_lock(struct db *db, struct stage *stage, bool *yes, struct err *err)
{
    char state[16];

    return task_store_fence(db, &stage->step->task, err) && job_store_lock(db, stage->job.id, state, err) &&
           still_wanted(db, stage, yes, err);
}

bool stage_store_failure(struct db *db, const struct stage *stage, const struct stage_failure *failure, struct err *err)
{
    struct summary_new row = { .record_id = failure->record_id,
                               .job_id = stage->job.id,
                               .shard_id = stage->shard.id,
                               .video_id = failure->video_id,
                               .state = "failed",
                               .error_reason = span_of(failure->reason),
                               .error_message = span_of(failure->words) };

    return !failure->reason || (db_now_ms(db, &row.created_ms, err) && summary_store_put(db, &row, NULL, err));
}

/* On demand no folder is handed to anybody. */
static bool start(struct db *db, void *arg, struct err *err)
{
    struct stage *stage = arg;
    bool taken = true, moved;

    if (!task_store_fence(db, &stage->step->task, err))
        return false;
    if (!stage->on_demand &&
        !folder_store_take(db, stage->shard.id, stage->place.bucket, stage->place.folder, &taken, err))
        return false;
    stage->is_folder_busy = !taken;
    if (!taken)
        return shard_store_folder_busy(db, stage->shard.id, err);
    return shard_store_stage_begin(db, stage->shard.id, stage->place.in_place ? stage->place.input_key : NULL, &moved,
                                   err);
}

/* Records that there is any use in going on with. */
static int64_t fewest(const struct stage *stage)
{
    const struct work_settings *settings = stage->step->settings;
    struct model_terms terms;

    if (stage->on_demand ||
        !models_terms(settings->models, span_of(stage->job.model_id), settings->region, &terms, NULL))
        return 1; /* a model that was taken out of the table meanwhile: AWS will say */
    return terms.min_records;
}

static bool finish_small(struct db *db, struct stage *stage, struct err *err)
{
    AUTO(buf_done) struct buf json = { .max = 2048 };
    char words[300];

    snprintf(words, sizeof words,
             "only %lld of %lld videos were still there unchanged when they were staged, fewer than the %lld that it "
             "takes; scan the prefix again and launch a new job",
             (long long)stage->lines, (long long)stage->shard.record_count, (long long)fewest(stage));
    error_words_to_json("below_minimum", words, &json);
    return buf_check(&json, "shard error", err) &&
           shard_end(stage->step, stage->shard.id, stage->job.id, 0, "failed", "not_submitted", words, buf_cstr(&json),
                     err) &&
           task_store_done(db, &stage->step->task, err);
}

static bool finish(struct db *db, void *arg, struct err *err)
{
    struct stage *stage = arg;
    char detail[96];
    bool moved, yes;
    const char *next = stage->on_demand ? "invoke" : "submit";

    if (!stage_lock(db, stage, &yes, err))
        return false;
    if (!yes)
        return true;
    if (stage->lines < fewest(stage))
        return finish_small(db, stage, err);
    if (!shard_store_staged(db, stage->shard.id, stage->input_bytes, &moved, err))
        return false;
    snprintf(detail, sizeof detail, "{\"shard\":%d,\"records\":%lld}", stage->shard.ordinal, (long long)stage->lines);
    if (moved && (!task_store_add(db, next, stage->shard.id, 0, err) ||
                  !event_store_add(db, stage->job.id, "shard.staged", detail, err)))
        return false;
    return task_store_done(db, &stage->step->task, err);
}

/* The shard has ended while nobody looked, or is staged. Where it ended, what a killed worker may have written since is
 * removed by the job's finish. */
static bool leave(struct db *db, void *arg, struct err *err)
{
    struct stage *stage = arg;
    bool yes;

    return task_store_fence(db, &stage->step->task, err) && still_wanted(db, stage, &yes, err);
}

/* The videos' turn, then the JSONL's. */
static bool make(struct stage *stage, struct err *err)
{
    if (!(stage->place.in_place ? stage_check_videos(stage, err) : stage_copy_videos(stage, err)))
        return false;
    if (stage->is_over)
        return true;
    if (!(stage->on_demand ? record_store_count_left(stage->step->db, stage->shard.id, &stage->lines, err)
                           : stage_write_lines(stage, err)))
        return false;
    return db_transaction(stage->step->db, finish, stage, err);
}

/* Whoever gives the folder back wakes those that wait for it. */
static void wait_for_folder(struct step *step)
{
    const int64_t most = step->settings->watch_max_ms;
    uint16_t dice;

    text_random(&dice, sizeof dice);
    step->again_ms = most < FOLDER_POLL_MS ? most : FOLDER_POLL_MS;
    step->again_ms += step->again_ms * dice / 65536;
}

bool step_stage(struct step *step, struct err *err)
{
    AUTO(db_rows_done) struct db_rows shard_rows = { 0 };
    AUTO(db_rows_done) struct db_rows job_rows = { 0 };
    AUTO(db_rows_done) struct db_rows prefix_rows = { 0 };
    struct stage stage = { .step = step };
    struct stage_place_ask ask = { 0 };

    if (!shard_store_get(step->db, step->task.subject_id, &shard_rows, &stage.shard, err) ||
        !job_store_get(step->db, stage.shard.job_id, &job_rows, &stage.job, err) ||
        !prefix_store_get_any(step->db, stage.job.prefix_id, &prefix_rows, &stage.prefix, err))
        return false;
    step_about_job(step, stage.shard.job_id);
    if (strcmp(stage.shard.state, "planned") != 0 && strcmp(stage.shard.state, "staging") != 0)
        return db_transaction(step->db, leave, &stage, err);
    stage.on_demand = strcmp(stage.shard.route, "on_demand") == 0;
    ask = (struct stage_place_ask){ stage.shard.id, stage.shard.staging, stage.shard.folder_uri,
                                    span_of(stage.prefix.bucket), span_of(stage.prefix.bucket_owner) };
    if (!stage_place(step->settings, &ask, &stage.place, err) || !db_transaction(step->db, start, &stage, err))
        return false;
    if (!stage.is_folder_busy)
        return make(&stage, err);
    wait_for_folder(step);
    return true;
}
