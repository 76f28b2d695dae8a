/* Any bytes as an operator's file of models. Whatever is taken must leave a table that every look-up can use. */
#include "server/work/models.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void look(const struct models *models, struct span id, const char *region)
{
    AUTO(buf_done) struct buf why = { .max = 4096 };
    struct model_terms terms;
    struct err err = { 0 };

    if (!models_terms(models, id, region, &terms, &err)) {
        if (err.kind != ERR_INPUT)
            abort();
        return;
    }
    (void)model_refusal(&terms, INT64_C(1793534400000), &why);
    if (model_cost_micros(&terms, false, 1000000, 1000) < -1 || terms.min_records < 1 || terms.job_bytes_cap < 0)
        abort();
}

static void look_all(const struct models *models)
{
    for (size_t i = 0; i < models_count(models); i++) {
        AUTO(buf_done) struct buf where = { .max = 1 << 20 };
        const struct model *model = models_at(models, i);

        models_availability_json(models, model, &where);
        look(models, span_of(model->id), "us-east-1");
        for (size_t p = 0; p < models_profiles(models, model); p++)
            look(models, span_of(models_profile_at(models, model, p)), "eu-west-1");
    }
    look(models, SPAN_LIT(MODEL_UNKNOWN_ARN), "us-east-1");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const char *at_fault = NULL;
    struct err err = { 0 };
    struct models *models = models_builtin(&err);

    if (!models)
        abort();
    if (models_overlay(models, (struct span){ (const char *)data, len }, MODEL_FROM_FILE, &err) &&
        models_judge(models, &at_fault, &err))
        look_all(models);
    else if (err.kind == ERR_NONE)
        abort();
    models_free(models);
    return 0;
}
