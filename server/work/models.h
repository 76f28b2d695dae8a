/* The models that the service offers, with their quotas and prices: data (models.json, built in, and what an operator's
 * file and settings put over it), not code. A loaded table is never written again: any thread. */
#ifndef VIDBATCH_WORK_MODELS_H
#define VIDBATCH_WORK_MODELS_H

#include "server/base/buf.h"
#include "server/base/err.h"
#include "server/base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The numbers of a model. What they are called and where they lie in struct model_terms is in models_numbers.c. */
enum model_number {
    MODEL_CONTEXT_TOKENS,
    MODEL_MAX_OUTPUT_TOKENS,
    MODEL_MIN_RECORDS,
    MODEL_MAX_RECORDS_PER_JOB,
    MODEL_MAX_RECORDS_PER_FILE,
    MODEL_MAX_FILE_BYTES,
    MODEL_MAX_JOB_BYTES,
    MODEL_MAX_CONCURRENT_JOBS,
    MODEL_MAX_VIDEO_BYTES,
    MODEL_JOB_BYTES_PERCENT,
    MODEL_JOB_BYTES_IF_UNPUBLISHED,
    MODEL_TOKENS_PER_FRAME,
    MODEL_FRAMES_PER_SECOND,
    MODEL_MAX_FRAMES,
    MODEL_MAX_TOKENS_LEAST,
    MODEL_MAX_TOKENS_MOST,
    MODEL_TEMPERATURE_LEAST,
    MODEL_TEMPERATURE_MOST,
    MODEL_TOP_P_LEAST,
    MODEL_TOP_P_MOST,
    MODEL_TOP_K_LEAST,
    MODEL_TOP_K_MOST,
    MODEL_BATCH_INPUT,
    MODEL_BATCH_OUTPUT,
    MODEL_ON_DEMAND_INPUT,
    MODEL_ON_DEMAND_OUTPUT,
    MODEL_NUMBERS
};

struct model {               /* what holds in every Region */
    const char *id;          /* "amazon.nova-lite-v1:0" */
    const char *name;        /* "Nova Lite" */
    const char *lifecycle;   /* "active", "legacy" */
    const char *end_of_life; /* the last day, "2026-09-14"; "" where none is known */
    const char *note;        /* what else one should know of it; "" */
    bool accepts_video;
};

struct model_inference { /* what may be asked for, both ends included */
    int64_t max_tokens_least, max_tokens_most;
    int64_t temperature_least, temperature_most; /* millionths */
    int64_t top_p_least, top_p_most;             /* millionths */
    int64_t top_k_least, top_k_most;
};

struct model_prices { /* micros of the currency for a million tokens; -1 unknown */
    int64_t batch_input, batch_output, on_demand_input, on_demand_output;
    const char *currency;     /* "USD"; NULL where nothing is known */
    const char *source;       /* "" where a file names none */
    const char *date;         /* "2026", "2026-10" or "2026-10-31"; "" where a file names none */
    const char *price_region; /* the Region that they were read for, which may be another one */
};

/* What holds for one model in one Region, all overrides applied. Texts are borrowed from the table and the caller of
 * models_terms. 0: AWS publishes none. */
struct model_terms {
    const struct model *model; /* NULL: an application inference profile, whose model nobody can know: terms of the most
                                  careful model, no prices */
    const char *key; /* model id of the table, or "application-inference-profile": slots and estimates are counted under
                        it */
    const char *region;
    int64_t min_records, max_records_per_job, max_records_per_file, max_file_bytes, max_job_bytes, max_concurrent_jobs,
        max_video_bytes, max_output_tokens, context_tokens;
    int64_t job_bytes_percent, job_bytes_if_unpublished;
    int64_t job_bytes_cap; /* planned cap of JSONL + video bytes of a shard: the percentage of max_job_bytes (or of what
                              stands in for it), or VIDBATCH_SHARD_BYTES */
    int64_t tokens_per_frame, frames_per_second, max_frames;
    bool batch_here;   /* batch offered in this Region, in one way or the other */
    bool bare_id_here; /* by the model's own id */
    bool is_profile;   /* it was named by an inference profile, or its ARN */
    bool profile_here; /* that profile can be called from this Region, as far as is known */
    char advice[300];  /* the words and the profile ids to use; "" where the model's own id will do */
    struct model_prices prices;
    struct model_inference inference;
    const char *quota_codes; /* JSON object of Service Quotas codes; NULL where none is known */
    const char *quota_source, *quota_date;
    const char *origins[MODEL_NUMBERS]; /* "built in", "VIDBATCH_MODELS_FILE", or the setting's name */
    const char *cap_origin;             /* of job_bytes_cap: "computed", or the setting's name */
};

/* An id of the kind behind which any model may be. */
#define MODEL_UNKNOWN_ARN "arn:aws:bedrock:us-east-1:000000000000:application-inference-profile/unknown"
#define MODEL_BUILT_IN "built in"
#define MODEL_FROM_FILE "VIDBATCH_MODELS_FILE"

struct model_settings { /* for all models, over the table and the file; 0: unset */
    const char *region; /* that the service works in; NULL: none */
    int64_t min_records, shard_records, shard_bytes, concurrent_jobs, max_video_bytes;
};

struct models;
/* The built-in table, over it the file (path NULL or "": none), over that the settings; then every rule over several
 * numbers is judged. ERR_INPUT names in `what` the member, the rule and the remedy, and *at_fault is the setting's name
 * (static text): "VIDBATCH_MODELS_FILE", "VIDBATCH_SHARD_RECORDS" ... Keeps settings->region. Gives: models_free. */
MUST_CHECK struct models *models_start(const char *path, const struct model_settings *settings, const char **at_fault,
                                       struct err *err);
/* The built-in table alone. */
MUST_CHECK struct models *models_builtin(struct err *err);
/* Puts a document over a table: models of the same id have their members replaced, others are added. origin: static
 * text, said of every number that comes from it. After a failure (ERR_INPUT names the member) the table is only good
 * for models_free. */
MUST_CHECK bool models_overlay(struct models *models, struct span json, const char *origin, struct err *err);
/* The rules over several numbers, and that no model lacks a member: look-ups may only be made in a table that passed.
 * ERR_INPUT, and *at_fault as models_start. */
MUST_CHECK bool models_judge(const struct models *models, const char **at_fault, struct err *err);
void models_free(struct models *models);
/* The Region that the service works in; "" for the built-in table alone. */
const char *models_home(const struct models *models);
size_t models_count(const struct models *models);
const struct model *models_at(const struct models *models, size_t i);
/* The model behind a model id, an inference profile id ("us.amazon.nova-lite-v1:0") or an ARN of either; NULL when it
 * is none of ours (an application inference profile's ARN says nothing of its model: also NULL). */
const struct model *models_find(const struct models *models, struct span model_id);
/* The profiles of a model that the table knows, with what it costs to go through one. */
size_t models_profiles(const struct models *models, const struct model *model);
const char *models_profile_at(const struct models *models, const struct model *model, size_t i);
/* Can it be called from the Region, as far as is known? */
bool models_profile_is_near(const struct models *models, const struct model *model, size_t i, const char *region);
/* Where batch inference with the model is offered: JSON of the four members, written into out. */
void models_availability_json(const struct models *models, const struct model *model, struct buf *out);

/* Is it well-formed by AWS's pattern for modelId? */
bool models_id_ok(struct span model_id);
/* Does it look like the name of a Region? */
bool models_region_ok(struct span region);

/* What holds for this model, profile or ARN in this Region. ERR_INPUT, code "model_unknown", for an id that is none of
 * the table's and no application inference profile. Keeps region. */
MUST_CHECK bool models_terms(const struct models *models, struct span model_id, const char *region,
                             struct model_terms *out, struct err *err);
/* The largest video that any model takes there: what a scan, which knows of no model, goes by. */
int64_t models_largest_video(const struct models *models, const char *region);

/* May a new job take this model here and now? NULL: yes, as far as the table knows. Else a stable code
 * ("model_no_video", "model_end_of_life", "batch_not_in_region", "profile_needed", "profile_not_in_region"), and
 * sentences for the client, with the remedy, appended to why. Pure. */
const char *model_refusal(const struct model_terms *terms, int64_t now_ms, struct buf *why);

/* Cost of so many tokens in micros of the currency, halves up; -1 unknown (no price, negative or too many tokens). */
int64_t model_cost_micros(const struct model_terms *terms, bool on_demand, int64_t input_tokens, int64_t output_tokens);
/* Days from the first day that the date can mean to now; -1 for "" */
int64_t model_date_age_days(const char *date, int64_t now_ms);
/* Millionths as a decimal number without needless zeros, "0.0175"; prices keep at least two decimals. */
enum { MODEL_DECIMAL_BYTES = 32 };
void model_decimal(int64_t micros, int least_decimals, char out[MODEL_DECIMAL_BYTES]);

#endif
