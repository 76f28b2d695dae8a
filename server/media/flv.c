/* A header, then tags. The first one is a script tag as a rule: the name onMetaData and a list of names and values. */
#include "server/media/internal.h"

#include <string.h>

enum { HEADER_BYTES = 9, TAG_BYTES = 11, MAX_TAGS = 16, MAX_VALUES = 1024, MAX_DEPTH = 8, SCRIPT = 18 };
enum amf {
    AMF_NUMBER,
    AMF_BOOLEAN,
    AMF_STRING,
    AMF_OBJECT,
    AMF_NULL = 5,
    AMF_UNDEFINED,
    AMF_REFERENCE,
    AMF_MAP,
    AMF_END,
    AMF_ARRAY,
    AMF_DATE,
    AMF_LONG_STRING
};

struct amf_reader {
    struct window w;
    int64_t at;
    int values_left;
    double duration_s, width, height, codec; /* of the outermost list */
};

static const unsigned char *take(struct amf_reader *r, int64_t n)
{
    const unsigned char *p = window_at(&r->w, r->at, n);

    if (p)
        r->at += n;
    return p;
}

static bool skip_text(struct amf_reader *r, int len_bytes)
{
    const unsigned char *p = take(r, len_bytes);

    return p && take(r, (int64_t)read_be(p, len_bytes));
}

static bool read_value(struct amf_reader *r, int depth, struct span name);

/* Names and values until an empty name and an end mark. */
static bool read_list(struct amf_reader *r, int depth)
{
    for (;;) {
        const unsigned char *len = take(r, 2);
        const int64_t n = len ? (int64_t)read_be(len, 2) : 0;
        const unsigned char *name = len ? take(r, n) : NULL;
        const unsigned char *mark = name ? window_at(&r->w, r->at, 1) : NULL;

        if (!mark)
            return false;
        if (n == 0 && mark[0] == AMF_END) {
            r->at++;
            return true;
        }
        if (!read_value(r, depth, (struct span){ (const char *)name, (size_t)n }))
            return false;
    }
}

static bool read_array(struct amf_reader *r, int depth)
{
    const unsigned char *p = take(r, 4);

    for (uint64_t n = p ? read_be(p, 4) : 0; n > 0; n--)
        if (!read_value(r, depth, (struct span){ "", 0 }))
            return false;
    return p != NULL;
}

static bool read_number(struct amf_reader *r, int depth, struct span name)
{
    const unsigned char *p = take(r, 8);
    const uint64_t bits = p ? read_be(p, 8) : 0;
    double number;

    memcpy(&number, &bits, sizeof number);
    if (!p || depth != 1)
        return p != NULL;
    if (span_eq_text(name, "duration"))
        r->duration_s = number;
    else if (span_eq_text(name, "width"))
        r->width = number;
    else if (span_eq_text(name, "height"))
        r->height = number;
    else if (span_eq_text(name, "videocodecid"))
        r->codec = number;
    return true;
}

static bool read_value(struct amf_reader *r, int depth, struct span name)
{
    const unsigned char *type = take(r, 1);

    if (!type || depth > MAX_DEPTH || r->values_left-- <= 0)
        return false;
    switch (type[0]) {
    case AMF_NUMBER:
        return read_number(r, depth, name);
    case AMF_BOOLEAN:
        return take(r, 1) != NULL;
    case AMF_STRING:
        return skip_text(r, 2);
    case AMF_LONG_STRING:
        return skip_text(r, 4);
    case AMF_NULL:
    case AMF_UNDEFINED:
        return true;
    case AMF_REFERENCE:
        return take(r, 2) != NULL;
    case AMF_DATE:
        return take(r, 10) != NULL;
    case AMF_OBJECT:
        return read_list(r, depth + 1);
    case AMF_MAP: /* its count is a hint only */
        return take(r, 4) && read_list(r, depth + 1);
    case AMF_ARRAY:
        return read_array(r, depth + 1);
    default:
        return false;
    }
}

static void read_script(const struct window *w, int64_t at, struct media_facts *facts)
{
    static const char name[] = "\x02\x00\x0aonMetaData";
    struct amf_reader r = { .w = *w, .at = at, .values_left = MAX_VALUES, .codec = -1 };
    const unsigned char *p = take(&r, sizeof name - 1);
    const char *codec = "";

    if (!p || memcmp(p, name, sizeof name - 1) != 0)
        return;
    (void)read_value(&r, 0, (struct span){ "", 0 }); /* what was read before it broke off counts */
    facts_duration_ms(facts, r.duration_s * 1000);
    facts_size(facts, r.width, r.height);
    if (r.codec == 2)
        codec = "h263";
    else if (r.codec == 4)
        codec = "vp6f";
    else if (r.codec == 7)
        codec = "avc1";
    facts_codec(facts, (const unsigned char *)codec, strlen(codec));
}

bool flv_knows(const struct window *w)
{
    const unsigned char *p = window_at(w, 0, HEADER_BYTES);

    return p && memcmp(p, "FLV\x01", 4) == 0;
}

void flv_start(const struct window *w, struct media_look *look)
{
    int64_t at = (int64_t)read_be(window_at(w, 0, HEADER_BYTES) + 5, 4) + 4; /* the size of no tag before it */

    look->facts.container = "flv";
    for (int i = 0; i < MAX_TAGS; i++) {
        const unsigned char *tag = window_at(w, at, TAG_BYTES);

        if (!tag)
            return;
        if ((tag[0] & 0x1f) == SCRIPT) {
            read_script(w, at + TAG_BYTES, &look->facts);
            return;
        }
        at += TAG_BYTES + (int64_t)read_be(tag + 1, 3) + 4;
    }
}
