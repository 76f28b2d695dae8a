/* A heap of shards, the lightest on top. */
#include "server/work/cut_inside.h"

#include <string.h>

struct level {
    struct cutter *c;
    size_t size;    /* shards in the heap */
    size_t wanting; /* records that shards still lack to the minimum */
};

static bool is_lighter(const struct cutter *c, int32_t a, int32_t b)
{
    return c->sums[a] < c->sums[b] || (c->sums[a] == c->sums[b] && a < b);
}

static void sink(struct level *level, size_t at)
{
    struct cutter *c = level->c;
    const int32_t shard = c->heap[at];

    for (;;) {
        size_t child = 2 * at + 1;

        if (child >= level->size)
            break;
        if (child + 1 < level->size && is_lighter(c, c->heap[child + 1], c->heap[child]))
            child++;
        if (!is_lighter(c, c->heap[child], shard))
            break;
        c->heap[at] = c->heap[child];
        at = child;
    }
    c->heap[at] = shard;
}

static void drop_top(struct level *level)
{
    level->c->heap[0] = level->c->heap[--level->size];
    sink(level, 0);
}

/* From here on only shards under the minimum are given anything: what is left is just enough for them. */
static void keep_wanting(struct level *level)
{
    struct cutter *c = level->c;
    size_t kept = 0;

    for (size_t i = 0; i < level->size; i++)
        if (c->counts[c->heap[i]] < c->min)
            c->heap[kept++] = c->heap[i];
    level->size = kept;
    for (size_t i = kept / 2; i-- > 0;)
        sink(level, i);
}

bool cut_level(struct cutter *c, size_t k, size_t without, bool keep)
{
    struct level level = { .c = c, .size = k, .wanting = k * c->min };
    size_t most = c->max;

    memset(c->sums, 0, k * sizeof *c->sums);
    memset(c->counts, 0, k * sizeof *c->counts);
    for (size_t s = 0; s < k; s++)
        c->heap[s] = (int32_t)s;
    for (size_t i = without; i < c->count; i++) {
        int32_t shard = 0;

        if (most != c->min && level.wanting == c->count - i) {
            most = c->min;
            keep_wanting(&level);
        }
        if (level.size == 0)
            return false;
        shard = c->heap[0];
        c->sums[shard] += cut_bytes(c, c->sorted[i]);
        if (c->sums[shard] > c->cap)
            return false;
        level.wanting -= c->counts[shard] < c->min;
        if (keep)
            c->sorted[i] = (uint32_t)shard;
        if (++c->counts[shard] == most)
            drop_top(&level);
        else
            sink(&level, 0);
    }
    return true;
}

bool cut_level_if_cheap(struct cutter *c, size_t k, size_t without)
{
    uint64_t steps = c->count - without;

    for (size_t n = k; n > 1; n /= 2)
        steps += c->count - without;
    if (steps > c->steps_left)
        return false;
    c->steps_left -= steps;
    return cut_level(c, k, without, false);
}
