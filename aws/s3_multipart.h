/* One multipart upload: its four requests. Private to aws/s3_*.c; s3_writer.c decides when. The client's thread only.
 */
#ifndef VIDBATCH_AWS_S3_MULTIPART_H
#define VIDBATCH_AWS_S3_MULTIPART_H

#include "aws/s3.h"
#include "aws/s3_call.h"
#include "server/base/attr.h"
#include "server/base/buf.h"
#include "server/base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct s3_upload {
    struct buf id;          /* S3's upload id; empty before s3_upload_begin */
    struct buf parts;       /* the list of parts as CompleteMultipartUpload wants it */
    int part_count;         /* begun */
    enum checksum_kind sum; /* that each part carries */
    char marker[33];        /* random; stored with the object, so that a finished upload can be recognised */
};

void s3_upload_init(struct s3_upload *up);
void s3_upload_done(struct s3_upload *up);
MUST_CHECK bool s3_upload_begin(struct s3_upload *up, struct aws_client *client, const struct s3_ref *ref,
                                const char *content_type, struct err *err);
/* The next part on its way; sent again by itself where that can help. Zeroed memory is none. */
struct s3_part {
    struct aws_later *later; /* NULL: nothing is on its way */
    struct s3_call call;
    struct aws_response rs;
    unsigned char hash[32];       /* SHA-256 of its bytes, where that is its checksum */
    char sum[CHECKSUM_TEXT_SIZE]; /* its checksum */
    int number;
};
/* Begins to send; the bytes must live until the part is ended. */
MUST_CHECK bool s3_part_begin(struct s3_part *part, struct s3_upload *up, struct aws_client *client,
                              const struct s3_ref *ref, struct span bytes, struct err *err);
/* Waits until it is stored, and enters it into the upload's list. Parts are ended in the order in which they were
 * begun. */
MUST_CHECK bool s3_part_end(struct s3_part *part, struct s3_upload *up, struct err *err);
/* Breaks off what is on its way, and frees. */
void s3_part_done(struct s3_part *part);
/* A lost answer is resolved: the object is there if it has our marker and size_bytes. Where it cannot be looked at,
 * that is the failure. */
MUST_CHECK bool s3_upload_complete(struct s3_upload *up, struct aws_client *client, const struct s3_ref *ref,
                                   int64_t size_bytes, struct err *err);
/* An upload that no longer exists is fine. */
MUST_CHECK bool s3_upload_abort(struct aws_client *client, const struct s3_ref *ref, struct span upload_id,
                                struct err *err);

#endif
