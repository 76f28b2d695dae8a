#include "server/work/cut.h"

#include "server/base/mem.h"
#include "tests/support/test.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST = 1200, KIB = 1024 };

static uint64_t state;

static uint64_t next(void) /* xorshift: the same mixes in every run */
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static uint64_t below(uint64_t n)
{
    return n ? next() % n : 0;
}

static uint64_t item_bytes(uint32_t weight, const struct cut_limits *limits)
{
    return (uint64_t)weight * KIB + (uint64_t)limits->line_bytes;
}

/* Even runs in key order of all the videos: do they fit? */
static bool even_runs_fit(const uint32_t *weights, size_t count, size_t k, const struct cut_limits *limits)
{
    size_t at = 0;

    for (size_t run = 0; run < k; run++) {
        const size_t n = count / k + (run < count % k);
        uint64_t sum = 0;

        for (size_t i = 0; i < n; i++)
            sum += item_bytes(weights[at++], limits);
        if ((int64_t)n < limits->min_records || (limits->max_records && (int64_t)n > limits->max_records) ||
            (limits->max_file_bytes && (int64_t)n * limits->line_bytes > limits->max_file_bytes) ||
            (limits->max_job_bytes && sum > (uint64_t)limits->max_job_bytes))
            return false;
    }
    return true;
}

struct shape {
    size_t records;
    uint64_t bytes;
};

/* Every quota kept, no shard empty or under the minimum, no video lost or twice, none left out that is lighter than one
 * that runs. */
static void check_shards(const uint32_t *weights, size_t count, const struct cut_limits *limits,
                         const int32_t *shard_of, size_t shards)
{
    static struct shape shape[MOST];
    uint32_t heaviest_in = 0, lightest_out = UINT32_MAX;

    memset(shape, 0, sizeof shape);
    for (size_t i = 0; i < count; i++) {
        if (!CHECK(shard_of[i] >= -1 && shard_of[i] < (int64_t)shards))
            return;
        if (shard_of[i] < 0) {
            lightest_out = weights[i] < lightest_out ? weights[i] : lightest_out;
            continue;
        }
        heaviest_in = weights[i] > heaviest_in ? weights[i] : heaviest_in;
        shape[shard_of[i]].records++;
        shape[shard_of[i]].bytes += item_bytes(weights[i], limits);
    }
    CHECK(lightest_out >= heaviest_in);
    for (size_t s = 0; s < shards; s++) {
        const int64_t records = (int64_t)shape[s].records;

        CHECK(records > 0 && records >= limits->min_records);
        CHECK(!limits->max_records || records <= limits->max_records);
        CHECK(!limits->max_file_bytes || records * limits->line_bytes <= limits->max_file_bytes);
        CHECK(!limits->max_job_bytes || shape[s].bytes <= (uint64_t)limits->max_job_bytes);
    }
}

static size_t left_out(const int32_t *shard_of, size_t count)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++)
        n += shard_of[i] < 0;
    return n;
}

/* A batch of the minimum size of the lightest: fits it? If not, nothing does. */
static bool any_fits(const uint32_t *weights, size_t count, const struct cut_limits *limits)
{
    const size_t min = limits->min_records > 1 ? (size_t)limits->min_records : 1;
    static uint32_t sorted[MOST];
    uint64_t sum = 0;

    if (count < min || (limits->max_records && (int64_t)min > limits->max_records) ||
        (limits->max_file_bytes && (int64_t)min * limits->line_bytes > limits->max_file_bytes))
        return false;
    memcpy(sorted, weights, count * sizeof *sorted);
    for (size_t i = 1; i < count; i++) /* insertion: slow and simple */
        for (size_t j = i; j > 0 && sorted[j] < sorted[j - 1]; j--) {
            const uint32_t swap = sorted[j];
            sorted[j] = sorted[j - 1];
            sorted[j - 1] = swap;
        }
    for (size_t i = 0; i < min; i++)
        sum += item_bytes(sorted[i], limits);
    return !limits->max_job_bytes || sum <= (uint64_t)limits->max_job_bytes;
}

static void check_minimal(const uint32_t *weights, size_t count, const struct cut_limits *limits,
                          const int32_t *shard_of, size_t shards)
{
    const size_t min = limits->min_records > 1 ? (size_t)limits->min_records : 1;
    const size_t out = left_out(shard_of, count);
    uint64_t total = 0, heaviest = 0;

    for (size_t i = 0; i < count; i++) {
        const uint64_t bytes = item_bytes(weights[i], limits);
        total += bytes;
        heaviest = bytes > heaviest ? bytes : heaviest;
    }
    for (size_t k = 1; k <= count / min; k++) {
        const size_t widest = count / k + (count % k > 0);
        const bool counts_fit =
            (!limits->max_records || (int64_t)widest <= limits->max_records) &&
            (!limits->max_file_bytes || (int64_t)widest * limits->line_bytes <= limits->max_file_bytes);

        if (even_runs_fit(weights, count, k, limits)) {
            CHECK(out == 0);
            CHECK(shards <= k || k > 16);
            break;
        }
        /* an even deal must fit: nothing may have been left out */
        if (counts_fit && (!limits->max_job_bytes || total / k + 1 + heaviest <= (uint64_t)limits->max_job_bytes))
            CHECK(out == 0);
    }
}

static void check_mix(const uint32_t *weights, size_t count, const struct cut_limits *limits)
{
    static int32_t shard_of[MOST];
    struct err err = { 0 };
    size_t shards = 0;
    const bool done = cut(weights, count, limits, shard_of, &shards, &err);

    CHECK(done == any_fits(weights, count, limits));
    if (!done) {
        CHECK_I64(err.kind, ERR_INPUT);
        CHECK_TEXT(err.code, (int64_t)count < limits->min_records ? "below_minimum" : "over_job_bytes");
        return;
    }
    if (!CHECK(shards > 0 && shards <= count))
        return;
    check_shards(weights, count, limits, shard_of, shards);
    check_minimal(weights, count, limits, shard_of, shards);
}

enum mix { EQUAL, ONE_GIANT, NEAR_CAP, UNIFORM, SKEWED, RISING, HALF_GIANTS, ZEROS, MIXES };

static void fill(uint32_t *weights, size_t count, enum mix mix, uint64_t cap_kib)
{
    for (size_t i = 0; i < count; i++) {
        const uint64_t w[MIXES] = {
            [EQUAL] = cap_kib / 50,
            [ONE_GIANT] = i == count / 3 ? cap_kib : 1 + below(cap_kib / 100),
            [NEAR_CAP] = below(4) ? cap_kib - below(cap_kib / 10 + 1) : below(cap_kib / 50 + 1),
            [UNIFORM] = below(cap_kib / 10 + 1),
            [SKEWED] = cap_kib >> (1 + below(20)),
            [RISING] = cap_kib * i / (count * 20),
            [HALF_GIANTS] = i % 2 ? cap_kib * 2 : below(3),
            [ZEROS] = 0,
        };
        weights[i] = (uint32_t)w[mix];
    }
}

static void test_mixes(void)
{
    static uint32_t weights[MOST];
    int cases = 0;

    state = 0x5EED5EED5EED5EEDULL;
    for (int round = 0; round < 6000; round++) {
        const int64_t min = 1 + (int64_t)below(12);
        const int64_t max = below(3) ? 2 * min - 1 + (int64_t)below(40) : (below(2) ? 0 : min + (int64_t)below(5));
        const size_t counts[] = { (size_t)min - 1, (size_t)min,   2 * (size_t)min - 1, 2 * (size_t)min, (size_t)max,
                                  (size_t)max + 1, 1 + below(60), 1 + below(400),      1 + below(MOST) };
        const size_t count = counts[below(sizeof counts / sizeof counts[0])];
        const uint64_t cap_kib = 1 + below(1 + below(1000000));
        const struct cut_limits limits = {
            .min_records = min,
            .max_records = max,
            .line_bytes = (int64_t)below(700),
            .max_file_bytes = below(2) ? 0 : (int64_t)below(40000),
            .max_job_bytes = below(8) ? (int64_t)(cap_kib * KIB) : 0,
        };
        const enum mix mix = (enum mix)below(MIXES);

        fill(weights, count, mix, cap_kib);
        test_case("round %d: mix %d, %zu videos, min %" PRId64 " max %" PRId64 " line %" PRId64 " file %" PRId64
                  " job %" PRId64,
                  round, mix, count, limits.min_records, limits.max_records, limits.line_bytes, limits.max_file_bytes,
                  limits.max_job_bytes);
        check_mix(weights, count, &limits);
        cases++;
    }
    test_case(NULL);
    CHECK_I64(cases, 6000);
}

static void test_table(void)
{
    static const struct {
        const char *what;
        size_t count;
        uint32_t weight, giant; /* KiB; giant: of the third video, 0: none */
        struct cut_limits limits;
        size_t shards, out; /* shards 0: below the minimum */
    } cases[] = {
        { "one under the minimum", 99, 1, 0, { 100, 1000, 500, 0, 0 }, 0, 0 },
        { "the minimum", 100, 1, 0, { 100, 1000, 500, 0, 0 }, 1, 0 },
        { "two minima less one", 199, 1, 0, { 100, 1000, 500, 0, 0 }, 1, 0 },
        { "as many as one takes", 1000, 1, 0, { 100, 1000, 500, 0, 0 }, 1, 0 },
        { "one more: no tail of one", 1001, 1, 0, { 100, 1000, 500, 0, 0 }, 2, 0 },
        { "no limit but the minimum", 1100, 1, 0, { 100, 0, 0, 0, 0 }, 1, 0 },
        { "lines fill the file", 1000, 0, 0, { 10, 0, 100, 50000, 0 }, 2, 0 },
        { "lines do not fit a file at all", 1000, 0, 0, { 10, 0, 100, 999, 0 }, 0, 0 },
        { "lines count in the job's bytes too", 1000, 0, 0, { 10, 0, 1024, 0, 512000 }, 2, 0 },
        { "videos fill jobs exactly", 1000, 10, 0, { 10, 0, 0, 0, 100 * 10 * KIB }, 10, 0 },
        { "a giant beside light ones", 1000, 1, 900, { 10, 0, 0, 0, 1000 * KIB }, 2, 0 },
        { "a giant in a full batch: fewer beside it", 1000, 34, 900, { 90, 0, 0, 0, 4500 * KIB }, 8, 0 },
        { "a giant over the cap is left out", 1000, 1, 1001, { 10, 0, 0, 0, 1000 * KIB }, 1, 1 },
        { "a giant over the cap of just enough", 10, 1, 1001, { 10, 0, 0, 0, 1000 * KIB }, 0, 0 },
        { "a giant that no nine others can join", 12, 20, 900, { 10, 0, 0, 0, 1000 * KIB }, 1, 1 },
        { "all too heavy", 1000, 200, 0, { 10, 0, 0, 0, 1000 * KIB }, 0, 0 },
        { "a maximum under two minima leaves a gap", 130, 1, 0, { 100, 120, 0, 0, 0 }, 1, 10 },
        { "none at all", 0, 1, 0, { 1, 10, 0, 0, 0 }, 0, 0 },
        { "the heaviest there are", 1000, UINT32_MAX, 0, { 1, 0, 0, 0, 0 }, 1, 0 },
    };
    static uint32_t weights[MOST];
    static int32_t shard_of[MOST];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err err = { 0 };
        size_t shards = 0;

        test_case("%s", cases[i].what);
        for (size_t v = 0; v < cases[i].count; v++)
            weights[v] = cases[i].giant && v == 2 ? cases[i].giant : cases[i].weight;
        CHECK(cut(weights, cases[i].count, &cases[i].limits, shard_of, &shards, &err) == (cases[i].shards > 0));
        CHECK_I64(shards, cases[i].shards);
        if (shards)
            CHECK_I64(left_out(shard_of, cases[i].count), cases[i].out);
        check_mix(weights, cases[i].count, &cases[i].limits);
    }
    test_case(NULL);
}

/* Can the items that are left be put into shards at all, in any way? By trying all. */
static bool any_way(const uint32_t *weights, size_t count, const struct cut_limits *limits, struct shape *shards,
                    size_t k)
{
    if (count == 0) {
        for (size_t s = 0; s < k; s++)
            if ((int64_t)shards[s].records < limits->min_records)
                return false;
        return true;
    }
    for (size_t s = 0; s < k; s++) {
        const struct shape before = shards[s];
        bool found = false;

        shards[s].records++;
        shards[s].bytes += item_bytes(weights[0], limits);
        found =
            shards[s].bytes <= (uint64_t)limits->max_job_bytes && any_way(weights + 1, count - 1, limits, shards, k);
        shards[s] = before;
        if (found)
            return true;
    }
    return false;
}

/* Fewest of the heaviest that must be left out; weights are in falling order. */
static size_t best_left_out(const uint32_t *weights, size_t count, const struct cut_limits *limits)
{
    for (size_t out = 0; out < count; out++)
        for (size_t k = 1; k <= (count - out) / (size_t)limits->min_records; k++) {
            struct shape shards[8] = { 0 };

            if (any_way(weights + out, count - out, limits, shards, k))
                return out;
        }
    return count;
}

/* Cutting is bin packing, so not always the best is found; but nearly, and never nothing where something runs. */
static void test_against_the_best(void)
{
    static int32_t shard_of[8];
    int judged = 0, as_good = 0;

    state = 42;
    for (int round = 0; round < 20000; round++) {
        const size_t count = 1 + below(7);
        const struct cut_limits limits = { .min_records = 1 + (int64_t)below(3), .max_job_bytes = 100 * KIB };
        uint32_t weights[8];
        struct err err = { 0 };
        size_t shards = 0, best = 0;

        for (size_t i = 0; i < count; i++) { /* in falling order */
            weights[i] = (uint32_t)below(90);
            for (size_t j = i; j > 0 && weights[j] > weights[j - 1]; j--) {
                const uint32_t swap = weights[j];
                weights[j] = weights[j - 1];
                weights[j - 1] = swap;
            }
        }
        best = best_left_out(weights, count, &limits);
        test_case("round %d", round);
        CHECK(cut(weights, count, &limits, shard_of, &shards, &err) == (best < count));
        if (best == count)
            continue;
        judged++;
        as_good += left_out(shard_of, count) == best;
    }
    test_case(NULL);
    printf("  as few left out as can be: %d of %d\n", as_good, judged);
    CHECK(judged > 10000 && as_good >= judged / 100 * 98);
}

/* Where nothing speaks against it, neighbours stay together: shards are runs in key order. */
static void test_order(void)
{
    static uint32_t weights[MOST];
    static int32_t shard_of[MOST];
    const struct cut_limits limits = { .min_records = 100, .max_records = 250 };
    struct err err = { 0 };
    size_t shards = 0;

    CHECK(cut(weights, 1001, &limits, shard_of, &shards, &err));
    CHECK_I64(shards, 5);
    for (size_t i = 1; i < 1001; i++)
        CHECK(shard_of[i] == shard_of[i - 1] || shard_of[i] == shard_of[i - 1] + 1);
}

/* A million in a moment, however they lie. */
static void test_million(void)
{
    enum { COUNT = 1000000 };
    static uint32_t weights[COUNT];
    static int32_t shard_of[COUNT];
    struct cut_limits limits = { 100, 100000, 700, 1000000000, INT64_C(90000000000) };

    state = 1;
    for (enum mix mix = EQUAL; mix < MIXES; mix++) {
        struct err err = { 0 };
        size_t shards = 0;
        clock_t took = 0;

        test_case("mix %d", mix);
        fill(weights, COUNT, mix,
             (uint64_t)limits.max_job_bytes / KIB / (mix == NEAR_CAP || mix == HALF_GIANTS ? 90 : 1000));
        took = clock();
        CHECK(cut(weights, COUNT, &limits, shard_of, &shards, &err));
        took = (clock() - took) / (CLOCKS_PER_SEC / 1000);
        CHECK(shards >= 10);
        CHECK(took < 4000); /* of processor time; usually below 300: this only catches another order of growth */
        printf("  mix %d: %zu shards, %zu left out, %ld ms\n", mix, shards, left_out(shard_of, COUNT), (long)took);
    }
    test_case(NULL);
}

static void test_out_of_memory(void)
{
    const struct cut_limits limits = { .min_records = 2 };
    uint32_t weights[10] = { 0 };
    int32_t shard_of[10];
    size_t shards = 0;

    for (uint64_t n = 1; n <= 2; n++) {
        struct err err = { 0 };

        mem_fail_at(n);
        CHECK(!cut(weights, 10, &limits, shard_of, &shards, &err));
        mem_fail_never();
        CHECK_I64(err.kind, ERR_MEMORY);
    }
}

static const struct test tests[] = {
    { "a table of cuts", test_table },
    { "6000 mixes keep every quota and lose nothing", test_mixes },
    { "against the best there is", test_against_the_best },
    { "neighbours stay together", test_order },
    { "a million", test_million },
    { "out of memory", test_out_of_memory },
};
TEST_MAIN("cut", tests)
