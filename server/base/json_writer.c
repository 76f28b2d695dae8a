#include "server/base/json_writer.h"

#include "server/base/clock.h"
#include "server/base/id.h"
#include "server/base/json_scan.h"
#include "server/base/text.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Before a value: its comma, and the proof that an object's value has its name. */
static void before_value(struct json_writer *w)
{
    assert(w->named == ((w->objects & 1) != 0));
    if (w->comma && !w->named)
        buf_char(w->out, ',');
    w->comma = true;
    w->named = false;
}

static void begin(struct json_writer *w, char bracket, bool is_object)
{
    before_value(w);
    assert(w->depth < JSON_WRITER_DEPTH);
    w->depth++;
    w->objects = (w->objects << 1) | (is_object ? 1 : 0);
    w->comma = false;
    buf_char(w->out, bracket);
}

static void end(struct json_writer *w, char bracket, bool is_object)
{
    assert(w->depth > 0 && !w->named && ((w->objects & 1) != 0) == is_object);
    (void)is_object;
    w->depth--;
    w->objects >>= 1;
    w->comma = true;
    buf_char(w->out, bracket);
}

void json_begin_object(struct json_writer *w)
{
    begin(w, '{', true);
}

void json_end_object(struct json_writer *w)
{
    end(w, '}', true);
}

void json_begin_array(struct json_writer *w)
{
    begin(w, '[', false);
}

void json_end_array(struct json_writer *w)
{
    end(w, ']', false);
}

void json_name(struct json_writer *w, const char *name)
{
    size_t len = strlen(name);
    char *at = buf_room(w->out, len + 4);
    size_t n = 0;

    assert((w->objects & 1) != 0 && !w->named);
    w->named = true;
    if (!at)
        return;
    if (w->comma)
        at[n++] = ',';
    at[n++] = '"';
    memcpy(at + n, name, len);
    n += len;
    at[n++] = '"';
    at[n++] = ':';
    buf_grew(w->out, n);
}

static void escape_one(struct buf *out, unsigned char c)
{
    static const char named[] = "\"\"\\\\\bb\ff\nn\rr\tt"; /* pairs: the byte, its letter */

    for (size_t i = 0; i + 1 < sizeof named; i += 2) {
        if ((unsigned char)named[i] == c) {
            char two[2] = { '\\', named[i + 1] };
            buf_add(out, two, sizeof two);
            return;
        }
    }
    buf_fmt(out, "\\u%04x", c);
}

void json_escape(struct buf *out, struct span s)
{
    while (s.len > 0) {
        const char *end_of_s = s.ptr + s.len;
        const char *stop = json_scan_plain(s.ptr, end_of_s, true);
        size_t wide = 0;

        /* A run of well-formed characters beyond ASCII goes out with the plain run before it. */
        while (stop < end_of_s && (unsigned char)*stop >= 0x80 &&
               (wide = text_utf8_char((struct span){ stop, (size_t)(end_of_s - stop) })) > 0)
            stop += wide;
        buf_add(out, s.ptr, (size_t)(stop - s.ptr));
        s = span_tail(s, (size_t)(stop - s.ptr));
        if (s.len == 0)
            return;
        if ((unsigned char)s.ptr[0] >= 0x80) {
            s = span_tail(s, text_utf8_broken(s));
            buf_text(out, "\xEF\xBF\xBD");
        } else if ((unsigned char)s.ptr[0] < 0x20 || s.ptr[0] == '"' || s.ptr[0] == '\\') {
            escape_one(out, (unsigned char)s.ptr[0]);
            s = span_tail(s, 1);
        }
    }
}

void json_span(struct json_writer *w, struct span s)
{
    before_value(w);
    buf_char(w->out, '"');
    json_escape(w->out, s);
    buf_char(w->out, '"');
}

void json_text(struct json_writer *w, const char *text)
{
    if (text)
        json_span(w, span_of(text));
    else
        json_none(w);
}

void json_i64(struct json_writer *w, int64_t n)
{
    before_value(w);
    buf_i64(w->out, n);
}

void json_f64(struct json_writer *w, double x)
{
    char text[40] = "null";

    before_value(w);
    if (isfinite(x)) {
        for (int digits = 15; digits <= 17; digits++) {
            (void)snprintf(text, sizeof text, "%.*g", digits, x);
            if (strtod(text, NULL) == x)
                break;
        }
    }
    buf_text(w->out, text);
}

void json_bool(struct json_writer *w, bool b)
{
    json_raw(w, span_of(b ? "true" : "false"));
}

void json_none(struct json_writer *w)
{
    json_raw(w, SPAN_LIT("null"));
}

void json_raw(struct json_writer *w, struct span json)
{
    before_value(w);
    buf_span(w->out, json);
}

void json_again(struct json_writer *w, size_t from, size_t len)
{
    char *room = NULL;

    before_value(w);
    assert(from + len <= w->out->len || !buf_ok(w->out));
    room = buf_room(w->out, len); /* the value moves with the buffer */
    if (!room)
        return;
    memcpy(room, w->out->data + from, len);
    buf_grew(w->out, len);
}

void json_put_text(struct json_writer *w, const char *name, const char *text)
{
    json_name(w, name);
    json_text(w, text);
}

void json_put_span(struct json_writer *w, const char *name, struct span s)
{
    json_name(w, name);
    json_span(w, s);
}

void json_put_i64(struct json_writer *w, const char *name, int64_t n)
{
    json_name(w, name);
    json_i64(w, n);
}

void json_put_f64(struct json_writer *w, const char *name, double x)
{
    json_name(w, name);
    json_f64(w, x);
}

void json_put_bool(struct json_writer *w, const char *name, bool b)
{
    json_name(w, name);
    json_bool(w, b);
}

void json_put_null(struct json_writer *w, const char *name)
{
    json_name(w, name);
    json_none(w);
}

void json_put_raw(struct json_writer *w, const char *name, struct span json)
{
    json_name(w, name);
    json_raw(w, json);
}

void json_put_time(struct json_writer *w, const char *name, int64_t wall_ms)
{
    char text[CLOCK_RFC3339_SIZE] = "";

    if (wall_ms != 0)
        clock_rfc3339(wall_ms, text);
    json_put_text(w, name, wall_ms != 0 ? text : NULL);
}

void json_put_id(struct json_writer *w, const char *name, const char *id_prefix, int64_t id)
{
    char text[ID_SIZE] = "";

    if (id != 0)
        id_format(id_prefix, id, text);
    json_put_text(w, name, id != 0 ? text : NULL);
}
