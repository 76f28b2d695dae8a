/* A request's body on its way in: hashed, freed of aws-chunked framing, and kept in memory, in a blob or not at all. */
#ifndef VIDBATCH_EMULATOR_BODY_H
#define VIDBATCH_EMULATOR_BODY_H

#include "server/base/attr.h"
#include "server/base/buf.h"
#include "tests/emulator/sigv4_check.h"

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>

struct blob;
struct blobs;

enum body_sink { BODY_DROP, BODY_MEMORY, BODY_FILE };
enum { BODY_MEMORY_MAX = 8 * 1024 * 1024 };

/* What the chunk signatures of STREAMING-AWS4-HMAC-SHA256-PAYLOAD hang on. */
struct chunk_scope {
    bool is_signed;
    unsigned char key[32];
    char prefix[128]; /* "timestamp\ndate/region/service/aws4_request\n" */
    char previous[65];
};

enum chunk_state { CHUNK_SIZE, CHUNK_DATA, CHUNK_DATA_END, CHUNK_TRAILER, CHUNK_DONE };

struct body {
    enum body_sink sink;
    struct buf memory;
    struct blob *blob; /* ours until taken by body_take_blob */
    int fd;
    int64_t wire_bytes;
    int64_t payload_bytes; /* without framing */
    EVP_MD_CTX *sha256;    /* of the payload, for unframed bodies the wire's */
    EVP_MD_CTX *md5;
    EVP_MD_CTX *sha1; /* NULL unless wanted */
    uint32_t crc32;
    uint64_t crc64nvme;
    bool wants_crc64;
    bool has_sha256_only;

    bool framed; /* aws-chunked */
    enum chunk_state state;
    struct chunk_scope scope;
    struct buf line;     /* of the framing, as it comes in */
    struct buf trailers; /* "name:value\n" of the trailer, names in lower case */
    int64_t chunk_left;
    char chunk_signature[65];
    EVP_MD_CTX *chunk_sha256;
    const char *broken; /* an error name: "IncompleteBody", "SignatureDoesNotMatch" ... */

    unsigned char sha256_sum[32];
    unsigned char md5_sum[16];
    unsigned char sha1_sum[20];
};

/* home: where BODY_FILE puts its blob; may be NULL for the others. */
void body_begin(struct body *body, enum body_sink sink, struct blobs *home);
/* Sums that cost time and are seldom asked for. */
void body_want(struct body *body, bool sha1, bool crc64nvme);
/* A body that brings its SHA-256 needs no other sum: MD5 is then the beginning of that (an ETag is any text, as with
 * KMS), CRC-32 is 0. */
void body_want_sha256_only(struct body *body);
/* From here on bytes carry aws-chunked framing. scope is copied. */
void body_expect_chunks(struct body *body, const struct chunk_scope *scope);
void body_add(struct body *body, const char *bytes, size_t len);
/* No more comes: sums are final. */
void body_end(struct body *body);
/* Gives the blob: drop with blob_unref. NULL unless the sink was a file. */
struct blob *body_take_blob(struct body *body);
/* A trailer's value, copied into out; false if there was none. */
bool body_trailer(const struct body *body, const char *name, struct buf *out);
void body_done(struct body *body);

#endif
