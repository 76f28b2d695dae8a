#include "server/config.h"

#include "server/base/mem.h"
#include "server/base/span.h"
#include "server/base/text.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum kind { TEXT, SECRET, BOOL, INTEGER, DURATION, SIZE, WORD };

struct setting {
    const char *name;
    enum kind kind;
    size_t offset;
    const char *fallback; /* NULL: "" */
    int64_t least, most;  /* numbers, in the unit of the field */
    const char *words;    /* WORD: "text|json"; may be unset where there is no fallback */
    const char *help;
};

#define AT(field) offsetof(struct config, field)
#define DAY_MS (24 * 3600 * 1000LL)

static const struct setting settings[] = {
    { "VIDBATCH_DATABASE_URL", SECRET, AT(database_url), NULL, 0, 0, NULL,
      "PostgreSQL connection URI, postgresql://user:password@host/database (required)" },
    { "VIDBATCH_LISTEN", TEXT, AT(listen), "127.0.0.1:8080", 0, 0, NULL,
      "address:port to serve HTTP on; port 0 takes a free one; anything but loopback needs an API key or "
      "VIDBATCH_ALLOW_OPEN" },
    { "VIDBATCH_ALLOW_OPEN", BOOL, AT(allow_open), "false", 0, 0, NULL,
      "serve beyond loopback although there is no API key yet and nobody is asked: only behind something that asks" },
    { "VIDBATCH_BOOTSTRAP_KEY", SECRET, AT(bootstrap_key), NULL, 0, 0, NULL,
      "an API key, made by vidbatchd key generate, that is stored as an admin's at start (docs/keys.md)" },
    { "VIDBATCH_PORT_FILE", TEXT, AT(port_file), NULL, 0, 0, NULL,
      "file that gets the port number once the service listens" },
    { "VIDBATCH_ROLE_ARN", TEXT, AT(role_arn), NULL, 0, 0, NULL,
      "service role that Bedrock assumes to read and write S3 (needed for jobs)" },
    { "VIDBATCH_STAGING_URI", TEXT, AT(staging_uri), NULL, 0, 0, NULL,
      "s3://bucket/path that gets each job's copies and JSONL (needed for jobs)" },
    { "VIDBATCH_OUTPUT_URI", TEXT, AT(output_uri), NULL, 0, 0, NULL,
      "s3://bucket/path that Bedrock writes its output to (needed for jobs)" },
    { "VIDBATCH_MODEL_ID", TEXT, AT(model_id), "amazon.nova-lite-v1:0", 0, 0, NULL,
      "model, inference profile or ARN of jobs that name none" },
    { "VIDBATCH_BUCKET_OWNER", TEXT, AT(bucket_owner), NULL, 0, 0, NULL,
      "account (12 digits) that owns the staging and output buckets, where it is another" },
    { "VIDBATCH_OUTPUT_KMS_KEY", TEXT, AT(output_kms_key), NULL, 0, 0, NULL, "KMS key for Bedrock's output" },
    { "VIDBATCH_KEEP_STAGING", BOOL, AT(keep_staging), "false", 0, 0, NULL,
      "leave a job's staging folder after it has ended" },
    { "VIDBATCH_MODELS_FILE", TEXT, AT(models_file), NULL, 0, 0, NULL,
      "JSON file of models, quotas and prices that goes over the built-in table (docs/models.md)" },
    { "VIDBATCH_MIN_RECORDS", INTEGER, AT(min_records), NULL, 1, 1000000, NULL,
      "fewest records of a Bedrock batch job, for all models; unset: as the table of models says" },
    { "VIDBATCH_SHARD_RECORDS", INTEGER, AT(shard_records), NULL, 1, 1000000, NULL,
      "most records of one Bedrock job, for all models; at least twice the fewest less one; unset: as the table says" },
    { "VIDBATCH_SHARD_BYTES", SIZE, AT(shard_bytes), NULL, 1, INT64_MAX, NULL,
      "most bytes of JSONL and videos of one Bedrock job, for all models; unset: nine tenths of the table's job size" },
    { "VIDBATCH_CONCURRENT_JOBS", INTEGER, AT(concurrent_jobs), NULL, 1, 10000, NULL,
      "Bedrock jobs of a model at a time, more wait; unset: as the table says" },
    { "VIDBATCH_MAX_VIDEO_BYTES", SIZE, AT(max_video_bytes), NULL, 1, INT64_MAX, NULL,
      "largest video that a model takes from S3; unset: as the table says" },
    { "VIDBATCH_JOB_TIMEOUT_HOURS", INTEGER, AT(job_timeout_hours), "72", 24, 168, NULL,
      "time limit of a Bedrock job" },
    { "VIDBATCH_PLAN_EXPIRES", DURATION, AT(plan_expires_ms), "24h", 1000, 365 * DAY_MS, NULL,
      "how long a plan can be launched" },
    { "VIDBATCH_WAIT_RESCAN", DURATION, AT(wait_rescan_ms), "15m", 100, 30 * DAY_MS, NULL,
      "pause between scans of a prefix for a job that waits for more videos" },
    { "VIDBATCH_MONTHLY_BUDGET", TEXT, AT(monthly_budget), NULL, 0, 0, NULL,
      "most that the jobs begun in a calendar month (UTC) may cost by their high estimates, such as 250.00; unset: "
      "no "
      "limit" },
    { "VIDBATCH_LIST_CONCURRENCY", INTEGER, AT(list_concurrency), "32", 1, 128, NULL,
      "pages of one prefix that are listed at a time; each takes about half a MiB" },
    { "VIDBATCH_COPY_CONCURRENCY", INTEGER, AT(copy_concurrency), "32", 1, 256, NULL,
      "server-side copies at a time while staging" },
    { "VIDBATCH_PREFLIGHT_CONCURRENCY", INTEGER, AT(preflight_concurrency), "32", 1, 256, NULL,
      "videos that a plan looks into at a time" },
    { "VIDBATCH_INVOKE_CONCURRENCY", INTEGER, AT(invoke_concurrency), "8", 1, 256, NULL,
      "InvokeModel calls at a time of a job on demand" },
    { "VIDBATCH_INVOKE_TIMEOUT", DURATION, AT(invoke_timeout_ms), "60m", 1000, DAY_MS, NULL,
      "longest InvokeModel call; AWS itself ends one to Nova after 60 minutes" },
    { "VIDBATCH_WATCH_INTERVAL", DURATION, AT(watch_min_ms), "10s", 50, DAY_MS, NULL,
      "pause between looks at Bedrock's jobs while they move" },
    { "VIDBATCH_WATCH_INTERVAL_MAX", DURATION, AT(watch_max_ms), "60s", 50, DAY_MS, NULL, "and while nothing moves" },
    { "VIDBATCH_EVENTS_QUEUE_URL", TEXT, AT(events_queue_url), NULL, 0, 0, NULL,
      "SQS queue that gets EventBridge's \"Batch Inference Job State Change\": what changed is looked at at once" },
    { "VIDBATCH_WORKERS", INTEGER, AT(workers), "4", 1, 64, NULL,
      "worker threads; each holds up to two database connections" },
    { "VIDBATCH_HANDLER_THREADS", INTEGER, AT(handler_threads), "0", 0, 128, NULL,
      "threads that answer requests, each with one database connection; 0: two for each processor, at least 4" },
    { "VIDBATCH_IO_THREADS", INTEGER, AT(io_threads), "2", 1, 32, NULL, "threads that move bytes between sockets" },
    { "VIDBATCH_MAX_CONNECTIONS", INTEGER, AT(max_connections), "1024", 8, 60000, NULL,
      "HTTP connections at a time; more are closed as they come" },
    { "VIDBATCH_MAX_CONNECTIONS_PER_ADDRESS", INTEGER, AT(max_connections_per_address), "384", 1, 60000, NULL,
      "of them from one address (an IPv6 address counts with its /64); trusted proxies have no such limit" },
    { "VIDBATCH_TLS_CERT", TEXT, AT(tls_cert), NULL, 0, 0, NULL,
      "PEM file with the certificate, and those that lead to its authority: serve HTTPS only; SIGHUP reads it again" },
    { "VIDBATCH_TLS_KEY", TEXT, AT(tls_key), NULL, 0, 0, NULL, "PEM file with its private key, without passphrase" },
    { "VIDBATCH_CORS_ORIGINS", TEXT, AT(cors_origins), NULL, 0, 0, NULL,
      "origins whose web pages may use the service, such as https://app.example; unset: none" },
    { "VIDBATCH_TRUSTED_PROXIES", TEXT, AT(trusted_proxies), NULL, 0, 0, NULL,
      "addresses and networks, such as 10.0.0.0/8, whose X-Forwarded-For and X-Forwarded-Proto are believed" },
    { "VIDBATCH_HEAD_TIMEOUT", DURATION, AT(head_timeout_ms), "10s", 100, DAY_MS, NULL,
      "from a connection's start to the end of its first request's headers" },
    { "VIDBATCH_IDLE_TIMEOUT", DURATION, AT(idle_timeout_ms), "30s", 100, DAY_MS, NULL,
      "from an answer to the end of the next request's headers" },
    { "VIDBATCH_BODY_TIMEOUT", DURATION, AT(body_timeout_ms), "30s", 100, DAY_MS, NULL,
      "from the end of the headers to the end of the body" },
    { "VIDBATCH_SEND_TIMEOUT", DURATION, AT(send_timeout_ms), "60s", 100, DAY_MS, NULL,
      "a client that in so long takes less of an answer than VIDBATCH_SEND_RATE is cut" },
    { "VIDBATCH_SEND_RATE", SIZE, AT(send_rate), "1KiB", 1, 1024 * 1024 * 1024, NULL,
      "bytes a second that a client must take, while any wait for it" },
    { "VIDBATCH_MAX_HEADER_BYTES", SIZE, AT(max_header_bytes), "16KiB", 1024, 1024 * 1024, NULL,
      "longest request line and headers together" },
    { "VIDBATCH_MAX_BODY_BYTES", SIZE, AT(max_body_bytes), "2MiB", 1024, 1024 * 1024 * 1024, NULL,
      "largest request body; most routes take less" },
    { "VIDBATCH_MAX_HELD_BYTES", SIZE, AT(max_held_bytes), "64MiB", 1024 * 1024, 1024LL * 1024 * 1024 * 1024, NULL,
      "memory for bodies that come and large answers that go, a quarter of it for one client; more are answered 503" },
    { "VIDBATCH_MAX_RUNNING_PER_CLIENT", INTEGER, AT(max_running_per_client), "0", 0, 128, NULL,
      "requests that are handled at a time for one key, or one address for those without; its others wait, and nobody "
      "with them; 0: three quarters of the handler threads" },
    { "VIDBATCH_MAX_QUEUE", INTEGER, AT(max_queue), "1024", 2, 100000, NULL,
      "requests that wait for a handler thread, half of it for one client; more are answered 503" },
    { "VIDBATCH_QUEUE_TIMEOUT", DURATION, AT(queue_timeout_ms), "10s", 100, DAY_MS, NULL,
      "how long one waits before it is answered 503" },
    { "VIDBATCH_MAX_STREAMS", INTEGER, AT(max_streams), "128", 1, 60000, NULL,
      "long answers at a time for one key, or one address where nobody is asked; more are answered 429" },
    { "VIDBATCH_RATE_LIMIT", INTEGER, AT(rate_limit), NULL, 1, 1000000, NULL,
      "requests a second of one key, or one address where nobody is asked; more are answered 429; unset: no limit" },
    { "VIDBATCH_RATE_BURST", INTEGER, AT(rate_burst), NULL, 1, 10000000, NULL,
      "requests that may come at once; unset: five times the rate" },
    { "VIDBATCH_DENIED_LIMIT", INTEGER, AT(denied_limit), "100", 0, 1000000, NULL,
      "answers 401 a second, and ten times that at once, after which an address gets 429; 0: no limit" },
    { "VIDBATCH_DRAIN_DELAY", DURATION, AT(drain_delay_ms), "0s", 0, 600000, NULL,
      "on SIGTERM, how long the service still serves with /readyz at 503, for a load balancer to notice" },
    { "VIDBATCH_QUERY_TIMEOUT", DURATION, AT(query_timeout_ms), "30s", 100, DAY_MS, NULL,
      "longest database query of a request" },
    { "VIDBATCH_LOCK_TIMEOUT", DURATION, AT(lock_timeout_ms), "2s", 10, DAY_MS, NULL,
      "longest wait of a request for rows that another transaction holds" },
    { "VIDBATCH_STEP_QUERY_TIMEOUT", DURATION, AT(step_query_timeout_ms), "30m", 1000, DAY_MS, NULL,
      "longest that a step of the work waits for the database to say anything" },
    { "VIDBATCH_PRESIGN_EXPIRES", DURATION, AT(presign_expires_ms), "15m", 1000, 7 * DAY_MS, NULL,
      "life of links to videos and of upload links" },
    { "VIDBATCH_LEASE", DURATION, AT(lease_ms), "60s", 500, DAY_MS, NULL,
      "after so long without a heartbeat a task is free for another worker" },
    { "VIDBATCH_HEARTBEAT", DURATION, AT(heartbeat_ms), "15s", 100, DAY_MS, NULL,
      "pause between heartbeats; at most a third of the lease" },
    { "VIDBATCH_POLL", DURATION, AT(poll_ms), "5s", 50, DAY_MS, NULL,
      "longest time that a lost notification can cost" },
    { "VIDBATCH_LOOKUP_GRACE", DURATION, AT(lookup_grace_ms), "2m", 1000, DAY_MS, NULL,
      "how long a Bedrock job may stay invisible to lookups before it counts as not there" },
    { "VIDBATCH_RETRY_BASE", DURATION, AT(retry_base_ms), "1s", 1, DAY_MS, NULL,
      "first pause before a failed step is tried again; doubles" },
    { "VIDBATCH_RETRY_CAP", DURATION, AT(retry_cap_ms), "5m", 1, DAY_MS, NULL, "longest such pause" },
    { "VIDBATCH_MAX_FAILURES", INTEGER, AT(max_failures), "20", 1, 100000, NULL,
      "failures in a row before a step is given up" },
    { "VIDBATCH_MIGRATE_ON_START", BOOL, AT(migrate_on_start), "true", 0, 0, NULL,
      "bring the database to this version's schema at start" },
    { "VIDBATCH_LOG", WORD, AT(log_format), "text", 0, 0, "text|json", "form of the log on standard error" },
    { "VIDBATCH_LOG_LEVEL", WORD, AT(log_level), "info", 0, 0, "debug|info|warn|error", "least level that is logged" },
    { "VIDBATCH_S3_ADDRESSING", WORD, AT(s3_addressing), "auto", 0, 0, "auto|path|virtual",
      "how buckets are addressed; auto: by path with a custom endpoint" },
    { "AWS_REGION", TEXT, AT(aws_region), NULL, 0, 0, NULL,
      "Region of Bedrock and the buckets; unset: AWS_DEFAULT_REGION, else the profile's, else the EC2 instance's" },
    { "AWS_DEFAULT_REGION", TEXT, AT(aws_default_region), NULL, 0, 0, NULL, "used where AWS_REGION is not set" },
    { "AWS_ACCESS_KEY_ID", SECRET, AT(aws_access_key_id), NULL, 0, 0, NULL, "credentials of the service itself" },
    { "AWS_SECRET_ACCESS_KEY", SECRET, AT(aws_secret_access_key), NULL, 0, 0, NULL, "" },
    { "AWS_SESSION_TOKEN", SECRET, AT(aws_session_token), NULL, 0, 0, NULL, "" },
    { "AWS_CREDENTIAL_EXPIRATION", TEXT, AT(aws_expiration), NULL, 0, 0, NULL,
      "when these run out, such as 2026-11-01T12:00:00Z" },
    { "AWS_WEB_IDENTITY_TOKEN_FILE", TEXT, AT(aws_web_identity_token_file), NULL, 0, 0, NULL,
      "file with the token that the role AWS_ROLE_ARN is assumed with (EKS sets it); read again at each refresh" },
    { "AWS_ROLE_ARN", TEXT, AT(aws_role_arn), NULL, 0, 0, NULL, "role that the service takes on with that token" },
    { "AWS_ROLE_SESSION_NAME", TEXT, AT(aws_role_session_name), NULL, 0, 0, NULL,
      "name of that session; unset: vidbatch- and the machine's name" },
    { "AWS_PROFILE", TEXT, AT(aws_profile), NULL, 0, 0, NULL, "profile of the shared files (default: default)" },
    { "AWS_CONFIG_FILE", TEXT, AT(aws_config_file), NULL, 0, 0, NULL, "shared config file (default ~/.aws/config)" },
    { "AWS_SHARED_CREDENTIALS_FILE", TEXT, AT(aws_credentials_file), NULL, 0, 0, NULL,
      "shared credentials file (default ~/.aws/credentials)" },
    { "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", TEXT, AT(aws_container_relative_uri), NULL, 0, 0, NULL,
      "path of the container's credentials on 169.254.170.2 (ECS sets it)" },
    { "AWS_CONTAINER_CREDENTIALS_FULL_URI", TEXT, AT(aws_container_full_uri), NULL, 0, 0, NULL,
      "URL of the container's credentials (EKS Pod Identity sets it); plain http only to this machine or AWS's "
      "agents" },
    { "AWS_CONTAINER_AUTHORIZATION_TOKEN", SECRET, AT(aws_container_token), NULL, 0, 0, NULL,
      "what is sent there as Authorization" },
    { "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", TEXT, AT(aws_container_token_file), NULL, 0, 0, NULL,
      "file that holds it, read again at each refresh; wins over the token itself" },
    { "AWS_EC2_METADATA_DISABLED", BOOL, AT(aws_metadata_off), "false", 0, 0, NULL,
      "never ask the metadata service of EC2" },
    { "AWS_EC2_METADATA_SERVICE_ENDPOINT", TEXT, AT(aws_metadata_endpoint), NULL, 0, 0, NULL,
      "another address of the metadata service" },
    { "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", WORD, AT(aws_metadata_mode), "ipv4", 0, 0, "ipv4|ipv6|IPv4|IPv6",
      "by which protocol it is asked" },
    { "AWS_ENDPOINT_URL", TEXT, AT(aws_endpoint_url), NULL, 0, 0, NULL, "another endpoint for all AWS services" },
    { "AWS_ENDPOINT_URL_S3", TEXT, AT(aws_endpoint_urls[AWS_S3]), NULL, 0, 0, NULL, "another endpoint for S3" },
    { "AWS_ENDPOINT_URL_BEDROCK", TEXT, AT(aws_endpoint_urls[AWS_BEDROCK]), NULL, 0, 0, NULL,
      "another endpoint for Bedrock" },
    { "AWS_ENDPOINT_URL_BEDROCK_RUNTIME", TEXT, AT(aws_endpoint_urls[AWS_BEDROCK_RUNTIME]), NULL, 0, 0, NULL,
      "another endpoint for Bedrock's runtime (jobs on demand)" },
    { "AWS_ENDPOINT_URL_STS", TEXT, AT(aws_endpoint_urls[AWS_STS]), NULL, 0, 0, NULL, "another endpoint for STS" },
    { "AWS_ENDPOINT_URL_IAM", TEXT, AT(aws_endpoint_urls[AWS_IAM]), NULL, 0, 0, NULL, "another endpoint for IAM" },
    { "AWS_ENDPOINT_URL_SQS", TEXT, AT(aws_endpoint_urls[AWS_SQS]), NULL, 0, 0, NULL, "another endpoint for SQS" },
    { "AWS_ENDPOINT_URL_SSO", TEXT, AT(aws_sso_endpoint_url), NULL, 0, 0, NULL,
      "another endpoint for SSO (IAM Identity Center)" },
    { "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", WORD, AT(aws_ignore_endpoint_urls), NULL, 0, 0, "true|false",
      "true: no other endpoints, whatever AWS_ENDPOINT_URL... and the profile say" },
    { "AWS_USE_FIPS_ENDPOINT", WORD, AT(aws_use_fips), NULL, 0, 0, "true|false",
      "FIPS endpoints; unset: as the profile says" },
    { "AWS_USE_DUALSTACK_ENDPOINT", WORD, AT(aws_use_dualstack), NULL, 0, 0, "true|false",
      "endpoints with IPv6; unset: as the profile says" },
    { "AWS_CA_BUNDLE", TEXT, AT(aws_ca_bundle), NULL, 0, 0, NULL, "file of certificates to trust beside the system's" },
    { "AWS_MAX_ATTEMPTS", INTEGER, AT(aws_max_attempts), NULL, 1, 100, NULL,
      "attempts of one AWS call, the first included; unset: as the profile says, else 5" },
    { "AWS_REQUEST_CHECKSUM_CALCULATION", WORD, AT(aws_request_checksum), NULL, 0, 0, "when_supported|when_required",
      "when_required: uploads carry a checksum only where S3 demands one, as many S3-compatible servers want it" },
    { "AWS_RESPONSE_CHECKSUM_VALIDATION", WORD, AT(aws_response_checksum), NULL, 0, 0, "when_supported|when_required",
      "when_required: downloads are not held against the checksum that S3 keeps" },
    { "AWS_RETRY_MODE", WORD, AT(aws_retry_mode), NULL, 0, 0, "standard|adaptive|legacy",
      "taken for the sake of other tools: retries always follow AWS's standard mode, and throttling always lowers what "
      "is "
      "sent at a time" },
    { "HOME", TEXT, AT(home), NULL, 0, 0, NULL, "where the shared files are looked for" },
};
enum { SETTINGS = sizeof settings / sizeof settings[0] };

static void *field(const struct config *config, const struct setting *s)
{
    return (char *)(uintptr_t)config + s->offset;
}

static void problem(struct buf *problems, const struct setting *s, const char *value, const char *rule)
{
    buf_fmt(problems, "%s=%s: %s\n", s->name, s->kind == SECRET ? "(hidden)" : value, rule);
}

static bool is_word(const char *words, const char *value)
{
    const size_t len = strlen(value);

    for (const char *at = words; len && (at = strstr(at, value)); at += len)
        if ((at == words || at[-1] == '|') && (at[len] == 0 || at[len] == '|'))
            return true;
    return false;
}

static void read_number(struct config *config, const struct setting *s, const char *value, struct buf *problems)
{
    int64_t n;
    char rule[160];
    const bool ok = s->kind == DURATION ? text_parse_duration_ms(span_of(value), &n)
                    : s->kind == SIZE   ? text_parse_size(span_of(value), &n)
                                        : text_parse_i64(span_of(value), &n);

    if (ok && n >= s->least && n <= s->most) {
        *(int64_t *)field(config, s) = n;
        return;
    }
    if (s->kind == DURATION)
        snprintf(rule, sizeof rule, "must be a duration such as 250ms, 30s, 5m or 1h, from %lldms to %lldms",
                 (long long)s->least, (long long)s->most);
    else if (s->kind == SIZE)
        snprintf(rule, sizeof rule, "must be a size such as 512MiB or 1GB");
    else
        snprintf(rule, sizeof rule, "must be a whole number from %lld to %lld", (long long)s->least,
                 (long long)s->most);
    problem(problems, s, value, rule);
}

static void read_bool(struct config *config, const struct setting *s, const char *value, struct buf *problems)
{
    if (strcmp(value, "true") == 0 || strcmp(value, "1") == 0)
        *(bool *)field(config, s) = true;
    else if (strcmp(value, "false") != 0 && strcmp(value, "0") != 0)
        problem(problems, s, value, "must be true or false");
}

static void read_setting(struct config *config, const struct setting *s, config_lookup_fn *lookup, struct buf *problems)
{
    const char *value = lookup(s->name);
    char rule[100];

    if (!value || !value[0])
        value = s->fallback ? s->fallback : "";
    if (s->kind == BOOL) {
        read_bool(config, s, value, problems);
        return;
    }
    if (s->kind == INTEGER || s->kind == DURATION || s->kind == SIZE) {
        if (!value[0])
            return; /* 0: unset */
        read_number(config, s, value, problems);
        return;
    }
    if (s->kind == WORD && (value[0] || s->fallback) && !is_word(s->words, value)) {
        snprintf(rule, sizeof rule, "must be one of %s", s->words);
        problem(problems, s, value, rule);
    }
    *(char **)field(config, s) = mem_text(value);
    if (!*(char **)field(config, s))
        problem(problems, s, "", "there is no memory");
}

/* ~/.aws/config, ~/.aws/credentials and ~/.aws/sso/cache where nothing else is said. */
static bool default_file(char **path, const char *home, const char *name)
{
    char full[4200];

    if ((*path)[0] || !home[0])
        return true;
    snprintf(full, sizeof full, "%s/.aws/%s", home, name);
    mem_free(*path);
    *path = mem_text(full);
    return *path != NULL;
}

bool config_read(struct config *config, config_lookup_fn *lookup, struct buf *problems)
{
    *config = (struct config){ 0 };
    for (size_t i = 0; i < SETTINGS; i++)
        read_setting(config, &settings[i], lookup, problems);
    if (problems->len)
        return false;
    config_judge(config, problems);
    config->aws_sso_cache = mem_text("");
    if (!config->aws_sso_cache || !default_file(&config->aws_config_file, config->home, "config") ||
        !default_file(&config->aws_credentials_file, config->home, "credentials") ||
        !default_file(&config->aws_sso_cache, config->home, "sso/cache"))
        buf_text(problems, "there is no memory\n");
    return problems->len == 0 && buf_ok(problems);
}

static bool is_text(const struct setting *s)
{
    return s->kind == TEXT || s->kind == SECRET || s->kind == WORD;
}

void config_done(struct config *config)
{
    for (size_t i = 0; i < SETTINGS; i++)
        if (is_text(&settings[i])) {
            mem_free(*(char **)field(config, &settings[i]));
            *(char **)field(config, &settings[i]) = NULL;
        }
    mem_free(config->aws_sso_cache);
    config->aws_sso_cache = NULL;
}

void config_missing_for_jobs(const struct config *config, struct buf *out)
{
    const struct {
        const char *name, *value;
    } needed[] = { { "VIDBATCH_ROLE_ARN", config->role_arn },
                   { "VIDBATCH_STAGING_URI", config->staging_uri },
                   { "VIDBATCH_OUTPUT_URI", config->output_uri } };

    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++)
        if (!needed[i].value[0])
            buf_fmt(out, "%s%s", out->len ? ", " : "", needed[i].name);
}

void config_describe(struct buf *out, bool markdown)
{
    if (markdown)
        buf_text(out, "| Setting | Default | What it is |\n| --- | --- | --- |\n");
    for (size_t i = 0; i < SETTINGS; i++) {
        const struct setting *s = &settings[i];
        const char *fallback = s->fallback ? s->fallback : "";

        if (markdown)
            buf_fmt(out, "| `%s` | %s%s%s | %s |\n", s->name, *fallback ? "`" : "", fallback, *fallback ? "`" : "",
                    s->help);
        else
            buf_fmt(out, "  %-30s %s%s%s%s\n", s->name, s->help, *fallback ? " [" : "", fallback, *fallback ? "]" : "");
    }
}

void config_show(const struct config *config, struct buf *out)
{
    for (size_t i = 0; i < SETTINGS; i++) {
        const struct setting *s = &settings[i];
        const void *at = field(config, s);

        if (is_text(s)) {
            const char *text = *(char *const *)at;

            buf_fmt(out, "%s=%s\n", s->name, s->kind == SECRET && text[0] ? "(set)" : text);
        } else if (s->kind == BOOL) {
            buf_fmt(out, "%s=%s\n", s->name, *(const bool *)at ? "true" : "false");
        } else if (!s->fallback && *(const int64_t *)at == 0) {
            buf_fmt(out, "%s=\n", s->name);
        } else {
            buf_fmt(out, "%s=%lld%s\n", s->name, (long long)*(const int64_t *)at, s->kind == DURATION ? "ms" : "");
        }
    }
}
