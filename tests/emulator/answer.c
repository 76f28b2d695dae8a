#include "tests/emulator/answer.h"

#include "tests/emulator/emulator.h"

#include <inttypes.h>

enum { TOKENS_PER_FRAME = 288, MAX_FRAMES = 960 };

static const char *const subjects[] = { "a small harbour",          "a mountain road",  "two cooks in a kitchen",
                                        "a flower market",          "a test pattern",   "children on a swing",
                                        "a tram crossing a bridge", "waves on a beach", "a workshop bench",
                                        "a football practice",      "a quiet library",  "a drone flight over fields" };
static const char *const actions[] = { "The camera moves slowly from left to right.",
                                       "The shot is steady and nothing hurries.",
                                       "Several cuts follow each other quickly.",
                                       "The picture begins dark and becomes brighter.",
                                       "A person enters from the right and leaves again.",
                                       "The last seconds show a close-up.",
                                       "Colours change from warm to cold.",
                                       "A title can be seen at the beginning." };
static const char *const moods[] = {
    "calm", "busy", "playful", "solemn", "bright", "rainy", "festive", "matter-of-fact"
};

#define PICK(list, hash) list[(hash) % (sizeof(list) / sizeof(list)[0])]

static void describe(const struct media *media, int64_t size, uint64_t hash, struct buf *out)
{
    char bytes[32];

    emu_thousands(size, bytes);
    buf_fmt(out, "[emulated] %s %s video",
            media->kind == MEDIA_MP4 || media->kind == MEDIA_MKV || media->kind == MEDIA_MOV ||
                    media->kind == MEDIA_FLV || media->kind == MEDIA_MPEG
                ? "An"
                : "A",
            media_name(media->kind));
    if (media->duration_ms >= 0)
        buf_fmt(out, " of %" PRId64 ".%" PRId64 " s", media->duration_ms / 1000, media->duration_ms % 1000 / 100);
    if (media->width > 0)
        buf_fmt(out, ", %dx%d", media->width, media->height);
    buf_fmt(out, ", %s bytes; ", bytes);
    buf_fmt(out, "it might show %s. %s The mood is %s.", PICK(subjects, hash), PICK(actions, hash >> 16),
            PICK(moods, hash >> 32));
}

void answer_text(const struct media *media, int64_t size, uint64_t hash, struct span prompt, struct buf *out)
{
    bool tagged = emu_contains(prompt, SPAN_LIT("<answer>"));

    if (tagged)
        buf_fmt(out, "<thinking>[emulated] No pixels were looked at; the container is %s.</thinking><answer>",
                media_name(media->kind));
    if (media->kind == MEDIA_UNKNOWN)
        buf_text(out, "[emulated] No video was given; this is an answer to the text alone.");
    else
        describe(media, size, hash, out);
    if (tagged)
        buf_text(out, "</answer>");
}

int64_t answer_video_tokens(const struct media *media)
{
    int64_t frames = media->duration_ms < 0 ? MAX_FRAMES : (media->duration_ms + 999) / 1000;

    if (media->kind == MEDIA_UNKNOWN)
        return 0;
    return TOKENS_PER_FRAME * (frames > MAX_FRAMES ? MAX_FRAMES : frames);
}

int64_t answer_text_tokens(size_t chars)
{
    return (int64_t)(chars + 3) / 4;
}
