#include "handlers/job_json.h"

#include "handlers/common.h"
#include "server/base/id.h"
#include "server/base/money.h"
#include "server/work/models.h"

#include <string.h>

static void put_count(struct json_writer *w, const char *name, bool has, int64_t n)
{
    if (has)
        json_put_i64(w, name, n);
    else
        json_put_null(w, name);
}

static void put_number(struct json_writer *w, const char *name, bool has, double x)
{
    if (has)
        json_put_f64(w, name, x);
    else
        json_put_null(w, name);
}

void inference_json(struct json_writer *w, const struct inference *inference)
{
    json_name(w, "inference");
    json_begin_object(w);
    put_count(w, "max_tokens", inference->has_max_tokens, inference->max_tokens);
    put_number(w, "temperature", inference->has_temperature, inference->temperature);
    put_number(w, "top_p", inference->has_top_p, inference->top_p);
    put_count(w, "top_k", inference->has_top_k, inference->top_k);
    json_end_object(w);
}

void usage_json(struct json_writer *w, bool has_input, int64_t input_tokens, bool has_output, int64_t output_tokens)
{
    json_name(w, "usage");
    json_begin_object(w);
    put_count(w, "input_tokens", has_input, input_tokens);
    put_count(w, "output_tokens", has_output, output_tokens);
    json_end_object(w);
}

static void put_counts(struct json_writer *w, const struct job_row *job)
{
    int64_t settled = job->succeeded + job->failed + job->missing;
    int64_t processed = settled;

    json_name(w, "counts");
    json_begin_object(w);
    json_put_i64(w, "total", job->total);
    json_put_i64(w, "pending", job->total - settled);
    json_put_i64(w, "succeeded", job->succeeded);
    json_put_i64(w, "failed", job->failed);
    json_put_i64(w, "missing", job->missing);
    json_end_object(w);

    /* Shards that Bedrock still runs have no rows yet: its own counter says how far they are. */
    if (!job_state_is_final(job->state))
        processed += job->bedrock_processed;
    json_name(w, "progress");
    json_begin_object(w);
    json_put_i64(w, "processed", processed < job->total ? processed : job->total);
    json_put_i64(w, "total", job->total);
    json_end_object(w);
}

static void put_money(struct json_writer *w, const char *name, bool has, int64_t micros)
{
    char text[MONEY_SIZE];

    if (has)
        money_format(micros, text);
    json_put_text(w, name, has ? text : NULL);
}

/* -1: no price is known. terms: filled where the model is. */
static int64_t micros_of(const struct job_row *job, const struct handlers_app *app, int64_t input_tokens,
                         int64_t output_tokens, struct model_terms *terms)
{
    memset(terms, 0, sizeof *terms);
    if (!models_terms(app->models, span_of(job->model_id), app->region, terms, NULL))
        return -1;
    return model_cost_micros(terms, strcmp(job->route, "on_demand") == 0, input_tokens, output_tokens);
}

static void put_cost(struct json_writer *w, const struct job_row *job, const struct handlers_app *app)
{
    const bool used = job->input_tokens > 0 || job->output_tokens > 0;
    struct model_terms terms;
    const int64_t micros = micros_of(job, app, job->input_tokens, job->output_tokens, &terms);

    json_name(w, "cost");
    json_begin_object(w);
    put_money(w, "estimated", job->has_estimate, job->estimated_micros);
    put_money(w, "estimated_low", job->has_estimate, job->estimated_low_micros);
    put_money(w, "estimated_high", job->has_estimate, job->estimated_high_micros);
    put_money(w, "actual", used && micros >= 0, micros);
    json_put_text(w, "currency", job->currency ? job->currency : terms.prices.currency);
    json_end_object(w);
}

/* What AWS charges for: also tokens of records that failed or were stopped (Bedrock user guide, batch-inference-stop).
 */
static void put_charged(struct json_writer *w, const struct job_row *job, const struct handlers_app *app)
{
    struct model_terms terms;
    const int64_t micros = micros_of(job, app, job->charged_input_tokens, job->charged_output_tokens, &terms);

    json_name(w, "charged");
    json_begin_object(w);
    json_put_i64(w, "input_tokens", job->charged_input_tokens);
    json_put_i64(w, "output_tokens", job->charged_output_tokens);
    put_money(w, "cost", micros >= 0, micros);
    json_put_text(w, "currency", terms.prices.currency);
    json_put_bool(w, "complete", job->is_charged && job_state_is_final(job->state));
    json_end_object(w);
}

static void put_import(struct json_writer *w, const struct job_row *job)
{
    json_name(w, "import");
    if (!job->import_output_uri) {
        json_none(w);
        return;
    }
    json_begin_object(w);
    json_put_text(w, "output_uri", job->import_output_uri);
    json_put_text(w, "input_uri", job->import_input_uri);
    json_end_object(w);
}

void job_question_json(struct json_writer *w, const struct job_row *job)
{
    const struct inference inference = {
        .has_max_tokens = job->has_max_tokens,
        .has_temperature = job->has_temperature,
        .has_top_p = job->has_top_p,
        .has_top_k = job->has_top_k,
        .max_tokens = job->max_tokens,
        .top_k = job->top_k,
        .temperature = job->temperature,
        .top_p = job->top_p,
    };

    json_put_text(w, "model_id", job->model_id);
    json_put_text(w, "prompt", job->prompt);
    json_put_text(w, "system", job->system);
    inference_json(w, &inference);
    json_put_text(w, "select", job->select_mode);
    json_put_text(w, "preflight", job->preflight);
    json_put_text(w, "below_minimum", job->below_minimum);
    put_money(w, "max_cost", job->has_max_cost, job->max_cost_micros);
    json_put_id(w, "retry_of", ID_JOB, job->retry_of);
    json_put_text(w, "route", job->route);
    json_put_json(w, "waiting", strcmp(job->state, "queued") == 0 ? job->waiting : NULL);
}

void job_json_members(struct json_writer *w, const struct job_row *job, const struct handlers_app *app)
{
    json_put_id(w, "id", ID_JOB, job->id);
    json_put_text(w, "name", job->name);
    json_put_id(w, "prefix_id", ID_PREFIX, job->prefix_id);
    json_put_id(w, "plan_id", ID_PLAN, job->planned_ms ? job->id : 0);
    json_put_text(w, "state", job->state);
    json_put_text(w, "outcome", job->outcome);
    job_question_json(w, job);
    json_put_text(w, "staging", job->staging);
    if (job->has_keep_staging)
        json_put_bool(w, "keep_staging", job->keep_staging);
    else
        json_put_null(w, "keep_staging");
    put_counts(w, job);
    usage_json(w, true, job->input_tokens, true, job->output_tokens);
    put_cost(w, job, app);
    put_charged(w, job, app);
    put_import(w, job);
    json_put_i64(w, "shards", job->shards);
    json_put_json(w, "metadata", job->metadata);
    json_put_json(w, "error", job->error);
    json_put_time(w, "created_at", job->created_ms);
    json_put_time(w, "launched_at", job->launched_ms);
    json_put_time(w, "started_at", job->started_ms);
    json_put_time(w, "completed_at", job->completed_ms);
}

void job_json(struct json_writer *w, const struct job_row *job, const struct handlers_app *app)
{
    json_begin_object(w);
    job_json_members(w, job, app);
    json_end_object(w);
}

static void put_shard_counts(struct json_writer *w, const struct shard_row *shard)
{
    json_name(w, "counts");
    json_begin_object(w);
    json_put_i64(w, "total", shard->record_count);
    json_put_i64(w, "pending", shard->record_count - shard->succeeded - shard->failed - shard->missing);
    json_put_i64(w, "succeeded", shard->succeeded);
    json_put_i64(w, "failed", shard->failed);
    json_put_i64(w, "missing", shard->missing);
    json_put_i64(w, "unknown_lines", shard->unknown_lines);
    json_put_i64(w, "malformed_lines", shard->malformed_lines);
    json_put_i64(w, "duplicate_lines", shard->duplicate_lines);
    json_end_object(w);
}

/* What a shard waits for, where it does: a slot at Bedrock, or a folder that another shard holds. */
static void put_waiting(struct json_writer *w, const struct shard_row *shard, const struct slot_wait *wait)
{
    const bool for_folder = shard->folder_busy && strcmp(shard->state, "planned") == 0;

    json_name(w, "waiting");
    if (wait->position == 0 && !for_folder) {
        json_none(w);
        return;
    }
    json_begin_object(w);
    json_put_text(w, "for", wait->position > 0 ? "slot" : "folder");
    if (wait->position > 0)
        json_put_i64(w, "position", wait->position);
    if (wait->position > 0 && wait->refused) {
        json_put_text(w, "refused", wait->refused);
        json_put_time(w, "until", wait->until_ms);
    }
    json_end_object(w);
}

static void put_staging(struct json_writer *w, const struct shard_row *shard)
{
    json_name(w, "staging");
    json_begin_object(w);
    json_put_text(w, "mode", shard->staging);
    json_put_text(w, "input_key", shard->input_key);
    json_put_text(w, "cleanup", shard->cleanup);
    json_put_json(w, "problem", shard->cleanup_problem);
    json_end_object(w);
}

void shard_json(struct json_writer *w, const struct shard_row *shard, const struct slot_wait *wait)
{
    json_begin_object(w);
    json_put_id(w, "id", ID_SHARD, shard->id);
    json_put_id(w, "job_id", ID_JOB, shard->job_id);
    json_put_i64(w, "ordinal", shard->ordinal);
    json_put_text(w, "state", shard->state);
    json_put_text(w, "route", shard->route);
    put_waiting(w, shard, wait);
    put_staging(w, shard);
    json_name(w, "bedrock");
    json_begin_object(w);
    json_put_text(w, "arn", shard->bedrock_arn);
    json_put_text(w, "name", shard->bedrock_name);
    json_put_text(w, "status", shard->bedrock_status);
    json_put_text(w, "message", shard->bedrock_message && shard->bedrock_message[0] ? shard->bedrock_message : NULL);
    json_put_i64(w, "processed", shard->bedrock_processed);
    json_end_object(w);
    put_shard_counts(w, shard);
    usage_json(w, true, shard->input_tokens, true, shard->output_tokens);
    json_name(w, "manifest_usage");
    if (shard->has_manifest) {
        json_begin_object(w);
        json_put_i64(w, "input_tokens", shard->manifest_input_tokens);
        json_put_i64(w, "output_tokens", shard->manifest_output_tokens);
        json_end_object(w);
    } else {
        json_none(w);
    }
    json_put_text(w, "folder_uri", shard->folder_uri);
    json_put_text(w, "output_uri", shard->output_uri);
    put_count(w, "input_bytes", shard->input_bytes > 0, shard->input_bytes);
    json_put_i64(w, "ingest_round", shard->ingest_round);
    json_put_json(w, "error", shard->error);
    json_put_time(w, "created_at", shard->created_ms);
    json_put_time(w, "submitted_at", shard->submitted_ms);
    json_put_time(w, "completed_at", shard->completed_ms);
    json_end_object(w);
}
