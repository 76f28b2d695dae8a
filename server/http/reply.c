/* The reply under construction, as handlers fill it. */
#include "server/http/internal.h"

#include "server/base/text.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { HEADERS_MAX_BYTES = 32 << 10 };

void reply_init(struct reply *rp, struct request *rq)
{
    *rp = (struct reply){ .rq = rq, .status = 200, .type = "application/json" };
    buf_init(&rp->headers, HEADERS_MAX_BYTES);
    buf_init(&rp->body, REPLY_MAX_BYTES);
}

void reply_done(struct reply *rp)
{
    stream_done(&rp->stream);
    buf_done(&rp->headers);
    buf_done(&rp->body);
}

void reply_status(struct reply *rp, int status)
{
    assert(status >= 200 && status < 600);
    rp->status = status;
}

void reply_header(struct reply *rp, const char *name, const char *value)
{
    assert(!strpbrk(name, "\r\n: ") && !strpbrk(value, "\r\n"));
    if (strcasecmp(name, "Cache-Control") == 0)
        rp->has_cache_control = true;
    if (strcasecmp(name, "Content-Security-Policy") == 0)
        rp->has_policy = true;
    if (strcasecmp(name, "Referrer-Policy") == 0)
        rp->has_referrer = true;
    buf_add(&rp->headers, name, strlen(name) + 1);
    buf_add(&rp->headers, value, strlen(value) + 1);
}

struct buf *reply_body(struct reply *rp)
{
    return &rp->body;
}

void reply_type(struct reply *rp, const char *content_type)
{
    rp->type = content_type;
}

void reply_etag_of(struct reply *rp, const void *bytes, size_t len)
{
    unsigned char hash[32];
    struct buf text = { 0 };

    /* 96 bits tell versions of one resource apart, and hide what they were made from. */
    text_sha256(bytes, len, hash);
    buf_init(&text, 0);
    text_base64url(&text, hash, 12);
    rp->etag[0] = '\0'; /* without memory there is no ETag, which is always allowed */
    if (buf_ok(&text))
        (void)snprintf(rp->etag, sizeof rp->etag, "\"%s\"", text.data);
    buf_done(&text);
}

void reply_static(struct reply *rp, const char *content_type, const char *bytes, size_t len)
{
    rp->type = content_type;
    rp->static_bytes = bytes;
    rp->static_len = len;
    reply_etag_of(rp, bytes, len);
    if (!rp->has_cache_control)
        reply_header(rp, "Cache-Control", "no-cache"); /* it may be kept, but asked about by its ETag */
}

void reply_etag(struct reply *rp)
{
    reply_etag_of(rp, buf_cstr(&rp->body), rp->body.len);
}

/* The path as it was sent, but for bytes that may not stand in a header's <...>. */
static void add_target(struct buf *link, const char *target)
{
    for (; *target; target++) {
        unsigned char c = (unsigned char)*target;
        if (c > 0x20 && c < 0x7F && !strchr("<>\"\\", c))
            buf_char(link, *target);
        else
            buf_fmt(link, "%%%02X", c);
    }
}

/* Link: the same target and query with another cursor. */
static void add_link(struct request *rq, struct reply *rp, struct span cursor)
{
    struct buf link = { 0 };

    buf_init(&link, HEADERS_MAX_BYTES);
    buf_char(&link, '<');
    add_target(&link, rq->target);
    buf_char(&link, '?');
    for (size_t i = 0; i < rq->query.count; i++) {
        const struct query_param *param = &rq->query.params[i];
        if (span_eq_text(param->name, "after"))
            continue;
        text_percent_encode(&link, param->name, false);
        buf_char(&link, '=');
        text_percent_encode(&link, param->value, false);
        buf_char(&link, '&');
    }
    buf_text(&link, "after=");
    buf_span(&link, cursor);
    buf_text(&link, ">; rel=\"next\"");
    if (buf_ok(&link))
        reply_header(rp, "Link", link.data);
    buf_done(&link);
}

void reply_next_text(struct request *rq, struct reply *rp, struct json_writer *w, bool has_more, const char *kind,
                     struct span after)
{
    struct buf cursor = { 0 };

    if (!has_more) {
        json_put_null(w, "next");
        return;
    }
    buf_init(&cursor, 4 * CURSOR_BYTES);
    cursor_encode(&cursor, kind, after);
    if (buf_ok(&cursor)) {
        json_put_span(w, "next", buf_view(&cursor));
        add_link(rq, rp, buf_view(&cursor));
    } else {
        json_put_null(w, "next");
        rp->body.failed = true; /* a page without its next would look like the last one */
    }
    buf_done(&cursor);
}

void reply_next_i64(struct request *rq, struct reply *rp, struct json_writer *w, bool has_more, const char *kind,
                    int64_t after)
{
    char digits[24];

    (void)snprintf(digits, sizeof digits, "%lld", (long long)after);
    reply_next_text(rq, rp, w, has_more, kind, span_of(digits));
}

void reply_stream(struct reply *rp, const char *content_type, stream_fill_fn *fill, void *state,
                  void (*free_state)(void *))
{
    stream_done(&rp->stream);
    rp->type = content_type;
    rp->stream = (struct stream){ .fill = fill, .state = state, .free_state = free_state };
    buf_init(&rp->stream.out, STREAM_MAX_BYTES);
}
