/* The inner loop that the JSON reader and writer share: eight bytes of a string at a time. Private to server/base. */
#ifndef VIDBATCH_BASE_JSON_SCAN_H
#define VIDBATCH_BASE_JSON_SCAN_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define JSON_SCAN_EVERY_BYTE(b) (UINT64_C(0x0101010101010101) * (b))

/* The high bit of each byte that is a quote, a backslash or a control character; bytes above the first hit may be
 * marked falsely (the subtraction borrows), and so may be bytes from 0x80 on. */
static inline uint64_t json_scan_special(uint64_t x)
{
    uint64_t control = x - JSON_SCAN_EVERY_BYTE(0x20);
    uint64_t quote = (x ^ JSON_SCAN_EVERY_BYTE('"')) - JSON_SCAN_EVERY_BYTE(1);
    uint64_t backslash = (x ^ JSON_SCAN_EVERY_BYTE('\\')) - JSON_SCAN_EVERY_BYTE(1);

    return control | quote | backslash;
}

/* The first byte of [at, end) that a JSON string cannot hold as it is: quote, backslash, control character, or, where
 * stop_at_wide, a byte from 0x80 on. Returns end if there is none. */
static inline const char *json_scan_plain(const char *at, const char *end, bool stop_at_wide)
{
    while (end - at >= 8) {
        uint64_t x = 0;
        uint64_t hit = 0;

        memcpy(&x, at, sizeof x);
        x = le64toh(x);
        hit = stop_at_wide ? json_scan_special(x) | x : json_scan_special(x) & ~x;
        hit &= JSON_SCAN_EVERY_BYTE(0x80);
        if (hit != 0)
            return at + (__builtin_ctzll(hit) >> 3);
        at += 8;
    }
    for (; at < end; at++) {
        unsigned char c = (unsigned char)*at;
        if (c < 0x20 || c == '"' || c == '\\' || (stop_at_wide && c >= 0x80))
            break;
    }
    return at;
}

#endif
