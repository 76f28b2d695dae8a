/* Dry runs of jobs: what would run, what would not and why, what it would cost. */
#include "handlers/app.h"
#include "handlers/audited.h"
#include "handlers/common.h"
#include "handlers/grant.h"
#include "handlers/idempotent.h"
#include "handlers/job_input.h"
#include "handlers/job_rules.h"
#include "handlers/plan_json.h"
#include "handlers/routes.h"
#include "handlers/video_json.h"
#include "server/base/id.h"
#include "server/base/text.h"
#include "server/work/causes.h"
#include "sql/event_store.h"
#include "sql/plan_store.h"
#include "sql/task_store.h"

#include <stdio.h>
#include <string.h>

enum { PAGE_BYTES = 8 * 1024 * 1024, REASON_SIZE = 64 };

/* ---- create ---- */

struct creation {
    struct request *rq;
    struct reply *rp;
    struct job_input in;
};

static void creation_done(struct creation *creation)
{
    job_input_done(&creation->in);
}

static bool create(struct db *db, void *arg, struct answer *out, struct err *err)
{
    AUTO(db_rows_done) struct db_rows prefix_rows = { 0 };
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct creation *creation = arg;
    struct json_writer w = json_writer_on(&out->body);
    struct job_new row = creation->in.row;
    struct prefix_row prefix = { 0 };
    struct job_row job = { 0 };
    char id_text[ID_SIZE];
    int64_t id = 0;

    if (!job_rules_pass(db, creation->rq, creation->rp, &creation->in, &prefix_rows, &prefix, out, err))
        return false;
    if (!row.name.ptr)
        row.name = span_of(prefix.name);
    row.is_plan = true;
    row.keep_ms = app_of(creation->rq)->plan_expires_ms;
    if (!job_store_create(db, &row, &id, err) || !job_begun(db, creation->rq, id, err) ||
        !event_store_add(db, id, "job.created", NULL, err) || !task_store_add(db, "plan", id, 0, err) ||
        !audited(db, creation->rq, "plan.create", ID_PLAN, id, err) || !job_store_get_any(db, id, &rows, &job, err))
        return false;
    id_format(ID_PLAN, id, id_text);
    out->status = 202;
    snprintf(out->location, sizeof out->location, "/v1/plans/%s", id_text);
    return plan_json_put(&w, creation->rq, &job, err);
}

void plans_create(struct request *rq, struct reply *rp)
{
    AUTO(creation_done) struct creation creation = { .rq = rq, .rp = rp };

    if (rq_check_query(rq, rp, (const char *const[]){ NULL }) && job_input_read(rq, rp, false, &creation.in))
        idempotent_run(rq, rp, create, &creation);
}

/* ---- read ---- */

static bool put_plan(struct json_writer *w, struct request *rq, int64_t id, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct job_row job = { 0 };

    return job_store_get_any(db_of(rq), id, &rows, &job, err) && plan_json_put(w, rq, &job, err);
}

/* Plans may be long: a page ends early when it is full. */
void plans_list(struct request *rq, struct reply *rp)
{
    AUTO(db_rows_done) struct db_rows seen = { 0 };
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct json_writer w = json_writer_on(reply_body(rp));
    const char *within = NULL;
    struct err err = { 0 };
    int64_t prefix_id = 0, after = 0;
    int limit = 0, shown = 0;
    bool has = false;

    if (!rq_check_query(rq, rp, (const char *const[]){ "prefix_id", "limit", "after", NULL }) ||
        !query_id(rq, rp, "prefix_id", ID_PREFIX, &prefix_id) || !rq_limit(rq, rp, &limit) ||
        !rq_cursor_i64(rq, rp, "plans", &has, &after))
        return;
    if (!grant_prefix_ids(rq, &seen, &within, &err) ||
        !plan_store_list(db_of(rq), after, prefix_id, within, limit + 1, &rows, &err)) {
        reply_failure(rq, rp, &err);
        return;
    }
    json_begin_object(&w);
    json_name(&w, "data");
    json_begin_array(&w);
    for (; shown < rows.count && shown < limit && w.out->len < PAGE_BYTES; shown++) {
        after = db_i64(&rows, shown, 0);
        if (!put_plan(&w, rq, after, &err)) {
            reply_failure(rq, rp, &err);
            return;
        }
    }
    json_end_array(&w);
    reply_next_i64(rq, rp, &w, rows.count > shown, "plans", after);
    json_end_object(&w);
    reply_page(rq, rp);
}

void plans_get(struct request *rq, struct reply *rp)
{
    struct json_writer w = json_writer_on(reply_body(rp));
    struct err err = { 0 };
    int64_t id = 0;

    if (!rq_check_query(rq, rp, (const char *const[]){ NULL }) || !rq_path_id(rq, rp, "id", ID_PLAN, &id))
        return;
    if (put_plan(&w, rq, id, &err))
        reply_resource(rq, rp);
    else
        reply_failure(rq, rp, &err);
}

/* ---- videos ---- */

static void put_video(struct json_writer *w, const struct plan_video *video)
{
    json_begin_object(w);
    json_put_text(w, "state", video->reason ? "skipped" : "taken");
    json_put_text(w, "reason", video->reason);
    video_json_brief(w, video->video_id, video->bucket, video->key_prefix, video->name);
    json_put_text(w, "etag", video->etag);
    json_put_i64(w, "size_bytes", video->size_bytes);
    if (video->has_duration)
        json_put_i64(w, "duration_ms", video->duration_ms);
    else
        json_put_null(w, "duration_ms");
    json_end_object(w);
}

struct listing {
    int64_t job_id;
    int limit;
    const char *state, *reason; /* reason NULL: any */
    struct span after;          /* the cursor: "reason id" of a skipped one, "id" of a taken one; ptr NULL: none */
};

/* False: a 400 problem is filled. */
static bool read_cursor(struct request *rq, struct reply *rp, const struct listing *list, char reason[REASON_SIZE],
                        int64_t *id)
{
    const bool taken = strcmp(list->state, "taken") == 0;
    const size_t space = list->after.ptr ? span_find(list->after, ' ') : 0;
    const bool has_reason = list->after.ptr && space < list->after.len;

    *id = 0;
    reason[0] = '\0';
    if (!list->after.ptr)
        return true;
    if (has_reason == taken || space >= REASON_SIZE ||
        !text_parse_i64(has_reason ? span_tail(list->after, space + 1) : list->after, id)) {
        reply_problem(rq, rp, 400, "bad_cursor", "after: It must be a \"next\" of this very list.");
        return false;
    }
    if (has_reason)
        snprintf(reason, REASON_SIZE, "%.*s", (int)space, list->after.ptr);
    return true;
}

static void put_videos(struct request *rq, struct reply *rp, const struct listing *list, const struct db_rows *rows)
{
    struct json_writer w = json_writer_on(reply_body(rp));
    char next[REASON_SIZE + 24] = "";

    json_begin_object(&w);
    json_name(&w, "data");
    json_begin_array(&w);
    for (int i = 0; i < rows->count && i < list->limit; i++) {
        struct plan_video video;

        plan_video_read(rows, i, &video);
        put_video(&w, &video);
        snprintf(next, sizeof next, "%.40s%s%lld", video.reason ? video.reason : "", video.reason ? " " : "",
                 (long long)video.cursor);
    }
    json_end_array(&w);
    reply_next_text(rq, rp, &w, rows->count > list->limit, "plan_videos", span_of(next));
    json_end_object(&w);
    reply_page(rq, rp);
}

/* A word of the catalogue, or of what a plan itself leaves out. */
static bool read_reason(struct request *rq, struct reply *rp, struct span asked, char out[REASON_SIZE])
{
    snprintf(out, REASON_SIZE, "%.*s", SPAN_ARG(text_utf8_head(asked, REASON_SIZE - 1)));
    if (span_eq_text(asked, out) && cause_find(out))
        return true;
    (void)query_refuse(rq, rp, "reason", "There is no such reason: docs/failures.md names them all.");
    return false;
}

void plans_videos(struct request *rq, struct reply *rp)
{
    static const char *const states[] = { "taken", "skipped", NULL };
    AUTO(db_rows_done) struct db_rows job_rows = { 0 };
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct listing list = { .state = states[0] };
    struct span reason_asked = { NULL, 0 };
    char reason[REASON_SIZE] = "", after_reason[REASON_SIZE] = "";
    struct job_row job = { 0 };
    struct err err = { 0 };
    int64_t after = 0;
    bool has = false;

    if (!rq_check_query(rq, rp, (const char *const[]){ "state", "reason", "limit", "after", NULL }) ||
        !rq_path_id(rq, rp, "id", ID_PLAN, &list.job_id) || !query_word(rq, rp, "state", states, &list.state) ||
        !rq_limit(rq, rp, &list.limit) || !rq_cursor_text(rq, rp, "plan_videos", &has, &list.after))
        return;
    reason_asked = rq_query(rq, "reason");
    if (reason_asked.ptr) {
        if (!read_reason(rq, rp, reason_asked, reason))
            return;
        list.reason = reason;
        if (!rq_query(rq, "state").ptr)
            list.state = "skipped";
    }
    if (list.reason && strcmp(list.state, "taken") == 0) {
        (void)query_refuse(rq, rp, "reason", "Only skipped videos have one: ask with state=skipped.");
        return;
    }
    if (!has)
        list.after = (struct span){ NULL, 0 };
    if (!read_cursor(rq, rp, &list, after_reason, &after))
        return;
    if (job_store_get_any(db_of(rq), list.job_id, &job_rows, &job, &err) &&
        (strcmp(list.state, "taken") == 0 ? plan_store_taken(db_of(rq), job.id, after, list.limit + 1, &rows, &err)
                                          : plan_store_skipped_videos(db_of(rq), job.id, list.reason, after_reason,
                                                                      after, list.limit + 1, &rows, &err)))
        put_videos(rq, rp, &list, &rows);
    else
        reply_failure(rq, rp, &err);
}

/* ---- delete ---- */

struct deletion {
    struct request *rq;
    struct reply *rp;
    int64_t id;
    bool refused;
};

static bool delete (struct db *db, void *arg, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct deletion *deletion = arg;
    struct job_row job = { 0 };
    bool expired = false;
    char state[16], id[ID_SIZE];

    deletion->refused = false;
    if (!job_store_lock(db, deletion->id, state, err) || !job_store_get_any(db, deletion->id, &rows, &job, err))
        return false;
    if (job.launched_ms) {
        id_format(ID_JOB, job.id, id);
        reply_problem(deletion->rq, deletion->rp, 409, "plan_launched",
                      "This plan is launched: cancel %s instead (POST /v1/jobs/%s/cancel).", id, id);
        deletion->refused = true;
        return true;
    }
    return plan_store_expire(db, job.id, &expired, err) &&
           (!expired || (task_store_add(db, "expire", job.id, 0, err) &&
                         audited(db, deletion->rq, "plan.delete", ID_PLAN, job.id, err)));
}

void plans_delete(struct request *rq, struct reply *rp)
{
    struct deletion deletion = { .rq = rq, .rp = rp };
    struct err err = { 0 };

    if (!rq_check_query(rq, rp, (const char *const[]){ NULL }) || !rq_path_id(rq, rp, "id", ID_PLAN, &deletion.id))
        return;
    if (!db_transaction(db_of(rq), delete, &deletion, &err))
        reply_failure(rq, rp, &err);
    else if (!deletion.refused)
        reply_status(rp, 204);
}
