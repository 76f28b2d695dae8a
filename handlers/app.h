/* What the application gives to handlers: settings, shared services, and per handler thread a context with its database
 * connection. */
#ifndef VIDBATCH_HANDLERS_APP_H
#define VIDBATCH_HANDLERS_APP_H

#include "server/http/http.h"
#include "server/work/doctor.h"
#include "server/work/links.h"
#include "server/work/models.h"
#include "sql/db.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct keyring;

struct handlers_app { /* rq_app(); everything kept alive by the application */
    const char *version;
    const char *region;
    const char *default_model_id;
    const char *missing_settings; /* "VIDBATCH_ROLE_ARN, VIDBATCH_STAGING_URI": what a job needs and is not set; "" when
                                     all is there */
    const char *staging_uri, *output_uri; /* s3://bucket/path without trailing slash; "" where not set */
    int64_t max_video_bytes;              /* that any model takes */
    struct links *links;
    struct doctor *doctor;
    struct keyring *keyring;
    const struct models *models;
    int64_t plan_expires_ms;
    int64_t monthly_budget_micros;                /* 0: none */
    bool (*is_ready)(void *arg, struct err *err); /* for /readyz: false while it starts, stops, or can store nothing */
    /* Appends the worker pool's and the AWS client's metrics in Prometheus text form. */
    void (*metrics)(void *arg, struct buf *out);
    atomic_llong pinged_ms; /* monotonic time at which /readyz last had an answer of the database; 0: never */
    void *arg;
};

struct handler_context { /* rq_context() */
    struct db *db;
};

static inline struct handlers_app *app_of(struct request *rq)
{
    return rq_app(rq);
}
static inline struct db *db_of(struct request *rq)
{
    return ((struct handler_context *)rq_context(rq))->db;
}

/* http_options.admit: is what the request names within what the key may see? (handlers/guard.c) */
MUST_CHECK bool guard_admit(struct request *rq, struct reply *rp);

/* The route table (handlers/routes.c). */
const struct route *handlers_routes(size_t *count);

#endif
