/* Step invoke: a shard of the route "on_demand" is asked video by video, with one InvokeModel call each, many at a
 * time. There is no Bedrock job, no JSONL and no output in S3: each answer becomes its record's row in a transaction of
 * its own as soon as it is there, so that a kill loses at most the calls that were on their way. Those are made again,
 * and may be paid twice: InvokeModel has no client token. */
#include "aws/batch_input.h"
#include "aws/bedrock_runtime.h"
#include "server/base/buf.h"
#include "server/base/log.h"
#include "server/base/mem.h"
#include "server/work/answer.h"
#include "server/work/causes.h"
#include "server/work/lines.h"
#include "server/work/stage.h"
#include "sql/event_store.h"
#include "sql/summary_store.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { STORE_RUNS = 5, FIRST_STORE_PAUSE_MS = 50 };
enum { PAGE = 500, BODY_MAX_BYTES = 8 * 1024 * 1024, URI_MAX_BYTES = 1200 };

struct invoke {
    struct step *step;
    struct shard_row shard;
    struct job_row job;
    struct prefix_row prefix;
    struct stage_place place;
    const struct batch_input *input;
    const struct db_rows *page;
    int next_row;
    bool is_cancelled;   /* the job was, as the latest transaction saw */
    bool is_held_up;     /* no new calls in this turn: `trouble` says why */
    int troubles_in_row; /* without an answer between them */
    struct err trouble;  /* the first failure that is not one record's own */
};

/* One call on its way. */
struct call {
    int64_t record_id, video_id;
    struct buf body;
};

static void call_free(struct call *call)
{
    if (!call)
        return;
    buf_done(&call->body);
    mem_free(call);
}

/* ---- asking ---- */

static struct call *call_new(const struct invoke *invoke, const struct record_source *source,
                             const struct video_format *format, struct err *err)
{
    AUTO(buf_done) struct buf uri = { .max = URI_MAX_BYTES };
    struct call *call = mem_alloc(1, sizeof *call);
    char key[STAGING_KEY_SIZE];

    if (!call) {
        err_memory(err, HERE);
        return NULL;
    }
    call->record_id = source->id;
    call->video_id = source->video_id;
    buf_init(&call->body, BODY_MAX_BYTES);
    stage_name_copy(&invoke->place, source, key);
    buf_fmt(&uri, "s3://%.*s/%s", SPAN_ARG(invoke->place.bucket), key);
    batch_input_model(invoke->input, &call->body, format->format, buf_view(&uri));
    if (buf_check(&uri, "a video's URI", err) && buf_check(&call->body, "a call's body", err))
        return call;
    call_free(call);
    return NULL;
}

/* The next record of the page that has no row yet. */
static bool next_call(void *arg, struct span *body, void **item)
{
    struct invoke *invoke = arg;

    while (!invoke->is_cancelled && !invoke->is_held_up && invoke->next_row < invoke->page->count) {
        const struct video_format *format;
        struct record_source source;
        struct call *call;

        record_source_read(invoke->page, invoke->next_row++, &source);
        format = video_format_of(span_of(source.key));
        if (source.has_summary || !format)
            continue;
        call = call_new(invoke, &source, format, &invoke->trouble);
        if (!call) {
            invoke->is_held_up = true;
            return false;
        }
        *body = buf_view(&call->body);
        *item = call;
        return true;
    }
    return false;
}

/* ---- storing ---- */

struct result {
    struct invoke *invoke;
    struct summary_new row;
};

static bool store(struct db *db, void *arg, struct err *err)
{
    struct result *result = arg;
    struct invoke *invoke = result->invoke;
    struct summary_new *row = &result->row;
    bool is_new = false;
    char state[16];

    if (!task_store_fence(db, &invoke->step->task, err) || !job_store_lock(db, invoke->job.id, state, err) ||
        !db_now_ms(db, &row->created_ms, err) || !summary_store_put(db, row, &is_new, err))
        return false;
    /* It is there already where a commit's answer was lost on its way. */
    if (is_new && !shard_store_count_answer(db, invoke->shard.id, strcmp(row->state, "succeeded") == 0,
                                            row->has_input_tokens ? row->input_tokens : 0,
                                            row->has_output_tokens ? row->output_tokens : 0, err))
        return false;
    invoke->is_cancelled = strcmp(state, "cancelling") == 0;
    return task_store_progress(db, &invoke->step->task, err);
}

/* An answer is paid for: a database that fails for a moment must not cost it. The other calls wait meanwhile. */
static bool store_patiently(struct result *result, struct err *err)
{
    struct step *step = result->invoke->step;
    struct timespec pause = { 0, FIRST_STORE_PAUSE_MS * 1000000L };

    for (int run = 1;; run++) {
        struct err failed = { 0 };

        if (db_transaction(step->db, store, result, &failed))
            return true;
        if (failed.kind != ERR_DATABASE || run == STORE_RUNS || !step_is_alive(step))
            return err_pass(err, &failed);
        log_warn("invoke.store", "run=%d cause=%s", run, LOGQ(failed.what));
        nanosleep(&pause, NULL);
        pause.tv_nsec *= 2;
    }
}

static bool store_line(struct invoke *invoke, const struct call *call, const struct batch_line *line, struct err *err)
{
    struct result result = { .invoke = invoke,
                             .row = { .record_id = call->record_id,
                                      .job_id = invoke->job.id,
                                      .shard_id = invoke->shard.id,
                                      .video_id = call->video_id } };

    answer_to_summary(line, &result.row);
    return store_patiently(&result, err);
}

/* ---- judging ---- */

/* Is the failure this record's own? Then *line is what batch output would have said of it. */
static bool is_of_record(const struct err *failure, struct batch_line *line)
{
    const bool refused = strcmp(failure->code, "bedrock_refused") == 0;
    const bool failed = strcmp(failure->code, "bedrock_model") == 0;
    const bool late = strcmp(failure->code, "bedrock_late") == 0;
    const bool useless = strcmp(failure->code, "bad_answer") == 0 || strcmp(failure->code, "response_too_large") == 0;
    const bool has_words = (refused || failed) && failure->upstream_message[0];

    *line = (struct batch_line){ .kind = BATCH_LINE_ERROR, .input_tokens = -1, .output_tokens = -1 };
    line->error_code = late ? 408 : failure->upstream_status;
    line->error_message = span_of(has_words ? failure->upstream_message : failure->what);
    line->error_retryable = !refused;
    return refused || failed || late || useless;
}

/* A failure of more than this record: permissions, throttling, an outage. Its record stays as it is. Others go on only
 * while it may still have been bad luck. */
static void take_trouble(struct invoke *invoke, const struct err *failure)
{
    const bool may_be_luck = failure->retryable && failure->kind != ERR_BUSY;

    if (invoke->trouble.kind == ERR_NONE) {
        invoke->trouble = *failure;
        (void)cause_explain(&invoke->trouble);
    }
    invoke->troubles_in_row++;
    if (!may_be_luck || invoke->troubles_in_row >= invoke->step->settings->invoke_concurrency)
        invoke->is_held_up = true;
}

static bool called(void *arg, void *item, const struct batch_line *answer, const struct err *call_err, struct err *err)
{
    struct invoke *invoke = arg;
    struct call *call = item;
    struct batch_line line;
    bool ok = true;

    if (call_err && call_err->kind == ERR_CANCELLED) {
        ok = err_pass(err, call_err);
    } else if (call_err && !is_of_record(call_err, &line)) {
        take_trouble(invoke, call_err);
    } else {
        invoke->troubles_in_row = 0;
        ok = store_line(invoke, call, call_err ? &line : answer, err);
    }
    call_free(call);
    return ok && step_alive(invoke->step, err);
}

static bool ask_page(struct invoke *invoke, int64_t *after, bool *more, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    const struct bedrock_invoke_many many = { .model_id = invoke->job.model_id,
                                              .next = next_call,
                                              .done = called,
                                              .arg = invoke,
                                              .concurrency = invoke->step->settings->invoke_concurrency,
                                              .timeout_ms = invoke->step->settings->invoke_timeout_ms };
    struct record_source last;

    if (!record_store_sources(invoke->step->db, invoke->shard.id, *after, PAGE, &rows, err))
        return false;
    *more = rows.count > 0;
    if (!*more)
        return true;
    invoke->page = &rows;
    invoke->next_row = 0;
    if (!bedrock_invoke(invoke->step->client, &many, err))
        return false;
    record_source_read(&rows, rows.count - 1, &last);
    *after = last.id;
    return true;
}

/* ---- the step ---- */

static bool finish(struct db *db, void *arg, struct err *err)
{
    struct invoke *invoke = arg;
    struct step *step = invoke->step;
    char state[16], detail[64];
    bool cancelled;

    if (!task_store_fence(db, &step->task, err) || !job_store_lock(db, invoke->job.id, state, err))
        return false;
    cancelled = strcmp(state, "cancelling") == 0;
    snprintf(detail, sizeof detail, "{\"shard\":%d}", invoke->shard.ordinal);
    return (cancelled ? shard_end(step, invoke->shard.id, invoke->job.id, 0, "cancelled", "cancelled",
                                  "the job was cancelled before the model was asked about this video", NULL, err)
                      : shard_end(step, invoke->shard.id, invoke->job.id, 0, "completed", "no_result",
                                  "the model was not asked about this video", NULL, err)) &&
           event_store_add(db, invoke->job.id, "shard.stored", detail, err) && task_store_done(db, &step->task, err);
}

static bool ask_all(struct invoke *invoke, struct err *err)
{
    const struct stage_place_ask where = { invoke->shard.id, invoke->shard.staging, invoke->shard.folder_uri,
                                           span_of(invoke->prefix.bucket), span_of(invoke->prefix.bucket_owner) };
    AUTO(lines_free) struct batch_input *input = NULL;
    int64_t after = 0;
    bool more = true;

    if (!stage_place(invoke->step->settings, &where, &invoke->place, err))
        return false;
    input = lines_new(&invoke->job, invoke->place.owner, err);
    if (!input)
        return false;
    invoke->input = input;
    while (more && !invoke->is_cancelled && !invoke->is_held_up)
        if (!step_alive(invoke->step, err) || !ask_page(invoke, &after, &more, err))
            return false;
    return invoke->is_cancelled || invoke->trouble.kind == ERR_NONE || err_pass(err, &invoke->trouble);
}

/* The copies are complete: the shard and its job run from here on. */
static bool begin(struct db *db, void *arg, struct err *err)
{
    struct invoke *invoke = arg;
    char state[16], detail[64];
    bool moved;

    if (!task_store_fence(db, &invoke->step->task, err) || !job_store_lock(db, invoke->job.id, state, err) ||
        !shard_store_invoke_begin(db, invoke->shard.id, &moved, err))
        return false;
    invoke->is_cancelled = strcmp(state, "cancelling") == 0;
    if (!moved)
        return true;
    snprintf(detail, sizeof detail, "{\"shard\":%d}", invoke->shard.ordinal);
    return job_store_move(db, invoke->job.id, "{staging}", "running", NULL, NULL, &moved, err) &&
           event_store_add(db, invoke->job.id, "shard.invoking", detail, err);
}

static bool is_ours(const struct shard_row *shard)
{
    return strcmp(shard->route, "on_demand") == 0 &&
           (strcmp(shard->state, "submitting") == 0 || strcmp(shard->state, "running") == 0);
}

bool step_invoke(struct step *step, struct err *err)
{
    AUTO(db_rows_done) struct db_rows shard_rows = { 0 };
    AUTO(db_rows_done) struct db_rows job_rows = { 0 };
    AUTO(db_rows_done) struct db_rows prefix_rows = { 0 };
    struct invoke invoke = { .step = step };

    if (!shard_store_get(step->db, step->task.subject_id, &shard_rows, &invoke.shard, err))
        return false;
    step_about_job(step, invoke.shard.job_id);
    if (!is_ours(&invoke.shard))
        return step_end(step, err);
    return job_store_get(step->db, invoke.shard.job_id, &job_rows, &invoke.job, err) &&
           prefix_store_get_any(step->db, invoke.job.prefix_id, &prefix_rows, &invoke.prefix, err) &&
           db_transaction(step->db, begin, &invoke, err) && (invoke.is_cancelled || ask_all(&invoke, err)) &&
           db_transaction(step->db, finish, &invoke, err);
}

/* ---- giving up ---- */

/* What was answered stays. Throttling is shown, and waited out for as long as it takes; any other trouble ends the
 * shard, and its records without a row say what it was. */
bool step_invoke_give_up(struct step *step, const struct err *cause, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    AUTO(buf_done) struct buf json = { .max = 8192 };
    AUTO(buf_done) struct buf words = { .max = 8192 };
    struct shard_row shard;
    bool moved;

    if (!shard_store_get(step->db, step->task.subject_id, &rows, &shard, err))
        return false;
    error_to_json(cause, &json);
    buf_fmt(&words, "the model gave no answer about this video: %s", cause->what);
    if (!buf_check(&json, "shard error", err) || !buf_check(&words, "shard error", err))
        return false;
    if (cause->kind == ERR_BUSY) {
        step->again_ms = step->settings->retry_cap_ms;
        return shard_store_move(step->db, shard.id, "{running}", "running", buf_cstr(&json), &moved, err);
    }
    return shard_fail(step, &shard, 0, "not_submitted", buf_cstr(&words), buf_cstr(&json), err);
}
