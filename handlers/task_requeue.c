/* POST /v1/tasks/{id}/requeue: a step that was given up goes on where it stopped, or the answer says why it cannot. */
#include "handlers/app.h"
#include "handlers/audited.h"
#include "handlers/common.h"
#include "handlers/idempotent.h"
#include "handlers/routes.h"
#include "handlers/task_json.h"
#include "server/base/id.h"
#include "sql/event_store.h"
#include "sql/job_store.h"
#include "sql/prefix_store.h"
#include "sql/shard_file_store.h"
#include "sql/shard_store.h"
#include "sql/video_scan.h"

#include <stdio.h>
#include <string.h>

struct requeue {
    struct request *rq;
    struct reply *rp;
    int64_t task_id;
    struct task_row task;
};

static bool refuse(const struct requeue *requeue, struct answer *out, struct err *err, const char *code,
                   const char *words)
{
    reply_problem(requeue->rq, requeue->rp, 409, code, "%s", words);
    return answer_refuse(out, err);
}

/* The prefix shows that it is scanned again. */
static bool scan_again(struct db *db, const struct requeue *requeue, int64_t subject_id, struct answer *out,
                       struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct prefix_row prefix = { 0 };
    struct err problem = { 0 };

    if (prefix_store_get(db, subject_id, &rows, &prefix, &problem))
        return prefix_store_scan_queued(db, subject_id, err) && task_store_add(db, "scan", subject_id, 0, err);
    if (problem.kind == ERR_NOT_FOUND)
        return refuse(requeue, out, err, "gone", "The prefix was deleted.");
    return err_pass(err, &problem);
}

/* A plan that failed has stored nothing, so it begins anew; from here on its prefix cannot be deleted. */
static bool plan_again(struct db *db, const struct requeue *requeue, int64_t job_id, struct answer *out,
                       struct err *err)
{
    AUTO(db_rows_done) struct db_rows jobs = { 0 };
    AUTO(db_rows_done) struct db_rows shards = { 0 };
    struct err problem = { 0 };
    struct job_row job = { 0 };
    bool moved = false;

    if (!job_store_get(db, job_id, &jobs, &job, err))
        return false;
    if (!video_scan_lock(db, job.prefix_id, &problem))
        return problem.kind == ERR_NOT_FOUND ? refuse(requeue, out, err, "gone", "The prefix of the job was deleted.")
                                             : err_pass(err, &problem);
    if (!shard_store_list(db, job_id, -1, 1, &shards, err))
        return false;
    if (shards.count == 0 && !job_store_move(db, job_id, "{failed}", "queued", NULL, NULL, &moved, err))
        return false;
    if (!moved)
        return refuse(requeue, out, err, "job_ended",
                      "The job has gone on without this step. Launch it anew: POST /v1/jobs/{job_id}/retry.");
    return event_store_add(db, job_id, "job.requeued", NULL, err) && task_store_add(db, "plan", job_id, 0, err);
}

/* What Bedrock has written is read again from its beginning; nothing is paid for. */
static bool ingest_again(struct db *db, const struct requeue *requeue, const struct shard_row *shard,
                         struct answer *out, struct err *err)
{
    bool moved = false;

    if (strcmp(shard->state, "failed") != 0)
        return refuse(requeue, out, err, "still_active",
                      "Other files of this output are still being read. Ask again when that has ended: GET "
                      "/v1/jobs/{job_id}/shards.");
    if (!shard_store_ingest_reset(db, shard->id, &moved, err))
        return false;
    if (!moved)
        return refuse(requeue, out, err, "no_output", "Bedrock never ran this part, so there is no output to read.");
    return job_store_move(db, shard->job_id, "{completed,failed,cancelled}", "ingesting", NULL, NULL, &moved, err) &&
           event_store_add(db, shard->job_id, "job.reingesting", NULL, err) &&
           task_store_add(db, "ingest", shard->id, 0, err);
}

static bool shard_again(struct db *db, const struct requeue *requeue, int64_t shard_id, struct answer *out,
                        struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    const char *kind = requeue->task.kind;
    struct shard_row shard = { 0 };

    if (!shard_store_get(db, shard_id, &rows, &shard, err))
        return false;
    if (strncmp(kind, "ingest", 6) == 0)
        return ingest_again(db, requeue, &shard, out, err);
    if (strcmp(shard.state, "failed") != 0)
        return task_store_add(db, kind, shard_id, 0, err);
    return refuse(requeue, out, err, "job_ended",
                  "This part of the job has ended without an answer, and what was staged for it is removed. Its videos "
                  "are run again by POST /v1/jobs/{job_id}/retry, once the job has ended.");
}

static bool file_again(struct db *db, const struct requeue *requeue, int64_t file_id, struct answer *out,
                       struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct shard_file_row file = { 0 };

    return shard_file_store_get(db, file_id, &rows, &file, err) && shard_again(db, requeue, file.shard_id, out, err);
}

/* With the task held: what it was about decides. */
static bool choose(struct db *db, const struct requeue *requeue, struct answer *out, struct err *err)
{
    const char *kind = requeue->task.kind;
    const int64_t subject_id = requeue->task.subject_id;

    if (strcmp(kind, "scan") == 0)
        return scan_again(db, requeue, subject_id, out, err);
    if (strcmp(kind, "plan") == 0)
        return plan_again(db, requeue, subject_id, out, err);
    if (strcmp(kind, "import") == 0)
        return refuse(requeue, out, err, "job_ended", "The import has ended. Ask for it again: POST /v1/imports.");
    if (strcmp(kind, "ingest_file") == 0)
        return file_again(db, requeue, subject_id, out, err);
    if (strcmp(kind, "stage") == 0 || strcmp(kind, "submit") == 0 || strcmp(kind, "invoke") == 0 ||
        strcmp(kind, "ingest") == 0)
        return shard_again(db, requeue, subject_id, out, err);
    return task_store_add(db, kind, subject_id, 0, err);
}

static bool put_task(struct db *db, struct requeue *requeue, struct answer *out, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct json_writer w = json_writer_on(&out->body);
    struct task_row row = { 0 };
    struct err problem = { 0 };
    char id[ID_SIZE];

    id_format(ID_TASK, requeue->task_id, id);
    out->status = 202;
    snprintf(out->location, sizeof out->location, "/v1/tasks/%s", id);
    if (task_store_get(db, requeue->task_id, &rows, &row, &problem)) {
        task_json(&w, &row);
        return true;
    }
    if (problem.kind != ERR_NOT_FOUND)
        return err_pass(err, &problem);
    requeue->task.state = "ready"; /* of a file: the task that reads the whole output again took its place */
    task_json(&w, &requeue->task);
    return true;
}

static bool run(struct db *db, void *arg, struct answer *out, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct requeue *requeue = arg;
    char state[16];
    bool dead = false;

    if (!task_store_get(db, requeue->task_id, &rows, &requeue->task, err) ||
        (requeue->task.job_id && !job_store_lock(db, requeue->task.job_id, state, err)) ||
        !task_store_lock_dead(db, requeue->task_id, &dead, err))
        return false;
    if (!dead)
        return refuse(requeue, out, err, "task_not_dead",
                      "The task is not dead: it runs, or will be run by itself at its due_at.");
    return choose(db, requeue, out, err) && audited(db, requeue->rq, "task.requeue", ID_TASK, requeue->task_id, err) &&
           put_task(db, requeue, out, err);
}

void tasks_requeue(struct request *rq, struct reply *rp)
{
    struct requeue requeue = { .rq = rq, .rp = rp };

    if (rq_check_query(rq, rp, (const char *const[]){ NULL }) && rq_path_id(rq, rp, "id", ID_TASK, &requeue.task_id))
        idempotent_run(rq, rp, run, &requeue);
}
