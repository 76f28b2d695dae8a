/* Cancelling a job, and reading its output again. */
#include "handlers/app.h"
#include "handlers/audited.h"
#include "handlers/common.h"
#include "handlers/idempotent.h"
#include "handlers/job_json.h"
#include "handlers/routes.h"
#include "server/base/id.h"
#include "sql/event_store.h"
#include "sql/job_store.h"
#include "sql/shard_store.h"
#include "sql/task_store.h"

#include <stdio.h>
#include <string.h>

enum { SHARD_PAGE = 200 };

struct action {
    struct request *rq;
    struct reply *rp;
    int64_t job_id;
};

static bool put_job(struct db *db, const struct action *action, struct answer *out, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct json_writer w = json_writer_on(&out->body);
    struct job_row row = { 0 };
    char id[ID_SIZE];

    if (!job_store_get(db, action->job_id, &rows, &row, err))
        return false;
    id_format(ID_JOB, action->job_id, id);
    out->status = 202;
    snprintf(out->location, sizeof out->location, "/v1/jobs/%s", id);
    job_json(&w, &row, app_of(action->rq));
    return true;
}

/* A plan is no job yet. */
static bool lock_launched(struct db *db, const struct action *action, char state[16], struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct job_row row = { 0 };

    return job_store_get(db, action->job_id, &rows, &row, err) && job_store_lock(db, action->job_id, state, err);
}

/* ---- cancel ---- */

static bool cancel(struct db *db, void *arg, struct answer *out, struct err *err)
{
    const struct action *action = arg;
    char state[16] = "";
    bool moved = false;

    if (!lock_launched(db, action, state, err))
        return false;
    if (job_state_is_final(state)) {
        reply_problem(action->rq, action->rp, 409, "job_finished", "The job is %s; there is nothing left to cancel.",
                      state);
        return answer_refuse(out, err);
    }
    if (!job_store_move(db, action->job_id, "{queued,planning,staging,running,ingesting}", "cancelling", NULL, NULL,
                        &moved, err))
        return false;
    if (moved && !event_store_add(db, action->job_id, "job.cancelling", NULL, err))
        return false;
    return task_store_add(db, "cancel", action->job_id, 0, err) &&
           audited(db, action->rq, "job.cancel", ID_JOB, action->job_id, err) && put_job(db, action, out, err);
}

void jobs_cancel(struct request *rq, struct reply *rp)
{
    struct action action = { .rq = rq, .rp = rp };

    if (rq_check_query(rq, rp, (const char *const[]){ NULL }) && rq_path_id(rq, rp, "id", ID_JOB, &action.job_id))
        idempotent_run(rq, rp, cancel, &action);
}

/* ---- reingest ---- */

/* What a walk over a job's shards has found. */
struct walk {
    int last; /* ordinal */
    bool more;
    int64_t reset;
    bool asked_singly; /* a shard had no Bedrock job, for the model was asked video by video */
};

/* Sets every shard of the page back that Bedrock has run. */
static bool reset_page(struct db *db, int64_t job_id, struct walk *walk, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };

    if (!shard_store_list(db, job_id, walk->last, SHARD_PAGE, &rows, err))
        return false;
    for (int i = 0; i < rows.count; i++) {
        struct shard_row shard = { 0 };
        bool moved = false;
        shard_row_read(&rows, i, &shard);
        walk->last = shard.ordinal;
        walk->asked_singly |= strcmp(shard.route, "on_demand") == 0;
        if (!shard.bedrock_arn && strcmp(shard.staging, "none") != 0)
            continue;
        if (!shard_store_ingest_reset(db, shard.id, &moved, err))
            return false;
        if (moved && !task_store_add(db, "ingest", shard.id, 0, err))
            return false;
        walk->reset += moved;
    }
    walk->more = rows.count == SHARD_PAGE;
    return true;
}

static bool refuse_reingest(const struct action *action, const char *state, bool asked_singly, struct answer *out,
                            struct err *err)
{
    if (job_state_is_final(state) && asked_singly)
        reply_problem(
            action->rq, action->rp, 409, "no_output",
            "This job asked the model video by video, so there is no output in S3 to read again: every answer "
            "was stored when it came. Run the videos that have none once more.");
    else if (job_state_is_final(state))
        reply_problem(action->rq, action->rp, 409, "no_output",
                      "No part of this job was ever run by Bedrock, so there is no output to read. Launch a new job.");
    else
        reply_problem(action->rq, action->rp, 409, "job_active",
                      "The job is %s. Its output can be read again when it is completed, failed or cancelled.", state);
    return answer_refuse(out, err);
}

static bool reingest(struct db *db, void *arg, struct answer *out, struct err *err)
{
    const struct action *action = arg;
    char state[16] = "";
    struct walk walk = { .last = -1, .more = true };
    bool moved = false;

    if (!lock_launched(db, action, state, err))
        return false;
    if (!job_state_is_final(state))
        return refuse_reingest(action, state, false, out, err);
    while (walk.more) {
        if (!reset_page(db, action->job_id, &walk, err))
            return false;
    }
    if (walk.reset == 0)
        return refuse_reingest(action, state, walk.asked_singly, out, err);
    return job_store_move(db, action->job_id, "{completed,failed,cancelled}", "ingesting", NULL, NULL, &moved, err) &&
           event_store_add(db, action->job_id, "job.reingesting", NULL, err) &&
           audited(db, action->rq, "job.reingest", ID_JOB, action->job_id, err) && put_job(db, action, out, err);
}

void jobs_reingest(struct request *rq, struct reply *rp)
{
    struct action action = { .rq = rq, .rp = rp };

    if (rq_check_query(rq, rp, (const char *const[]){ NULL }) && rq_path_id(rq, rp, "id", ID_JOB, &action.job_id))
        idempotent_run(rq, rp, reingest, &action);
}
