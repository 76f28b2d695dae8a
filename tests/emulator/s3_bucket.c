/* Operations on buckets, and DeleteObjects. */
#include "server/base/mem.h"
#include "server/base/text.h"
#include "tests/emulator/s3.h"
#include "tests/emulator/xml_reader.h"

#include <string.h>

enum { MAX_DELETES = 1000 };

void s3_list_buckets(struct emulator *emu, struct request *rq)
{
    size_t count = 0;
    char **names = store_bucket_names(emu->store, &count);
    struct buf *b = &rq->reply.body;

    s3_xml_start(rq, "ListAllMyBucketsResult");
    buf_fmt(b, "<Owner><ID>%s</ID></Owner><Buckets>", emu->config.account);
    for (size_t i = 0; i < count; i++) {
        buf_text(b, "<Bucket>");
        s3_xml_element(b, "Name", span_of(names[i]));
        buf_text(b, "<CreationDate>2026-01-01T00:00:00.000Z</CreationDate></Bucket>");
        mem_free(names[i]);
    }
    buf_text(b, "</Buckets></ListAllMyBucketsResult>");
    mem_free(names);
}

static bool is_bucket_name(struct span name)
{
    if (name.len < 3 || name.len > 63)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!plain && (i == 0 || i == name.len - 1 || (c != '-' && c != '.')))
            return false;
    }
    return true;
}

void s3_create_bucket(struct emulator *emu, struct request *rq)
{
    struct bucket_info info;

    if (!is_bucket_name(rq->bucket)) {
        s3_error(rq, "InvalidBucketName", NULL);
        return;
    }
    if (store_find_bucket(emu->store, rq->bucket, &info)) {
        s3_error(rq, "BucketAlreadyOwnedByYou", NULL);
        return;
    }
    (void)store_set_bucket(emu->store, rq->bucket, emu->config.region, false, emu_now_ms(emu));
    s3_ok(rq, 200);
    reply_header_fmt(&rq->reply, "Location", "/%.*s", SPAN_ARG(rq->bucket));
}

void s3_delete_bucket(struct emulator *emu, struct request *rq)
{
    switch (store_drop_bucket(emu->store, rq->bucket)) {
    case STORE_DROPPED:
        s3_ok(rq, 204);
        break;
    case STORE_NO_BUCKET:
        s3_error(rq, "NoSuchBucket", NULL);
        break;
    case STORE_NOT_EMPTY:
        s3_error(rq, "BucketNotEmpty", NULL);
        break;
    }
}

void s3_head_bucket(struct emulator *emu, struct request *rq)
{
    struct bucket_info info;

    if (!store_find_bucket(emu->store, rq->bucket, &info)) {
        s3_error(rq, "NoSuchBucket", NULL);
        return;
    }
    s3_ok(rq, 200);
    reply_header(&rq->reply, "x-amz-bucket-region", info.region);
}

void s3_get_bucket_location(struct emulator *emu, struct request *rq)
{
    struct bucket_info info;

    if (!store_find_bucket(emu->store, rq->bucket, &info)) {
        s3_error(rq, "NoSuchBucket", NULL);
        return;
    }
    s3_xml_start(rq, "LocationConstraint");
    if (strcmp(info.region, "us-east-1") != 0) /* the oldest Region has an empty name here */
        s3_xml_text(&rq->reply.body, span_of(info.region));
    buf_text(&rq->reply.body, "</LocationConstraint>");
}

struct deletes {
    struct request *rq;
    struct span keys[MAX_DELETES];
    size_t count;
    bool too_many, quiet;
};

static void take_delete(void *arg, const char *name, struct span text)
{
    struct deletes *d = arg;

    if (strcmp(name, "Quiet") == 0)
        d->quiet = span_eq_text(span_trim(text), "true");
    if (strcmp(name, "Key") != 0)
        return;
    if (d->count == MAX_DELETES)
        d->too_many = true;
    else
        d->keys[d->count++] = (struct span){ request_copy(d->rq, text), text.len };
}

static bool has_digest(const struct request *rq)
{
    if (request_header(rq, "content-md5"))
        return true;
    for (size_t i = 0; i < rq->header_count; i++)
        if (strncmp(rq->headers[i].name, "x-amz-checksum-", 15) == 0)
            return true;
    return request_header(rq, "x-amz-trailer") != NULL;
}

void s3_delete_objects(struct emulator *emu, struct request *rq)
{
    struct deletes *d = request_alloc(rq, sizeof *d);
    struct buf *b = &rq->reply.body;

    if (!has_digest(rq)) {
        s3_error(rq, "InvalidRequest", "Missing required header for this request: Content-MD5 OR x-amz-checksum-*");
        return;
    }
    d->rq = rq;
    if (!xml_read(buf_view(&rq->body.memory), take_delete, d) || d->too_many || d->count == 0) {
        s3_error(rq, "MalformedXML", NULL);
        return;
    }
    s3_xml_start(rq, "DeleteResult");
    for (size_t i = 0; i < d->count; i++) {
        store_delete(emu->store, rq->bucket, d->keys[i]);
        if (d->quiet)
            continue;
        buf_text(b, "<Deleted>");
        s3_xml_element(b, "Key", d->keys[i]);
        buf_text(b, "</Deleted>");
    }
    buf_text(b, "</DeleteResult>");
}
