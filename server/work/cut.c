/* How it works. With k shards given, three ways are tried, the cheapest first: even runs in key order; a deal, heaviest
 * first, to the shards 0 .. k-1, then back k-1 .. 0, and so on; and levelling (cut_level.c). A deal gives every shard
 * the same number of records give or take one, and sums that differ by no more than the heaviest video; so from k =
 * total / (cap - heaviest) on it always fits. Levelling makes up for a few heavy ones by fewer records beside them, but
 * never fewer than the minimum. Where no k does, the heaviest videos are left out, as few as will do: for a given k a
 * deal only gets lighter with each one that goes, so the number is found by bisection. */
#include "server/work/cut.h"

#include "server/base/mem.h"
#include "server/work/cut_inside.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

enum { TRIES_ONE_BY_ONE = 16 };
static const uint64_t most_steps = 10000000;

static void free_u32(uint32_t **block)
{
    mem_free(*block);
}

static void free_u64(uint64_t **block)
{
    mem_free(*block);
}

static size_t divide_up(uint64_t a, uint64_t b)
{
    return (size_t)(a / b + (a % b != 0));
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Stable, by bytes of the weights, lowest first; 4 passes bring the result back into `order`. */
static void sort_heaviest_first(struct cutter *c)
{
    uint32_t *from = (uint32_t *)c->order;
    uint32_t *to = c->sorted;

    for (size_t i = 0; i < c->count; i++)
        from[i] = (uint32_t)i;
    for (int shift = 0; shift < 32; shift += 8) {
        size_t starts[256] = { 0 };
        size_t at = 0;
        uint32_t *swap = from;

        for (size_t i = 0; i < c->count; i++)
            starts[~(c->weights[i] >> shift) & 0xff]++;
        for (int digit = 0; digit < 256; digit++) {
            const size_t n = starts[digit];
            starts[digit] = at;
            at += n;
        }
        for (size_t i = 0; i < c->count; i++)
            to[starts[~(c->weights[from[i]] >> shift) & 0xff]++] = from[i];
        from = to;
        to = swap;
    }
    for (size_t i = 0; i < c->count; i++)
        c->sorted[i] = c->weights[c->order[i]];
}

/* Place in a deal to k shards. */
static size_t dealt_to(size_t i, size_t k)
{
    return (i / k) % 2 ? k - 1 - i % k : i % k;
}

/* Of even runs, the first few have one more. */
static size_t run_length(size_t count, size_t k, size_t run)
{
    assert(k > 0);
    return count / k + (run < count % k);
}

/* Does a deal to k shards fit, with the `without` heaviest left out? */
static bool deal_fits(const struct cutter *c, size_t k, size_t without)
{
    const size_t count = c->count - without;
    const uint32_t *weights = c->sorted + without;

    memset(c->sums, 0, k * sizeof *c->sums);
    for (size_t row = 0; row * k < count; row++) {
        const size_t width = smaller(k, count - row * k);

        for (size_t i = 0; i < width; i++) {
            uint64_t *sum = &c->sums[row % 2 ? k - 1 - i : i];
            *sum += cut_bytes(c, weights[row * k + i]);
            if (*sum > c->cap)
                return false;
        }
    }
    return true;
}

/* Is the i-th in key order among the heaviest that are left out? */
static bool is_left_out(const struct cutter *c, size_t i)
{
    return c->without > 0 &&
           (c->weights[i] > c->last_weight || (c->weights[i] == c->last_weight && i <= c->last_index));
}

static void leave_out(struct cutter *c, size_t without)
{
    c->without = without;
    if (without == 0)
        return;
    c->last_weight = c->sorted[without - 1];
    c->last_index = (size_t)c->order[without - 1];
}

/* Do even runs in key order fit? */
static bool runs_fit(const struct cutter *c, size_t k)
{
    const size_t count = c->count - c->without;
    size_t left = run_length(count, k, 0);
    size_t run = 0;
    uint64_t sum = 0;

    for (size_t i = 0; i < c->count; i++) {
        if (is_left_out(c, i))
            continue;
        if (left == 0) {
            left = run_length(count, k, ++run);
            sum = 0;
        }
        left--;
        sum += cut_bytes(c, c->weights[i]);
        if (sum > c->cap)
            return false;
    }
    return true;
}

/* From here on `order` and `sorted` are overwritten: the answer takes their place. */
static void assign_runs(struct cutter *c, size_t k)
{
    const size_t count = c->count - c->without;
    size_t left = run_length(count, k, 0);
    size_t run = 0;

    for (size_t i = 0; i < c->count; i++) {
        if (is_left_out(c, i)) {
            c->order[i] = -1;
            continue;
        }
        if (left == 0)
            left = run_length(count, k, ++run);
        left--;
        c->order[i] = (int32_t)run;
    }
}

/* `sorted` has the shard of each in `order`; each goes to its own index, which is where another one's index is kept:
 * along each cycle of the permutation, what is done is negative until all is. */
static void assign(struct cutter *c)
{
    enum { DONE = -2 };

    for (size_t i = 0; i < c->count; i++) {
        int32_t index = c->order[i];
        uint32_t shard = c->sorted[i];

        while (index >= 0) {
            const int32_t next_index = c->order[index];
            const uint32_t next_shard = c->sorted[index];

            c->order[index] = shard == UINT32_MAX ? -1 : DONE - (int32_t)shard;
            if ((size_t)index == i)
                break;
            index = next_index;
            shard = next_shard;
        }
    }
    for (size_t i = 0; i < c->count; i++)
        c->order[i] = c->order[i] == -1 ? -1 : DONE - c->order[i];
}

static void assign_deal(struct cutter *c, size_t k)
{
    for (size_t i = 0; i < c->count; i++)
        c->sorted[i] = i < c->without ? UINT32_MAX : (uint32_t)dealt_to(i - c->without, k);
    assign(c);
}

static void assign_levelled(struct cutter *c, size_t k)
{
    (void)cut_level(c, k, c->without, true); /* it fits: that was tried */
    for (size_t i = 0; i < c->without; i++)
        c->sorted[i] = UINT32_MAX;
    assign(c);
}

/* Does any way but runs fit? */
static bool fits(struct cutter *c, size_t k, size_t without)
{
    return deal_fits(c, k, without) || cut_level_if_cheap(c, k, without);
}

/* Fewest shards that the sums allow. */
static size_t fewest_shards(const struct cutter *c)
{
    const size_t by_count = divide_up(c->count - c->without, c->max);
    uint64_t total = 0;
    size_t by_bytes = 0;

    for (size_t i = c->without; i < c->count; i++)
        if (__builtin_add_overflow(total, cut_bytes(c, c->sorted[i]), &total))
            total = UINT64_MAX;
    by_bytes = divide_up(total, c->cap);
    if (by_bytes < by_count)
        by_bytes = by_count;
    return by_bytes ? by_bytes : 1;
}

/* One of the ways with k shards; false: none fits. is_sure: a deal or levelling is known to. */
static bool cut_to(struct cutter *c, size_t k, bool is_sure)
{
    if (runs_fit(c, k))
        assign_runs(c, k);
    else if (deal_fits(c, k, c->without))
        assign_deal(c, k);
    else if (is_sure || cut_level_if_cheap(c, k, c->without))
        assign_levelled(c, k);
    else
        return false;
    return true;
}

/* Tries numbers of shards upwards to `last`, all at first, then in growing strides. Ends at the first that fits (a deal
 * does at the latest where total / k + heaviest is within the cap). 0: none does. is_sure: `last` is known to. */
static size_t cut_with_fewest(struct cutter *c, size_t last, bool is_sure)
{
    const size_t first = fewest_shards(c);
    size_t k = first;

    while (k <= last) {
        if (cut_to(c, k, is_sure && k == last))
            return k;
        if (k == last)
            return 0;
        k = smaller(last, k + (k - first < TRIES_ONE_BY_ONE ? 1 : (k - first) / 4));
    }
    return 0;
}

/* Most shards of the minimum size that the lightest videos make; 0: not even one. */
static size_t most_shards(struct cutter *c)
{
    size_t low = 0;
    size_t high = c->count / c->min + 1;

    while (low + 1 < high) {
        const size_t k = low + (high - low) / 2;

        if (fits(c, k, c->count - k * c->min))
            low = k;
        else
            high = k;
    }
    return low;
}

/* Fewest of the heaviest that must go for a deal of the rest to k shards to fit; it fits with k * min of them. */
static size_t fewest_left_out(struct cutter *c, size_t k)
{
    const size_t room = c->count / c->max < k ? c->count : k * c->max;
    size_t low = c->count - room; /* so many must go anyway */
    size_t high = c->count - k * c->min;

    while (low < high) {
        const size_t without = low + (high - low) / 2;

        if (fits(c, k, without))
            high = without;
        else
            low = without + 1;
    }
    return high;
}

static bool too_few(struct err *err, const struct cutter *c, const char *code, const char *why)
{
    err_set(err, ERR_INPUT, false, HERE, "%zu videos make no batch: it takes at least %zu%s", c->count, c->min, why);
    return err_code(err, code);
}

static void read_limits(struct cutter *c, const struct cut_limits *limits)
{
    c->min = limits->min_records > 1 ? (size_t)limits->min_records : 1;
    c->max = limits->max_records > 0 ? (size_t)limits->max_records : SIZE_MAX;
    c->line = limits->line_bytes > 0 ? (uint64_t)limits->line_bytes : 0;
    c->cap = limits->max_job_bytes > 0 ? (uint64_t)limits->max_job_bytes : UINT64_MAX / 2;
    if (limits->max_file_bytes > 0 && c->line > 0)
        c->max = smaller(c->max, (size_t)((uint64_t)limits->max_file_bytes / c->line));
}

static bool cut_sorted(struct cutter *c, size_t *shards, struct err *err)
{
    size_t k = 0;
    size_t found = 0;

    leave_out(c, 0);
    found = cut_with_fewest(c, c->count / c->min, false);
    if (!found) {
        c->steps_left = most_steps;
        k = most_shards(c);
        if (k == 0)
            return too_few(err, c, "over_job_bytes",
                           ", and so many of the lightest are over the size of a job together");
        leave_out(c, fewest_left_out(c, k));
        found = cut_with_fewest(c, k, true);
    }
    *shards = found;
    return true;
}

bool cut(const uint32_t *weights, size_t count, const struct cut_limits *limits, int32_t *shard_of, size_t *shards,
         struct err *err)
{
    AUTO(free_u32) uint32_t *sorted = NULL;
    AUTO(free_u64) uint64_t *by_shard = NULL; /* sums, counts and heap in one */
    struct cutter c = { .weights = weights, .count = count, .order = shard_of, .steps_left = most_steps };

    read_limits(&c, limits);
    if (count < c.min)
        return too_few(err, &c, "below_minimum", "");
    if (c.max < c.min)
        return too_few(err, &c, "over_job_bytes", ", and so many lines are over the size of a file");
    if (count > INT32_MAX)
        return err_set(err, ERR_INPUT, false, HERE, "%zu videos are more than can be cut at once", count);
    sorted = mem_alloc(count, sizeof *sorted);
    by_shard = mem_alloc(count / c.min, sizeof *c.sums + sizeof *c.counts + sizeof *c.heap);
    if (!sorted || !by_shard)
        return err_memory(err, HERE);
    c.sorted = sorted;
    c.sums = by_shard;
    c.counts = (size_t *)(c.sums + count / c.min);
    c.heap = (int32_t *)(c.counts + count / c.min);
    sort_heaviest_first(&c);
    return cut_sorted(&c, shards, err);
}
