/* GET /v1/jobs/{id}/report: the prompt once, then each video's name and its summary, as a page for people. */
#include "handlers/app.h"
#include "handlers/common.h"
#include "handlers/job_json.h"
#include "handlers/report_page.h"
#include "handlers/routes.h"
#include "handlers/summary_stream.h"
#include "server/base/id.h"
#include "server/base/money.h"
#include "server/base/text.h"
#include "server/work/models.h"
#include "sql/job_store.h"
#include "sql/prefix_store.h"

#include <stdio.h>
#include <string.h>

/* The passes: summaries first, then the videos that have none. */
enum { PASS_SUCCEEDED, PASS_FAILED, PASS_MISSING };

static void write_row(struct summary_stream *stream, struct buf *out, const struct summary_row *row)
{
    if (stream->pass == PASS_SUCCEEDED) {
        report_summary(out, ++stream->seen, row);
        return;
    }
    if (!stream->failures++)
        report_failures_head(out);
    report_failure(out, row);
}

static void write_end(struct summary_stream *stream, struct buf *out)
{
    report_foot(out, stream->seen + stream->failures);
}

/* Nothing but the page's own style sheet may run or load: whatever a model writes stays text. */
static bool add_policy(struct reply *rp, struct err *err)
{
    AUTO(buf_done) struct buf policy = { .max = 512 };
    unsigned char hash[32];

    text_sha256(report_css, strlen(report_css), hash);
    buf_text(&policy, "default-src 'none'; style-src 'sha256-");
    text_base64(&policy, hash, sizeof hash);
    buf_text(&policy, "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    if (!buf_check(&policy, "a policy", err))
        return false;
    reply_header(rp, "Content-Security-Policy", buf_cstr(&policy));
    reply_header(rp, "Referrer-Policy", "no-referrer");
    return true;
}

static const char *cost_of(const struct handlers_app *app, const struct job_row *job, char out[MONEY_SIZE + 8])
{
    struct model_terms terms;
    char money[MONEY_SIZE];
    int64_t micros = -1;

    if (models_terms(app->models, span_of(job->model_id), app->region, &terms, NULL))
        micros = model_cost_micros(&terms, strcmp(job->route, "on_demand") == 0, job->input_tokens, job->output_tokens);
    if (micros <= 0)
        return NULL;
    money_format(micros, money);
    money[strlen(money) - 2] = '\0'; /* hundredths of a cent are enough for people */
    snprintf(out, MONEY_SIZE + 8, "%s %.6s", money, terms.prices.currency);
    return out;
}

void report_get(struct request *rq, struct reply *rp)
{
    AUTO(db_rows_done) struct db_rows job_rows = { 0 };
    AUTO(db_rows_done) struct db_rows prefix_rows = { 0 };
    struct prefix_row prefix = { .bucket = "", .key_prefix = "" }; /* an import has none before it has read */
    struct job_row job = { 0 };
    struct summary_stream *stream = NULL;
    char cost[MONEY_SIZE + 8];
    struct err err = { 0 };
    int64_t id = 0;

    if (!rq_check_query(rq, rp, (const char *const[]){ NULL }) || !rq_path_id(rq, rp, "id", ID_JOB, &id))
        return;
    if (!job_store_get(db_of(rq), id, &job_rows, &job, &err) ||
        (job.prefix_id && !prefix_store_get_any(db_of(rq), job.prefix_id, &prefix_rows, &prefix, &err)) ||
        !add_policy(rp, &err)) {
        reply_failure(rq, rp, &err);
        return;
    }
    stream = summary_stream_new(id);
    if (!stream) {
        err_memory(&err, HERE);
        reply_error(rq, rp, &err);
        return;
    }
    stream->states[PASS_SUCCEEDED] = "succeeded";
    stream->states[PASS_FAILED] = "failed";
    stream->states[PASS_MISSING] = "missing";
    stream->row = write_row;
    stream->end = write_end;
    report_head(&stream->head, &job, &prefix, cost_of(app_of(rq), &job, cost));
    summary_stream_reply(rp, "text/html; charset=utf-8", stream);
}
