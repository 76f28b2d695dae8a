/* S3's calls on objects and listings, against a scripted server. */
#include "aws/s3.h"

#include "tests/unit/aws/aws_fixture.h"

#define OWNER "111122223333"
#define LISTING(inside) "<ListBucketResult><EncodingType>url</EncodingType>" inside "</ListBucketResult>"
#define OBJECT(key)                                                                                                    \
    "<Contents><Key>" key "</Key><LastModified>2026-11-01T12:00:00Z</LastModified><Size>1</Size></Contents>"
#define MORE(token) "<IsTruncated>true</IsTruncated><NextContinuationToken>" token "</NextContinuationToken>"

static const struct s3_ref object = { SPAN_LIT("bucket-1"), SPAN_LIT("a b/\xc3\xa9+,=.mp4"), SPAN_LIT(OWNER) };
#define OBJECT_PATH "/bucket-1/a%20b/%C3%A9%2B%2C%3D.mp4"

static void head(void)
{
    static const struct http_answer answers[] = { { .status = 200,
                                                    .is_head = true,
                                                    .announced = 12345,
                                                    .headers = "ETag: \"abc\"\r\nContent-Type: video/mp4\r\n"
                                                               "Last-Modified: Sun, 01 Nov 2026 12:00:00 GMT\r\n" },
                                                  { .status = 404, .is_head = true, .announced = 0 } };
    AUTO(fixture_done) struct fixture f = { 0 };
    struct s3_head got = { 0 };

    if (!fixture_start(&f, answers, COUNT_OF(answers)) || !CHECK(s3_head(f.client, &object, &got, &f.err)))
        return;
    check_request(&f, 0, "HEAD", OBJECT_PATH);
    check_header(&f, 0, "x-amz-expected-bucket-owner", OWNER);
    CHECK_I64(got.size_bytes, 12345);
    CHECK_I64(got.last_modified_ms, 1793534400000);
    CHECK_TEXT(got.etag, "\"abc\"");
    CHECK_TEXT(got.content_type, "video/mp4");
    CHECK_TEXT(got.storage_class, "STANDARD");
    CHECK(!s3_head(f.client, &object, &got, &f.err));
    CHECK_I64(f.err.kind, ERR_NOT_FOUND);
    CHECK(strstr(f.err.what, "s3://bucket-1/a b/\xc3\xa9+,=.mp4: ") == f.err.what);
}

static void put(void)
{
    static const struct http_answer answers[] = { { .status = 400, .body = "<Error><Code>BadDigest</Code></Error>" },
                                                  { .status = 200 } };
    AUTO(fixture_done) struct fixture f = { 0 };

    if (!fixture_start(&f, answers, COUNT_OF(answers)) ||
        !CHECK(s3_put(f.client, &object, "text/plain", SPAN_LIT("hello"), &f.err)))
        return;
    CHECK_I64(http_script_count(f.script), 2); /* damaged on the way: sent again */
    check_request(&f, 1, "PUT", OBJECT_PATH);
    check_header(&f, 1, "content-type", "text/plain");
    check_header(&f, 1, "x-amz-checksum-crc32", "NhCmhg==");
    check_body(&f, 1, "hello");
}

static void names(void)
{
    static const struct http_answer answers[] = { { .status = 200 } };
    AUTO(fixture_done) struct fixture f = { 0 };
    char key[1025];
    struct s3_ref refs[] = { { SPAN_LIT("Bad_Bucket"), SPAN_LIT("k"), { 0 } },
                             { SPAN_LIT("../../x"), SPAN_LIT("k"), { 0 } },
                             { SPAN_LIT("bucket-1"), { key, sizeof(key) }, { 0 } } };

    memset(key, 'k', sizeof(key));
    if (!fixture_start(&f, answers, 1))
        return;
    for (size_t i = 0; i < COUNT_OF(refs); i++) {
        struct err err = { 0 };

        CHECK(!s3_delete(f.client, &refs[i], &err));
        CHECK_I64(err.kind, ERR_INPUT);
        CHECK_TEXT(err.code, "bad_s3_name");
    }
    CHECK_I64(http_script_count(f.script), 0);
}

static void delete_one(void)
{
    static const struct http_answer answers[] = { { .status = 204 },
                                                  { .status = 404, .body = "<Error><Code>NoSuchKey</Code></Error>" },
                                                  { .status = 404,
                                                    .body = "<Error><Code>NoSuchBucket</Code></Error>" } };
    AUTO(fixture_done) struct fixture f = { 0 };

    if (!fixture_start(&f, answers, COUNT_OF(answers)))
        return;
    CHECK(s3_delete(f.client, &object, &f.err));
    check_request(&f, 0, "DELETE", OBJECT_PATH);
    CHECK(s3_delete(f.client, &object, &f.err));
    CHECK(!s3_delete(f.client, &object, &f.err));
    CHECK_TEXT(f.err.upstream_code, "NoSuchBucket");
}

static void get_small(void)
{
    static const struct http_answer answers[] = {
        { .status = 200, .body = "0123456789", .headers = "ETag: \"e\"\r\n" }
    };
    AUTO(fixture_done) struct fixture f = { 0 };
    AUTO(buf_done) struct buf got = { 0 };

    buf_init(&got, 100);
    if (!fixture_start(&f, answers, 1))
        return;
    CHECK(s3_get_small(f.client, &object, 10, &got, &f.err));
    CHECK_TEXT(buf_cstr(&got), "0123456789");
    CHECK(!s3_get_small(f.client, &object, 9, &got, &f.err));
    CHECK_I64(f.err.kind, ERR_INPUT);
    CHECK_TEXT(f.err.code, "object_too_large");
}

/* The token of one page, which lies in the page's own memory, asks for the next. */
static void list_pages(void)
{
    static const struct http_answer answers[] = {
        { .status = 200, .body = "<Error><Code>InternalError</Code></Error>" }, /* an error in a 200: tried again */
        { .status = 200, .body = LISTING(MORE("1/a+b==") OBJECT("p/a+1")) },
        { .status = 200, .body = LISTING(OBJECT("p/b") "<IsTruncated>false</IsTruncated>") },
    };
    AUTO(fixture_done) struct fixture f = { 0 };
    AUTO(s3_page_done) struct s3_page page = { 0 };
    struct s3_list_request rq = { .bucket = SPAN_LIT("bucket-1"),
                                  .prefix = SPAN_LIT("p/"),
                                  .start_after = SPAN_LIT("p/a b"),
                                  .owner = SPAN_LIT(OWNER) };

    if (!fixture_start(&f, answers, COUNT_OF(answers)) || !CHECK(s3_list_page(f.client, &rq, &page, &f.err)))
        return;
    check_request(&f, 1, "GET",
                  "/bucket-1/?encoding-type=url&list-type=2&max-keys=1000&prefix=p%2F&start-after=p%2Fa%20b");
    check_header(&f, 1, "x-amz-expected-bucket-owner", OWNER);
    CHECK_SPAN(page.objects[0].key, "p/a 1");
    rq.token = buf_view(&page.next_token);
    rq.max_keys = 7;
    CHECK(s3_list_page(f.client, &rq, &page, &f.err));
    check_request(&f, 2, "GET",
                  "/bucket-1/?continuation-token=1%2Fa%2Bb%3D%3D&encoding-type=url&list-type=2&max-keys=7&prefix=p%2F");
    CHECK_SPAN(page.objects[0].key, "p/b");
    CHECK(!page.is_truncated);
}

static void list_loop(void)
{
    static const struct http_answer answers[] = { { .status = 200, .body = LISTING(MORE("same") OBJECT("p/a")) } };
    AUTO(fixture_done) struct fixture f = { 0 };
    AUTO(s3_page_done) struct s3_page page = { 0 };
    struct s3_list_request rq = { .bucket = SPAN_LIT("bucket-1") };

    if (!fixture_start(&f, answers, 1) || !CHECK(s3_list_page(f.client, &rq, &page, &f.err)))
        return;
    rq.token = buf_view(&page.next_token);
    CHECK(!s3_list_page(f.client, &rq, &page, &f.err));
    CHECK_TEXT(f.err.code, "bad_listing");
    CHECK_I64(page.object_count, 0);
}

/* Tokens that take turns would lead in circles for ever; keys that do not go on show it. The page remembers the last
 * key over pages without any; a listing that begins anew is free of it. */
static void list_goes_back(void)
{
    static const struct http_answer answers[] = {
        { .status = 200, .body = LISTING(MORE("A") OBJECT("p/a") OBJECT("p/b")) },
        { .status = 200, .body = LISTING(MORE("B") OBJECT("p/b%00")) },
        { .status = 200, .body = LISTING(MORE("A")) },
        { .status = 200, .body = LISTING(MORE("B") OBJECT("p/b%00") OBJECT("p/c")) },
        { .status = 200, .body = LISTING(MORE("A") OBJECT("p/%C3%A9")) },
        { .status = 200, .body = LISTING(MORE("B") OBJECT("p/a")) },
    };
    static const bool fresh[] = { true, false, false, false, true, false };
    AUTO(fixture_done) struct fixture f = { 0 };
    AUTO(s3_page_done) struct s3_page page = { 0 };

    if (!fixture_start(&f, answers, COUNT_OF(answers)))
        return;
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        struct s3_list_request rq = { .bucket = SPAN_LIT("bucket-1") };
        bool is_good = i != 3 && i != 5;

        test_case("page %zu", i);
        rq.token = fresh[i] ? rq.token : buf_view(&page.next_token);
        f.err = (struct err){ 0 };
        CHECK(s3_list_page(f.client, &rq, &page, &f.err) == is_good);
        CHECK_TEXT(f.err.code, is_good ? "" : "listing_goes_back");
        CHECK_I64(f.err.kind, is_good ? ERR_NONE : ERR_UPSTREAM);
        CHECK(is_good || (page.object_count == 0 && !f.err.retryable));
    }
    test_case(NULL);
}

static bool count_down(void *arg)
{
    return (*(int *)arg)-- > 0;
}

/* A key that XML cannot hold goes by itself, and so does one that the batch could not delete. */
static void delete_prefix(void)
{
    static const struct http_answer answers[] = {
        { .status = 200, .body = LISTING(MORE("t") OBJECT("p/a%26%3C%0D") OBJECT("p/%01") OBJECT("p/c")) },
        { .status = 204 },
        { .status = 200,
          .body = "<DeleteResult><Error><Key>p/c</Key><Code>InternalError</Code></Error></DeleteResult>" },
        { .status = 204 },
        { .status = 200, .body = LISTING("<IsTruncated>false</IsTruncated>") },
    };
    AUTO(fixture_done) struct fixture f = { 0 };
    const struct s3_ref prefix = { SPAN_LIT("bucket-1"), SPAN_LIT("p/"), { 0 } };
    int64_t deleted = 0;
    int asks = 2;

    if (!fixture_start(&f, answers, COUNT_OF(answers)) ||
        !CHECK(s3_delete_prefix(f.client, &prefix, count_down, &asks, &deleted, &f.err)))
        return;
    CHECK_I64(deleted, 3);
    CHECK_I64(asks, 0);
    CHECK_I64(http_script_count(f.script), 5);
    check_request(&f, 1, "DELETE", "/bucket-1/p/%01");
    check_request(&f, 2, "POST", "/bucket-1/?delete=");
    check_header(&f, 2, "content-type", "application/xml");
    check_body(
        &f, 2,
        "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>true</Quiet><Object><Key>p/a&amp;&lt;&#13;"
        "</Key></Object><Object><Key>p/c</Key></Object></Delete>");
    CHECK(http_seen_header(http_script_seen(f.script, 2), "content-md5").len == 24);
    check_request(&f, 3, "DELETE", "/bucket-1/p/c");
}

/* DeleteObjects answers with a document even when all is well and it should be quiet. */
static void delete_prefix_blank_answer(void)
{
    static const struct http_answer answers[] = {
        { .status = 200, .body = LISTING(OBJECT("p/a")) },
        { .status = 200, .body = "" },
        { .status = 200, .body = "<DeleteResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"/>" },
    };
    AUTO(fixture_done) struct fixture f = { 0 };
    const struct s3_ref prefix = { SPAN_LIT("bucket-1"), SPAN_LIT("p/"), { 0 } };
    int64_t deleted = 0;

    CHECK(fixture_start(&f, answers, COUNT_OF(answers)) &&
          s3_delete_prefix(f.client, &prefix, NULL, NULL, &deleted, &f.err));
    CHECK_I64(deleted, 1);
    CHECK_I64(http_script_count(f.script), 3);
}

static void delete_prefix_refusals(void)
{
    static const struct http_answer answers[] = { { .status = 200, .body = LISTING(OBJECT("p/a")) } };
    static const char *const prefixes[] = { "", "/", "p" };
    AUTO(fixture_done) struct fixture f = { 0 };
    const struct s3_ref folder = { SPAN_LIT("bucket-1"), SPAN_LIT("p/"), { 0 } };
    int64_t deleted = 0;
    int asks = 0;

    if (!fixture_start(&f, answers, 1))
        return;
    for (size_t i = 0; i < COUNT_OF(prefixes); i++) {
        const struct s3_ref prefix = { SPAN_LIT("bucket-1"), span_of(prefixes[i]), { 0 } };
        struct err err = { 0 };

        CHECK(!s3_delete_prefix(f.client, &prefix, NULL, NULL, &deleted, &err));
        CHECK_I64(err.kind, ERR_INPUT);
    }
    CHECK(!s3_delete_prefix(f.client, &folder, count_down, &asks, &deleted, &f.err));
    CHECK_I64(f.err.kind, ERR_CANCELLED);
    CHECK_I64(http_script_count(f.script), 0);
}

static void presign(void)
{
    static const struct http_answer answers[] = { { .status = 200 } };
    AUTO(fixture_done) struct fixture f = { 0 };
    AUTO(buf_done) struct buf url = { 0 };
    AUTO(buf_done) struct buf start = { 0 };
    struct s3_presign what = {
        .method = "GET", .ref = object, .expires_s = 60, .response_disposition = "inline; x=\"y\""
    };

    buf_init(&url, 1 << 14);
    buf_init(&start, 1 << 14);
    if (!fixture_start(&f, answers, 1) || !CHECK(s3_presign(f.aws, &what, &url, &f.err)))
        return;
    buf_text(&start, http_script_url(f.script));
    buf_text(&start, OBJECT_PATH "?response-content-disposition=inline%3B%20x%3D%22y%22&X-Amz-Algorithm=");
    CHECK(span_starts(buf_view(&url), buf_view(&start)));
    CHECK(strstr(buf_cstr(&url), "&X-Amz-Expires=60&") != NULL);
    CHECK(strstr(buf_cstr(&url), "&X-Amz-SignedHeaders=host&") != NULL);
    what = (struct s3_presign){ .method = "PUT", .ref = object, .expires_s = 604800, .content_type = "video/mp4" };
    buf_reset(&url);
    CHECK(s3_presign(f.aws, &what, &url, &f.err));
    CHECK(strstr(buf_cstr(&url), "&X-Amz-SignedHeaders=content-type%3Bhost&") != NULL);
    what.expires_s = 604801;
    CHECK(!s3_presign(f.aws, &what, &url, &f.err));
    what.expires_s = 60;
    what.method = "DELETE";
    CHECK(!s3_presign(f.aws, &what, &url, NULL));
}

static const struct test tests[] = {
    { "head", head },
    { "put", put },
    { "names", names },
    { "delete_one", delete_one },
    { "get_small", get_small },
    { "list_pages", list_pages },
    { "list_loop", list_loop },
    { "list_goes_back", list_goes_back },
    { "delete_prefix", delete_prefix },
    { "delete_prefix_blank_answer", delete_prefix_blank_answer },
    { "delete_prefix_refusals", delete_prefix_refusals },
    { "presign", presign },
};

TEST_MAIN("s3_objects", tests)
