/* The models that jobs may name: what holds for each in a Region, where every number is from, and how old it is. */
#include "handlers/app.h"
#include "handlers/common.h"
#include "handlers/routes.h"
#include "server/base/clock.h"
#include "server/base/mem.h"

#include <string.h>

/* 0: AWS publishes no such number. */
static void put_limit(struct json_writer *w, const char *name, int64_t n, const char *origin)
{
    json_name(w, name);
    json_begin_object(w);
    if (n > 0)
        json_put_i64(w, "value", n);
    else
        json_put_null(w, "value");
    json_put_text(w, "origin", origin);
    json_end_object(w);
}

/* source, date, age_days; null where nothing is known. */
static void put_source(struct json_writer *w, const char *source, const char *date, int64_t now_ms)
{
    const int64_t age = date ? model_date_age_days(date, now_ms) : -1;

    json_put_text(w, "source", source && source[0] ? source : NULL);
    json_put_text(w, "date", date && date[0] ? date : NULL);
    if (age >= 0)
        json_put_i64(w, "age_days", age);
    else
        json_put_null(w, "age_days");
}

static void put_limits(struct json_writer *w, const struct model_terms *t)
{
    json_name(w, "limits");
    json_begin_object(w);
    put_limit(w, "context_tokens", t->context_tokens, t->origins[MODEL_CONTEXT_TOKENS]);
    put_limit(w, "max_output_tokens", t->max_output_tokens, t->origins[MODEL_MAX_OUTPUT_TOKENS]);
    json_end_object(w);
}

static void put_quotas(struct json_writer *w, const struct model_terms *t, int64_t now_ms)
{
    json_name(w, "quotas");
    json_begin_object(w);
    put_limit(w, "min_records", t->min_records, t->origins[MODEL_MIN_RECORDS]);
    put_limit(w, "max_records_per_job", t->max_records_per_job, t->origins[MODEL_MAX_RECORDS_PER_JOB]);
    put_limit(w, "max_records_per_file", t->max_records_per_file, t->origins[MODEL_MAX_RECORDS_PER_FILE]);
    put_limit(w, "max_file_bytes", t->max_file_bytes, t->origins[MODEL_MAX_FILE_BYTES]);
    put_limit(w, "max_job_bytes", t->max_job_bytes, t->origins[MODEL_MAX_JOB_BYTES]);
    put_limit(w, "max_concurrent_jobs", t->max_concurrent_jobs, t->origins[MODEL_MAX_CONCURRENT_JOBS]);
    put_limit(w, "max_video_bytes", t->max_video_bytes, t->origins[MODEL_MAX_VIDEO_BYTES]);
    put_limit(w, "planned_job_bytes", t->job_bytes_cap, t->cap_origin);
    json_put_json(w, "codes", t->quota_codes ? t->quota_codes : "{}");
    put_source(w, t->quota_source, t->quota_date, now_ms);
    json_end_object(w);
}

static void put_price(struct json_writer *w, const char *name, int64_t micros)
{
    char text[MODEL_DECIMAL_BYTES];

    if (micros >= 0)
        model_decimal(micros, 2, text);
    json_put_text(w, name, micros >= 0 ? text : NULL);
}

/* One origin for all four: where one of them was replaced, it is said. */
static const char *price_origin(const struct model_terms *t)
{
    for (int i = MODEL_BATCH_INPUT; i <= MODEL_ON_DEMAND_OUTPUT; i++)
        if (strcmp(t->origins[i], MODEL_BUILT_IN) != 0)
            return t->origins[i];
    return MODEL_BUILT_IN;
}

static void put_prices(struct json_writer *w, const struct model_terms *t, int64_t now_ms)
{
    json_name(w, "prices");
    json_begin_object(w);
    json_put_text(w, "currency", t->prices.currency);
    put_price(w, "batch_input_per_million", t->prices.batch_input);
    put_price(w, "batch_output_per_million", t->prices.batch_output);
    put_price(w, "on_demand_input_per_million", t->prices.on_demand_input);
    put_price(w, "on_demand_output_per_million", t->prices.on_demand_output);
    json_put_text(w, "price_region", t->prices.price_region);
    json_put_text(w, "origin", price_origin(t));
    put_source(w, t->prices.source, t->prices.date, now_ms);
    json_end_object(w);
}

static void put_video(struct json_writer *w, const struct model_terms *t)
{
    json_name(w, "video");
    if (!t->model->accepts_video) {
        json_none(w);
        return;
    }
    json_begin_object(w);
    json_put_i64(w, "tokens_per_frame", t->tokens_per_frame);
    json_put_i64(w, "frames_per_second", t->frames_per_second);
    json_put_i64(w, "max_frames", t->max_frames);
    json_put_text(w, "origin", t->origins[MODEL_MAX_FRAMES]);
    json_end_object(w);
}

static void put_range(struct json_writer *w, const char *name, int64_t least, int64_t most)
{
    json_name(w, name);
    json_begin_object(w);
    json_put_i64(w, "least", least);
    json_put_i64(w, "most", most);
    json_end_object(w);
}

static void put_millionths(struct json_writer *w, const char *name, int64_t least, int64_t most)
{
    json_name(w, name);
    json_begin_object(w);
    json_put_f64(w, "least", (double)least / 1e6);
    json_put_f64(w, "most", (double)most / 1e6);
    json_end_object(w);
}

static void put_inference(struct json_writer *w, const struct model_inference *range)
{
    json_name(w, "inference");
    json_begin_object(w);
    put_range(w, "max_tokens", range->max_tokens_least, range->max_tokens_most);
    put_millionths(w, "temperature", range->temperature_least, range->temperature_most);
    put_millionths(w, "top_p", range->top_p_least, range->top_p_most);
    put_range(w, "top_k", range->top_k_least, range->top_k_most);
    json_end_object(w);
}

/* Each profile that is known, whether it may be called here, and what it costs. */
static void put_profiles(struct json_writer *w, const struct models *models, const struct model_terms *t,
                         int64_t now_ms)
{
    json_name(w, "profiles");
    json_begin_array(w);
    for (size_t i = 0; i < models_profiles(models, t->model); i++) {
        const char *id = models_profile_at(models, t->model, i);
        struct model_terms terms;
        struct err err = { 0 };

        if (!models_terms(models, span_of(id), t->region, &terms, &err))
            continue;
        json_begin_object(w);
        json_put_text(w, "id", id);
        json_put_bool(w, "here", terms.profile_here);
        put_prices(w, &terms, now_ms);
        json_end_object(w);
    }
    json_end_array(w);
}

/* May a job take it here, and if not by this id, by which? */
static void put_batch(struct json_writer *w, const struct model_terms *t, int64_t now_ms)
{
    AUTO(buf_done) struct buf why = { .max = 1024 };
    const char *refusal = model_refusal(t, now_ms, &why);

    json_name(w, "batch");
    json_begin_object(w);
    json_put_bool(w, "here", t->batch_here);
    json_put_bool(w, "by_model_id", t->bare_id_here);
    json_put_text(w, "refusal", refusal);
    json_put_text(w, "advice", refusal ? buf_cstr(&why) : NULL);
    json_end_object(w);
}

static void put_model(struct json_writer *w, const struct models *models, const struct model_terms *t, bool is_default,
                      int64_t now_ms)
{
    AUTO(buf_done) struct buf where = { .max = 16384 };
    const struct model *model = t->model;

    models_availability_json(models, model, &where);
    json_begin_object(w);
    json_put_text(w, "id", model->id);
    json_put_text(w, "name", model->name);
    json_put_bool(w, "accepts_video", model->accepts_video);
    json_put_bool(w, "is_default", is_default);
    json_put_text(w, "lifecycle", model->lifecycle);
    json_put_text(w, "end_of_life", model->end_of_life[0] ? model->end_of_life : NULL);
    json_put_text(w, "note", model->note);
    put_batch(w, t, now_ms);
    put_limits(w, t);
    put_quotas(w, t, now_ms);
    put_prices(w, t, now_ms);
    put_video(w, t);
    put_inference(w, &t->inference);
    put_profiles(w, models, t, now_ms);
    json_put_raw(w, "availability", buf_view(&where));
    json_end_object(w);
}

/* The Region asked for, or the service's own; false: the problem is filled. Gives *region: mem_free. */
static bool read_region(struct request *rq, struct reply *rp, char **region)
{
    const struct span asked = rq_query(rq, "region");
    struct err err = { 0 };

    if (asked.ptr && !models_region_ok(asked))
        return query_refuse(rq, rp, "region", "It must be the name of a Region, such as us-east-1.");
    *region = asked.ptr ? mem_span(asked) : mem_text(app_of(rq)->region);
    if (*region)
        return true;
    err_memory(&err, HERE);
    reply_error(rq, rp, &err);
    return false;
}

void models_list(struct request *rq, struct reply *rp)
{
    AUTO(mem_free_text) char *region = NULL;
    const struct handlers_app *app = app_of(rq);
    const struct model *by_default = models_find(app->models, span_of(app->default_model_id));
    struct json_writer w = json_writer_on(reply_body(rp));
    const int64_t now_ms = clock_wall_ms();

    if (!rq_check_query(rq, rp, (const char *const[]){ "region", NULL }) || !read_region(rq, rp, &region))
        return;
    json_begin_object(&w);
    json_name(&w, "data");
    json_begin_array(&w);
    for (size_t i = 0; i < models_count(app->models); i++) {
        const struct model *model = models_at(app->models, i);
        struct model_terms terms;
        struct err err = { 0 };

        if (models_terms(app->models, span_of(model->id), region, &terms, &err))
            put_model(&w, app->models, &terms, model == by_default, now_ms);
    }
    json_end_array(&w);
    json_put_text(&w, "default_model_id", app->default_model_id);
    json_put_text(&w, "region", region);
    json_put_null(&w, "next");
    json_end_object(&w);
    reply_resource(rq, rp);
}
