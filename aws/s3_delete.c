#include "aws/s3_call.h"

#include "aws/xml.h"
#include "server/base/mem.h"

#include <string.h>

enum { DELETE_MAX_BYTES = 8 * 1024 * 1024 };

/* A DeleteResult: the keys that S3 could not delete. */
struct refused {
    struct aws_client *client;
    struct s3_ref ref;
    struct buf key; /* of the Error being read */
};

/* A refused key is deleted by itself: that request has the retries, and its answer the right kind of error. */
static bool on_end(void *arg, const char *name, int depth, struct span text, struct err *err)
{
    struct refused *r = arg;

    if (depth == 3 && strcmp(name, "Key") == 0) {
        buf_reset(&r->key);
        buf_span(&r->key, text);
        return buf_check(&r->key, "a key of DeleteObjects", err);
    }
    if (depth == 2 && strcmp(name, "Error") == 0) {
        r->ref.key = buf_view(&r->key);
        if (r->ref.key.len == 0)
            return err_set(err, ERR_UPSTREAM, true, HERE, "DeleteObjects failed for a key that it does not name");
        return s3_delete(r->client, &r->ref, err);
    }
    return true;
}

static bool send_delete(struct aws_client *client, const struct s3_ref *prefix, struct span xml, struct err *err)
{
    AUTO(s3_call_done) struct s3_call call = { 0 };
    AUTO(aws_response_done) struct aws_response rs = { 0 };
    AUTO(buf_done) struct buf md5 = { 0 };
    const struct s3_ref bucket = { prefix->bucket, { "", 0 }, prefix->owner };
    struct refused refused = { .client = client, .ref = bucket };
    const struct xml_handler handler = { .end = on_end, .arg = &refused };
    bool ok = false;

    buf_init(&md5, 64);
    buf_init(&refused.key, 4096);
    if (!s3_content_md5(xml, &md5, err) || !s3_call_init(&call, "S3.DeleteObjects", "POST", &bucket, err))
        return false;
    call.ref = *prefix; /* for the words of a failure */
    call.rq.error_in_200 = true;
    call.rq.max_response_bytes = DELETE_MAX_BYTES;
    s3_call_param(&call, "delete", (struct span){ "", 0 });
    /* S3 requires a digest here; Content-MD5 is the one that every S3-compatible server accepts. */
    s3_call_header(&call, "content-md5", buf_view(&md5));
    s3_call_body(&call, xml, "application/xml");
    ok = s3_call_send(&call, client, &rs, err) && xml_read(buf_view(&rs.body), &handler, err);
    buf_done(&refused.key);
    return ok;
}

static bool delete_page(struct aws_client *client, const struct s3_ref *prefix, const struct s3_page *page,
                        int64_t *deleted, struct err *err)
{
    AUTO(buf_done) struct buf xml = { 0 };
    size_t in_xml = 0;

    buf_init(&xml, DELETE_MAX_BYTES);
    buf_text(&xml, "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>true</Quiet>");
    for (size_t i = 0; i < page->object_count; i++) {
        const struct s3_ref one = { prefix->bucket, page->objects[i].key, prefix->owner };
        const size_t before = xml.len;

        buf_text(&xml, "<Object><Key>");
        if (s3_xml_text(&xml, one.key)) {
            buf_text(&xml, "</Key></Object>");
            in_xml++;
            continue;
        }
        buf_cut(&xml, before);
        if (!s3_delete(client, &one, err)) /* XML cannot name it */
            return false;
    }
    buf_text(&xml, "</Delete>");
    if (!buf_check(&xml, "a DeleteObjects request", err) ||
        (in_xml > 0 && !send_delete(client, prefix, buf_view(&xml), err)))
        return false;
    *deleted += (int64_t)page->object_count;
    return true;
}

bool s3_delete_prefix(struct aws_client *client, const struct s3_ref *prefix, bool (*alive)(void *), void *alive_arg,
                      int64_t *deleted, struct err *err)
{
    AUTO(s3_page_done) struct s3_page page = { 0 };
    struct s3_list_request rq = { .bucket = prefix->bucket, .prefix = prefix->key, .owner = prefix->owner };

    *deleted = 0;
    if (prefix->key.len < 2 || prefix->key.ptr[prefix->key.len - 1] != '/') /* never a whole bucket by mistake */
        return err_set(err, ERR_INPUT, false, HERE, "the prefix to delete must be a folder and end in '/'");
    do {
        if (alive && !alive(alive_arg))
            return err_set(err, ERR_CANCELLED, true, HERE, "deleting a prefix was interrupted");
        rq.token = buf_view(&page.next_token); /* a token is a place among the keys: deleting them does not move it */
        if (!s3_list_page(client, &rq, &page, err) || !delete_page(client, prefix, &page, deleted, err))
            return false;
    } while (page.is_truncated);
    return true;
}
