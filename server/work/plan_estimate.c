#include "server/work/plan_estimate.h"

#include "server/base/least.h"

#include <math.h>

enum { USUAL_OUTPUT = 300, LEAST_OUTPUT = 20, UNKNOWN_MODEL_OUTPUT = 5000 };
enum { BYTES_PER_TOKEN_LOW = 6, BYTES_PER_TOKEN = 4, BYTES_PER_TOKEN_HIGH = 2 };
/* A correction beyond this says that something else is wrong. */
static const double factor_min = 0.05, factor_max = 20;

static int64_t text_tokens(const struct plan_question *question, int64_t bytes_per_token)
{
    return (question->text_bytes + bytes_per_token - 1) / bytes_per_token;
}

static int64_t most_output(const struct model_terms *terms, const struct plan_question *question)
{
    const int64_t most = terms->max_output_tokens > 0 ? terms->max_output_tokens : UNKNOWN_MODEL_OUTPUT;

    return question->max_tokens > 0 ? least(question->max_tokens, most) : most;
}

static int64_t input_of(const struct model_terms *terms, const struct plan_totals *totals, int64_t unknown_frames,
                        int64_t text)
{
    return terms->tokens_per_frame * (totals->frames + totals->unknown * unknown_frames) + totals->records * text;
}

int64_t plan_raw_input(const struct model_terms *terms, const struct plan_question *question,
                       const struct plan_totals *totals)
{
    return input_of(terms, totals, terms->max_frames, text_tokens(question, BYTES_PER_TOKEN));
}

int64_t plan_raw_output(const struct model_terms *terms, const struct plan_question *question, int64_t records)
{
    return records * least(USUAL_OUTPUT, most_output(terms, question));
}

static double factor_of(int64_t taken, int64_t estimated)
{
    const double factor = estimated > 0 && taken > 0 ? (double)taken / (double)estimated : 1;

    return fmin(fmax(factor, factor_min), factor_max);
}

static int64_t times(int64_t n, double factor)
{
    return (int64_t)llround((double)n * factor);
}

/* The cost of low, expected and high; false where a price is not known. */
static bool price(const struct model_terms *terms, bool on_demand, const struct plan_estimate *estimate,
                  struct plan_range *out)
{
    out->low = model_cost_micros(terms, on_demand, estimate->input.low, estimate->output.low);
    out->expected = model_cost_micros(terms, on_demand, estimate->input.expected, estimate->output.expected);
    out->high = model_cost_micros(terms, on_demand, estimate->input.high, estimate->output.high);
    return out->low >= 0 && out->expected >= 0 && out->high >= 0;
}

void plan_estimate(const struct model_terms *terms, const struct plan_question *question,
                   const struct plan_totals *totals, const struct estimate_fit *fit, bool on_demand,
                   struct plan_estimate *out)
{
    const int64_t raw_input = plan_raw_input(terms, question, totals);
    const int64_t most = totals->records * most_output(terms, question);
    const int64_t low = input_of(terms, totals, 1, text_tokens(question, BYTES_PER_TOKEN_LOW));
    const int64_t high = input_of(terms, totals, terms->max_frames, text_tokens(question, BYTES_PER_TOKEN_HIGH));

    *out = (struct plan_estimate){ .based_on = fit->records };
    out->factor_input = factor_of(fit->input_tokens, fit->estimated_input_tokens);
    out->factor_output = factor_of(fit->output_tokens, fit->estimated_output_tokens);
    if (fit->records > 0 && fit->input_tokens > 0)
        out->error_percent =
            100.0 * fabs((double)(fit->estimated_input_tokens - fit->input_tokens)) / (double)fit->input_tokens;
    out->input.expected = times(raw_input, out->factor_input);
    out->input.low = least(times(low, fmin(out->factor_input, 1)), out->input.expected);
    out->input.high = times(high, fmax(out->factor_input, 1));
    out->output.high = most;
    out->output.expected = least(times(plan_raw_output(terms, question, totals->records), out->factor_output), most);
    out->output.low = least(totals->records * LEAST_OUTPUT, out->output.expected);
    out->has_cost = price(terms, on_demand, out, &out->cost);
    out->has_on_demand = price(terms, true, out, &out->on_demand);
}
