#include "server/http/watch.h"

#include "server/base/clock.h"
#include "server/base/log.h"

#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h> /* glibc's tcp_info ends before bytes_acked */
#include <netinet/in.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

enum {
    TICK_MS = 100,
    REST_MS = 100,
    STATE_BITS = 3,
    GONE_TICKS = 10,
    CLOSED = 7,
    CLOSE_WAIT = 8 /* tcpi_state: the client has reset it, closed its side */
};

void link_mark(struct link *link, enum link_state state)
{
    if (link)
        atomic_store_explicit(&link->mark, clock_mono_ms() << STATE_BITS | (long long)state, memory_order_release);
}

static void cut(struct watch *w, struct link *link, enum http_cut why)
{
    atomic_store(&link->cut, 1 + (int)why);
    atomic_fetch_add(&w->cuts[why], 1);
    /* What it has not read would stay in the kernel long after the socket is closed. */
    if (why == HTTP_CUT_SEND)
        (void)setsockopt(link->fd, SOL_SOCKET, SO_LINGER, &(struct linger){ .l_onoff = 1 }, sizeof(struct linger));
    (void)shutdown(link->fd, SHUT_RDWR);
}

/* What the client has acknowledged; and whether the kernel holds anything that it has not. */
static bool sent_so_far(int fd, uint64_t *bytes, bool *has_more)
{
    struct tcp_info info = { 0 };
    socklen_t len = sizeof info;

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0 ||
        len < offsetof(struct tcp_info, tcpi_notsent_bytes) + sizeof info.tcpi_notsent_bytes)
        return false;
    *bytes = info.tcpi_bytes_acked;
    *has_more = info.tcpi_unacked > 0 || info.tcpi_notsent_bytes > 0 || info.tcpi_state == CLOSED;
    return true;
}

/* Only time in which the client was waited for counts: when it has taken all, a new window begins. */
static void look_at_sending(struct watch *w, struct link *link, long long mark, int64_t now_ms)
{
    uint64_t bytes = 0;
    bool has_more = false;

    if (!sent_so_far(link->fd, &bytes, &has_more))
        return;
    if (mark != link->window_mark || !has_more) {
        link->window_mark = mark;
        link->window_ms = now_ms;
        link->window_bytes = bytes;
    } else if (now_ms - link->window_ms >= w->limits.send_ms) {
        if (bytes - link->window_bytes < (uint64_t)w->limits.send_bytes)
            cut(w, link, HTTP_CUT_SEND);
        link->window_ms = now_ms;
        link->window_bytes = bytes;
    }
}

/* libmicrohttpd 0.9.75 does not see that a client has closed when that came together with bytes: a short read, and the
 * edge is gone. Whoever is found so twice, a second apart, asks no more. */
static bool is_gone(struct link *link, long long mark)
{
    struct tcp_info info = { 0 };
    socklen_t len = sizeof info;
    int unread = 0;
    bool closed = getsockopt(link->fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
                  (info.tcpi_state == CLOSE_WAIT || info.tcpi_state == CLOSED) &&
                  ioctl(link->fd, SIOCINQ, &unread) == 0 && unread == 0;
    bool again = closed && link->gone_mark == mark;

    link->gone_mark = closed ? mark : 0;
    return again;
}

static void look_at(struct watch *w, struct link *link, int64_t now_ms)
{
    const struct watch_limits *l = &w->limits;
    long long mark = atomic_load_explicit(&link->mark, memory_order_acquire);
    enum link_state state = (enum link_state)(mark & ((1 << STATE_BITS) - 1));
    int64_t age_ms = now_ms - (mark >> STATE_BITS);

    if (atomic_load(&link->cut) != 0)
        return;
    if (state <= LINK_BODY && w->ticks % GONE_TICKS == 0 && is_gone(link, mark))
        (void)shutdown(link->fd, SHUT_RDWR);
    switch (state) {
    case LINK_NEW:
        if (age_ms >= l->head_ms)
            cut(w, link, HTTP_CUT_HEAD);
        break;
    case LINK_IDLE:
        if (age_ms >= l->idle_ms)
            cut(w, link, HTTP_CUT_IDLE);
        break;
    case LINK_BODY:
        if (age_ms >= l->body_ms)
            cut(w, link, HTTP_CUT_BODY);
        break;
    case LINK_HANDLING:
        break;
    case LINK_SENDING:
        look_at_sending(w, link, mark, now_ms);
        break;
    }
}

/* With the lock, which it gives up while it waits. */
static void wait_tick(struct watch *w)
{
    struct timespec until = { 0 };
    int rc = 0;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += TICK_MS * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    while (!w->ending && (!w->first || rc != ETIMEDOUT))
        rc = w->first ? pthread_cond_timedwait(&w->moved, &w->lock, &until) : pthread_cond_wait(&w->moved, &w->lock);
}

static void *watch_main(void *arg)
{
    struct watch *w = arg;

    (void)pthread_setname_np(pthread_self(), "http-watch");
    pthread_mutex_lock(&w->lock);
    for (wait_tick(w); !w->ending; wait_tick(w)) {
        int64_t now_ms = clock_mono_ms();

        w->ticks++;
        for (struct link *link = w->first; link; link = link->next)
            look_at(w, link, now_ms);
        pthread_mutex_unlock(&w->lock);
        w->each_tick(w->arg);
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

bool watch_start(struct watch *w, const struct watch_limits *limits, void (*each_tick)(void *), void *arg,
                 struct err *err)
{
    pthread_condattr_t attr;

    *w = (struct watch){ .limits = *limits, .each_tick = each_tick, .arg = arg };
    (void)pthread_mutex_init(&w->lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&w->moved, &attr);
    (void)pthread_condattr_destroy(&attr);
    w->running = pthread_create(&w->thread, NULL, watch_main, w) == 0;
    if (w->running)
        return true;
    watch_done(w);
    return err_set(err, ERR_MEMORY, false, HERE, "cannot start the thread that watches connections");
}

void watch_end(struct watch *w)
{
    if (!w->running)
        return;
    pthread_mutex_lock(&w->lock);
    w->ending = true;
    pthread_cond_broadcast(&w->moved);
    pthread_mutex_unlock(&w->lock);
    (void)pthread_join(w->thread, NULL);
    w->running = false;
}

void watch_done(struct watch *w)
{
    if (!w->each_tick)
        return; /* it was never started */
    w->each_tick = NULL;
    (void)pthread_cond_destroy(&w->moved);
    (void)pthread_mutex_destroy(&w->lock);
}

void watch_add(struct watch *w, struct link *link)
{
    link_mark(link, LINK_NEW);
    pthread_mutex_lock(&w->lock);
    link->next = w->first;
    if (w->first)
        w->first->previous = link;
    else
        pthread_cond_broadcast(&w->moved);
    w->first = link;
    pthread_mutex_unlock(&w->lock);
}

void watch_remove(struct watch *w, struct link *link)
{
    pthread_mutex_lock(&w->lock);
    if (link->next)
        link->next->previous = link->previous;
    if (link->previous)
        link->previous->next = link->next;
    else
        w->first = link->next;
    pthread_mutex_unlock(&w->lock);
}

/* Whoever has just been answered may be about to ask again. */
static bool is_resting(const struct link *link, int64_t now_ms)
{
    long long mark = atomic_load(&link->mark);
    enum link_state state = (enum link_state)(mark & ((1 << STATE_BITS) - 1));
    int unread = 0;

    return (state == LINK_NEW || (state == LINK_IDLE && now_ms - (mark >> STATE_BITS) >= REST_MS)) &&
           (ioctl(link->fd, SIOCINQ, &unread) != 0 || unread == 0);
}

bool watch_is_quiet(struct watch *w)
{
    const int64_t now_ms = clock_mono_ms();
    bool quiet = true;

    pthread_mutex_lock(&w->lock);
    for (struct link *link = w->first; link && quiet; link = link->next)
        quiet = is_resting(link, now_ms);
    pthread_mutex_unlock(&w->lock);
    return quiet;
}
