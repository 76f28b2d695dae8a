/* What a plan found, as the API shows it. Stored as it is written here, so that a plan always says what was true. */
#include "aws/batch_input.h"
#include "server/base/id.h"
#include "server/base/json_writer.h"
#include "server/base/money.h"
#include "server/work/causes.h"
#include "server/work/lines.h"
#include "server/work/plan.h"
#include "server/work/stage_place.h"

#include <stdio.h>
#include <string.h>

enum { SHARDS_SHOWN = 1000, URI_SIZE = 2400 };

/* ---- videos ---- */

/* Where nothing was cut: what would have been taken. */
static void put_videos(struct json_writer *w, const struct plan *plan, bool is_cut)
{
    const struct plan_totals chosen = { .records = plan->counts.taken,
                                        .video_bytes = plan->counts.bytes,
                                        .unknown = plan->counts.unknown,
                                        .duration_ms = plan->counts.duration_ms };
    const struct plan_totals *totals = is_cut ? &plan->totals : &chosen;

    json_name(w, "videos");
    json_begin_object(w);
    json_put_i64(w, "considered", plan->counts.considered);
    json_put_i64(w, "taken", totals->records);
    json_put_i64(w, "skipped", plan->counts.considered - totals->records);
    json_put_i64(w, "bytes", totals->video_bytes);
    json_put_i64(w, "duration_seconds", (totals->duration_ms + 999) / 1000);
    json_put_i64(w, "duration_unknown", totals->unknown);
    json_end_object(w);
}

static void put_example(struct json_writer *w, const struct plan_skipped *skipped)
{
    AUTO(buf_done) struct buf key = { .max = 4096 };

    buf_text(&key, skipped->key_prefix);
    buf_text(&key, skipped->name);
    json_begin_object(w);
    json_put_id(w, "id", ID_VIDEO, skipped->video_id);
    json_put_text(w, "bucket", skipped->bucket);
    json_put_span(w, "key", buf_view(&key));
    json_put_text(w, "name", skipped->name);
    json_end_object(w);
}

static void begin_reason(struct json_writer *w, const struct plan_skipped *skipped)
{
    const struct cause *cause = cause_find(skipped->reason);

    json_begin_object(w);
    json_put_text(w, "reason", skipped->reason);
    json_put_i64(w, "count", skipped->count);
    json_put_text(w, "rule", cause ? cause->rule : NULL);
    json_put_text(w, "remedy", cause ? cause->remedy : NULL);
    json_name(w, "examples");
    json_begin_array(w);
}

static bool put_skipped(struct json_writer *w, struct plan *plan, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct plan_skipped last = { .reason = "" };

    if (!plan_store_skipped(plan->step->db, plan->job.prefix_id, &rows, err))
        return false;
    json_name(w, "skipped");
    json_begin_array(w);
    for (int i = 0; i < rows.count; i++) {
        struct plan_skipped skipped;

        plan_skipped_read(&rows, i, &skipped);
        if (strcmp(last.reason, skipped.reason) != 0) {
            if (i > 0) {
                json_end_array(w);
                json_end_object(w);
            }
            begin_reason(w, &skipped);
        }
        put_example(w, &skipped);
        last = skipped;
    }
    if (rows.count > 0) {
        json_end_array(w);
        json_end_object(w);
    }
    json_end_array(w);
    return true;
}

/* ---- the request ---- */

/* Where the first record's video will lie. */
static bool first_uri(const struct stage_place *place, const struct db_rows *first, const struct video_format *format,
                      char uri[URI_SIZE])
{
    char digits[ID_SIZE];

    id_format(ID_RECORD, db_i64(first, 0, 0), digits);
    if (place->in_place)
        return snprintf(uri, URI_SIZE, "s3://%.*s/%s", SPAN_ARG(place->bucket), db_text(first, 0, 1)) < URI_SIZE;
    return snprintf(uri, URI_SIZE, "s3://%.*s/%.*sv/%s%s", SPAN_ARG(place->bucket), SPAN_ARG(place->folder), digits,
                    format->suffix) < URI_SIZE;
}

/* The value of the line's modelInput. */
static struct span model_input(struct span line)
{
    static const char name[] = "\"modelInput\":";
    const char *at = memmem(line.ptr, line.len, name, sizeof name - 1);
    const struct span rest = at ? span_tail(line, (size_t)(at - line.ptr) + sizeof name - 1) : (struct span){ "", 0 };

    return span_head(rest, rest.len > 2 ? rest.len - 2 : 0); /* "}\n" ends the line */
}

/* By the functions that stage it: this is what will be sent. */
static bool put_request(struct json_writer *w, struct plan *plan, struct err *err)
{
    AUTO(db_rows_done) struct db_rows first = { 0 };
    AUTO(lines_free) struct batch_input *input = NULL;
    AUTO(buf_done) struct buf line = { .max = 4 * 1024 * 1024 };
    struct stage_place_ask ask = { .staging = plan->staging.mode,
                                   .prefix_bucket = span_of(plan->prefix.bucket),
                                   .prefix_owner = span_of(plan->prefix.bucket_owner) };
    const struct video_format *format;
    struct stage_place place;
    char uri[URI_SIZE];

    if (!plan_store_first(plan->step->db, plan->job.id, &first, err))
        return false;
    format = first.count > 0 ? video_format_of(db_span(&first, 0, 1)) : NULL;
    if (!format)
        return err_set(err, ERR_INTERNAL, false, HERE, "the plan has no first record that is a video");
    ask.folder_uri = db_text(&first, 0, 2);
    if (!stage_place(plan->step->settings, &ask, &place, err))
        return false;
    if (!first_uri(&place, &first, format, uri))
        return err_set(err, ERR_INTERNAL, false, HERE, "the address of a staged video is too long");
    input = lines_new(&plan->job, place.owner, err);
    if (!input)
        return false;
    batch_input_line(input, &line, "00000000000", format->format, span_of(uri));
    if (!buf_check(&line, "the request", err))
        return false;
    json_name(w, "request");
    json_raw(w, model_input(buf_view(&line)));
    return true;
}

/* ---- shards, tokens, cost ---- */

static void put_shards(struct json_writer *w, const struct plan *plan)
{
    json_name(w, "shards");
    json_begin_array(w);
    for (int i = 0; i < plan->shard_rows.count && i < SHARDS_SHOWN; i++) {
        struct plan_shard shard;

        plan_shard_read(&plan->shard_rows, i, &shard);
        json_begin_object(w);
        json_put_i64(w, "ordinal", shard.ordinal);
        json_put_i64(w, "records", shard.records);
        json_put_i64(w, "input_bytes", shard.records * plan->line_bytes);
        json_put_i64(w, "video_bytes", shard.video_bytes);
        json_end_object(w);
    }
    json_end_array(w);
    json_put_i64(w, "shard_count", plan->shard_rows.count);
}

static void put_tokens(struct json_writer *w, const char *name, const struct plan_range *range)
{
    json_name(w, name);
    json_begin_object(w);
    json_put_i64(w, "low", range->low);
    json_put_i64(w, "expected", range->expected);
    json_put_i64(w, "high", range->high);
    json_end_object(w);
}

static void put_amount(struct json_writer *w, const char *name, bool has, int64_t micros)
{
    char text[MONEY_SIZE];

    if (has)
        money_format(micros, text);
    json_put_text(w, name, has ? text : NULL);
}

static void put_amounts(struct json_writer *w, bool has, const struct plan_range *range)
{
    put_amount(w, "low", has, range->low);
    put_amount(w, "expected", has, range->expected);
    put_amount(w, "high", has, range->high);
}

static void put_cost(struct json_writer *w, const struct plan *plan, const struct plan_estimate *estimate)
{
    const struct model_prices *prices = &plan->terms.prices;

    json_name(w, "cost");
    json_begin_object(w);
    json_put_text(w, "currency", prices->currency);
    put_amounts(w, estimate->has_cost, &estimate->cost);
    json_name(w, "on_demand");
    json_begin_object(w);
    put_amounts(w, estimate->has_on_demand, &estimate->on_demand);
    json_end_object(w);
    json_name(w, "prices");
    json_begin_object(w);
    put_amount(w, "input_per_million", prices->batch_input >= 0, prices->batch_input);
    put_amount(w, "output_per_million", prices->batch_output >= 0, prices->batch_output);
    put_amount(w, "on_demand_input_per_million", prices->on_demand_input >= 0, prices->on_demand_input);
    put_amount(w, "on_demand_output_per_million", prices->on_demand_output >= 0, prices->on_demand_output);
    json_put_text(w, "source", prices->source);
    json_put_text(w, "date", prices->date);
    json_end_object(w);
    json_end_object(w);
}

static void put_estimate(struct json_writer *w, const struct plan *plan, const struct plan_estimate *estimate)
{
    json_name(w, "tokens");
    json_begin_object(w);
    put_tokens(w, "input", &estimate->input);
    put_tokens(w, "output", &estimate->output);
    json_end_object(w);
    put_cost(w, plan, estimate);
    json_name(w, "estimate");
    json_begin_object(w);
    json_put_f64(w, "factor_input", estimate->factor_input);
    json_put_f64(w, "factor_output", estimate->factor_output);
    json_put_i64(w, "based_on_records", estimate->based_on);
    if (estimate->based_on > 0)
        json_put_f64(w, "error_percent", estimate->error_percent);
    else
        json_put_null(w, "error_percent");
    json_end_object(w);
}

bool plan_json(struct plan *plan, const struct plan_estimate *estimate, struct buf *out, struct err *err)
{
    struct json_writer w = json_writer_on(out);

    json_begin_object(&w);
    if (!plan->refusal && !put_request(&w, plan, err))
        return false;
    put_videos(&w, plan, estimate != NULL);
    if (!put_skipped(&w, plan, err))
        return false;
    if (estimate) {
        json_name(&w, "staging");
        json_begin_object(&w);
        json_put_text(&w, "mode", plan->staging.mode);
        json_put_text(&w, "why", plan->staging.why);
        json_end_object(&w);
        put_shards(&w, plan);
        put_estimate(&w, plan, estimate);
    }
    json_end_object(&w);
    return buf_check(out, "a plan", err);
}
