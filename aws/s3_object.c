#include "aws/s3_call.h"

#include "server/base/clock.h"
#include "server/base/text.h"

#include <stdio.h>
#include <string.h>

enum { PUT_MAX_BYTES_GIB = 5 };

static void copy_text(char *out, size_t size, const char *text)
{
    struct span kept = text_utf8_head(span_of(text), size - 1);

    memcpy(out, kept.ptr, kept.len);
    out[kept.len] = '\0';
}

bool s3_head(struct aws_client *client, const struct s3_ref *ref, struct s3_head *out, struct err *err)
{
    AUTO(s3_call_done) struct s3_call call = { 0 };
    AUTO(aws_response_done) struct aws_response rs = { 0 };
    struct s3_head head = { 0 };

    if (!s3_call_init(&call, "S3.HeadObject", "HEAD", ref, err) || !s3_call_send(&call, client, &rs, err))
        return false;
    if (rs.content_length < 0) {
        err_set(err, ERR_UPSTREAM, true, HERE, "HEAD was answered without Content-Length");
        return s3_name_error(ref, err);
    }
    head.size_bytes = rs.content_length;
    if (!clock_parse_http_date(span_of(rs.last_modified), &head.last_modified_ms))
        head.last_modified_ms = 0;
    copy_text(head.etag, sizeof(head.etag), rs.etag);
    copy_text(head.content_type, sizeof(head.content_type), rs.content_type);
    copy_text(head.storage_class, sizeof(head.storage_class), rs.storage_class[0] ? rs.storage_class : "STANDARD");
    *out = head;
    return true;
}

bool s3_get_small(struct aws_client *client, const struct s3_ref *ref, size_t max_bytes, struct buf *out,
                  struct err *err)
{
    struct s3_reader *reader = NULL;
    struct span piece = { 0 };
    bool ok = s3_reader_open(client, ref, 0, "", &reader, err);

    if (ok && s3_reader_size(reader) > (int64_t)max_bytes) {
        err_set(err, ERR_INPUT, false, HERE, "the object has %lld bytes, more than the %zu that are read here",
                (long long)s3_reader_size(reader), max_bytes);
        (void)err_code(err, "object_too_large");
        ok = s3_name_error(ref, err);
    }
    while (ok && (ok = s3_reader_read(reader, &piece, err)) && piece.len > 0)
        buf_span(out, piece);
    s3_reader_close(reader);
    return ok && buf_check(out, "an object read whole", err);
}

bool s3_put(struct aws_client *client, const struct s3_ref *ref, const char *content_type, struct span body,
            struct err *err)
{
    AUTO(s3_call_done) struct s3_call call = { 0 };
    AUTO(aws_response_done) struct aws_response rs = { 0 };
    char crc[CHECKSUM_TEXT_SIZE];

    if ((body.len >> 30) >= PUT_MAX_BYTES_GIB) {
        err_set(err, ERR_INPUT, false, HERE, "%zu bytes are more than one PUT takes (5 GiB)", body.len);
        return s3_name_error(ref, err);
    }
    if (!s3_call_init(&call, "S3.PutObject", "PUT", ref, err))
        return false;
    /* S3 checks it before the object becomes visible, and zlib computes it faster than MD5. */
    if (aws_sums_requests(client)) {
        checksum_of(CHECKSUM_CRC32, body, crc);
        s3_call_header(&call, checksum_header(CHECKSUM_CRC32), span_of(crc));
    }
    s3_call_body(&call, body, content_type);
    return s3_call_send(&call, client, &rs, err);
}

bool s3_delete(struct aws_client *client, const struct s3_ref *ref, struct err *err)
{
    AUTO(s3_call_done) struct s3_call call = { 0 };
    AUTO(aws_response_done) struct aws_response rs = { 0 };
    struct err cause = { 0 };

    if (!s3_call_init(&call, "S3.DeleteObject", "DELETE", ref, err))
        return false;
    if (s3_call_send(&call, client, &rs, &cause))
        return true;
    if (strcmp(cause.upstream_code, "NoSuchKey") == 0) /* some servers say so; absent is what was wanted */
        return true;
    if (err && err->kind == ERR_NONE)
        *err = cause;
    return false;
}
