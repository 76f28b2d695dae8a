#include "aws/key_space.h"

#include "aws/s3_call.h"
#include "server/base/text.h"

#include <math.h>
#include <string.h>

enum { FIRST_WIDE = 0x80, MAX_DIGITS = 24 };

void key_space_init(struct key_space *space, size_t prefix_len)
{
    *space = (struct key_space){ .prefix_len = prefix_len };
}

/* ---- characters ---- */

/* The character at the front of s and its length in bytes; bytes that are no UTF-8 count as one character each, beyond
 * all others. */
static uint32_t char_at(struct span s, size_t *len)
{
    const unsigned char *p = (const unsigned char *)s.ptr;

    *len = text_utf8_char(s);
    switch (*len) {
    case 1:
        return p[0];
    case 2:
        return (p[0] & 0x1FU) << 6 | (p[1] & 0x3FU);
    case 3:
        return (p[0] & 0x0FU) << 12 | (p[1] & 0x3FU) << 6 | (p[2] & 0x3FU);
    case 4:
        return (p[0] & 0x07U) << 18 | (p[1] & 0x3FU) << 12 | (p[2] & 0x3FU) << 6 | (p[3] & 0x3FU);
    default:
        *len = 1;
        return 0x110000;
    }
}

static void put_char(struct buf *out, uint32_t c)
{
    if (c < FIRST_WIDE) {
        buf_char(out, (char)c);
    } else if (c < 0x800) {
        buf_char(out, (char)(0xC0 | c >> 6));
        buf_char(out, (char)(0x80 | (c & 0x3F)));
    } else if (c < 0x10000) {
        buf_char(out, (char)(0xE0 | c >> 12));
        buf_char(out, (char)(0x80 | (c >> 6 & 0x3F)));
        buf_char(out, (char)(0x80 | (c & 0x3F)));
    } else {
        buf_char(out, (char)(0xF0 | c >> 18));
        buf_char(out, (char)(0x80 | (c >> 12 & 0x3F)));
        buf_char(out, (char)(0x80 | (c >> 6 & 0x3F)));
        buf_char(out, (char)(0x80 | (c & 0x3F)));
    }
}

static bool may_cut_with(uint32_t c)
{
    return c >= 0x20 && c != '%' && c != 0x7F && !(c >= 0x80 && c < 0xA0) && c <= 0x10FFFF && (c & 0xFFFE) != 0xFFFE &&
           !(c >= 0xD800 && c < 0xE000);
}

/* How many of the known characters are c or below. */
static unsigned count_through(const struct key_space *space, uint32_t c)
{
    unsigned low = 0, high = space->count;

    while (low < high) {
        const unsigned middle = low + (high - low) / 2;

        if (space->characters[middle] <= c)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Neighbours beyond ASCII are told apart by what follows them. */
static bool is_known(const struct key_space *space, uint32_t c, unsigned at)
{
    if (at > 0 && (space->characters[at - 1] == c || (c >= FIRST_WIDE && space->characters[at - 1] / 32 == c / 32)))
        return true;
    return at < space->count && c >= FIRST_WIDE && space->characters[at] / 32 == c / 32;
}

static void learn(struct key_space *space, uint32_t c)
{
    const unsigned at = count_through(space, c);

    if (space->count == KEY_SPACE_CHARACTERS || !may_cut_with(c) || is_known(space, c, at))
        return;
    memmove(&space->characters[at + 1], &space->characters[at], (space->count - at) * sizeof(uint32_t));
    space->characters[at] = c;
    space->count++;
}

void key_space_note(struct key_space *space, struct span key)
{
    size_t len = 0;

    for (struct span rest = span_tail(key, space->prefix_len); rest.len > 0; rest = span_tail(rest, len)) {
        const uint32_t c = char_at(rest, &len);
        const bool is_last = count_through(space, c) == space->count;

        learn(space, c);
        /* What comes in order shows its last characters last: guesses keep a way open beyond those seen so far. */
        for (uint32_t ahead = 32; is_last && c >= FIRST_WIDE && ahead <= 2048; ahead *= 8)
            learn(space, c + ahead);
    }
}

int key_compare(struct span a, struct span b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len > 0 ? memcmp(a.ptr, b.ptr, len) : 0;

    return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* ---- digits: 0 is the end of the key, then the characters that are known; any other counts as the known one below it
 * ---- */

static unsigned base_of(const struct key_space *space)
{
    return 1 + space->count;
}

static unsigned digit_of(const struct key_space *space, uint32_t c)
{
    const unsigned count = count_through(space, c);

    return count > 0 ? count : 1;
}

/* As many digits as a double counts exactly. */
static int digits_in_window(unsigned base)
{
    int digits = (int)(52 / log2(base));

    return digits > MAX_DIGITS ? MAX_DIGITS : digits;
}

static double power(unsigned base, int exponent)
{
    return pow(base, exponent);
}

/* The number of the `count` characters of key from byte `at` on. */
static double number_at(const struct key_space *space, struct span key, size_t at, int count)
{
    const unsigned base = base_of(space);
    struct span rest = span_tail(key, at);
    double number = 0;

    for (int i = 0; i < count; i++) {
        size_t len = 0;
        unsigned digit = rest.len > 0 ? digit_of(space, char_at(rest, &len)) : 0;

        number = number * base + digit;
        rest = span_tail(rest, len);
    }
    return number;
}

/* ---- places ---- */

/* Where low and high part: bytes, on the boundary of a character, and characters behind the prefix. */
struct place {
    size_t at;
    int depth;
};

static struct place parting(const struct key_space *space, struct span low, struct span high)
{
    struct place p = { space->prefix_len, 0 };

    while (p.at < low.len && p.at < high.len) {
        size_t len = 0;

        (void)char_at(span_tail(low, p.at), &len);
        if (high.len - p.at < len || memcmp(low.ptr + p.at, high.ptr + p.at, len) != 0)
            break;
        p.at += len;
        p.depth++;
    }
    return p;
}

/* The byte at which the depth-th character of key begins; the key's end where it has fewer. */
static struct place place_of(const struct key_space *space, struct span key, int depth)
{
    struct place p = { space->prefix_len, 0 };

    while (p.depth < depth && p.at < key.len) {
        size_t len = 0;

        (void)char_at(span_tail(key, p.at), &len);
        p.at += len;
        p.depth++;
    }
    return p;
}

double key_distance(const struct key_space *space, struct span low, struct span high)
{
    const unsigned base = base_of(space);
    const int count = base > 1 ? digits_in_window(base) : 0;
    const struct place p = high.ptr ? parting(space, low, high) : (struct place){ space->prefix_len, 0 };
    double gap;

    if (base < 2)
        return -HUGE_VAL;
    gap = (high.ptr ? number_at(space, high, p.at, count) : power(base, count)) - number_at(space, low, p.at, count);
    return gap > 0 ? log(gap) - (p.depth + count) * log(base) : -HUGE_VAL;
}

/* ---- cuts ---- */

static bool is_clean(const struct key_space *space, struct span key)
{
    size_t len = 0;

    if (key.len > S3_KEY_MAX_BYTES || !text_is_utf8(key))
        return false;
    for (struct span rest = span_tail(key, space->prefix_len); rest.len > 0; rest = span_tail(rest, len))
        if (!may_cut_with(char_at(rest, &len)))
            return false;
    return true;
}

/* Appends the number's leading `keep` digits of `count` as characters. As long as they are low's digits (from its byte
 * `at` on) they are low's characters, known or not. What ends the key ends it. */
static void put_number(const struct key_space *space, double number, int count, int keep, struct span low, size_t at,
                       struct buf *out)
{
    const unsigned base = base_of(space);
    struct span rest = span_tail(low, at);

    for (int i = 0; i < keep; i++) {
        const double unit = power(base, count - 1 - i);
        const unsigned digit = (unsigned)(number / unit);
        size_t len = 0;

        if (digit == 0)
            return;
        if (rest.len > 0 && digit_of(space, char_at(rest, &len)) == digit) {
            buf_span(out, span_head(rest, len));
            rest = span_tail(rest, len);
        } else {
            put_char(out, space->characters[(digit < base ? digit : base - 1) - 1]);
            rest.len = 0;
        }
        number -= digit * unit;
    }
}

bool key_cut(const struct key_space *space, struct span low, struct span high, double ln_ahead, struct buf *out)
{
    const unsigned base = base_of(space);
    const int count = base > 1 ? digits_in_window(base) : 0;
    struct place p = { 0, 0 };
    double number = 0, ahead = 0;
    int depth, keep = 1;

    if (base < 2 || !isfinite(ln_ahead))
        return false;
    depth = (int)(-ln_ahead / log(base));
    if (depth < 0)
        depth = 0;
    /* The window begins where the distance is one digit, or before, so that what is carried has a place. */
    for (depth++; depth-- > 0;) {
        p = place_of(space, low, depth);
        if (p.depth < depth)
            depth = p.depth;
        ahead = exp(ln_ahead + (depth + count) * log(base));
        number = number_at(space, low, p.at, count) + ahead;
        if (number < power(base, count))
            break;
    }
    /* No more digits than tell the cut from its neighbours: a tenth of the way is near enough. */
    while (keep < count && power(base, count - keep) > ahead / 10)
        keep++;
    buf_reset(out);
    buf_span(out, span_head(low, p.at));
    put_number(space, number, count, keep, low, p.at, out);
    return buf_ok(out) && is_clean(space, buf_view(out)) && key_compare(low, buf_view(out)) < 0 &&
           (!high.ptr || key_compare(buf_view(out), high) < 0);
}
