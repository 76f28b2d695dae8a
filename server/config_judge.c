/* The rules over one or several settings; what a single value must look like is in the table of config.c. */
#include "aws/bedrock_check.h"
#include "aws/endpoint.h"
#include "aws/s3.h"
#include "aws/sqs.h"
#include "server/base/api_key.h"
#include "server/base/mem.h"
#include "server/base/money.h"
#include "server/base/span.h"
#include "server/base/text.h"
#include "server/config.h"
#include "server/work/models.h"

#include <stdio.h>
#include <string.h>

static void complain(struct buf *problems, const char *name, const char *value, const char *rule)
{
    buf_fmt(problems, "%s=%s: %s\n", name, value, rule);
}

bool config_is_loopback(const struct config *config)
{
    const char *host = config->host;

    return strcmp(host, "127.0.0.1") == 0 || strcmp(host, "::1") == 0 || strcmp(host, "localhost") == 0;
}

static void judge_listen(struct config *config, struct buf *problems)
{
    const char *colon = strrchr(config->listen, ':');
    struct span host = { config->listen, colon ? (size_t)(colon - config->listen) : 0 };
    int64_t port;

    if (host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
        host = (struct span){ host.ptr + 1, host.len - 2 };
    if (!colon || host.len == 0 || host.len >= sizeof config->host || !text_parse_i64(span_of(colon + 1), &port) ||
        port < 0 || port > 65535) {
        complain(problems, "VIDBATCH_LISTEN", config->listen,
                 "must be address:port, such as 127.0.0.1:8080 or [::1]:8080");
        return;
    }
    memcpy(config->host, host.ptr, host.len);
    config->port = (int)port;
}

/* What Bedrock takes as s3Uri (CreateModelInvocationJob). A trailing slash is dropped. */
static void judge_uri(const char *name, char *uri, struct buf *problems)
{
    enum { LONGEST = 900 }; /* of 1,024: the job's and the shard's folders are appended */
    size_t len = strlen(uri);

    if (len == 0)
        return;
    while (len > 5 && uri[len - 1] == '/')
        uri[--len] = 0;
    if (len > LONGEST || !bedrock_is_s3_uri(span_of(uri)))
        complain(
            problems, name, uri,
            "must be s3://bucket/path of letters, digits and -!_*'(). (what Bedrock takes), at most 900 characters");
}

/* Where none is set, config_find_region looks further. */
static void judge_region(struct config *config, struct buf *problems)
{
    const char *name = config->aws_region[0] ? "AWS_REGION" : "AWS_DEFAULT_REGION";

    if (!config->aws_region[0]) {
        mem_free(config->aws_region);
        config->aws_region = mem_text(config->aws_default_region);
    }
    if (!config->aws_region)
        complain(problems, name, "", "there is no memory");
    else if (config->aws_region[0] && !endpoint_region_ok(span_of(config->aws_region)))
        complain(problems, name, config->aws_region, "must be the name of a Region, such as us-east-1");
    else if (config->aws_region[0])
        snprintf(config->region_origin, sizeof config->region_origin, "%s", name);
}

/* A text that may be empty, and else must match the pattern of AWS's field. */
static void judge_pattern(const char *name, const char *value, bool (*is_good)(struct span), const char *rule,
                          struct buf *problems)
{
    if (value[0] && !is_good(span_of(value)))
        complain(problems, name, value, rule);
}

static void judge_endpoint(const char *name, const char *url, struct buf *problems)
{
    const struct endpoint_choice choice = { .region = "us-east-1", .custom_url = url };
    struct endpoint endpoint;
    struct err err = { 0 };

    if (url[0] && !endpoint_resolve(AWS_S3, &choice, &endpoint, &err))
        complain(problems, name, url, err.what);
}

/* `least` may not be above `most`. */
static void judge_order(const char *name, int64_t least_ms, const char *most_name, int64_t most_ms,
                        struct buf *problems)
{
    char value[32], rule[80];

    if (least_ms <= most_ms)
        return;
    snprintf(value, sizeof value, "%lldms", (long long)least_ms);
    snprintf(rule, sizeof rule, "must not be above %s", most_name);
    complain(problems, name, value, rule);
}

static void judge_places(struct config *config, struct buf *problems)
{
    static const char *const of_service[AWS_SERVICES] = {
        [AWS_S3] = "AWS_ENDPOINT_URL_S3",
        [AWS_BEDROCK] = "AWS_ENDPOINT_URL_BEDROCK",
        [AWS_BEDROCK_RUNTIME] = "AWS_ENDPOINT_URL_BEDROCK_RUNTIME",
        [AWS_STS] = "AWS_ENDPOINT_URL_STS",
        [AWS_IAM] = "AWS_ENDPOINT_URL_IAM",
        [AWS_SQS] = "AWS_ENDPOINT_URL_SQS",
    };

    judge_uri("VIDBATCH_STAGING_URI", config->staging_uri, problems);
    judge_uri("VIDBATCH_OUTPUT_URI", config->output_uri, problems);
    if (config->staging_uri[0] && strcmp(config->staging_uri, config->output_uri) == 0)
        complain(problems, "VIDBATCH_OUTPUT_URI", config->output_uri,
                 "must not be the same as VIDBATCH_STAGING_URI: what is staged is removed when a job has ended");
    judge_endpoint("AWS_ENDPOINT_URL", config->aws_endpoint_url, problems);
    judge_endpoint("AWS_ENDPOINT_URL_SSO", config->aws_sso_endpoint_url, problems);
    for (int i = 0; i < AWS_SERVICES; i++)
        judge_endpoint(of_service[i], config->aws_endpoint_urls[i], problems);
}

static void judge_job_fields(const struct config *config, struct buf *problems)
{
    judge_pattern("VIDBATCH_ROLE_ARN", config->role_arn, bedrock_is_role_arn,
                  "must be a role's ARN, arn:aws:iam::111122223333:role/name", problems);
    judge_pattern("VIDBATCH_MODEL_ID", config->model_id, bedrock_is_model_id,
                  "must be a model, an inference profile, or the ARN of one", problems);
    judge_pattern("VIDBATCH_BUCKET_OWNER", config->bucket_owner, bedrock_is_account,
                  "must be an account id of 12 digits", problems);
    judge_pattern("VIDBATCH_OUTPUT_KMS_KEY", config->output_kms_key, bedrock_is_kms_key,
                  "must be a KMS key's ARN, id or alias", problems);
    judge_pattern("VIDBATCH_EVENTS_QUEUE_URL", config->events_queue_url, sqs_is_queue_url,
                  "must be the URL of an SQS queue, such as https://sqs.us-east-1.amazonaws.com/111122223333/name",
                  problems);
}

static void judge_times(const struct config *config, struct buf *problems)
{
    char value[32];

    judge_order("VIDBATCH_WATCH_INTERVAL", config->watch_min_ms, "VIDBATCH_WATCH_INTERVAL_MAX", config->watch_max_ms,
                problems);
    judge_order("VIDBATCH_RETRY_BASE", config->retry_base_ms, "VIDBATCH_RETRY_CAP", config->retry_cap_ms, problems);
    if (config->heartbeat_ms > config->lease_ms / 3) {
        snprintf(value, sizeof value, "%lldms", (long long)config->heartbeat_ms);
        complain(problems, "VIDBATCH_HEARTBEAT", value, "must be at most a third of VIDBATCH_LEASE");
    }
}

/* Reads the file of models to see what is wrong with it; app.c reads it again. */
static void judge_models(const struct config *config, struct buf *problems)
{
    const struct model_settings settings = config_model_settings(config);
    const char *name = "";
    struct err err = { 0 };
    char value[32];
    struct models *models = models_start(config->models_file, &settings, &name, &err);

    models_free(models);
    if (models)
        return;
    if (err.kind == ERR_MEMORY) {
        complain(problems, MODEL_FROM_FILE, "", "there is no memory");
        return;
    }
    if (strcmp(name, MODEL_FROM_FILE) == 0) {
        complain(problems, name, config->models_file, err.what);
        return;
    }
    snprintf(value, sizeof value, "%lld",
             (long long)(strcmp(name, "VIDBATCH_MIN_RECORDS") == 0 ? config->min_records : config->shard_records));
    complain(problems, name, value, err.what);
}

struct model_settings config_model_settings(const struct config *config)
{
    return (struct model_settings){ .region = config->aws_region,
                                    .min_records = config->min_records,
                                    .shard_records = config->shard_records,
                                    .shard_bytes = config->shard_bytes,
                                    .concurrent_jobs = config->concurrent_jobs,
                                    .max_video_bytes = config->max_video_bytes };
}

static void judge_budget(struct config *config, struct buf *problems)
{
    const char *text = config->monthly_budget;

    if (text[0] && (!money_parse(span_of(text), &config->monthly_budget_micros) || config->monthly_budget_micros == 0))
        complain(problems, "VIDBATCH_MONTHLY_BUDGET", text,
                 "must be an amount above zero with at most six decimals, such as 250 or 99.50");
}

/* Never shown: most of a mistyped key is the key. */
static void judge_bootstrap(const struct config *config, struct buf *problems)
{
    unsigned char hash[API_KEY_HASH];
    int64_t id = 0;

    if (config->bootstrap_key[0] && !api_key_parse(span_of(config->bootstrap_key), &id, hash))
        complain(problems, "VIDBATCH_BOOTSTRAP_KEY", "(hidden)",
                 "must be a whole API key, vb_, 11 characters, _ and 36 more with a checksum at the end; vidbatchd key "
                 "generate makes one");
}

bool config_require_database(const struct config *config, struct buf *problems)
{
    if (!config->database_url ||
        config->database_url[0]) /* NULL: there was no memory for it, which is a problem already */
        return true;
    complain(problems, "VIDBATCH_DATABASE_URL", "", "must be set, such as postgresql://localhost/vidbatch");
    return false;
}

void config_judge(struct config *config, struct buf *problems)
{
    judge_listen(config, problems);
    judge_bootstrap(config, problems);
    judge_region(config, problems);
    judge_places(config, problems);
    judge_job_fields(config, problems);
    judge_times(config, problems);
    judge_models(config, problems);
    judge_budget(config, problems);
    config_judge_http(config, problems);
    if (config->aws_access_key_id[0] && !config->aws_secret_access_key[0])
        complain(problems, "AWS_SECRET_ACCESS_KEY", "", "must be set where AWS_ACCESS_KEY_ID is");
}
