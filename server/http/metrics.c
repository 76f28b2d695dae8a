/* Counters and the latency histogram. One lock: it is held for a few additions. */
#include "server/http/internal.h"

#include "server/base/clock.h"

#include <errno.h>
#include <string.h>
#include <time.h>

static const double bounds[HTTP_BUCKETS] = { 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10 };

bool metrics_init(struct metrics *m, struct err *err)
{
    pthread_condattr_t attr;

    *m = (struct metrics){ 0 };
    if (pthread_condattr_init(&attr) != 0)
        return err_memory(err, HERE);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&m->lock, NULL);
    (void)pthread_cond_init(&m->idle, &attr);
    (void)pthread_condattr_destroy(&attr);
    return true;
}

void metrics_done(struct metrics *m)
{
    (void)pthread_cond_destroy(&m->idle);
    (void)pthread_mutex_destroy(&m->lock);
}

int64_t metrics_now_us(void)
{
    struct timespec now = { 0 };

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void metrics_begin(struct metrics *m)
{
    pthread_mutex_lock(&m->lock);
    m->requests++;
    m->in_flight++;
    pthread_mutex_unlock(&m->lock);
}

void metrics_end(struct metrics *m, int status, int64_t took_us, bool was_stream)
{
    double took_s = (double)took_us / 1e6;
    int bucket = 0;

    while (bucket < HTTP_BUCKETS && took_s > bounds[bucket])
        bucket++;
    pthread_mutex_lock(&m->lock);
    if (status >= 100 && status < 600)
        m->by_status[status / 100]++;
    if (bucket < HTTP_BUCKETS)
        m->buckets[bucket]++;
    m->finished++;
    m->sum_s += took_s;
    if (was_stream)
        m->streams--;
    if (--m->in_flight == 0)
        pthread_cond_broadcast(&m->idle);
    pthread_mutex_unlock(&m->lock);
}

void metrics_stream(struct metrics *m)
{
    pthread_mutex_lock(&m->lock);
    m->streams++;
    pthread_mutex_unlock(&m->lock);
}

void metrics_refused(struct metrics *m, enum http_refusal why)
{
    pthread_mutex_lock(&m->lock);
    m->refused[why]++;
    pthread_mutex_unlock(&m->lock);
}

void metrics_connection(struct metrics *m, bool opened)
{
    pthread_mutex_lock(&m->lock);
    if (opened)
        m->connections++;
    else
        m->connections--;
    pthread_mutex_unlock(&m->lock);
}

uint64_t metrics_connections(struct metrics *m)
{
    uint64_t connections = 0;

    pthread_mutex_lock(&m->lock);
    connections = m->connections;
    pthread_mutex_unlock(&m->lock);
    return connections;
}

struct timespec deadline_after(int64_t timeout_ms)
{
    struct timespec until = { 0 };

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(timeout_ms / 1000);
    until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    return until;
}

bool metrics_wait_idle(struct metrics *m, int64_t timeout_ms)
{
    const struct timespec until = deadline_after(timeout_ms);
    int rc = 0;
    bool idle = false;

    pthread_mutex_lock(&m->lock);
    while (m->in_flight > 0 && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&m->idle, &m->lock, &until);
    idle = m->in_flight == 0;
    pthread_mutex_unlock(&m->lock);
    return idle;
}

void http_counts(struct http_server *server, struct http_counts *out)
{
    struct metrics *m = &server->metrics;

    *out = (struct http_counts){ .queued = pool_queued(&server->pool) };
    pthread_mutex_lock(&m->lock);
    out->requests = m->requests;
    out->in_flight = m->in_flight;
    out->connections = m->connections;
    out->streams = m->streams;
    memcpy(out->refused, m->refused, sizeof out->refused);
    memcpy(out->by_status, m->by_status, sizeof out->by_status);
    pthread_mutex_unlock(&m->lock);
    for (int i = 0; i < HTTP_CUTS; i++)
        out->cuts[i] = atomic_load(&server->watch.cuts[i]);
    if (server->tls)
        out->tls_expires_at_s = tls_expires_at_s(server->tls);
}

void http_latency(struct http_server *server, double bounds_s[HTTP_BUCKETS], uint64_t counts[HTTP_BUCKETS],
                  uint64_t *total, double *sum_s)
{
    struct metrics *m = &server->metrics;
    uint64_t sum = 0;

    memcpy(bounds_s, bounds, sizeof bounds);
    pthread_mutex_lock(&m->lock);
    for (int i = 0; i < HTTP_BUCKETS; i++) {
        sum += m->buckets[i];
        counts[i] = sum;
    }
    *total = m->finished;
    *sum_s = m->sum_s;
    pthread_mutex_unlock(&m->lock);
}
