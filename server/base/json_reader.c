#include "server/base/json_reader.h"

#include "server/base/json_lexer.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Which of the open containers are objects; one bit a level. */
struct nest {
    unsigned char is_object[JSON_MAX_DEPTH / CHAR_BIT + 1];
};

void json_reader_init(struct json_reader *r, struct span first, int64_t offset, json_more_fn *more, void *arg)
{
    *r = (struct json_reader){
        .at = first.ptr, .end = first.ptr, .window = first.ptr, .base = offset, .more = more, .more_arg = arg
    };
    if (first.len > 0)
        r->end = first.ptr + first.len;
}

int64_t json_reader_offset(const struct json_reader *r)
{
    return r->base + (r->at - r->window);
}

/* First byte of the next value; false at anything that cannot begin one. */
static bool value_start(struct json_reader *r, int *byte, struct err *err)
{
    *byte = json_byte_after_blanks(r, err);
    if (r->depth >= JSON_MAX_DEPTH && *byte >= 0)
        return json_refuse(r, "values nested less deeply than 2048", err);
    switch (*byte) {
    case '{':
    case '[':
    case '"':
    case 't':
    case 'f':
    case 'n':
    case '-':
        return true;
    default:
        return (*byte >= '0' && *byte <= '9') || json_refuse(r, "a value", err);
    }
}

bool json_peek(struct json_reader *r, enum json_kind *kind, struct err *err)
{
    int byte = 0;

    if (!value_start(r, &byte, err))
        return false;
    switch (byte) {
    case '{':
        *kind = JSON_KIND_OBJECT;
        break;
    case '[':
        *kind = JSON_KIND_ARRAY;
        break;
    case '"':
        *kind = JSON_KIND_STRING;
        break;
    case 't':
        *kind = JSON_KIND_TRUE;
        break;
    case 'f':
        *kind = JSON_KIND_FALSE;
        break;
    case 'n':
        *kind = JSON_KIND_NULL;
        break;
    default:
        *kind = JSON_KIND_NUMBER;
    }
    return true;
}

static bool enter(struct json_reader *r, char bracket, const char *expected, struct err *err)
{
    int byte = 0;

    if (!value_start(r, &byte, err))
        return false;
    if (byte != bracket)
        return json_refuse(r, expected, err);
    r->at++;
    r->depth++;
    r->first = true;
    return true;
}

bool json_enter_object(struct json_reader *r, struct err *err)
{
    return enter(r, '{', "an object", err);
}

bool json_enter_array(struct json_reader *r, struct err *err)
{
    return enter(r, '[', "an array", err);
}

/* Up to the next name or item, over its comma; or over the closing bracket. */
static inline bool next_in(struct json_reader *r, char closing, bool *done, struct err *err)
{
    int byte = json_byte_after_blanks(r, err);

    *done = byte == closing;
    if (*done) {
        r->at++;
        r->depth--;
        r->first = false;
        return true;
    }
    if (!r->first) {
        if (byte != ',')
            return json_refuse(r, closing == '}' ? "',' or '}'" : "',' or ']'", err);
        r->at++;
    }
    r->first = false;
    return byte >= 0 || json_refuse(r, "a value", err);
}

static inline bool name_start(struct json_reader *r, struct err *err)
{
    return json_byte_after_blanks(r, err) == '"' || json_refuse(r, "a name in quotes", err);
}

static inline bool colon(struct json_reader *r, struct err *err)
{
    if (json_byte_after_blanks(r, err) != ':')
        return json_refuse(r, "':'", err);
    r->at++;
    return true;
}

bool json_next_name(struct json_reader *r, struct buf *name, bool *done, struct err *err)
{
    bool closed = false;

    buf_reset(name);
    if (!next_in(r, '}', &closed, err))
        return false;
    if (!closed && (!name_start(r, err) || !json_read_string(r, name, err) || !colon(r, err)))
        return false;
    *done = closed;
    return true;
}

bool json_next_item(struct json_reader *r, bool *done, struct err *err)
{
    bool closed = false;

    if (!next_in(r, ']', &closed, err))
        return false;
    *done = closed;
    return true;
}

bool json_take_string(struct json_reader *r, struct buf *out, struct err *err)
{
    int byte = 0;

    if (!value_start(r, &byte, err))
        return false;
    return byte == '"' ? json_read_string(r, out, err) : json_refuse(r, "a string", err);
}

static bool take_number(struct json_reader *r, struct json_number *number, struct err *err)
{
    int byte = 0;

    if (!value_start(r, &byte, err))
        return false;
    if (byte != '-' && (byte < '0' || byte > '9'))
        return json_refuse(r, "a number", err);
    return json_read_number(r, number, err);
}

bool json_take_i64(struct json_reader *r, int64_t *out, struct err *err)
{
    struct json_number number; /* filled by take_number; zeroing its thousand bytes would cost more than reading it */

    return take_number(r, &number, err) && json_number_i64(r, &number, out, err);
}

bool json_take_i64_if_fits(struct json_reader *r, int64_t *out, struct err *err)
{
    struct json_number number; /* as above */

    if (!take_number(r, &number, err))
        return false;
    (void)!json_number_i64(r, &number, out, NULL);
    return true;
}

bool json_take_f64_if_fits(struct json_reader *r, double *out, struct err *err)
{
    struct json_number number; /* as above */
    double x;

    if (!take_number(r, &number, err))
        return false;
    x = strtod(number.text, NULL); /* the process never leaves the C locale, so the point is a point */
    if (isfinite(x))
        *out = x;
    return true;
}

static bool literal(struct json_reader *r, const char *word, struct err *err)
{
    for (; *word; word++) {
        if (json_byte(r, err) != *word)
            return json_refuse(r, "true, false or null", err);
        r->at++;
    }
    return true;
}

bool json_take_bool(struct json_reader *r, bool *out, struct err *err)
{
    int byte = 0;

    if (!value_start(r, &byte, err))
        return false;
    if (byte != 't' && byte != 'f')
        return json_refuse(r, "true or false", err);
    if (!literal(r, byte == 't' ? "true" : "false", err))
        return false;
    *out = byte == 't';
    return true;
}

static bool check_number(struct json_reader *r, struct err *err)
{
    struct json_number number;

    return json_read_number(r, &number, err) && json_number_fits(r, &number, err);
}

/* Reads a scalar to its end, or enters a container. */
static inline bool walk_start(struct json_reader *r, struct nest *nest, bool strict, struct err *err)
{
    unsigned char bit = 0;
    int byte = 0;

    if (!value_start(r, &byte, err))
        return false;
    switch (byte) {
    case '"':
        return strict ? json_read_string(r, NULL, err) : json_skip_string(r, err);
    case '{':
    case '[':
        r->at++;
        bit = (unsigned char)(1U << (r->depth % CHAR_BIT));
        if (byte == '{')
            nest->is_object[r->depth / CHAR_BIT] |= bit;
        else
            nest->is_object[r->depth / CHAR_BIT] &= (unsigned char)~bit;
        r->depth++;
        r->first = true;
        return true;
    case 't':
        return literal(r, "true", err);
    case 'f':
        return literal(r, "false", err);
    case 'n':
        return literal(r, "null", err);
    default:
        return strict ? check_number(r, err) : json_read_number(r, NULL, err);
    }
}

/* After a value in the innermost container: to the next value, or out of the container. */
static inline bool walk_next(struct json_reader *r, const struct nest *nest, bool strict, bool *done, struct err *err)
{
    int level = r->depth - 1;

    if ((nest->is_object[level / CHAR_BIT] >> (level % CHAR_BIT) & 1) == 0)
        return next_in(r, ']', done, err);
    if (!next_in(r, '}', done, err))
        return false;
    if (*done)
        return true;
    return name_start(r, err) && (strict ? json_read_string(r, NULL, err) : json_skip_string(r, err)) && colon(r, err);
}

/* Over one value of any size without recursion: depth is bounded by the grammar, not by the stack. */
static inline bool walk(struct json_reader *r, bool strict, struct err *err)
{
    struct nest nest; /* each bit is written when its level is entered */
    const int floor = r->depth;

    for (;;) {
        bool done = true;

        if (!walk_start(r, &nest, strict, err))
            return false;
        while (done && r->depth > floor)
            if (!walk_next(r, &nest, strict, &done, err))
                return false;
        if (r->depth == floor)
            return true;
    }
}

bool json_skip_value(struct json_reader *r, struct err *err)
{
    return walk(r, false, err);
}

bool json_check_value(struct json_reader *r, struct err *err)
{
    return walk(r, true, err);
}

static int byte_after_line_blanks(struct json_reader *r, struct err *err)
{
    r->lines = true;
    return json_byte_after_blanks(r, err);
}

bool json_skip_mark(struct json_reader *r, struct err *err)
{
    static const unsigned char mark[] = { 0xEF, 0xBB, 0xBF };

    for (size_t i = 0; i < sizeof(mark); i++) {
        if (json_byte(r, err) != mark[i])
            return (i == 0 && !r->io_failed) || json_refuse(r, "a whole byte order mark", err);
        r->at++;
    }
    return true;
}

bool json_end_of_line(struct json_reader *r, struct err *err)
{
    int byte = byte_after_line_blanks(r, err);

    if (r->io_failed || (byte >= 0 && byte != '\n'))
        return json_refuse(r, "the end of the line", err);
    if (byte == '\n')
        r->at++;
    return true;
}

bool json_next_line(struct json_reader *r, bool *eof, struct err *err)
{
    int byte = 0;

    r->depth = 0;
    r->first = false;
    while ((byte = byte_after_line_blanks(r, err)) == '\n')
        r->at++;
    if (r->io_failed)
        return json_refuse(r, "a line", err);
    *eof = byte < 0;
    return true;
}

bool json_drop_line(struct json_reader *r, struct err *err)
{
    r->depth = 0;
    r->first = false;
    while (json_byte(r, err) >= 0) {
        const char *feed = memchr(r->at, '\n', (size_t)(r->end - r->at));
        r->at = feed ? feed + 1 : r->end;
        if (feed)
            return true;
    }
    return !r->io_failed || json_refuse(r, "a line", err);
}
