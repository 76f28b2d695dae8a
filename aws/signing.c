/* One attempt's URL and headers. What is signed is what is sent: the same text makes both. */
#include "aws/client_internal.h"

#include "server/base/clock.h"
#include "server/base/text.h"

#include <stdio.h>
#include <string.h>

enum { OWN_HEADERS = 7, MAX_SIGNED = AWS_MAX_HEADERS + OWN_HEADERS, MAX_URL_BYTES = 64 * 1024 };

/* Text that lives while one attempt is being signed. */
struct draft {
    struct sigv4_header headers[MAX_SIGNED];
    size_t header_count;
    struct buf host;
    struct buf path; /* whole: endpoint's prefix, bucket, key */
    char time[SIGV4_TIME_SIZE];
    char attempt[40]; /* amz-sdk-request */
    struct buf payload_hash;
    struct buf authorization;
};

static void draft_done(struct draft *d)
{
    buf_done(&d->host);
    buf_done(&d->path);
    buf_done(&d->payload_hash);
    buf_done(&d->authorization);
}

static void add(struct draft *d, const char *name, struct span value)
{
    d->headers[d->header_count++] = (struct sigv4_header){ span_of(name), value };
}

static bool has_checksum(const struct aws_request *rq)
{
    for (size_t i = 0; i < rq->header_count; i++)
        if (!strncmp(rq->headers[i].name, "x-amz-checksum-", 15) || !strcmp(rq->headers[i].name, "content-md5"))
            return true;
    return false;
}

/* Over TLS a body with its own checksum need not be hashed a second time. */
static void add_payload_hash(const struct exchange *x, bool is_https, struct buf *out)
{
    unsigned char hash[32];

    if (x->rq.service == AWS_S3 && is_https && x->rq.body.len && has_checksum(&x->rq)) {
        buf_text(out, "UNSIGNED-PAYLOAD");
        return;
    }
    if (!x->rq.body_sha256)
        text_sha256(x->rq.body.len ? x->rq.body.ptr : "", x->rq.body.len, hash);
    text_hex(out, x->rq.body_sha256 ? x->rq.body_sha256 : hash, sizeof(hash));
}

/* A line break in a value would end the header and begin another one. */
static bool is_header_value(struct span value)
{
    for (size_t i = 0; i < value.len; i++)
        if (((unsigned char)value.ptr[i] < ' ' && value.ptr[i] != '\t') || value.ptr[i] == 127)
            return false;
    return true;
}

static bool list_headers(struct exchange *x, struct draft *d, struct err *err)
{
    const struct aws_request *rq = &x->rq;

    if (rq->header_count > AWS_MAX_HEADERS)
        return err_set(err, ERR_INTERNAL, false, HERE, "%s: too many headers", rq->operation);
    add(d, "host", buf_view(&d->host));
    add(d, "x-amz-date", span_of(d->time));
    if (rq->service == AWS_S3)
        add(d, "x-amz-content-sha256", buf_view(&d->payload_hash));
    if (x->creds.session_token[0])
        add(d, "x-amz-security-token", span_of(x->creds.session_token));
    snprintf(d->attempt, sizeof(d->attempt), "attempt=%d; max=%d", x->attempts + 1,
             rq->send_once ? 1 : x->client->aws->options.max_attempts);
    add(d, "amz-sdk-invocation-id", span_of(x->invocation_id));
    add(d, "amz-sdk-request", span_of(d->attempt));
    if (rq->content_type)
        add(d, "content-type", span_of(rq->content_type));
    for (size_t i = 0; i < rq->header_count; i++) {
        if (!is_header_value(rq->headers[i].value))
            return err_set(err, ERR_INPUT, false, HERE, "%s: the value of header %s holds control characters",
                           rq->operation, rq->headers[i].name);
        add(d, rq->headers[i].name, rq->headers[i].value);
    }
    return true;
}

static bool sign(struct exchange *x, struct draft *d, int64_t now_s, struct err *err)
{
    const struct endpoint *ep = &x->endpoint;
    bool is_s3 = x->rq.service == AWS_S3;
    struct sigv4_request to_sign = {
        .method = span_of(x->rq.method),
        .path = buf_view(&d->path),
        .query = x->rq.query,
        .headers = d->headers,
        .header_count = d->header_count,
        .payload_hash = buf_view(&d->payload_hash),
        .region = span_of(ep->signing_region),
        .service = span_of(ep->signing_name),
        .encode_path_twice = !is_s3,
        .normalize_path = !is_s3,
        .keys = &x->client->keys,
    };

    return sigv4_authorization(&to_sign, &x->creds, now_s, &d->authorization, err);
}

static bool append(struct exchange *x, const char *name, struct span value, struct err *err)
{
    AUTO(buf_done) struct buf line = { 0 };
    struct curl_slist *grown;

    buf_init(&line, 32 * 1024);
    /* To libcurl "name:" means "do not send"; an empty value is written "name;". */
    if (value.len)
        buf_fmt(&line, "%s: %.*s", name, SPAN_ARG(value));
    else
        buf_fmt(&line, "%s;", name);
    if (!buf_check(&line, "request header", err))
        return false;
    grown = curl_slist_append(x->header_list, buf_cstr(&line));
    if (!grown)
        return err_memory(err, HERE);
    x->header_list = grown;
    return true;
}

/* What libcurl would add of itself and nobody has signed or wants. */
static bool suppress_defaults(struct exchange *x, struct err *err)
{
    static const char *const unwanted[] = { "Accept:", "Content-Type:" };
    int count = x->rq.content_type ? 1 : 2;

    for (int i = 0; i < count; i++) {
        struct curl_slist *grown = curl_slist_append(x->header_list, unwanted[i]);

        if (!grown)
            return err_memory(err, HERE);
        x->header_list = grown;
    }
    return true;
}

static bool make_header_list(struct exchange *x, const struct draft *d, struct err *err)
{
    for (size_t i = 0; i < d->header_count; i++)
        if (!append(x, d->headers[i].name.ptr, d->headers[i].value, err))
            return false;
    return append(x, "authorization", buf_view(&d->authorization), err) && suppress_defaults(x, err);
}

static bool make_url(struct exchange *x, const struct draft *d, bool is_https, struct err *err)
{
    buf_done(&x->url);
    buf_init(&x->url, MAX_URL_BYTES);
    buf_text(&x->url, is_https ? "https://" : "http://");
    buf_span(&x->url, buf_view(&d->host));
    buf_span(&x->url, buf_view(&d->path));
    if (x->rq.query.len)
        buf_char(&x->url, '?');
    buf_span(&x->url, x->rq.query);
    return buf_check(&x->url, "request URL", err);
}

bool signing_prepare(struct exchange *x, struct err *err)
{
    const struct aws *aws = x->client->aws;
    const struct endpoint *ep = &x->endpoint;
    AUTO(draft_done) struct draft d = { 0 };
    int64_t now_s;

    buf_init(&d.host, 512);
    buf_init(&d.path, MAX_URL_BYTES);
    buf_init(&d.payload_hash, 128);
    buf_init(&d.authorization, 4096);
    endpoint_address(ep, aws->options.addressing, x->rq.bucket, &d.host, &d.path);
    buf_span(&d.path, x->rq.path);
    add_payload_hash(x, ep->is_https, &d.payload_hash);
    if (!buf_check(&d.host, "host name", err) || !buf_check(&d.path, "request path", err) ||
        !buf_check(&d.payload_hash, "payload hash", err))
        return false;
    now_s = (clock_wall_ms() + x->skew_ms) / 1000;
    sigv4_time(now_s, d.time);
    if (!list_headers(x, &d, err) || !sign(x, &d, now_s, err))
        return false;
    curl_slist_free_all(x->header_list);
    x->header_list = NULL;
    return make_header_list(x, &d, err) && make_url(x, &d, ep->is_https, err);
}
