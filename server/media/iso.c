/* Files of boxes: size, type, content. `moov` holds what we want and lies before or behind the pictures (`mdat`). */
#include "server/media/internal.h"

#include <string.h>

enum { MAX_BOXES = 4096, MAX_DEPTH = 4, TRACK_BYTES = 32 * 1024, TKHD_TAIL = 44 };
enum place { IN_FILE, IN_MOOV, IN_TAIL };

struct box {
    int64_t at, body, end; /* end: cut to what holds it */
    const unsigned char *type;
    bool to_the_end; /* no size given: all the rest of the file */
};

struct iso {
    struct window w;
    int64_t file_size;
    struct media_look *look;
    int boxes_left;
    bool has_video;
};

struct track {
    bool has_kind, is_video, has_stsd;
    double width, height;    /* as shown */
    double coded_w, coded_h; /* as stored */
    unsigned char codec[4];
};

enum found { FOUND, CUT, BROKEN };

static bool is_type(const struct box *b, const char *type)
{
    return memcmp(b->type, type, 4) == 0;
}

/* The box at `at`, inside something that ends at `end`. CUT: its head is not in the window. */
static enum found read_box(struct iso *iso, int64_t at, int64_t end, struct box *out)
{
    const unsigned char *p = window_at(&iso->w, at, 8);
    int64_t head = 8;
    uint64_t size;

    if (end - at < 8 || iso->boxes_left-- <= 0)
        return BROKEN;
    if (!p)
        return CUT;
    size = read_be(p, 4);
    *out = (struct box){ .at = at, .type = p + 4 };
    if (size == 1) {
        if (end - at < 16)
            return BROKEN;
        if (!window_at(&iso->w, at, 16))
            return CUT;
        size = read_be(p + 8, 8);
        head = 16;
    } else if (size == 0) {
        out->to_the_end = true;
        size = (uint64_t)(end - at);
    }
    if (size < (uint64_t)head)
        return BROKEN;
    out->body = at + head;
    out->end = size > (uint64_t)(end - at) ? end : at + (int64_t)size;
    return FOUND;
}

/* mvhd, or mehd where fragments hold the pictures and mvhd says 0: duration in units of mvhd. All ones: not known. */
static bool read_duration(struct iso *iso, const struct box *b, bool is_mvhd)
{
    const unsigned char *version = window_at(&iso->w, b->body, 1);
    const int wide = version && version[0] == 1 ? 8 : 4;
    const int64_t times = is_mvhd ? 2 * wide + 4 : 0; /* creation, modification, timescale */
    const unsigned char *p = window_at(&iso->w, b->body + 4, times + wide);
    uint64_t duration;

    if (!p || b->end - b->body < 4 + times + wide)
        return p != NULL;
    if (is_mvhd)
        iso->look->scale = read_be(p + times - 4, 4);
    duration = read_be(p + times, wide);
    if (duration != (wide == 8 ? UINT64_MAX : UINT32_MAX))
        facts_duration(&iso->look->facts, duration, iso->look->scale);
    return true;
}

/* The last bytes of tkhd: the matrix {a b u, c d v, x y w}, then width and height, 16.16 fixed point. What a telephone
 * filmed upright is stored lying, with a matrix of b and c alone: a quarter turn. */
static bool read_tkhd(const struct iso *iso, const struct box *b, struct track *track)
{
    const unsigned char *p = window_at(&iso->w, b->end - TKHD_TAIL, TKHD_TAIL);
    bool is_turned;

    if (!p || b->end - TKHD_TAIL < b->body)
        return p != NULL;
    is_turned = read_be(p, 4) == 0 && read_be(p + 16, 4) == 0 && read_be(p + 4, 4) != 0 && read_be(p + 12, 4) != 0;
    track->width = (double)read_be(p + (is_turned ? 40 : 36), 4) / 65536;
    track->height = (double)read_be(p + (is_turned ? 36 : 40), 4) / 65536;
    return true;
}

/* version and flags, pre_defined (QuickTime: component type), then the kind of the track. */
static bool read_hdlr(const struct iso *iso, const struct box *b, struct track *track)
{
    const unsigned char *p = window_at(&iso->w, b->body, 12);

    if (!p || b->end - b->body < 12)
        return p != NULL;
    track->has_kind = true;
    track->is_video = memcmp(p + 8, "vide", 4) == 0;
    return true;
}

/* version and flags, count, then the first sample entry: size, codec, and 24 bytes further width and height. */
static bool read_stsd(const struct iso *iso, const struct box *b, struct track *track)
{
    const unsigned char *p = window_at(&iso->w, b->body, 16);
    const unsigned char *sides = window_at(&iso->w, b->body, 44);

    if (!p || b->end - b->body < 16)
        return p != NULL;
    track->has_stsd = true;
    memcpy(track->codec, p + 12, 4);
    if (sides && b->end - b->body >= 44) {
        track->coded_w = (double)read_be(sides + 40, 2);
        track->coded_h = (double)read_be(sides + 42, 2);
    }
    return true;
}

static bool is_known(const struct track *track)
{
    return track->has_kind && (!track->is_video || track->has_stsd);
}

/* CUT: something that is wanted lies outside the window. in_mdia: only the hdlr there names the kind of the track,
 * QuickTime has another one in minf. */
static enum found walk_track(struct iso *iso, int64_t at, int64_t end, int depth, bool in_mdia, struct track *track)
{
    struct box b;
    enum found found = FOUND;

    while (at < end && found == FOUND && !is_known(track)) {
        found = read_box(iso, at, end, &b);
        if (found != FOUND)
            return found;
        if (is_type(&b, "tkhd"))
            found = read_tkhd(iso, &b, track) ? FOUND : CUT;
        else if (in_mdia && is_type(&b, "hdlr"))
            found = read_hdlr(iso, &b, track) ? FOUND : CUT;
        else if (is_type(&b, "stsd"))
            found = read_stsd(iso, &b, track) ? FOUND : CUT;
        else if (depth < MAX_DEPTH && (is_type(&b, "mdia") || is_type(&b, "minf") || is_type(&b, "stbl")))
            found = walk_track(iso, b.body, b.end, depth + 1, is_type(&b, "mdia"), track);
        at = b.end;
    }
    return found;
}

static void keep_track(struct iso *iso, const struct track *track)
{
    struct media_facts *facts = &iso->look->facts;

    if (!track->has_kind) /* a track of no kind: only pictures have a size */
        facts_size(facts, track->width, track->height);
    if (!track->is_video)
        return;
    iso->has_video = true;
    facts_size(facts, track->coded_w, track->coded_h);
    facts_size(facts, track->width, track->height);
    if (track->has_stsd)
        facts_codec(facts, track->codec, sizeof track->codec);
}

static void ask(struct iso *iso, enum place place, int64_t at, int64_t end)
{
    iso->look->place = place;
    iso->look->end = end;
    look_for_more(iso->look, at, place == IN_MOOV ? TRACK_BYTES : MEDIA_MORE_BYTES, iso->file_size);
}

static bool read_mvex(struct iso *iso, int64_t at, int64_t end)
{
    struct box b;
    enum found found;

    for (; at < end; at = b.end) {
        found = read_box(iso, at, end, &b);
        if (found != FOUND)
            return found != CUT;
        if (is_type(&b, "mehd"))
            return read_duration(iso, &b, false);
    }
    return true;
}

/* From the box at `at` on. What is cut by the window is asked for from the beginning of its box. */
static void walk_moov(struct iso *iso, int64_t at, int64_t end)
{
    bool whole = true;

    while (at < end && !(iso->has_video && iso->look->facts.duration_ms >= 0)) {
        struct box b;
        enum found found = read_box(iso, at, end, &b);

        if (found == BROKEN)
            return;
        whole = found == FOUND;
        if (whole && is_type(&b, "mvhd")) {
            whole = read_duration(iso, &b, true);
        } else if (whole && is_type(&b, "mvex") && iso->look->facts.duration_ms < 0) {
            whole = read_mvex(iso, b.body, b.end);
        } else if (whole && is_type(&b, "trak") && !iso->has_video) {
            struct track track = { 0 };

            whole = walk_track(iso, b.body, b.end, 0, false, &track) != CUT;
            keep_track(iso, &track);
        }
        if (!whole) {
            ask(iso, IN_MOOV, at, end);
            return;
        }
        at = b.end;
    }
}

static void walk_file(struct iso *iso, int64_t at)
{
    while (at < iso->file_size) {
        struct box b;
        enum found found = read_box(iso, at, iso->file_size, &b);

        if (found == BROKEN)
            return;
        if (found == CUT) {
            ask(iso, IN_FILE, at, iso->file_size);
            return;
        }
        if (is_type(&b, "moov")) {
            walk_moov(iso, b.body, b.end);
            return;
        }
        if (is_type(&b, "mdat") && b.to_the_end) { /* written by something that was cut off, or that lies */
            const int64_t tail = iso->file_size - MEDIA_MORE_BYTES;

            ask(iso, IN_TAIL, tail > b.body ? tail : b.body, iso->file_size);
            return;
        }
        at = b.end;
    }
}

/* A moov that begins somewhere in the window: its type, a size that fits, and its first box is mvhd. */
static void search_moov(struct iso *iso)
{
    const struct window *w = &iso->w;

    for (int64_t at = w->base; at + 16 <= w->end; at++) {
        const unsigned char *p = window_at(w, at, 16);
        uint64_t size;

        if (memcmp(p + 4, "moov", 4) != 0 || memcmp(p + 12, "mvhd", 4) != 0)
            continue;
        size = read_be(p, 4);
        if (size >= 16 && size <= (uint64_t)(iso->file_size - at)) {
            walk_moov(iso, at + 8, at + (int64_t)size);
            return;
        }
    }
}

static struct iso begin(const struct window *w, int64_t file_size, struct media_look *look)
{
    return (struct iso){ .w = *w, .file_size = file_size, .look = look, .boxes_left = MAX_BOXES };
}

bool iso_knows(const struct window *w)
{
    static const char *const first[] = { "ftyp", "moov", "mdat", "wide", "free", "skip",
                                         "pnot", "uuid", "styp", "sidx", "moof", "pdin" };
    const unsigned char *p = window_at(w, 0, 8);

    for (size_t i = 0; p && i < sizeof first / sizeof first[0]; i++)
        if (memcmp(p + 4, first[i], 4) == 0)
            return true;
    return false;
}

void iso_start(const struct window *w, int64_t file_size, struct media_look *look)
{
    struct iso iso = begin(w, file_size, look);
    const unsigned char *brand = window_at(w, 0, 12);

    look->facts.container = "mov"; /* only QuickTime does without ftyp */
    if (brand && memcmp(brand + 4, "ftyp", 4) == 0 && memcmp(brand + 8, "qt  ", 4) != 0)
        look->facts.container = memcmp(brand + 8, "3g", 2) == 0 ? "three_gp" : "mp4";
    walk_file(&iso, 0);
}

void iso_go_on(const struct window *w, int64_t file_size, struct media_look *look)
{
    struct iso iso = begin(w, file_size, look);

    iso.has_video = look->facts.codec[0] != '\0';
    if (look->place == IN_MOOV)
        walk_moov(&iso, w->base, look->end);
    else if (look->place == IN_TAIL)
        search_moov(&iso);
    else
        walk_file(&iso, w->base);
    look->more_len = 0;
}
