#include "aws/s3_call.h"

#include "aws/sigv4.h"
#include "server/base/text.h"

#include <string.h>

enum { URL_MAX_BYTES = 32 * 1024, LONGEST_S = 604800 };

/* What is signed, and the text that it points to. */
struct presigning {
    struct buf origin, host, path, query;
    struct creds creds;
    char region[AWS_REGION_SIZE];
};

static void presigning_done(struct presigning *p)
{
    buf_done(&p->origin);
    buf_done(&p->host);
    buf_done(&p->path);
    buf_done(&p->query);
    creds_wipe(&p->creds);
}

static bool check(const struct s3_presign *what, struct err *err)
{
    const char *broken = NULL;

    if (strcmp(what->method, "GET") != 0 && strcmp(what->method, "PUT") != 0)
        broken = "the method must be GET or PUT";
    else if (what->expires_s < 1 || what->expires_s > LONGEST_S)
        broken = "a presigned URL lives 1 to 604800 seconds";
    else if (!s3_bucket_name_ok(what->ref.bucket))
        broken = "the bucket's name breaks S3's naming rules";
    else if (what->ref.key.len == 0 || what->ref.key.len > S3_KEY_MAX_BYTES)
        broken = "the key must have 1 to 1024 bytes";
    if (!broken)
        return true;
    err_set(err, ERR_INPUT, false, HERE, "%s", broken);
    return s3_name_error(&what->ref, err);
}

static bool prepare(struct presigning *p, struct aws *aws, const struct s3_presign *what, struct err *err)
{
    buf_init(&p->origin, URL_MAX_BYTES);
    buf_init(&p->host, URL_MAX_BYTES);
    buf_init(&p->path, URL_MAX_BYTES);
    buf_init(&p->query, URL_MAX_BYTES);
    if (!aws_credentials_soon(aws, &p->creds, err) ||
        !aws_s3_address(aws, what->ref.bucket, &p->origin, &p->host, &p->path, p->region, err))
        return false;
    buf_char(&p->path, '/');
    text_percent_encode(&p->path, what->ref.key, true);
    if (what->response_disposition && what->response_disposition[0]) {
        buf_text(&p->query, "response-content-disposition=");
        text_percent_encode(&p->query, span_of(what->response_disposition), false);
    }
    return buf_check(&p->path, "a presigned path", err) && buf_check(&p->query, "a presigned query", err);
}

bool s3_presign(struct aws *aws, const struct s3_presign *what, struct buf *url, struct err *err)
{
    AUTO(presigning_done) struct presigning p = { 0 };
    struct sigv4_header headers[3];
    struct sigv4_request rq = { 0 };
    size_t count = 0;

    if (!check(what, err) || !prepare(&p, aws, what, err))
        return false;
    if (what->content_type && what->content_type[0])
        headers[count++] = (struct sigv4_header){ SPAN_LIT("content-type"), span_of(what->content_type) };
    headers[count++] = (struct sigv4_header){ SPAN_LIT("host"), buf_view(&p.host) };
    rq.method = span_of(what->method);
    rq.path = buf_view(&p.path);
    rq.query = buf_view(&p.query);
    rq.headers = headers;
    rq.header_count = count;
    rq.payload_hash = SPAN_LIT("UNSIGNED-PAYLOAD"); /* whoever uses the URL chooses the bytes */
    rq.region = span_of(p.region);
    rq.service = SPAN_LIT("s3");
    buf_span(url, buf_view(&p.origin));
    buf_char(url, '/');
    text_percent_encode(url, what->ref.key, true);
    buf_char(url, '?');
    if (!sigv4_presigned_query(&rq, &p.creds, aws_now_s(aws), what->expires_s, url, err))
        return false;
    return buf_check(url, "a presigned URL", err);
}
