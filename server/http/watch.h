/* Every open connection, and one thread that ends those whose client takes too long. libmicrohttpd knows only how long
 * a connection was silent, which a byte now and then resets; these are deadlines for the whole. Private to server/http
 * and its tests.
 *
 * An I/O thread says in one atomic word what its connection does and since when; the watch reads the words of all. It
 * never closes a socket: it shuts it down, under the lock under which a closing connection leaves the list before its
 * socket is closed, and the I/O thread finds the end of the connection as if the client had gone. */
#ifndef VIDBATCH_HTTP_WATCH_H
#define VIDBATCH_HTTP_WATCH_H

#include "server/base/err.h"
#include "server/http/http.h"
#include "server/http/tally.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum link_state {
    LINK_NEW,      /* accepted; TLS and the first request's head have one deadline together */
    LINK_IDLE,     /* since the last answer: the whole head of the next request has one deadline */
    LINK_BODY,     /* the body is on its way */
    LINK_HANDLING, /* it is our turn */
    LINK_SENDING   /* the answer is on its way */
};

struct tls;
struct link { /* one connection; fill fd and what follows it, the rest zero */
    int fd;
    struct tls *tls; /* the server's; kept, NULL: plain */
    struct address peer;
    bool is_forwarder; /* speaks for others: peer is no client */
    bool tallied;      /* counted in the tally */
    struct link *next, *previous;
    atomic_llong mark; /* state and since when */
    atomic_int cut;    /* 0, or 1 + why the watch ended it (enum http_cut) */
    /* the watch's own: what the client had taken when the window began */
    long long window_mark;
    int64_t window_ms;
    uint64_t window_bytes;
    long long gone_mark; /* at the last look the client had closed and nothing was unread */
};

struct watch_limits {
    int64_t head_ms, idle_ms, body_ms;
    int64_t send_ms, send_bytes; /* in each send_ms a client must take so many bytes, while there are any to take */
};
struct watch {
    pthread_mutex_t lock; /* guards first, ending, and the list's links */
    pthread_cond_t moved; /* the list is no longer empty, or ending */
    struct link *first;
    bool ending;
    pthread_t thread;
    unsigned ticks; /* only the thread looks */
    bool running;   /* only watch_start and watch_end look */
    struct watch_limits limits;
    void (*each_tick)(void *arg); /* called with no lock about ten times a second while anybody is connected */
    void *arg;
    atomic_ullong cuts[HTTP_CUTS];
};
MUST_CHECK bool watch_start(struct watch *w, const struct watch_limits *limits, void (*each_tick)(void *), void *arg,
                            struct err *err);
/* Ends the thread; connections may still come and go. May be called again. */
void watch_end(struct watch *w);
/* After watch_end, when the list is empty; also for one that was never started and is all zero. */
void watch_done(struct watch *w);

/* Keeps link until watch_remove, which must come before its socket is closed. */
void watch_add(struct watch *w, struct link *link);
void watch_remove(struct watch *w, struct link *link);
/* What it does from now on. I/O thread; link may be NULL. */
void link_mark(struct link *link, enum link_state state);
/* Nobody is being answered, or was within the last 100 ms, and no socket has bytes that were not read. */
bool watch_is_quiet(struct watch *w);

#endif
