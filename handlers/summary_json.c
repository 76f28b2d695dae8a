#include "handlers/summary_json.h"

#include "handlers/job_json.h"
#include "handlers/video_json.h"
#include "server/base/clock.h"
#include "server/base/id.h"
#include "server/base/text.h"

#include <string.h>

enum { SNIPPET_MAX_BYTES = 64 * 1024, KEY_MAX_BYTES = 8192 };

void record_error_json(struct json_writer *w, const char *reason, bool has_code, int64_t code, const char *message,
                       bool retryable)
{
    json_name(w, "error");
    if (!reason && !message) {
        json_none(w);
        return;
    }
    json_begin_object(w);
    json_put_text(w, "reason", reason);
    if (has_code)
        json_put_i64(w, "code", code);
    else
        json_put_null(w, "code");
    json_put_text(w, "message", message);
    json_put_bool(w, "retryable", retryable);
    json_end_object(w);
}

/* Most summaries are the whole text: it is escaped once. */
static void put_words(struct json_writer *w, const struct summary_row *row)
{
    size_t from = 0;
    size_t len = 0;

    json_name(w, "text");
    from = w->out->len;
    json_text(w, row->text);
    len = w->out->len - from;
    json_name(w, "summary");
    if (row->summary)
        json_text(w, row->summary);
    else
        json_again(w, from, len);
}

void summary_json_members(struct json_writer *w, const struct summary_row *row)
{
    json_put_id(w, "id", ID_SUMMARY, row->record_id);
    json_put_id(w, "job_id", ID_JOB, row->job_id);
    json_put_id(w, "record_id", ID_RECORD, row->record_id);
    video_json_brief(w, row->video_id, row->bucket, row->key_prefix, row->name);
    json_put_text(w, "state", row->state);
    put_words(w, row);
    json_put_text(w, "thinking", row->thinking);
    json_put_null(w, "labels");
    json_put_text(w, "stop_reason", row->stop_reason);
    json_put_bool(w, "text_altered", row->text_altered);
    record_error_json(w, row->error_reason, row->has_error_code, row->error_code, row->error_message,
                      row->error_retryable);
    usage_json(w, row->has_input_tokens, row->input_tokens, row->has_output_tokens, row->output_tokens);
    json_put_text(w, "model_id", row->model_id);
    json_put_time(w, "created_at", row->created_ms);
}

void summary_json_provenance(struct json_writer *w, const struct summary_row *row)
{
    struct inference inference = {
        .has_max_tokens = row->has_max_tokens,
        .has_temperature = row->has_temperature,
        .has_top_p = row->has_top_p,
        .has_top_k = row->has_top_k,
        .max_tokens = row->max_tokens,
        .top_k = row->top_k,
        .temperature = row->temperature,
        .top_p = row->top_p,
    };

    json_name(w, "provenance");
    json_begin_object(w);
    json_put_text(w, "model_id", row->model_id);
    json_put_text(w, "prompt", row->prompt);
    json_put_text(w, "system", row->system);
    inference_json(w, &inference);
    json_put_text(w, "etag", row->etag);
    json_put_text(w, "route", row->route);
    json_put_text(w, "bedrock_arn", row->bedrock_arn);
    json_end_object(w);
}

void summary_json_snippet(struct json_writer *w, const char *snippet)
{
    AUTO(buf_done) struct buf html = { .max = SNIPPET_MAX_BYTES };
    const char *rest = snippet;

    /* The database marks hits with U+E000 and U+E001, which no escaping touches; only then they become tags. */
    while (rest && *rest) {
        const char *mark = strstr(rest, "\xee\x80");
        if (!mark || !mark[2]) {
            text_html(&html, span_of(rest));
            break;
        }
        text_html(&html, (struct span){ rest, (size_t)(mark - rest) });
        if (mark[2] == '\x80')
            buf_text(&html, "<mark>");
        else if (mark[2] == '\x81')
            buf_text(&html, "</mark>");
        else
            buf_add(&html, mark, 3);
        rest = mark + 3;
    }
    if (snippet && buf_ok(&html))
        json_put_span(w, "snippet", (struct span){ buf_cstr(&html), html.len });
    else
        json_put_null(w, "snippet");
}

void summary_ndjson(struct buf *out, const struct summary_row *row)
{
    struct json_writer w = json_writer_on(out);

    json_begin_object(&w);
    summary_json_members(&w, row);
    json_end_object(&w);
    buf_char(out, '\n');
}

void summary_csv_header(struct buf *out)
{
    buf_text(out, "id,job_id,record_id,video_id,bucket,key,name,state,summary,text,thinking,stop_reason,text_altered,"
                  "error_reason,error_code,error_message,input_tokens,output_tokens,model_id,created_at\r\n");
}

static void put_text(struct buf *out, const char *text)
{
    text_csv(out, span_of(text));
    buf_char(out, ',');
}

static void put_id(struct buf *out, const char *prefix, int64_t id)
{
    char text[ID_SIZE];

    id_format(prefix, id, text);
    put_text(out, text);
}

static void put_count(struct buf *out, bool has, int64_t n)
{
    if (has)
        buf_i64(out, n);
    buf_char(out, ',');
}

void summary_csv(struct buf *out, const struct summary_row *row)
{
    AUTO(buf_done) struct buf key = { .max = KEY_MAX_BYTES };
    char created[CLOCK_RFC3339_SIZE];

    put_id(out, ID_SUMMARY, row->record_id);
    put_id(out, ID_JOB, row->job_id);
    put_id(out, ID_RECORD, row->record_id);
    put_id(out, ID_VIDEO, row->video_id);
    put_text(out, row->bucket);
    buf_text(&key, row->key_prefix ? row->key_prefix : "");
    buf_text(&key, row->name ? row->name : "");
    put_text(out, buf_cstr(&key));
    put_text(out, row->name);
    put_text(out, row->state);
    put_text(out, row->summary ? row->summary : row->text);
    put_text(out, row->text);
    put_text(out, row->thinking);
    put_text(out, row->stop_reason);
    put_text(out, row->text_altered ? "true" : "false");
    put_text(out, row->error_reason);
    put_count(out, row->has_error_code, row->error_code);
    put_text(out, row->error_message);
    put_count(out, row->has_input_tokens, row->input_tokens);
    put_count(out, row->has_output_tokens, row->output_tokens);
    put_text(out, row->model_id);
    clock_rfc3339(row->created_ms, created);
    text_csv(out, span_of(created));
    buf_text(out, "\r\n");
}

size_t summary_weight(const struct summary_row *row)
{
    return span_of(row->text).len + span_of(row->summary).len + span_of(row->thinking).len +
           span_of(row->error_message).len;
}
