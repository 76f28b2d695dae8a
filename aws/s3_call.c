#include "aws/s3_call.h"

#include "server/base/text.h"

#include <assert.h>
#include <openssl/evp.h>
#include <string.h>

enum {
    PATH_MAX_BYTES = 1 + 3 * S3_KEY_MAX_BYTES,
    QUERY_MAX_BYTES = 64 * 1024,
    SMALL_BODY_BYTES = 1024 * 1024,
    SLOWEST_BYTES_PER_MS = 64, /* an upload slower than this does not end within its time limit */
    BASE_TIMEOUT_MS = 60000,
};

static bool refuse(const struct s3_ref *ref, const char *why, struct err *err)
{
    err_set(err, ERR_INPUT, false, HERE, "s3://%.*s/%.*s: %s", SPAN_ARG(span_head(ref->bucket, 63)),
            SPAN_ARG(span_head(ref->key, 120)), why);
    return err_code(err, "bad_s3_name");
}

bool s3_call_init(struct s3_call *call, const char *operation, const char *method, const struct s3_ref *ref,
                  struct err *err)
{
    *call = (struct s3_call){ .ref = *ref };
    buf_init(&call->path, PATH_MAX_BYTES);
    buf_init(&call->query, QUERY_MAX_BYTES);
    if (!s3_bucket_name_ok(ref->bucket))
        return refuse(ref, "the bucket's name breaks S3's naming rules", err);
    if (ref->key.len > S3_KEY_MAX_BYTES)
        return refuse(ref, "the key is longer than 1024 bytes", err);
    call->rq.operation = operation;
    call->rq.service = AWS_S3;
    call->rq.method = method;
    call->rq.bucket = ref->bucket;
    buf_char(&call->path, '/');
    text_percent_encode(&call->path, ref->key, true);
    s3_call_header(call, "x-amz-expected-bucket-owner", ref->owner);
    return true;
}

void s3_call_done(struct s3_call *call)
{
    buf_done(&call->path);
    buf_done(&call->query);
}

void s3_call_param(struct s3_call *call, const char *name, struct span value)
{
    if (call->query.len > 0)
        buf_char(&call->query, '&');
    buf_text(&call->query, name);
    buf_char(&call->query, '=');
    text_percent_encode(&call->query, value, false);
}

void s3_call_header(struct s3_call *call, const char *name, struct span value)
{
    if (value.len == 0)
        return;
    assert(call->rq.header_count < AWS_MAX_HEADERS);
    call->rq.headers[call->rq.header_count++] = (struct aws_header){ name, value };
}

void s3_call_body(struct s3_call *call, struct span body, const char *content_type)
{
    call->rq.body = body;
    call->rq.has_body = true;
    call->rq.content_type = content_type;
    if (body.len > SMALL_BODY_BYTES)
        call->rq.timeout_ms = BASE_TIMEOUT_MS + (int64_t)(body.len / SLOWEST_BYTES_PER_MS);
}

bool s3_call_ready(struct s3_call *call, struct err *err)
{
    if (!buf_check(&call->path, "the path of an S3 request", err) ||
        !buf_check(&call->query, "the query of an S3 request", err))
        return false;
    call->rq.path = buf_view(&call->path);
    call->rq.query = buf_view(&call->query);
    return true;
}

bool s3_call_send(struct s3_call *call, struct aws_client *client, struct aws_response *rs, struct err *err)
{
    if (!s3_call_ready(call, err))
        return false;
    return aws_call(client, &call->rq, rs, err) || s3_name_error(&call->ref, err);
}

bool s3_name_error(const struct s3_ref *ref, struct err *err)
{
    AUTO(buf_done) struct buf what = { 0 };
    struct span kept = { 0 };

    if (!err)
        return false;
    buf_init(&what, 4096);
    buf_fmt(&what, "s3://%.*s/%.*s: %s", SPAN_ARG(span_head(ref->bucket, 63)), SPAN_ARG(text_utf8_head(ref->key, 160)),
            err->what);
    if (!buf_ok(&what)) /* no memory: the words without the name */
        return false;
    kept = text_utf8_head(buf_view(&what), sizeof(err->what) - 1);
    memcpy(err->what, kept.ptr, kept.len);
    err->what[kept.len] = '\0';
    return false;
}

bool s3_parse_content_range(struct span s, int64_t *first, int64_t *size)
{
    const struct span unit = SPAN_LIT("bytes ");
    struct span range = span_tail(s, unit.len);
    size_t slash = span_find(range, '/');

    return span_starts(s, unit) && text_parse_i64(span_head(range, span_find(range, '-')), first) &&
           text_parse_i64(span_tail(range, slash + 1), size);
}

bool s3_content_md5(struct span body, struct buf *out, struct err *err)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int len = 0;

    if (EVP_Digest(body.len ? body.ptr : "", body.len, digest, &len, EVP_md5(), NULL) != 1)
        return err_set(err, ERR_INTERNAL, false, HERE, "OpenSSL offers no MD5 (FIPS mode?)");
    text_base64(out, digest, len);
    return buf_check(out, "a Content-MD5 header", err);
}

/* XML 1.0 knows neither control characters other than tab, LF and CR, nor U+FFFE and U+FFFF. */
static bool fits_xml(struct span text)
{
    if (!text_is_utf8(text))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        if (c < 0x20 && c != '\t' && c != '\n' && c != '\r')
            return false;
        if (c == 0xEF && (unsigned char)text.ptr[i + 1] == 0xBF && (unsigned char)text.ptr[i + 2] >= 0xBE)
            return false; /* i + 2 exists: the text is well-formed */
    }
    return true;
}

bool s3_xml_text(struct buf *out, struct span text)
{
    if (!fits_xml(text))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        switch (text.ptr[i]) {
        case '&':
            buf_text(out, "&amp;");
            break;
        case '<':
            buf_text(out, "&lt;");
            break;
        case '>':
            buf_text(out, "&gt;");
            break;
        case '\t':
        case '\n':
        case '\r': /* as they are, a parser would normalise them */
            buf_fmt(out, "&#%d;", text.ptr[i]);
            break;
        default:
            buf_char(out, text.ptr[i]);
        }
    }
    return true;
}
