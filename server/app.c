#include "server/app.h"

#include "aws/client.h"
#include "handlers/app.h"
#include "handlers/keyring.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/mem.h"
#include "server/http/http.h"
#include "server/key_start.h"
#include "server/work/links.h"
#include "server/work/models.h"
#include "server/work/work.h"
#include "sql/migrate.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A stop ends within ten seconds: requests have the first four, with two more for those that must be interrupted; steps
 * have what is left of eight (their pool adds half a second for itself). */
static const int64_t http_grace_ms = 4000, stop_ms = 8000;

struct app {
    const struct config *config;
    atomic_bool ready;
    atomic_bool draining; /* the end has been asked for; all still works */
    atomic_bool stopping;
    struct aws *aws;
    struct links *links;
    struct models *models;
    struct doctor *doctor;
    struct keyring *keyring;
    struct work_settings work;
    struct work_pool *pool;
    struct db_options database; /* of handlers */
    struct handlers_app handlers;
    struct buf missing;
    struct http_server *http;
};

/* ---- what handlers get ---- */

static void *open_context(void *arg, struct err *err)
{
    struct handlers_app *handlers = arg;
    struct app *app = handlers->arg;
    struct handler_context *context = mem_alloc(1, sizeof *context);

    if (!context) {
        err_memory(err, HERE);
        return NULL;
    }
    context->db = db_open(&app->database, err);
    if (context->db)
        return context;
    mem_free(context);
    return NULL;
}

static void close_context(void *context)
{
    db_close(((struct handler_context *)context)->db);
    mem_free(context);
}

static void interrupt_context(void *context)
{
    db_cancel(((struct handler_context *)context)->db);
}

static bool authenticate(void *arg, void *context, struct span token, struct caller *caller, struct err *err)
{
    const struct handlers_app *handlers = arg;

    return keyring_authenticate(handlers->keyring, ((struct handler_context *)context)->db, token, caller, err);
}

static int64_t recognize(void *arg, struct span token)
{
    return keyring_recognize(((const struct handlers_app *)arg)->keyring, token);
}

static bool is_ready(void *arg, struct err *err)
{
    struct app *app = arg;

    if (atomic_load(&app->ready))
        return work_pool_can_write(app->pool, err);
    err_set(err, ERR_BUSY, true, HERE, "The service takes no work now: it is %s.",
            atomic_load(&app->draining) ? "stopping" : "starting");
    return err_code(err, "not_ready");
}

/* One of the counters of struct aws_stat, for all operations. */
static void add_counter(struct buf *out, const char *name, const char *help, const struct aws_stat *stats, size_t count,
                        size_t offset)
{
    buf_fmt(out, "# HELP %s %s\n# TYPE %s counter\n", name, help, name);
    for (size_t i = 0; i < count; i++)
        buf_fmt(out, "%s{operation=\"%s\"} %llu\n", name, stats[i].operation,
                (unsigned long long)*(const uint64_t *)((const char *)&stats[i] + offset));
}

static void add_aws_metrics(struct aws *aws, struct buf *out)
{
    static const struct {
        const char *name, *help;
        size_t offset;
    } counters[] = {
        { "vidbatch_aws_calls_total", "Calls to AWS by operation.", offsetof(struct aws_stat, calls) },
        { "vidbatch_aws_attempts_total", "Attempts, retries included.", offsetof(struct aws_stat, attempts) },
        { "vidbatch_aws_failures_total", "Calls that failed in the end.", offsetof(struct aws_stat, failures) },
        { "vidbatch_aws_throttles_total", "Attempts that AWS throttled.", offsetof(struct aws_stat, throttles) },
    };
    struct aws_stat stats[64];
    const size_t count = aws_stats(aws, stats, sizeof stats / sizeof stats[0]);

    for (size_t i = 0; i < sizeof counters / sizeof counters[0]; i++)
        add_counter(out, counters[i].name, counters[i].help, stats, count, counters[i].offset);
}

static void add_metrics(void *arg, struct buf *out)
{
    struct app *app = arg;

    work_pool_metrics(app->pool, out);
    add_aws_metrics(app->aws, out);
}

/* ---- the parts ---- */

static bool is_stopping(void *arg)
{
    return atomic_load(&((struct app *)arg)->stopping);
}

static bool start_aws(struct app *app, struct err *err)
{
    const struct config *c = app->config;
    struct aws_options options = config_aws_options(c);

    options.is_stopping = is_stopping;
    options.is_stopping_arg = app;
    app->aws = aws_new(&options, err);
    app->links = app->aws ? links_new(app->aws, c->presign_expires_ms / 1000, err) : NULL;
    return app->links != NULL;
}

static bool start_models(struct app *app, struct err *err)
{
    const struct model_settings settings = config_model_settings(app->config);
    const char *at_fault = "";

    app->models = models_start(app->config->models_file, &settings, &at_fault, err);
    return app->models != NULL;
}

struct doctor_settings app_doctor_settings(const struct config *c, const struct models *models, const char *region,
                                           const char *missing_settings)
{
    return (struct doctor_settings){ .region = region,
                                     .region_origin = c->region_origin,
                                     .model_id = c->model_id,
                                     .role_arn = c->role_arn,
                                     .staging_uri = c->staging_uri,
                                     .output_uri = c->output_uri,
                                     .bucket_owner = c->bucket_owner,
                                     .missing_settings = missing_settings,
                                     .models = models };
}

/* After the models. */
static bool start_doctor(struct app *app, struct err *err)
{
    struct doctor_settings settings;

    config_missing_for_jobs(app->config, &app->missing);
    settings = app_doctor_settings(app->config, app->models, aws_region(app->aws), buf_cstr(&app->missing));
    app->doctor = doctor_new(&settings, app->aws, err);
    return app->doctor != NULL;
}

static bool start_work(struct app *app, struct err *err)
{
    const struct config *c = app->config;
    const struct db_options database = { .url = c->database_url,
                                         .answer_timeout_ms = c->step_query_timeout_ms,
                                         .application_name = "vidbatchd work" };

    app->work = (struct work_settings){ .workers = (int)c->workers,
                                        .lease_ms = c->lease_ms,
                                        .heartbeat_ms = c->heartbeat_ms,
                                        .watch_min_ms = c->watch_min_ms,
                                        .watch_max_ms = c->watch_max_ms,
                                        .poll_ms = c->poll_ms,
                                        .retry_base_ms = c->retry_base_ms,
                                        .retry_cap_ms = c->retry_cap_ms,
                                        .lookup_grace_ms = c->lookup_grace_ms,
                                        .events_queue_url = c->events_queue_url,
                                        .max_failures = (int)c->max_failures,
                                        .max_video_bytes = models_largest_video(app->models, c->aws_region),
                                        .models = app->models,
                                        .region = c->aws_region,
                                        .list_concurrency = (int)c->list_concurrency,
                                        .copy_concurrency = (int)c->copy_concurrency,
                                        .invoke_concurrency = (int)c->invoke_concurrency,
                                        .invoke_timeout_ms = c->invoke_timeout_ms,
                                        .preflight_concurrency = (int)c->preflight_concurrency,
                                        .job_timeout_hours = (int)c->job_timeout_hours,
                                        .keep_staging = c->keep_staging,
                                        .plan_expires_ms = c->plan_expires_ms,
                                        .wait_rescan_ms = c->wait_rescan_ms,
                                        .monthly_budget_micros = c->monthly_budget_micros,
                                        .role_arn = c->role_arn,
                                        .staging_uri = c->staging_uri,
                                        .output_uri = c->output_uri,
                                        .bucket_owner = c->bucket_owner,
                                        .output_kms_key = c->output_kms_key };
    return work_pool_start(&app->work, app->aws, &database, &app->pool, err);
}

/* More would only take turns on the processors and push each other's memory out of their caches: with the database on
 * the same two processors, 8 answered a quarter fewer requests a second than 4 (make bench ARGS=serving). */
static int handler_threads(const struct config *c)
{
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);

    if (c->handler_threads > 0)
        return (int)c->handler_threads;
    if (processors <= 2)
        return 4;
    return processors < 32 ? 2 * (int)processors : 64;
}

/* The rest answers others, whatever one client asks. */
static int running_per_client(int threads)
{
    return threads > 1 ? threads - (threads + 3) / 4 : 1;
}

static bool start_http(struct app *app, struct err *err)
{
    const struct config *c = app->config;
    struct http_options options = { .host = c->host,
                                    .port = c->port,
                                    .io_threads = (int)c->io_threads,
                                    .handler_threads = handler_threads(c),
                                    .limits = config_http_limits(c),
                                    .open_is_local = !c->allow_open,
                                    .forwarders = c->trusted_proxies,
                                    .cors_origins = c->cors_origins,
                                    .tls_cert = c->tls_cert,
                                    .tls_key = c->tls_key,
                                    .open_context = open_context,
                                    .close_context = close_context,
                                    .interrupt_context = interrupt_context,
                                    .authenticate = authenticate,
                                    .recognize = recognize,
                                    .admit = guard_admit,
                                    .arg = &app->handlers };

    if (options.limits.max_running_per_client == 0)
        options.limits.max_running_per_client = running_per_client(options.handler_threads);

    app->database = (struct db_options){ .url = c->database_url,
                                         .statement_timeout_ms = c->query_timeout_ms,
                                         .lock_timeout_ms = c->lock_timeout_ms,
                                         .application_name = "vidbatchd http",
                                         .walks_indexes = true };
    app->handlers = (struct handlers_app){ .version = VIDBATCH_VERSION,
                                           .region = c->aws_region,
                                           .default_model_id = c->model_id,
                                           .missing_settings = buf_cstr(&app->missing),
                                           .staging_uri = c->staging_uri,
                                           .output_uri = c->output_uri,
                                           .max_video_bytes = models_largest_video(app->models, c->aws_region),
                                           .links = app->links,
                                           .doctor = app->doctor,
                                           .keyring = app->keyring,
                                           .models = app->models,
                                           .plan_expires_ms = c->plan_expires_ms,
                                           .monthly_budget_micros = c->monthly_budget_micros,
                                           .is_ready = is_ready,
                                           .metrics = add_metrics,
                                           .arg = app };
    options.routes = handlers_routes(&options.route_count);
    return http_start(&options, &app->http, err);
}

static bool write_port_file(const struct app *app, struct err *err)
{
    const char *path = app->config->port_file;
    FILE *file;

    if (!path[0])
        return true;
    file = fopen(path, "we");
    if (!file || fprintf(file, "%d\n", app_port(app)) < 0 || fclose(file) != 0)
        return err_set(err, ERR_INPUT, false, HERE, "VIDBATCH_PORT_FILE=%s cannot be written", path);
    return true;
}

static bool migrate(const struct config *config, struct err *err)
{
    int applied;
    bool newer;

    if (!app_migrate(config, &applied, &newer, err))
        return false;
    if (applied)
        log_info("migrate.done", "applied=%d", applied);
    if (newer)
        log_warn("migrate.newer", "note='the database is of a newer version; it is left as it is'");
    return true;
}

bool app_start(const struct config *config, struct app **out, struct err *err)
{
    struct app *app = mem_alloc(1, sizeof *app);

    if (!app)
        return err_memory(err, HERE);
    app->config = config;
    buf_init(&app->missing, 1024);
    if ((config->migrate_on_start && !migrate(config, err)) || !key_start(config, &app->keyring, err) ||
        !start_aws(app, err) || !start_models(app, err) || !start_doctor(app, err) || !start_work(app, err) ||
        !start_http(app, err) || !write_port_file(app, err)) {
        if (app_stop(app))
            return false;
        log_error("start.failed", "at=%s cause=%s", err->where ? err->where : "", LOGQ(err->what));
        _exit(1); /* a thread still uses what main would take away */
    }
    atomic_store(&app->ready, true);
    *out = app;
    return true;
}

int app_port(const struct app *app)
{
    return http_port(app->http);
}

void app_reload(struct app *app)
{
    struct err err = { 0 };
    struct http_counts counts = { 0 };
    char expires[CLOCK_RFC3339_SIZE] = "";

    if (!app->config->tls_cert[0]) {
        log_info("reload.nothing", "note='without VIDBATCH_TLS_CERT there is nothing to read again'");
    } else if (!http_reload(app->http, &err)) {
        log_error("reload.failed", "at=%s cause=%s note='the certificate that was there is served on'", err.where,
                  LOGQ(err.what));
    } else {
        http_counts(app->http, &counts);
        clock_rfc3339(counts.tls_expires_at_s * 1000, expires);
        log_info("reload.done", "expires=%s", expires);
    }
}

void app_drain(struct app *app)
{
    atomic_store(&app->draining, true);
    atomic_store(&app->ready, false);
}

bool app_stop(struct app *app)
{
    const int64_t until = clock_mono_ms() + stop_ms;
    bool http_ended = false;
    int64_t left = 0;

    app_drain(app);
    atomic_store(&app->stopping, true);
    if (app->pool)
        work_pool_ask_stop(app->pool);
    http_ended = http_stop(app->http, http_grace_ms);
    left = until - clock_mono_ms();
    if (!work_pool_stop(app->pool, left > 0 ? left : 0) || !http_ended)
        return false; /* a thread still uses the rest */
    doctor_free(app->doctor);
    keyring_free(app->keyring);
    models_free(app->models);
    links_free(app->links);
    aws_free(app->aws);
    buf_done(&app->missing);
    mem_free(app);
    return true;
}

bool app_migrate(const struct config *config, int *applied, bool *newer, struct err *err)
{
    const struct db_options options = { .url = config->database_url, .application_name = "vidbatchd migrate" };
    struct db *db = db_open(&options, err);
    bool ok;

    if (!db)
        return false;
    ok = migrate_run(db, applied, newer, err);
    db_close(db);
    return ok;
}
