/* Which S3 operation a request is. */
#include "tests/emulator/s3.h"

#include <string.h>

typedef void s3_fn(struct emulator *emu, struct request *rq);

struct s3_op {
    const char *op;
    const char *method;
    bool on_bucket, on_key; /* neither: on the service */
    const char *param;      /* query parameter that must be there */
    const char *header;     /* header that must be there */
    enum body_sink sink;
    s3_fn *run;
};

/* The first row that fits wins. */
static const struct s3_op ops[] = {
    { "S3.ListBuckets", "GET", false, false, NULL, NULL, BODY_DROP, s3_list_buckets },
    { "S3.ListObjectsV2", "GET", true, false, "list-type", NULL, BODY_DROP, s3_list_objects },
    { "S3.GetBucketLocation", "GET", true, false, "location", NULL, BODY_DROP, s3_get_bucket_location },
    { "S3.ListMultipartUploads", "GET", true, false, "uploads", NULL, BODY_DROP, s3_list_uploads },
    { "S3.HeadBucket", "HEAD", true, false, NULL, NULL, BODY_DROP, s3_head_bucket },
    { "S3.CreateBucket", "PUT", true, false, NULL, NULL, BODY_MEMORY, s3_create_bucket },
    { "S3.DeleteBucket", "DELETE", true, false, NULL, NULL, BODY_DROP, s3_delete_bucket },
    { "S3.DeleteObjects", "POST", true, false, "delete", NULL, BODY_MEMORY, s3_delete_objects },
    { "S3.ListParts", "GET", false, true, "uploadId", NULL, BODY_DROP, s3_list_parts },
    { "S3.GetObject", "GET", false, true, NULL, NULL, BODY_DROP, s3_get_object },
    { "S3.HeadObject", "HEAD", false, true, NULL, NULL, BODY_DROP, s3_get_object },
    { "S3.UploadPartCopy", "PUT", false, true, "uploadId", "x-amz-copy-source", BODY_DROP, NULL },
    { "S3.UploadPart", "PUT", false, true, "uploadId", NULL, BODY_FILE, s3_upload_part },
    { "S3.CopyObject", "PUT", false, true, NULL, "x-amz-copy-source", BODY_DROP, s3_copy_object },
    { "S3.PutObject", "PUT", false, true, NULL, NULL, BODY_FILE, s3_put_object },
    { "S3.CreateMultipartUpload", "POST", false, true, "uploads", NULL, BODY_DROP, s3_create_multipart },
    { "S3.CompleteMultipartUpload", "POST", false, true, "uploadId", NULL, BODY_MEMORY, s3_complete_multipart },
    { "S3.AbortMultipartUpload", "DELETE", false, true, "uploadId", NULL, BODY_DROP, s3_abort_multipart },
    { "S3.DeleteObject", "DELETE", false, true, NULL, NULL, BODY_DROP, s3_delete_object },
};

/* Sub-resources that exist at AWS and not here: they must not be taken for the plain operation. */
static const char *const not_here[] = { "acl",       "tagging",    "versioning",   "versions",    "policy",
                                        "lifecycle", "cors",       "website",      "logging",     "attributes",
                                        "retention", "legal-hold", "encryption",   "torrent",     "restore",
                                        "select",    "versionId",  "notification", "replication", "inventory",
                                        "metrics",   "object-lock" };

static const struct s3_op *find(const struct request *rq)
{
    for (size_t i = 0; i < sizeof not_here / sizeof not_here[0]; i++)
        if (request_has_param(rq, not_here[i]))
            return NULL;
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        const struct s3_op *op = &ops[i];
        if (strcmp(op->method, rq->method) == 0 && op->on_key == (rq->key.len > 0) &&
            op->on_bucket == (rq->key.len == 0 && rq->bucket.len > 0) &&
            (!op->param || request_has_param(rq, op->param)) && (!op->header || request_header(rq, op->header)))
            return op;
    }
    return NULL;
}

/* bucket.anything as Host, if there is such a bucket and this is not an address. */
static bool bucket_from_host(struct emulator *emu, struct request *rq)
{
    struct span host = span_of(request_header(rq, "host"));
    size_t dot = span_find(host, '.');
    struct bucket_info info;

    if (dot == host.len || (host.ptr[dot + 1] >= '0' && host.ptr[dot + 1] <= '9'))
        return false;
    if (!store_find_bucket(emu->store, span_head(host, dot), &info))
        return false;
    rq->bucket = span_head(host, dot);
    return true;
}

void s3_route(struct emulator *emu, struct request *rq)
{
    struct span path = span_tail(rq->raw_path, 1);
    const struct s3_op *op = NULL;

    if (bucket_from_host(emu, rq)) {
        rq->key = request_decode(rq, path, false);
    } else {
        size_t slash = span_find(path, '/');
        rq->bucket = request_decode(rq, span_head(path, slash), false);
        rq->key = request_decode(rq, span_tail(path, slash + 1), false);
    }
    op = find(rq);
    rq->op = op ? op->op : "S3.Unknown";
}

static const struct s3_op *op_of(const struct request *rq)
{
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
        if (rq->op == ops[i].op)
            return &ops[i];
    return NULL;
}

enum body_sink s3_body_sink(const struct request *rq)
{
    const struct s3_op *op = op_of(rq);

    return op ? op->sink : BODY_DROP;
}

/* True if the request may go on with this bucket. */
static bool check_bucket(struct emulator *emu, struct request *rq)
{
    struct bucket_info info;
    const char *owner = request_header(rq, "x-amz-expected-bucket-owner");

    if (!store_find_bucket(emu->store, rq->bucket, &info)) {
        s3_error(rq, "NoSuchBucket", NULL);
        return false;
    }
    if (strcmp(info.region, emu->config.region) != 0 && strcmp(info.region, rq->claim.region) != 0) {
        s3_error(rq, "PermanentRedirect", NULL);
        reply_header(&rq->reply, "x-amz-bucket-region", info.region);
        return false;
    }
    if (info.denied || (owner && strcmp(owner, emu->config.account) != 0)) {
        s3_error(rq, "AccessDenied", NULL);
        if (strcmp(rq->op, "S3.HeadBucket") == 0)
            reply_header(&rq->reply, "x-amz-bucket-region", info.region);
        return false;
    }
    return true;
}

void s3_handle(struct emulator *emu, struct request *rq)
{
    const struct s3_op *op = op_of(rq);

    if (!rq->well_formed) {
        s3_error(rq, "InvalidURI", NULL);
    } else if (!s3_check_signature(emu, rq)) {
        return;
    } else if (!op || !op->run) {
        s3_error(rq, "NotImplemented", NULL);
    } else if (rq->key.len > 1024) {
        s3_error(rq, "KeyTooLongError", NULL);
    } else if (s3_check_body(rq)) {
        if (rq->bucket.len == 0 || op->run == s3_create_bucket || check_bucket(emu, rq))
            op->run(emu, rq);
    }
}
