/* What the terms of a model come to: may it be taken, what does it cost, how old is a price. Pure. */
#include "server/work/models.h"

#include "server/base/clock.h"
#include "server/base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const int64_t day_ms = INT64_C(86400000);

const char *model_refusal(const struct model_terms *terms, int64_t now_ms, struct buf *why)
{
    const struct model *model = terms->model;
    char today[CLOCK_RFC3339_SIZE];

    if (!model)
        return NULL;
    if (!model->accepts_video) {
        buf_fmt(why, "%s takes no video. Choose a model with \"accepts_video\": true.", model->name);
        return "model_no_video";
    }
    clock_rfc3339(now_ms, today);
    if (model->end_of_life && model->end_of_life[0] && strncmp(today, model->end_of_life, 10) > 0) {
        buf_fmt(why,
                "%s reached its end of life on %s: AWS refuses it. Choose a model whose \"lifecycle\" is \"active\".",
                model->name, model->end_of_life);
        return "model_end_of_life";
    }
    if (!terms->batch_here) {
        buf_text(why, terms->advice);
        return "batch_not_in_region";
    }
    if (!terms->is_profile && !terms->bare_id_here) {
        buf_text(why, terms->advice);
        return "profile_needed";
    }
    if (terms->is_profile && !terms->profile_here) {
        if (terms->bare_id_here)
            buf_fmt(why, "This inference profile cannot be called from %s: use the model's own id, %s.", terms->region,
                    model->id);
        else
            buf_fmt(why, "This inference profile cannot be called from %s. %s", terms->region, terms->advice);
        return "profile_not_in_region";
    }
    return NULL;
}

int64_t model_cost_micros(const struct model_terms *terms, bool on_demand, int64_t input_tokens, int64_t output_tokens)
{
    int64_t in = on_demand ? terms->prices.on_demand_input : terms->prices.batch_input;
    int64_t out = on_demand ? terms->prices.on_demand_output : terms->prices.batch_output;
    int64_t sum = 0;

    if (in < 0 || out < 0 || input_tokens < 0 || output_tokens < 0)
        return -1;
    if (__builtin_mul_overflow(in, input_tokens, &in) || __builtin_mul_overflow(out, output_tokens, &out) ||
        __builtin_add_overflow(in, out, &sum) || __builtin_add_overflow(sum, INT64_C(500000), &sum))
        return -1;
    return sum / 1000000;
}

int64_t model_date_age_days(const char *date, int64_t now_ms)
{
    static const char first[] = "0000-01-01T00:00:00Z";
    char text[sizeof first];
    const size_t len = strlen(date);
    int64_t then_ms = 0;

    if (len != 4 && len != 7 && len != 10)
        return -1;
    memcpy(text, first, sizeof first);
    memcpy(text, date, len);
    if (!clock_parse_rfc3339(span_of(text), &then_ms))
        return -1;
    return now_ms > then_ms ? (now_ms - then_ms) / day_ms : 0;
}

void model_decimal(int64_t micros, int least_decimals, char out[MODEL_DECIMAL_BYTES])
{
    int decimals = 6;

    snprintf(out, MODEL_DECIMAL_BYTES, "%" PRId64 ".%06" PRId64, micros / 1000000, micros % 1000000);
    while (decimals > least_decimals && out[strlen(out) - 1] == '0') {
        out[strlen(out) - 1] = 0;
        decimals--;
    }
    if (decimals == 0)
        out[strlen(out) - 1] = 0; /* the point */
}
