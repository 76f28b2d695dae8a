#include "aws/key_space.h"
#include "aws/s3_call.h"
#include "aws/s3_listing.h"

#include <stdio.h>
#include <string.h>

bool s3_listing_call(struct s3_call *call, const struct s3_list_request *rq, struct err *err)
{
    const struct s3_ref ref = { rq->bucket, { "", 0 }, rq->owner };
    char max_keys[16];

    if (!s3_call_init(call, "S3.ListObjectsV2", "GET", &ref, err))
        return false;
    (void)snprintf(max_keys, sizeof(max_keys), "%d", rq->max_keys ? rq->max_keys : 1000);
    s3_call_header(call, "x-amz-optional-object-attributes", SPAN_LIT("RestoreStatus"));
    call->rq.error_in_200 = true;
    call->rq.max_response_bytes = S3_LISTING_MAX_BYTES;
    if (rq->token.len > 0)
        s3_call_param(call, "continuation-token", rq->token);
    s3_call_param(call, "encoding-type", SPAN_LIT("url"));
    s3_call_param(call, "list-type", SPAN_LIT("2"));
    s3_call_param(call, "max-keys", span_of(max_keys));
    s3_call_param(call, "prefix", rq->prefix);
    if (rq->start_after.len > 0 && rq->token.len == 0)
        s3_call_param(call, "start-after", rq->start_after);
    call->ref.key = rq->prefix; /* for the words of a failure */
    return s3_call_ready(call, err);
}

static bool refuse_page(struct s3_page *page, const char *code, const char *why, struct err *err)
{
    page->object_count = 0;
    err_set(err, ERR_UPSTREAM, false, HERE, "%s", why);
    return err_code(err, code);
}

/* Would following this page's token lead back? token: what the page was asked for with. */
static bool moves_on(struct s3_page *page, struct span token, struct err *err)
{
    struct buf *last = &page->last_key;

    if (page->is_truncated && token.len > 0 && span_eq(token, buf_view(&page->next_token)))
        return refuse_page(page, "bad_listing", "S3 sent the same continuation token twice", err);
    if (token.len == 0)
        buf_reset(last);
    if (page->object_count == 0)
        return true;
    if (last->len > 0 && key_compare(page->objects[0].key, buf_view(last)) <= 0)
        return refuse_page(page, "listing_goes_back", "S3's listing goes back to keys that it has passed", err);
    buf_reset(last);
    buf_span(last, page->objects[page->object_count - 1].key);
    return buf_check(last, "the last key of a listing", err);
}

bool s3_list_page(struct aws_client *client, const struct s3_list_request *rq, struct s3_page *page, struct err *err)
{
    AUTO(s3_call_done) struct s3_call call = { 0 };
    AUTO(aws_response_done) struct aws_response rs = { 0 };
    AUTO(buf_done) struct buf token = { 0 }; /* a copy: rq->token may lie in the page that is filled now */

    buf_init(&token, 64 * 1024);
    buf_span(&token, rq->token);
    if (!s3_listing_call(&call, rq, err) || !buf_check(&token, "a continuation token", err) ||
        !s3_call_send(&call, client, &rs, err))
        return false;
    if (!s3_parse_listing(buf_view(&rs.body), page, err) || !moves_on(page, buf_view(&token), err))
        return s3_name_error(&call.ref, err);
    return true;
}
