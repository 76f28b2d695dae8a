/* The plan chooses: which videos of the prefix, what is inside of them, how they will be staged. */
#include "server/work/causes.h"
#include "server/work/minimum.h"
#include "server/work/plan.h"
#include "server/work/preflight.h"

#include <string.h>

/* Small looks: what a kill costs is one page of them. */
enum { LOOK_PAGE = 250, SURVEY_PAGE = 5000 };

static bool choose(struct plan *plan, struct err *err)
{
    AUTO(buf_done) struct buf causes = { .max = 64 * 1024 };
    const bool is_retry = strcmp(plan->job.select_mode, "retry") == 0;
    const int64_t most_bytes = plan->terms.max_video_bytes;
    struct plan_choice choice = { .job_id = plan->job.id,
                                  .prefix_id = plan->job.prefix_id,
                                  .select_mode = plan->job.select_mode,
                                  .since_ms = plan->job.created_ms > plan->prefix.scan_started_ms
                                                  ? plan->job.created_ms
                                                  : plan->prefix.scan_started_ms,
                                  .max_video_bytes = most_bytes > 0 ? most_bytes : INT64_MAX,
                                  .recipe = plan->recipe };

    if (is_retry && !causes_for_sql(&causes))
        return err_memory(err, HERE);
    plan->is_over_bytes = false;
    choice.causes_json = is_retry ? buf_cstr(&causes) : NULL;
    return plan_store_choose(plan->step->db, &choice, &plan->counts, err);
}

/* The signature comes first: a change in between makes it differ later. */
bool plan_choose(struct plan *plan, struct err *err)
{
    return plan_store_signature(plan->step->db, plan->job.prefix_id, plan->signature, err) && choose(plan, err);
}

bool plan_choose_again(struct plan *plan, struct err *err)
{
    char now[PLAN_SIGNATURE_SIZE];

    if (!plan_store_signature(plan->step->db, plan->job.prefix_id, now, err))
        return false;
    plan->is_chosen_anew = !plan->signature[0] || strcmp(now, plan->signature) != 0;
    return !plan->is_chosen_anew || choose(plan, err);
}

void plan_judge_count(struct plan *plan)
{
    const struct minimum minimum = { .selected = plan->counts.taken,
                                     .eligible = plan->counts.taken + plan->counts.settled,
                                     .active = plan->counts.active,
                                     .minimum = plan->terms.min_records,
                                     .select_mode = plan->job.select_mode,
                                     .waits = strcmp(plan->job.below_minimum, "wait") == 0 };

    plan->on_demand = plan->is_over_bytes;
    plan->refusal = NULL;
    buf_reset(&plan->words);
    if (plan->counts.taken > 0 && plan->counts.taken < plan->terms.min_records &&
        strcmp(plan->job.below_minimum, "on_demand") == 0)
        plan->on_demand = true;
    else
        plan->refusal = minimum_refusal(&minimum, &plan->words);
}

/* ---- looking into them ---- */

struct page {
    struct plan *plan;
    bool alive;
};

/* The page is stored: the task has made progress. A job that was cancelled meanwhile is not looked at any further. */
static bool end_page(struct db *db, void *arg, struct err *err)
{
    struct page *page = arg;
    struct step *step = page->plan->step;
    char state[16];

    if (!task_store_fence(db, &step->task, err) || !job_store_lock(db, page->plan->job.id, state, err))
        return false;
    page->alive = strcmp(state, "planning") == 0;
    return task_store_progress(db, &step->task, err);
}

bool plan_look(struct plan *plan, bool *alive, bool *looked, struct err *err)
{
    struct page page = { plan, true };
    struct preflight_tally tally = { 0 };
    int64_t after = 0;

    *looked = false;
    for (bool more = true; more && page.alive;) {
        AUTO(db_rows_done) struct db_rows rows = { 0 };

        if (!step_alive(plan->step, err) ||
            !plan_store_unlooked(plan->step->db, plan->job.prefix_id, after, LOOK_PAGE, &rows, err))
            return false;
        more = rows.count == LOOK_PAGE;
        if (rows.count == 0)
            break;
        after = db_i64(&rows, rows.count - 1, 4);
        if (!preflight_page(plan->step, &plan->prefix, &rows, &tally, err) ||
            !db_transaction(plan->step->db, end_page, &page, err))
            return false;
        *looked = true;
    }
    *alive = page.alive;
    return !page.alive || preflight_judge(plan->step, &plan->prefix, &tally, err);
}

/* ---- how they will be staged ---- */

void plan_ask(const struct plan *plan, int64_t shards, struct staging_ask *out)
{
    *out = (struct staging_ask){ .wanted = plan->job.staging,
                                 .shards = shards,
                                 .on_demand = plan->on_demand,
                                 .bucket = span_of(plan->prefix.bucket),
                                 .bucket_region = span_of(plan->prefix.region),
                                 .bucket_owner = span_of(plan->prefix.bucket_owner) };
}

static bool survey(struct plan *plan, struct staging_survey *out, struct err *err)
{
    int64_t after = 0;

    for (bool more = true; more;) {
        AUTO(db_rows_done) struct db_rows rows = { 0 };

        if (!step_alive(plan->step, err) ||
            !plan_store_types(plan->step->db, plan->job.prefix_id, after, SURVEY_PAGE, &rows, err))
            return false;
        for (int i = 0; i < rows.count; i++) {
            staging_survey_add(out, db_span(&rows, i, 0), db_span(&rows, i, 1));
            after = db_i64(&rows, i, 2);
        }
        more = rows.count == SURVEY_PAGE;
    }
    return true;
}

bool plan_stage_how(struct plan *plan, struct err *err)
{
    struct staging_survey found = { 0 };
    struct staging_ask ask;
    int64_t shards = 0;

    if (!plan_count_shards(plan, &shards, err))
        return false;
    if (plan->refusal)
        return true;
    plan->is_staging_judged = true;
    plan->was_on_demand = plan->on_demand;
    plan_ask(plan, shards, &ask);
    /* Only one shard can lie in the videos' own folder: then a look at each of them is worth while. */
    if (shards == 1 && !plan->on_demand && strcmp(plan->job.staging, "copy") != 0 && !survey(plan, &found, err))
        return false;
    return staging_choose(plan->step, &ask, &found, &plan->staging, err);
}

bool plan_staging_holds(const struct plan *plan)
{
    if (strcmp(plan->job.staging, "copy") == 0)
        return true;
    if (!plan->is_staging_judged || !plan->staging.mode || plan->on_demand != plan->was_on_demand)
        return false;
    return strcmp(plan->staging.mode, "copy") == 0 || (!plan->is_chosen_anew && plan->shard_rows.count == 1);
}
