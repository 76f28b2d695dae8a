#include "handlers/plan_json.h"

#include "handlers/app.h"
#include "handlers/common.h"
#include "handlers/job_json.h"
#include "server/base/id.h"
#include "server/work/models.h"
#include "sql/plan_store.h"

#include <string.h>

const char *plan_state(const struct job_row *job, int64_t now_ms)
{
    if (job->launched_ms)
        return "launched";
    if (strcmp(job->state, "expired") == 0 || (job->expires_ms && job->expires_ms <= now_ms))
        return "expired";
    if (strcmp(job->state, "planned") == 0)
        return "ready";
    if (job_state_is_final(job->state))
        return "refused";
    return job->waiting && strcmp(job->state, "queued") == 0 ? "waiting" : "planning";
}

static void put_found(struct json_writer *w, const struct db_rows *rows)
{
    static const struct {
        const char *name;
        enum plan_part part;
    } parts[] = { { "request", PLAN_REQUEST },         { "videos", PLAN_VIDEOS },
                  { "skipped", PLAN_SKIPPED },         { "staging", PLAN_STAGING },
                  { "shard_count", PLAN_SHARD_COUNT }, { "shards", PLAN_SHARDS },
                  { "tokens", PLAN_TOKENS },           { "cost", PLAN_COST },
                  { "estimate", PLAN_ESTIMATE } };

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        json_put_json(w, parts[i].name, db_text(rows, 0, (int)parts[i].part));
}

/* Slots as they are now, not as they were when the plan was made. */
static bool put_quota(struct json_writer *w, struct request *rq, const struct job_row *job, struct err *err)
{
    const struct handlers_app *app = app_of(rq);
    struct model_terms terms;
    int64_t in_use = 0;

    json_name(w, "quota");
    if (!models_terms(app->models, span_of(job->model_id), app->region, &terms, NULL)) {
        json_none(w); /* the table has the model no more */
        return true;
    }
    if (!plan_store_slots(db_of(rq), terms.key, &in_use, err))
        return false;
    json_begin_object(w);
    if (terms.max_concurrent_jobs > 0)
        json_put_i64(w, "concurrent_jobs", terms.max_concurrent_jobs);
    else
        json_put_null(w, "concurrent_jobs");
    json_put_i64(w, "in_use", in_use);
    if (terms.max_concurrent_jobs > 0)
        json_put_i64(w, "free", in_use < terms.max_concurrent_jobs ? terms.max_concurrent_jobs - in_use : 0);
    else
        json_put_null(w, "free");
    json_end_object(w);
    return true;
}

bool plan_json_put(struct json_writer *w, struct request *rq, const struct job_row *job, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    const char *state = NULL;
    int64_t now_ms = 0;

    if (!plan_store_get(db_of(rq), job->id, &rows, err) || !db_now_ms(db_of(rq), &now_ms, err))
        return false;
    if (rows.count == 0)
        return err_set(err, ERR_NOT_FOUND, false, HERE, "there is no plan %lld", (long long)job->id);
    state = plan_state(job, now_ms);
    json_begin_object(w);
    json_put_id(w, "id", ID_PLAN, job->id);
    json_put_text(w, "name", job->name);
    json_put_text(w, "state", state);
    json_put_id(w, "prefix_id", ID_PREFIX, job->prefix_id);
    json_put_id(w, "job_id", ID_JOB, job->launched_ms ? job->id : 0);
    json_put_text(w, "region", app_of(rq)->region);
    job_question_json(w, job);
    put_found(w, &rows);
    if (!put_quota(w, rq, job, err))
        return false;
    json_put_json(w, "metadata", job->metadata);
    json_put_json(w, "refusal", job->launched_ms ? NULL : job->error);
    json_put_time(w, "created_at", job->created_ms);
    json_put_time(w, "ready_at", job->planned_ms);
    json_put_time(w, "expires_at", job->launched_ms ? 0 : job->expires_ms);
    json_end_object(w);
    return true;
}
