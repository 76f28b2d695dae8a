#include "server/base/text.h"

#include <errno.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static const char hex_lower[] = "0123456789abcdef";
static const char hex_upper[] = "0123456789ABCDEF";
static const char replacement[] = "\xEF\xBF\xBD"; /* U+FFFD */

bool text_parse_i64(struct span s, int64_t *out)
{
    bool negative = s.len > 0 && s.ptr[0] == '-';
    struct span number = span_tail(s, negative ? 1 : 0);
    int64_t n = 0;

    if (number.len == 0)
        return false;
    for (size_t i = 0; i < number.len; i++) {
        int digit = number.ptr[i] - '0';
        /* Counted downwards: the least int64 has no positive twin. */
        if (digit < 0 || digit > 9 || __builtin_mul_overflow(n, 10, &n) || __builtin_sub_overflow(n, digit, &n))
            return false;
    }
    if (!negative && __builtin_sub_overflow(0, n, &n))
        return false;
    *out = n;
    return true;
}

struct unit {
    const char *name;
    int64_t factor;
};

/* A number of at least 0 followed by the name of one of the units. */
static bool parse_with_unit(struct span s, const struct unit *units, size_t count, int64_t *out)
{
    size_t digits = 0;
    int64_t n = 0;

    while (digits < s.len && s.ptr[digits] >= '0' && s.ptr[digits] <= '9')
        digits++;
    if (!text_parse_i64(span_head(s, digits), &n))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!span_eq_text(span_tail(s, digits), units[i].name))
            continue;
        if (__builtin_mul_overflow(n, units[i].factor, &n))
            return false;
        *out = n;
        return true;
    }
    return false;
}

bool text_parse_duration_ms(struct span s, int64_t *out)
{
    static const struct unit units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 } };

    return parse_with_unit(s, units, sizeof units / sizeof units[0], out);
}

bool text_parse_size(struct span s, int64_t *bytes)
{
    static const struct unit units[] = {
        { "", 1 },
        { "B", 1 },
        { "KB", 1000 },
        { "MB", 1000000 },
        { "GB", 1000000000 },
        { "TB", 1000000000000 },
        { "KiB", INT64_C(1) << 10 },
        { "MiB", INT64_C(1) << 20 },
        { "GiB", INT64_C(1) << 30 },
        { "TiB", INT64_C(1) << 40 },
    };

    return parse_with_unit(s, units, sizeof units / sizeof units[0], bytes);
}

void text_hex(struct buf *out, const void *bytes, size_t len)
{
    const unsigned char *in = bytes;
    char *to = len <= SIZE_MAX / 2 ? buf_room(out, 2 * len) : NULL;

    if (!to)
        return;
    for (size_t i = 0; i < len; i++) {
        to[2 * i] = hex_lower[in[i] >> 4];
        to[2 * i + 1] = hex_lower[in[i] & 15];
    }
    buf_grew(out, 2 * len);
}

static void base64(struct buf *out, const unsigned char *in, size_t len, const char last_two[2], bool pad)
{
    char alphabet[65] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

    memcpy(alphabet + 62, last_two, 2);
    for (size_t i = 0; i < len; i += 3) {
        size_t have = len - i < 3 ? len - i : 3;
        uint32_t bits = (uint32_t)in[i] << 16;
        char four[4] = { '=', '=', '=', '=' };

        if (have > 1)
            bits |= (uint32_t)in[i + 1] << 8;
        if (have > 2)
            bits |= in[i + 2];
        for (size_t k = 0; k <= have; k++)
            four[k] = alphabet[(bits >> (18 - 6 * k)) & 63];
        buf_add(out, four, pad ? 4 : have + 1);
    }
}

void text_base64(struct buf *out, const void *bytes, size_t len)
{
    base64(out, bytes, len, "+/", true);
}

void text_base64url(struct buf *out, const void *bytes, size_t len)
{
    base64(out, bytes, len, "-_", false);
}

static int base64url_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

bool text_base64url_decode(struct buf *out, struct span s)
{
    size_t start = out->len;
    uint32_t bits = 0;
    int bit_count = 0;

    for (size_t i = 0; i < s.len; i++) {
        int value = base64url_value(s.ptr[i]);
        if (value < 0) {
            buf_cut(out, start);
            return false;
        }
        bits = (bits << 6) | (uint32_t)value;
        bit_count += 6;
        if (bit_count >= 8) {
            bit_count -= 8;
            buf_char(out, (char)(bits >> bit_count));
            bits &= (1U << bit_count) - 1;
        }
    }
    /* One spelling per value: a lone last character, or bits that encode nothing, are refused. */
    if (s.len % 4 == 1 || bits != 0) {
        buf_cut(out, start);
        return false;
    }
    return true;
}

static bool is_unreserved(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~';
}

void text_percent_encode(struct buf *out, struct span s, bool keep_slash)
{
    size_t kept = 0;

    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        char three[3] = { '%', hex_upper[c >> 4], hex_upper[c & 15] };

        if (is_unreserved(s.ptr[i]) || (keep_slash && c == '/'))
            continue;
        buf_add(out, s.ptr + kept, i - kept);
        buf_add(out, three, sizeof three);
        kept = i + 1;
    }
    buf_span(out, span_tail(s, kept));
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool text_percent_decode(struct buf *out, struct span s, bool plus_is_space)
{
    size_t start = out->len;

    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '%') {
            int high = s.len - i > 2 ? hex_value(s.ptr[i + 1]) : -1;
            int low = s.len - i > 2 ? hex_value(s.ptr[i + 2]) : -1;
            if (high < 0 || low < 0) {
                buf_cut(out, start);
                return false;
            }
            c = (char)(high * 16 + low);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        buf_char(out, c);
    }
    return true;
}

size_t text_utf8_char(struct span s)
{
    const unsigned char *c = (const unsigned char *)s.ptr;
    size_t len = 0;
    unsigned char least = 0x80; /* bounds of the second byte: no overlong form, no surrogate, nothing over U+10FFFF */
    unsigned char most = 0xBF;

    if (s.len == 0)
        return 0;
    if (c[0] < 0x80)
        return 1;
    if (c[0] < 0xC2 || c[0] > 0xF4)
        return 0;
    len = c[0] < 0xE0 ? 2 : c[0] < 0xF0 ? 3 : 4;
    if (s.len < len)
        return 0;
    if (c[0] == 0xE0)
        least = 0xA0;
    else if (c[0] == 0xED)
        most = 0x9F;
    else if (c[0] == 0xF0)
        least = 0x90;
    else if (c[0] == 0xF4)
        most = 0x8F;
    if (c[1] < least || c[1] > most)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((c[i] & 0xC0) != 0x80)
            return 0;
    return len;
}

bool text_is_utf8(struct span s)
{
    while (s.len > 0) {
        size_t len = text_utf8_char(s);
        if (len == 0)
            return false;
        s = span_tail(s, len);
    }
    return true;
}

size_t text_utf8_broken(struct span s)
{
    char trial[4] = { 0 };
    size_t len = 1;

    /* A start of n bytes could have been well-formed if some continuation completes it. */
    for (; len < 3 && len < s.len; len++) {
        bool possible = false;
        memcpy(trial, s.ptr, len + 1);
        memset(trial + len + 1, '\x80', sizeof trial - len - 1);
        for (size_t whole = len + 2; whole <= 4; whole++)
            possible = possible || text_utf8_char((struct span){ trial, whole }) == whole;
        if (!possible)
            break;
    }
    return len;
}

bool text_add_storable(struct buf *out, struct span s)
{
    bool replaced = false;

    while (s.len > 0) {
        size_t good = 0;
        size_t len = 0;

        while ((len = text_utf8_char(span_tail(s, good))) > 0 && s.ptr[good] != '\0')
            good += len;
        buf_span(out, span_head(s, good));
        s = span_tail(s, good);
        if (s.len == 0)
            break;
        buf_text(out, replacement);
        replaced = true;
        s = span_tail(s, text_utf8_broken(s));
    }
    return replaced;
}

struct span text_utf8_head(struct span s, size_t max)
{
    size_t cut = max;

    if (s.len <= max)
        return s;
    for (int back = 0; back < 3 && cut > 0 && ((unsigned char)s.ptr[cut] & 0xC0) == 0x80; back++)
        cut--;
    /* Continuation bytes that belong to no character: there is no boundary to respect. */
    return span_head(s, ((unsigned char)s.ptr[cut] & 0xC0) == 0x80 ? max : cut);
}

void text_html(struct buf *out, struct span s)
{
    size_t kept = 0;

    for (size_t i = 0; i < s.len; i++) {
        const char *entity = NULL;

        switch (s.ptr[i]) {
        case '&':
            entity = "&amp;";
            break;
        case '<':
            entity = "&lt;";
            break;
        case '>':
            entity = "&gt;";
            break;
        case '"':
            entity = "&quot;";
            break;
        case '\'':
            entity = "&#39;";
            break;
        default:
            continue;
        }
        buf_add(out, s.ptr + kept, i - kept);
        buf_text(out, entity);
        kept = i + 1;
    }
    buf_span(out, span_tail(s, kept));
}

void text_csv(struct buf *out, struct span s)
{
    size_t kept = 0;

    if (span_find(s, ',') == s.len && span_find(s, '"') == s.len && span_find(s, '\r') == s.len &&
        span_find(s, '\n') == s.len) {
        buf_span(out, s);
        return;
    }
    buf_char(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] != '"')
            continue;
        buf_add(out, s.ptr + kept, i + 1 - kept);
        kept = i; /* the quote is written a second time with what follows it */
    }
    buf_span(out, span_tail(s, kept));
    buf_char(out, '"');
}

/* Asked for once: EVP_sha256() would look for its provider at each digest, which costs more than a short text's digest.
 */
static EVP_MD *sha256;

static void fetch_sha256(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
}

void text_sha256(const void *bytes, size_t len, unsigned char out[32])
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, fetch_sha256);
    if (!sha256 || EVP_Digest(bytes, len, out, NULL, sha256, NULL) != 1)
        abort(); /* OpenSSL without SHA-256, or no memory for its context: nothing could be signed or trusted */
}

static void ask_kernel(void *out, size_t n)
{
    char *at = out;

    while (n > 0) {
        ssize_t got = getrandom(at, n, 0);
        if (got < 0 && errno != EINTR)
            abort();
        if (got > 0) {
            at += got;
            n -= (size_t)got;
        }
    }
}

/* Names of requests are 8 bytes each and many a second, so a thread asks for some in advance. What was given away is
 * forgotten here. */
void text_random(void *out, size_t n)
{
    static _Thread_local unsigned char ahead[512];
    static _Thread_local size_t left;

    if (n > sizeof ahead / 16) {
        ask_kernel(out, n);
        return;
    }
    if (n > left) {
        ask_kernel(ahead, sizeof ahead);
        left = sizeof ahead;
    }
    left -= n;
    memcpy(out, ahead + left, n);
    explicit_bzero(ahead + left, n);
}
