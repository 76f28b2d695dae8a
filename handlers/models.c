/* The models that jobs may name, with what AWS says of their limits and prices, and when it said so. */
#include "handlers/app.h"
#include "handlers/common.h"
#include "handlers/routes.h"

#include <string.h>

/* 0 in the table: AWS publishes no such number. */
static void put_count(struct json_writer *w, const char *name, int64_t n)
{
    if (n > 0)
        json_put_i64(w, name, n);
    else
        json_put_null(w, name);
}

static void put_quotas(struct json_writer *w, const struct model *model)
{
    json_name(w, "quotas");
    json_begin_object(w);
    put_count(w, "min_records", model->min_records);
    put_count(w, "max_records_per_job", model->max_records_per_job);
    put_count(w, "max_records_per_file", model->max_records_per_file);
    put_count(w, "max_file_bytes", model->max_file_bytes);
    put_count(w, "max_job_bytes", model->max_job_bytes);
    put_count(w, "max_concurrent_jobs", model->max_concurrent_jobs);
    json_put_json(w, "codes", model->quota_codes);
    json_put_text(w, "source", model->quota_source);
    json_put_text(w, "date", model->quota_date);
    json_end_object(w);
}

static void put_prices(struct json_writer *w, const struct model *model)
{
    json_name(w, "prices");
    json_begin_object(w);
    json_put_text(w, "currency", model->currency);
    json_put_text(w, "batch_input_per_million", model->input_per_million);
    json_put_text(w, "batch_output_per_million", model->output_per_million);
    json_put_text(w, "on_demand_input_per_million", model->on_demand_input_per_million);
    json_put_text(w, "on_demand_output_per_million", model->on_demand_output_per_million);
    json_put_text(w, "source", model->price_source);
    json_put_text(w, "date", model->price_date);
    json_end_object(w);
}

static void put_model(struct json_writer *w, const struct model *model, const struct model *by_default)
{
    json_begin_object(w);
    json_put_text(w, "id", model->id);
    json_put_text(w, "name", model->name);
    json_put_bool(w, "accepts_video", model->accepts_video);
    json_put_bool(w, "is_default", model == by_default);
    json_put_text(w, "lifecycle", model->lifecycle);
    json_put_text(w, "note", model->note);
    json_name(w, "limits");
    json_begin_object(w);
    put_count(w, "context_tokens", model->context_tokens);
    put_count(w, "max_output_tokens", model->max_output_tokens);
    json_end_object(w);
    put_quotas(w, model);
    put_prices(w, model);
    json_name(w, "video");
    if (model->accepts_video) {
        json_begin_object(w);
        json_put_i64(w, "tokens_per_frame", model->tokens_per_frame);
        json_put_i64(w, "max_frames", model->max_frames);
        json_end_object(w);
    } else {
        json_none(w);
    }
    json_put_json(w, "availability", model->availability);
    json_end_object(w);
}

void models_list(struct request *rq, struct reply *rp)
{
    const struct handlers_app *app = app_of(rq);
    const struct model *by_default = models_find(app->models, span_of(app->default_model_id));
    struct json_writer w = json_writer_on(reply_body(rp));

    if (!rq_check_query(rq, rp, (const char *const[]){ NULL }))
        return;
    json_begin_object(&w);
    json_name(&w, "data");
    json_begin_array(&w);
    for (size_t i = 0; i < models_count(app->models); i++)
        put_model(&w, models_at(app->models, i), by_default);
    json_end_array(&w);
    json_put_text(&w, "default_model_id", app->default_model_id);
    json_put_text(&w, "region", app->region);
    json_put_null(&w, "next");
    json_end_object(&w);
    reply_resource(rq, rp);
}
