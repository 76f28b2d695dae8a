/* Inside of the cutter; only cut*.c include it. */
#ifndef VIDBATCH_WORK_CUT_INSIDE_H
#define VIDBATCH_WORK_CUT_INSIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cutter {
    const uint32_t *weights; /* in key order */
    size_t count;
    size_t min, max;    /* records of a shard */
    uint64_t line, cap; /* bytes of a line, of a shard */
    int32_t *order;     /* indices, heaviest first, equals in key order */
    uint32_t *sorted;   /* their weights */
    uint64_t *sums;     /* one a shard */
    size_t *counts;     /* one a shard */
    int32_t *heap;      /* one a shard */
    size_t without;     /* so many of the heaviest are left out; the last of them: */
    uint32_t last_weight;
    size_t last_index;
    uint64_t steps_left; /* of levelling: what a cut may take is bounded, and the same on every machine */
};

static inline uint64_t cut_bytes(const struct cutter *c, uint32_t weight)
{
    return (uint64_t)weight * 1024 + c->line;
}

/* Levelling to k shards with the `without` heaviest left out: heaviest first, each to the shard that is lightest so far
 * and has room, every shard gets the minimum. Does it fit? `keep`: writes the shard over each weight in `sorted`. */
bool cut_level(struct cutter *c, size_t k, size_t without, bool keep);
/* The same, unless it would take more steps than are left. */
bool cut_level_if_cheap(struct cutter *c, size_t k, size_t without);

#endif
