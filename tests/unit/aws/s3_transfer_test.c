/* Streamed reading and writing, against a scripted server. */
#include "aws/s3.h"

#include "tests/unit/aws/aws_fixture.h"

#include <stdio.h>

#define ETAG "ETag: \"v1\"\r\n"
#define OTHER_ETAG "ETag: \"v2\"\r\n"

static const struct s3_ref object = { SPAN_LIT("bucket-1"), SPAN_LIT("in/x"), { 0 } };

/* Reads to the end; what came is in *got. */
static bool read_all(struct s3_reader *reader, struct buf *got, struct err *err)
{
    struct span piece = { 0 };

    while (s3_reader_read(reader, &piece, err)) {
        if (piece.len == 0)
            return true;
        buf_span(got, piece);
    }
    return false;
}

/* What the server sends, where reading begins, and what comes of it. */
static const struct read_case {
    const char *name;
    struct http_answer answers[6];
    size_t count;
    int64_t offset;
    const char *etag, *want, *code; /* want: text that is read; code: of the failure, NULL: none */
    enum err_kind kind;
    size_t requests;
    const char *last_range; /* of the last request */
} reads[] = {
    { "whole",
      { { .status = 200, .headers = ETAG, .body = "0123456789" } },
      1,
      0,
      "",
      "0123456789",
      NULL,
      ERR_NONE,
      1,
      "" },
    { "empty", { { .status = 200, .headers = ETAG, .body = "" } }, 1, 0, "", "", NULL, ERR_NONE, 1, "" },
    { "from the middle",
      { { .status = 206, .headers = ETAG "Content-Range: bytes 4-9/10\r\n", .body = "456789" } },
      1,
      4,
      "\"v1\"",
      "456789",
      NULL,
      ERR_NONE,
      1,
      "bytes=4-" },
    { "broken, resumed",
      { { .status = 200, .headers = ETAG, .body = "0123456789", .cut_after = 3, .end = HTTP_CLOSE },
        { .status = 206,
          .headers = ETAG "Content-Range: bytes 3-9/10\r\n",
          .body = "3456789",
          .cut_after = 2,
          .end = HTTP_RESET },
        { .status = 206, .headers = ETAG "Content-Range: bytes 5-9/10\r\n", .body = "56789" } },
      3,
      0,
      "",
      "0123456789",
      NULL,
      ERR_NONE,
      3,
      "bytes=5-" },
    { "broken, then replaced: If-Match refuses",
      { { .status = 200, .headers = ETAG, .body = "0123456789", .cut_after = 3, .end = HTTP_CLOSE },
        { .status = 412, .body = "<Error><Code>PreconditionFailed</Code></Error>" } },
      2,
      0,
      "",
      "012",
      "object_changed",
      ERR_CONFLICT,
      2,
      "bytes=3-" },
    { "broken, then replaced: If-Match ignored",
      { { .status = 200, .headers = ETAG, .body = "0123456789", .cut_after = 3, .end = HTTP_CLOSE },
        { .status = 206, .headers = OTHER_ETAG "Content-Range: bytes 3-9/10\r\n", .body = "3456789" } },
      2,
      0,
      "",
      "012",
      "object_changed",
      ERR_CONFLICT,
      2,
      "bytes=3-" },
    { "range ignored",
      { { .status = 200, .headers = ETAG, .body = "0123456789" } },
      1,
      4,
      "",
      "",
      "upstream",
      ERR_UPSTREAM,
      1,
      "bytes=4-" },
    { "another range",
      { { .status = 206, .headers = ETAG "Content-Range: bytes 5-9/10\r\n", .body = "56789" } },
      1,
      4,
      "",
      "",
      "upstream",
      ERR_UPSTREAM,
      1,
      "bytes=4-" },
    { "from the end",
      { { .status = 416, .body = "<Error><Code>InvalidRange</Code></Error>" },
        { .status = 200, .is_head = true, .announced = 10, .headers = ETAG } },
      2,
      10,
      "\"v1\"",
      "",
      NULL,
      ERR_NONE,
      2,
      "" },
    { "from behind the end",
      { { .status = 416, .body = "<Error><Code>InvalidRange</Code></Error>" },
        { .status = 200, .is_head = true, .announced = 9, .headers = ETAG } },
      2,
      10,
      "\"v1\"",
      "",
      "object_changed",
      ERR_CONFLICT,
      2,
      "" },
    { "missing",
      { { .status = 404, .body = "<Error><Code>NoSuchKey</Code></Error>" } },
      1,
      0,
      "",
      "",
      "not_found",
      ERR_NOT_FOUND,
      1,
      "" },
    { "no progress",
      { { .status = 200, .headers = ETAG, .announced = 10, .body = NULL, .end = HTTP_CLOSE } },
      1,
      0,
      "",
      "",
      "upstream",
      ERR_UPSTREAM,
      5,
      "" },
};

static void reading(void)
{
    for (size_t i = 0; i < COUNT_OF(reads); i++) {
        AUTO(fixture_done) struct fixture f = { 0 };
        AUTO(buf_done) struct buf got = { 0 };
        struct s3_reader *reader = NULL;
        size_t last = reads[i].requests - 1;

        test_case("%s", reads[i].name);
        buf_init(&got, 4096);
        if (!fixture_start(&f, reads[i].answers, reads[i].count))
            return;
        bool ok = s3_reader_open(f.client, &object, reads[i].offset, reads[i].etag, &reader, &f.err) &&
                  read_all(reader, &got, &f.err);
        CHECK(ok == (reads[i].code == NULL));
        CHECK_TEXT(buf_cstr(&got), reads[i].want);
        CHECK_I64(f.err.kind, reads[i].kind);
        if (reads[i].code)
            CHECK_TEXT(err_code_of(&f.err), reads[i].code);
        CHECK_I64(http_script_count(f.script), reads[i].requests);
        check_header(&f, last, "range", reads[i].last_range);
        s3_reader_close(reader);
    }
    test_case(NULL);
}

/* A resumed read is pinned to the version that it began with. */
static void reading_pins_the_version(void)
{
    static const struct http_answer answers[] = {
        { .status = 200, .headers = ETAG, .body = "0123456789", .cut_after = 3, .end = HTTP_CLOSE },
        { .status = 206, .headers = ETAG "Content-Range: bytes 3-9/10\r\n", .body = "3456789" },
    };
    AUTO(fixture_done) struct fixture f = { 0 };
    AUTO(buf_done) struct buf got = { 0 };
    struct s3_reader *reader = NULL;

    buf_init(&got, 100);
    if (!fixture_start(&f, answers, 2) || !CHECK(s3_reader_open(f.client, &object, 0, "", &reader, &f.err)))
        return;
    CHECK_I64(s3_reader_size(reader), 10);
    CHECK(read_all(reader, &got, &f.err));
    check_header(&f, 0, "if-match", "");
    check_header(&f, 1, "if-match", "\"v1\"");
    s3_reader_close(reader);
}

/* ---- writing ---- */

enum { PART = 5 * 1024 * 1024 };

/* Adds `size` bytes in pieces that fit no part. */
static bool add_bytes(struct s3_writer *w, size_t size, struct err *err)
{
    char piece[10007];

    memset(piece, 'p', sizeof(piece));
    for (size_t n = 0; size > 0; size -= n) {
        n = size < sizeof(piece) ? size : sizeof(piece);
        buf_add(s3_writer_out(w), piece, n);
        if (!s3_writer_wrote(w, err))
            return false;
    }
    return true;
}

static void small_object_is_one_put(void)
{
    static const size_t sizes[] = { 0, 5, PART };
    static const struct http_answer answers[] = { { .status = 200 } };

    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        AUTO(fixture_done) struct fixture f = { 0 };
        struct s3_writer *w = NULL;
        int64_t size = -1;

        test_case("%zu bytes", sizes[i]);
        if (!fixture_start(&f, answers, 1) ||
            !CHECK(s3_writer_new(f.client, &object, "application/jsonl", PART, &w, &f.err)))
            return;
        CHECK(add_bytes(w, sizes[i], &f.err) && s3_writer_finish(w, &size, &f.err));
        CHECK_I64(size, sizes[i]);
        CHECK_I64(http_script_count(f.script), 1);
        check_request(&f, 0, "PUT", "/bucket-1/in/x");
        check_header(&f, 0, "content-type", "application/jsonl");
        CHECK_I64(http_script_seen(f.script, 0)->body_len, sizes[i]);
        s3_writer_free(w);
        CHECK_I64(http_script_count(f.script), 1);
    }
    test_case(NULL);
}

#define CREATED                                                                                                        \
    {                                                                                                                  \
        .status = 200, .body = "<InitiateMultipartUploadResult><Bucket>b</Bucket><UploadId>u/1</UploadId>"             \
                               "</InitiateMultipartUploadResult>"                                                      \
    }
#define COMPLETED "<CompleteMultipartUploadResult><ETag>\"m-3\"</ETag></CompleteMultipartUploadResult>"

static bool write_12_mib(struct fixture *f, struct s3_writer **w, struct err *err)
{
    return s3_writer_new(f->client, &object, "application/jsonl", PART, w, err) && add_bytes(*w, 12 << 20, err);
}

/* How many requests were "METHOD target". One that was broken off has its place among them, but is not counted. */
static int count_requests(struct fixture *f, const char *method, const char *target)
{
    int count = 0;

    for (size_t i = 0; i < http_script_count(f->script) + 2; i++) {
        const struct http_seen *seen = http_script_seen(f->script, i);

        count += seen && !strcmp(seen->method, method) && !strcmp(seen->target, target);
    }
    return count;
}

#define PART_ENTRY(number, sha256)                                                                                     \
    "<Part><PartNumber>" number "</PartNumber><ETag>\"p\"</ETag><ChecksumSHA256>" sha256 "</ChecksumSHA256></Part>"

/* Parts are sent two at a time, so the second and the third come in any order; one of the three is asked for again. */
static void large_object_is_multipart(void)
{
    static const struct http_answer answers[] = {
        CREATED,
        { .status = 200, .headers = "ETag: \"p\"\r\n" },
        { .status = 503, .body = "<Error><Code>SlowDown</Code></Error>" },
        { .status = 200, .headers = "ETag: \"p\"\r\n" },
        { .status = 200, .headers = "ETag: \"p\"\r\n" },
        { .status = 200, .body = "<Error><Code>InternalError</Code></Error>" },
        { .status = 200, .body = "  \n" }, /* white space, and then nothing: not completed */
        { .status = 200, .body = "   <?xml version=\"1.0\"?>" COMPLETED },
    };
    AUTO(fixture_done) struct fixture f = { 0 };
    struct s3_writer *w = NULL;
    int64_t size = 0;
    int parts[3];

    if (!fixture_start(&f, answers, COUNT_OF(answers)))
        return;
    CHECK(write_12_mib(&f, &w, &f.err) && s3_writer_finish(w, &size, &f.err));
    s3_writer_free(w);
    CHECK_I64(size, 12 << 20);
    CHECK_I64(http_script_count(f.script), 8);
    check_request(&f, 0, "POST", "/bucket-1/in/x?uploads=");
    check_header(&f, 0, "content-type", "application/jsonl");
    check_header(&f, 0, "x-amz-checksum-algorithm", "SHA256");
    CHECK(http_seen_header(http_script_seen(f.script, 0), "x-amz-meta-vidbatch-upload").len == 32);
    parts[0] = count_requests(&f, "PUT", "/bucket-1/in/x?partNumber=1&uploadId=u%2F1");
    parts[1] = count_requests(&f, "PUT", "/bucket-1/in/x?partNumber=2&uploadId=u%2F1");
    parts[2] = count_requests(&f, "PUT", "/bucket-1/in/x?partNumber=3&uploadId=u%2F1");
    CHECK_I64(parts[0] + parts[1] + parts[2], 4);
    CHECK(parts[0] && parts[1] && parts[2]);
    CHECK_I64(http_seen_header(http_script_seen(f.script, 1), "x-amz-checksum-sha256").len, 44);
    check_request(&f, 7, "POST", "/bucket-1/in/x?uploadId=u%2F1");
    check_header(&f, 7, "content-type", "application/xml");
    check_body(&f, 7,
               "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">" PART_ENTRY(
                   "1", "LsNnORWUAvhqCvVATdGCeDKEvK+j+vAAlxpIWU5/6a4=")
                   PART_ENTRY("2", "LsNnORWUAvhqCvVATdGCeDKEvK+j+vAAlxpIWU5/6a4=")
                       PART_ENTRY("3", "K/83zO6fHqzUkY6EdtnfEImV5WuZyMhUM3U2PXjhjfw=") "</CompleteMultipartUpload>");
}

static void unfinished_upload_is_aborted(void)
{
    static const struct http_answer answers[] = {
        CREATED, { .status = 403, .body = "<Error><Code>AccessDenied</Code></Error>" }
    };
    AUTO(fixture_done) struct fixture f = { 0 };
    struct s3_writer *w = NULL;
    int64_t size = 0;

    if (!fixture_start(&f, answers, COUNT_OF(answers)))
        return;
    CHECK(!write_12_mib(&f, &w, &f.err) || !s3_writer_finish(w, &size, &f.err));
    CHECK_I64(f.err.kind, ERR_DENIED);
    CHECK_I64(count_requests(&f, "DELETE", "/bucket-1/in/x?uploadId=u%2F1"), 0);
    s3_writer_free(w);
    CHECK_I64(count_requests(&f, "DELETE", "/bucket-1/in/x?uploadId=u%2F1"), 1);
    CHECK_I64(count_requests(&f, "POST", "/bucket-1/in/x?uploadId=u%2F1"), 0);
}

/* The answer to Complete is lost, and the upload is gone when it is asked for again: the object's marker decides
 * whether it was we who made it. */
static void lost_completion(void)
{
    static const struct {
        const char *name;
        bool is_ours;
        int64_t size;
        bool ok;
    } rows[] = {
        { "ours", true, 12 << 20, true },
        { "somebody else's", false, 12 << 20, false },
        { "ours by name, not by size", true, 5, false },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO(fixture_done) struct fixture f = { 0 };
        char headers[128] = "x-amz-meta-vidbatch-upload: 00000000000000000000000000000000\r\n";
        const struct http_answer answers[] = {
            CREATED,
            { .status = 200, .headers = "ETag: \"p\"\r\n" },
            { .status = 200, .headers = "ETag: \"p\"\r\n" },
            { .status = 200, .headers = "ETag: \"p\"\r\n" },
            { .status = 0, .end = HTTP_RESET },
            { .status = 404, .body = "<Error><Code>NoSuchUpload</Code></Error>" },
            { .status = 200, .is_head = true, .announced = rows[i].size, .headers = headers },
            { .status = 204 },
        };
        struct s3_writer *w = NULL;

        test_case("%s", rows[i].name);
        if (!fixture_start(&f, answers, COUNT_OF(answers)))
            return;
        CHECK(write_12_mib(&f, &w, &f.err));
        if (rows[i].is_ours) { /* the marker is known once the upload has begun */
            struct span marker = http_seen_header(http_script_seen(f.script, 0), "x-amz-meta-vidbatch-upload");

            (void)snprintf(headers, sizeof(headers), "x-amz-meta-vidbatch-upload: %.*s\r\n", SPAN_ARG(marker));
        }
        CHECK(s3_writer_finish(w, NULL, &f.err) == rows[i].ok);
        if (!rows[i].ok)
            CHECK_TEXT(f.err.upstream_code, "NoSuchUpload");
        check_request(&f, 6, "HEAD", "/bucket-1/in/x");
        s3_writer_free(w);
    }
    test_case(NULL);
}

/* ... and where the object cannot be asked for, that is the failure: whether it is there stays open. */
static void lost_completion_in_doubt(void)
{
    static const struct {
        const char *name;
        struct http_answer head;
        enum err_kind kind;
        bool retryable;
        const char *upstream_code;
    } rows[] = {
        { "server error", { .status = 500, .is_head = true }, ERR_UPSTREAM, true, "" },
        { "no connection", { .status = 0, .end = HTTP_RESET }, ERR_UPSTREAM, true, "" },
        { "not there", { .status = 404, .is_head = true }, ERR_NOT_FOUND, false, "NoSuchUpload" },
        { "not to be seen", { .status = 403, .is_head = true }, ERR_NOT_FOUND, false, "NoSuchUpload" },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO(fixture_done) struct fixture f = { 0 };
        const struct http_answer answers[] = {
            CREATED,
            { .status = 200, .headers = "ETag: \"p\"\r\n" },
            { .status = 200, .headers = "ETag: \"p\"\r\n" },
            { .status = 200, .headers = "ETag: \"p\"\r\n" },
            { .status = 404, .body = "<Error><Code>NoSuchUpload</Code></Error>" },
            rows[i].head,
        };
        struct s3_writer *w = NULL;

        test_case("%s", rows[i].name);
        if (!fixture_start(&f, answers, COUNT_OF(answers)))
            return;
        CHECK(write_12_mib(&f, &w, &f.err) && !s3_writer_finish(w, NULL, &f.err));
        CHECK_I64(f.err.kind, rows[i].kind);
        CHECK_I64(f.err.retryable, rows[i].retryable);
        CHECK_TEXT(f.err.upstream_code, rows[i].upstream_code);
        s3_writer_free(w);
    }
    test_case(NULL);
}

/* Only uploads of exactly this key; keys are compared decoded, wherever the answer says that they are encoded. */
static void abort_uploads(void)
{
#define UPLOAD(key, id) "<Upload><Key>" key "</Key><UploadId>" id "</UploadId></Upload>"
    static const struct http_answer answers[] = {
        { .status = 200,
          .body = "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated><NextKeyMarker>in+x</NextKeyMarker>"
                  "<NextUploadIdMarker>u+2</NextUploadIdMarker>" UPLOAD("in+x", "u1") UPLOAD("in+xy", "no")
                      UPLOAD("in+x", "u+2") "<EncodingType>url</EncodingType></ListMultipartUploadsResult>" },
        { .status = 204 },
        { .status = 404, .body = "<Error><Code>NoSuchUpload</Code></Error>" },
        { .status = 200,
          .body = "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>" },
    };
    AUTO(fixture_done) struct fixture f = { 0 };
    const struct s3_ref ref = { SPAN_LIT("bucket-1"), SPAN_LIT("in x"), { 0 } };
    int aborted = 0;

    if (!fixture_start(&f, answers, COUNT_OF(answers)) || !CHECK(s3_abort_uploads(f.client, &ref, &aborted, &f.err)))
        return;
    CHECK_I64(aborted, 2);
    CHECK_I64(http_script_count(f.script), 4);
    check_request(&f, 0, "GET", "/bucket-1/?encoding-type=url&prefix=in%20x&uploads=");
    check_request(&f, 1, "DELETE", "/bucket-1/in%20x?uploadId=u1");
    check_request(&f, 2, "DELETE", "/bucket-1/in%20x?uploadId=u%2B2");
    check_request(&f, 3, "GET",
                  "/bucket-1/?encoding-type=url&key-marker=in%20x&prefix=in%20x&upload-id-marker=u%2B2&uploads=");
}

/* Ceph RGW encodes the keys and does not say so. A key that is not encoded begins with the prefix that was asked for.
 */
static void abort_uploads_undeclared(void)
{
    static const struct http_answer answers[] = {
        { .status = 200,
          .body = "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated><NextKeyMarker>in x "
                  "y</NextKeyMarker>" UPLOAD("in%20x%20y", "no") UPLOAD("in%20x", "u1") UPLOAD("in x", "u2")
                      UPLOAD("in x%20y", "no") "</ListMultipartUploadsResult>" },
        { .status = 204 },
        { .status = 204 },
    };
    AUTO(fixture_done) struct fixture f = { 0 };
    const struct s3_ref ref = { SPAN_LIT("bucket-1"), SPAN_LIT("in x"), { 0 } };
    int aborted = 0;

    if (!fixture_start(&f, answers, COUNT_OF(answers)) || !CHECK(s3_abort_uploads(f.client, &ref, &aborted, &f.err)))
        return;
    CHECK_I64(aborted, 2);
    CHECK_I64(http_script_count(f.script), 3);
    check_request(&f, 1, "DELETE", "/bucket-1/in%20x?uploadId=u1");
    check_request(&f, 2, "DELETE", "/bucket-1/in%20x?uploadId=u2");
}

static const struct test tests[] = {
    { "reading", reading },
    { "reading_pins_the_version", reading_pins_the_version },
    { "small_object_is_one_put", small_object_is_one_put },
    { "large_object_is_multipart", large_object_is_multipart },
    { "unfinished_upload_is_aborted", unfinished_upload_is_aborted },
    { "lost_completion", lost_completion },
    { "lost_completion_in_doubt", lost_completion_in_doubt },
    { "abort_uploads", abort_uploads },
    { "abort_uploads_undeclared", abort_uploads_undeclared },
};

TEST_MAIN("s3_transfer", tests)
