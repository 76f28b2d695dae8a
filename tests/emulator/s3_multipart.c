/* The multipart operations. */
#include "server/base/clock.h"
#include "server/base/text.h"
#include "tests/emulator/multipart.h"
#include "tests/emulator/s3.h"
#include "tests/emulator/xml_reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void s3_create_multipart(struct emulator *emu, struct request *rq)
{
    struct s3_attributes attributes;
    char id[MULTIPART_ID];
    struct buf *b = &rq->reply.body;
    const char *algorithm = request_header(rq, "x-amz-checksum-algorithm");

    if (!s3_read_attributes(rq, &attributes))
        return;
    multipart_start(emu->store, rq->bucket, rq->key, attributes.content_type, attributes.stored_headers,
                    algorithm && strcmp(algorithm, "SHA256") == 0, emu_now_ms(emu), id);
    s3_xml_start(rq, "InitiateMultipartUploadResult");
    s3_xml_element(b, "Bucket", rq->bucket);
    s3_xml_element(b, "Key", rq->key);
    s3_xml_element(b, "UploadId", span_of(id));
    buf_text(b, "</InitiateMultipartUploadResult>");
}

void s3_upload_part(struct emulator *emu, struct request *rq)
{
    int64_t number = 0;
    AUTO(buf_done) struct buf etag = { 0 };
    AUTO(blob_unref_auto) struct blob *blob = NULL;
    struct object shown = { .size = 0 };

    if (!text_parse_i64(request_param(rq, "partNumber"), &number) || number < 1 || number > MULTIPART_PARTS) {
        s3_error(rq, "InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive");
        return;
    }
    buf_init(&etag, 0);
    text_hex(&etag, rq->body.md5_sum, sizeof rq->body.md5_sum);
    blob = body_take_blob(&rq->body);
    if (multipart_add(emu->store, request_param(rq, "uploadId"), rq->bucket, rq->key, (int)number, blob,
                      buf_cstr(&etag), &rq->body, emu_now_ms(emu)) != MULTIPART_OK) {
        s3_error(rq, "NoSuchUpload", NULL);
        return;
    }
    s3_ok(rq, 200);
    reply_header_fmt(&rq->reply, "ETag", "\"%s\"", buf_cstr(&etag));
    s3_keep_checksum(rq, &shown);
}

struct completion {
    struct part_claim *claims;
    size_t count;
    struct part_claim now;
    bool out_of_order, too_many;
};

static void take_part(void *arg, const char *name, struct span text)
{
    struct completion *c = arg;
    struct span etag = s3_unquote(text);

    if (strcmp(name, "PartNumber") == 0 && !text_parse_i64(span_trim(text), &c->now.number))
        c->too_many = true;
    if (strcmp(name, "ETag") == 0 && etag.len < sizeof c->now.etag)
        snprintf(c->now.etag, sizeof c->now.etag, "%.*s", SPAN_ARG(etag));
    if (strcmp(name, "ChecksumSHA256") == 0)
        snprintf(c->now.sha256, sizeof c->now.sha256, "%.*s", SPAN_ARG(span_head(text, sizeof c->now.sha256 - 1)));
    if (strcmp(name, "Part") != 0)
        return;
    if (c->count == MULTIPART_PARTS || c->now.number < 1 || c->now.number > MULTIPART_PARTS) {
        c->too_many = true;
        return;
    }
    if (c->count > 0 && c->claims[c->count - 1].number >= c->now.number)
        c->out_of_order = true;
    c->claims[c->count++] = c->now;
    memset(&c->now, 0, sizeof c->now);
}

static const char *error_of(enum multipart_result result)
{
    switch (result) {
    case MULTIPART_OK:
        break;
    case MULTIPART_NO_UPLOAD:
        return "NoSuchUpload";
    case MULTIPART_NO_PART:
        return "InvalidPart";
    case MULTIPART_TOO_SMALL:
        return "EntityTooSmall";
    case MULTIPART_NO_BUCKET:
        return "NoSuchBucket";
    case MULTIPART_REFUSED:
        return "PreconditionFailed";
    }
    return NULL;
}

void s3_complete_multipart(struct emulator *emu, struct request *rq)
{
    struct completion c = { .claims = request_alloc(rq, MULTIPART_PARTS * sizeof(struct part_claim)) };
    AUTO(object_unref_auto) struct object *object = NULL;
    struct store_condition condition;
    enum multipart_result result = MULTIPART_OK;
    struct buf *b = &rq->reply.body;

    if (!s3_read_condition(rq, &condition))
        return;
    if (!xml_read(buf_view(&rq->body.memory), take_part, &c) || c.too_many || c.count == 0) {
        s3_error(rq, "MalformedXML", NULL);
        return;
    }
    if (c.out_of_order) {
        s3_error(rq, "InvalidPartOrder", NULL);
        return;
    }
    result = multipart_complete(emu->store, request_param(rq, "uploadId"), rq->bucket, rq->key, c.claims, c.count,
                                &condition, emu_now_ms(emu), &object);
    if (result != MULTIPART_OK) {
        s3_error(rq, error_of(result), NULL);
        return;
    }
    s3_xml_start(rq, "CompleteMultipartUploadResult");
    buf_fmt(b, "<Location>http://s3.%s.amazonaws.com/", emu->config.region);
    text_percent_encode(b, rq->bucket, false);
    buf_char(b, '/');
    text_percent_encode(b, rq->key, true);
    buf_text(b, "</Location>");
    s3_xml_element(b, "Bucket", rq->bucket);
    s3_xml_element(b, "Key", rq->key);
    buf_fmt(b, "<ETag>&quot;%s&quot;</ETag>", object->etag);
    s3_xml_element(b, strcmp(object->checksum_name, "x-amz-checksum-sha256") == 0 ? "ChecksumSHA256" : "ChecksumCRC32",
                   span_of(object->checksum));
    buf_text(b, "<ChecksumType>COMPOSITE</ChecksumType></CompleteMultipartUploadResult>");
}

void s3_abort_multipart(struct emulator *emu, struct request *rq)
{
    if (multipart_abort(emu->store, request_param(rq, "uploadId"), rq->bucket, rq->key) != MULTIPART_OK)
        s3_error(rq, "NoSuchUpload", NULL);
    else
        s3_ok(rq, 204);
}

struct part_page {
    struct buf *out;
    int64_t after, max, last;
    bool more;
};

static void show_parts(void *arg, const struct upload *upload)
{
    struct part_page *page = arg;
    int64_t shown = 0;

    for (int64_t n = page->after + 1; n <= MULTIPART_PARTS; n++) {
        const struct part *part = upload->parts[n];
        char time[CLOCK_RFC3339_SIZE];
        if (!part)
            continue;
        if (shown++ == page->max) {
            page->more = true;
            return;
        }
        clock_rfc3339(part->modified_ms, time);
        buf_fmt(page->out,
                "<Part><PartNumber>%" PRId64 "</PartNumber><LastModified>%s</LastModified><ETag>&quot;%s&quot;</ETag>"
                "<Size>%" PRId64 "</Size></Part>",
                n, time, part->etag, part->blob->size);
        page->last = n;
    }
}

void s3_list_parts(struct emulator *emu, struct request *rq)
{
    AUTO(buf_done) struct buf parts = { 0 };
    struct part_page page = { .out = &parts, .max = 1000 };
    struct span id = request_param(rq, "uploadId");
    struct span marker = request_param(rq, "part-number-marker");
    struct span max = request_param(rq, "max-parts");
    struct buf *b = &rq->reply.body;

    buf_init(&parts, 8 << 20);
    if ((marker.ptr && !text_parse_i64(marker, &page.after)) || (max.ptr && !text_parse_i64(max, &page.max)) ||
        page.after < 0 || page.max < 0) {
        s3_error(rq, "InvalidArgument", NULL);
        return;
    }
    if (page.max > 1000)
        page.max = 1000;
    if (!multipart_visit(emu->store, id, rq->bucket, rq->key, show_parts, &page)) {
        s3_error(rq, "NoSuchUpload", NULL);
        return;
    }
    s3_xml_start(rq, "ListPartsResult");
    s3_xml_element(b, "Bucket", rq->bucket);
    s3_xml_element(b, "Key", rq->key);
    s3_xml_element(b, "UploadId", id);
    buf_fmt(b,
            "<PartNumberMarker>%" PRId64 "</PartNumberMarker><NextPartNumberMarker>%" PRId64 "</NextPartNumberMarker>",
            page.after, page.last);
    buf_fmt(b, "<MaxParts>%" PRId64 "</MaxParts><IsTruncated>%s</IsTruncated>", page.max, page.more ? "true" : "false");
    buf_span(b, buf_view(&parts));
    buf_text(b, "</ListPartsResult>");
}

struct upload_list {
    struct buf *out;
    struct span prefix;
};

static void show_upload(void *arg, const struct upload *upload)
{
    struct upload_list *list = arg;
    char time[CLOCK_RFC3339_SIZE];

    if (!span_starts(span_of(upload->key), list->prefix))
        return;
    clock_rfc3339(upload->started_ms, time);
    buf_text(list->out, "<Upload>");
    s3_xml_element(list->out, "Key", span_of(upload->key));
    s3_xml_element(list->out, "UploadId", span_of(upload->id));
    buf_fmt(list->out, "<Initiated>%s</Initiated></Upload>", time);
}

void s3_list_uploads(struct emulator *emu, struct request *rq)
{
    struct span prefix = request_param(rq, "prefix");
    struct upload_list list = { &rq->reply.body, prefix.ptr ? prefix : SPAN_LIT("") };

    s3_xml_start(rq, "ListMultipartUploadsResult");
    s3_xml_element(&rq->reply.body, "Bucket", rq->bucket);
    s3_xml_element(&rq->reply.body, "Prefix", list.prefix);
    buf_text(&rq->reply.body, "<IsTruncated>false</IsTruncated>");
    multipart_each(emu->store, rq->bucket, show_upload, &list);
    buf_text(&rq->reply.body, "</ListMultipartUploadsResult>");
}
