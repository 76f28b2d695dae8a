/* GetObject and HeadObject. */
#include "server/base/clock.h"
#include "server/base/text.h"
#include "tests/emulator/s3.h"

#include <inttypes.h>
#include <string.h>

struct span s3_unquote(struct span etag)
{
    etag = span_trim(etag);
    if (etag.len >= 2 && etag.ptr[0] == '"' && etag.ptr[etag.len - 1] == '"')
        return (struct span){ etag.ptr + 1, etag.len - 2 };
    return etag;
}

/* Is the ETag in a list as If-Match carries it, or is the list "*"? */
static bool etag_listed(const char *list, const char *etag)
{
    struct span rest = span_of(list);

    while (rest.len > 0) {
        struct span one = span_head(rest, span_find(rest, ','));
        rest = span_tail(rest, one.len + 1);
        one = s3_unquote(one);
        if (span_eq_text(one, "*") || span_eq_text(one, etag))
            return true;
    }
    return false;
}

enum range_result { RANGE_NONE, RANGE_OK, RANGE_BAD };

/* One range of bytes; anything else is ignored, as S3 does. */
static enum range_result read_range(const char *header, int64_t size, int64_t *from, int64_t *to)
{
    struct span s = span_of(header);
    struct span first = { "", 0 };
    struct span last = { "", 0 };

    if (!header || !span_starts(s, SPAN_LIT("bytes=")))
        return RANGE_NONE;
    s = span_tail(s, 6);
    first = span_head(s, span_find(s, '-'));
    last = span_tail(s, first.len + 1);
    if (first.len == s.len)
        return RANGE_NONE;
    if (first.len == 0) {
        int64_t suffix = 0;
        if (!text_parse_i64(last, &suffix) || suffix < 0)
            return RANGE_NONE;
        if (suffix == 0 || size == 0)
            return RANGE_BAD;
        *from = suffix > size ? 0 : size - suffix;
        *to = size - 1;
        return RANGE_OK;
    }
    *to = size - 1;
    if (!text_parse_i64(first, from) || *from < 0 || (last.len > 0 && (!text_parse_i64(last, to) || *to < *from)))
        return RANGE_NONE;
    if (*from >= size)
        return RANGE_BAD;
    if (*to > size - 1)
        *to = size - 1;
    return RANGE_OK;
}

static void add_stored_headers(struct request *rq, const struct object *object)
{
    struct span rest = span_of(object->stored_headers);

    while (rest.len > 0) {
        struct span name = span_head(rest, span_find(rest, '\n'));
        struct span value = { "", 0 };
        rest = span_tail(rest, name.len + 1);
        value = span_head(rest, span_find(rest, '\n'));
        rest = span_tail(rest, value.len + 1);
        reply_header(&rq->reply, request_copy(rq, name), request_copy(rq, value));
    }
}

/* response-content-type and its like: a presigned URL may ask for other headers. */
static bool overridden(struct request *rq, const char *param, const char *header)
{
    struct span value = request_param(rq, param);

    if (value.ptr)
        reply_header(&rq->reply, header, request_copy(rq, value));
    return value.ptr != NULL;
}

static void add_headers(struct request *rq, const struct object *object, bool whole)
{
    char date[CLOCK_RFC3339_SIZE];
    const char *mode = request_header(rq, "x-amz-checksum-mode");

    clock_http_date(object->modified_ms, date);
    reply_header(&rq->reply, "Last-Modified", date);
    reply_header_fmt(&rq->reply, "ETag", "\"%s\"", object->etag);
    reply_header(&rq->reply, "Accept-Ranges", "bytes");
    reply_header(&rq->reply, "x-amz-server-side-encryption", "AES256");
    if (!overridden(rq, "response-content-type", "Content-Type"))
        reply_header(&rq->reply, "Content-Type", object->content_type);
    (void)overridden(rq, "response-content-disposition", "Content-Disposition");
    (void)overridden(rq, "response-cache-control", "Cache-Control");
    add_stored_headers(rq, object);
    storage_headers(rq, &object->storage);
    if (whole && mode && strcmp(mode, "ENABLED") == 0 && rq->told_checksum[0]) {
        reply_header(&rq->reply, "x-amz-checksum-crc64nvme", rq->told_checksum);
    } else if (whole && mode && strcmp(mode, "ENABLED") == 0 && object->checksum_name[0]) {
        reply_header(&rq->reply, object->checksum_name, object->checksum);
        reply_header(&rq->reply, "x-amz-checksum-type", object->is_composite ? "COMPOSITE" : "FULL_OBJECT");
    }
}

void s3_get_object(struct emulator *emu, struct request *rq)
{
    AUTO(object_unref_auto) struct object *object = store_get(emu->store, rq->bucket, rq->key);
    const char *if_match = request_header(rq, "if-match");
    const char *if_none_match = request_header(rq, "if-none-match");
    int64_t from = 0;
    int64_t to = 0;
    enum range_result range = RANGE_NONE;

    if (!object) {
        s3_error(rq, "NoSuchKey", NULL);
        return;
    }
    if (if_match && !etag_listed(if_match, object->etag)) {
        s3_error(rq, "PreconditionFailed", NULL);
        return;
    }
    if (if_none_match && etag_listed(if_none_match, object->etag)) {
        s3_ok(rq, 304);
        reply_header_fmt(&rq->reply, "ETag", "\"%s\"", object->etag);
        return;
    }
    if (strcmp(rq->method, "HEAD") != 0 && !storage_check(rq, &object->storage))
        return;
    range = read_range(request_header(rq, "range"), object->size, &from, &to);
    if (range == RANGE_BAD) {
        s3_error(rq, "InvalidRange", NULL);
        reply_header_fmt(&rq->reply, "Content-Range", "bytes */%" PRId64, object->size);
        return;
    }
    s3_ok(rq, range == RANGE_OK ? 206 : 200);
    add_headers(rq, object, range != RANGE_OK);
    if (range == RANGE_OK)
        reply_header_fmt(&rq->reply, "Content-Range", "bytes %" PRId64 "-%" PRId64 "/%" PRId64, from, to, object->size);
    rq->reply.blob = blob_ref(object->blob);
    rq->reply.offset = from;
    rq->reply.length = range == RANGE_OK ? to - from + 1 : object->size;
}
