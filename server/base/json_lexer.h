/* The JSON reader's tokens: bytes across windows, strings, numbers. Private to server/base: json_reader.c is the
 * grammar above it. All of them fail as json_reader.h says, and never read past a line feed that ends a broken line. */
#ifndef VIDBATCH_BASE_JSON_LEXER_H
#define VIDBATCH_BASE_JSON_LEXER_H

#include "server/base/json_reader.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { JSON_MAX_DEPTH = 2048, JSON_NUMBER_MAX = 1000 };

struct json_number {
    size_t len;
    bool is_real; /* has a fraction or an exponent */
    char text[JSON_NUMBER_MAX + 1];
};

/* The window is used up: the first byte of the next one, or -1 at the end of input and when `more` fails. */
int json_refill(struct json_reader *r, struct err *err);

/* The next byte without taking it (r->at++ takes it), or -1. */
static inline int json_byte(struct json_reader *r, struct err *err)
{
    return r->at < r->end ? (unsigned char)*r->at : json_refill(r, err);
}

/* The same, after skipping blanks. */
static inline int json_byte_after_blanks(struct json_reader *r, struct err *err)
{
    for (;;) {
        int byte = json_byte(r, err);
        if (byte != ' ' && byte != '\t' && byte != '\r' && (byte != '\n' || r->lines))
            return byte;
        r->at++;
    }
}

/* Always false: ERR_INPUT with what was expected, what stands there and where; or the failure of `more`. */
bool json_refuse(struct json_reader *r, const char *expected, struct err *err);

/* At a quote. Decodes into out (appended; left as it was on failure); NULL only judges. */
MUST_CHECK bool json_read_string(struct json_reader *r, struct buf *out, struct err *err);
/* At a quote. Only searches for the end. */
MUST_CHECK bool json_skip_string(struct json_reader *r, struct err *err);

/* At a digit or '-'. Keeps the text in *number; NULL only judges the form. */
MUST_CHECK bool json_read_number(struct json_reader *r, struct json_number *number, struct err *err);
/* Cut toward zero; ERR_INPUT beyond int64. */
MUST_CHECK bool json_number_i64(struct json_reader *r, const struct json_number *number, int64_t *out, struct err *err);
/* An integer fits int64, a real fits double. */
MUST_CHECK bool json_number_fits(struct json_reader *r, const struct json_number *number, struct err *err);

#endif
