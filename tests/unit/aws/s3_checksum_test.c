/* Checksums on the wire: what uploads carry by setting and transport, and downloads that are held against S3's. */
#include "aws/s3.h"
#include "tests/unit/aws/tls_fixture.h"

static const struct s3_ref ref = { SPAN_LIT("bucket-name"), SPAN_LIT("k"), SPAN_LIT("") };

/* ---- downloads ---- */

#define HELLO "hello"
#define SUM(name, value) "ETag: \"e\"\r\nx-amz-checksum-" name ": " value "\r\n"
#define HALF(headers_)                                                                                                 \
    {                                                                                                                  \
        .status = 200, .headers = (headers_), .body = HELLO, .cut_after = 2, .end = HTTP_RESET                         \
    }
#define REST(headers_)                                                                                                 \
    {                                                                                                                  \
        .status = 206, .headers = "Content-Range: bytes 2-4/5\r\n" headers_, .body = "llo"                             \
    }
#define WHOLE(headers_, body_)                                                                                         \
    {                                                                                                                  \
        .status = 200, .headers = (headers_), .body = (body_)                                                          \
    }

static const struct {
    const char *name;
    struct http_answer answers[2];
    int count;
    const char *validation; /* AWS_RESPONSE_CHECKSUM_VALIDATION */
    int64_t offset;
    bool is_good;
} downloads[] = {
    { "CRC32", { WHOLE(SUM("crc32", "NhCmhg=="), HELLO) }, 1, NULL, 0, true },
    { "CRC64NVME", { WHOLE(SUM("crc64nvme", "M3eFcAZSQlc="), HELLO) }, 1, NULL, 0, true },
    { "SHA256", { WHOLE(SUM("sha256", "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="), HELLO) }, 1, NULL, 0, true },
    { "damaged, CRC32", { WHOLE(SUM("crc32", "NhCmhg=="), "hullo") }, 1, NULL, 0, false },
    { "damaged, CRC64NVME", { WHOLE(SUM("crc64nvme", "M3eFcAZSQlc="), "hellp") }, 1, NULL, 0, false },
    { "damaged, SHA1", { WHOLE(SUM("sha1", "qvTGHdzF6KLavt4PO0gs2a6pQ00="), "jello") }, 1, NULL, 0, false },
    { "damaged, of two the wrong one counts",
      { WHOLE(SUM("sha256", "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=") SUM("crc32", "AAAAAA=="), HELLO) },
      1,
      NULL,
      0,
      false },
    { "of parts: not looked at", { WHOLE(SUM("crc32", "AAAAAA==-2"), HELLO) }, 1, NULL, 0, true },
    { "none", { WHOLE("ETag: \"e\"\r\n", HELLO) }, 1, NULL, 0, true },
    { "not asked for", { WHOLE(SUM("crc32", "AAAAAA=="), HELLO) }, 1, "when_required", 0, true },
    { "taken up again", { HALF(SUM("crc32", "NhCmhg==")), REST("ETag: \"e\"\r\n") }, 2, NULL, 0, true },
    { "taken up again, damaged before",
      { { .status = 200, .headers = SUM("crc32", "NhCmhg=="), .body = "Hello", .cut_after = 2, .end = HTTP_RESET },
        REST("ETag: \"e\"\r\n") },
      2,
      NULL,
      0,
      false },
    { "taken up again, the range's own is not looked at",
      { HALF(SUM("crc32", "NhCmhg==")), REST(SUM("crc32", "AAAAAA==")) },
      2,
      NULL,
      0,
      true },
    { "from the middle: not looked at", { REST(SUM("crc32", "AAAAAA==")) }, 1, NULL, 2, true },
};

static void test_downloads(void)
{
    for (size_t i = 0; i < sizeof(downloads) / sizeof(downloads[0]); i++) {
        AUTO(fixture_done) struct fixture f = { 0 };
        AUTO(buf_done) struct buf got = { .max = 100 };
        struct s3_reader *reader = NULL;
        struct span piece = { "x", 1 };
        const struct http_seen *seen;
        bool ok;

        test_case("%s", downloads[i].name);
        if (!start_with(&f, downloads[i].answers, (size_t)downloads[i].count,
                        (struct aws_options){ .response_checksum = downloads[i].validation }))
            return;
        ok = s3_reader_open(f.client, &ref, downloads[i].offset, "", &reader, &f.err);
        while (ok && (ok = s3_reader_read(reader, &piece, &f.err)) && piece.len > 0)
            buf_span(&got, piece);
        s3_reader_close(reader);
        CHECK(ok == downloads[i].is_good);
        CHECK_TEXT(f.err.code, ok ? "" : "checksum_mismatch");
        CHECK(ok || (f.err.retryable && f.err.kind == ERR_UPSTREAM && strstr(f.err.what, "damaged on the way")));
        CHECK((buf_view(&got).len == 5 - (size_t)downloads[i].offset) == ok); /* the last piece is held back */
        seen = http_script_seen(f.script, 0);
        CHECK(seen && (http_seen_header(seen, "x-amz-checksum-mode").len > 0) ==
                          (!downloads[i].validation && !downloads[i].offset));
    }
    test_case(NULL);
}

/* ---- uploads ---- */

#define CREATED                                                                                                        \
    {                                                                                                                  \
        .status = 200, .body = "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>" \
    }
#define STORED                                                                                                         \
    {                                                                                                                  \
        .status = 200, .headers = "ETag: \"p\"\r\n"                                                                    \
    }
#define COMPLETED                                                                                                      \
    {                                                                                                                  \
        .status = 200, .body = "<CompleteMultipartUploadResult><ETag>\"x\"</ETag></CompleteMultipartUploadResult>"     \
    }

static const struct {
    bool is_https;
    const char *calculation;
    const char *put;       /* header of a PutObject, and of each part */
    const char *algorithm; /* CreateMultipartUpload's */
    const char *part, *part_element;
    bool is_unsigned; /* the body's hash is left out */
} uploads[] = {
    { false, NULL, "x-amz-checksum-crc32", "SHA256", "x-amz-checksum-sha256", "<ChecksumSHA256>", false },
    { true, NULL, "x-amz-checksum-crc32", "CRC32", "x-amz-checksum-crc32", "<ChecksumCRC32>", true },
    { true, "when_supported", "x-amz-checksum-crc32", "CRC32", "x-amz-checksum-crc32", "<ChecksumCRC32>", true },
    { false, "when_required", NULL, NULL, NULL, NULL, false },
    { true, "when_required", NULL, NULL, NULL, NULL, false },
};

static bool has_any_checksum(const struct http_seen *seen)
{
    return strstr(seen->headers, "x-amz-checksum-") != NULL || strstr(seen->headers, "x-amz-sdk-checksum") != NULL;
}

static void check_body_hash(const struct http_seen *seen, bool is_unsigned)
{
    CHECK(span_eq(http_seen_header(seen, "x-amz-content-sha256"), SPAN_LIT("UNSIGNED-PAYLOAD")) == is_unsigned);
}

static bool write_object(struct aws_client *client, size_t bytes, struct err *err)
{
    static char piece[1 << 20];
    struct s3_writer *w = NULL;
    bool ok = s3_writer_new(client, &ref, "text/plain", 0, &w, err);

    for (size_t sent = 0; ok && sent < bytes; sent += sizeof(piece)) {
        buf_span(s3_writer_out(w), (struct span){ piece, sizeof(piece) });
        ok = s3_writer_wrote(w, err);
    }
    ok = ok && s3_writer_finish(w, NULL, err);
    s3_writer_free(w);
    return ok;
}

static void test_uploads(void)
{
    static const struct http_answer answers[] = { { .status = 200 }, CREATED, STORED, STORED, COMPLETED };

    for (size_t i = 0; i < sizeof(uploads) / sizeof(uploads[0]); i++) {
        AUTO(secure_done) struct secure s = { 0 };
        struct aws_options options = { .request_checksum = uploads[i].calculation };
        const struct http_seen *seen;

        test_case("row %zu", i);
        if (!(uploads[i].is_https ? start_secure_with(&s, answers, 5, "IP:127.0.0.1", NULL, true, options)
                                  : start_with(&s.f, answers, 5, options)))
            return;
        CHECK(s3_put(s.f.client, &ref, "text/plain", SPAN_LIT(HELLO), &s.f.err));
        CHECK(write_object(s.f.client, 6 << 20, &s.f.err));
        CHECK_TEXT(s.f.err.what, "");
        if (!CHECK_I64(http_script_count(s.f.script), 5))
            continue;
        seen = http_script_seen(s.f.script, 0);
        check_body_hash(seen, uploads[i].is_unsigned);
        CHECK(has_any_checksum(seen) == (uploads[i].put != NULL));
        if (uploads[i].put)
            CHECK(span_eq_text(http_seen_header(seen, uploads[i].put), "NhCmhg=="));
        seen = http_script_seen(s.f.script, 1);
        CHECK(span_eq(http_seen_header(seen, "x-amz-checksum-algorithm"), span_of(uploads[i].algorithm)));
        for (size_t part = 2; part < 4; part++) {
            seen = http_script_seen(s.f.script, part);
            check_body_hash(seen, uploads[i].is_unsigned);
            CHECK(has_any_checksum(seen) == (uploads[i].part != NULL));
            CHECK(!uploads[i].part || http_seen_header(seen, uploads[i].part).len > 0);
        }
        seen = http_script_seen(s.f.script, 4);
        CHECK(strstr(seen->body, uploads[i].part_element ? uploads[i].part_element : "</ETag></Part>") != NULL);
    }
    test_case(NULL);
}

static const struct test tests[] = { { "downloads", test_downloads }, { "uploads", test_uploads } };
TEST_MAIN("s3_checksum", tests)
