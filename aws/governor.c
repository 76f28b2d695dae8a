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
    int64_t steps = (now_ms - g->grown_ms) / GOVERNOR_GROW_MS;

    if (!g->limit || steps <= 0)
        return;
    g->grown_ms += steps * GOVERNOR_GROW_MS;
    /* Where all that ever wanted to be under way may be, nothing is held back any more. */
    g->limit = steps >= g->most - g->limit ? 0 : g->limit + (int)steps;
}

int governor_enter(struct governor *g, int64_t now_ms)
{
    int crowd = 0;

    pthread_mutex_lock(&g->lock);
    grow(g, now_ms);
    if (!g->limit || g->inside < g->limit)
        crowd = ++g->inside;
    if (g->inside > g->most)
        g->most = g->inside;
    pthread_mutex_unlock(&g->lock);
    return crowd;
}

int governor_inside(struct governor *g)
{
    int inside;

    pthread_mutex_lock(&g->lock);
    inside = g->inside;
    pthread_mutex_unlock(&g->lock);
    return inside;
}

void governor_leave(struct governor *g)
{
    pthread_mutex_lock(&g->lock);
    g->inside--;
    pthread_mutex_unlock(&g->lock);
}

int governor_throttled(struct governor *g, int crowd, int64_t started_ms, int64_t now_ms)
{
    int first = 0;

    pthread_mutex_lock(&g->lock);
    grow(g, now_ms);
    if (started_ms > g->cut_ms) {
        int from = g->limit && g->limit < crowd ? g->limit : crowd;
        int to = from > 1 ? from / 2 : 1;

        first = g->limit ? 0 : to;
        g->limit = to;
        g->cut_ms = g->grown_ms = now_ms;
    }
    pthread_mutex_unlock(&g->lock);
    return first;
}
