/* The plan cuts: videos into shards, each with its folder, name and token at Bedrock; and their records. Memory: eight
 * bytes a video, and what the cutter takes. */
#include "aws/batch_input.h"
#include "server/base/id.h"
#include "server/base/mem.h"
#include "server/base/text.h"
#include "server/work/cut.h"
#include "server/work/lines.h"
#include "server/work/plan.h"
#include "sql/shard_store.h"

#include <stdio.h>
#include <string.h>

enum { WEIGHT_PAGE = 20000, IN_PLACE_URI = 5 + 63 + 1 + 1024, COPY_NAME = 64, NAME_SIZE = 64, TOKEN_SIZE = 40 };

bool plan_measure_line(struct plan *plan, struct err *err)
{
    AUTO(lines_free) struct batch_input *input = NULL;
    AUTO(buf_done) struct buf line = { .max = 4 * 1024 * 1024 };
    const int64_t copy_uri = (int64_t)strlen(plan->step->settings->staging_uri) + COPY_NAME;
    const bool is_copy = plan->staging.mode && strcmp(plan->staging.mode, "copy") == 0;

    input = lines_new(&plan->job, span_of("000000000000"), err);
    if (!input)
        return false;
    batch_input_line(input, &line, "00000000000", "three_gp", span_of(""));
    if (!buf_check(&line, "a JSONL line", err))
        return false;
    plan->line_bytes = (int64_t)line.len + (is_copy || copy_uri > IN_PLACE_URI ? copy_uri : IN_PLACE_URI);
    return true;
}

/* ---- the cut itself ---- */

struct cutting {
    uint32_t *weights;
    int32_t *shard_of;
    size_t shards;
};

static void cutting_done(struct cutting *cutting)
{
    mem_free(cutting->weights);
    mem_free(cutting->shard_of);
}

static bool read_weights(struct plan *plan, uint32_t *weights, struct err *err)
{
    for (int64_t at = 0; at < plan->counts.taken;) {
        AUTO(db_rows_done) struct db_rows rows = { 0 };
        const int64_t left = plan->counts.taken - at;
        const int64_t through = at + (left < WEIGHT_PAGE ? left : WEIGHT_PAGE);

        if (!step_alive(plan->step, err) || !plan_store_weights(plan->step->db, at, through, &rows, err))
            return false;
        if (rows.count != through - at)
            return err_set(err, ERR_INTERNAL, true, HERE, "the videos of the plan are not numbered without gaps");
        for (int i = 0; i < rows.count; i++) {
            const int64_t kib = db_i64(&rows, i, 0);
            weights[at + i] = kib > UINT32_MAX ? UINT32_MAX : (uint32_t)kib;
        }
        at = through;
    }
    return true;
}

static int64_t least_of(int64_t a, int64_t b)
{
    return a == 0 || (b > 0 && b < a) ? b : a;
}

static void refuse_bytes(struct plan *plan, const struct err *refusal)
{
    plan->refusal = "over_job_bytes";
    buf_fmt(&plan->words,
            "%s (%lld bytes of videos and JSONL). Encode them smaller, raise VIDBATCH_SHARD_BYTES if your account's "
            "quota of job size allows it, or ask with \"below_minimum\": \"on_demand\" (one call a video, at the full "
            "price).",
            refusal->what, (long long)plan->terms.job_bytes_cap);
}

/* A refusal of the cutter is one of the plan, unless the model may be called for each video: then all are in one. */
static bool run_cutter(struct plan *plan, struct cutting *cutting, struct err *err)
{
    const struct model_terms *terms = &plan->terms;
    const struct cut_limits limits = { .min_records = terms->min_records,
                                       .max_records = least_of(terms->max_records_per_job, terms->max_records_per_file),
                                       .line_bytes = plan->line_bytes,
                                       .max_file_bytes = terms->max_file_bytes,
                                       .max_job_bytes = terms->job_bytes_cap };
    const size_t count = (size_t)plan->counts.taken;
    struct err refusal = { 0 };

    cutting->weights = mem_alloc(count + 1, sizeof *cutting->weights);
    cutting->shard_of = mem_alloc(count + 1, sizeof *cutting->shard_of);
    if (!cutting->weights || !cutting->shard_of)
        return err_memory(err, HERE);
    if (plan->on_demand) { /* no batch job, no quota of one: all in one (mem_alloc gave zeros) */
        cutting->shards = 1;
        return true;
    }
    if (!read_weights(plan, cutting->weights, err))
        return false;
    if (cut(cutting->weights, count, &limits, cutting->shard_of, &cutting->shards, &refusal))
        return true;
    if (refusal.kind != ERR_INPUT)
        return err_pass(err, &refusal);
    if (strcmp(refusal.code, "over_job_bytes") != 0) {
        plan->refusal = "below_minimum";
        buf_text(&plan->words, refusal.what);
    } else if (strcmp(plan->job.below_minimum, "on_demand") == 0) {
        plan->is_over_bytes = plan->on_demand = true;
        memset(cutting->shard_of, 0, count * sizeof *cutting->shard_of);
        cutting->shards = 1;
    } else {
        refuse_bytes(plan, &refusal);
    }
    return true;
}

bool plan_count_shards(struct plan *plan, int64_t *shards, struct err *err)
{
    AUTO(cutting_done) struct cutting cutting = { 0 };

    *shards = 2;
    if (plan->counts.taken > plan->terms.max_records_per_job && plan->terms.max_records_per_job > 0 &&
        strcmp(plan->job.below_minimum, "on_demand") != 0)
        return true; /* more than one, whichever way */
    if (!run_cutter(plan, &cutting, err))
        return false;
    *shards = (int64_t)cutting.shards;
    return true;
}

bool plan_cut(struct plan *plan, struct err *err)
{
    AUTO(cutting_done) struct cutting cutting = { 0 };

    db_rows_done(&plan->shard_rows);
    return run_cutter(plan, &cutting, err) &&
           (plan->refusal || (plan_store_cut(plan->step->db, cutting.shard_of, (size_t)plan->counts.taken, err) &&
                              plan_store_shards(plan->step->db, plan->terms.max_frames, plan->terms.frames_per_second,
                                                &plan->shard_rows, err)));
}

/* ---- shards and records ---- */

/* A random token by AWS's pattern, stored before AWS sees it: letters and digits only. */
static void make_token(char out[TOKEN_SIZE])
{
    AUTO(buf_done) struct buf hex = { .max = 64 };
    unsigned char bytes[16];

    text_random(bytes, sizeof bytes);
    text_hex(&hex, bytes, sizeof bytes);
    snprintf(out, TOKEN_SIZE, "vb%s", buf_cstr(&hex));
}

static struct plan_totals totals_of(const struct plan *plan, const struct plan_shard *shard)
{
    return (struct plan_totals){ .records = shard->records,
                                 .video_bytes = shard->video_bytes,
                                 .frames = shard->frames,
                                 .unknown = shard->unknown,
                                 .duration_ms = shard->duration_ms,
                                 .input_bytes = shard->records * plan->line_bytes };
}

static bool create_shard(const struct plan *plan, const struct plan_shard *cut_out, struct err *err)
{
    const struct plan_totals totals = totals_of(plan, cut_out);
    const struct plan_question question = { plan_text_bytes(&plan->job), plan->job.max_tokens };
    const struct work_settings *settings = plan->step->settings;
    char job[ID_SIZE], shard[ID_SIZE], digits[ID_SIZE];
    char folder[STAGING_URI_SIZE], output[STAGING_URI_SIZE], name[NAME_SIZE], token[TOKEN_SIZE];
    struct shard_new row = { .job_id = plan->job.id, .ordinal = cut_out->ordinal };
    struct staging_ask ask;

    if (!shard_store_new_id(plan->step->db, &row.id, err))
        return false;
    id_format(ID_JOB, plan->job.id, job);
    id_format(ID_SHARD, row.id, shard);
    id_format(ID_RECORD, row.id, digits);
    plan_ask(plan, plan->shard_rows.count, &ask);
    staging_folder_uri(settings, &ask, &plan->staging, job, shard, folder);
    snprintf(output, sizeof output, "%s/%s/%s/", settings->output_uri, job, shard);
    snprintf(name, sizeof name, "vidbatch-%s", digits);
    make_token(token);
    row.folder_uri = folder;
    row.output_uri = output;
    row.bedrock_name = name;
    row.client_token = token;
    row.record_count = totals.records;
    row.video_bytes = totals.video_bytes;
    row.planned_input_bytes = totals.input_bytes;
    row.estimated_input_tokens = plan_raw_input(&plan->terms, &question, &totals);
    row.estimated_output_tokens = plan_raw_output(&plan->terms, &question, totals.records);
    row.model_key = plan->terms.key;
    row.staging = plan->staging.mode;
    row.route = plan->on_demand ? "on_demand" : "batch";
    return shard_store_create(plan->step->db, &row, err);
}

void plan_sum(struct plan *plan)
{
    struct plan_totals *sum = &plan->totals;

    *sum = (struct plan_totals){ 0 };
    for (int i = 0; i < plan->shard_rows.count; i++) {
        struct plan_shard shard;

        plan_shard_read(&plan->shard_rows, i, &shard);
        sum->records += shard.records;
        sum->video_bytes += shard.video_bytes;
        sum->frames += shard.frames;
        sum->unknown += shard.unknown;
        sum->duration_ms += shard.duration_ms;
        sum->input_bytes += shard.records * plan->line_bytes;
    }
}

bool plan_create(struct plan *plan, struct err *err)
{
    int64_t records = 0;

    for (int i = 0; i < plan->shard_rows.count; i++) {
        struct plan_shard shard;

        plan_shard_read(&plan->shard_rows, i, &shard);
        if (!create_shard(plan, &shard, err))
            return false;
    }
    if (!plan_store_records(plan->step->db, plan->job.id, &records, err))
        return false;
    return records == plan->totals.records ||
           err_set(err, ERR_INTERNAL, false, HERE, "%lld records came of %lld videos", (long long)records,
                   (long long)plan->totals.records);
}
