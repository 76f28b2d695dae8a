/* The kinds of steps, and what they share. */
#include "server/work/step.h"

#include "server/base/id.h"
#include "server/base/json_writer.h"
#include "server/base/log.h"
#include "server/base/text.h"
#include "server/work/causes.h"
#include "sql/estimate_store.h"
#include "sql/event_store.h"
#include "sql/job_store.h"
#include "sql/shard_store.h"
#include "sql/summary_store.h"
#include "sql/word_store.h"

#include <stdio.h>
#include <string.h>

/* clang-format off */
const struct step_kind step_kinds[STEP_KINDS] = {
    { "watch",  "",        step_watch,  step_keep_trying,    false },
    { "cancel", ID_JOB,    step_cancel, step_job_give_up,    false },
    { "plan",   ID_JOB,    step_plan,   step_job_give_up,    true },
    { "submit", ID_SHARD,  step_submit, step_submit_give_up, false },
    { "finish", ID_JOB,    step_finish, step_keep_trying,    false },
    { "invoke", ID_SHARD,  step_invoke, step_invoke_give_up, true },
    { "ingest", ID_SHARD,  step_ingest, step_ingest_give_up, true },
    { "ingest_file", "",   step_ingest_file, step_ingest_file_give_up, true },
    { "import", ID_JOB,    step_import, step_import_give_up, true },
    { "stage",  ID_SHARD,  step_stage,  step_shard_give_up,  true },
    { "scan",   ID_PREFIX, step_scan,   step_scan_give_up,   true },
    { "sweep",  ID_PREFIX, step_sweep,  step_keep_trying,    true },
    { "expire", ID_PLAN,   step_expire, step_keep_trying,    true },
    { "index",  ID_SHARD,  step_index,  step_keep_trying,    true },
};
/* clang-format on */

void step_about_job(const struct step *step, int64_t job_id)
{
    char context[120], subject[ID_SIZE], job[ID_SIZE];

    id_format(ID_SHARD, step->task.subject_id, subject);
    id_format(ID_JOB, job_id, job);
    snprintf(context, sizeof context, "step=%s subject=%s job=%s", step->task.kind, subject, job);
    log_context(context);
}

bool step_is_alive(void *step)
{
    const struct step *s = step;

    return !atomic_load(s->lease_lost) && !atomic_load(s->stopping);
}

bool step_alive(const struct step *step, struct err *err)
{
    if (atomic_load(step->lease_lost)) {
        err_set(err, ERR_CANCELLED, true, HERE, "the lease of task %s %lld was lost", step->task.kind,
                (long long)step->task.subject_id);
        return err_code(err, "lease_lost");
    }
    if (atomic_load(step->stopping)) {
        err_set(err, ERR_CANCELLED, true, HERE, "the service is stopping");
        return err_code(err, "stopping");
    }
    return true;
}

bool step_may_pass(const struct err *cause)
{
    return cause->retryable || cause->kind == ERR_MEMORY || cause->kind == ERR_DATABASE;
}

static bool end_work(struct db *db, void *arg, struct err *err)
{
    return task_store_done(db, arg, err);
}

bool step_end(struct step *step, struct err *err)
{
    return db_transaction(step->db, end_work, &step->task, err);
}

/* Each record of the shard has its row in the end. Looking for those that have none takes a walk over all, which is
 * spared where the counters of the ingest tell that there is none. */
static bool account_for_all(struct step *step, int64_t shard_id, int ingest_round, const char *to, const char *reason,
                            const char *words, const char *error_json, struct err *err)
{
    int64_t missing = 0;
    bool ended = false;

    if (strcmp(to, "completed") == 0 && !shard_store_finish_counted(step->db, shard_id, to, error_json, &ended, err))
        return false;
    return ended || (summary_store_mark_missing(step->db, shard_id, ingest_round, reason, words, &missing, err) &&
                     shard_store_finish(step->db, shard_id, to, error_json, err));
}

bool shard_end(struct step *step, int64_t shard_id, int64_t job_id, int ingest_round, const char *to,
               const char *reason, const char *words, const char *error_json, struct err *err)
{
    bool has_words = false;

    return account_for_all(step, shard_id, ingest_round, to, reason, words, error_json, err) &&
           estimate_store_add(step->db, shard_id, step->settings->region, err) &&
           word_store_want(step->db, shard_id, &has_words, err) &&
           (!has_words || task_store_add(step->db, "index", shard_id, 0, err)) &&
           task_store_add(step->db, "finish", job_id, 0, err);
}

struct failing {
    struct step *step;
    const struct shard_row *shard;
    int ingest_round;
    const char *reason, *words, *error_json;
};

static bool fail_work(struct db *db, void *arg, struct err *err)
{
    const struct failing *f = arg;
    char state[16];

    return task_store_fence(db, &f->step->task, err) && job_store_lock(db, f->shard->job_id, state, err) &&
           shard_end(f->step, f->shard->id, f->shard->job_id, f->ingest_round, "failed", f->reason, f->words,
                     f->error_json, err) &&
           event_store_add(db, f->shard->job_id, "shard.failed", f->error_json, err) &&
           task_store_dead(db, &f->step->task, f->shard->job_id, f->words, err);
}

bool shard_fail(struct step *step, const struct shard_row *shard, int ingest_round, const char *reason,
                const char *words, const char *error_json, struct err *err)
{
    struct failing f = { step, shard, ingest_round, reason, words, error_json };

    return db_transaction(step->db, fail_work, &f, err);
}

void error_words_to_json(const char *code, const char *message, struct buf *out)
{
    struct json_writer w = json_writer_on(out);

    json_begin_object(&w);
    json_put_text(&w, "code", code);
    json_put_text(&w, "message", message);
    json_end_object(&w);
}

void error_to_json(const struct err *cause, struct buf *out)
{
    struct json_writer w = json_writer_on(out);

    json_begin_object(&w);
    json_put_text(&w, "code", err_code_of(cause));
    json_put_text(&w, "message", cause->what);
    if (cause->upstream_code[0]) {
        json_name(&w, "upstream");
        json_begin_object(&w);
        json_put_text(&w, "code", cause->upstream_code);
        json_put_text(&w, "message", cause->upstream_message);
        json_put_text(&w, "request_id", cause->upstream_request_id);
        json_end_object(&w);
    }
    json_end_object(&w);
}

enum { MESSAGE_SHOWN = 1500 };

static bool ends_sentence(struct span text)
{
    return span_ends(text, SPAN_LIT(".")) || span_ends(text, SPAN_LIT("!"));
}

void bedrock_end_words(const char *status, const char *message, struct buf *out)
{
    const bool has_message = message && message[0];
    const struct cause *cause = NULL;
    const size_t start = out->len;

    buf_fmt(out, "Bedrock ended the job as %s", status);
    if (has_message)
        buf_fmt(out, ": %.*s", SPAN_ARG(text_utf8_head(span_of(message), MESSAGE_SHOWN)));
    if (buf_ok(out))
        cause = cause_of_job_message(span_tail(buf_view(out), start));
    if (cause && !has_message)
        buf_fmt(out, ": %s", cause->rule);
    if (cause)
        buf_fmt(out, "%s %s", ends_sentence(buf_view(out)) ? "" : ".", cause->remedy);
}
