/* Objects that are computed, not stored: key, size, ETag and content follow from an index. Each is a small MP4 with a
 * correct header and noise for pictures. */
#ifndef VIDBATCH_EMULATOR_SYNTHETIC_H
#define VIDBATCH_EMULATOR_SYNTHETIC_H

#include <stddef.h>
#include <stdint.h>

enum { SYNTHETIC_DIGITS = 7, SYNTHETIC_MAX_COUNT = 10000000 };

int64_t synthetic_size(int64_t index);
/* 32 hex digits and the terminator. */
void synthetic_etag(int64_t index, char out[33]);
int64_t synthetic_modified_ms(int64_t index);
/* offset + n must be within the size. */
void synthetic_read(int64_t index, int64_t offset, unsigned char *out, size_t n);
/* index as SYNTHETIC_DIGITS digits, no terminator */
void synthetic_digits(int64_t index, char *out);

#endif
