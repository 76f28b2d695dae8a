/* Is it alive, is it ready, how is it doing, and what is its contract. */
#include "handlers/app.h"
#include "handlers/common.h"
#include "handlers/metrics_text.h"
#include "handlers/routes.h"
#include "openapi_files.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "sql/task_store.h"
#include "sql/word_store.h"

enum { MAX_TASK_COUNTS = 64, PING_GOOD_MS = 1000 };

void system_livez(struct request *rq, struct reply *rp)
{
    (void)rq;
    buf_text(reply_body(rp), "{\"status\":\"ok\"}");
    reply_header(rp, "Cache-Control", "no-store");
}

/* Everybody may ask, so the database is asked once a second at most while it answers. */
static bool database_answers(struct request *rq, struct err *err)
{
    struct handlers_app *app = app_of(rq);
    const int64_t now_ms = clock_mono_ms(), pinged_ms = atomic_load(&app->pinged_ms);

    if (pinged_ms != 0 && now_ms - pinged_ms < PING_GOOD_MS)
        return true;
    if (!db_ping(db_of(rq), err))
        return false;
    atomic_store(&app->pinged_ms, now_ms);
    return true;
}

void system_readyz(struct request *rq, struct reply *rp)
{
    const struct handlers_app *app = app_of(rq);
    struct err err = { 0 };

    reply_header(rp, "Cache-Control", "no-store");
    if (app->is_ready(app->arg, &err) && database_answers(rq, &err))
        buf_text(reply_body(rp), "{\"status\":\"ready\"}");
    else
        reply_error(rq, rp, &err);
}

static void put_http(struct request *rq, struct buf *out)
{
    double bounds_s[HTTP_BUCKETS] = { 0 };
    uint64_t counts[HTTP_BUCKETS] = { 0 };
    struct http_counts http = { 0 };
    uint64_t total = 0;
    double sum_s = 0;

    http_counts(rq_server(rq), &http);
    http_latency(rq_server(rq), bounds_s, counts, &total, &sum_s);
    metrics_http(out, &http);
    metrics_latency(out, bounds_s, counts, HTTP_BUCKETS, total, sum_s);
}

static void put_tasks(struct request *rq, struct buf *out)
{
    struct task_count tasks[MAX_TASK_COUNTS];
    struct err err = { 0 };
    int count = 0;
    bool up = task_store_counts(db_of(rq), tasks, MAX_TASK_COUNTS, &count, &err);

    metrics_gauge(out, "vidbatch_database_up", "Whether the database answered this request.", up ? 1 : 0);
    if (up)
        metrics_tasks(out, tasks, count);
    else
        log_warn("metrics.no_tasks", "cause=%s", LOGQ(err.what));
}

static void put_index(struct request *rq, struct buf *out)
{
    struct word_lag lag = { 0 };
    struct err err = { 0 };

    if (!word_store_lag(db_of(rq), NULL, &lag, &err)) {
        log_warn("metrics.no_index", "cause=%s", LOGQ(err.what));
        return;
    }
    metrics_gauge(out, "vidbatch_index_pending", "Summaries that full-text search does not know yet.", lag.pending);
    metrics_gauge(out, "vidbatch_index_lag_seconds", "Since the oldest of them was stored.", lag.lag_ms / 1000);
}

void system_metrics(struct request *rq, struct reply *rp)
{
    const struct handlers_app *app = app_of(rq);
    struct buf *out = reply_body(rp);

    metrics_info(out, app->version);
    put_http(rq, out);
    put_tasks(rq, out);
    put_index(rq, out);
    app->metrics(app->arg, out);
    reply_type(rp, "text/plain; version=0.0.4; charset=utf-8");
    reply_header(rp, "Cache-Control", "no-store");
    reply_page(rq, rp);
}

void system_openapi_yaml(struct request *rq, struct reply *rp)
{
    (void)rq;
    reply_static(rp, "application/yaml", openapi_yaml, openapi_yaml_len);
}

void system_openapi_json(struct request *rq, struct reply *rp)
{
    (void)rq;
    reply_static(rp, "application/json", openapi_json, openapi_json_len);
}
