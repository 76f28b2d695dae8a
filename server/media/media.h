/* What a video file says about itself, read from its head and at most one more piece: container, duration, picture
 * size, codec. Pure: no I/O, no allocation; whatever the bytes claim is checked against what is there, and nesting and
 * the number of elements are bounded. Any thread. */
#ifndef VIDBATCH_MEDIA_MEDIA_H
#define VIDBATCH_MEDIA_MEDIA_H

#include "server/base/span.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    MEDIA_HEAD_BYTES = 32 * 1024,  /* a good first piece: most files that are made for the web say all in it */
    MEDIA_MORE_BYTES = 128 * 1024, /* the most that is asked for afterwards */
    MEDIA_CODEC_SIZE = 32,
    MEDIA_MAX_SIDE = 65535 /* pixels; more is not believed */
};

struct media_facts {
    const char *container;        /* mp4 mov three_gp webm mkv flv mpeg wmv; static; NULL: not known */
    char codec[MEDIA_CODEC_SIZE]; /* of the first video track, in the container's own words ("avc1", "V_VP9"), printable
                                     ASCII; "": not known */
    int64_t duration_ms;          /* -1: not known */
    int32_t width, height;        /* pixels, ISO's quarter turns done; both 0: not known */
};

struct media_look {
    struct media_facts facts; /* as far as they are known by now */
    bool is_no_video;         /* for certain: the bytes are of none of the containers above */
    int64_t more_offset;      /* with more_len > 0: fetch this piece of the file and call media_go_on */
    int64_t more_len;         /* 0: there is no more to learn */
    int place;                /* private, like the rest: where more_offset is in the container */
    int64_t end;
    uint64_t scale;
};

/* head: the first bytes of the file, MEDIA_HEAD_BYTES of them or all; file_size: of the whole file, in bytes. Writes
 * all of *look. */
void media_start(struct span head, int64_t file_size, struct media_look *look);
/* bytes: what is there from look->more_offset on, up to more_len. Adds to the facts; never asks for more. */
void media_go_on(struct span bytes, int64_t file_size, struct media_look *look);

#endif
