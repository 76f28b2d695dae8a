/* The S3 side: which operation a request is, and its execution. Files s3_*.c. */
#ifndef VIDBATCH_EMULATOR_S3_H
#define VIDBATCH_EMULATOR_S3_H

#include "server/base/attr.h"
#include "tests/emulator/emulator.h"
#include "tests/emulator/faults.h"
#include "tests/emulator/request.h"
#include "tests/emulator/store.h"

/* Fills bucket, key and op. */
void s3_route(struct emulator *emu, struct request *rq);
/* Where this operation's body goes, and how it is framed and hashed. */
enum body_sink s3_body_sink(const struct request *rq);
void s3_expect_body(struct emulator *emu, struct request *rq);
/* Checks the signature and the body, then does the work; fills rq->reply. */
void s3_handle(struct emulator *emu, struct request *rq);
/* Answers as a fault says. */
void s3_fault(struct emulator *emu, struct request *rq, const struct fault_action *fault);

/* Inside the S3 side. Each fills rq->reply. */
void s3_error(struct request *rq, const char *code, const char *message); /* message NULL: the code's own */
void s3_ok(struct request *rq, int status);                               /* no body yet */
void s3_xml_start(struct request *rq, const char *root); /* declaration and opening tag with the namespace */
void s3_xml_text(struct buf *out, struct span s);        /* escaped for XML */
void s3_xml_element(struct buf *out, const char *name, struct span value);
MUST_CHECK bool s3_check_signature(struct emulator *emu, struct request *rq);
MUST_CHECK bool s3_check_body(struct request *rq);

void s3_list_buckets(struct emulator *emu, struct request *rq);
void s3_create_bucket(struct emulator *emu, struct request *rq);
void s3_delete_bucket(struct emulator *emu, struct request *rq);
void s3_head_bucket(struct emulator *emu, struct request *rq);
void s3_get_bucket_location(struct emulator *emu, struct request *rq);
void s3_list_objects(struct emulator *emu, struct request *rq);
void s3_get_object(struct emulator *emu, struct request *rq); /* HEAD too */
void s3_put_object(struct emulator *emu, struct request *rq);
void s3_copy_object(struct emulator *emu, struct request *rq);
void s3_delete_object(struct emulator *emu, struct request *rq);
void s3_delete_objects(struct emulator *emu, struct request *rq);
void s3_create_multipart(struct emulator *emu, struct request *rq);
void s3_upload_part(struct emulator *emu, struct request *rq);
void s3_complete_multipart(struct emulator *emu, struct request *rq);
void s3_abort_multipart(struct emulator *emu, struct request *rq);
void s3_list_parts(struct emulator *emu, struct request *rq);
void s3_list_uploads(struct emulator *emu, struct request *rq);

/* What a write keeps of its headers. False: the reply is an error. */
struct s3_attributes {
    const char *content_type;
    char *stored_headers; /* in the request's arena; NULL: none */
};
MUST_CHECK bool s3_read_attributes(struct request *rq, struct s3_attributes *out);
/* If-Match and If-None-Match of a write. False: the reply is an error. */
MUST_CHECK bool s3_read_condition(struct request *rq, struct store_condition *out);
void s3_set_attributes(struct object *object, const struct s3_attributes *attributes);
/* Puts the object in its place; false: the reply is an error. */
MUST_CHECK bool s3_store(struct emulator *emu, struct request *rq, struct object *object,
                         const struct store_condition *condition);
/* Checksum that the upload came with, onto the object and into the answer. */
void s3_keep_checksum(struct request *rq, struct object *object);
/* Without the quotes around it. */
struct span s3_unquote(struct span etag);

#endif
