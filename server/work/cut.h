/* Cuts a job's videos into shards, each of which is one Bedrock batch job within every quota. Pure: no I/O, any thread.
 */
#ifndef VIDBATCH_WORK_CUT_H
#define VIDBATCH_WORK_CUT_H

#include "server/base/err.h"

#include <stddef.h>
#include <stdint.h>

struct cut_limits {         /* 0: no such limit */
    int64_t min_records;    /* fewest of a shard */
    int64_t max_records;    /* most of a shard */
    int64_t line_bytes;     /* upper bound of one line of the JSONL */
    int64_t max_file_bytes; /* of the JSONL */
    int64_t max_job_bytes;  /* JSONL and videos together */
};

/* weights   video bytes of the i-th video in key order, in KiB rounded up
 * shard_of  caller's, count items: gets 0 .. *shards - 1, or -1 for a video that is left out, for it is too heavy for
 *           the batches of at least the minimum that the others make; undefined after a failure
 * shards    as few as the quotas ask for, where runs in key order, an even deal by weight or levelling reach that;
 *           none is under the minimum or over any limit
 * err       ERR_INPUT with code "below_minimum" when there are fewer than min_records, "over_job_bytes" when so many of
 *           the lightest are over a limit of bytes together; ERR_MEMORY
 *
 * A few passes over the weights after a radix sort; takes 4 bytes an item and 20 a shard for the time of the call.
 * The same input gives the same cut. */
MUST_CHECK bool cut(const uint32_t *weights, size_t count, const struct cut_limits *limits, int32_t *shard_of,
                    size_t *shards, struct err *err);

#endif
