/* POST /v1/jobs. Whatever can be refused is refused here, before anything is staged or paid for. */
#include "handlers/app.h"
#include "handlers/common.h"
#include "handlers/idempotent.h"
#include "handlers/job_input.h"
#include "handlers/job_json.h"
#include "handlers/routes.h"
#include "server/base/id.h"
#include "server/work/minimum.h"
#include "sql/event_store.h"
#include "sql/job_store.h"
#include "sql/prefix_store.h"
#include "sql/task_store.h"
#include "sql/video_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* How long a launch may count videos before it leaves that to the plan. */
enum { COUNT_PATIENCE_MS = 5000 };

struct launch {
    struct request *rq;
    struct reply *rp;
    struct job_input in;
};

static void launch_done(struct launch *launch)
{
    job_input_done(&launch->in);
}

static bool refuse_settings(const struct launch *launch, struct answer *out, struct err *err)
{
    reply_problem(launch->rq, launch->rp, 409, "not_configured",
                  "A job needs settings that this service was started without: %s. Set them and start it again.",
                  app_of(launch->rq)->missing_settings);
    return answer_refuse(out, err);
}

/* Whatever the client named was judged with the rest of its words: only the default can still be wrong here. */
static bool refuse_default_model(const struct launch *launch, const char *why, struct answer *out, struct err *err)
{
    reply_problem(launch->rq, launch->rp, 409, "not_configured",
                  "The job names no model, and VIDBATCH_MODEL_ID, which this service was started with, is none that it "
                  "can run. %s Name a \"model_id\", or cure the setting and start the service again.",
                  why);
    return answer_refuse(out, err);
}

static bool refuse_prefix(const struct launch *launch, struct answer *out, struct err *err)
{
    reply_problem(launch->rq, launch->rp, 422, "prefix_unknown",
                  "There is no prefix with this id. Register it first, or take one that GET /v1/prefixes lists.");
    reply_pointer(launch->rp, "/prefix_id", "There is no prefix with this id.");
    return answer_refuse(out, err);
}

static bool refuse_scan(const struct launch *launch, const struct prefix_row *prefix, struct answer *out,
                        struct err *err)
{
    reply_problem(launch->rq, launch->rp, 409, "scan_failed",
                  "The latest scan of the prefix failed, so it is not known what is there; \"scan_error\" says why. "
                  "Cure that, scan it again (POST /v1/prefixes/{id}/scan), then launch the job.");
    if (prefix->scan_error)
        reply_problem_member(launch->rp, "scan_error", span_of(prefix->scan_error));
    return answer_refuse(out, err);
}

static void add_number(struct reply *rp, const char *name, int64_t n)
{
    char text[24];

    snprintf(text, sizeof text, "%" PRId64, n);
    reply_problem_member(rp, name, span_of(text));
}

/* Would the plan find enough videos? Only a finished scan can tell; before that the plan step waits for it. Nor is
 * anybody kept waiting for the count of very many: the plan judges then too. */
static bool check_videos(struct db *db, const struct launch *launch, const struct prefix_row *prefix,
                         struct answer *out, struct err *err)
{
    const struct job_new *row = &launch->in.row;
    AUTO(buf_done) struct buf words = { .max = 1024 };
    const struct models *models = app_of(launch->rq)->models;
    struct model_terms terms;
    int64_t minimum = 0;
    const char *refusal = NULL;
    int64_t found = 0;
    bool known = false;

    if (strcmp(prefix->scan_state, "failed") == 0)
        return refuse_scan(launch, prefix, out, err);
    if (strcmp(prefix->scan_state, "done") != 0)
        return true;
    if (!models_terms(models, row->model_id, models_home(models), &terms, err))
        return false;
    minimum = terms.min_records;
    if (!video_store_count_selected_up_to(db, prefix->id, row->select_mode, row->recipe, minimum, COUNT_PATIENCE_MS,
                                          &found, &known, err))
        return false;
    if (!known)
        return true;
    refusal = minimum_refusal(found, prefix->eligible_count, minimum, &words);
    if (!refusal)
        return true;
    reply_problem(launch->rq, launch->rp, 409, refusal, "%s", buf_cstr(&words));
    add_number(launch->rp, "minimum", minimum);
    add_number(launch->rp, "eligible", found);
    add_number(launch->rp, "missing", minimum - found);
    return answer_refuse(out, err);
}

static bool put_job(struct db *db, const struct launch *launch, int64_t id, struct answer *out, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct json_writer w = json_writer_on(&out->body);
    struct job_row row = { 0 };
    char id_text[ID_SIZE];

    if (!job_store_get(db, id, &rows, &row, err))
        return false;
    id_format(ID_JOB, id, id_text);
    out->status = 202;
    snprintf(out->location, sizeof out->location, "/v1/jobs/%s", id_text);
    job_json(&w, &row, app_of(launch->rq)->models);
    return true;
}

static bool create(struct db *db, void *arg, struct answer *out, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    AUTO(buf_done) struct buf why = { .max = 1024 };
    struct launch *launch = arg;
    struct job_new row = launch->in.row;
    struct prefix_row prefix = { 0 };
    int64_t id = 0;

    if (app_of(launch->rq)->missing_settings[0])
        return refuse_settings(launch, out, err);
    if (!job_input_model_ok(app_of(launch->rq)->models, row.model_id, &why))
        return refuse_default_model(launch, buf_cstr(&why), out, err);
    if (!prefix_store_get(db, row.prefix_id, &rows, &prefix, err))
        return err->kind == ERR_NOT_FOUND ? refuse_prefix(launch, out, err) : false;
    if (!check_videos(db, launch, &prefix, out, err))
        return false;
    if (!row.name.ptr)
        row.name = span_of(prefix.name);
    return job_store_create(db, &row, &id, err) && event_store_add(db, id, "job.created", NULL, err) &&
           task_store_add(db, "plan", id, 0, err) && put_job(db, launch, id, out, err);
}

void jobs_create(struct request *rq, struct reply *rp)
{
    AUTO(launch_done) struct launch launch = { .rq = rq, .rp = rp };

    if (rq_check_query(rq, rp, (const char *const[]){ NULL }) && job_input_read(rq, rp, &launch.in))
        idempotent_run(rq, rp, create, &launch);
}
