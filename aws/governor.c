#include "aws/governor.h"

void governor_init(struct governor *g)
{
    *g = (struct governor){ 0 };
    pthread_mutex_init(&g->lock, NULL);
}

void governor_done(struct governor *g)
{
    pthread_mutex_destroy(&g->lock);
}

/* Under the lock. */
static void grow(struct governor *g, int64_t now_ms)
{
    int64_t steps = (now_ms - g->changed_ms) / GOVERNOR_GROW_MS;

    if (!g->limit || steps <= 0)
        return;
    g->changed_ms += steps * GOVERNOR_GROW_MS;
    /* Where all that ever wanted to be under way may be, nothing is held back any more. */
    g->limit = steps >= g->most - g->limit ? 0 : g->limit + (int)steps;
}

bool governor_enter(struct governor *g, int64_t now_ms)
{
    bool may;

    pthread_mutex_lock(&g->lock);
    grow(g, now_ms);
    may = !g->limit || g->inside < g->limit;
    if (may)
        g->inside++;
    if (g->inside > g->most)
        g->most = g->inside;
    pthread_mutex_unlock(&g->lock);
    return may;
}

void governor_leave(struct governor *g)
{
    pthread_mutex_lock(&g->lock);
    g->inside--;
    pthread_mutex_unlock(&g->lock);
}

int governor_throttled(struct governor *g, int64_t started_ms, int64_t now_ms)
{
    int first = 0;

    pthread_mutex_lock(&g->lock);
    grow(g, now_ms);
    if (!g->limit || started_ms > g->changed_ms) {
        int from = g->limit ? g->limit : g->inside + 1; /* the attempt itself has left already */
        int to = from > 1 ? from / 2 : 1;

        first = g->limit ? 0 : to;
        g->limit = to;
        g->changed_ms = now_ms;
    }
    pthread_mutex_unlock(&g->lock);
    return first;
}
