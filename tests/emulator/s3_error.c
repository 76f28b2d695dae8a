/* S3's answers in XML, errors among them. */
#include "server/base/text.h"
#include "tests/emulator/s3.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *code;
    int status;
    const char *message;
} errors[] = {
    { "AccessDenied", 403, "Access Denied" },
    { "AuthorizationHeaderMalformed", 400, "The authorization header is malformed" },
    { "AuthorizationQueryParametersError", 400, "The query parameters are malformed" },
    { "BadDigest", 400,
      "The Content-MD5 or checksum value that you specified did not match what the server received." },
    { "BucketAlreadyOwnedByYou", 409,
      "Your previous request to create the named bucket succeeded and you already own it." },
    { "BucketNotEmpty", 409, "The bucket you tried to delete is not empty" },
    { "EntityTooLarge", 400, "Your proposed upload exceeds the maximum allowed size" },
    { "EntityTooSmall", 400, "Your proposed upload is smaller than the minimum allowed size" },
    { "ExpiredToken", 400, "The provided token has expired." },
    { "IncompleteBody", 400, "The request body terminated unexpectedly" },
    { "InternalError", 500, "We encountered an internal error. Please try again." },
    { "InvalidAccessKeyId", 403, "The AWS Access Key Id you provided does not exist in our records." },
    { "InvalidArgument", 400, "Invalid Argument" },
    { "InvalidBucketName", 400, "The specified bucket is not valid." },
    { "InvalidDigest", 400, "The Content-MD5 you specified was invalid." },
    { "InvalidObjectState", 403, "The operation is not valid for the object's storage class" },
    { "InvalidPart", 400,
      "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified "
      "entity tag may not match the part's entity tag." },
    { "InvalidPartOrder", 400, "The list of parts was not in ascending order. Parts must be ordered by part number." },
    { "InvalidRange", 416, "The requested range is not satisfiable" },
    { "InvalidRequest", 400, "Invalid Request" },
    { "InvalidStorageClass", 400, "The storage class you specified is not valid" },
    { "InvalidToken", 400, "The provided token is malformed or otherwise invalid." },
    { "InvalidURI", 400, "Couldn't parse the specified URI." },
    { "KeyTooLongError", 400, "Your key is too long" },
    { "MalformedXML", 400,
      "The XML you provided was not well-formed or did not validate against our published schema" },
    { "MetadataTooLarge", 400, "Your metadata headers exceed the maximum allowed metadata size" },
    { "MissingContentLength", 411, "You must provide the Content-Length HTTP header." },
    { "NoSuchBucket", 404, "The specified bucket does not exist" },
    { "NoSuchKey", 404, "The specified key does not exist." },
    { "NoSuchUpload", 404,
      "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or "
      "completed." },
    { "NotImplemented", 501, "A header or query you provided implies functionality that is not implemented." },
    { "PermanentRedirect", 301,
      "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future "
      "requests to this endpoint." },
    { "PreconditionFailed", 412, "At least one of the pre-conditions you specified did not hold" },
    { "RequestTimeout", 400,
      "Your socket connection to the server was not read from or written to within the timeout period." },
    { "RequestTimeTooSkewed", 403, "The difference between the request time and the current time is too large." },
    { "ServiceUnavailable", 503, "Please reduce your request rate." },
    { "SignatureDoesNotMatch", 403,
      "The request signature we calculated does not match the signature you provided. Check your key and signing "
      "method." },
    { "SlowDown", 503, "Please reduce your request rate." },
    { "XAmzContentSHA256Mismatch", 400,
      "The provided 'x-amz-content-sha256' header does not match what was computed." },
};

/* What XML 1.0 cannot carry becomes a character reference all the same, as S3 does it. */
void s3_xml_text(struct buf *out, struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c == '&')
            buf_text(out, "&amp;");
        else if (c == '<')
            buf_text(out, "&lt;");
        else if (c == '>')
            buf_text(out, "&gt;");
        else if (c == '"')
            buf_text(out, "&quot;");
        else if (c < 0x20 || c == 0x7f)
            buf_fmt(out, "&#x%x;", c);
        else
            buf_char(out, (char)c);
    }
}

void s3_xml_element(struct buf *out, const char *name, struct span value)
{
    buf_fmt(out, "<%s>", name);
    s3_xml_text(out, value);
    buf_fmt(out, "</%s>", name);
}

static void add_ids(struct request *rq)
{
    char short_id[17];

    for (int i = 0; i < 16; i++)
        short_id[i] = (char)(rq->id[i] >= 'a' ? rq->id[i] - 'a' + 'A' : rq->id[i]);
    short_id[16] = '\0';
    reply_header(&rq->reply, "x-amz-request-id", short_id);
    reply_header_fmt(&rq->reply, "x-amz-id-2", "%s/%s=", rq->id + 16, rq->id);
    reply_header(&rq->reply, "Server", "AmazonS3 (emulated)");
}

void s3_xml_start(struct request *rq, const char *root)
{
    rq->reply.status = 200;
    add_ids(rq);
    reply_header(&rq->reply, "Content-Type", "application/xml");
    buf_text(&rq->reply.body, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    buf_fmt(&rq->reply.body, "<%s xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">", root);
}

void s3_ok(struct request *rq, int status)
{
    rq->reply.status = status;
    add_ids(rq);
}

static void error_reply(struct request *rq, int status, const char *code, const char *message)
{
    struct buf *b = &rq->reply.body;

    reply_reset(&rq->reply);
    rq->reply.status = status;
    snprintf(rq->reply.code, sizeof rq->reply.code, "%s", code);
    add_ids(rq);
    if (strcmp(rq->method, "HEAD") == 0)
        return;
    reply_header(&rq->reply, "Content-Type", "application/xml");
    buf_text(b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>");
    s3_xml_element(b, "Code", span_of(code));
    s3_xml_element(b, "Message", span_of(message));
    if (rq->bucket.len > 0)
        s3_xml_element(b, "BucketName", rq->bucket);
    if (rq->key.len > 0)
        s3_xml_element(b, "Key", rq->key);
    s3_xml_element(b, "RequestId", span_head(span_of(rq->id), 16));
    s3_xml_element(b, "HostId", span_of(rq->id));
    buf_text(b, "</Error>");
}

void s3_error(struct request *rq, const char *code, const char *message)
{
    size_t i = 0;
    size_t n = sizeof errors / sizeof errors[0];

    while (i < n && strcmp(errors[i].code, code) != 0)
        i++;
    error_reply(rq, i < n ? errors[i].status : 400, code, message ? message : i < n ? errors[i].message : code);
}

void s3_fault(struct emulator *emu, struct request *rq, const struct fault_action *fault)
{
    const char *code = fault->code[0] ? fault->code : fault->status == 503 ? "SlowDown" : "InternalError";

    (void)emu;
    error_reply(rq, fault->status, code, fault->message[0] ? fault->message : "Emulated fault");
    if (fault->retry_after[0])
        reply_header(&rq->reply, "Retry-After", fault->retry_after);
}
