/* One multipart upload: its four requests. Private to aws/s3_*.c; s3_writer.c decides when. The client's thread only.
 */
#ifndef VIDBATCH_AWS_S3_MULTIPART_H
#define VIDBATCH_AWS_S3_MULTIPART_H

#include "aws/s3.h"
#include "server/base/attr.h"
#include "server/base/buf.h"
#include "server/base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct s3_upload {
    struct buf id;    /* S3's upload id; empty before s3_upload_begin */
    struct buf parts; /* the list of parts as CompleteMultipartUpload wants it */
    int part_count;
    char marker[33]; /* random; stored with the object, so that a finished upload can be recognised */
};

void s3_upload_init(struct s3_upload *up);
void s3_upload_done(struct s3_upload *up);
MUST_CHECK bool s3_upload_begin(struct s3_upload *up, struct aws_client *client, const struct s3_ref *ref,
                                const char *content_type, struct err *err);
/* The next part; sent again by itself where that can help. */
MUST_CHECK bool s3_upload_part(struct s3_upload *up, struct aws_client *client, const struct s3_ref *ref,
                               struct span bytes, struct err *err);
/* A lost answer is resolved: the object is there if it has our marker and size_bytes. */
MUST_CHECK bool s3_upload_complete(struct s3_upload *up, struct aws_client *client, const struct s3_ref *ref,
                                   int64_t size_bytes, struct err *err);
/* An upload that no longer exists is fine. */
MUST_CHECK bool s3_upload_abort(struct aws_client *client, const struct s3_ref *ref, struct span upload_id,
                                struct err *err);

#endif
