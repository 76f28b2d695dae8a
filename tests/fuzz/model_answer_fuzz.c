/* Any bytes as the body of an InvokeModel answer: read or refused, never more than that, and the text is fit for
 * PostgreSQL. The same reader is used twice: nothing of a first body may show in a second. */
#include "aws/batch_output.h"

#include "server/base/text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_answer(const struct batch_line *line)
{
    if (line->kind != BATCH_LINE_ANSWER || line->record_id.len > 0 || !text_is_utf8(line->text) ||
        (line->text.len > 0 && memchr(line->text.ptr, 0, line->text.len)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct err err = { 0 }, empty_err = { 0 };
    struct batch_output *reader = batch_output_new(0, NULL, NULL, &err);
    struct batch_line line;

    if (!reader)
        return 0;
    if (batch_output_answer(reader, (struct span){ (const char *)data, len }, &line, &err))
        check_answer(&line);
    else if (err.kind == ERR_NONE)
        abort();
    if (!batch_output_answer(reader, SPAN_LIT("{}"), &line, &empty_err) || line.text.len > 0 ||
        line.stop_reason.len > 0 || line.error_message.len > 0 || line.input_tokens != -1 || line.text_altered)
        abort();
    batch_output_free(reader);
    return 0;
}
