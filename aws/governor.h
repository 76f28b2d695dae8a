/* How many attempts at one AWS endpoint are on their way at a time, over all threads of the process. Without limit
 * until AWS throttles; then half of what was under way, and one more for every while without throttling, until nothing
 * is held back any more (S3 user guide, "Best practices design patterns": back off on SlowDown, then raise slowly).
 * Nothing here waits, and time is given by the caller. Any thread. */
#ifndef VIDBATCH_AWS_GOVERNOR_H
#define VIDBATCH_AWS_GOVERNOR_H

#include "server/base/attr.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum { GOVERNOR_GROW_MS = 200 }; /* one more at a time after so long without throttling */

struct governor {
    pthread_mutex_t lock; /* guards all below; never held during a network call */
    int inside;           /* attempts under way */
    int limit;            /* of them; 0: none */
    int most;             /* ever under way */
    int64_t cut_ms;       /* when the limit fell last; monotonic */
    int64_t grown_ms;     /* up to when it has grown since */
};
void governor_init(struct governor *g);
void governor_done(struct governor *g);
/* May another attempt start now? Then it counts as under way until governor_leave, and the answer is how many are now.
 * 0: ask again a little later. */
MUST_CHECK int governor_enter(struct governor *g, int64_t now_ms);
/* How many are under way. */
int governor_inside(struct governor *g);
/* An attempt has ended, however. */
void governor_leave(struct governor *g);
/* AWS throttled an attempt that was sent at started_ms and was under way with crowd others, itself among them: half of
 * them, or of the limit where that is less, is the new limit. Once for all that were sent before it fell last. Returns
 * the new limit where there was none before, else 0. */
int governor_throttled(struct governor *g, int crowd, int64_t started_ms, int64_t now_ms);

#endif
