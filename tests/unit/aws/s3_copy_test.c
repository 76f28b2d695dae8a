/* Server-side copies, against a scripted server. */
#include "aws/s3.h"

#include "tests/unit/aws/aws_fixture.h"

#include <stdio.h>

struct copies {
    const char *from[4]; /* keys; NULL ends */
    size_t next;
    size_t stop_after; /* so many results */
    size_t results;
    char story[256]; /* "key:kind/AWS's code " for each result */
};

static bool next_copy(void *arg, struct s3_copy *copy, void **item)
{
    struct copies *c = arg;

    if (c->next == COUNT_OF(c->from) || !c->from[c->next])
        return false;
    *copy =
        (struct s3_copy){ .from = { SPAN_LIT("source-bucket"), span_of(c->from[c->next]), SPAN_LIT("111122223333") },
                          .from_etag = SPAN_LIT("\"v1\""),
                          .to = { SPAN_LIT("bucket-1"), SPAN_LIT("v/1.mp4"), SPAN_LIT("444455556666") },
                          .content_type = "video/mp4" };
    *item = (void *)c->from[c->next++];
    return true;
}

static bool copy_done(void *arg, void *item, const struct err *copy_err, struct err *err)
{
    struct copies *c = arg;
    size_t at = strlen(c->story);

    (void)snprintf(c->story + at, sizeof(c->story) - at, "%s:%s%s%s ", (const char *)item,
                   copy_err ? err_kind_name(copy_err->kind) : "ok", copy_err && copy_err->upstream_code[0] ? "/" : "",
                   copy_err ? copy_err->upstream_code : "");
    return ++c->results != c->stop_after || err_set(err, ERR_CANCELLED, false, HERE, "enough");
}

static void copies(void)
{
    static const struct http_answer answers[] = {
        { .status = 200, .body = "<Error><Code>InternalError</Code></Error>" },
        { .status = 200 },
        { .status = 200, .body = "<CopyObjectResult><ETag>\"x\"</ETag></CopyObjectResult>" },
        { .status = 404, .body = "<Error><Code>NoSuchKey</Code></Error>" },
        { .status = 412, .body = "<Error><Code>PreconditionFailed</Code></Error>" },
    };
    AUTO(fixture_done) struct fixture f = { 0 };
    struct copies c = { .from = { "a b/\xc3\xa9", "", "gone", "changed" } };
    const struct s3_copy_many many = { next_copy, copy_done, &c, 1 };

    if (!fixture_start(&f, answers, COUNT_OF(answers)))
        return;
    CHECK(s3_copy_objects(f.client, &many, &f.err));
    CHECK_TEXT(c.story, "a b/\xc3\xa9:ok :input gone:not_found/NoSuchKey changed:conflict/PreconditionFailed ");
    CHECK_I64(http_script_count(f.script), 5);
    check_request(&f, 1, "PUT", "/bucket-1/v/1.mp4");
    check_header(&f, 1, "x-amz-copy-source", "source-bucket/a%20b/%C3%A9");
    check_header(&f, 1, "x-amz-copy-source-if-match", "\"v1\"");
    check_header(&f, 1, "x-amz-metadata-directive", "REPLACE");
    check_header(&f, 1, "x-amz-expected-bucket-owner", "444455556666");
    check_header(&f, 1, "x-amz-source-expected-bucket-owner", "111122223333");
    check_header(&f, 1, "content-type", "video/mp4");
}

/* Objects that must be restored first are told from other refusals by AWS's own code. */
static void copies_of_archived(void)
{
    static const struct http_answer answers[] = {
        { .status = 403, .body = "<Error><Code>InvalidObjectState</Code><StorageClass>GLACIER</StorageClass></Error>" },
        { .status = 403, .body = "<Error><Code>ObjectNotInActiveTierError</Code></Error>" },
        { .status = 403, .body = "<Error><Code>AccessDenied</Code></Error>" },
    };
    AUTO(fixture_done) struct fixture f = { 0 };
    struct copies c = { .from = { "a", "b", "c" } };
    const struct s3_copy_many many = { next_copy, copy_done, &c, 1 };

    CHECK(fixture_start(&f, answers, COUNT_OF(answers)) && s3_copy_objects(f.client, &many, &f.err));
    CHECK_TEXT(c.story, "a:denied/InvalidObjectState b:denied/ObjectNotInActiveTierError c:denied/AccessDenied ");
}

static void copies_stop(void)
{
    static const struct http_answer answers[] = { { .status = 200, .body = "<CopyObjectResult/>" } };

    for (size_t stop_after = 1; stop_after <= 2; stop_after++) { /* after a copy, and after one that was never sent */
        AUTO(fixture_done) struct fixture f = { 0 };
        struct copies c = { .from = { "a", "", "b" }, .stop_after = stop_after };
        const struct s3_copy_many many = { next_copy, copy_done, &c, 1 };

        if (!fixture_start(&f, answers, 1))
            return;
        CHECK(!s3_copy_objects(f.client, &many, &f.err));
        CHECK_TEXT(f.err.what, "enough");
        CHECK_I64(c.results, stop_after);
        CHECK_I64(http_script_count(f.script), 1);
    }
}

static const struct test tests[] = {
    { "copies", copies },
    { "copies_of_archived", copies_of_archived },
    { "copies_stop", copies_stop },
};

TEST_MAIN("s3_copy", tests)
