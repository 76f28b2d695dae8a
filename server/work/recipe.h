/* A recipe is what makes two runs the same question: model, prompt, system text and inference parameters. */
#ifndef VIDBATCH_WORK_RECIPE_H
#define VIDBATCH_WORK_RECIPE_H

#include "server/base/span.h"

#include <stdbool.h>
#include <stdint.h>

struct recipe {
    struct span model_id, prompt, system; /* system may be empty */
    bool has_max_tokens, has_temperature, has_top_p, has_top_k;
    int64_t max_tokens, top_k;
    double temperature, top_p;
};
/* SHA-256 over an unambiguous form of it. Pure. */
void recipe_hash(const struct recipe *recipe, unsigned char out[32]);

#endif
