/* Any bytes as a video file, read the way the service reads one: a head, and at most one more piece, each in memory of
 * its own size so that a step beyond it is seen. */
#ifndef VIDBATCH_TESTS_FUZZ_MEDIA_FUZZ_H
#define VIDBATCH_TESTS_FUZZ_MEDIA_FUZZ_H

#include "server/media/media.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static inline struct span media_fuzz_piece(const uint8_t *data, size_t len, int64_t from, size_t longest)
{
    const size_t at = from < (int64_t)len ? (size_t)from : len;
    const size_t n = len - at < longest ? len - at : longest;
    char *copy = malloc(n ? n : 1);

    if (!copy)
        abort();
    memcpy(copy, data + at, n);
    return (struct span){ copy, n };
}

static inline void media_fuzz_check(const struct media_facts *facts)
{
    if (facts->duration_ms < -1 || facts->width < 0 || facts->height < 0 || !facts->width != !facts->height ||
        facts->width > MEDIA_MAX_SIDE || facts->height > MEDIA_MAX_SIDE)
        abort();
    for (size_t i = 0; i < strnlen(facts->codec, sizeof facts->codec); i++)
        if (facts->codec[i] < 0x20 || facts->codec[i] > 0x7e)
            abort();
    if (!memchr(facts->codec, 0, sizeof facts->codec))
        abort();
}

static inline void media_fuzz_one(const uint8_t *data, size_t len, size_t head_bytes, int64_t file_size)
{
    struct span piece = media_fuzz_piece(data, len, 0, head_bytes);
    struct media_look look;

    media_start(piece, file_size, &look);
    free((char *)(uintptr_t)piece.ptr);
    media_fuzz_check(&look.facts);
    if (look.is_no_video && (look.facts.container || look.more_len > 0))
        abort();
    if (look.more_len == 0)
        return;
    if (look.more_len < 0 || look.more_len > MEDIA_MORE_BYTES || look.more_offset < 0 ||
        look.more_len > file_size - look.more_offset)
        abort();
    piece = media_fuzz_piece(data, len, look.more_offset, (size_t)look.more_len);
    media_go_on(piece, file_size, &look);
    free((char *)(uintptr_t)piece.ptr);
    media_fuzz_check(&look.facts);
    if (look.more_len != 0)
        abort();
}

/* A short head, a long one, and a file that goes on behind what we have. */
static inline int media_fuzz(const uint8_t *data, size_t len)
{
    media_fuzz_one(data, len, MEDIA_HEAD_BYTES, (int64_t)len);
    media_fuzz_one(data, len, 200, (int64_t)len);
    media_fuzz_one(data, len, 1500, (int64_t)len * 1000);
    return 0;
}

#endif
