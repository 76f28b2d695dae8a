/* Elements of an id, a size and content. The Segment holds Info (duration) and Tracks (picture size, codec), as a rule
 * before the first Cluster of pictures; where not, SeekHead tells their places. */
#include "server/media/internal.h"

#include <string.h>

enum { MAX_ELEMENTS = 4096, PIECE_BYTES = 64 * 1024, NO_SCALE = 1000000 /* ns a tick, where none is given */ };
enum {
    ID_EBML = 0x1A45DFA3,
    ID_DOC_TYPE = 0x4282,
    ID_SEGMENT = 0x18538067,
    ID_SEEK_HEAD = 0x114D9B74,
    ID_SEEK = 0x4DBB,
    ID_SEEK_ID = 0x53AB,
    ID_SEEK_POSITION = 0x53AC,
    ID_INFO = 0x1549A966,
    ID_SCALE = 0x2AD7B1,
    ID_DURATION = 0x4489,
    ID_TRACKS = 0x1654AE6B,
    ID_TRACK_ENTRY = 0xAE,
    ID_TRACK_TYPE = 0x83,
    ID_CODEC = 0x86,
    ID_VIDEO = 0xE0,
    ID_WIDTH = 0xB0,
    ID_HEIGHT = 0xBA,
    ID_CLUSTER = 0x1F43B675,
    TYPE_VIDEO = 1
};

struct element {
    uint32_t id;
    int64_t body, end; /* end: cut to what holds it */
    bool to_the_end;   /* its size is not known */
};

struct ebml {
    struct window w;
    int64_t file_size;
    struct media_look *look;
    int elements_left;
    int64_t segment;            /* where its content begins */
    int64_t info_at, tracks_at; /* -1: not known */
    bool has_info, has_tracks;
};

/* A number whose first byte tells its length; NULL where it is not in the window. */
static const unsigned char *read_vint(const struct ebml *e, int64_t at, int longest, int *len)
{
    const unsigned char *p = window_at(&e->w, at, 1);

    if (!p || p[0] == 0)
        return NULL;
    *len = __builtin_clz((unsigned)p[0]) - 23;
    return *len <= longest ? window_at(&e->w, at, *len) : NULL;
}

/* False: there is none, or its head is not in the window. */
static bool read_element(struct ebml *e, int64_t at, int64_t end, struct element *out)
{
    int id_len = 0, size_len = 0;
    const unsigned char *id = read_vint(e, at, 4, &id_len);
    const unsigned char *size = id ? read_vint(e, at + id_len, 8, &size_len) : NULL;
    uint64_t n, all_ones;

    if (!size || e->elements_left-- <= 0)
        return false;
    out->id = (uint32_t)read_be(id, id_len);
    all_ones = (UINT64_C(1) << 7 * size_len) - 1;
    n = read_be(size, size_len) & all_ones;
    out->body = at + id_len + size_len;
    out->to_the_end = n == all_ones;
    if (out->body > end)
        return false;
    out->end = out->to_the_end || n > (uint64_t)(end - out->body) ? end : out->body + (int64_t)n;
    return true;
}

static bool read_uint(const struct ebml *e, const struct element *el, uint64_t *out)
{
    const int64_t len = el->end - el->body;
    const unsigned char *p = len <= 8 ? window_at(&e->w, el->body, len) : NULL;

    if (p)
        *out = read_be(p, (int)len);
    return p != NULL;
}

static bool read_float(const struct ebml *e, const struct element *el, double *out)
{
    const int64_t len = el->end - el->body;
    const unsigned char *p = len == 4 || len == 8 ? window_at(&e->w, el->body, len) : NULL;
    const uint64_t bits = p ? read_be(p, (int)len) : 0;
    const uint32_t bits32 = (uint32_t)bits;
    float single;

    if (!p)
        return false;
    if (len == 8) {
        memcpy(out, &bits, sizeof *out);
    } else {
        memcpy(&single, &bits32, sizeof single);
        *out = (double)single;
    }
    return true;
}

static void read_info(struct ebml *e, int64_t at, int64_t end)
{
    struct element el;
    uint64_t scale = NO_SCALE;
    double ticks = 0;

    for (; at < end && read_element(e, at, end, &el); at = el.end) {
        if (el.id == ID_SCALE)
            (void)read_uint(e, &el, &scale);
        else if (el.id == ID_DURATION)
            (void)read_float(e, &el, &ticks);
    }
    facts_duration_ms(&e->look->facts, ticks * (double)scale / 1e6);
}

static void read_track(struct ebml *e, int64_t at, int64_t end)
{
    const unsigned char *codec = NULL;
    struct element el, inner;
    int64_t codec_len = 0;
    uint64_t type = 0, width = 0, height = 0;

    for (; at < end && read_element(e, at, end, &el); at = el.end) {
        if (el.id == ID_TRACK_TYPE)
            (void)read_uint(e, &el, &type);
        if (el.id == ID_CODEC) {
            codec_len = el.end - el.body;
            codec = window_at(&e->w, el.body, codec_len);
        }
        for (int64_t in = el.body; el.id == ID_VIDEO && in < el.end && read_element(e, in, el.end, &inner);
             in = inner.end) {
            if (inner.id == ID_WIDTH)
                (void)read_uint(e, &inner, &width);
            else if (inner.id == ID_HEIGHT)
                (void)read_uint(e, &inner, &height);
        }
    }
    if (type != TYPE_VIDEO || e->look->facts.width > 0)
        return;
    facts_size(&e->look->facts, (double)width, (double)height);
    if (codec)
        facts_codec(&e->look->facts, codec, (size_t)codec_len);
}

static void read_tracks(struct ebml *e, int64_t at, int64_t end)
{
    struct element el;

    for (; at < end && read_element(e, at, end, &el); at = el.end)
        if (el.id == ID_TRACK_ENTRY)
            read_track(e, el.body, el.end);
}

static void read_seek(struct ebml *e, int64_t at, int64_t end)
{
    struct element el;
    uint64_t id = 0, position = 0;
    int64_t place;

    for (; at < end && read_element(e, at, end, &el); at = el.end) {
        if (el.id == ID_SEEK_ID)
            (void)read_uint(e, &el, &id);
        else if (el.id == ID_SEEK_POSITION)
            (void)read_uint(e, &el, &position);
    }
    if (position >= (uint64_t)(e->file_size - e->segment))
        return;
    place = e->segment + (int64_t)position;
    if (id == ID_INFO)
        e->info_at = place;
    else if (id == ID_TRACKS)
        e->tracks_at = place;
}

static void read_seek_head(struct ebml *e, int64_t at, int64_t end)
{
    struct element el;

    for (; at < end && read_element(e, at, end, &el); at = el.end)
        if (el.id == ID_SEEK)
            read_seek(e, el.body, el.end);
}

/* What follows in the Segment. Gives where the window ends it, -1 where the pictures begin or the file ends. */
static int64_t walk_segment(struct ebml *e, int64_t at)
{
    struct element el;

    while (at < e->file_size && !(e->has_info && e->has_tracks)) {
        if (!read_element(e, at, e->file_size, &el))
            return at;
        if (el.id == ID_CLUSTER || (el.to_the_end && el.id != ID_SEGMENT))
            return -1;
        if (el.id == ID_SEEK_HEAD)
            read_seek_head(e, el.body, el.end);
        if (el.id == ID_INFO) {
            read_info(e, el.body, el.end);
            e->has_info = el.end <= e->w.end || e->look->facts.duration_ms >= 0;
            e->info_at = at;
        } else if (el.id == ID_TRACKS) {
            read_tracks(e, el.body, el.end);
            e->has_tracks = el.end <= e->w.end || e->look->facts.width > 0;
            e->tracks_at = at;
        }
        at = el.end;
    }
    return -1;
}

static void read_doc_type(struct ebml *e, int64_t at, int64_t end)
{
    struct element el;

    for (; at < end && read_element(e, at, end, &el); at = el.end) {
        const unsigned char *text = window_at(&e->w, el.body, 4);

        if (el.id == ID_DOC_TYPE && text && el.end - el.body >= 4 && memcmp(text, "webm", 4) == 0)
            e->look->facts.container = "webm";
    }
}

/* Where what is still missing lies. The duration counts for more than the size: that decides the cost. */
static int64_t missing_at(const struct ebml *e, int64_t cut_at)
{
    const int64_t info_at = e->has_info ? -1 : e->info_at, tracks_at = e->has_tracks ? -1 : e->tracks_at;

    if (info_at >= 0 && tracks_at >= 0 && tracks_at < info_at && info_at - tracks_at < PIECE_BYTES / 2)
        return tracks_at;
    if (info_at >= 0)
        return info_at;
    return tracks_at >= 0 ? tracks_at : cut_at;
}

static struct ebml begin(const struct window *w, int64_t file_size, struct media_look *look)
{
    return (struct ebml){
        .w = *w, .file_size = file_size, .look = look, .elements_left = MAX_ELEMENTS, .info_at = -1, .tracks_at = -1
    };
}

bool ebml_knows(const struct window *w)
{
    const unsigned char *p = window_at(w, 0, 4);

    return p && read_be(p, 4) == ID_EBML;
}

void ebml_start(const struct window *w, int64_t file_size, struct media_look *look)
{
    struct ebml e = begin(w, file_size, look);
    struct element el = { 0 };
    int64_t at = 0;

    look->facts.container = "mkv";
    for (; at < file_size && read_element(&e, at, file_size, &el); at = el.end) {
        if (el.id == ID_EBML)
            read_doc_type(&e, el.body, el.end);
        if (el.id == ID_SEGMENT)
            break;
    }
    if (el.id != ID_SEGMENT)
        return;
    e.segment = el.body;
    at = walk_segment(&e, el.body);
    look->end = e.segment;
    if (!e.has_info || !e.has_tracks)
        look_for_more(look, missing_at(&e, at), PIECE_BYTES, file_size);
}

void ebml_go_on(const struct window *w, int64_t file_size, struct media_look *look)
{
    struct ebml e = begin(w, file_size, look);

    e.segment = look->end;
    e.has_info = look->facts.duration_ms >= 0;
    e.has_tracks = look->facts.width > 0;
    (void)walk_segment(&e, w->base);
}
