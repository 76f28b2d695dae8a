/* A pull reader for JSON that comes in pieces: takes what is asked for, skips the rest without keeping it.
 * It reads from a window of bytes; when the window is used up it calls `more` for the next one, so a document may be
 * larger than memory. Made for the lines of Bedrock's output: values that nobody wants (the echoed modelInput) are
 * skipped eight bytes at a time.
 *
 * Grammar: RFC 8259 as Jansson reads it (nesting to 2048, no trailing commas, no bare control characters, valid UTF-8
 * in strings that are taken). Strings that are skipped are only searched for their end: their escapes and UTF-8 are not
 * judged. Unpaired surrogates in \u escapes and \u0000 become U+FFFD in what is taken, and `altered` says so. One
 * thread.
 *
 * After an error a value is half read: go on with json_drop_line, or not at all. From json_next_line on, a line feed
 * ends the line and no value reaches over it: however a line is broken, json_drop_line then loses that line and no
 * other. */
#ifndef VIDBATCH_BASE_JSON_READER_H
#define VIDBATCH_BASE_JSON_READER_H

#include "server/base/attr.h"
#include "server/base/buf.h"
#include "server/base/err.h"
#include "server/base/span.h"

#include <stdbool.h>
#include <stdint.h>

/* Gives the next piece: *piece borrowed until the next call, len 0 at the end of input. False: err filled, reading
 * stops. */
typedef bool json_more_fn(void *arg, struct span *piece, struct err *err);

enum json_kind {
    JSON_KIND_OBJECT,
    JSON_KIND_ARRAY,
    JSON_KIND_STRING,
    JSON_KIND_NUMBER,
    JSON_KIND_TRUE,
    JSON_KIND_FALSE,
    JSON_KIND_NULL
};

struct json_reader {
    const char *at;  /* next byte */
    const char *end; /* end of the window */
    int64_t base;    /* offset in the input of the window's first byte */
    const char *window;
    json_more_fn *more; /* NULL: the first window is all there is */
    void *more_arg;
    bool eof;
    bool io_failed; /* `more` failed: err holds its error, which is not the document's fault */
    bool altered;   /* a taken string had a NUL or an unpaired surrogate; the caller resets it */
    bool first;     /* a container was just entered: no comma before its first value */
    bool lines;     /* json_next_line was called: a line feed is not a blank */
    int depth;
};

/* Starts on `first` (may be empty) at input offset `offset`. */
void json_reader_init(struct json_reader *r, struct span first, int64_t offset, json_more_fn *more, void *arg);
/* Offset in the input of the next byte to read. */
int64_t json_reader_offset(const struct json_reader *r);

/* Looks at the kind of the next value without taking it. Errors are ERR_INPUT (malformed; code "json_syntax") unless
 * io_failed. */
MUST_CHECK bool json_peek(struct json_reader *r, enum json_kind *kind, struct err *err);
/* Objects: json_enter_object, then json_next_name until *done; after each name take or skip exactly one value.
 * The name goes into `name` (its old content dropped; names longer than its maximum are ERR_INPUT). */
MUST_CHECK bool json_enter_object(struct json_reader *r, struct err *err);
MUST_CHECK bool json_next_name(struct json_reader *r, struct buf *name, bool *done, struct err *err);
/* Arrays: json_enter_array, then json_next_item until *done; after each take or skip exactly one value. */
MUST_CHECK bool json_enter_array(struct json_reader *r, struct err *err);
MUST_CHECK bool json_next_item(struct json_reader *r, bool *done, struct err *err);
/* Appends the decoded string to out; more than out's maximum: ERR_INPUT with code "json_too_long". */
MUST_CHECK bool json_take_string(struct json_reader *r, struct buf *out, struct err *err);
/* A number as int64; one with fraction or exponent is cut toward zero, one beyond int64 is ERR_INPUT. A number of more
 * than 1,000 characters is not taken: ERR_INPUT with code "json_too_long". */
MUST_CHECK bool json_take_i64(struct json_reader *r, int64_t *out, struct err *err);
/* The same, but one beyond int64 is read and leaves *out as it was. */
MUST_CHECK bool json_take_i64_if_fits(struct json_reader *r, int64_t *out, struct err *err);
/* A number as double; one beyond double is read and leaves *out as it was. */
MUST_CHECK bool json_take_f64_if_fits(struct json_reader *r, double *out, struct err *err);
MUST_CHECK bool json_take_bool(struct json_reader *r, bool *out, struct err *err);
MUST_CHECK bool json_skip_value(struct json_reader *r, struct err *err);
/* The same, but every byte judged as a taken one would be (a number must fit int64, or double if it has a fraction or
 * an exponent): for tests against a full parser. */
MUST_CHECK bool json_check_value(struct json_reader *r, struct err *err);

/* At the very start of the input: over a UTF-8 byte order mark, if there is one; a part of one is ERR_INPUT. */
MUST_CHECK bool json_skip_mark(struct json_reader *r, struct err *err);

/* JSON Lines. After a value: only blanks up to and including the line feed (or end of input) may follow. */
MUST_CHECK bool json_end_of_line(struct json_reader *r, struct err *err);
/* Skips blanks and empty lines; *eof when nothing is left. */
MUST_CHECK bool json_next_line(struct json_reader *r, bool *eof, struct err *err);
/* Gives up the current line, however broken: on to the byte after the next line feed. */
MUST_CHECK bool json_drop_line(struct json_reader *r, struct err *err);

#endif
