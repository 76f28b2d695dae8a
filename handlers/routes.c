#include "handlers/routes.h"

#include "handlers/app.h"

enum { KIB = 1024, MIB = 1024 * 1024 };

/* A test compares this table with openapi.yaml, both ways. */
static const struct route routes[] = {
    { "POST", "/v1/prefixes", ACCESS_RUN, 16 * KIB, prefixes_create, false },
    { "GET", "/v1/prefixes", ACCESS_READ, 0, prefixes_list, false },
    { "GET", "/v1/prefixes/{id}", ACCESS_READ, 0, prefixes_get, false },
    { "PATCH", "/v1/prefixes/{id}", ACCESS_RUN, 16 * KIB, prefixes_update, false },
    { "DELETE", "/v1/prefixes/{id}", ACCESS_RUN, 0, prefixes_delete, false },
    { "POST", "/v1/prefixes/{id}/scan", ACCESS_RUN, 0, prefixes_scan, false },
    { "POST", "/v1/prefixes/{id}/check", ACCESS_RUN, 0, prefixes_check, false },
    { "GET", "/v1/prefixes/{id}/videos", ACCESS_READ, 0, videos_list, false },
    { "POST", "/v1/prefixes/{id}/uploads", ACCESS_RUN, 2 * MIB, uploads_create, false },
    { "GET", "/v1/videos/{id}", ACCESS_READ, 0, videos_get, false },
    { "GET", "/v1/videos/{id}/content", ACCESS_READ, 0, videos_content, false },
    { "POST", "/v1/plans", ACCESS_RUN, 1 * MIB, plans_create, false },
    { "GET", "/v1/plans", ACCESS_READ, 0, plans_list, false },
    { "GET", "/v1/plans/{id}", ACCESS_READ, 0, plans_get, false },
    { "DELETE", "/v1/plans/{id}", ACCESS_RUN, 0, plans_delete, false },
    { "GET", "/v1/plans/{id}/videos", ACCESS_READ, 0, plans_videos, false },
    { "POST", "/v1/jobs", ACCESS_RUN, 1 * MIB, jobs_create, false },
    { "GET", "/v1/jobs", ACCESS_READ, 0, jobs_list, false },
    { "GET", "/v1/jobs/{id}", ACCESS_READ, 0, jobs_get, false },
    { "POST", "/v1/jobs/{id}/cancel", ACCESS_RUN, 0, jobs_cancel, false },
    { "POST", "/v1/jobs/{id}/retry", ACCESS_RUN, 32 * KIB, jobs_retry, false },
    { "POST", "/v1/jobs/{id}/reingest", ACCESS_RUN, 0, jobs_reingest, false },
    { "GET", "/v1/jobs/{id}/shards", ACCESS_READ, 0, shards_list, false },
    { "GET", "/v1/jobs/{id}/records", ACCESS_READ, 0, records_list, false },
    { "GET", "/v1/jobs/{id}/failures", ACCESS_READ, 0, failures_list, false },
    { "GET", "/v1/jobs/{id}/unread-lines", ACCESS_READ, 0, unread_lines_list, false },
    { "GET", "/v1/jobs/{id}/summaries", ACCESS_READ, 0, summaries_of_job, false },
    { "GET", "/v1/jobs/{id}/report", ACCESS_READ, 0, report_get, false },
    { "POST", "/v1/imports", ACCESS_RUN, 16 * KIB, imports_create, false },
    { "GET", "/v1/summaries", ACCESS_READ, 0, summaries_search, false },
    { "GET", "/v1/summaries/{id}", ACCESS_READ, 0, summaries_get, false },
    { "GET", "/v1/models", ACCESS_READ, 0, models_list, false },
    { "POST", "/v1/keys", ACCESS_ADMIN, 256 * KIB, keys_create, false },
    { "GET", "/v1/keys", ACCESS_ADMIN, 0, keys_list, false },
    { "GET", "/v1/keys/{id}", ACCESS_ADMIN, 0, keys_get, false },
    { "DELETE", "/v1/keys/{id}", ACCESS_ADMIN, 0, keys_delete, false },
    { "POST", "/v1/keys/{id}/rotate", ACCESS_ADMIN, 1 * KIB, keys_rotate, false },
    { "GET", "/v1/audit", ACCESS_ADMIN, 0, audit_list, false },
    { "GET", "/v1/tasks", ACCESS_ADMIN, 0, tasks_list, false },
    { "GET", "/v1/tasks/{id}", ACCESS_ADMIN, 0, tasks_get, false },
    { "POST", "/v1/tasks/{id}/requeue", ACCESS_ADMIN, 0, tasks_requeue, false },
    { "GET", "/livez", ACCESS_PUBLIC, 0, system_livez, true },
    { "GET", "/readyz", ACCESS_PUBLIC, 0, system_readyz, false },
    { "GET", "/metrics", ACCESS_READ, 0, system_metrics, false },
    { "GET", "/openapi.yaml", ACCESS_PUBLIC, 0, system_openapi_yaml, true },
    { "GET", "/openapi.json", ACCESS_PUBLIC, 0, system_openapi_json, true },
};

const struct route *handlers_routes(size_t *count)
{
    *count = sizeof routes / sizeof routes[0];
    return routes;
}
