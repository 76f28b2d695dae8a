#include "aws/s3_multipart.h"

#include "aws/s3_call.h"
#include "aws/xml.h"
#include "server/base/text.h"

#include <stdio.h>
#include <string.h>

enum {
    ID_MAX_BYTES = 8 * 1024,
    PARTS_MAX_BYTES = 4 * 1024 * 1024,
    COMPLETE_TIMEOUT_MS = 10 * 60 * 1000 /* S3 may take minutes to put many parts together */
};

static const char no_such_upload[] = "NoSuchUpload";

void s3_upload_init(struct s3_upload *up)
{
    *up = (struct s3_upload){ 0 };
    buf_init(&up->id, ID_MAX_BYTES);
    buf_init(&up->parts, PARTS_MAX_BYTES);
}

void s3_upload_done(struct s3_upload *up)
{
    buf_done(&up->id);
    buf_done(&up->parts);
}

static bool on_upload_id(void *arg, const char *name, int depth, struct span text, struct err *err)
{
    struct s3_upload *up = arg;

    if (depth != 2 || strcmp(name, "UploadId") != 0)
        return true;
    buf_reset(&up->id);
    buf_span(&up->id, text);
    return buf_check(&up->id, "an upload id", err);
}

static void make_marker(struct s3_upload *up)
{
    unsigned char bytes[16];

    text_random(bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++)
        (void)snprintf(up->marker + 2 * i, 3, "%02x", bytes[i]);
}

bool s3_upload_begin(struct s3_upload *up, struct aws_client *client, const struct s3_ref *ref,
                     const char *content_type, struct err *err)
{
    AUTO(s3_call_done) struct s3_call call = { 0 };
    AUTO(aws_response_done) struct aws_response rs = { 0 };
    const struct xml_handler handler = { .end = on_upload_id, .arg = up };

    if (!s3_call_init(&call, "S3.CreateMultipartUpload", "POST", ref, err))
        return false;
    make_marker(up);
    up->sum = !aws_sums_requests(client) ? CHECKSUM_NONE : aws_s3_is_https(client) ? CHECKSUM_CRC32 : CHECKSUM_SHA256;
    call.rq.error_in_200 = true;
    s3_call_param(&call, "uploads", (struct span){ "", 0 });
    s3_call_header(&call, "x-amz-checksum-algorithm", span_of(checksum_name(up->sum))); /* each part carries one */
    s3_call_header(&call, "x-amz-meta-vidbatch-upload", span_of(up->marker));
    s3_call_body(&call, (struct span){ "", 0 }, content_type);
    if (!s3_call_send(&call, client, &rs, err))
        return false;
    if (!xml_read(buf_view(&rs.body), &handler, err))
        return s3_name_error(ref, err);
    if (up->id.len > 0)
        return true;
    err_set(err, ERR_UPSTREAM, true, HERE, "CreateMultipartUpload was answered without an UploadId");
    return s3_name_error(ref, err);
}

/* Over plain http the hash that is signed serves as the checksum too. */
static bool sum_part(struct s3_part *part, const struct s3_upload *up, struct span bytes, struct err *err)
{
    AUTO(buf_done) struct buf text = { .max = sizeof(part->sum) };

    if (up->sum == CHECKSUM_NONE)
        return true;
    if (up->sum != CHECKSUM_SHA256) {
        checksum_of(up->sum, bytes, part->sum);
        return true;
    }
    text_sha256(bytes.len ? bytes.ptr : "", bytes.len, part->hash);
    text_base64(&text, part->hash, sizeof(part->hash));
    if (!buf_check(&text, "a checksum", err))
        return false;
    (void)snprintf(part->sum, sizeof(part->sum), "%s", buf_cstr(&text));
    part->call.rq.body_sha256 = part->hash;
    return true;
}

static bool fill_part(struct s3_part *part, struct s3_upload *up, const struct s3_ref *ref, struct span bytes,
                      struct err *err)
{
    char number[16];

    if (!s3_call_init(&part->call, "S3.UploadPart", "PUT", ref, err) || !sum_part(part, up, bytes, err))
        return false;
    (void)snprintf(number, sizeof(number), "%d", part->number);
    s3_call_param(&part->call, "partNumber", span_of(number));
    s3_call_param(&part->call, "uploadId", buf_view(&up->id));
    s3_call_header(&part->call, checksum_header(up->sum), span_of(part->sum));
    s3_call_body(&part->call, bytes, NULL);
    return s3_call_ready(&part->call, err);
}

bool s3_part_begin(struct s3_part *part, struct s3_upload *up, struct aws_client *client, const struct s3_ref *ref,
                   struct span bytes, struct err *err)
{
    *part = (struct s3_part){ .number = up->part_count + 1 };
    if (fill_part(part, up, ref, bytes, err))
        part->later = aws_later_begin(client, &part->call.rq, &part->rs, err);
    if (part->later) {
        up->part_count++;
        return true;
    }
    s3_part_done(part);
    return false;
}

bool s3_part_end(struct s3_part *part, struct s3_upload *up, struct err *err)
{
    const struct s3_ref ref = part->call.ref;
    bool ok = aws_later_end(part->later, err);

    part->later = NULL;
    if (ok) {
        buf_fmt(&up->parts, "<Part><PartNumber>%d</PartNumber><ETag>", part->number);
        ok = part->rs.etag[0] != '\0' && s3_xml_text(&up->parts, span_of(part->rs.etag));
        if (!ok)
            err_set(err, ERR_UPSTREAM, true, HERE, "part %d was answered without a usable ETag", part->number);
        buf_text(&up->parts, "</ETag>");
        if (up->sum != CHECKSUM_NONE)
            buf_fmt(&up->parts, "<Checksum%s>%s</Checksum%s>", checksum_name(up->sum), part->sum,
                    checksum_name(up->sum));
        buf_text(&up->parts, "</Part>");
    }
    s3_part_done(part);
    return ok ? buf_check(&up->parts, "the list of parts", err) : s3_name_error(&ref, err);
}

void s3_part_done(struct s3_part *part)
{
    aws_later_drop(part->later);
    aws_response_done(&part->rs);
    s3_call_done(&part->call);
    *part = (struct s3_part){ 0 };
}

/* The upload is gone: did an earlier attempt, whose answer was lost, complete it? Where that cannot be asked now, the
 * reason replaces cause: the same call may find it completed later. */
static bool is_completed(const struct s3_upload *up, struct aws_client *client, const struct s3_ref *ref,
                         int64_t size_bytes, struct err *cause)
{
    AUTO(s3_call_done) struct s3_call call = { 0 };
    AUTO(aws_response_done) struct aws_response rs = { 0 };
    struct err why = { 0 };

    if (s3_call_init(&call, "S3.HeadObject", "HEAD", ref, &why) && s3_call_send(&call, client, &rs, &why))
        return rs.content_length == size_bytes && strcmp(rs.upload_marker, up->marker) == 0;
    if (why.retryable || why.kind == ERR_CANCELLED || why.kind == ERR_MEMORY)
        *cause = why;
    return false;
}

bool s3_upload_complete(struct s3_upload *up, struct aws_client *client, const struct s3_ref *ref, int64_t size_bytes,
                        struct err *err)
{
    AUTO(s3_call_done) struct s3_call call = { 0 };
    AUTO(aws_response_done) struct aws_response rs = { 0 };
    AUTO(buf_done) struct buf xml = { 0 };
    struct err cause = { 0 };

    buf_init(&xml, PARTS_MAX_BYTES + 1024);
    buf_text(&xml, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    buf_span(&xml, buf_view(&up->parts));
    buf_text(&xml, "</CompleteMultipartUpload>");
    if (!buf_check(&xml, "the list of parts", err) ||
        !s3_call_init(&call, "S3.CompleteMultipartUpload", "POST", ref, err))
        return false;
    call.rq.error_in_200 = true;
    s3_call_param(&call, "uploadId", buf_view(&up->id));
    s3_call_body(&call, buf_view(&xml), "application/xml");
    call.rq.timeout_ms = COMPLETE_TIMEOUT_MS;
    if (s3_call_send(&call, client, &rs, &cause))
        return true;
    if (strcmp(cause.upstream_code, no_such_upload) == 0 && is_completed(up, client, ref, size_bytes, &cause))
        return true;
    if (err && err->kind == ERR_NONE)
        *err = cause;
    return false;
}

bool s3_upload_abort(struct aws_client *client, const struct s3_ref *ref, struct span upload_id, struct err *err)
{
    AUTO(s3_call_done) struct s3_call call = { 0 };
    AUTO(aws_response_done) struct aws_response rs = { 0 };
    struct err cause = { 0 };

    if (!s3_call_init(&call, "S3.AbortMultipartUpload", "DELETE", ref, err))
        return false;
    s3_call_param(&call, "uploadId", upload_id);
    if (s3_call_send(&call, client, &rs, &cause) || strcmp(cause.upstream_code, no_such_upload) == 0)
        return true;
    if (err && err->kind == ERR_NONE)
        *err = cause;
    return false;
}
