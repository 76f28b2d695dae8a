#include "handlers/job_rules.h"

#include "handlers/app.h"
#include "handlers/common.h"
#include "handlers/grant.h"
#include "server/base/id.h"
#include "sql/plan_store.h"

#include <inttypes.h>
#include <string.h>

static bool refuse_settings(struct request *rq, struct reply *rp, struct answer *out, struct err *err)
{
    reply_problem(rq, rp, 409, "not_configured",
                  "A job needs settings that this service was started without: %s. Set them and start it again.",
                  app_of(rq)->missing_settings);
    return answer_refuse(out, err);
}

/* Whatever the client named was judged with the rest of its words: only the default can still be wrong here. */
static bool refuse_default_model(struct request *rq, struct reply *rp, const char *why, struct answer *out,
                                 struct err *err)
{
    reply_problem(rq, rp, 409, "not_configured",
                  "The job names no model, and VIDBATCH_MODEL_ID, which this service was started with, is none that it "
                  "can run. %s Name a \"model_id\", or cure the setting and start the service again.",
                  why);
    return answer_refuse(out, err);
}

static bool refuse_prefix(struct request *rq, struct reply *rp, struct answer *out, struct err *err)
{
    reply_problem(rq, rp, 422, "prefix_unknown",
                  "There is no prefix with this id. Register it first, or take one that GET /v1/prefixes lists.");
    reply_pointer(rp, "/prefix_id", "There is no prefix with this id.");
    return answer_refuse(out, err);
}

static bool refuse_scan(struct request *rq, struct reply *rp, const struct prefix_row *prefix, struct answer *out,
                        struct err *err)
{
    reply_problem(rq, rp, 409, "scan_failed",
                  "The latest scan of the prefix failed, so it is not known what is there; \"scan_error\" says why. "
                  "Cure that, scan it again (POST /v1/prefixes/{id}/scan), then ask again.");
    if (prefix->scan_error)
        reply_problem_member(rp, "scan_error", span_of(prefix->scan_error));
    return answer_refuse(out, err);
}

/* errors[] with a pointer to each id that the prefix does not have. */
static bool refuse_videos(struct request *rq, struct reply *rp, const struct db_rows *rows, struct answer *out,
                          struct err *err)
{
    AUTO(buf_done) struct buf errors = { .max = 64 * 1024 };
    struct json_writer w = json_writer_on(&errors);

    json_begin_array(&w);
    for (int i = 0; i < rows->count; i++) {
        char pointer[40];

        snprintf(pointer, sizeof pointer, "/video_ids/%" PRId64, db_i64(rows, i, 0));
        json_begin_object(&w);
        json_put_text(&w, "pointer", pointer);
        json_put_text(&w, "detail", "The prefix has no video with this id.");
        json_end_object(&w);
    }
    json_end_array(&w);
    reply_problem(rq, rp, 422, "videos_unknown",
                  "Videos are named that the prefix does not have; \"errors\" says which (20 at most). Take ids that "
                  "GET /v1/prefixes/{id}/videos lists.");
    reply_problem_member(rp, "errors", buf_view(&errors));
    return answer_refuse(out, err);
}

static bool check_picked(struct db *db, struct request *rq, struct reply *rp, const struct job_new *row,
                         struct answer *out, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };

    if (!row->picked.ptr)
        return true;
    if (!plan_store_unknown_videos(db, row->picked, row->prefix_id, &rows, err))
        return false;
    return rows.count == 0 || refuse_videos(rq, rp, &rows, out, err);
}

bool job_rules_pass(struct db *db, struct request *rq, struct reply *rp, const struct job_input *in,
                    struct db_rows *rows, struct prefix_row *prefix, struct answer *out, struct err *err)
{
    AUTO(buf_done) struct buf why = { .max = 1024 };

    if (app_of(rq)->missing_settings[0])
        return refuse_settings(rq, rp, out, err);
    if (!job_input_model_ok(app_of(rq)->models, in->row.model_id, &why))
        return refuse_default_model(rq, rp, buf_cstr(&why), out, err);
    if (!grant_runs_model(grant_of(rq), in->row.model_id)) {
        (void)grant_refuse_model(rq, rp, in->row.model_id);
        return answer_refuse(out, err);
    }
    if (!prefix_store_get(db, in->row.prefix_id, rows, prefix, err))
        return err->kind == ERR_NOT_FOUND ? refuse_prefix(rq, rp, out, err) : false;
    if (!grant_sees_prefix(grant_of(rq), span_of(prefix->bucket), span_of(prefix->key_prefix)))
        return refuse_prefix(rq, rp, out, err);
    if (strcmp(prefix->scan_state, "failed") == 0)
        return refuse_scan(rq, rp, prefix, out, err);
    return check_picked(db, rq, rp, &in->row, out, err);
}
