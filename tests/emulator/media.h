/* What a video file says about itself: container, duration and picture size, read from its first boxes. Bounded
 * reading. */
#ifndef VIDBATCH_EMULATOR_MEDIA_H
#define VIDBATCH_EMULATOR_MEDIA_H

#include <stdint.h>

struct blob;

enum media_kind {
    MEDIA_UNKNOWN,
    MEDIA_MP4,
    MEDIA_MOV,
    MEDIA_3GP,
    MEDIA_WEBM,
    MEDIA_MKV,
    MEDIA_FLV,
    MEDIA_MPEG,
    MEDIA_WMV
};

struct media {
    enum media_kind kind;
    int64_t duration_ms; /* -1: not known */
    int width, height;   /* 0: not known */
};

/* "MP4", "WebM" ... static text */
const char *media_name(enum media_kind kind);
/* fd as blob_open gave it. MEDIA_UNKNOWN for anything that is not a video, an MP4 without `moov` among them. */
struct media media_probe(const struct blob *blob, int fd);

#endif
