#include "handlers/job_launch.h"

#include "handlers/app.h"
#include "handlers/audited.h"
#include "handlers/common.h"
#include "handlers/grant.h"
#include "handlers/plan_json.h"
#include "handlers/video_json.h"
#include "server/base/id.h"
#include "server/base/money.h"
#include "server/work/launch.h"
#include "sql/plan_store.h"

#include <string.h>

struct launching {
    struct request *rq;
    struct reply *rp;
    struct answer *out;
    const struct job_row *job;
};

static bool refuse_unknown(struct request *rq, struct reply *rp, struct answer *out, struct err *err)
{
    reply_problem(rq, rp, 422, "plan_unknown",
                  "There is no plan with this id. Make one by POST /v1/plans, or take one that GET /v1/plans lists.");
    reply_pointer(rp, "/plan_id", "There is no plan with this id.");
    return answer_refuse(out, err);
}

static bool refuse_launched(const struct launching *l, struct err *err)
{
    char id[ID_SIZE], member[ID_SIZE + 4], path[ID_SIZE + 16];

    id_format(ID_JOB, l->job->id, id);
    reply_problem(l->rq, l->rp, 409, "plan_launched",
                  "This plan was launched as %s. To run it again, make a new plan, or a job with \"select\": \"all\".",
                  id);
    snprintf(member, sizeof member, "\"%s\"", id);
    reply_problem_member(l->rp, "job_id", span_of(member));
    snprintf(path, sizeof path, "/v1/jobs/%s", id);
    reply_header(l->rp, "Location", path);
    return answer_refuse(l->out, err);
}

static bool refuse_state(const struct launching *l, const char *state, struct err *err)
{
    if (strcmp(state, "launched") == 0)
        return refuse_launched(l, err);
    if (strcmp(state, "expired") == 0)
        reply_problem(l->rq, l->rp, 409, "plan_expired",
                      "This plan is expired: what it chose may not be there any more. Make a new one.");
    else if (strcmp(state, "refused") == 0)
        reply_problem(l->rq, l->rp, 409, "plan_refused",
                      "This plan cannot be run; \"refusal\" says why. Cure that and make a new one.");
    else
        reply_problem(
            l->rq, l->rp, 409, "plan_not_ready",
            "This plan is %s. GET it until it is ready, or make a job without a plan, which starts by itself.", state);
    if (strcmp(state, "refused") == 0 && l->job->error)
        reply_problem_member(l->rp, "refusal", span_of(l->job->error));
    return answer_refuse(l->out, err);
}

/* differences: [{"why", "count", "examples": [video ...]}] */
static void put_differences(struct buf *out, const struct db_rows *rows)
{
    struct json_writer w = json_writer_on(out);
    struct plan_difference last = { .why = "" };

    json_begin_array(&w);
    for (int i = 0; i < rows->count; i++) {
        struct plan_difference d;

        plan_difference_read(rows, i, &d);
        if (strcmp(last.why, d.why) != 0) {
            if (i > 0) {
                json_end_array(&w);
                json_end_object(&w);
            }
            json_begin_object(&w);
            json_put_text(&w, "why", d.why);
            json_put_i64(&w, "count", d.count);
            json_name(&w, "examples");
            json_begin_array(&w);
        }
        video_json_value(&w, d.video_id, d.bucket, d.key_prefix, d.name);
        last = d;
    }
    json_end_array(&w);
    json_end_object(&w);
    json_end_array(&w);
}

static bool check_differences(struct db *db, const struct launching *l, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    AUTO(buf_done) struct buf list = { .max = 1024 * 1024 };
    const bool once = strcmp(l->job->select_mode, "new") == 0 || strcmp(l->job->select_mode, "failed") == 0;

    if (!job_store_plan_lock(db, l->job->prefix_id, err) || !plan_store_differences(db, l->job->id, once, &rows, err))
        return false;
    if (rows.count == 0)
        return true;
    put_differences(&list, &rows);
    if (!buf_check(&list, "the differences of a plan", err))
        return false;
    reply_problem(
        l->rq, l->rp, 409, "plan_outdated",
        "Videos of this plan are no longer what they were when it was made; \"differences\" says how many and "
        "which. Make a new plan.");
    reply_problem_member(l->rp, "differences", buf_view(&list));
    return answer_refuse(l->out, err);
}

static void put_amount(struct reply *rp, const char *name, int64_t micros)
{
    char money[MONEY_SIZE], quoted[MONEY_SIZE + 4];

    money_format(micros, money);
    snprintf(quoted, sizeof quoted, "\"%s\"", money);
    reply_problem_member(rp, name, span_of(quoted));
}

static bool check_cost(struct db *db, const struct launching *l, struct err *err)
{
    const struct handlers_app *app = app_of(l->rq);
    const struct launch_rules rules = { app->models, app->region, app->monthly_budget_micros };
    const struct launch_cost cost = { .job_id = l->job->id,
                                      .model_id = l->job->model_id,
                                      .currency = l->job->currency,
                                      .has_estimate = l->job->has_estimate,
                                      .has_max_cost = l->job->has_max_cost,
                                      .high_micros = l->job->estimated_high_micros,
                                      .max_cost_micros = l->job->max_cost_micros };
    struct launch_refusal refusal;
    bool is_anothers = false;

    if (!launch_judge(db, &rules, &cost, &refusal, err))
        return false;
    if (!refusal.code)
        return true;
    /* What everybody together has spent is nothing that a key learns which is held to a part. */
    is_anothers = refusal.is_of_service && grant_is_held(grant_of(l->rq));
    reply_problem(l->rq, l->rp, 409, refusal.code, "%s", is_anothers ? refusal.stored : refusal.words);
    if (strcmp(refusal.code, "budget_exceeded") == 0)
        put_amount(l->rp, "estimated", refusal.estimate_micros);
    if (strcmp(refusal.code, "budget_exceeded") == 0 && !is_anothers) {
        put_amount(l->rp, "limit", refusal.limit_micros);
        put_amount(l->rp, "spent", refusal.spent_micros);
    }
    return answer_refuse(l->out, err);
}

/* A plan that the key may not see is answered as one that is not there. */
static bool may_see(struct db *db, struct request *rq, int64_t plan_id, bool *sees, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };

    *sees = true;
    if (!grant_is_held(grant_of(rq)))
        return true;
    if (!key_store_places(db, ID_PLAN, plan_id, &rows, err))
        return false;
    *sees = grant_sees_places(grant_of(rq), &rows);
    return true;
}

static bool check_model(const struct launching *l, struct err *err)
{
    const struct span model_id = span_of(l->job->model_id);

    if (grant_runs_model(grant_of(l->rq), model_id))
        return true;
    (void)grant_refuse_model(l->rq, l->rp, model_id);
    return answer_refuse(l->out, err);
}

bool job_launch_plan(struct db *db, struct request *rq, struct reply *rp, const struct job_input *in,
                     struct answer *out, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct job_row job = { 0 };
    struct launching l = { rq, rp, out, &job };
    char state[16];
    const char *shown = NULL;
    int64_t now_ms = 0;
    bool sees = false;

    if (!may_see(db, rq, in->plan_id, &sees, err))
        return false;
    if (!sees)
        return refuse_unknown(rq, rp, out, err);
    if (!job_store_lock(db, in->plan_id, state, err) || !job_store_get_any(db, in->plan_id, &rows, &job, err))
        return err->kind == ERR_NOT_FOUND ? refuse_unknown(rq, rp, out, err) : false;
    if (!db_now_ms(db, &now_ms, err))
        return false;
    shown = plan_state(&job, now_ms);
    if (strcmp(shown, "ready") != 0)
        return refuse_state(&l, shown, err);
    return check_model(&l, err) && check_differences(db, &l, err) && job_begun(db, rq, job.id, err) &&
           check_cost(db, &l, err) && launch_job(db, job.id, in->row.name, in->row.metadata, err) &&
           audited(db, rq, "plan.launch", ID_PLAN, job.id, err) && job_create_answer(db, rq, job.id, out, err);
}
