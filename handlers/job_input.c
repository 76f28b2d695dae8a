#include "handlers/job_input.h"

#include "handlers/app.h"
#include "handlers/common.h"
#include "server/base/clock.h"
#include "server/base/id.h"
#include "server/base/money.h"
#include "server/work/models.h"
#include "server/work/recipe.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *const selects[] = { "new", "all", "failed", NULL };
static const char *const stagings[] = { "auto", "copy", "in_place", NULL };
static const char *const preflights[] = { "full", "listing", NULL };
static const char *const belows[] = { "refuse", "wait", "on_demand", NULL };

static const char *const fixed_by_plan[] = { "prefix_id", "model_id",      "prompt",    "system",
                                             "inference", "select",        "video_ids", "staging",
                                             "preflight", "below_minimum", "max_cost",  "keep_staging" };

enum { ID_BYTES = 24 /* of a number and its comma */ };

void job_input_done(struct job_input *in)
{
    free(in->metadata); /* Jansson's */
    buf_done(&in->picked);
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

static void read_name(struct fields *f, struct job_new *row)
{
    if (fields_text(f, "name", false, 1, JOB_NAME_MAX_BYTES, &row->name) && text_has_control(row->name))
        fields_refuse(f, "name", "It must not have control characters.");
}

static void read_texts(struct fields *f, struct job_new *row)
{
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

/* NULL: it was not given. */
static const char *read_word(struct fields *f, const char *name, const char *const words[])
{
    int which = 0;

    return fields_word(f, name, false, words, &which) ? words[which] : NULL;
}

static void read_ways(struct fields *f, struct job_new *row)
{
    row->staging = read_word(f, "staging", stagings);
    row->preflight = read_word(f, "preflight", preflights);
    row->below_minimum = read_word(f, "below_minimum", belows);
    row->has_keep_staging = fields_bool(f, "keep_staging", false, &row->keep_staging);
}

static void read_modes(struct fields *f, struct job_new *row)
{
    const char *select = read_word(f, "select", selects);

    if (select && row->picked.ptr)
        fields_refuse(f, "select", "It cannot be given with \"video_ids\", which say themselves what is taken.");
    read_ways(f, row);
    row->select_mode = row->picked.ptr ? "videos" : select ? select : selects[0];
    row->staging = row->staging ? row->staging : stagings[0];
    row->preflight = row->preflight ? row->preflight : preflights[0];
    row->below_minimum = row->below_minimum ? row->below_minimum : belows[0];
    if (row->picked.ptr && strcmp(row->below_minimum, "wait") == 0)
        fields_refuse(f, "below_minimum",
                      "\"wait\" needs videos that can become more, but \"video_ids\" names them all: leave one of the "
                      "two out, or ask with \"on_demand\".");
}

static void read_max_cost(struct fields *f, struct job_new *row)
{
    struct span text;

    if (!fields_text(f, "max_cost", false, 1, 32, &text))
        return;
    row->has_max_cost = money_parse(text, &row->max_cost_micros);
    if (!row->has_max_cost)
        fields_refuse(f, "max_cost", "It must be an amount as text, with at most six decimals: \"12.50\".");
}

static void read_video_ids(struct fields *f, struct job_input *in)
{
    json_t *array = fields_member(f, "video_ids", false, JSON_ARRAY);
    const size_t count = json_array_size(array);

    if (!array)
        return;
    if (count == 0 || count > JOB_VIDEOS_MAX) {
        fields_refuse(f, "video_ids", "It must name 1 to %d videos; it names %zu.", JOB_VIDEOS_MAX, count);
        return;
    }
    buf_init(&in->picked, count * ID_BYTES + 8);
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(array, i);
        const struct span text = { json_string_value(item), json_string_length(item) };
        int64_t id = 0;

        if (!text.ptr || !id_parse(ID_VIDEO, text, &id)) {
            fields_refuse(f, "video_ids", "Item %zu must be the id of a video: \"%s\" and %d characters.", i, ID_VIDEO,
                          ID_DIGITS);
            return;
        }
        buf_fmt(&in->picked, "%c%" PRId64, i ? ',' : '{', id);
    }
    buf_char(&in->picked, '}');
    in->row.picked = buf_view(&in->picked);
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

/* The plan says all the rest. */
static bool read_launch(struct fields *f, bool may_launch, struct job_input *in)
{
    struct span text;

    if (!may_launch || !json_object_get(f->object, "plan_id"))
        return false;
    if (fields_text(f, "plan_id", true, 1, 64, &text) && !id_parse(ID_PLAN, text, &in->plan_id))
        fields_refuse(f, "plan_id", "It must be the id of a plan: \"%s\" and %d characters.", ID_PLAN, ID_DIGITS);
    for (size_t i = 0; i < sizeof fixed_by_plan / sizeof fixed_by_plan[0]; i++)
        fields_forbid(f, fixed_by_plan[i], "The plan has fixed it: leave it out, or make another plan.");
    in->has_plan = true;
    read_name(f, &in->row);
    return true;
}

static void read_job(struct fields *f, const struct handlers_app *app, struct job_input *in)
{
    read_prefix(f, &in->row);
    read_model(f, app, &in->row);
    read_name(f, &in->row);
    read_texts(f, &in->row);
    read_inference(f, app, &in->row);
    read_video_ids(f, in);
    read_modes(f, &in->row);
    read_max_cost(f, &in->row);
}

bool job_input_read(struct request *rq, struct reply *rp, bool may_launch, struct job_input *in)
{
    json_t *body = rq_json(rq, rp);
    struct err err = { 0 };
    struct fields f;
    bool launches;

    if (!body)
        return false;
    fields_begin(&f, rq, rp, body);
    launches = read_launch(&f, may_launch, in);
    if (!launches)
        read_job(&f, app_of(rq), in);
    if (!read_metadata(&f, in) || !buf_ok(&in->picked)) {
        err_memory(&err, HERE);
        reply_error(rq, rp, &err);
        return false;
    }
    if (!fields_end(&f))
        return false;
    if (!launches)
        hash_recipe(&in->row);
    return true;
}

bool job_input_read_retry(struct request *rq, struct reply *rp, struct job_retry_input *in)
{
    struct err err = { 0 };
    struct fields f;
    json_t *body;

    if (rq_body(rq).len == 0)
        return true;
    body = rq_json(rq, rp);
    if (!body)
        return false;
    fields_begin(&f, rq, rp, body);
    (void)fields_bool(&f, "force", false, &in->force);
    read_name(&f, &in->job.row);
    read_ways(&f, &in->job.row);
    if (in->job.row.below_minimum && strcmp(in->job.row.below_minimum, "wait") == 0)
        fields_refuse(
            &f, "below_minimum",
            "\"wait\" needs videos that can become more, but a retry takes only what failed: leave it out, or ask "
            "with \"on_demand\".");
    read_max_cost(&f, &in->job.row);
    if (!read_metadata(&f, &in->job)) {
        err_memory(&err, HERE);
        reply_error(rq, rp, &err);
        return false;
    }
    return fields_end(&f);
}
