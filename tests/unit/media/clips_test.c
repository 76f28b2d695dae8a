/* Real clips, read as the service reads them: a head, and at most one more piece. */
#include "server/media/media.h"

#include "server/base/buf.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool read_file(const char *name, struct buf *out)
{
    char path[128];
    FILE *file = NULL;
    size_t n = 0;

    (void)snprintf(path, sizeof path, "tests/data/%s", name);
    file = fopen(path, "rb");
    if (!CHECK(file != NULL))
        return false;
    while (buf_room(out, 4096) && (n = fread(buf_room(out, 4096), 1, 4096, file)) > 0)
        buf_grew(out, n);
    (void)fclose(file);
    return CHECK(buf_ok(out) && out->len > 0);
}

static const struct {
    const char *file, *container, *codec;
    int64_t duration_ms;
    int width, height;
    bool in_head; /* is read from the head alone, and needs its first 4096 bytes */
} clips[] = {
    { "front.mp4", "mp4", "avc1", 4000, 320, 240, false },
    { "end.mp4", "mp4", "avc1", 6000, 256, 144, false },
    { "SOUND.MP4", "mp4", "avc1", 12000, 320, 180, false },
    { "long.mov", "mov", "avc1", 61000, 192, 108, false },
    { "clock.webm", "webm", "V_VP9", 3000, 160, 120, false },
    { "cells.mkv", "mkv", "V_MPEG4/ISO/AVC", 5000, 160, 120, false },
};
enum { CLIPS = sizeof clips / sizeof clips[0] };

/* pieces: how many were fetched, the head included */
static struct media_look look_at(struct span file, size_t head, int *pieces)
{
    struct media_look look;

    *pieces = 1;
    media_start(span_head(file, head), (int64_t)file.len, &look);
    if (look.more_len > 0) {
        const struct span rest = span_tail(file, (size_t)look.more_offset);

        CHECK(look.more_len <= MEDIA_MORE_BYTES && (int64_t)rest.len >= look.more_len);
        media_go_on(span_head(rest, (size_t)look.more_len), (int64_t)file.len, &look);
        CHECK_I64(look.more_len, 0);
        ++*pieces;
    }
    return look;
}

static void real_clips(void)
{
    for (int i = 0; i < CLIPS; i++) {
        AUTO(buf_done) struct buf file = { .max = 1 << 20 };
        struct media_look look;
        int pieces = 0;

        test_case("%s", clips[i].file);
        if (!read_file(clips[i].file, &file))
            continue;
        for (size_t head = clips[i].in_head ? 4096 : 512; head <= MEDIA_HEAD_BYTES;
             head *= 2) { /* in one piece, or in two */
            look = look_at(buf_view(&file), head, &pieces);
            CHECK(!look.is_no_video);
            CHECK_TEXT(look.facts.container, clips[i].container);
            CHECK_TEXT(look.facts.codec, clips[i].codec);
            CHECK(llabs(look.facts.duration_ms - clips[i].duration_ms) <= 50); /* two pictures */
            CHECK_I64(look.facts.width, clips[i].width);
            CHECK_I64(look.facts.height, clips[i].height);
        }
        CHECK(pieces == 1 || file.len > MEDIA_HEAD_BYTES);
    }
}

static const struct test tests[] = { { "real_clips", real_clips } };

TEST_MAIN("media_clips", tests)
