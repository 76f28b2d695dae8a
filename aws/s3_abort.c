#include "aws/s3_call.h"
#include "aws/s3_multipart.h"
#include "aws/xml.h"
#include "server/base/text.h"

#include <string.h>

enum { PAGE_MAX_BYTES = 8 * 1024 * 1024, TEXT_MAX_BYTES = 16 * 1024 };

/* One page of ListMultipartUploads. */
struct page {
    struct span prefix; /* that was asked for; borrowed */
    bool is_url_encoded;
    bool is_truncated;
    struct buf key, id;                  /* of the upload being read */
    struct buf uploads;                  /* key, NUL, id, NUL for each; keys as they were sent */
    struct buf next_key, next_upload_id; /* markers */
};

static void page_init(struct page *p)
{
    buf_init(&p->key, TEXT_MAX_BYTES);
    buf_init(&p->id, TEXT_MAX_BYTES);
    buf_init(&p->uploads, PAGE_MAX_BYTES);
    buf_init(&p->next_key, TEXT_MAX_BYTES);
    buf_init(&p->next_upload_id, TEXT_MAX_BYTES);
}

static void page_done(struct page *p)
{
    buf_done(&p->key);
    buf_done(&p->id);
    buf_done(&p->uploads);
    buf_done(&p->next_key);
    buf_done(&p->next_upload_id);
}

static bool decode(const struct page *p, struct span text, struct buf *out)
{
    buf_reset(out);
    /* Ceph RGW encodes without saying so. What is not encoded begins with what was asked for. */
    if (p->is_url_encoded || !span_starts(text, p->prefix))
        return text_percent_decode(out, text, true);
    buf_span(out, text);
    return true;
}

static void keep(struct page *p)
{
    buf_span(&p->uploads, buf_view(&p->key));
    buf_char(&p->uploads, '\0');
    buf_span(&p->uploads, buf_view(&p->id));
    buf_char(&p->uploads, '\0');
}

static bool on_end(void *arg, const char *name, int depth, struct span text, struct err *err)
{
    struct page *p = arg;
    const struct {
        const char *name;
        int depth;
        struct buf *into;
    } texts[] = { { "Key", 3, &p->key },
                  { "UploadId", 3, &p->id },
                  { "NextKeyMarker", 2, &p->next_key },
                  { "NextUploadIdMarker", 2, &p->next_upload_id } };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (depth == texts[i].depth && strcmp(name, texts[i].name) == 0) {
            buf_reset(texts[i].into);
            buf_span(texts[i].into, text);
            return buf_check(texts[i].into, "a list of uploads", err);
        }
    }
    if (depth != 2)
        return true;
    if (strcmp(name, "IsTruncated") == 0)
        p->is_truncated = span_eq_text(span_trim(text), "true");
    else if (strcmp(name, "EncodingType") == 0) /* before or after the uploads */
        p->is_url_encoded = span_eq_text(span_trim(text), "url");
    else if (strcmp(name, "Upload") == 0)
        keep(p);
    return buf_check(&p->uploads, "a list of uploads", err);
}

static bool read_page(struct aws_client *client, const struct s3_ref *ref, struct page *p, struct err *err)
{
    AUTO(s3_call_done) struct s3_call call = { 0 };
    AUTO(aws_response_done) struct aws_response rs = { 0 };
    AUTO(buf_done) struct buf marker = { 0 };
    const struct s3_ref bucket = { ref->bucket, { "", 0 }, ref->owner };
    const struct xml_handler handler = { .end = on_end, .arg = p };

    buf_init(&marker, TEXT_MAX_BYTES);
    if (!s3_call_init(&call, "S3.ListMultipartUploads", "GET", &bucket, err))
        return false;
    call.ref = *ref; /* for the words of a failure */
    call.rq.error_in_200 = true;
    call.rq.max_response_bytes = PAGE_MAX_BYTES;
    s3_call_param(&call, "encoding-type", SPAN_LIT("url"));
    if (p->next_key.len > 0 && decode(p, buf_view(&p->next_key), &marker))
        s3_call_param(&call, "key-marker", buf_view(&marker));
    s3_call_param(&call, "prefix", ref->key);
    if (p->next_upload_id.len > 0)
        s3_call_param(&call, "upload-id-marker", buf_view(&p->next_upload_id));
    s3_call_param(&call, "uploads", (struct span){ "", 0 });
    p->is_truncated = p->is_url_encoded = false;
    buf_reset(&p->uploads);
    buf_reset(&p->next_key);
    buf_reset(&p->next_upload_id);
    if (!s3_call_send(&call, client, &rs, err))
        return false;
    return xml_read(buf_view(&rs.body), &handler, err) || s3_name_error(ref, err);
}

static struct span next_text(struct span *texts)
{
    struct span text = span_head(*texts, span_find(*texts, '\0'));

    *texts = span_tail(*texts, text.len + 1);
    return text;
}

static bool abort_page(struct aws_client *client, const struct s3_ref *ref, const struct page *p, int *aborted,
                       struct err *err)
{
    AUTO(buf_done) struct buf key = { 0 };
    struct span uploads = buf_view(&p->uploads);

    buf_init(&key, TEXT_MAX_BYTES);
    while (uploads.len > 0) {
        struct span sent_key = next_text(&uploads), id = next_text(&uploads);

        if (!decode(p, sent_key, &key) || !span_eq(buf_view(&key), ref->key) || id.len == 0)
            continue;
        if (!s3_upload_abort(client, ref, id, err))
            return false;
        (*aborted)++;
    }
    return true;
}

bool s3_abort_uploads(struct aws_client *client, const struct s3_ref *ref, int *aborted, struct err *err)
{
    AUTO(page_done) struct page p = { 0 };
    int before = 0;

    *aborted = 0;
    page_init(&p);
    p.prefix = ref->key;
    do {
        before = *aborted;
        if (!read_page(client, ref, &p, err) || !abort_page(client, ref, &p, aborted, err))
            return false;
        /* In key order, so the wanted key comes before all that it is a prefix of: a page without it is the last. */
    } while (p.is_truncated && *aborted > before && (p.next_key.len > 0 || p.next_upload_id.len > 0));
    return true;
}
