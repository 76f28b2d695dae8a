/* A growing byte buffer with a maximum. It remembers a failed append: write on, check once with buf_ok(). */
#ifndef VIDBATCH_BASE_BUF_H
#define VIDBATCH_BASE_BUF_H

#include "server/base/attr.h"
#include "server/base/err.h"
#include "server/base/span.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
    char *data; /* NULL while empty; data[len] is 0 whenever data is not NULL */
    size_t len;
    size_t cap;
    size_t max; /* most bytes it may hold */
    bool failed;
};

/* No memory is taken before the first append. max_bytes 0 means 1 MiB. */
void buf_init(struct buf *b, size_t max_bytes);
/* Frees; the buffer may be used again with the same maximum. Accepts zeroed memory. */
void buf_done(struct buf *b);
/* buf_done for secrets: overwrites them first. What growing has left behind is out of reach: take room for all at once.
 */
void buf_wipe(struct buf *b);
/* Empties without freeing and forgets a failure. */
void buf_reset(struct buf *b);
/* Room for n more bytes at data + len, or NULL (failed is set). Follow with buf_grew. */
char *buf_room(struct buf *b, size_t n);
void buf_grew(struct buf *b, size_t n);
void buf_add(struct buf *b, const void *bytes, size_t len);
void buf_span(struct buf *b, struct span s);
void buf_text(struct buf *b, const char *text);
void buf_char(struct buf *b, char c);
void buf_fmt(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
void buf_vfmt(struct buf *b, const char *fmt, va_list args) PRINTF(2, 0);
void buf_i64(struct buf *b, int64_t n);
/* Shortens to n bytes. */
void buf_cut(struct buf *b, size_t n);
/* False when an append did not fit or memory ran out. */
bool buf_ok(const struct buf *b);
/* buf_ok, or fills err: ERR_MEMORY, naming what was being built. */
MUST_CHECK bool buf_check(const struct buf *b, const char *what, struct err *err);
struct span buf_view(const struct buf *b);
/* Terminated text; "" while empty. Borrowed until the next append. */
const char *buf_cstr(const struct buf *b);

#endif
