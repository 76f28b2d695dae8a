#include "server/base/json_lexer.h"

#include "server/base/json_scan.h"
#include "server/base/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int json_refill(struct json_reader *r, struct err *err)
{
    while (r->at == r->end && !r->eof && !r->io_failed) {
        struct span piece = { NULL, 0 };

        if (r->more && !r->more(r->more_arg, &piece, err)) {
            r->io_failed = true;
            break;
        }
        if (piece.len == 0) {
            r->eof = true;
            break;
        }
        r->base += r->end - r->window;
        r->window = r->at = piece.ptr;
        r->end = piece.ptr + piece.len;
    }
    return r->at < r->end ? (unsigned char)*r->at : -1;
}

bool json_refuse(struct json_reader *r, const char *expected, struct err *err)
{
    char found[24] = "the end of input";
    int byte = 0;

    if (r->io_failed) /* the first error wins: this text shows only where the caller dropped that one */
        return err_set(err, ERR_UPSTREAM, true, HERE, "reading the input has failed before");
    byte = json_byte(r, err);
    if (r->io_failed)
        return false;
    if (byte >= 0x21 && byte < 0x7F)
        (void)snprintf(found, sizeof found, "'%c'", byte);
    else if (byte >= 0)
        (void)snprintf(found, sizeof found, "byte 0x%02x", (unsigned)byte);
    (void)err_set(err, ERR_INPUT, false, HERE, "malformed JSON at byte %lld: expected %s, found %s",
                  (long long)json_reader_offset(r), expected, found);
    return err_code(err, "json_syntax");
}

static bool too_long(struct json_reader *r, const char *what, size_t max, struct err *err)
{
    (void)err_set(err, ERR_INPUT, false, HERE, "JSON %s of more than %zu bytes at byte %lld", what, max,
                  (long long)json_reader_offset(r));
    return err_code(err, "json_too_long");
}

/* ---- strings ---- */

/* Appends to out where there is one. */
static inline bool emit(struct json_reader *r, struct buf *out, const char *bytes, size_t len, struct err *err)
{
    if (!out || len == 0)
        return true;
    buf_add(out, bytes, len);
    if (buf_ok(out))
        return true;
    return len > out->max - out->len ? too_long(r, "string", out->max, err) : err_memory(err, HERE);
}

static bool emit_codepoint(struct json_reader *r, struct buf *out, unsigned code, struct err *err)
{
    char c[4];
    size_t len = 0;

    if (code == 0 || (code >= 0xD800 && code <= 0xDFFF)) {
        code = 0xFFFD;
        r->altered = true;
    }
    if (code < 0x80) {
        c[len++] = (char)code;
    } else if (code < 0x800) {
        c[len++] = (char)(0xC0 | code >> 6);
        c[len++] = (char)(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
        c[len++] = (char)(0xE0 | code >> 12);
        c[len++] = (char)(0x80 | (code >> 6 & 0x3F));
        c[len++] = (char)(0x80 | (code & 0x3F));
    } else {
        c[len++] = (char)(0xF0 | code >> 18);
        c[len++] = (char)(0x80 | (code >> 12 & 0x3F));
        c[len++] = (char)(0x80 | (code >> 6 & 0x3F));
        c[len++] = (char)(0x80 | (code & 0x3F));
    }
    return emit(r, out, c, len, err);
}

/* A high surrogate waits for its other half; when something else follows, it stands alone. */
static bool flush_high(struct json_reader *r, struct buf *out, unsigned *high, struct err *err)
{
    unsigned code = *high;

    *high = 0;
    return code == 0 || emit_codepoint(r, out, code, err);
}

/* After "\u". */
static bool read_hex4(struct json_reader *r, unsigned *code, struct err *err)
{
    *code = 0;
    for (int i = 0; i < 4; i++) {
        int byte = json_byte(r, err);
        int digit = byte >= '0' && byte <= '9'   ? byte - '0'
                    : byte >= 'a' && byte <= 'f' ? byte - 'a' + 10
                    : byte >= 'A' && byte <= 'F' ? byte - 'A' + 10
                                                 : -1;
        if (digit < 0)
            return json_refuse(r, "four hex digits after \\u", err);
        *code = *code << 4 | (unsigned)digit;
        r->at++;
    }
    return true;
}

static bool read_unicode_escape(struct json_reader *r, struct buf *out, unsigned *high, struct err *err)
{
    unsigned code = 0;

    if (!read_hex4(r, &code, err))
        return false;
    if (*high != 0 && code >= 0xDC00 && code <= 0xDFFF) {
        code = 0x10000 + ((*high - 0xD800) << 10) + (code - 0xDC00);
        *high = 0;
    }
    if (!flush_high(r, out, high, err))
        return false;
    if (code >= 0xD800 && code <= 0xDBFF) {
        *high = code;
        return true;
    }
    return emit_codepoint(r, out, code, err);
}

/* At a backslash. */
static bool read_escape(struct json_reader *r, struct buf *out, unsigned *high, struct err *err)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    const char *letter = NULL;
    int byte = 0;

    r->at++;
    byte = json_byte(r, err);
    if (byte == 'u') {
        r->at++;
        return read_unicode_escape(r, out, high, err);
    }
    letter = byte > 0 ? strchr(letters, byte) : NULL;
    if (!letter)
        return json_refuse(r, "an escape", err);
    r->at++;
    return flush_high(r, out, high, err) && emit(r, out, meanings + (letter - letters), 1, err);
}

/* At a byte from 0x80 on: one character that may be split between windows. */
static bool read_split_character(struct json_reader *r, struct buf *out, struct err *err)
{
    char c[4];
    size_t len = 0;
    size_t want = 1;

    while (len < want) {
        int byte = json_byte(r, err);
        if (byte < 0 || (len > 0 && (byte & 0xC0) != 0x80))
            return json_refuse(r, "UTF-8", err);
        if (len == 0)
            want = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : 2;
        c[len++] = (char)byte;
        r->at++;
    }
    if (text_utf8_char((struct span){ c, len }) != len)
        return json_refuse(r, "UTF-8", err);
    return emit(r, out, c, len, err);
}

/* The characters beyond ASCII that lie whole in the window; or the one that does not. */
static bool read_wide(struct json_reader *r, struct buf *out, struct err *err)
{
    struct span rest = { r->at, (size_t)(r->end - r->at) };
    size_t good = 0;
    size_t len = 0;

    while (good < rest.len && (unsigned char)rest.ptr[good] >= 0x80 &&
           (len = text_utf8_char((struct span){ rest.ptr + good, rest.len - good })) > 0)
        good += len;
    if (good == 0)
        return read_split_character(r, out, err);
    r->at += good;
    return emit(r, out, rest.ptr, good, err);
}

static bool read_string_inside(struct json_reader *r, struct buf *out, struct err *err)
{
    unsigned high = 0;

    for (;;) {
        const char *run = r->at;
        int byte = 0;

        r->at = json_scan_plain(run, r->end, true);
        if (r->at > run && (!flush_high(r, out, &high, err) || !emit(r, out, run, (size_t)(r->at - run), err)))
            return false;
        byte = json_byte(r, err);
        if (byte == '\\') {
            if (!read_escape(r, out, &high, err))
                return false;
        } else if (byte >= 0x80) {
            if (!flush_high(r, out, &high, err) || !read_wide(r, out, err))
                return false;
        } else if (byte == '"') {
            r->at++;
            return flush_high(r, out, &high, err);
        } else if (byte < 0x20) {
            return json_refuse(r, "the end of a string", err);
        }
    }
}

bool json_read_string(struct json_reader *r, struct buf *out, struct err *err)
{
    size_t before = out ? out->len : 0;

    r->at++;
    if (read_string_inside(r, out, err))
        return true;
    if (out)
        buf_cut(out, before);
    return false;
}

bool json_skip_string(struct json_reader *r, struct err *err)
{
    r->at++;
    for (;;) {
        int byte = 0;

        r->at = json_scan_plain(r->at, r->end, false);
        byte = json_byte(r, err);
        if (byte == '"') {
            r->at++;
            return true;
        }
        if (byte == '\\') {
            r->at++;
            byte = json_byte(r, err);
            if (byte == '"' || byte == '\\')
                r->at++; /* any other byte is judged as the string's next */
        }
        if (byte < 0x20)
            return json_refuse(r, "the end of a string", err);
    }
}

/* ---- numbers ---- */

static inline bool take_number_byte(struct json_reader *r, struct json_number *number, int byte, struct err *err)
{
    r->at++;
    if (!number)
        return true;
    if (number->len == JSON_NUMBER_MAX)
        return too_long(r, "number", JSON_NUMBER_MAX, err);
    number->text[number->len++] = (char)byte;
    return true;
}

/* At least one digit. */
static bool read_digits(struct json_reader *r, struct json_number *number, struct err *err)
{
    int byte = json_byte(r, err);

    if (byte < '0' || byte > '9')
        return json_refuse(r, "a digit", err);
    do {
        if (!take_number_byte(r, number, byte, err))
            return false;
        byte = json_byte(r, err);
    } while (byte >= '0' && byte <= '9');
    return !r->io_failed;
}

/* Takes the next byte if it is one of two. */
static bool take_either(struct json_reader *r, struct json_number *number, char a, char b, bool *taken, struct err *err)
{
    int byte = json_byte(r, err);

    *taken = byte == a || byte == b;
    return *taken ? take_number_byte(r, number, byte, err) : !r->io_failed;
}

bool json_read_number(struct json_reader *r, struct json_number *number, struct err *err)
{
    bool taken = false;
    bool fraction = false;
    bool exponent = false;

    if (number)
        number->len = 0;
    if (!take_either(r, number, '-', '-', &taken, err) || !take_either(r, number, '0', '0', &taken, err))
        return false;
    if (!taken && !read_digits(r, number, err))
        return false;
    if (!take_either(r, number, '.', '.', &fraction, err) || (fraction && !read_digits(r, number, err)))
        return false;
    if (!take_either(r, number, 'e', 'E', &exponent, err))
        return false;
    if (exponent && (!take_either(r, number, '+', '-', &taken, err) || !read_digits(r, number, err)))
        return false;
    if (number) {
        number->text[number->len] = '\0';
        number->is_real = fraction || exponent;
    }
    return true;
}

/* The integer part of digits * 10^shift, where the digits are those of the number's text before its exponent. */
static bool shifted_i64(struct span mantissa, int64_t shift, int64_t *out)
{
    bool negative = mantissa.len > 0 && mantissa.ptr[0] == '-';
    size_t point = span_find(mantissa, '.');
    int64_t wanted = (int64_t)point + shift; /* index in the text, the point left out, where the integer part ends */
    int64_t seen = 0;
    int64_t n = 0;

    for (size_t i = 0; i < mantissa.len; i++, seen++) {
        if (i == point)
            seen--;
        if (i == point || mantissa.ptr[i] == '-')
            continue;
        if (seen >= wanted)
            break;
        /* Counted downwards: the least int64 has no positive twin. */
        if (__builtin_mul_overflow(n, 10, &n) || __builtin_sub_overflow(n, mantissa.ptr[i] - '0', &n))
            return false;
    }
    for (; n != 0 && seen < wanted; seen++)
        if (__builtin_mul_overflow(n, 10, &n))
            return false;
    if (!negative && __builtin_sub_overflow(0, n, &n))
        return false;
    *out = n;
    return true;
}

bool json_number_i64(struct json_reader *r, const struct json_number *number, int64_t *out, struct err *err)
{
    struct span text = { number->text, number->len };
    size_t e = strcspn(number->text, "eE");
    struct span exponent = span_tail(text, e + 1);
    int64_t shift = 0;

    if (exponent.len > 0 && exponent.ptr[0] == '+')
        exponent = span_tail(exponent, 1);
    /* An exponent of more than 19 digits cannot be met by a mantissa of 1,000: as good as the greatest. */
    if (exponent.len > 0 && (!text_parse_i64(exponent, &shift) || shift > INT32_MAX || shift < INT32_MIN))
        shift = exponent.ptr[0] == '-' ? INT32_MIN : INT32_MAX;
    if (shifted_i64(span_head(text, e), shift, out))
        return true;
    return err_set(err, ERR_INPUT, false, HERE, "number before byte %lld is beyond 64 bits",
                   (long long)json_reader_offset(r));
}

bool json_number_fits(struct json_reader *r, const struct json_number *number, struct err *err)
{
    int64_t n = 0;

    if (!number->is_real)
        return json_number_i64(r, number, &n, err);
    /* The process never leaves the C locale, so the point is a point. */
    if (isfinite(strtod(number->text, NULL)))
        return true;
    return err_set(err, ERR_INPUT, false, HERE, "number before byte %lld is beyond double",
                   (long long)json_reader_offset(r));
}
