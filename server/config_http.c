/* The settings of HTTP: their rules, and what the server takes of them. */
#include "server/config.h"
#include "server/http/address.h"
#include "server/http/cors.h"
#include "server/http/tls.h"

#include <stdio.h>

static void complain(struct buf *problems, const char *name, const char *value, const char *rule)
{
    buf_fmt(problems, "%s=%s: %s\n", name, value, rule);
}

static void judge_proxies(const struct config *config, struct buf *problems)
{
    struct networks trusted = { 0 };
    struct err err = { 0 };

    if (!networks_parse(span_of(config->trusted_proxies), &trusted, &err))
        complain(problems, "VIDBATCH_TRUSTED_PROXIES", config->trusted_proxies, err.what);
    networks_done(&trusted);
}

static void judge_origins(const struct config *config, struct buf *problems)
{
    struct origins origins = { 0 };
    struct err err = { 0 };

    if (!origins_parse(config->cors_origins, &origins, &err))
        complain(problems, "VIDBATCH_CORS_ORIGINS", config->cors_origins, err.what);
    origins_done(&origins);
}

/* Reads the files to see what is wrong with them; the server reads them again. */
static void judge_tls(const struct config *config, struct buf *problems)
{
    struct tls *tls = NULL;
    struct err err = { 0 };

    if ((config->tls_cert[0] != '\0') != (config->tls_key[0] != '\0'))
        complain(problems, config->tls_cert[0] ? "VIDBATCH_TLS_KEY" : "VIDBATCH_TLS_CERT", "",
                 "VIDBATCH_TLS_CERT and VIDBATCH_TLS_KEY must be set together");
    else if (config->tls_cert[0] && !tls_new(config->tls_cert, config->tls_key, &tls, &err))
        complain(problems, "VIDBATCH_TLS_CERT", config->tls_cert, err.what);
    tls_free(tls);
}

void config_judge_http(const struct config *config, struct buf *problems)
{
    char burst[24];

    judge_proxies(config, problems);
    judge_origins(config, problems);
    judge_tls(config, problems);
    if (config->rate_burst > 0 && config->rate_limit == 0) {
        (void)snprintf(burst, sizeof burst, "%lld", (long long)config->rate_burst);
        complain(problems, "VIDBATCH_RATE_BURST", burst, "is of no use without VIDBATCH_RATE_LIMIT");
    }
}

struct http_limits config_http_limits(const struct config *c)
{
    return (struct http_limits){ .max_connections = (int)c->max_connections,
                                 .max_connections_per_address = (int)c->max_connections_per_address,
                                 .max_queue = (int)c->max_queue,
                                 .max_running_per_client = (int)c->max_running_per_client,
                                 .max_held_bytes = c->max_held_bytes,
                                 .max_streams = (int)c->max_streams,
                                 .max_header_bytes = (size_t)c->max_header_bytes,
                                 .max_body_bytes = (size_t)c->max_body_bytes,
                                 .queue_timeout_ms = c->queue_timeout_ms,
                                 .head_timeout_ms = c->head_timeout_ms,
                                 .idle_timeout_ms = c->idle_timeout_ms,
                                 .body_timeout_ms = c->body_timeout_ms,
                                 .send_timeout_ms = c->send_timeout_ms,
                                 .send_bytes_per_s = c->send_rate,
                                 .requests_per_s = c->rate_limit,
                                 .requests_burst = c->rate_burst,
                                 .denied_per_s = c->denied_limit };
}
