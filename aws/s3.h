/* Amazon S3: the operations that the service needs. Buckets and keys are raw text (not encoded); ETags keep their
 * quotes. Every call retries by itself; err says bucket and key in `what`. `owner` is the expected bucket owner (12
 * digits) or "". The client's thread only, except s3_presign (any thread). Rules and limits: Amazon S3 API reference,
 * ListObjectsV2, CopyObject ... */
#ifndef VIDBATCH_AWS_S3_H
#define VIDBATCH_AWS_S3_H

#include "aws/client.h"
#include "server/base/buf.h"
#include "server/base/err.h"
#include "server/base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct s3_ref {
    struct span bucket;
    struct span key;
    struct span owner; /* expected owner account, may be empty */
};

/* "s3://bucket/some/path" -> bucket and path ("" or "some/path", no leading slash). The spans borrow from uri. */
MUST_CHECK bool s3_parse_uri(struct span uri, struct span *bucket, struct span *path, struct err *err);
/* Does the name follow S3's naming rules (3-63, lower case ...)? */
bool s3_bucket_name_ok(struct span bucket);

/* Where the bucket lies, as answers of S3 have told, or as HEAD tells now, which needs no permission. region: "" where
 * S3 does not say. bucket->key: empty. A HEAD that fails is no error: only ERR_CANCELLED and the like are. */
MUST_CHECK bool s3_bucket_region(struct aws *aws, struct aws_client *client, const struct s3_ref *bucket,
                                 char region[AWS_REGION_SIZE], struct err *err);

/* ---- listing ---- */
struct s3_object {
    struct span key;           /* decoded; borrowed from the page */
    struct span etag;          /* with quotes */
    struct span storage_class; /* "STANDARD" where S3 leaves it out */
    bool is_restored;          /* from an archive, for a time: it can be read although its storage class says no */
    int64_t size_bytes;
    int64_t last_modified_ms;
};
struct s3_page {
    struct s3_object *objects;
    size_t object_count;
    bool is_truncated;
    struct buf next_token; /* opaque */
    struct buf text;       /* what the spans borrow from */
    size_t capacity;
    struct buf last_key; /* of the listing so far */
};
void s3_page_done(struct s3_page *page);

struct s3_list_request {
    struct span bucket;
    struct span prefix;
    struct span start_after; /* first page only; exclusive */
    struct span token;       /* later pages: the page's next_token */
    struct span owner;
    int max_keys; /* 0 = 1000 */
};
/* One page; an old page's memory is reused. A request without a token begins a listing anew; the later pages of a
 * listing are asked for in order, each once, with the same page. Refuses answers that could loop: truncated without a
 * token, the same token twice (code "bad_listing"), a first key that is not behind the last one of the page before
 * (ERR_UPSTREAM, code "listing_goes_back"). So directory buckets (S3 Express One Zone), whose keys come in no order,
 * are not supported. */
MUST_CHECK bool s3_list_page(struct aws_client *client, const struct s3_list_request *rq, struct s3_page *page,
                             struct err *err);
/* The parser alone (tests, fuzzing). */
MUST_CHECK bool s3_parse_listing(struct span xml, struct s3_page *page, struct err *err);

/* ---- objects ---- */
struct s3_head {
    int64_t size_bytes;
    int64_t last_modified_ms;
    char etag[136];
    char content_type[128];
    char storage_class[32];
};
MUST_CHECK bool s3_head(struct aws_client *client, const struct s3_ref *ref, struct s3_head *out, struct err *err);
/* A small object whole; more than max_bytes is ERR_INPUT. */
MUST_CHECK bool s3_get_small(struct aws_client *client, const struct s3_ref *ref, size_t max_bytes, struct buf *out,
                             struct err *err);
/* Up to 5 GB in one request, from memory. content_type must be given. Content is guarded by CRC-32, unless
 * checksums are to be sent only where S3 demands one. */
MUST_CHECK bool s3_put(struct aws_client *client, const struct s3_ref *ref, const char *content_type, struct span body,
                       struct err *err);
/* Absent keys are fine. */
MUST_CHECK bool s3_delete(struct aws_client *client, const struct s3_ref *ref, struct err *err);
/* Deletes every object under the prefix (which must end in '/'), 1,000 a request; *deleted counts. `alive` is asked
 * between requests (false: ERR_CANCELLED); may be NULL. */
MUST_CHECK bool s3_delete_prefix(struct aws_client *client, const struct s3_ref *prefix, bool (*alive)(void *),
                                 void *alive_arg, int64_t *deleted, struct err *err);

/* ---- streamed reading: resumes by itself with Range and If-Match after a broken body ---- */
struct s3_reader;
/* From byte `offset` on. etag (with quotes) pins the version, "" takes the present one. Gives: s3_reader_close. */
MUST_CHECK bool s3_reader_open(struct aws_client *client, const struct s3_ref *ref, int64_t offset, const char *etag,
                               struct s3_reader **out, struct err *err);
/* Length 0 at the end. The object changed meanwhile: ERR_CONFLICT, code "object_changed". Where the object was read
 * from its beginning and S3 gave its checksum, the last piece comes only if the checksum is right: else ERR_UPSTREAM,
 * retryable, code "checksum_mismatch", and none of the pieces can be trusted. */
MUST_CHECK bool s3_reader_read(struct s3_reader *reader, struct span *piece, struct err *err);
int64_t s3_reader_size(const struct s3_reader *reader); /* of the whole object */
void s3_reader_close(struct s3_reader *reader);

/* ---- streamed writing: one PUT while it fits one part, else a multipart upload ---- */
struct s3_writer;
/* part_bytes 0 = 5 MiB, the least. Memory: three parts, two of them on their way while the third is filled; so a
 * failure shows at a later call. Each is guarded by a checksum: over TLS CRC-32, else the SHA-256 that is signed
 * anyway; by none where they are to be sent only where S3 demands one. Gives: s3_writer_free, which aborts an
 * unfinished upload.
 */
MUST_CHECK bool s3_writer_new(struct aws_client *client, const struct s3_ref *ref, const char *content_type,
                              size_t part_bytes, struct s3_writer **out, struct err *err);
/* The object's bytes are appended to this one by the functions of buf.h, at most S3_WRITER_PIECE_BYTES each time;
 * s3_writer_wrote then sends what is full. Asked for anew after each of its calls. */
enum { S3_WRITER_PIECE_BYTES = 16 * 1024 * 1024 };
struct buf *s3_writer_out(struct s3_writer *writer);
MUST_CHECK bool s3_writer_wrote(struct s3_writer *writer, struct err *err);
/* Makes the object visible; a lost answer of CompleteMultipartUpload is resolved by HEAD. *size_bytes may be NULL. */
MUST_CHECK bool s3_writer_finish(struct s3_writer *writer, int64_t *size_bytes, struct err *err);
void s3_writer_free(struct s3_writer *writer);
/* Aborts every unfinished multipart upload of exactly this key (left by a worker that died). */
MUST_CHECK bool s3_abort_uploads(struct aws_client *client, const struct s3_ref *ref, int *aborted, struct err *err);

/* ---- server-side copies, many at a time ---- */
struct s3_copy {
    struct s3_ref from;    /* owner: x-amz-source-expected-bucket-owner */
    struct span from_etag; /* x-amz-copy-source-if-match; empty: any */
    struct s3_ref to;
    const char *content_type; /* metadata is replaced, so that Bedrock sees the right type */
};
struct s3_copy_many {
    /* Fills *copy and *item (text must live until done); false: no more. */
    bool (*next)(void *arg, struct s3_copy *copy, void **item);
    /* Once for each, in any order. copy_err NULL on success, else ERR_NOT_FOUND (source vanished), ERR_CONFLICT
     * (changed) ... False with err filled stops everything. */
    bool (*done)(void *arg, void *item, const struct err *copy_err, struct err *err);
    void *arg;
    int concurrency;
};
MUST_CHECK bool s3_copy_objects(struct aws_client *client, const struct s3_copy_many *many, struct err *err);

/* ---- pieces of objects, many at a time ---- */
enum { S3_RANGE_MAX_BYTES = 1024 * 1024 };
struct s3_range {
    struct s3_ref ref;
    struct span etag; /* with quotes: If-Match; empty: any */
    int64_t offset;
    size_t len; /* 1..S3_RANGE_MAX_BYTES */
};
struct s3_range_got {         /* borrowed during `done` */
    struct span bytes;        /* from the offset on; fewer than were asked for only where the object ends */
    const char *content_type; /* "" where there is none */
};
struct s3_range_many {
    /* Fills *range and *item (text must live until done); false: no more for now. Asked again after every `done`. */
    bool (*next)(void *arg, struct s3_range *range, void **item);
    /* Once for each, in any order. range_err NULL on success (behind the end of the object: no bytes), else
     * ERR_NOT_FOUND, ERR_CONFLICT (another ETag), ERR_DENIED (upstream_code InvalidObjectState: archived) ...; a server
     * that sends whole objects: ERR_UPSTREAM, code "range_ignored", unless the piece is their beginning, which is read
     * and no more. False with err filled stops everything. */
    bool (*done)(void *arg, void *item, const struct s3_range_got *got, const struct err *range_err, struct err *err);
    void *arg;
    int concurrency;
};
/* GetObject with Range. Memory: at most concurrency times the longest piece. */
MUST_CHECK bool s3_read_ranges(struct aws_client *client, const struct s3_range_many *many, struct err *err);

/* ---- presigned URLs ---- */
struct s3_presign {
    const char *method; /* "GET" or "PUT" */
    struct s3_ref ref;
    int64_t expires_s;                /* 1..604800 */
    const char *content_type;         /* PUT: signed, the client must send it; may be NULL */
    const char *response_disposition; /* GET: response-content-disposition; may be NULL */
};
MUST_CHECK bool s3_presign(struct aws *aws, const struct s3_presign *what, struct buf *url, struct err *err);

#endif
