#include "server/work/recipe.h"

#include "server/base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { HASH_BYTES = 32, PARAMETER_BYTES = 32 };

/* "-" where the parameter is not given: no number is written so. */
static void put_count(char out[PARAMETER_BYTES], bool has, int64_t n)
{
    if (has)
        snprintf(out, PARAMETER_BYTES, "%" PRId64, n);
    else
        snprintf(out, PARAMETER_BYTES, "-");
}

static void put_number(char out[PARAMETER_BYTES], bool has, double x)
{
    if (has)
        snprintf(out, PARAMETER_BYTES, "%.17g", x == 0 ? 0.0 : x); /* -0 asks the same question as 0 */
    else
        snprintf(out, PARAMETER_BYTES, "-");
}

/* Parts of fixed size, one after the other, so that no two recipes have the same form; texts go in as their own hashes,
 * which needs no memory. The form must never change: it decides which videos are done. */
void recipe_hash(const struct recipe *recipe, unsigned char out[32])
{
    struct {
        unsigned char texts[3][HASH_BYTES];
        char parameters[4][PARAMETER_BYTES];
    } form;

    memset(&form, 0, sizeof form);
    text_sha256(recipe->model_id.ptr, recipe->model_id.len, form.texts[0]);
    text_sha256(recipe->prompt.ptr, recipe->prompt.len, form.texts[1]);
    text_sha256(recipe->system.ptr, recipe->system.len, form.texts[2]);
    put_count(form.parameters[0], recipe->has_max_tokens, recipe->max_tokens);
    put_number(form.parameters[1], recipe->has_temperature, recipe->temperature);
    put_number(form.parameters[2], recipe->has_top_p, recipe->top_p);
    put_count(form.parameters[3], recipe->has_top_k, recipe->top_k);
    text_sha256(&form, sizeof form, out);
}
