/* Prometheus text format (version 0.0.4) of what the HTTP side and the queue count. Pure. */
#ifndef VIDBATCH_HANDLERS_METRICS_TEXT_H
#define VIDBATCH_HANDLERS_METRICS_TEXT_H

#include "server/base/buf.h"
#include "server/http/http.h"
#include "sql/task_store.h"

#include <stdint.h>

/* A metric of one value. help: one line. */
void metrics_gauge(struct buf *out, const char *name, const char *help, int64_t value);
void metrics_info(struct buf *out, const char *version);
void metrics_http(struct buf *out, const struct http_counts *http);
/* counts are cumulative. */
void metrics_latency(struct buf *out, const double *bounds_s, const uint64_t *counts, int buckets, uint64_t total,
                     double sum_s);
void metrics_tasks(struct buf *out, const struct task_count *tasks, int count);

#endif
