/* POST /v1/jobs/{id}/retry: a new job over what failed or is missing in another. The other job stays as it is. */
#include "handlers/app.h"
#include "handlers/audited.h"
#include "handlers/common.h"
#include "handlers/grant.h"
#include "handlers/idempotent.h"
#include "handlers/job_input.h"
#include "handlers/job_launch.h"
#include "handlers/job_rules.h"
#include "handlers/routes.h"
#include "server/base/id.h"
#include "server/work/causes.h"
#include "sql/event_store.h"
#include "sql/failure_store.h"
#include "sql/task_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { CATALOGUE_MAX = 64 * 1024 };

struct retry {
    struct request *rq;
    struct reply *rp;
    int64_t job_id;
    struct job_retry_input in;
};

static void retry_done(struct retry *retry)
{
    job_input_done(&retry->in.job);
}

/* ---- what is there to retry ---- */

struct failures {
    int64_t total, hopeless;
};

static bool count_failures(struct db *db, int64_t job_id, struct failures *out, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    AUTO(buf_done) struct buf catalogue = { .max = CATALOGUE_MAX };
    char last[64] = "";

    *out = (struct failures){ 0 };
    if (!causes_for_sql(&catalogue))
        return err_memory(err, HERE);
    if (!failure_store_groups(db, job_id, buf_cstr(&catalogue), &rows, err))
        return false;
    for (int i = 0; i < rows.count; i++) {
        const struct cause *cause;
        struct failure_row row;

        failure_row_read(&rows, i, &row);
        if (strcmp(row.code, last) == 0) /* another example of the same cause */
            continue;
        snprintf(last, sizeof last, "%s", row.code);
        cause = cause_find(row.code);
        out->total += row.count;
        out->hopeless += cause && cause->retry == CAUSE_RETRY_NO ? row.count : 0;
    }
    return true;
}

static void put_number(struct reply *rp, const char *name, int64_t n)
{
    char text[24];

    snprintf(text, sizeof text, "%" PRId64, n);
    reply_problem_member(rp, name, span_of(text));
}

static bool refuse(const struct retry *retry, const char *state, const struct failures *found, struct answer *out,
                   struct err *err)
{
    if (!job_state_is_final(state)) {
        reply_problem(retry->rq, retry->rp, 409, "job_active",
                      "The job is %s. It can be retried when it is completed, failed or cancelled.", state);
    } else if (found->total == 0) {
        reply_problem(retry->rq, retry->rp, 409, "nothing_to_retry",
                      "No record of this job failed or is missing, so there is nothing to try again.");
    } else {
        reply_problem(retry->rq, retry->rp, 409, "only_hopeless",
                      "All %lld records that failed would meet the same end again: GET /v1/jobs/{id}/failures names "
                      "the causes and what to do. To try all the same, send \"force\": true.",
                      (long long)found->total);
        put_number(retry->rp, "hopeless", found->hopeless);
    }
    return answer_refuse(out, err);
}

/* ---- the same question again ---- */

static void ask_again(const struct job_row *job, struct job_new *row)
{
    row->prefix_id = job->prefix_id;
    row->model_id = span_of(job->model_id);
    row->prompt = span_of(job->prompt);
    if (job->system)
        row->system = span_of(job->system);
    row->has_max_tokens = job->has_max_tokens;
    row->has_temperature = job->has_temperature;
    row->has_top_p = job->has_top_p;
    row->has_top_k = job->has_top_k;
    row->max_tokens = job->max_tokens;
    row->top_k = job->top_k;
    row->temperature = job->temperature;
    row->top_p = job->top_p;
    row->select_mode = "retry";
    row->retry_of = job->id;
    if (!row->staging)
        row->staging = strcmp(job->staging, "none") == 0 ? "auto" : job->staging;
    if (!row->preflight)
        row->preflight = job->preflight;
    if (!row->below_minimum)
        row->below_minimum =
            strcmp(job->below_minimum, "wait") == 0 ? "refuse" : job->below_minimum; /* see read_retry */
    if (!row->has_max_cost) {
        row->has_max_cost = job->has_max_cost;
        row->max_cost_micros = job->max_cost_micros;
    }
    if (!row->has_keep_staging && job->has_keep_staging) {
        row->has_keep_staging = true;
        row->keep_staging = job->keep_staging;
    }
    if (!row->name.ptr)
        row->name = span_of(job->name);
    if (!row->metadata.ptr && job->metadata)
        row->metadata = span_of(job->metadata);
}

static bool refuse_model(const struct retry *retry, const char *why, struct answer *out, struct err *err)
{
    reply_problem(retry->rq, retry->rp, 409, "model_refused",
                  "The job's model cannot be asked again. %s Launch a new job with \"select\": \"failed\" and another "
                  "model.",
                  why);
    return answer_refuse(out, err);
}

static bool store(struct db *db, const struct retry *retry, const struct job_row *job, struct answer *out,
                  struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    AUTO(buf_done) struct buf why = { .max = 1024 };
    struct job_input in = retry->in.job;
    struct prefix_row prefix;
    char detail[ID_SIZE + 24], id_text[ID_SIZE];
    int64_t id = 0;

    if (!job->prompt[0]) {
        reply_problem(retry->rq, retry->rp, 409, "prompt_unknown",
                      "No line of the import held a prompt, so nobody knows what was asked. Launch a job about the "
                      "videos with a prompt of your own.");
        return answer_refuse(out, err);
    }
    ask_again(job, &in.row);
    in.row.retry_hopeless = retry->in.force;
    if (!job_input_model_ok(app_of(retry->rq)->models, in.row.model_id, &why))
        return refuse_model(retry, buf_cstr(&why), out, err);
    if (!job_rules_pass(db, retry->rq, retry->rp, &in, &rows, &prefix, out, err) ||
        !job_store_recipe(db, job->id, in.row.recipe, err) || !job_store_create(db, &in.row, &id, err) ||
        !job_begun(db, retry->rq, id, err))
        return false;
    id_format(ID_JOB, id, id_text);
    snprintf(detail, sizeof detail, "{\"job\":\"%s\"}", id_text);
    return event_store_add(db, id, "job.created", NULL, err) &&
           event_store_add(db, job->id, "job.retried", detail, err) && task_store_add(db, "plan", id, 0, err) &&
           audited(db, retry->rq, "job.retry", ID_JOB, id, err) && job_create_answer(db, retry->rq, id, out, err);
}

static bool create(struct db *db, void *arg, struct answer *out, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct retry *retry = arg;
    struct failures found = { 0 };
    struct job_row job = { 0 };
    char state[16] = "";

    if (!job_store_get(db, retry->job_id, &rows, &job, err) || !job_store_lock(db, retry->job_id, state, err))
        return false;
    if (!job_state_is_final(state))
        return refuse(retry, state, &found, out, err);
    if (!count_failures(db, retry->job_id, &found, err))
        return false;
    if (found.total == 0 || (found.total == found.hopeless && !retry->in.force))
        return refuse(retry, state, &found, out, err);
    return store(db, retry, &job, out, err);
}

void jobs_retry(struct request *rq, struct reply *rp)
{
    AUTO(retry_done) struct retry retry = { .rq = rq, .rp = rp };

    if (rq_check_query(rq, rp, (const char *const[]){ NULL }) && rq_path_id(rq, rp, "id", ID_JOB, &retry.job_id) &&
        job_input_read_retry(rq, rp, &retry.in))
        idempotent_run(rq, rp, create, &retry);
}
