/* POST /v1/jobs. Whatever can be refused is refused here, before anything is staged or paid for. */
#include "handlers/app.h"
#include "handlers/audited.h"
#include "handlers/common.h"
#include "handlers/grant.h"
#include "handlers/idempotent.h"
#include "handlers/job_input.h"
#include "handlers/job_json.h"
#include "handlers/job_launch.h"
#include "handlers/job_rules.h"
#include "handlers/routes.h"
#include "server/base/id.h"
#include "server/work/minimum.h"
#include "server/work/models.h"
#include "sql/event_store.h"
#include "sql/task_store.h"
#include "sql/video_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* How long a launch may count videos before it leaves that to the plan. */
enum { COUNT_PATIENCE_MS = 5000 };

struct creation {
    struct request *rq;
    struct reply *rp;
    struct job_input in;
};

static void creation_done(struct creation *creation)
{
    job_input_done(&creation->in);
}

static void add_number(struct reply *rp, const char *name, int64_t n)
{
    char text[24];

    snprintf(text, sizeof text, "%" PRId64, n);
    reply_problem_member(rp, name, span_of(text));
}

/* Can it be told now whether the plan would find enough videos? Only where they are counted quickly, and too few are
 * refused at all. */
static bool can_count(const struct job_new *row, const struct prefix_row *prefix)
{
    return strcmp(prefix->scan_state, "done") == 0 && strcmp(row->below_minimum, "refuse") == 0 &&
           (strcmp(row->select_mode, "new") == 0 || strcmp(row->select_mode, "all") == 0);
}

/* Only a finished scan can tell; before that the plan step waits for it. Nor is anybody kept waiting for the count of
 * very many: the plan judges then too. */
static bool check_videos(struct db *db, const struct creation *creation, const struct prefix_row *prefix,
                         struct answer *out, struct err *err)
{
    const struct handlers_app *app = app_of(creation->rq);
    const struct job_new *row = &creation->in.row;
    AUTO(buf_done) struct buf words = { .max = 1024 };
    struct minimum rule = { .eligible = prefix->eligible_count, .select_mode = row->select_mode };
    struct model_terms terms;
    const char *refusal = NULL;
    bool known = false;

    if (!can_count(row, prefix))
        return true;
    if (!models_terms(app->models, row->model_id, app->region, &terms, err))
        return false;
    rule.minimum = terms.min_records;
    if (!video_store_count_selected_up_to(db, prefix->id, row->select_mode, row->recipe, rule.minimum,
                                          COUNT_PATIENCE_MS, &rule.selected, &known, err))
        return false;
    if (!known || (rule.selected > 0 && rule.selected >= rule.minimum))
        return true;
    if (strcmp(row->select_mode, "new") == 0 &&
        !video_store_count_selected_up_to(db, prefix->id, "in_progress", row->recipe, rule.eligible, COUNT_PATIENCE_MS,
                                          &rule.active, &known, err))
        return false;
    refusal = known ? minimum_refusal(&rule, &words) : NULL;
    if (!refusal)
        return true;
    reply_problem(creation->rq, creation->rp, 409, refusal, "%s", buf_cstr(&words));
    add_number(creation->rp, "minimum", rule.minimum);
    add_number(creation->rp, "eligible", rule.selected);
    add_number(creation->rp, "missing", rule.minimum - rule.selected);
    return answer_refuse(out, err);
}

bool job_create_answer(struct db *db, struct request *rq, int64_t id, struct answer *out, struct err *err)
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
    job_json(&w, &row, app_of(rq));
    return true;
}

static bool create(struct db *db, void *arg, struct answer *out, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct creation *creation = arg;
    struct job_new row = creation->in.row;
    struct prefix_row prefix = { 0 };
    int64_t id = 0;

    if (creation->in.has_plan)
        return job_launch_plan(db, creation->rq, creation->rp, &creation->in, out, err);
    if (!job_rules_pass(db, creation->rq, creation->rp, &creation->in, &rows, &prefix, out, err) ||
        !check_videos(db, creation, &prefix, out, err))
        return false;
    if (!row.name.ptr)
        row.name = span_of(prefix.name);
    return job_store_create(db, &row, &id, err) && job_begun(db, creation->rq, id, err) &&
           event_store_add(db, id, "job.created", NULL, err) && task_store_add(db, "plan", id, 0, err) &&
           audited(db, creation->rq, "job.create", ID_JOB, id, err) &&
           job_create_answer(db, creation->rq, id, out, err);
}

void jobs_create(struct request *rq, struct reply *rp)
{
    AUTO(creation_done) struct creation creation = { .rq = rq, .rp = rp };

    if (rq_check_query(rq, rp, (const char *const[]){ NULL }) && job_input_read(rq, rp, true, &creation.in))
        idempotent_run(rq, rp, create, &creation);
}
