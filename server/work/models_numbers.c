/* What each number and word of the table is called in a document, and where a number lies in struct model_terms. */
#include "server/work/models_inside.h"

#define AT(field) offsetof(struct model_terms, field)
#define COUNTED(section, name, field, least, most)                                                                     \
    {                                                                                                                  \
        section, name, NUMBER_COUNT, AT(field), least, most, false, 0, false                                           \
    }
#define MAYBE(section, name, field, most)                                                                              \
    {                                                                                                                  \
        section, name, NUMBER_COUNT, AT(field), 1, most, true, 0, false                                                \
    }
#define PRICED(name, field)                                                                                            \
    {                                                                                                                  \
        "prices", name, NUMBER_DECIMAL, AT(prices.field), 0, ONE * 1000000, true, -1, true                             \
    }
#define ONE INT64_C(1000000) /* in millionths */
#define TERA INT64_C(1000000000000)

const struct number_fact number_facts[MODEL_NUMBERS] = {
    [MODEL_CONTEXT_TOKENS] = MAYBE("limits", "context_tokens", context_tokens, TERA),
    [MODEL_MAX_OUTPUT_TOKENS] = MAYBE("limits", "max_output_tokens", max_output_tokens, TERA),
    [MODEL_MIN_RECORDS] = { "quotas", "min_records", NUMBER_COUNT, AT(min_records), 1, ONE, false, 0, true },
    [MODEL_MAX_RECORDS_PER_JOB] = MAYBE("quotas", "max_records_per_job", max_records_per_job, 1000 * ONE),
    [MODEL_MAX_RECORDS_PER_FILE] = MAYBE("quotas", "max_records_per_file", max_records_per_file, 1000 * ONE),
    [MODEL_MAX_FILE_BYTES] = MAYBE("quotas", "max_file_bytes", max_file_bytes, 1000 * TERA),
    [MODEL_MAX_JOB_BYTES] = MAYBE("quotas", "max_job_bytes", max_job_bytes, 1000 * TERA),
    [MODEL_MAX_CONCURRENT_JOBS] = MAYBE("quotas", "max_concurrent_jobs", max_concurrent_jobs, ONE),
    [MODEL_MAX_VIDEO_BYTES] = COUNTED("quotas", "max_video_bytes", max_video_bytes, 1, TERA),
    [MODEL_JOB_BYTES_PERCENT] = COUNTED("planning", "job_bytes_percent", job_bytes_percent, 1, 100),
    [MODEL_JOB_BYTES_IF_UNPUBLISHED] =
        COUNTED("planning", "job_bytes_if_unpublished", job_bytes_if_unpublished, 1, 1000 * TERA),
    [MODEL_TOKENS_PER_FRAME] = { "video", "tokens_per_frame", NUMBER_COUNT, AT(tokens_per_frame), 0, ONE, false, 0,
                                 true },
    [MODEL_FRAMES_PER_SECOND] = { "video", "frames_per_second", NUMBER_COUNT, AT(frames_per_second), 0, 1000, false, 0,
                                  true },
    [MODEL_MAX_FRAMES] = { "video", "max_frames", NUMBER_COUNT, AT(max_frames), 0, ONE, false, 0, true },
    [MODEL_MAX_TOKENS_LEAST] = { "inference", "max_tokens_least", NUMBER_COUNT, AT(inference.max_tokens_least), 1, ONE,
                                 false, 0, true },
    [MODEL_MAX_TOKENS_MOST] = COUNTED("inference", "max_tokens_most", inference.max_tokens_most, 1, ONE),
    [MODEL_TEMPERATURE_LEAST] = { "inference", "temperature_least", NUMBER_DECIMAL, AT(inference.temperature_least), 0,
                                  ONE, false, 0, true },
    [MODEL_TEMPERATURE_MOST] = { "inference", "temperature_most", NUMBER_DECIMAL, AT(inference.temperature_most), 0,
                                 10 * ONE, false, 0, false },
    [MODEL_TOP_P_LEAST] = { "inference", "top_p_least", NUMBER_DECIMAL, AT(inference.top_p_least), 0, ONE, false, 0,
                            true },
    [MODEL_TOP_P_MOST] = { "inference", "top_p_most", NUMBER_DECIMAL, AT(inference.top_p_most), 0, ONE, false, 0,
                           false },
    [MODEL_TOP_K_LEAST] = { "inference", "top_k_least", NUMBER_COUNT, AT(inference.top_k_least), 0, ONE, false, 0,
                            true },
    [MODEL_TOP_K_MOST] = COUNTED("inference", "top_k_most", inference.top_k_most, 0, ONE),
    [MODEL_BATCH_INPUT] = PRICED("batch_input_per_million", batch_input),
    [MODEL_BATCH_OUTPUT] = PRICED("batch_output_per_million", batch_output),
    [MODEL_ON_DEMAND_INPUT] = PRICED("on_demand_input_per_million", on_demand_input),
    [MODEL_ON_DEMAND_OUTPUT] = PRICED("on_demand_output_per_million", on_demand_output),
};

const struct word_fact word_facts[MODEL_WORDS] = {
    [WORD_QUOTA_CODES] = { "quotas", "codes", true },    [WORD_QUOTA_SOURCE] = { "quotas", "source", false },
    [WORD_QUOTA_DATE] = { "quotas", "date", false },     [WORD_CURRENCY] = { "prices", "currency", false },
    [WORD_PRICE_SOURCE] = { "prices", "source", false }, [WORD_PRICE_DATE] = { "prices", "date", false },
    [WORD_PRICE_REGION] = { "prices", "region", false },
};
