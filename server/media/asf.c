/* Objects of a GUID, a size and content. The Header object comes first and holds File Properties and one Stream
 * Properties for each stream. */
#include "server/media/internal.h"

#include <string.h>

enum { MAX_OBJECTS = 256, OBJECT_HEAD = 24, GUID = 16, HEADER_HEAD = 30 };
enum { PLAY_DURATION = 40, PREROLL = 56, FLAGS = 64, FILE_BYTES = 68, BROADCAST = 1 };
enum { STREAM_WIDTH = 54, STREAM_HEIGHT = 58, STREAM_CODEC = 81, STREAM_BYTES = 85 };

static const unsigned char header[GUID] = { 0x30, 0x26, 0xB2, 0x75, 0x8E, 0x66, 0xCF, 0x11,
                                            0xA6, 0xD9, 0x00, 0xAA, 0x00, 0x62, 0xCE, 0x6C };
static const unsigned char file_properties[GUID] = { 0xA1, 0xDC, 0xAB, 0x8C, 0x47, 0xA9, 0xCF, 0x11,
                                                     0x8E, 0xE4, 0x00, 0xC0, 0x0C, 0x20, 0x53, 0x65 };
static const unsigned char stream_properties[GUID] = { 0x91, 0x07, 0xDC, 0xB7, 0xB7, 0xA9, 0xCF, 0x11,
                                                       0x8E, 0xE6, 0x00, 0xC0, 0x0C, 0x20, 0x53, 0x65 };
static const unsigned char video_stream[GUID] = { 0xC0, 0xEF, 0x19, 0xBC, 0x4D, 0x5B, 0xCF, 0x11,
                                                  0xA8, 0xFD, 0x00, 0x80, 0x5F, 0x5C, 0x44, 0x2B };

/* In units of 100 ns, and with the preroll (ms) that no player shows; of a broadcast it means nothing. */
static void read_file(const struct window *w, int64_t at, struct media_facts *facts)
{
    const unsigned char *p = window_at(w, at, FILE_BYTES);

    if (p && !(read_le(p + FLAGS, 4) & BROADCAST))
        facts_duration_ms(facts, (double)read_le(p + PLAY_DURATION, 8) / 1e4 - (double)read_le(p + PREROLL, 8));
}

static void read_stream(const struct window *w, int64_t at, struct media_facts *facts)
{
    const unsigned char *p = window_at(w, at, STREAM_BYTES);

    if (!p || memcmp(p, video_stream, GUID) != 0 || facts->width > 0)
        return;
    facts_size(facts, (double)read_le(p + STREAM_WIDTH, 4), (double)read_le(p + STREAM_HEIGHT, 4));
    facts_codec(facts, p + STREAM_CODEC, 4);
}

bool asf_knows(const struct window *w)
{
    const unsigned char *p = window_at(w, 0, GUID);

    return p && memcmp(p, header, GUID) == 0;
}

void asf_start(const struct window *w, struct media_look *look)
{
    int64_t at = HEADER_HEAD;

    look->facts.container = "wmv";
    for (int i = 0; i < MAX_OBJECTS; i++) {
        const unsigned char *p = window_at(w, at, OBJECT_HEAD);
        const uint64_t size = p ? read_le(p + GUID, 8) : 0;

        if (size < OBJECT_HEAD || size > (uint64_t)(w->end - at))
            return;
        if (memcmp(p, file_properties, GUID) == 0)
            read_file(w, at + OBJECT_HEAD, &look->facts);
        else if (memcmp(p, stream_properties, GUID) == 0)
            read_stream(w, at + OBJECT_HEAD, &look->facts);
        at += (int64_t)size;
    }
}
