/* The worker pool: threads that take tasks from the queue in PostgreSQL and carry jobs through their life. Any number
 * of replicas may run on one database. */
#ifndef VIDBATCH_WORK_WORK_H
#define VIDBATCH_WORK_WORK_H

#include "aws/client.h"
#include "server/base/buf.h"
#include "server/base/err.h"
#include "server/work/models.h"
#include "sql/db.h"

#include <stdbool.h>
#include <stdint.h>

struct work_settings { /* texts are kept by the caller for the pool's life */
    int workers;
    int64_t lease_ms, heartbeat_ms;
    int64_t watch_min_ms, watch_max_ms;
    int64_t poll_ms; /* longest sleep without a look at the queue: what a lost notification costs */
    int64_t retry_base_ms, retry_cap_ms;
    int64_t lookup_grace_ms;      /* how long a Bedrock job that was asked for may stay invisible in the list */
    const char *events_queue_url; /* SQS queue of EventBridge's hints (hints.h); "" = none */
    int max_failures;             /* in a row, of one task: then its subject fails with the last error */
    int64_t max_video_bytes;      /* that any model takes */
    const struct models *models;
    const char *region;   /* in which Bedrock and the buckets are */
    int list_concurrency; /* pages of one prefix at a time */
    int copy_concurrency;
    int invoke_concurrency;    /* InvokeModel calls of one shard at a time */
    int64_t invoke_timeout_ms; /* of one */
    int preflight_concurrency; /* videos looked into at a time */
    int job_timeout_hours;
    bool keep_staging;
    int64_t plan_expires_ms;                         /* after so long nobody can launch a plan any more */
    int64_t wait_rescan_ms;                          /* a job that waits for videos has its prefix scanned so often */
    int64_t monthly_budget_micros;                   /* of a calendar month (UTC); 0: none */
    const char *role_arn, *staging_uri, *output_uri; /* URIs without trailing slash */
    const char *bucket_owner;                        /* of staging and output; "" */
    const char *output_kms_key;                      /* "" */
};

struct work_pool;
/* Keeps settings and aws. Opens up to two database connections a worker, and one more, as they are needed. Gives:
 * work_pool_stop. */
MUST_CHECK bool work_pool_start(const struct work_settings *settings, struct aws *aws,
                                const struct db_options *database, struct work_pool **out, struct err *err);
/* Asks all to stop: steps end at their next safe point and give their leases back. First call of a shutdown, returns at
 * once. */
void work_pool_ask_stop(struct work_pool *pool);
/* Joins the threads and frees; false: a step that does not end within grace_ms is left to its lease (the process is
 * about to exit). */
MUST_CHECK bool work_pool_stop(struct work_pool *pool, int64_t grace_ms);
/* Whether the database takes what this process writes, by its last claim of a task. False: err says why not. Any
 * thread.
 */
bool work_pool_can_write(struct work_pool *pool, struct err *err);
/* Prometheus text of what this process did: steps by kind and result, leases lost. Any thread. */
void work_pool_metrics(struct work_pool *pool, struct buf *out);

#endif
