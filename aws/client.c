#include "aws/client.h"

#include "aws/client_internal.h"
#include "aws/profile_file.h"
#include "server/base/clock.h"
#include "server/base/mem.h"

#include <string.h>

/* ---- struct aws ---- */

static void default_i64(int64_t *field, int64_t value)
{
    if (*field <= 0)
        *field = value;
}

static void set_numbers(struct aws *aws, const struct aws_options *options)
{
    struct aws_options *o = &aws->options;

    o->addressing = options->addressing;
    o->is_stopping = options->is_stopping;
    o->is_stopping_arg = options->is_stopping_arg;
    o->connect_timeout_ms = options->connect_timeout_ms;
    o->low_speed_timeout_ms = options->low_speed_timeout_ms;
    o->call_timeout_ms = options->call_timeout_ms;
    o->backoff_cap_ms = options->backoff_cap_ms;
    default_i64(&o->connect_timeout_ms, 5000);
    default_i64(&o->low_speed_timeout_ms, 60000);
    default_i64(&o->call_timeout_ms, 60000);
    default_i64(&o->backoff_cap_ms, 20000);
}

static bool copy_region(struct aws *aws, const struct aws_options *options, const struct profile *profile,
                        struct err *err)
{
    struct span region =
        options->region && options->region[0] ? span_of(options->region) : profile_get(profile, "region", NULL);

    if (!region.len) {
        err_set(err, ERR_INPUT, false, HERE, "no AWS Region: set AWS_REGION, or region in profile %s", profile->name);
        return err_code(err, "no_region");
    }
    if (!endpoint_region_ok(region)) {
        err_set(err, ERR_INPUT, false, HERE, "'%.*s' is not an AWS Region such as us-east-1",
                (int)(region.len < 64 ? region.len : 64), region.ptr);
        return err_code(err, "bad_region");
    }
    memcpy(aws->region, region.ptr, region.len);
    return true;
}

/* What credentials need of the client: where STS is, and when to give up. */
static bool start_credentials(struct aws *aws, const struct aws_options *options, struct err *err)
{
    struct creds_settings settings = options->credentials;

    settings.sts = &aws->endpoints[AWS_STS];
    settings.ca_bundle = aws->ca_bundle;
    settings.is_stopping = options->is_stopping;
    settings.is_stopping_arg = options->is_stopping_arg;
    if (aws->ignores_endpoint_urls)
        settings.sso_endpoint_url = NULL;
    else if (!settings.sso_endpoint_url || !settings.sso_endpoint_url[0])
        settings.sso_endpoint_url = options->endpoint_url;
    aws->credentials = creds_chain_new(&settings, err);
    return aws->credentials != NULL;
}

static bool fill(struct aws *aws, const struct aws_options *options, struct err *err)
{
    const struct creds_settings *files = &options->credentials;
    AUTO(profile_done) struct profile profile = { 0 };

    set_numbers(aws, options);
    if (!profile_load(files->config_file, files->credentials_file, files->profile, &profile, err))
        return false;
    if (!copy_region(aws, options, &profile, err) || !client_settings_read(aws, options, &profile, err))
        return false;
    return start_credentials(aws, options, err);
}

struct aws *aws_new(const struct aws_options *options, struct err *err)
{
    struct aws *aws = mem_alloc(1, sizeof(*aws));

    if (!aws) {
        err_memory(err, HERE);
        return NULL;
    }
    pthread_mutex_init(&aws->stats_lock, NULL);
    bucket_regions_init(&aws->bucket_regions);
    for (int i = 0; i < AWS_SERVICES; i++) {
        retry_budget_init(&aws->budgets[i]);
        governor_init(&aws->governors[i]);
    }
    if (fill(aws, options, err))
        return aws;
    aws_free(aws);
    return NULL;
}

void aws_free(struct aws *aws)
{
    if (!aws)
        return;
    creds_chain_free(aws->credentials);
    pthread_mutex_destroy(&aws->stats_lock);
    bucket_regions_done(&aws->bucket_regions);
    for (int i = 0; i < AWS_SERVICES; i++)
        governor_done(&aws->governors[i]);
    mem_free(aws->ca_bundle);
    mem_free(aws);
}

const char *aws_region(const struct aws *aws)
{
    return aws->region;
}

bool aws_credentials(struct aws *aws, struct creds *out, struct err *err)
{
    return creds_chain_get(aws->credentials, out, err);
}

bool aws_clock_gap(struct aws *aws, int64_t *gap_ms)
{
    if (!atomic_load(&aws->has_clock_gap))
        return false;
    *gap_ms = atomic_load(&aws->clock_gap_ms);
    return true;
}

bool aws_credentials_soon(struct aws *aws, struct creds *out, struct err *err)
{
    enum { WAIT_MS = 2000 };

    return aws_credentials_within(aws, WAIT_MS, out, err);
}

bool aws_credentials_within(struct aws *aws, int64_t wait_ms, struct creds *out, struct err *err)
{
    return creds_chain_get_soon(aws->credentials, wait_ms, out, err);
}

int64_t aws_now_s(struct aws *aws)
{
    return (clock_wall_ms() + atomic_load(&aws->skew_ms)) / 1000;
}

bool client_endpoint(struct aws *aws, enum aws_service service, struct span bucket, struct endpoint *out,
                     struct err *err)
{
    char region[AWS_REGION_SIZE];
    struct endpoint_choice choice = { .region = region,
                                      .use_fips = aws->use_fips,
                                      .use_dualstack = aws->use_dualstack };

    *out = aws->endpoints[service];
    if (service != AWS_S3 || out->is_custom || !bucket_regions_find(&aws->bucket_regions, bucket, region) ||
        !strcmp(region, aws->region))
        return true;
    return endpoint_resolve(AWS_S3, &choice, out, err);
}

bool aws_bucket_region(struct aws *aws, struct span bucket, char region[AWS_REGION_SIZE])
{
    return bucket_regions_find(&aws->bucket_regions, bucket, region);
}

void aws_tell_bucket_region(struct aws *aws, struct span bucket, struct span region)
{
    char known[AWS_REGION_SIZE];

    if (endpoint_region_like(region, aws->region) && !bucket_regions_find(&aws->bucket_regions, bucket, known))
        (void)bucket_regions_put(&aws->bucket_regions, bucket, region);
}

bool aws_s3_address(struct aws *aws, struct span bucket, struct buf *origin, struct buf *host, struct buf *path_prefix,
                    char region[AWS_REGION_SIZE], struct err *err)
{
    size_t host_at = host->len, prefix_at = path_prefix->len;
    struct endpoint ep;

    if (!client_endpoint(aws, AWS_S3, bucket, &ep, err))
        return false;
    endpoint_address(&ep, aws->options.addressing, bucket, host, path_prefix);
    if (!buf_check(host, "S3 host name", err) || !buf_check(path_prefix, "S3 path", err))
        return false;
    memcpy(region, ep.signing_region, AWS_REGION_SIZE);
    buf_text(origin, ep.is_https ? "https://" : "http://");
    buf_span(origin, span_tail(buf_view(host), host_at));
    buf_span(origin, span_tail(buf_view(path_prefix), prefix_at));
    return buf_check(origin, "S3 address", err);
}

/* ---- counters ---- */

/* The operation's entry, or the first one without a name, or the last. */
static struct stat_counters *find_stat(struct aws *aws, const char *operation)
{
    int i = 0;

    for (; i < AWS_MAX_STATS - 1; i++) {
        const char *name = atomic_load(&aws->stats[i].operation);

        if (!name || name == operation || !strcmp(name, operation))
            break;
    }
    return &aws->stats[i];
}

struct stat_counters *client_stat(struct aws *aws, const char *operation)
{
    struct stat_counters *found = find_stat(aws, operation);

    if (atomic_load(&found->operation))
        return found;
    pthread_mutex_lock(&aws->stats_lock);
    found = find_stat(aws, operation); /* another thread may have named one meanwhile */
    if (!atomic_load(&found->operation))
        atomic_store(&found->operation, operation);
    pthread_mutex_unlock(&aws->stats_lock);
    return found;
}

size_t aws_stats(struct aws *aws, struct aws_stat *out, size_t max)
{
    size_t count = 0;

    for (; count < max && count < AWS_MAX_STATS; count++) {
        struct stat_counters *from = &aws->stats[count];
        const char *operation = atomic_load(&from->operation);

        if (!operation)
            break;
        out[count] = (struct aws_stat){
            .operation = operation,
            .calls = atomic_load(&from->calls),
            .attempts = atomic_load(&from->attempts),
            .failures = atomic_load(&from->failures),
            .throttles = atomic_load(&from->throttles),
            .total_ms = atomic_load(&from->total_ms),
        };
    }
    return count;
}

/* ---- struct aws_client ---- */

struct aws_client *aws_client_new(struct aws *aws, struct err *err)
{
    struct aws_client *client = mem_alloc(1, sizeof(*client));

    if (client)
        client->multi = curl_multi_init();
    if (!client || !client->multi) {
        mem_free(client);
        err_memory(err, HERE);
        return NULL;
    }
    client->aws = aws;
    curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, 64L);
    curl_multi_setopt(client->multi, CURLMOPT_MAX_HOST_CONNECTIONS, 256L);
    return client;
}

void aws_client_free(struct aws_client *client)
{
    if (!client)
        return;
    for (int i = 0; i < client->idle_count; i++)
        curl_easy_cleanup(client->idle[i]);
    curl_multi_cleanup(client->multi);
    sigv4_keys_wipe(&client->keys);
    mem_free(client);
}

void aws_client_until(struct aws_client *client, int64_t until_ms)
{
    client->until_ms = until_ms;
}

bool aws_sums_requests(const struct aws_client *client)
{
    return client->aws->sums_requests;
}

bool aws_checks_answers(const struct aws_client *client)
{
    return client->aws->checks_answers;
}

bool aws_s3_is_https(const struct aws_client *client)
{
    return client->aws->endpoints[AWS_S3].is_https;
}

bool client_is_stopping(const struct aws_client *client)
{
    const struct aws_options *o = &client->aws->options;

    if (client->until_ms && clock_mono_ms() >= client->until_ms)
        return true;
    return o->is_stopping && o->is_stopping(o->is_stopping_arg);
}

void aws_response_done(struct aws_response *rs)
{
    buf_done(&rs->body);
}

bool aws_call(struct aws_client *client, const struct aws_request *rq, struct aws_response *rs, struct err *err)
{
    AUTO(exchange_done) struct exchange x = { .client = client, .rq = *rq, .rs = rs };

    return exchange_run(&x, err);
}
