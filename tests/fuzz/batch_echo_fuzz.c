/* Any bytes as the file of another tool's batch job, in pieces of a size that the first byte says. What is read must
 * not depend on the pieces, the offsets must join without a gap, and the texts must be fit for PostgreSQL. */
#include "aws/batch_echo.h"

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

static uint64_t mix_text(uint64_t hash, struct span text)
{
    if (!text_is_utf8(text) || (text.len > 0 && memchr(text.ptr, 0, text.len)))
        abort();
    return mix(mix(hash, text.ptr, text.len), &text.len, sizeof text.len);
}

static void check_line(const struct batch_echo_line *line, int64_t last)
{
    const struct batch_inference *in = &line->inference;

    if (line->offset < last || line->next_offset <= line->offset)
        abort();
    if (line->malformed != (line->problem.kind != ERR_NONE) || line->record_id.len > 256)
        abort();
    if (in->max_tokens < 0 || in->top_k < 0 || !(in->temperature >= 0 && in->temperature <= 1) ||
        !(in->top_p >= 0 && in->top_p <= 1))
        abort();
}

static uint64_t read_all(struct span file, size_t step)
{
    struct source source = { file, step };
    struct err err = { 0 };
    struct batch_echo *echo = batch_echo_new(0, more, &source, &err);
    struct batch_echo_line line;
    uint64_t hash = 0xCBF29CE484222325U;
    int64_t last = 0;
    bool eof = false;

    while (batch_echo_next(echo, &line, &eof, &err) && !eof) {
        check_line(&line, last);
        last = line.next_offset;
        hash = mix(hash, &line.malformed, sizeof line.malformed);
        hash = mix(hash, &line.next_offset, sizeof line.next_offset);
        hash = mix_text(hash, line.record_id);
        hash = mix_text(hash, line.video_uri);
        hash = mix_text(hash, line.prompt);
        hash = mix_text(hash, line.system);
    }
    if (!eof) /* memory aside, nothing here may fail */
        abort();
    batch_echo_free(echo);
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
