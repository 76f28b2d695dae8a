/* Writes JSON into a buf: commas and escapes are its business, order and names the caller's. Misuse (a value without a
 * name inside an object) is our bug and asserts. Text must be UTF-8; ill-formed bytes are written as U+FFFD. */
#ifndef VIDBATCH_BASE_JSON_WRITER_H
#define VIDBATCH_BASE_JSON_WRITER_H

#include "server/base/buf.h"
#include "server/base/span.h"

#include <stdbool.h>
#include <stdint.h>

enum { JSON_WRITER_DEPTH = 63 }; /* deeper nesting than any of ours is a bug, and asserts */

struct json_writer {
    struct buf *out; /* borrowed */
    bool comma;      /* the next value or name needs one */
    bool named;      /* a name waits for its value */
    int depth;
    uint64_t objects; /* one bit a level, the innermost lowest: is it an object? */
};

static inline struct json_writer json_writer_on(struct buf *out)
{
    return (struct json_writer){ .out = out };
}

void json_begin_object(struct json_writer *w);
void json_end_object(struct json_writer *w);
void json_begin_array(struct json_writer *w);
void json_end_array(struct json_writer *w);
/* name: one of ours, plain ASCII, needs no escaping. */
void json_name(struct json_writer *w, const char *name);
void json_span(struct json_writer *w, struct span s);
void json_text(struct json_writer *w, const char *text); /* NULL writes null */
void json_i64(struct json_writer *w, int64_t n);
void json_f64(struct json_writer *w,
              double x); /* shortest form that reads back the same; NaN and infinity write null */
void json_bool(struct json_writer *w, bool b);
void json_none(struct json_writer *w); /* null; Jansson has a json_null, and one process has one of each name */
/* A value that is JSON already; written as it is. */
void json_raw(struct json_writer *w, struct span json);
/* The value once more that was written as `len` bytes from `from` on (out->len before and after it). */
void json_again(struct json_writer *w, size_t from, size_t len);

/* name and value in one */
void json_put_text(struct json_writer *w, const char *name, const char *text);
void json_put_span(struct json_writer *w, const char *name, struct span s);
void json_put_i64(struct json_writer *w, const char *name, int64_t n);
void json_put_f64(struct json_writer *w, const char *name, double x);
void json_put_bool(struct json_writer *w, const char *name, bool b);
void json_put_null(struct json_writer *w, const char *name);
void json_put_raw(struct json_writer *w, const char *name, struct span json);
void json_put_time(struct json_writer *w, const char *name, int64_t wall_ms); /* RFC 3339; 0 writes null */
void json_put_id(struct json_writer *w, const char *name, const char *id_prefix, int64_t id); /* 0 writes null */

/* The escaped inside of a JSON string, without the quotes. */
void json_escape(struct buf *out, struct span s);

#endif
