/* Every handler, by the resource whose file holds it. */
#ifndef VIDBATCH_HANDLERS_ROUTES_H
#define VIDBATCH_HANDLERS_ROUTES_H

#include "server/http/http.h"

handler_fn prefixes_check, prefixes_create, prefixes_list, prefixes_get, prefixes_update, prefixes_delete,
    prefixes_scan;
handler_fn uploads_create;
handler_fn videos_list, videos_get, videos_content;
handler_fn plans_create, plans_list, plans_get, plans_delete, plans_videos;
handler_fn jobs_create, jobs_list, jobs_get, jobs_cancel, jobs_retry, jobs_reingest;
handler_fn shards_list, records_list, failures_list, unread_lines_list;
handler_fn summaries_of_job, summaries_search, summaries_get, report_get;
handler_fn imports_create;
handler_fn models_list;
handler_fn keys_create, keys_list, keys_get, keys_delete, keys_rotate, audit_list;
handler_fn tasks_list, tasks_get, tasks_requeue;
handler_fn system_livez, system_readyz, system_metrics, system_openapi_yaml, system_openapi_json;

#endif
