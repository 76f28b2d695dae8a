/* A piece of a file, and numbers read from it by their place in the file. Private to server/media. */
#ifndef VIDBATCH_MEDIA_WINDOW_H
#define VIDBATCH_MEDIA_WINDOW_H

#include "server/base/span.h"

#include <stddef.h>
#include <stdint.h>

struct window {
    const unsigned char *data;
    int64_t base, end; /* the places in the file of the first byte and behind the last one */
};

static inline struct window window_of(struct span bytes, int64_t base)
{
    return (struct window){ (const unsigned char *)bytes.ptr, base, base + (int64_t)bytes.len };
}

/* The n bytes from `at` on, or NULL where not all of them are in the piece. */
static inline const unsigned char *window_at(const struct window *w, int64_t at, int64_t n)
{
    return n >= 0 && at >= w->base && at <= w->end && n <= w->end - at ? w->data + (at - w->base) : NULL;
}

/* Numbers of n bytes (at most 8), most significant byte first, and last. */
static inline uint64_t read_be(const unsigned char *p, int n)
{
    uint64_t v = 0;

    for (int i = 0; i < n; i++)
        v = v << 8 | p[i];
    return v;
}

static inline uint64_t read_le(const unsigned char *p, int n)
{
    uint64_t v = 0;

    for (int i = n; i > 0; i--)
        v = v << 8 | p[i - 1];
    return v;
}

#endif
