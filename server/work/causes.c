#include "server/work/causes.h"

#include "aws/cure.h"
#include "server/base/json_writer.h"
#include "server/base/text.h"

#include <stdio.h>
#include <string.h>

/* Of these the records of a whole Bedrock job, or of a part that never became one. */
static const char *const job_reasons[] = { "no_result", "not_submitted" };
enum { JOB_REASONS = 2 };

const struct cause *cause_find(const char *code)
{
    size_t count;
    const struct cause *all = causes_all(&count);

    for (size_t i = 0; code && i < count; i++)
        if (strcmp(all[i].code, code) == 0)
            return &all[i];
    return NULL;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* words: in lower case. */
static bool has_words(struct span message, const char *words)
{
    const size_t len = strlen(words);

    for (size_t at = 0; at + len <= message.len; at++) {
        size_t same = 0;

        while (same < len && lower(message.ptr[at + same]) == words[same])
            same++;
        if (same == len)
            return true;
    }
    return false;
}

static bool fits_reason(const struct cause *cause, const char *reason)
{
    switch (cause->about) {
    case CAUSE_RECORD:
    case CAUSE_ANSWER:
        return strcmp(cause->code, reason) == 0;
    case CAUSE_ERROR:
        return strcmp(reason, "bedrock") == 0;
    case CAUSE_JOB:
        for (size_t i = 0; i < JOB_REASONS; i++)
            if (strcmp(reason, job_reasons[i]) == 0)
                return true;
        return false;
    case CAUSE_VIDEO:
        break;
    }
    return false;
}

const struct cause *cause_of_failure(const char *reason, int64_t error_code, bool retryable, struct span message)
{
    size_t count;
    const struct cause *all = causes_all(&count);

    for (size_t i = 0; reason && i < count; i++) {
        const struct cause *it = &all[i];

        if (!fits_reason(it, reason) || (it->if_retryable && !retryable))
            continue;
        if (it->error_max != 0 && (error_code < it->error_min || error_code > it->error_max))
            continue;
        if (!it->pattern || has_words(message, it->pattern))
            return it;
    }
    return cause_find("unknown");
}

const struct cause *cause_of_job_message(struct span message)
{
    size_t count;
    const struct cause *all = causes_all(&count);

    for (size_t i = 0; i < count; i++)
        if (all[i].about == CAUSE_JOB && has_words(message, all[i].pattern))
            return &all[i];
    return NULL;
}

bool cause_explain(struct err *err)
{
    struct cure cure;
    const struct cause *cause = err ? cause_of_job_message(span_of(err->upstream_message)) : NULL;
    struct span kept;
    size_t room;

    if (!cause || cure_find(err, "", &cure))
        return false;
    room = strlen(cause->remedy) + 2;
    if (room >= sizeof err->what)
        return false;
    kept = text_utf8_head(span_of(err->what), sizeof err->what - 1 - room);
    snprintf(err->what + kept.len, sizeof err->what - kept.len, "%s %s", span_ends(kept, SPAN_LIT(".")) ? "" : ".",
             cause->remedy);
    return false;
}

const struct cause *cause_of_empty_answer(struct span stop_reason)
{
    size_t count;
    const struct cause *all = causes_all(&count);

    for (size_t i = 0; i < count; i++)
        if (all[i].about == CAUSE_ANSWER && span_eq_text(stop_reason, all[i].code))
            return &all[i];
    return cause_find("empty_answer");
}

const char *cause_retry_word(enum cause_retry retry)
{
    switch (retry) {
    case CAUSE_RETRY_YES:
        return "yes";
    case CAUSE_RETRY_AFTER_CURE:
        return "after_cure";
    case CAUSE_RETRY_NO:
        break;
    }
    return "no";
}

/* ---- for SQL ---- */

static void put_choice(struct json_writer *w, const struct cause *cause, const char *reason)
{
    json_begin_object(w);
    json_put_text(w, "code", cause->code);
    json_put_text(w, "reason", reason);
    json_put_i64(w, "min", cause->error_min);
    json_put_i64(w, "max", cause->error_max);
    json_put_bool(w, "retryable", cause->if_retryable);
    json_put_text(w, "pattern", cause->pattern ? cause->pattern : "");
    json_put_bool(w, "hopeless", cause->retry == CAUSE_RETRY_NO);
    json_end_object(w);
}

bool causes_for_sql(struct buf *out)
{
    struct json_writer w = json_writer_on(out);
    size_t count;
    const struct cause *all = causes_all(&count);

    json_begin_array(&w);
    for (size_t i = 0; i < count; i++) {
        switch (all[i].about) {
        case CAUSE_RECORD:
        case CAUSE_ANSWER:
            put_choice(&w, &all[i], all[i].code);
            break;
        case CAUSE_ERROR:
            put_choice(&w, &all[i], "bedrock");
            break;
        case CAUSE_JOB:
            for (size_t r = 0; r < JOB_REASONS; r++)
                put_choice(&w, &all[i], job_reasons[r]);
            break;
        case CAUSE_VIDEO:
            break;
        }
    }
    json_end_array(&w);
    return buf_ok(out);
}

/* ---- docs/failures.md ---- */

static const struct {
    enum cause_about about;
    const char *title, *words;
} chapters[] = {
    { CAUSE_VIDEO, "Videos that are not taken",
      "`reason` of a video (`GET /v1/prefixes/{id}/videos`) and of what a plan skipped." },
    { CAUSE_RECORD, "Records that the service says something of itself",
      "`error.reason` of a record (`GET /v1/jobs/{id}/records`)." },
    { CAUSE_ANSWER, "Answers without a word of text",
      "`error.reason` of a record whose answer came, but empty. Where the model gave a stop reason, it is the word." },
    { CAUSE_ERROR, "Error records of Bedrock",
      "`error.reason` is `bedrock`; the cause is told by Bedrock's number and message. The first that fits counts." },
    { CAUSE_JOB, "Bedrock jobs that ended badly",
      "Their records have no result (`no_result`, `not_submitted`); the cause is told by the message. The first that "
      "fits counts." },
};

/* How the cause is told, beside its chapter's words. */
static void put_sign(struct buf *out, const struct cause *cause)
{
    if (cause->error_max != 0 && cause->error_min == cause->error_max)
        buf_fmt(out, "code %d", (int)cause->error_min);
    else if (cause->error_max != 0)
        buf_fmt(out, "code %d to %d", (int)cause->error_min, (int)cause->error_max);
    else if (cause->if_retryable)
        buf_text(out, "`\"retryable\": true`");
    else if (cause->pattern)
        buf_fmt(out, "\"%s\"", cause->pattern);
    else
        buf_text(out, "any other");
}

static void put_chapter(struct buf *out, enum cause_about about)
{
    const bool has_sign = about == CAUSE_ERROR || about == CAUSE_JOB;
    size_t count;
    const struct cause *all = causes_all(&count);

    buf_text(out, "| Cause |");
    buf_text(out, has_sign ? " Told by |" : "");
    buf_text(out, about == CAUSE_VIDEO ? " Meaning | Remedy |\n| --- |" : " Meaning | Remedy | Retry helps |\n| --- |");
    buf_text(out, has_sign ? " --- |" : "");
    buf_text(out, about == CAUSE_VIDEO ? " --- | --- |\n" : " --- | --- | --- |\n");
    for (size_t i = 0; i < count; i++) {
        if (all[i].about != about)
            continue;
        buf_fmt(out, "| `%s` | ", all[i].code);
        if (has_sign) {
            put_sign(out, &all[i]);
            buf_text(out, " | ");
        }
        buf_fmt(out, "%s | %s |", all[i].rule, all[i].remedy);
        if (about != CAUSE_VIDEO)
            buf_fmt(out, " %s |", cause_retry_word(all[i].retry));
        buf_char(out, '\n');
    }
}

void causes_markdown(struct buf *out)
{
    buf_text(out, "# Why a video was not taken, and why a record failed\n\n"
                  "Made by `vidbatchd causes`; the catalogue is `server/work/causes_table.c`.\n\n"
                  "`GET /v1/jobs/{id}/failures` groups what failed by these causes. `POST /v1/jobs/{id}/retry` takes "
                  "the failed and missing records\nof a job but those whose cause says \"no\": the same request would "
                  "meet it again. `\"force\": true` takes those too.\n\"after_cure\": a retry helps once the remedy is "
                  "applied.\n");
    for (size_t i = 0; i < sizeof chapters / sizeof chapters[0]; i++) {
        buf_fmt(out, "\n## %s\n\n%s\n\n", chapters[i].title, chapters[i].words);
        put_chapter(out, chapters[i].about);
    }
}
