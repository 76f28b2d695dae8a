/* Any bytes as an output file, in pieces of a size that the first byte says. What is read must not depend on the
 * pieces, the offsets must join without a gap, and the text must be fit for PostgreSQL. */
#include "aws/batch_output.h"

#include "server/base/text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct source {
    struct span rest;
    size_t step;
};

static bool more(void *arg, struct span *piece, struct err *err)
{
    struct source *s = arg;

    (void)err;
    *piece = span_head(s->rest, s->step);
    s->rest = span_tail(s->rest, piece->len);
    return true;
}

static uint64_t mix(uint64_t hash, const void *bytes, size_t len)
{
    const unsigned char *p = bytes;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ p[i]) * 0x100000001B3U;
    return hash;
}

static void check_line(const struct batch_line *line, int64_t last)
{
    struct span summary = { 0 }, thinking = { 0 };

    if (line->offset < last || line->next_offset <= line->offset)
        abort();
    if (line->kind == BATCH_LINE_MALFORMED ? line->problem.kind == ERR_NONE : line->record_id.len == 0)
        abort();
    if (!text_is_utf8(line->text) || (line->text.len > 0 && memchr(line->text.ptr, 0, line->text.len)))
        abort();
    batch_split_answer(line->text, &summary, &thinking);
    if (summary.len > line->text.len || thinking.len > line->text.len)
        abort();
}

/* What is shown of a line is what stands in the file; of one that begins with half a byte order mark, nothing. */
static void check_head(struct span file, const struct batch_line *line, struct span head)
{
    const size_t bytes = (size_t)(line->next_offset - line->offset);
    const size_t want = bytes < BATCH_LINE_HEAD ? bytes : BATCH_LINE_HEAD;

    if (head.len != want && (head.len > 0 || line->offset > 0))
        abort();
    if (!span_eq(head, span_head(span_tail(file, (size_t)line->offset), head.len)))
        abort();
}

static uint64_t read_all(struct span file, size_t step)
{
    struct source source = { file, step };
    struct err err = { 0 };
    struct batch_output *out = batch_output_new(0, more, &source, &err);
    struct batch_line line;
    uint64_t hash = 0xCBF29CE484222325U;
    int64_t last = 0;
    bool eof = false;

    while (batch_output_next(out, &line, &eof, &err) && !eof) {
        check_line(&line, last);
        check_head(file, &line, batch_output_head(out, &line));
        last = line.next_offset;
        hash = mix(hash, &line.kind, sizeof(line.kind));
        hash = mix(hash, &line.next_offset, sizeof(line.next_offset));
        hash = mix(hash, line.record_id.ptr, line.record_id.len);
        hash = mix(hash, line.text.ptr, line.text.len);
    }
    if (!eof) /* memory aside, nothing here may fail */
        abort();
    batch_output_free(out);
    return hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct span file = { (const char *)data, len };

    if (len == 0)
        return 0;
    file = span_tail(file, 1);
    if (read_all(file, 1 + data[0] % 32) != read_all(file, len))
        abort();
    return 0;
}
