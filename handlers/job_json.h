/* The JSON forms of a job and of its shards. */
#ifndef VIDBATCH_HANDLERS_JOB_JSON_H
#define VIDBATCH_HANDLERS_JOB_JSON_H

#include "handlers/app.h"
#include "server/base/json_writer.h"
#include "sql/job_store.h"
#include "sql/shard_store.h"

#include <stdbool.h>
#include <stdint.h>

/* app: for what the tokens cost. */
void job_json(struct json_writer *w, const struct job_row *job, const struct handlers_app *app);
/* The same, inside an object that the caller began. */
void job_json_members(struct json_writer *w, const struct job_row *job, const struct handlers_app *app);
/* The members that a job and a plan share: what is asked of which videos, and how. */
void job_question_json(struct json_writer *w, const struct job_row *job);
struct slot_wait {       /* of a shard; zeroed: it is in no queue */
    int64_t position;    /* in the queue for a slot, from 1 */
    const char *refused; /* why AWS refused another job, "quota" or "throttled"; NULL: nothing stands in the way */
    int64_t until_ms;    /* until then nobody asks again */
};
void shard_json(struct json_writer *w, const struct shard_row *shard, const struct slot_wait *wait);

struct inference {
    bool has_max_tokens, has_temperature, has_top_p, has_top_k;
    int64_t max_tokens, top_k;
    double temperature, top_p;
};
/* "inference": what was set; null for the rest. */
void inference_json(struct json_writer *w, const struct inference *inference);
/* "usage": {"input_tokens", "output_tokens"}; null where it is not known. */
void usage_json(struct json_writer *w, bool has_input, int64_t input_tokens, bool has_output, int64_t output_tokens);

#endif
