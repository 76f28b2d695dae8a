#include "server/iam_cli.h"

#include "aws/bedrock_check.h"
#include "aws/client.h"
#include "aws/identity.h"
#include "aws/s3.h"
#include "aws/sqs.h"
#include "server/app.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/mem.h"
#include "server/work/iam_policy.h"
#include "sql/db.h"
#include "sql/prefix_store.h"

#include <curl/curl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WAIT_MS = 5000 };

/* What is known from where; texts of arguments live as long as the process. */
struct knowledge {
    struct iam_facts facts;
    const char *only; /* "caller", "role", "trust"; NULL: all */
    bool has_buckets; /* named as arguments */
    bool has_database;
    char staging[1100], output[1100], queue_arn[SQS_ARN_SIZE];
    char account[IAM_ACCOUNT_SIZE];
    struct aws_identity identity;
};

/* ---- arguments ---- */

static bool refuse(const char *argument, const char *why)
{
    fprintf(stderr, "vidbatchd iam-policy: %s: %s; usage: %s\n", argument, why, IAM_CLI_USAGE);
    return false;
}

static bool take_bucket(struct knowledge *k, const char *value)
{
    const struct span text = span_of(value);
    const size_t slash = span_find(text, '/');
    const struct span bucket = span_head(text, slash);

    if (!s3_bucket_name_ok(bucket))
        return refuse(value, "that is no bucket's name");
    if (k->facts.video_count == IAM_MAX_PREFIXES)
        return refuse(value, "100 buckets and prefixes are the most");
    k->facts.videos[k->facts.video_count++] =
        (struct iam_location){ .bucket = bucket, .prefix = span_tail(text, slash + 1) };
    k->has_buckets = true;
    return true;
}

static bool take_model(struct knowledge *k, const char *value)
{
    if (!models_id_ok(span_of(value)))
        return refuse(value, "that is no model, inference profile or ARN");
    if (k->facts.model_count == IAM_MAX_MODELS)
        return refuse(value, "eight models are the most");
    k->facts.models[k->facts.model_count++] = value;
    return true;
}

static bool take_option(struct knowledge *k, const char *name, const char *value)
{
    if (!value)
        return refuse(name, "its value is missing");
    if (strcmp(name, "--bucket") == 0)
        return take_bucket(k, value);
    if (strcmp(name, "--model") == 0)
        return take_model(k, value);
    if (strcmp(name, "--account") == 0) {
        if (!bedrock_is_account(span_of(value)))
            return refuse(value, "an account has 12 digits");
        snprintf(k->account, sizeof k->account, "%s", value);
        return true;
    }
    if (strcmp(name, "--role") == 0)
        return setenv("VIDBATCH_ROLE_ARN", value, 1) == 0;
    if (strcmp(name, "--region") == 0)
        return setenv("AWS_REGION", value, 1) == 0;
    return refuse(name, "there is no such option");
}

static bool read_arguments(int count, char **arguments, struct knowledge *k)
{
    static const char *const names[] = { "caller", "role", "trust" };

    for (int i = 0; i < count; i++) {
        if (strncmp(arguments[i], "--", 2) == 0) {
            if (!take_option(k, arguments[i], i + 1 < count ? arguments[i + 1] : NULL))
                return false;
            i++;
            continue;
        }
        if (k->only)
            return refuse(arguments[i], "one policy at a time, or all");
        for (size_t n = 0; n < sizeof names / sizeof names[0]; n++)
            if (strcmp(arguments[i], names[n]) == 0)
                k->only = names[n];
        if (!k->only)
            return refuse(arguments[i], "the policies are caller, role and trust");
    }
    return true;
}

/* ---- what the rest of the world knows ---- */

static void locate(const char *uri, const char *owner, char prefix[1100], struct iam_location *out)
{
    struct span path = { 0 };
    struct err ignored = { 0 };

    if (!uri[0] || !s3_parse_uri(span_of(uri), &out->bucket, &path, &ignored))
        return;
    snprintf(prefix, 1100, "%.*s%s", SPAN_ARG(path), path.len ? "/" : "");
    out->prefix = span_of(prefix);
    out->owner = span_of(owner);
}

static void note(const char *text)
{
    fprintf(stderr, "note: %s\n", text);
}

/* The registered prefixes; rows keep their texts. */
static void ask_database(const struct config *config, struct db_rows *rows, struct knowledge *k)
{
    const struct db_options options = { .url = config->database_url,
                                        .statement_timeout_ms = WAIT_MS,
                                        .lock_timeout_ms = WAIT_MS,
                                        .application_name = "vidbatchd iam-policy" };
    struct err err = { 0 };
    struct db *db = k->has_database && !k->has_buckets ? db_open(&options, &err) : NULL;
    struct prefix_row row = { 0 };

    if (db && prefix_store_list(db, 0, NULL, IAM_MAX_PREFIXES + 1, rows, &err))
        for (int i = 0; i < rows->count && i < IAM_MAX_PREFIXES; i++) {
            prefix_row_read(rows, i, &row);
            k->facts.videos[k->facts.video_count++] =
                (struct iam_location){ span_of(row.bucket), span_of(row.key_prefix), span_of(row.bucket_owner) };
        }
    db_close(db);
    if (rows->count > IAM_MAX_PREFIXES)
        note("only the first 100 registered prefixes are in the policies; name wider ones with --bucket");
    if (k->facts.video_count == 0)
        note("no prefix is registered, or the database does not answer: the policies say nothing of the videos' "
             "buckets; "
             "name them with --bucket NAME/PREFIX");
}

/* By --account, the service role, or the caller that STS names. */
static void find_account(const struct config *config, struct knowledge *k)
{
    struct aws_options options = config_aws_options(config);
    struct err err = { 0 };
    struct aws *aws;
    struct aws_client *client;

    k->facts.account = k->account;
    if (k->account[0] || iam_account_of(config->role_arn, k->account))
        return;
    options.max_attempts = 1;
    options.connect_timeout_ms = WAIT_MS;
    options.call_timeout_ms = WAIT_MS;
    aws = aws_new(&options, &err);
    client = aws ? aws_client_new(aws, &err) : NULL;
    if (client && aws_identity_get(client, &k->identity, &err)) {
        k->facts.account = k->identity.account;
    } else {
        k->facts.account = IAM_NO_ACCOUNT;
        note("the account is not known (no VIDBATCH_ROLE_ARN, and STS does not answer): put its 12 digits in place of "
             "ACCOUNT_ID, or give --account");
    }
    aws_client_free(client);
    aws_free(aws);
}

static void gather(const struct config *config, struct db_rows *rows, struct models *models, struct knowledge *k)
{
    k->facts.region = config->aws_region;
    k->facts.role_arn = config->role_arn;
    k->facts.kms_key = config->output_kms_key;
    k->facts.known = models;
    sqs_queue_arn(config->events_queue_url, iam_partition(config->aws_region), config->aws_region, k->queue_arn);
    k->facts.queue_arn = k->queue_arn;
    locate(config->staging_uri, config->bucket_owner, k->staging, &k->facts.staging);
    locate(config->output_uri, config->bucket_owner, k->output, &k->facts.output);
    if (k->facts.model_count == 0)
        k->facts.models[k->facts.model_count++] = config->model_id;
    if (!config->staging_uri[0] || !config->output_uri[0])
        note("VIDBATCH_STAGING_URI and VIDBATCH_OUTPUT_URI are not both set: the policies say nothing of what is not");
    if (!config->role_arn[0])
        note("VIDBATCH_ROLE_ARN is not set, and there is no --role: the caller's policy lacks iam:PassRole");
    ask_database(config, rows, k);
    find_account(config, k);
}

/* ---- output ---- */

typedef void policy_fn(const struct iam_facts *facts, struct buf *out);

static bool print_policy(const struct knowledge *k, policy_fn *policy, const char *name, const char *title)
{
    AUTO(buf_done) struct buf text = { .max = IAM_POLICY_MAX_BYTES };
    json_t *json;

    if (k->only && strcmp(k->only, name) != 0)
        return true;
    policy(&k->facts, &text);
    json = buf_ok(&text) ? json_loadb(text.data, text.len, 0, NULL) : NULL;
    if (!json)
        return false;
    if (!k->only)
        printf("# %s\n", title);
    (void)json_dumpf(json, stdout, JSON_INDENT(2));
    printf("\n%s", k->only ? "" : "\n");
    json_decref(json);
    return true;
}

static bool print_all(const struct knowledge *k)
{
    return print_policy(k, iam_policy_caller, "caller", "caller: what the service's own identity must be allowed") &&
           print_policy(k, iam_policy_role, "role",
                        "role: what the service role (VIDBATCH_ROLE_ARN) must be allowed") &&
           print_policy(k, iam_policy_trust, "trust", "trust: who may assume the service role");
}

int iam_cli(int count, char **arguments, config_lookup_fn *lookup)
{
    AUTO(buf_done) struct buf problems = { .max = 65536 };
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct knowledge k = { .only = NULL };
    struct config config = { 0 };
    struct models *models = NULL;
    struct err err = { 0 };
    bool ok;

    if (!read_arguments(count, arguments, &k))
        return 2;
    log_setup(LOG_ERROR_LEVEL, false, STDERR_FILENO);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        fprintf(stderr, "vidbatchd: libcurl does not start; is there memory?\n");
        return 2;
    }
    ok = config_read(&config, lookup, &problems);
    if (!ok)
        fprintf(stderr, "vidbatchd: these settings are wrong:\n%s", buf_cstr(&problems));
    else if (!config_find_region(&config, &err))
        fprintf(stderr, "vidbatchd: %s\n", err.what);
    k.has_database = ok && config.database_url[0]; /* a policy needs none */
    models = ok && err.kind == ERR_NONE ? models_builtin(&err) : NULL;
    if (models)
        gather(&config, &rows, models, &k);
    ok = models && print_all(&k);
    curl_global_cleanup();
    models_free(models);
    config_done(&config);
    return ok ? 0 : 2;
}
