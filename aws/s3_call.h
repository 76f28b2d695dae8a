/* What the S3 operations share: building a request with its own text, and naming bucket and key in failures. Private to
 * aws/s3_*.c. */
#ifndef VIDBATCH_AWS_S3_CALL_H
#define VIDBATCH_AWS_S3_CALL_H

#include "aws/client.h"
#include "aws/s3.h"
#include "server/base/attr.h"
#include "server/base/buf.h"
#include "server/base/err.h"

#include <stdbool.h>

enum { S3_KEY_MAX_BYTES = 1024 };

/* A request and the text that it points to. */
struct s3_call {
    struct aws_request rq;
    struct s3_ref ref; /* borrowed */
    struct buf path;
    struct buf query;
};

/* operation and method: static. The bucket must be a legal name and the key at most 1024 bytes (ERR_INPUT); an empty
 * key addresses the bucket. ref's text must live as long as the call. s3_call_done frees, also after a failure. */
MUST_CHECK bool s3_call_init(struct s3_call *call, const char *operation, const char *method, const struct s3_ref *ref,
                             struct err *err);
void s3_call_done(struct s3_call *call);
/* Appends "name=encoded" to the query. Names must come in byte order: the query is signed as it is. */
void s3_call_param(struct s3_call *call, const char *name, struct span value);
/* name: static; an empty value is left out. */
void s3_call_header(struct s3_call *call, const char *name, struct span value);
/* The body and a time limit that fits its size. content_type: static or living as long as the call. */
void s3_call_body(struct s3_call *call, struct span body, const char *content_type);
/* Points rq at the text. Last step before the request is used. */
MUST_CHECK bool s3_call_ready(struct s3_call *call, struct err *err);
/* s3_call_ready and aws_call; a failure names bucket and key. rs: empty or used before. */
MUST_CHECK bool s3_call_send(struct s3_call *call, struct aws_client *client, struct aws_response *rs, struct err *err);

/* Puts "s3://bucket/key: " in front of err->what. Always false. */
bool s3_name_error(const struct s3_ref *ref, struct err *err);
/* "bytes 5-9/10": where the answer begins, and the size of the whole object. */
MUST_CHECK bool s3_parse_content_range(struct span s, int64_t *first, int64_t *size);
/* base64 of the MD5: the value of Content-MD5. */
MUST_CHECK bool s3_content_md5(struct span body, struct buf *out, struct err *err);
/* Appends text as XML character data. False, nothing appended, when XML 1.0 cannot hold it. */
MUST_CHECK bool s3_xml_text(struct buf *out, struct span text);

#endif
