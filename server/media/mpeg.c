/* Streams of packets without a table: a sequence header in the first of them tells the picture size, nothing tells the
 * duration. */
#include "server/media/internal.h"

enum { START_PACK = 0xBA, START_SEQUENCE = 0xB3, START_EXTENSION = 0xB5, PACKETS = 4, SYNC = 0x47 };

/* Where the next start code of this kind begins, from `at` on; -1: there is none in the window. */
static int64_t find_start(const struct window *w, int64_t at, int code)
{
    for (; at + 4 <= w->end; at++) {
        const unsigned char *p = window_at(w, at, 4);

        if (p[0] == 0 && p[1] == 0 && p[2] == 1 && p[3] == code)
            return at;
    }
    return -1;
}

/* A pack header of MPEG-1 or MPEG-2, with the bits that are always the same. */
static bool is_pack(const struct window *w, int64_t at)
{
    const unsigned char *p = window_at(w, at, 9);

    return p && (((p[4] & 0xf1) == 0x21 && (p[6] & 1) && (p[8] & 1)) || ((p[4] & 0xc4) == 0x44 && (p[6] & 4)));
}

static bool is_sequence(const struct window *w, int64_t at)
{
    const unsigned char *p = window_at(w, at, 12);

    return p && (p[4] || (p[5] & 0xf0)) && ((p[5] & 0x0f) || p[6]) && (p[7] >> 4) && (p[7] & 0x0f) && (p[10] & 0x20);
}

/* Sync bytes at the distance of packets: of 188 bytes, with four of time in front (Blu-ray), or 16 of parity behind. */
static bool is_transport(const struct window *w)
{
    static const int sizes[] = { 188, 192, 204 };

    for (int s = 0; s < 3; s++)
        for (int64_t at = 0; at < sizes[s]; at++) {
            int found = 0;

            while (found < PACKETS) {
                const unsigned char *p = window_at(w, at + found * sizes[s], 1);

                if (!p || p[0] != SYNC)
                    break;
                found++;
            }
            if (found == PACKETS)
                return true;
        }
    return false;
}

static int64_t find_sequence(const struct window *w)
{
    int64_t at = find_start(w, 0, START_SEQUENCE);

    while (at >= 0 && !is_sequence(w, at))
        at = find_start(w, at + 4, START_SEQUENCE);
    return at;
}

bool mpeg_knows(const struct window *w)
{
    int64_t at = find_start(w, 0, START_PACK);

    while (at >= 0 && !is_pack(w, at))
        at = find_start(w, at + 4, START_PACK);
    return at >= 0 || find_sequence(w) >= 0 || is_transport(w);
}

void mpeg_start(const struct window *w, struct media_look *look)
{
    const int64_t at = find_sequence(w);
    const unsigned char *p = at >= 0 ? window_at(w, at, 8) : NULL;
    /* MPEG-2 has an extension right behind its sequence header of 12 bytes and up to 128 of tables */
    const int64_t extension = p ? find_start(w, at + 8, START_EXTENSION) : -1;

    look->facts.container = "mpeg";
    if (!p)
        return;
    facts_size(&look->facts, (double)(read_be(p + 4, 3) >> 12), (double)(read_be(p + 4, 3) & 0xfff));
    facts_codec(&look->facts, (const unsigned char *)(extension >= 0 && extension - at <= 140 ? "mpg2" : "mpg1"), 4);
}
