/* Text helpers without policy: numbers, hex, base64, percent-encoding, UTF-8, hashing. */
#ifndef VIDBATCH_BASE_TEXT_H
#define VIDBATCH_BASE_TEXT_H

#include "server/base/attr.h"
#include "server/base/buf.h"
#include "server/base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The whole span must be one decimal number; false and *out untouched otherwise. */
MUST_CHECK bool text_parse_i64(struct span s, int64_t *out);
/* "250ms", "2s", "5m", "1h"; a bare number is refused. */
MUST_CHECK bool text_parse_duration_ms(struct span s, int64_t *out);
/* "64KiB", "1GiB", "1GB", "4096"; binary and decimal units. */
MUST_CHECK bool text_parse_size(struct span s, int64_t *bytes);

/* Lower-case hex, appended. */
void text_hex(struct buf *out, const void *bytes, size_t len);
void text_base64(struct buf *out, const void *bytes, size_t len);
void text_base64url(struct buf *out, const void *bytes, size_t len); /* no padding */
MUST_CHECK bool text_base64url_decode(struct buf *out, struct span s);

/* Percent-encoding of RFC 3986: keeps A-Z a-z 0-9 - . _ ~ (and '/' where keep_slash), hex in upper case. */
void text_percent_encode(struct buf *out, struct span s, bool keep_slash);
/* Decodes %XX (and '+' as blank where plus_is_space); false on a broken escape. */
MUST_CHECK bool text_percent_decode(struct buf *out, struct span s, bool plus_is_space);

/* Well-formed UTF-8 (no surrogates, no overlong forms)? NUL counts as well-formed. */
bool text_is_utf8(struct span s);
/* Length of the one well-formed character that s begins with (1 to 4); 0 when it begins with none or is empty. */
size_t text_utf8_char(struct span s);
/* s begins with no well-formed character: bytes that one U+FFFD stands for (1 to 3, the longest start of a character).
 */
size_t text_utf8_broken(struct span s);
/* Appends s with each U+0000 and each ill-formed sequence replaced by U+FFFD (PostgreSQL text can hold neither).
 * Returns whether anything was replaced. */
bool text_add_storable(struct buf *out, struct span s);
/* Longest prefix of s of at most max bytes that ends at a character boundary. */
struct span text_utf8_head(struct span s, size_t max);
/* Appends s with & < > " ' as entities, for HTML text and attribute values. */
void text_html(struct buf *out, struct span s);
/* Appends one CSV field by RFC 4180: quoted where it must be. A leading = + - @ tab or CR is not altered. */
void text_csv(struct buf *out, struct span s);

/* SHA-256 of the bytes (OpenSSL). */
void text_sha256(const void *bytes, size_t len, unsigned char out[32]);
/* n random bytes from the system, small numbers of them asked for in advance by each thread; aborts the process where
 * there are none. Any thread; not in a child of fork, which would repeat its parent. */
void text_random(void *out, size_t n);

#endif
