/* Multipart uploads in progress. Any thread. */
#ifndef VIDBATCH_EMULATOR_MULTIPART_H
#define VIDBATCH_EMULATOR_MULTIPART_H

#include "tests/emulator/body.h"
#include "tests/emulator/store.h"

enum { MULTIPART_PARTS = 10000, MULTIPART_ID = 40, MULTIPART_MIN_PART_BYTES = 5 * 1024 * 1024 };

struct part {
    struct blob *blob;
    int64_t modified_ms;
    char etag[40];
    uint32_t crc32;
    unsigned char sha256[32];
};

struct upload {
    struct upload *next;
    char id[MULTIPART_ID];
    char *bucket;
    char *key;
    char *content_type;
    char *stored_headers;
    int64_t started_ms;
    bool is_sha256;                          /* the checksum that its parts carry, else CRC-32 */
    struct part *parts[MULTIPART_PARTS + 1]; /* by number; 0 unused */
};

/* What CompleteMultipartUpload names. */
struct part_claim {
    int64_t number;
    char etag[64];
    char sha256[64]; /* base64; empty: not told */
};

enum multipart_result {
    MULTIPART_OK,
    MULTIPART_NO_UPLOAD,
    MULTIPART_NO_PART,   /* a part is not there or has another ETag: InvalidPart */
    MULTIPART_TOO_SMALL, /* a part before the last is below the minimum: EntityTooSmall */
    MULTIPART_NO_BUCKET,
    MULTIPART_REFUSED /* the condition does not hold */
};

/* Copies everything; writes the new id. */
void multipart_start(struct store *store, struct span bucket, struct span key, const char *content_type,
                     const char *stored_headers, bool is_sha256, int64_t now_ms, char id[MULTIPART_ID]);
/* Shares the blob; the same number again replaces the part. */
enum multipart_result multipart_add(struct store *store, struct span id, struct span bucket, struct span key,
                                    int number, struct blob *blob, const char *etag, const struct body *sums,
                                    int64_t now_ms);
/* Claims are ascending. On success the object is stored and given: drop with object_unref. */
enum multipart_result multipart_complete(struct store *store, struct span id, struct span bucket, struct span key,
                                         const struct part_claim *claims, size_t count,
                                         const struct store_condition *condition, int64_t now_ms, struct object **out);
enum multipart_result multipart_abort(struct store *store, struct span id, struct span bucket, struct span key);

/* Calls visit under the store's lock for each upload of the bucket. */
typedef void multipart_visit_fn(void *arg, const struct upload *upload);
void multipart_each(struct store *store, struct span bucket, multipart_visit_fn *visit, void *arg);
/* The same for one upload; false: there is none. */
bool multipart_visit(struct store *store, struct span id, struct span bucket, struct span key,
                     multipart_visit_fn *visit, void *arg);

#endif
