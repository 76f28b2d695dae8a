/* PutObject, CopyObject, DeleteObject. */
#include "server/base/clock.h"
#include "server/base/mem.h"
#include "server/base/text.h"
#include "tests/emulator/s3.h"

#include <inttypes.h>
#include <string.h>

static const int64_t max_put_bytes = 5LL * 1024 * 1024 * 1024;

static bool is_kept(const char *name)
{
    static const char *const names[] = { "cache-control", "content-disposition", "content-encoding", "content-language",
                                         "expires" };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return strncmp(name, "x-amz-meta-", 11) == 0;
}

/* aws-chunked is how the bytes travelled, not what they are. */
static struct span without_aws_chunked(struct span value)
{
    if (span_starts(value, SPAN_LIT("aws-chunked")))
        value = span_trim(span_tail(value, 11));
    if (value.len > 0 && value.ptr[0] == ',')
        value = span_trim(span_tail(value, 1));
    if (span_ends(value, SPAN_LIT(",aws-chunked")))
        value = span_head(value, value.len - 12);
    return value;
}

bool s3_read_attributes(struct request *rq, struct s3_attributes *out)
{
    const char *type = request_header(rq, "content-type");
    AUTO(buf_done) struct buf kept = { 0 };
    size_t metadata_bytes = 0;

    buf_init(&kept, 64 * 1024);
    for (size_t i = 0; i < rq->header_count; i++) {
        const char *name = rq->headers[i].name;
        struct span value = span_of(rq->headers[i].value);
        if (!is_kept(name))
            continue;
        if (strcmp(name, "content-encoding") == 0)
            value = without_aws_chunked(value);
        if (strncmp(name, "x-amz-meta-", 11) == 0)
            metadata_bytes += strlen(name) - 11 + value.len;
        if (value.len == 0 && strcmp(name, "content-encoding") == 0)
            continue;
        buf_text(&kept, name);
        buf_char(&kept, '\n');
        buf_span(&kept, value);
        buf_char(&kept, '\n');
    }
    if (metadata_bytes > 2048) {
        s3_error(rq, "MetadataTooLarge", NULL);
        return false;
    }
    out->content_type = type && *type ? type : "binary/octet-stream";
    out->stored_headers = kept.len > 0 ? request_copy(rq, buf_view(&kept)) : NULL;
    return true;
}

void s3_set_attributes(struct object *object, const struct s3_attributes *attributes)
{
    object->content_type = emu_copy(span_of(attributes->content_type));
    object->stored_headers = attributes->stored_headers ? emu_copy(span_of(attributes->stored_headers)) : NULL;
}

bool s3_read_condition(struct request *rq, struct store_condition *out)
{
    const char *none_match = request_header(rq, "if-none-match");
    const char *match = request_header(rq, "if-match");

    *out = (struct store_condition){ .must_be_absent = none_match != NULL };
    if (none_match && strcmp(none_match, "*") != 0) {
        s3_error(rq, "NotImplemented", NULL);
        return false;
    }
    if (match)
        out->must_match = s3_unquote(span_of(match));
    return true;
}

bool s3_store(struct emulator *emu, struct request *rq, struct object *object, const struct store_condition *condition)
{
    switch (store_put(emu->store, rq->bucket, object, condition)) {
    case STORE_PUT:
        return true;
    case STORE_PUT_NO_BUCKET:
        s3_error(rq, "NoSuchBucket", NULL);
        return false;
    case STORE_PUT_REFUSED:
        s3_error(rq, "PreconditionFailed", NULL);
        return false;
    }
    return false;
}

void s3_put_object(struct emulator *emu, struct request *rq)
{
    struct s3_attributes attributes;
    struct store_condition condition;
    AUTO(buf_done) struct buf etag = { 0 };
    AUTO(blob_unref_auto) struct blob *blob = NULL;
    AUTO(object_unref_auto) struct object *object = NULL;
    struct storage storage;

    if (rq->body.payload_bytes > max_put_bytes) {
        s3_error(rq, "EntityTooLarge", NULL);
        return;
    }
    if (!s3_read_attributes(rq, &attributes) || !s3_read_condition(rq, &condition) ||
        !storage_read_header(rq, &storage))
        return;
    buf_init(&etag, 0);
    text_hex(&etag, rq->body.md5_sum, sizeof rq->body.md5_sum);
    blob = body_take_blob(&rq->body);
    object = object_new(rq->key, blob, buf_cstr(&etag), emu_now_ms(emu));
    s3_set_attributes(object, &attributes);
    object->storage = storage;
    s3_keep_checksum(rq, object); /* before others can see the object */
    if (!s3_store(emu, rq, object, &condition))
        return;
    s3_ok(rq, 200);
    reply_header_fmt(&rq->reply, "ETag", "\"%s\"", object->etag);
    reply_header(&rq->reply, "x-amz-server-side-encryption", "AES256");
}

/* "bucket/key" or "/bucket/key", percent-encoded, perhaps with ?versionId=. */
static bool read_source(struct request *rq, struct span *bucket, struct span *key)
{
    struct span raw = span_of(request_header(rq, "x-amz-copy-source"));
    struct span text = { "", 0 };

    if (emu_contains(raw, SPAN_LIT("?versionId="))) {
        s3_error(rq, "NotImplemented", "Versions are not emulated");
        return false;
    }
    text = request_decode(rq, raw, false);
    if (text.len > 0 && text.ptr[0] == '/')
        text = span_tail(text, 1);
    *bucket = span_head(text, span_find(text, '/'));
    *key = span_tail(text, bucket->len + 1);
    if (rq->well_formed && bucket->len > 0 && key->len > 0)
        return true;
    s3_error(rq, "InvalidArgument", "Copy Source must mention the source bucket and key: sourcebucket/sourcekey");
    return false;
}

/* Gives the source; NULL: the reply is an error. */
static struct object *find_source(struct emulator *emu, struct request *rq, struct span bucket, struct span key)
{
    struct bucket_info info;
    const char *owner = request_header(rq, "x-amz-source-expected-bucket-owner");
    const char *match = request_header(rq, "x-amz-copy-source-if-match");
    const char *none_match = request_header(rq, "x-amz-copy-source-if-none-match");
    AUTO(object_unref_auto) struct object *source = NULL;

    if (!store_find_bucket(emu->store, bucket, &info)) {
        s3_error(rq, "NoSuchBucket", NULL);
        return NULL;
    }
    if (info.denied || (owner && strcmp(owner, emu->config.account) != 0)) {
        s3_error(rq, "AccessDenied", NULL);
        return NULL;
    }
    source = store_get(emu->store, bucket, key);
    if (!source)
        s3_error(rq, "NoSuchKey", NULL);
    else if ((match && !span_eq_text(s3_unquote(span_of(match)), source->etag)) ||
             (none_match && span_eq_text(s3_unquote(span_of(none_match)), source->etag)))
        s3_error(rq, "PreconditionFailed", NULL);
    else if (source->size > max_put_bytes)
        s3_error(rq, "InvalidRequest",
                 "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120");
    else if (storage_check(rq, &source->storage))
        return object_ref(source);
    return NULL;
}

static void copy_result(struct request *rq, const struct object *object)
{
    char time[CLOCK_RFC3339_SIZE];

    s3_xml_start(rq, "CopyObjectResult");
    clock_rfc3339(object->modified_ms, time);
    buf_fmt(&rq->reply.body, "<LastModified>%s</LastModified><ETag>&quot;%s&quot;</ETag>", time, object->etag);
    if (strcmp(object->checksum_name, "x-amz-checksum-crc32") == 0 && !object->is_composite)
        s3_xml_element(&rq->reply.body, "ChecksumCRC32", span_of(object->checksum));
    buf_text(&rq->reply.body, "</CopyObjectResult>");
}

void s3_copy_object(struct emulator *emu, struct request *rq)
{
    struct span bucket = { "", 0 };
    struct span key = { "", 0 };
    const char *directive = request_header(rq, "x-amz-metadata-directive");
    bool replaces = directive && strcmp(directive, "REPLACE") == 0;
    struct s3_attributes attributes;
    struct store_condition condition;
    AUTO(object_unref_auto) struct object *source = NULL;
    AUTO(object_unref_auto) struct object *object = NULL;
    struct storage storage;

    if (directive && !replaces && strcmp(directive, "COPY") != 0) {
        s3_error(rq, "InvalidArgument", "Unknown metadata directive.");
        return;
    }
    if (!read_source(rq, &bucket, &key) || !s3_read_attributes(rq, &attributes) || !s3_read_condition(rq, &condition) ||
        !storage_read_header(rq, &storage))
        return;
    if (!replaces && span_eq(bucket, rq->bucket) && span_eq(key, rq->key)) {
        s3_error(rq, "InvalidRequest",
                 "This copy request is illegal because it is trying to copy an object to itself without changing the "
                 "object's metadata, storage class, website redirect location or encryption attributes.");
        return;
    }
    source = find_source(emu, rq, bucket, key);
    if (!source)
        return;
    object = object_copy(source, rq->key, emu_now_ms(emu));
    object->storage = storage;
    if (replaces) {
        mem_free(object->content_type);
        mem_free(object->stored_headers);
        s3_set_attributes(object, &attributes);
    }
    if (s3_store(emu, rq, object, &condition))
        copy_result(rq, object);
}

void s3_delete_object(struct emulator *emu, struct request *rq)
{
    store_delete(emu->store, rq->bucket, rq->key);
    s3_ok(rq, 204);
}
