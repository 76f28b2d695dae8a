/* The models that the service offers, with their quotas and prices: data (models.json, built in), not code. */
#ifndef VIDBATCH_WORK_MODELS_H
#define VIDBATCH_WORK_MODELS_H

#include "server/base/err.h"
#include "server/base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct model {        /* every count is 0 where AWS publishes none */
    const char *id;   /* "amazon.nova-lite-v1:0" */
    const char *name; /* "Nova Lite" */
    bool accepts_video;
    const char *lifecycle; /* "active", "legacy" */
    int64_t min_records, max_records_per_job, max_file_bytes, max_job_bytes, max_concurrent_jobs, max_output_tokens;
    const char *quota_source, *quota_date;
    const char *currency;
    const char *input_per_million, *output_per_million; /* batch price in us-east-1, decimal text */
    const char *on_demand_input_per_million, *on_demand_output_per_million;
    const char *price_source, *price_date;
    int64_t tokens_per_frame, max_frames;
    int64_t max_records_per_file, context_tokens;
    const char *note;         /* what else one should know of it */
    const char *quota_codes;  /* Service Quotas codes, JSON object */
    const char *availability; /* JSON object: in_region, through_profile, profiles, source, date */
};
struct models;
/* From the JSON text; ERR_INPUT names the member. Gives: models_free. */
MUST_CHECK struct models *models_load(struct span json, struct err *err);
/* The built-in table. */
MUST_CHECK struct models *models_builtin(struct err *err);
void models_free(struct models *models);
size_t models_count(const struct models *models);
const struct model *models_at(const struct models *models, size_t i);
/* The model behind a model id, an inference profile id ("us.amazon.nova-lite-v1:0") or an ARN of either; NULL when it
 * is none of ours (an application inference profile's ARN says nothing of its model: also NULL). */
const struct model *models_find(const struct models *models, struct span model_id);
/* Is it well-formed by AWS's pattern for modelId? */
bool models_id_ok(struct span model_id);

/* Cost in millionths of the currency of so many tokens at batch prices; -1 where the model is not known. */
int64_t models_batch_cost_micros(const struct model *model, int64_t input_tokens, int64_t output_tokens);

#endif
