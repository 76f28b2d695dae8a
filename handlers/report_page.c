#include "handlers/report_page.h"

#include "server/base/clock.h"
#include "server/base/id.h"
#include "server/base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void put(struct buf *out, const char *text)
{
    text_html(out, span_of(text));
}

void report_number(struct buf *out, int64_t n)
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%" PRId64, n);

    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0 && digits[i - 1] != '-')
            buf_char(out, ',');
        buf_char(out, digits[i]);
    }
}

/* The next line without its end; CR LF counts as one end. */
static struct span next_line(struct span *rest)
{
    size_t end = span_find(*rest, '\n');
    struct span line = span_head(*rest, end);

    *rest = span_tail(*rest, end + 1);
    if (line.len > 0 && line.ptr[line.len - 1] == '\r')
        line.len--;
    return line;
}

void report_text(struct buf *out, const char *text)
{
    struct span rest = span_of(text);
    bool open = false;

    while (rest.len > 0) {
        struct span line = next_line(&rest);
        bool blank = span_trim(line).len == 0;
        if (blank && open)
            buf_text(out, "</p>\n");
        else if (!blank)
            buf_text(out, open ? "<br>\n" : "<p dir=\"auto\">");
        if (!blank)
            text_html(out, line);
        open = !blank;
    }
    if (open)
        buf_text(out, "</p>\n");
}

/* "2026-11-01 12:00 UTC" */
static void put_time(struct buf *out, int64_t wall_ms)
{
    char text[CLOCK_RFC3339_SIZE];

    clock_rfc3339(wall_ms, text);
    buf_fmt(out, "<time datetime=\"%s\">%.10s %.5s UTC</time>", text, text, text + 11);
}

static void put_count(struct buf *out, const char *label, int64_t n)
{
    buf_fmt(out, "<div><dt>%s</dt><dd>", label);
    report_number(out, n);
    buf_text(out, "</dd></div>\n");
}

static void put_counts(struct buf *out, const struct job_row *job, const char *cost)
{
    int64_t pending = job->total - job->succeeded - job->failed - job->missing;

    buf_text(out, "<dl class=\"counts\">\n");
    put_count(out, "Videos", job->total);
    put_count(out, "Summaries", job->succeeded);
    if (job->failed)
        put_count(out, "Failed", job->failed);
    if (job->missing)
        put_count(out, "No result", job->missing);
    if (pending)
        put_count(out, "Pending", pending);
    put_count(out, "Tokens in", job->input_tokens);
    put_count(out, "Tokens out", job->output_tokens);
    if (cost) {
        buf_text(out, "<div><dt>Cost</dt><dd>");
        put(out, cost);
        buf_text(out, "</dd></div>\n");
    }
    buf_text(out, "</dl>\n");
}

/* A drawing, because the page's policy lets no element carry a style of its own. */
static void put_bar(struct buf *out, const struct job_row *job)
{
    double total = job->total > 0 ? (double)job->total : 1;
    double good = 1000.0 * (double)job->succeeded / total;
    double bad = 1000.0 * (double)(job->failed + job->missing) / total;

    buf_fmt(out,
            "<div class=\"bar\"><svg viewBox=\"0 0 1000 1\" preserveAspectRatio=\"none\" role=\"img\" "
            "aria-label=\"%.1f %% have a summary\"><rect class=\"ok\" width=\"%.2f\" height=\"1\"/>"
            "<rect class=\"ko\" x=\"%.2f\" width=\"%.2f\" height=\"1\"/></svg></div>\n",
            good / 10, good, good, bad);
}

static void put_state(struct buf *out, const struct job_row *job)
{
    const char *words = NULL;

    if (strcmp(job->state, "failed") == 0)
        words = "This job failed. What it gave before that is below.";
    else if (strcmp(job->state, "cancelled") == 0)
        words = "This job was cancelled. What it gave before that is below.";
    else if (!job_state_is_final(job->state))
        words = "This job is still under way. Load this page again to see more.";
    if (words)
        buf_fmt(out, "<p class=\"note\">%s</p>\n", words);
}

static void put_ask(struct buf *out, const char *label, const char *text)
{
    buf_fmt(out, "<section class=\"ask\"><b>%s</b>\n", label);
    report_text(out, text);
    buf_text(out, "</section>\n");
}

static void put_where(struct buf *out, const struct job_row *job, const struct prefix_row *prefix)
{
    buf_text(out, "<p class=\"where\">s3://");
    put(out, prefix->bucket);
    buf_char(out, '/');
    put(out, prefix->key_prefix);
    buf_text(out, " &middot; ");
    put(out, job->model_id);
    buf_text(out, " &middot; ");
    put_time(out, job->completed_ms ? job->completed_ms : job->created_ms);
    buf_text(out, "</p>\n");
}

void report_head(struct buf *out, const struct job_row *job, const struct prefix_row *prefix, const char *cost)
{
    buf_text(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                  "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                  "<meta name=\"robots\" content=\"noindex\">\n<title>");
    put(out, job->name);
    buf_text(out, "</title>\n<style>");
    buf_text(out, report_css);
    buf_text(out, "</style>\n</head>\n<body>\n<main>\n<header>\n<h1>");
    put(out, job->name);
    buf_text(out, "</h1>\n");
    put_where(out, job, prefix);
    put_ask(out, "Prompt", job->prompt);
    if (job->system && job->system[0])
        put_ask(out, "System", job->system);
    put_state(out, job);
    put_counts(out, job, cost);
    put_bar(out, job);
    buf_text(out, "</header>\n");
    if (job->succeeded > 0)
        buf_text(out, "<h2>Summaries</h2>\n");
}

/* The name as a link to the video, its folders paler than its own name. */
static void put_name(struct buf *out, const struct summary_row *row)
{
    struct span name = span_of(row->name);
    char id[ID_SIZE];
    size_t cut = name.len;

    while (cut > 0 && name.ptr[cut - 1] != '/')
        cut--;
    id_format(ID_VIDEO, row->video_id, id);
    buf_fmt(out, "<a href=\"../../videos/%s/content\">", id);
    if (cut > 0) {
        buf_text(out, "<span class=\"dir\">");
        text_html(out, span_head(name, cut));
        buf_text(out, "</span>");
    }
    text_html(out, span_tail(name, cut));
    buf_text(out, "</a>");
}

void report_summary(struct buf *out, int64_t number, const struct summary_row *row)
{
    const char *text = row->summary ? row->summary : row->text;
    const char *note = NULL;
    char id[ID_SIZE];

    id_format(ID_SUMMARY, row->record_id, id);
    buf_fmt(out, "<article id=\"%s\">\n<h3><span class=\"n\">%" PRId64 "</span><span>", id, number);
    put_name(out, row);
    buf_text(out, "</span></h3>\n");
    report_text(out, text ? text : "");
    if (row->stop_reason && strcmp(row->stop_reason, "max_tokens") == 0)
        note = "The answer was cut off at its token limit.";
    else if (row->stop_reason && strcmp(row->stop_reason, "content_filtered") == 0)
        note = "The answer was blocked or cut by the model's content filter.";
    else if (!text || !text[0])
        note = "The model gave an empty answer.";
    if (note)
        buf_fmt(out, "<p class=\"cut\">%s</p>\n", note);
    buf_text(out, "</article>\n");
}

void report_failures_head(struct buf *out)
{
    buf_text(out, "<h2>Without a summary</h2>\n");
}

void report_failure(struct buf *out, const struct summary_row *row)
{
    char id[ID_SIZE];

    id_format(ID_SUMMARY, row->record_id, id);
    buf_fmt(out, "<article class=\"fail\" id=\"%s\">\n<h3><span>", id);
    put_name(out, row);
    buf_text(out, "</span></h3>\n<p>");
    if (row->has_error_code)
        buf_fmt(out, "Error %" PRId64 ": ", row->error_code);
    if (row->error_message && row->error_message[0])
        put(out, row->error_message);
    else if (row->error_reason && row->error_reason[0])
        put(out, row->error_reason);
    else
        buf_text(out, "There was no result for this video.");
    buf_text(out, "</p>\n</article>\n");
}

void report_foot(struct buf *out, int64_t shown)
{
    if (shown == 0)
        buf_text(out, "<p class=\"note\">There are no results yet.</p>\n");
    buf_text(out, "<footer>Made by vidbatch with Amazon Nova. A model wrote the summaries; it may be wrong.</footer>\n"
                  "</main>\n</body>\n</html>\n");
}
