/* The checksums that S3 keeps of objects, computed piece by piece (S3 user guide, "Checking object integrity"):
 * CRC-64/NVME, CRC-32, CRC-32C, SHA-1 and SHA-256. A value is the base64 of the big-endian bytes. */
#ifndef VIDBATCH_AWS_CHECKSUM_H
#define VIDBATCH_AWS_CHECKSUM_H

#include "server/base/attr.h"
#include "server/base/err.h"
#include "server/base/span.h"

#include <openssl/types.h>
#include <stdbool.h>
#include <stdint.h>

/* In the order of preference, where S3 gives several: the cheapest first. */
enum checksum_kind {
    CHECKSUM_NONE,
    CHECKSUM_CRC64NVME,
    CHECKSUM_CRC32,
    CHECKSUM_CRC32C,
    CHECKSUM_SHA1,
    CHECKSUM_SHA256,
    CHECKSUM_KINDS
};
enum { CHECKSUM_TEXT_SIZE = 48 }; /* any value, terminated */

/* The header that carries it: "x-amz-checksum-crc32"; its name: "CRC32". Static text, NULL of none. */
const char *checksum_header(enum checksum_kind kind);
const char *checksum_name(enum checksum_kind kind);
/* Which kind a header carries; CHECKSUM_NONE: it is another header, or its value is none of an object's bytes: that of
 * a multipart upload which is made of its parts' values ends in "-5". name: without regard to case. Any thread. */
enum checksum_kind checksum_of_header(struct span name, struct span value);

/* One that is being computed. Zeroed memory is none. One thread. */
struct checksum {
    enum checksum_kind kind;
    uint64_t crc;
    EVP_MD_CTX *digest;
};
/* Begins anew. kind: not CHECKSUM_NONE. ERR_MEMORY or ERR_INTERNAL. Gives: checksum_done. */
MUST_CHECK bool checksum_begin(struct checksum *sum, enum checksum_kind kind, struct err *err);
void checksum_add(struct checksum *sum, struct span bytes);
/* The value of all that was added; the next step is checksum_done or checksum_begin. */
void checksum_end(struct checksum *sum, char text[CHECKSUM_TEXT_SIZE]);
void checksum_done(struct checksum *sum);
/* All at once; kind: a CRC. */
void checksum_of(enum checksum_kind kind, struct span bytes, char text[CHECKSUM_TEXT_SIZE]);

#endif
