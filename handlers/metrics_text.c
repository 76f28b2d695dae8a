#include "handlers/metrics_text.h"

#include <inttypes.h>

static void head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_fmt(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void metrics_gauge(struct buf *out, const char *name, const char *help, int64_t value)
{
    head(out, name, "gauge", help);
    buf_fmt(out, "%s %" PRId64 "\n", name, value);
}

void metrics_info(struct buf *out, const char *version)
{
    head(out, "vidbatch_info", "gauge", "The version that runs.");
    buf_fmt(out, "vidbatch_info{version=\"%s\"} 1\n", version);
}

void metrics_http(struct buf *out, const struct http_counts *http)
{
    static const char *const refusals[HTTP_REFUSALS] = { "connections", "address", "queue",   "queue_wait",
                                                         "rate",        "denied",  "streams", "memory" };
    static const char *const cuts[HTTP_CUTS] = { "head", "idle", "body", "send" };

    head(out, "vidbatch_http_requests_total", "counter", "Requests by class of status.");
    for (int i = 1; i < 6; i++)
        buf_fmt(out, "vidbatch_http_requests_total{status=\"%dxx\"} %" PRIu64 "\n", i, http->by_status[i]);
    head(out, "vidbatch_http_refused_total", "counter", "Connections and requests that a limit turned away.");
    for (int i = 0; i < HTTP_REFUSALS; i++)
        buf_fmt(out, "vidbatch_http_refused_total{limit=\"%s\"} %" PRIu64 "\n", refusals[i], http->refused[i]);
    head(out, "vidbatch_http_cut_total", "counter", "Connections ended because their client missed a deadline.");
    for (int i = 0; i < HTTP_CUTS; i++)
        buf_fmt(out, "vidbatch_http_cut_total{deadline=\"%s\"} %" PRIu64 "\n", cuts[i], http->cuts[i]);
    metrics_gauge(out, "vidbatch_http_in_flight", "Requests being answered.", (int64_t)http->in_flight);
    metrics_gauge(out, "vidbatch_http_queued", "Requests waiting for a handler thread.", (int64_t)http->queued);
    metrics_gauge(out, "vidbatch_http_connections", "Open connections.", (int64_t)http->connections);
    if (http->tls_expires_at_s > 0)
        metrics_gauge(out, "vidbatch_tls_certificate_expires_at_seconds", "When the certificate runs out, since 1970.",
                      http->tls_expires_at_s);
    metrics_gauge(out, "vidbatch_http_streams", "Long answers being sent.", (int64_t)http->streams);
}

void metrics_latency(struct buf *out, const double *bounds_s, const uint64_t *counts, int buckets, uint64_t total,
                     double sum_s)
{
    const char *name = "vidbatch_http_request_duration_seconds";

    head(out, name, "histogram", "Time from a request's first byte to the end of its answer.");
    for (int i = 0; i < buckets; i++)
        buf_fmt(out, "%s_bucket{le=\"%.9g\"} %" PRIu64 "\n", name, bounds_s[i], counts[i]);
    buf_fmt(out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum %.9g\n%s_count %" PRIu64 "\n", name, total, name, sum_s,
            name, total);
}

void metrics_tasks(struct buf *out, const struct task_count *tasks, int count)
{
    head(out, "vidbatch_tasks", "gauge", "Tasks in the queue.");
    for (int i = 0; i < count; i++)
        buf_fmt(out, "vidbatch_tasks{kind=\"%s\",state=\"%s\"} %" PRId64 "\n", tasks[i].kind, tasks[i].state,
                tasks[i].count);
    head(out, "vidbatch_task_oldest_seconds", "gauge", "Age of the oldest task.");
    for (int i = 0; i < count; i++)
        buf_fmt(out, "vidbatch_task_oldest_seconds{kind=\"%s\",state=\"%s\"} %.3f\n", tasks[i].kind, tasks[i].state,
                (double)tasks[i].oldest_ms / 1000);
}
