#include "handlers/job_input.h"

#include "handlers/app.h"
#include "handlers/common.h"
#include "server/base/clock.h"
#include "server/base/id.h"
#include "server/work/recipe.h"

#include <stdlib.h>
#include <string.h>

void job_input_done(struct job_input *in)
{
    free(in->metadata); /* Jansson's */
}

static void read_prefix(struct fields *f, struct job_new *row)
{
    struct span text;

    if (fields_text(f, "prefix_id", true, 1, 64, &text) && !id_parse(ID_PREFIX, text, &row->prefix_id))
        fields_refuse(f, "prefix_id", "It must be the id of a prefix: \"%s\" and %d characters.", ID_PREFIX, ID_DIGITS);
}

bool job_input_model_ok(const struct models *models, struct span model_id, struct buf *why)
{
    struct model_terms terms;
    struct err err = { 0 };

    if (models_terms(models, model_id, models_home(models), &terms, &err))
        return !model_refusal(&terms, clock_wall_ms(), why);
    buf_text(why, err.what);
    return false;
}

static void read_model(struct fields *f, const struct handlers_app *app, struct job_new *row)
{
    AUTO(buf_done) struct buf why = { .max = 1024 };

    if (!fields_text(f, "model_id", false, 1, 2048, &row->model_id))
        row->model_id = span_of(app->default_model_id); /* if that is wrong, it is not the client's fault */
    else if (!job_input_model_ok(app->models, row->model_id, &why))
        fields_refuse(f, "model_id", "%s", buf_cstr(&why));
}

static void read_texts(struct fields *f, struct job_new *row)
{
    if (fields_text(f, "name", false, 1, JOB_NAME_MAX_BYTES, &row->name) && text_has_control(row->name))
        fields_refuse(f, "name", "It must not have control characters.");
    if (fields_text(f, "prompt", true, 1, JOB_PROMPT_MAX_BYTES, &row->prompt) && span_trim(row->prompt).len == 0)
        fields_refuse(f, "prompt", "It must not be blank.");
    (void)fields_text(f, "system", false, 1, JOB_SYSTEM_MAX_BYTES, &row->system);
}

/* A model that is refused is no measure for the rest: then that of the most careful one. */
static void inference_terms(const struct models *models, struct span model_id, struct model_terms *out)
{
    struct err err = { 0 };

    if (!models_terms(models, model_id, models_home(models), out, &err) &&
        !models_terms(models, SPAN_LIT(MODEL_UNKNOWN_ARN), models_home(models), out, &err))
        *out = (struct model_terms){ 0 };
}

static double of_millionths(int64_t n)
{
    return (double)n / 1e6;
}

static void read_inference(struct fields *f, const struct handlers_app *app, struct job_new *row)
{
    json_t *object = fields_member(f, "inference", false, JSON_OBJECT);
    const struct model_inference *range;
    struct model_terms terms;
    struct fields in;

    if (!object)
        return;
    inference_terms(app->models, row->model_id, &terms);
    range = &terms.inference;
    fields_nested(&in, f, "inference", object);
    row->has_max_tokens =
        fields_i64(&in, "max_tokens", false, range->max_tokens_least, range->max_tokens_most, &row->max_tokens);
    row->has_temperature = fields_f64(&in, "temperature", false, of_millionths(range->temperature_least),
                                      of_millionths(range->temperature_most), &row->temperature);
    row->has_top_p = fields_f64(&in, "top_p", false, of_millionths(range->top_p_least),
                                of_millionths(range->top_p_most), &row->top_p);
    row->has_top_k = fields_i64(&in, "top_k", false, range->top_k_least, range->top_k_most, &row->top_k);
    fields_end_nested(&in, f);
}

static void read_modes(struct fields *f, struct job_new *row)
{
    static const char *const selects[] = { "new", "all", NULL };
    static const char *const stagings[] = { "copy", NULL };
    int select = 0;
    int staging = 0;

    (void)fields_word(f, "select", false, selects, &select);
    (void)fields_word(f, "staging", false, stagings, &staging);
    row->select_mode = selects[select];
    row->staging = stagings[staging];
}

/* False: no memory. */
static bool read_metadata(struct fields *f, struct job_input *in)
{
    json_t *object = fields_member(f, "metadata", false, JSON_OBJECT);

    if (!object)
        return true;
    in->metadata = json_dumps(object, JSON_COMPACT);
    if (!in->metadata)
        return false;
    in->row.metadata = span_of(in->metadata);
    if (in->row.metadata.len > JOB_METADATA_MAX_BYTES)
        fields_refuse(f, "metadata", "It must have at most %d bytes of JSON; it has %zu.", JOB_METADATA_MAX_BYTES,
                      in->row.metadata.len);
    return true;
}

static void hash_recipe(struct job_new *row)
{
    struct recipe recipe = {
        .model_id = row->model_id,
        .prompt = row->prompt,
        .system = row->system,
        .has_max_tokens = row->has_max_tokens,
        .has_temperature = row->has_temperature,
        .has_top_p = row->has_top_p,
        .has_top_k = row->has_top_k,
        .max_tokens = row->max_tokens,
        .top_k = row->top_k,
        .temperature = row->temperature,
        .top_p = row->top_p,
    };

    recipe_hash(&recipe, row->recipe);
}

bool job_input_read(struct request *rq, struct reply *rp, struct job_input *in)
{
    json_t *body = rq_json(rq, rp);
    struct err err = { 0 };
    struct fields f;

    if (!body)
        return false;
    fields_begin(&f, rq, rp, body);
    read_prefix(&f, &in->row);
    read_model(&f, app_of(rq), &in->row);
    read_texts(&f, &in->row);
    read_inference(&f, app_of(rq), &in->row);
    read_modes(&f, &in->row);
    if (!read_metadata(&f, in)) {
        err_memory(&err, HERE);
        reply_error(rq, rp, &err);
        return false;
    }
    if (!fields_end(&f))
        return false;
    hash_recipe(&in->row);
    return true;
}
