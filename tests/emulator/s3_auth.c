/* What S3 checks before it works: signature, payload hash, digests of the body. */
#include "server/base/text.h"
#include "tests/emulator/s3.h"
#include "tests/emulator/sessions.h"

#include <stdio.h>
#include <string.h>

enum { WINDOW_MS = 15 * 60 * 1000, REPORT_MAX = 1 << 20 };

static const char unsigned_payload[] = "UNSIGNED-PAYLOAD";
static const char signed_chunks[] = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
static const char signed_chunks_trailer[] = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER";
static const char unsigned_chunks_trailer[] = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

static const char *declared_hash(const struct request *rq)
{
    const char *hash = request_header(rq, "x-amz-content-sha256");

    return hash || !rq->claim.presigned ? hash : unsigned_payload;
}

void s3_expect_body(struct emulator *emu, struct request *rq)
{
    const char *hash = declared_hash(rq);
    struct chunk_scope scope = { .is_signed = false };
    const char *trailer = request_header(rq, "x-amz-trailer");
    struct span wanted = span_of(trailer); /* in lower case: the name of a header */

    body_want(&rq->body, request_header(rq, "x-amz-checksum-sha1") || emu_contains(wanted, SPAN_LIT("sha1")),
              request_header(rq, "x-amz-checksum-crc64nvme") || emu_contains(wanted, SPAN_LIT("crc64nvme")));
    if (strcmp(rq->op, "S3.UploadPart") == 0 && request_header(rq, "x-amz-checksum-sha256") &&
        !request_header(rq, "content-md5"))
        body_want_sha256_only(&rq->body);
    if (!hash || strncmp(hash, "STREAMING-", 10) != 0)
        return;
    scope.is_signed = strncmp(hash, signed_chunks, sizeof signed_chunks - 1) == 0;
    if (scope.is_signed) {
        const struct sig_claim *c = &rq->claim;
        sig_signing_key(c, emu->config.secret_key, scope.key);
        snprintf(scope.prefix, sizeof scope.prefix, "%s\n%s/%s/%s/aws4_request\n", c->timestamp, c->date, c->region,
                 c->service);
        memcpy(scope.previous, c->signature, sizeof scope.previous);
    }
    body_expect_chunks(&rq->body, &scope);
}

static bool is_hex_hash(const char *hash)
{
    return strlen(hash) == 64 && strspn(hash, "0123456789abcdef") == 64;
}

/* SignatureDoesNotMatch with what we signed, as AWS answers, so that a difference can be seen. */
static void mismatch(struct request *rq, const struct sig_report *report)
{
    struct buf *b = &rq->reply.body;

    s3_error(rq, "SignatureDoesNotMatch", NULL);
    if (b->len < 8)
        return;
    buf_cut(b, b->len - strlen("</Error>"));
    s3_xml_element(b, "StringToSign", buf_view(&report->string_to_sign));
    s3_xml_element(b, "CanonicalRequest", buf_view(&report->canonical));
    buf_text(b, "</Error>");
}

static bool refuse(struct request *rq, enum sig_result result, const struct sig_report *report)
{
    switch (result) {
    case SIG_OK:
        return true;
    case SIG_MALFORMED:
        s3_error(rq, rq->claim.presigned ? "AuthorizationQueryParametersError" : "AuthorizationHeaderMalformed",
                 rq->claim.bad);
        break;
    case SIG_UNKNOWN_KEY:
        s3_error(rq, "InvalidAccessKeyId", NULL);
        break;
    case SIG_BAD_TOKEN:
        s3_error(rq, "InvalidToken", NULL);
        break;
    case SIG_EXPIRED_TOKEN:
        s3_error(rq, "ExpiredToken", NULL);
        break;
    case SIG_SKEWED:
        s3_error(rq, "RequestTimeTooSkewed", NULL);
        break;
    case SIG_EXPIRED_URL:
        s3_error(rq, "AccessDenied", "Request has expired");
        break;
    case SIG_UNSIGNED_HEADER:
        s3_error(rq, "AccessDenied", "There were headers present in the request which were not signed");
        break;
    case SIG_MISMATCH:
        mismatch(rq, report);
        break;
    case SIG_MISSING:
        s3_error(rq, "AccessDenied", NULL);
        break;
    }
    return false;
}

/* The scope must name s3 and the Region of the bucket, or ours where there is none. */
static bool check_scope(struct emulator *emu, struct request *rq)
{
    struct bucket_info info = { .denied = false };
    const char *expected = emu->config.region;
    struct buf *b = &rq->reply.body;
    char message[200];

    if (strcmp(rq->claim.service, "s3") != 0) {
        s3_error(rq, "AuthorizationHeaderMalformed", "incorrect service; this endpoint belongs to \"s3\"");
        return false;
    }
    if (strcmp(rq->claim.region, expected) == 0)
        return true;
    if (rq->bucket.len > 0 && store_find_bucket(emu->store, rq->bucket, &info))
        expected = info.region;
    if (strcmp(rq->claim.region, expected) == 0)
        return true;
    snprintf(message, sizeof message, "The authorization header is malformed; the region '%s' is wrong; expecting '%s'",
             rq->claim.region, expected);
    s3_error(rq, "AuthorizationHeaderMalformed", message);
    reply_header(&rq->reply, "x-amz-bucket-region", expected);
    if (b->len > 8) {
        buf_cut(b, b->len - strlen("</Error>"));
        s3_xml_element(b, "Region", span_of(expected));
        buf_text(b, "</Error>");
    }
    return false;
}

bool s3_check_signature(struct emulator *emu, struct request *rq)
{
    struct sig_input in = { rq->method, rq->raw_path, rq->raw_query, rq->headers, rq->header_count };
    struct sig_account account = sessions_account(emu, rq->claim.access_key);
    const char *hash = declared_hash(rq);
    struct sig_report report = { .canonical = { 0 } };
    enum sig_result result = SIG_MISSING;
    bool ok = false;

    if (rq->claim.present && !rq->claim.bad && !check_scope(emu, rq))
        return false;
    if (rq->claim.present && !rq->claim.bad && !hash) {
        s3_error(rq, "InvalidRequest", "Missing required header for this request: x-amz-content-sha256");
        return false;
    }
    buf_init(&report.canonical, REPORT_MAX);
    buf_init(&report.string_to_sign, REPORT_MAX);
    result = sig_verify(&in, &rq->claim, &account, hash ? hash : "", emu_now_ms(emu), WINDOW_MS, &report);
    ok = refuse(rq, result, &report);
    buf_done(&report.canonical);
    buf_done(&report.string_to_sign);
    return ok;
}

static bool check_payload_hash(struct request *rq)
{
    const char *hash = declared_hash(rq);
    AUTO(buf_done) struct buf hex = { 0 };

    if (strcmp(hash, unsigned_payload) == 0 || strcmp(hash, signed_chunks) == 0 ||
        strcmp(hash, signed_chunks_trailer) == 0 || strcmp(hash, unsigned_chunks_trailer) == 0)
        return true;
    if (!is_hex_hash(hash)) {
        s3_error(rq, "InvalidArgument",
                 "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-..., or a valid sha256 value.");
        return false;
    }
    buf_init(&hex, 0);
    text_hex(&hex, rq->body.sha256_sum, sizeof rq->body.sha256_sum);
    if (strcmp(hash, buf_cstr(&hex)) == 0)
        return true;
    s3_error(rq, "XAmzContentSHA256Mismatch", NULL);
    return false;
}

static bool check_length(struct request *rq)
{
    const char *length = request_header(rq, "content-length");
    const char *decoded = request_header(rq, "x-amz-decoded-content-length");
    int64_t expected = 0;

    if (s3_body_sink(rq) == BODY_FILE && !length && !decoded) {
        s3_error(rq, "MissingContentLength", NULL);
        return false;
    }
    if (rq->body.framed && (!decoded || !text_parse_i64(span_of(decoded), &expected))) {
        s3_error(rq, "MissingContentLength", "You must provide the x-amz-decoded-content-length HTTP header.");
        return false;
    }
    if (rq->body.broken || (rq->body.framed && expected != rq->body.payload_bytes)) {
        s3_error(rq, rq->body.broken ? rq->body.broken : "IncompleteBody", NULL);
        return false;
    }
    return true;
}

static void base64_of_number(struct buf *out, uint64_t n, int bytes)
{
    unsigned char b[8];

    for (int i = 0; i < bytes; i++)
        b[i] = (unsigned char)(n >> (8 * (bytes - 1 - i)));
    text_base64(out, b, (size_t)bytes);
}

/* The value that this algorithm has for the body; false: an algorithm that is not emulated. */
static bool computed_checksum(const struct body *body, const char *name, struct buf *out)
{
    if (strcmp(name, "x-amz-checksum-crc32") == 0)
        base64_of_number(out, body->crc32, 4);
    else if (strcmp(name, "x-amz-checksum-crc64nvme") == 0)
        base64_of_number(out, body->crc64nvme, 8);
    else if (strcmp(name, "x-amz-checksum-sha256") == 0)
        text_base64(out, body->sha256_sum, sizeof body->sha256_sum);
    else if (strcmp(name, "x-amz-checksum-sha1") == 0)
        text_base64(out, body->sha1_sum, sizeof body->sha1_sum);
    else
        return false;
    return true;
}

static bool check_one(struct request *rq, const char *name, struct span claimed)
{
    AUTO(buf_done) struct buf got = { 0 };

    buf_init(&got, 0);
    if (!computed_checksum(&rq->body, name, &got)) {
        s3_error(rq, "NotImplemented", "This checksum algorithm is not emulated");
        return false;
    }
    if (span_eq(claimed, buf_view(&got)))
        return true;
    s3_error(rq, "BadDigest", NULL);
    return false;
}

/* Header names that carry a checksum of this body. */
static bool is_checksum(const char *name)
{
    return strncmp(name, "x-amz-checksum-", 15) == 0 && strcmp(name, "x-amz-checksum-mode") != 0 &&
           strcmp(name, "x-amz-checksum-algorithm") != 0 && strcmp(name, "x-amz-checksum-type") != 0;
}

static bool check_trailer(struct request *rq)
{
    const char *name = request_header(rq, "x-amz-trailer");
    AUTO(buf_done) struct buf value = { 0 };

    if (!rq->body.framed || !name)
        return true;
    buf_init(&value, 0);
    if (!body_trailer(&rq->body, name, &value)) {
        s3_error(rq, "IncompleteBody", "The trailer that x-amz-trailer announced is missing");
        return false;
    }
    return check_one(rq, name, buf_view(&value));
}

bool s3_check_body(struct request *rq)
{
    const char *md5 = request_header(rq, "content-md5");
    AUTO(buf_done) struct buf sum = { 0 };

    if (!check_length(rq) || !check_payload_hash(rq))
        return false;
    if (s3_body_sink(rq) == BODY_DROP || strcmp(rq->op, "S3.CompleteMultipartUpload") == 0)
        return true;
    if (!buf_ok(&rq->body.memory)) {
        s3_error(rq, "EntityTooLarge", NULL);
        return false;
    }
    buf_init(&sum, 0);
    text_base64(&sum, rq->body.md5_sum, sizeof rq->body.md5_sum);
    if (md5 && strcmp(md5, buf_cstr(&sum)) != 0) {
        s3_error(rq, strlen(md5) == 24 ? "BadDigest" : "InvalidDigest", NULL);
        return false;
    }
    for (size_t i = 0; i < rq->header_count; i++)
        if (is_checksum(rq->headers[i].name) && !check_one(rq, rq->headers[i].name, span_of(rq->headers[i].value)))
            return false;
    return check_trailer(rq);
}

void s3_keep_checksum(struct request *rq, struct object *object)
{
    const char *name = NULL;
    const char *trailer = request_header(rq, "x-amz-trailer");
    AUTO(buf_done) struct buf value = { 0 };

    for (size_t i = 0; i < rq->header_count && !name; i++)
        if (is_checksum(rq->headers[i].name))
            name = rq->headers[i].name;
    if (!name)
        name = rq->body.framed && trailer ? trailer : "x-amz-checksum-crc32";
    buf_init(&value, 0);
    if (!computed_checksum(&rq->body, name, &value))
        return;
    snprintf(object->checksum_name, sizeof object->checksum_name, "%s", name);
    snprintf(object->checksum, sizeof object->checksum, "%s", buf_cstr(&value));
    reply_header(&rq->reply, name, object->checksum);
    reply_header(&rq->reply, "x-amz-checksum-type", "FULL_OBJECT");
}
