/* How many tokens a plan will take and what it will cost. Pure.
 *
 * Input: Nova reads so many frames a second of a video, at most a number, at so many tokens each (the table of models
 * says them); a video of unknown length is taken at that number, at one frame for the low estimate. The texts count a
 * token for every four bytes, begun ones too (six for the low, two for the high estimate). Output: 300 tokens a video,
 * or max_tokens where that is less; at most max_tokens, or what the model can; at least 20. Both are corrected by what
 * finished shards of the model in the Region really took. */
#ifndef VIDBATCH_WORK_PLAN_ESTIMATE_H
#define VIDBATCH_WORK_PLAN_ESTIMATE_H

#include "server/work/models.h"
#include "sql/estimate_store.h"

#include <stdbool.h>
#include <stdint.h>

struct plan_totals { /* of a plan or of one shard */
    int64_t records, video_bytes, frames, unknown, duration_ms;
    int64_t input_bytes; /* of the JSONL: an upper bound */
};
struct plan_question {  /* what every record asks */
    int64_t text_bytes; /* prompt and system */
    int64_t max_tokens; /* 0: not given */
};
struct plan_range {
    int64_t low, expected, high;
};
struct plan_estimate {
    struct plan_range input, output;   /* tokens */
    bool has_cost, has_on_demand;      /* the prices are known */
    struct plan_range cost, on_demand; /* millionths of the currency; cost: by the plan's own route */
    double factor_input, factor_output;
    int64_t based_on;     /* records; 0: nothing has been learned yet, the factors are 1 */
    double error_percent; /* by how much the input estimates of those missed, before they were corrected */
};

/* Before correction: what is stored with a shard and later held against what it took. */
int64_t plan_raw_input(const struct model_terms *terms, const struct plan_question *question,
                       const struct plan_totals *totals);
int64_t plan_raw_output(const struct model_terms *terms, const struct plan_question *question, int64_t records);
void plan_estimate(const struct model_terms *terms, const struct plan_question *question,
                   const struct plan_totals *totals, const struct estimate_fit *fit, bool on_demand,
                   struct plan_estimate *out);

#endif
