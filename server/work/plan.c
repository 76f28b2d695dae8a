/* Step plan: waits for the scan of the prefix, looks into the videos, then decides in one transaction what the job
 * takes, how it is cut and what it should cost. A job that is launched goes straight on; a plan waits for somebody to
 * launch it. Everything before the transaction may be repeated: it only finds out. */
#include "server/work/plan.h"

#include "server/base/id.h"
#include "server/base/json_writer.h"
#include "server/base/log.h"
#include "sql/estimate_store.h"
#include "sql/event_store.h"

#include <stdio.h>
#include <string.h>

enum { SCAN_POLL_MS = 500, AGAIN_MS = 1000, PLAN_BYTES = 4 * 1024 * 1024, WORDS_BYTES = 4096 };

static void plan_done(struct plan *plan)
{
    db_rows_done(&plan->shard_rows);
    buf_done(&plan->words);
    buf_done(&plan->elsewhere);
}

/* ---- the ways in which a plan ends ---- */

static bool fail_job(struct db *db, struct plan *plan, const char *code, const char *words, struct err *err)
{
    AUTO(buf_done) struct buf json = { .max = 16384 };
    struct json_writer w = json_writer_on(&json);
    bool moved;

    json_begin_object(&w);
    json_put_text(&w, "code", code);
    json_put_text(&w, "message", words);
    launch_put_amounts(&w, &plan->cost);
    json_end_object(&w);
    return buf_check(&json, "job error", err) &&
           job_store_move(db, plan->job.id, "{queued,planning}", "failed", "failure", buf_cstr(&json), &moved, err) &&
           (!moved || event_store_add(db, plan->job.id, "job.failed", buf_cstr(&json), err)) &&
           task_store_done(db, &plan->step->task, err);
}

static bool store(struct db *db, struct plan *plan, const struct plan_estimate *estimate, struct err *err)
{
    AUTO(buf_done) struct buf json = { .max = PLAN_BYTES };
    struct plan_result result = { .route = plan->on_demand ? "on_demand" : "batch",
                                  .keep_ms = plan->step->settings->plan_expires_ms };

    if (!plan_store_skips(db, plan->job.id, plan->job.is_plan, err) || !plan_json(plan, estimate, &json, err))
        return false;
    result.json = buf_cstr(&json);
    if (estimate && estimate->has_cost) {
        result.has_cost = true;
        result.low_micros = estimate->cost.low;
        result.expected_micros = estimate->cost.expected;
        result.high_micros = estimate->cost.high;
        result.currency = plan->terms.prices.currency;
    }
    return plan_store_result(db, plan->job.id, &result, err);
}

/* Why it does not start yet: shown in the job and the plan. */
static bool wait_for_more(struct db *db, struct plan *plan, struct err *err)
{
    AUTO(buf_done) struct buf json = { .max = 8192 };
    struct json_writer w = json_writer_on(&json);

    json_begin_object(&w);
    json_put_text(&w, "code", plan->refusal);
    json_put_span(&w, "message", buf_view(&plan->words));
    json_put_i64(&w, "minimum", plan->terms.min_records);
    json_put_i64(&w, "eligible", plan->counts.taken);
    json_put_i64(&w, "missing", plan->terms.min_records - plan->counts.taken);
    json_end_object(&w);
    plan->step->again_ms = plan->step->settings->wait_rescan_ms;
    return buf_check(&json, "what a job waits for", err) && plan_store_wait(db, plan->job.id, buf_cstr(&json), err);
}

static bool is_about_number(const char *code)
{
    return strcmp(code, "below_minimum") == 0 || strcmp(code, "no_eligible_videos") == 0 ||
           strcmp(code, "no_new_videos") == 0 || strcmp(code, "no_failed_videos") == 0;
}

/* estimate NULL: it did not come so far. */
static bool refuse(struct db *db, struct plan *plan, const struct plan_estimate *estimate, struct err *err)
{
    if (strcmp(plan->job.below_minimum, "wait") == 0 && is_about_number(plan->refusal))
        return wait_for_more(db, plan, err);
    return store(db, plan, estimate, err) && fail_job(db, plan, plan->refusal, buf_cstr(&plan->words), err);
}

/* ---- the one transaction ---- */

/* May a job that is launched already spend what it was found to cost? plan->cost says so. A million records are stored
 * between the first look and the last, the one that counts: launches wait for each other only while it is made. */
static bool judge_cost(struct db *db, struct plan *plan, const struct plan_estimate *estimate, bool is_last,
                       struct err *err)
{
    const struct work_settings *settings = plan->step->settings;
    const struct launch_rules rules = { settings->models, settings->region, settings->monthly_budget_micros };
    const struct launch_cost cost = { .job_id = plan->job.id,
                                      .model_id = plan->job.model_id,
                                      .currency = estimate->has_cost ? plan->terms.prices.currency : NULL,
                                      .has_estimate = estimate->has_cost,
                                      .has_max_cost = plan->job.has_max_cost,
                                      .high_micros = estimate->cost.high,
                                      .max_cost_micros = plan->job.max_cost_micros };

    return is_last ? launch_judge(db, &rules, &cost, &plan->cost, err)
                   : launch_foresee(db, &rules, &cost, &plan->cost, err);
}

/* Refused at the last look, it is undone as a whole: planned once more, it is refused at the first. */
static bool launch(struct db *db, struct plan *plan, const struct plan_estimate *estimate, struct err *err)
{
    const struct span same = { NULL, 0 };

    if (plan->job.launched_ms == 0)
        return true;
    if (!judge_cost(db, plan, estimate, true, err))
        return false;
    plan->is_outbid = plan->cost.code != NULL;
    if (plan->is_outbid)
        return err_set(err, ERR_BUSY, true, HERE, "the budget was spent while the job was planned");
    return launch_job(db, plan->job.id, same, same, err);
}

static bool finish(struct db *db, struct plan *plan, struct err *err)
{
    const struct plan_question question = { plan_text_bytes(&plan->job), plan->job.max_tokens };
    struct plan_estimate estimate;
    struct estimate_fit fit;
    char detail[96];
    bool moved;

    if (!estimate_store_get(db, plan->terms.key, plan->step->settings->region, &fit, err))
        return false;
    plan_sum(plan);
    plan_estimate(&plan->terms, &question, &plan->totals, &fit, plan->on_demand, &estimate);
    if (plan->job.launched_ms && !judge_cost(db, plan, &estimate, false, err))
        return false;
    if (plan->cost.code) {
        plan->refusal = plan->cost.code;
        buf_text(&plan->words, plan->cost.stored);
        return refuse(db, plan, &estimate, err);
    }
    snprintf(detail, sizeof detail, "{\"videos\":%lld,\"shards\":%d}", (long long)plan->totals.records,
             plan->shard_rows.count);
    return plan_create(plan, err) && store(db, plan, &estimate, err) &&
           job_store_move(db, plan->job.id, "{planning}", "planned", NULL, NULL, &moved, err) &&
           event_store_add(db, plan->job.id, "job.planned", detail, err) && launch(db, plan, &estimate, err) &&
           task_store_done(db, &plan->step->task, err);
}

static bool plan_work(struct db *db, void *arg, struct err *err)
{
    struct plan *plan = arg;
    char state[16];

    plan->step->again_ms = -1;
    plan->is_outbid = false;
    if (!task_store_fence(db, &plan->step->task, err) || !job_store_lock(db, plan->job.id, state, err))
        return false;
    if (strcmp(state, "planning") != 0)
        return task_store_done(db, &plan->step->task, err);
    if (!job_store_plan_lock(db, plan->job.prefix_id, err) || !plan_choose_again(plan, err))
        return false;
    plan_judge_count(plan);
    if (plan->elsewhere.len) {
        plan->refusal = "bucket_region";
        buf_reset(&plan->words);
        buf_span(&plan->words, buf_view(&plan->elsewhere));
    }
    if (!plan->refusal && !plan->staging.mode && !plan->is_chosen_anew) {
        plan->refusal = "in_place_refused";
        buf_fmt(&plan->words, "The videos cannot be run in place: %s. Ask with \"staging\": \"auto\" or \"copy\".",
                plan->staging.why);
    }
    if (!plan->refusal && !(plan_measure_line(plan, err) && plan_cut(plan, err)))
        return false;
    if (plan->refusal)
        return refuse(db, plan, NULL, err);
    if (!plan_staging_holds(plan)) { /* it was decided outside of this transaction, for other videos */
        log_info("plan.again", "cause='the videos changed while they were planned'");
        plan->step->again_ms = AGAIN_MS;
        return true;
    }
    return finish(db, plan, err);
}

/* ---- before it ---- */

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

static bool rescan(struct db *db, void *arg, struct err *err)
{
    struct plan *plan = arg;

    return task_store_fence(db, &plan->step->task, err) && prefix_store_scan_queued(db, plan->prefix.id, err) &&
           task_store_add(db, "scan", plan->prefix.id, 0, err);
}

/* *ready: the scan is done, the plan can be made. Else the task is ended, or to run again. */
static bool await_scan(struct plan *plan, bool *ready, struct err *err)
{
    const char *scan = plan->prefix.scan_state;
    struct scan_refusal refusal = { plan, NULL };
    int64_t now_ms = 0;

    *ready = false;
    if (!db_now_ms(plan->step->db, &now_ms, err))
        return false;
    if (strcmp(scan, "queued") == 0 || strcmp(scan, "running") == 0) {
        *ready = strcmp(plan->job.state, "planning") == 0;
        plan->step->again_ms = *ready ? -1 : SCAN_POLL_MS;
        return true;
    }
    if (plan->job.waiting && now_ms - plan->prefix.scan_finished_ms >= plan->step->settings->wait_rescan_ms) {
        plan->step->again_ms = SCAN_POLL_MS;
        return db_transaction(plan->step->db, rescan, plan, err);
    }
    if (strcmp(scan, "failed") != 0) {
        *ready = true;
        return true;
    }
    if (plan->job.waiting) { /* the next scan may succeed */
        plan->step->again_ms = plan->step->settings->wait_rescan_ms;
        return true;
    }
    buf_reset(&plan->words);
    buf_fmt(&plan->words, "the scan of the prefix failed, so nothing is known of its videos: %.3000s",
            plan->prefix.scan_error ? plan->prefix.scan_error : "");
    refusal.words = buf_cstr(&plan->words);
    return db_transaction(plan->step->db, refuse_scan, &refusal, err);
}

static bool begin(struct db *db, void *arg, struct err *err)
{
    struct plan *plan = arg;
    bool moved;

    return task_store_fence(db, &plan->step->task, err) &&
           job_store_move(db, plan->job.id, "{queued}", "planning", NULL, NULL, &moved, err);
}

/* What has to be found out from S3 before anything can be decided. *alive false: the job is no longer to be planned. */
static bool find_out(struct plan *plan, bool *alive, struct err *err)
{
    const bool looks = strcmp(plan->job.preflight, "full") == 0;
    bool looked = false;

    *alive = true;
    plan->staging.mode = "copy";
    snprintf(plan->staging.why, sizeof plan->staging.why, "asked for");
    if (!plan_check_regions(plan, err))
        return false;
    if (plan->elsewhere.len || (!looks && strcmp(plan->job.staging, "copy") == 0))
        return true;
    if (!plan_choose(plan, err))
        return false;
    if (looks && !plan_look(plan, alive, &looked, err))
        return false;
    if (!*alive)
        return step_end(plan->step, err);
    if (looked && !plan_choose(plan, err)) /* some may be refused by now */
        return false;
    plan_judge_count(plan);
    return plan->refusal || plan_stage_how(plan, err);
}

static bool run(struct plan *plan, struct err *err)
{
    struct err failed = { 0 };
    bool ready, alive;

    if (!await_scan(plan, &ready, err))
        return false;
    if (!ready)
        return true;
    if (!models_terms(plan->step->settings->models, span_of(plan->job.model_id), plan->step->settings->region,
                      &plan->terms, err))
        return false;
    if (!job_store_recipe(plan->step->db, plan->job.id, plan->recipe, err) || !plan_measure_line(plan, err) ||
        !db_transaction(plan->step->db, begin, plan, err) || !find_out(plan, &alive, err))
        return false;
    if (!alive || db_transaction(plan->step->db, plan_work, plan, &failed))
        return true;
    if (!plan->is_outbid)
        return err_pass(err, &failed);
    plan->step->again_ms = 0;
    return true;
}

bool step_plan(struct step *step, struct err *err)
{
    AUTO(db_rows_done) struct db_rows job_rows = { 0 };
    AUTO(db_rows_done) struct db_rows prefix_rows = { 0 };
    AUTO(plan_done) struct plan plan = { .step = step };

    buf_init(&plan.words, WORDS_BYTES);
    buf_init(&plan.elsewhere, WORDS_BYTES);
    if (!job_store_get_any(step->db, step->task.subject_id, &job_rows, &plan.job, err) ||
        !prefix_store_get_any(step->db, plan.job.prefix_id, &prefix_rows, &plan.prefix, err))
        return false;
    if (strcmp(plan.job.state, "queued") != 0 && strcmp(plan.job.state, "planning") != 0)
        return step_end(step, err);
    return run(&plan, err);
}
