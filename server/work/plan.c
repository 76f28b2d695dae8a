/* Step plan: chooses the videos, cuts them into shards, names what AWS will be asked for; all in one transaction. */
#include "server/base/buf.h"
#include "server/base/id.h"
#include "server/base/log.h"
#include "server/base/text.h"
#include "server/work/minimum.h"
#include "server/work/step.h"
#include "sql/event_store.h"
#include "sql/job_store.h"
#include "sql/prefix_store.h"
#include "sql/record_store.h"
#include "sql/shard_store.h"
#include "sql/video_store.h"

#include <stdio.h>
#include <string.h>

enum { SCAN_POLL_MS = 500, URI_SIZE = 1200 };

struct plan {
    struct step *step;
    struct job_row job;
    int64_t eligible; /* videos of the prefix that can be run at all */
    int64_t videos;   /* those that the job takes */
    int64_t shards;
};

/* A random token by AWS's pattern, stored before AWS sees it: letters and digits only. */
static void make_token(char out[40])
{
    AUTO(buf_done) struct buf hex = { .max = 64 };
    unsigned char bytes[16];

    text_random(bytes, sizeof bytes);
    text_hex(&hex, bytes, sizeof bytes);
    snprintf(out, 40, "vb%s", buf_cstr(&hex));
}

static bool create_shard(struct db *db, const struct plan *plan, int ordinal, struct err *err)
{
    const struct work_settings *settings = plan->step->settings;
    char job[ID_SIZE], shard[ID_SIZE], digits[ID_SIZE], folder[URI_SIZE], output[URI_SIZE], name[64], token[40];
    struct shard_new row = { .job_id = plan->job.id, .ordinal = ordinal };

    if (!shard_store_new_id(db, &row.id, err))
        return false;
    id_format(ID_JOB, plan->job.id, job);
    id_format(ID_SHARD, row.id, shard);
    id_format(ID_RECORD, row.id, digits);
    snprintf(folder, sizeof folder, "%s/%s/%s/", settings->staging_uri, job, shard);
    snprintf(output, sizeof output, "%s/%s/%s/", settings->output_uri, job, shard);
    snprintf(name, sizeof name, "vidbatch-%s", digits);
    make_token(token);
    row.folder_uri = folder;
    row.output_uri = output;
    row.bedrock_name = name;
    row.client_token = token;
    return shard_store_create(db, &row, err);
}

static bool add_stage_tasks(struct db *db, const struct plan *plan, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct shard_row shard;

    if (!shard_store_list(db, plan->job.id, -1, (int)plan->shards, &rows, err))
        return false;
    for (int i = 0; i < rows.count; i++) {
        shard_row_read(&rows, i, &shard);
        if (!task_store_add(db, "stage", shard.id, 0, err))
            return false;
    }
    return true;
}

static bool cut(struct db *db, const struct plan *plan, const unsigned char recipe[32], struct err *err)
{
    int64_t planned = 0;

    for (int i = 0; i < (int)plan->shards; i++)
        if (!create_shard(db, plan, i, err))
            return false;
    if (!record_store_plan(db, plan->job.id, plan->job.prefix_id, plan->job.select_mode, recipe, (int)plan->shards,
                           &planned, err))
        return false;
    if (planned != plan->videos) /* a scan was stored in between: choose again */
        return err_set(err, ERR_BUSY, true, HERE, "the videos changed while the job was planned");
    return record_store_recount(db, plan->job.id, err);
}

static bool fail_job(struct db *db, struct plan *plan, const char *code, const char *words, struct err *err)
{
    AUTO(buf_done) struct buf json = { .max = 8192 };
    bool moved;

    error_words_to_json(code, words, &json);
    return buf_check(&json, "job error", err) &&
           job_store_move(db, plan->job.id, "{queued,planning}", "failed", "failure", buf_cstr(&json), &moved, err) &&
           event_store_add(db, plan->job.id, "job.failed", buf_cstr(&json), err) &&
           task_store_done(db, &plan->step->task, err);
}

static bool plan_work(struct db *db, void *arg, struct err *err)
{
    AUTO(buf_done) struct buf words = { .max = 1024 };
    struct plan *plan = arg;
    const struct work_settings *settings = plan->step->settings;
    const char *refusal;
    unsigned char recipe[32];
    char state[16], detail[96];
    bool moved;

    if (!task_store_fence(db, &plan->step->task, err) || !job_store_lock(db, plan->job.id, state, err))
        return false;
    if (strcmp(state, "queued") != 0 && strcmp(state, "planning") != 0)
        return task_store_done(db, &plan->step->task, err);
    if (!job_store_move(db, plan->job.id, "{queued}", "planning", NULL, NULL, &moved, err) ||
        !job_store_plan_lock(db, plan->job.prefix_id, err) || !job_store_recipe(db, plan->job.id, recipe, err) ||
        !video_store_count_selected(db, plan->job.prefix_id, plan->job.select_mode, recipe, &plan->videos, err))
        return false;
    refusal = minimum_refusal(plan->videos, plan->eligible, settings->min_records, &words);
    if (refusal)
        return fail_job(db, plan, refusal, buf_cstr(&words), err);
    plan->shards = (plan->videos + settings->shard_records - 1) / settings->shard_records;
    snprintf(detail, sizeof detail, "{\"videos\":%lld,\"shards\":%lld}", (long long)plan->videos,
             (long long)plan->shards);
    return cut(db, plan, recipe, err) && add_stage_tasks(db, plan, err) &&
           job_store_move(db, plan->job.id, "{planning}", "staging", NULL, NULL, &moved, err) &&
           event_store_add(db, plan->job.id, "job.planned", detail, err) && task_store_done(db, &plan->step->task, err);
}

struct scan_refusal {
    struct plan *plan;
    const char *words;
};

static bool refuse_scan(struct db *db, void *arg, struct err *err)
{
    struct scan_refusal *refusal = arg;

    return task_store_fence(db, &refusal->plan->step->task, err) &&
           fail_job(db, refusal->plan, "scan_failed", refusal->words, err);
}

bool step_plan(struct step *step, struct err *err)
{
    AUTO(db_rows_done) struct db_rows job_rows = { 0 };
    AUTO(db_rows_done) struct db_rows prefix_rows = { 0 };
    struct plan plan = { .step = step };
    struct prefix_row prefix;

    if (!job_store_get(step->db, step->task.subject_id, &job_rows, &plan.job, err) ||
        !prefix_store_get_any(step->db, plan.job.prefix_id, &prefix_rows, &prefix, err))
        return false;
    if (strcmp(prefix.scan_state, "queued") == 0 || strcmp(prefix.scan_state, "running") == 0) {
        if (strcmp(plan.job.state, "queued") == 0) {
            step->again_ms = SCAN_POLL_MS;
            return true;
        }
    } else if (strcmp(prefix.scan_state, "failed") == 0) {
        AUTO(buf_done) struct buf words = { .max = 4096 };
        struct scan_refusal refusal = { &plan, NULL };

        buf_fmt(&words, "the scan of the prefix failed, so nothing is known of its videos: %.3000s",
                prefix.scan_error ? prefix.scan_error : "");
        refusal.words = buf_cstr(&words);
        return db_transaction(step->db, refuse_scan, &refusal, err);
    }
    plan.eligible = prefix.eligible_count;
    return db_transaction(step->db, plan_work, &plan, err);
}
