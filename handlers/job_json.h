/* The JSON forms of a job and of its shards. */
#ifndef VIDBATCH_HANDLERS_JOB_JSON_H
#define VIDBATCH_HANDLERS_JOB_JSON_H

#include "server/base/json_writer.h"
#include "server/work/models.h"
#include "sql/job_store.h"
#include "sql/shard_store.h"

#include <stdbool.h>
#include <stdint.h>

/* models: for what the tokens cost. */
void job_json(struct json_writer *w, const struct job_row *job, const struct models *models);
/* position: in the queue for a slot; 0: it is not in it. */
void shard_json(struct json_writer *w, const struct shard_row *shard, int64_t position);

struct inference {
    bool has_max_tokens, has_temperature, has_top_p, has_top_k;
    int64_t max_tokens, top_k;
    double temperature, top_p;
};
/* "inference": what was set; null for the rest. */
void inference_json(struct json_writer *w, const struct inference *inference);
/* "usage": {"input_tokens", "output_tokens"}; null where it is not known. */
void usage_json(struct json_writer *w, bool has_input, int64_t input_tokens, bool has_output, int64_t output_tokens);
/* Millionths as decimal text: 1234567 is "1.234567". */
enum { MONEY_BYTES = 32 };
void money_text(int64_t micros, char out[MONEY_BYTES]);

#endif
