/* Settings: the environment, read once through one table. Nothing else in the program reads the environment. */
#ifndef VIDBATCH_SERVER_CONFIG_H
#define VIDBATCH_SERVER_CONFIG_H

#include "aws/client.h"
#include "server/base/buf.h"
#include "server/base/err.h"
#include "server/http/http.h"
#include "server/work/models.h"

#include <stdbool.h>
#include <stdint.h>

struct config { /* texts are owned; "" where unset */
    char *database_url, *listen, *port_file, *bootstrap_key;
    char *role_arn, *model_id, *staging_uri, *output_uri, *bucket_owner, *output_kms_key, *events_queue_url;
    char *models_file;
    char *log_format, *log_level;
    int64_t workers, handler_threads, io_threads;
    int64_t max_connections, max_connections_per_address, max_running_per_client, max_queue, queue_timeout_ms,
        max_streams, max_held_bytes, max_header_bytes, max_body_bytes, head_timeout_ms, idle_timeout_ms,
        body_timeout_ms, send_timeout_ms, send_rate, rate_limit, rate_burst, denied_limit, drain_delay_ms;
    char *trusted_proxies, *cors_origins, *tls_cert, *tls_key;
    int64_t lease_ms, heartbeat_ms, watch_min_ms, watch_max_ms, poll_ms, retry_base_ms, retry_cap_ms, max_failures,
        lookup_grace_ms;
    int64_t min_records, shard_records, shard_bytes, concurrent_jobs,
        max_video_bytes; /* 0: as the table of models says */
    int64_t list_concurrency, copy_concurrency, invoke_concurrency, invoke_timeout_ms, preflight_concurrency,
        job_timeout_hours;
    int64_t presign_expires_ms, query_timeout_ms, lock_timeout_ms, step_query_timeout_ms;
    int64_t plan_expires_ms, wait_rescan_ms;
    char *monthly_budget;
    int64_t monthly_budget_micros; /* from monthly_budget; 0: none */
    bool keep_staging, migrate_on_start, allow_open;
    char *aws_region, *aws_default_region, *aws_access_key_id, *aws_secret_access_key, *aws_session_token, *aws_profile;
    char *aws_config_file, *aws_credentials_file, *aws_endpoint_url;
    char *aws_endpoint_urls[AWS_SERVICES];
    char *aws_request_checksum, *aws_response_checksum;
    char *aws_retry_mode, *aws_use_fips, *aws_use_dualstack, *aws_ignore_endpoint_urls;
    char *aws_expiration, *aws_role_arn, *aws_web_identity_token_file, *aws_role_session_name;
    char *aws_container_relative_uri, *aws_container_full_uri, *aws_container_token, *aws_container_token_file;
    char *aws_metadata_endpoint, *aws_metadata_mode, *aws_sso_endpoint_url;
    bool aws_metadata_off;
    char *aws_sso_cache;    /* from home */
    char region_origin[96]; /* where aws_region came from, for people; "" while it is not known */
    char *aws_ca_bundle, *s3_addressing;
    int64_t aws_max_attempts;
    char *home;
    char host[256]; /* from listen */
    int port;
};

/* Looks a variable up: getenv in the program, a table in tests. */
typedef const char *config_lookup_fn(const char *name);

/* Reads and judges every setting. All that is wrong is listed in `problems`, a line each: name, value (never a
 * secret's), rule. False if there is any. Gives the texts of *config: config_done. */
MUST_CHECK bool config_read(struct config *config, config_lookup_fn *lookup, struct buf *problems);
/* For what works with the database: one must be named, or the rule goes into problems as config_read would write it. */
MUST_CHECK bool config_require_database(const struct config *config, struct buf *problems);
/* The rules over several settings, for config_read: adds what is wrong to problems (config_judge.c). */
void config_judge(struct config *config, struct buf *problems);
/* Those of HTTP (config_http.c). */
void config_judge_http(const struct config *config, struct buf *problems);
void config_done(struct config *config);
/* Where the environment names no Region: takes the profile's, or the EC2 instance's, into aws_region, and says in
 * region_origin which it was. ERR_INPUT with the setting's name. After curl_global_init; blocks up to a few seconds
 * (config_aws.c). */
MUST_CHECK bool config_find_region(struct config *config, struct err *err);
/* What the AWS client takes of the settings; borrows their texts. is_stopping is left to the caller. */
struct aws_options config_aws_options(const struct config *config);
/* The settings over the table of models; borrows the Region. */
struct model_settings config_model_settings(const struct config *config);
/* The settings that limit what HTTP clients may take. */
struct http_limits config_http_limits(const struct config *config);
/* Is VIDBATCH_LISTEN an address that only this machine reaches? */
bool config_is_loopback(const struct config *config);
/* What a job needs and is not set: "VIDBATCH_ROLE_ARN, VIDBATCH_STAGING_URI", "" when all is there. */
void config_missing_for_jobs(const struct config *config, struct buf *out);
/* The table for people: --help (text) and the README (Markdown). */
void config_describe(struct buf *out, bool markdown);
/* Every setting with its value, secrets hidden, for --check. */
void config_show(const struct config *config, struct buf *out);

#endif
