#include "server/base/buf.h"

#include "server/base/mem.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

enum { DEFAULT_MAX_BYTES = 1 << 20, FIRST_CAP_BYTES = 64 };

void buf_init(struct buf *b, size_t max_bytes)
{
    if (max_bytes == 0)
        max_bytes = DEFAULT_MAX_BYTES;
    if (max_bytes > SIZE_MAX / 4)
        max_bytes = SIZE_MAX / 4; /* so that doubling and the terminator cannot overflow */
    *b = (struct buf){ .max = max_bytes };
}

void buf_done(struct buf *b)
{
    if (!b)
        return;
    mem_free(b->data);
    *b = (struct buf){ .max = b->max };
}

void buf_wipe(struct buf *b)
{
    if (b->data)
        OPENSSL_cleanse(b->data, b->cap);
    buf_done(b);
}

void buf_reset(struct buf *b)
{
    b->failed = false;
    buf_cut(b, 0);
}

/* Makes cap hold len + n bytes and the terminator. */
static bool grow(struct buf *b, size_t n)
{
    size_t cap = b->cap > 0 ? b->cap : FIRST_CAP_BYTES;
    char *data = NULL;

    if (b->max == 0)
        b->max = DEFAULT_MAX_BYTES; /* zeroed memory, never given to buf_init */
    if (b->failed || n > b->max - b->len) {
        b->failed = true;
        return false;
    }
    if (b->len + n < b->cap)
        return true;
    while (cap <= b->len + n)
        cap *= 2;
    if (cap > b->max + 1)
        cap = b->max + 1;
    data = mem_resize(b->data, cap, 1);
    if (!data) {
        b->failed = true;
        return false;
    }
    data[b->len] = '\0';
    b->data = data;
    b->cap = cap;
    return true;
}

char *buf_room(struct buf *b, size_t n)
{
    return grow(b, n) ? b->data + b->len : NULL;
}

void buf_grew(struct buf *b, size_t n)
{
    b->len += n;
    b->data[b->len] = '\0';
}

void buf_add(struct buf *b, const void *bytes, size_t len)
{
    const bool fits =
        !b->failed && b->len + len < b->cap && b->len + len <= b->max; /* mostly, so it is looked at here */

    if (len == 0 || (!fits && !grow(b, len)))
        return;
    memcpy(b->data + b->len, bytes, len);
    buf_grew(b, len);
}

void buf_span(struct buf *b, struct span s)
{
    buf_add(b, s.ptr, s.len);
}

void buf_text(struct buf *b, const char *text)
{
    buf_span(b, span_of(text));
}

void buf_char(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

void buf_fmt(struct buf *b, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    buf_vfmt(b, fmt, args);
    va_end(args);
}

void buf_vfmt(struct buf *b, const char *fmt, va_list args)
{
    va_list again;
    int wanted = 0;

    va_copy(again, args);
    wanted = vsnprintf(NULL, 0, fmt, args);
    if (wanted < 0) {
        b->failed = true;
    } else if (wanted > 0 && grow(b, (size_t)wanted)) {
        (void)vsnprintf(b->data + b->len, (size_t)wanted + 1, fmt, again);
        buf_grew(b, (size_t)wanted);
    }
    va_end(again);
}

void buf_i64(struct buf *b, int64_t n)
{
    char digits[24];
    char *at = digits + sizeof digits;
    uint64_t left = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;

    do {
        *--at = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (n < 0)
        *--at = '-';
    buf_add(b, at, (size_t)(digits + sizeof digits - at));
}

void buf_cut(struct buf *b, size_t n)
{
    if (n < b->len)
        b->len = n;
    if (b->data)
        b->data[b->len] = '\0';
}

bool buf_ok(const struct buf *b)
{
    return !b->failed;
}

bool buf_check(const struct buf *b, const char *what, struct err *err)
{
    return buf_ok(b) ||
           err_set(err, ERR_MEMORY, false, HERE, "%s: more than %zu bytes, or no memory for them", what, b->max);
}

struct span buf_view(const struct buf *b)
{
    return (struct span){ buf_cstr(b), b->len };
}

const char *buf_cstr(const struct buf *b)
{
    return b->data ? b->data : "";
}
