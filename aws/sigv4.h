/* AWS Signature Version 4, in the three pure stages of the specification: canonical request, string to sign, signature.
 * Header form (Authorization) and query form (presigned URLs). No I/O, no clock, no globals. Any thread.
 * Bounds: 64 headers, 64 query parameters, 16 KiB of path. Buffers given as `out` bound what is written. */
#ifndef VIDBATCH_AWS_SIGV4_H
#define VIDBATCH_AWS_SIGV4_H

#include "aws/credentials.h"
#include "server/base/buf.h"
#include "server/base/err.h"
#include "server/base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sigv4_header {
    struct span name; /* any letter case */
    struct span value;
};

/* Signing keys derived before, kept by one thread: four hashes fewer a request. Zeroed memory is an empty cache. An
 * entry belongs to (key id, generation, day, Region, service); sigv4_keys_wipe before the memory goes away. */
enum { SIGV4_KEYS = 4 };
struct sigv4_key {
    char access_key_id[129];
    uint64_t generation;
    char scope[128]; /* "20261101/us-east-1/s3"; empty: a free entry */
    unsigned char key[32];
};
struct sigv4_keys {
    struct sigv4_key entry[SIGV4_KEYS];
    unsigned next; /* the entry to give up next */
};
void sigv4_keys_wipe(struct sigv4_keys *keys);

struct sigv4_request {
    struct span method;
    struct span path;                   /* as it goes on the wire, percent-encoded; "" counts as "/" */
    struct span query;                  /* as it goes on the wire, without '?', X-Amz-Signature not in it */
    const struct sigv4_header *headers; /* those to sign: host, x-amz-*, content-type ... */
    size_t header_count;
    struct span payload_hash; /* hex SHA-256, or UNSIGNED-PAYLOAD */
    struct span region;
    struct span service;     /* "s3", "bedrock", "sts" */
    bool encode_path_twice;  /* every service except S3 */
    bool normalize_path;     /* every service except S3 */
    struct sigv4_keys *keys; /* borrowed; NULL: the key is derived anew */
};

enum { SIGV4_TIME_SIZE = 17 };
/* "20261101T120000Z" */
void sigv4_time(int64_t now_s, char out[SIGV4_TIME_SIZE]);

/* The three stages. Each appends to out; ERR_INPUT on what cannot be signed (a header without a name, bad percent
 * escapes ...). signed_headers: the "a;b;c" list of the canonical request. */
MUST_CHECK bool sigv4_canonical_request(const struct sigv4_request *rq, struct buf *out, struct buf *signed_headers,
                                        struct err *err);
MUST_CHECK bool sigv4_string_to_sign(const struct sigv4_request *rq, struct span canonical, int64_t now_s,
                                     struct buf *out, struct err *err);
MUST_CHECK bool sigv4_signature(const struct sigv4_request *rq, const struct creds *creds, struct span string_to_sign,
                                int64_t now_s, struct buf *out, struct err *err);

/* All three: the value of the Authorization header. The caller has put x-amz-date (and x-amz-security-token,
 * x-amz-content-sha256) among the headers. */
MUST_CHECK bool sigv4_authorization(const struct sigv4_request *rq, const struct creds *creds, int64_t now_s,
                                    struct buf *out, struct err *err);

/* Query form: appends to out the whole signed query ("X-Amz-Algorithm=...&X-Amz-Signature=..."), the caller's own
 * parameters first. expires_s 1..604800. payload_hash is UNSIGNED-PAYLOAD for S3. */
MUST_CHECK bool sigv4_presigned_query(const struct sigv4_request *rq, const struct creds *creds, int64_t now_s,
                                      int64_t expires_s, struct buf *out, struct err *err);

#endif
