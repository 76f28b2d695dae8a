/* List cursors: base64url of kind ":" value. Opaque to clients, readable to us. */
#include "server/http/parse.h"

#include "server/base/text.h"

#include <string.h>

static void free_buf(struct buf *b)
{
    buf_done(b);
}

void cursor_encode(struct buf *out, const char *kind, struct span value)
{
    AUTO(free_buf) struct buf plain = { 0 };

    buf_init(&plain, 2 * CURSOR_BYTES);
    buf_text(&plain, kind);
    buf_char(&plain, ':');
    buf_span(&plain, value);
    if (buf_ok(&plain))
        text_base64url(out, plain.data, plain.len);
    else
        out->failed = true;
}

bool cursor_decode(struct buf *out, const char *kind, struct span text)
{
    AUTO(free_buf) struct buf plain = { 0 };
    struct span value = { 0 };
    size_t kind_len = strlen(kind);

    buf_init(&plain, 2 * CURSOR_BYTES);
    if (text.len > 3 * CURSOR_BYTES || !text_base64url_decode(&plain, text) || !buf_ok(&plain))
        return false;
    value = buf_view(&plain);
    if (!span_starts(value, span_of(kind)) || value.len <= kind_len || value.ptr[kind_len] != ':')
        return false;
    value = span_tail(value, kind_len + 1);
    if (!text_is_utf8(value) || memchr(value.ptr, '\0', value.len))
        return false;
    buf_span(out, value);
    return buf_ok(out);
}
