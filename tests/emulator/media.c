#include "tests/emulator/media.h"

#include "tests/emulator/blob.h"

#include <stdbool.h>
#include <string.h>

enum { MAX_BOXES = 4096, MAX_DEPTH = 4, EBML_HEAD = 8192 };

struct reader {
    const struct blob *blob;
    int fd;
    int boxes_left;
    bool has_moov;
    struct media *out;
};

static uint64_t big_endian(const unsigned char *p, int n)
{
    uint64_t v = 0;

    for (int i = 0; i < n; i++)
        v = v << 8 | p[i];
    return v;
}

static bool read_exactly(const struct reader *r, int64_t offset, unsigned char *out, size_t n)
{
    return blob_read(r->blob, r->fd, offset, out, n) == (int64_t)n;
}

static void read_movie_header(struct reader *r, int64_t at)
{
    unsigned char b[32] = { 0 };
    uint64_t scale = 0;
    uint64_t duration = 0;

    if (!read_exactly(r, at, b, sizeof b))
        return;
    scale = b[0] == 1 ? big_endian(b + 20, 4) : big_endian(b + 12, 4);
    duration = b[0] == 1 ? big_endian(b + 24, 8) : big_endian(b + 16, 4);
    if (scale > 0 && duration < INT64_MAX / 1000)
        r->out->duration_ms = (int64_t)(duration * 1000 / scale);
}

/* Width and height are the last eight bytes, 16.16 fixed point; an audio track has zeros there. */
static void read_track_header(struct reader *r, int64_t end)
{
    unsigned char b[8] = { 0 };

    if (r->out->width > 0 || !read_exactly(r, end - 8, b, sizeof b))
        return;
    r->out->width = (int)big_endian(b, 2);
    r->out->height = (int)big_endian(b + 4, 2);
}

static void walk_boxes(struct reader *r, int64_t at, int64_t end, int depth)
{
    while (end - at >= 8 && r->boxes_left-- > 0) {
        unsigned char b[16] = { 0 };
        int64_t head = 8;
        int64_t size = 0;

        if (!read_exactly(r, at, b, 8))
            return;
        size = (int64_t)big_endian(b, 4);
        if (size == 1) {
            if (!read_exactly(r, at, b, 16))
                return;
            size = (int64_t)(big_endian(b + 8, 8) & INT64_MAX);
            head = 16;
        } else if (size == 0) {
            size = end - at;
        }
        if (size < head || size > end - at)
            return;
        if (memcmp(b + 4, "mvhd", 4) == 0) {
            read_movie_header(r, at + head);
        } else if (memcmp(b + 4, "tkhd", 4) == 0 && size >= head + 8) {
            read_track_header(r, at + size);
        } else if (depth < MAX_DEPTH && (memcmp(b + 4, "moov", 4) == 0 || memcmp(b + 4, "trak", 4) == 0)) {
            r->has_moov = true;
            walk_boxes(r, at + head, at + size, depth + 1);
        }
        at += size;
    }
}

static enum media_kind brand_kind(const unsigned char *brand)
{
    if (memcmp(brand, "qt  ", 4) == 0)
        return MEDIA_MOV;
    return memcmp(brand, "3g", 2) == 0 ? MEDIA_3GP : MEDIA_MP4;
}

/* The value of the first EBML element with this id (and a size of at most eight bytes) in b: a search, not a parse,
 * since Segment and Info come early and their ids do not occur by chance in front of them. */
static const unsigned char *ebml_find(const unsigned char *b, size_t len, const char *id, size_t id_len, size_t *size)
{
    const unsigned char *at = memmem(b, len, id, id_len);

    if (!at || at + id_len + 1 > b + len)
        return NULL;
    *size = at[id_len] & 0x7f;
    if ((at[id_len] & 0x80) == 0 || *size > 8 || at + id_len + 1 + *size > b + len)
        return NULL;
    return at + id_len + 1;
}

/* PixelWidth and PixelHeight, of one or two bytes each and one after the other, as every muxer writes them. */
static void read_ebml_size(const unsigned char *b, size_t len, struct media *out)
{
    for (size_t at = 0; at + 8 <= len && out->width == 0; at++) {
        size_t wide = b[at + 1] & 3;
        const unsigned char *high = b + at + 2 + wide;
        if (b[at] != 0xb0 || (b[at + 1] != 0x81 && b[at + 1] != 0x82) || high[0] != 0xba ||
            (high[1] != 0x81 && high[1] != 0x82) || at + 4 + wide + (high[1] & 3) > len)
            continue;
        out->width = (int)big_endian(b + at + 2, (int)wide);
        out->height = (int)big_endian(high + 2, high[1] & 3);
    }
}

static void read_ebml(struct reader *r)
{
    unsigned char b[EBML_HEAD];
    int64_t got = blob_read(r->blob, r->fd, 0, b, sizeof b);
    size_t len = got > 0 ? (size_t)got : 0;
    size_t size = 0;
    const unsigned char *value = NULL;
    double ticks = 0;
    uint64_t tick_ns = 1000000;

    r->out->kind = memmem(b, len < 64 ? len : 64, "webm", 4) ? MEDIA_WEBM : MEDIA_MKV;
    value = ebml_find(b, len, "\x2a\xd7\xb1", 3, &size);
    if (value)
        tick_ns = big_endian(value, (int)size);
    value = ebml_find(b, len, "\x44\x89", 2, &size);
    if (value && size == 8) {
        uint64_t bits = big_endian(value, 8);
        memcpy(&ticks, &bits, sizeof ticks);
    } else if (value && size == 4) {
        uint32_t bits = (uint32_t)big_endian(value, 4);
        float small = 0;
        memcpy(&small, &bits, sizeof small);
        ticks = (double)small;
    }
    if (ticks > 0 && ticks < 1e12 && tick_ns > 0 && tick_ns < 1000000000)
        r->out->duration_ms = (int64_t)(ticks * (double)tick_ns / 1e6);
    read_ebml_size(b, len, r->out);
}

struct media media_probe(const struct blob *blob, int fd)
{
    struct media got = { .kind = MEDIA_UNKNOWN, .duration_ms = -1 };
    struct reader r = { .blob = blob, .fd = fd, .boxes_left = MAX_BOXES, .out = &got };
    unsigned char b[16] = { 0 };

    if (!read_exactly(&r, 0, b, sizeof b))
        return got;
    if (memcmp(b + 4, "ftyp", 4) == 0 || memcmp(b + 4, "moov", 4) == 0) {
        walk_boxes(&r, 0, blob->size, 0);
        if (r.has_moov && got.duration_ms >= 0)
            got.kind = memcmp(b + 4, "ftyp", 4) == 0 ? brand_kind(b + 8) : MEDIA_MOV;
    } else if (memcmp(b, "\x1a\x45\xdf\xa3", 4) == 0) {
        read_ebml(&r);
    } else if (memcmp(b, "FLV\x01", 4) == 0) {
        got.kind = MEDIA_FLV;
    } else if (memcmp(b, "\x00\x00\x01\xba", 4) == 0 || memcmp(b, "\x00\x00\x01\xb3", 4) == 0) {
        got.kind = MEDIA_MPEG;
    } else if (memcmp(b, "\x30\x26\xb2\x75\x8e\x66\xcf\x11", 8) == 0) {
        got.kind = MEDIA_WMV;
    }
    return got;
}

const char *media_name(enum media_kind kind)
{
    static const char *const names[] = { "unknown", "MP4", "MOV", "3GP", "WebM", "MKV", "FLV", "MPEG", "WMV" };

    return names[kind];
}
