#include "server/work/answer.h"

#include "server/work/causes.h"

static struct span or_null(struct span text)
{
    return text.len ? text : (struct span){ NULL, 0 };
}

static void take_error(const struct batch_line *line, struct summary_new *row)
{
    row->state = "failed";
    row->error_reason = span_of(line->error_expired ? "expired" : "bedrock");
    row->has_error_code = line->error_code != 0;
    row->error_code = (int32_t)line->error_code;
    row->error_message = or_null(line->error_message);
    row->has_error_retryable = true;
    row->error_retryable = line->error_retryable;
}

static void say_why_empty(struct summary_new *row)
{
    const struct cause *cause = cause_of_empty_answer(row->stop_reason);

    row->state = "failed";
    row->error_reason = span_of(cause->code);
    row->error_message = span_of(cause->rule);
}

void answer_to_summary(const struct batch_line *line, struct summary_new *row)
{
    struct span summary, thinking;

    row->text_altered = line->text_altered;
    row->stop_reason = or_null(line->stop_reason);
    row->has_input_tokens = line->input_tokens >= 0;
    row->has_output_tokens = line->output_tokens >= 0;
    row->input_tokens = (int32_t)line->input_tokens;
    row->output_tokens = (int32_t)line->output_tokens;
    if (line->kind == BATCH_LINE_ERROR) {
        take_error(line, row);
        return;
    }
    if (line->text.len == 0) {
        say_why_empty(row);
        return;
    }
    row->state = "succeeded";
    row->text = line->text;
    batch_split_answer(line->text, &summary, &thinking);
    if (summary.len != line->text.len) /* possibly empty: then the model said nothing beside its thinking */
        row->summary = summary.ptr ? summary : (struct span){ "", 0 };
    row->thinking = or_null(thinking);
}
