#include "server/work/lines.h"

struct batch_input *lines_new(const struct job_row *job, struct span owner, struct err *err)
{
    const struct batch_inference inference = { job->has_max_tokens, job->has_temperature,
                                               job->has_top_p,      job->has_top_k,
                                               job->max_tokens,     job->top_k,
                                               job->temperature,    job->top_p };

    return batch_input_new(span_of(job->prompt), span_of(job->system), &inference, owner, err);
}

void lines_free(struct batch_input **input)
{
    batch_input_free(*input);
}
