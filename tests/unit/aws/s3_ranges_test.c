/* Pieces of objects, against a scripted server. */
#include "aws/s3.h"

#include "server/base/mem.h"
#include "tests/unit/aws/aws_fixture.h"

#include <stdio.h>

struct pieces {
    const char *keys[6]; /* NULL ends */
    int64_t offset;
    size_t len;
    size_t next, results, stop_after;
    char story[400]; /* "key:bytes(content type) " or "key:kind/code " for each result */
};

static bool next_piece(void *arg, struct s3_range *range, void **item)
{
    struct pieces *p = arg;

    if (p->next == COUNT_OF(p->keys) || !p->keys[p->next])
        return false;
    *range = (struct s3_range){ { SPAN_LIT("bucket-1"), span_of(p->keys[p->next]), SPAN_LIT("111122223333") },
                                SPAN_LIT("\"v1\""),
                                p->offset,
                                p->len };
    *item = (void *)p->keys[p->next++];
    return true;
}

static bool piece_done(void *arg, void *item, const struct s3_range_got *got, const struct err *range_err,
                       struct err *err)
{
    struct pieces *p = arg;
    const size_t at = strlen(p->story);
    char *to = p->story + at;
    const size_t room = sizeof(p->story) - at;

    CHECK(!got != !range_err);
    if (got)
        (void)snprintf(to, room, "%s:%.*s(%s) ", (const char *)item, SPAN_ARG(got->bytes), got->content_type);
    else
        (void)snprintf(to, room, "%s:%s/%s ", (const char *)item, err_kind_name(range_err->kind),
                       range_err->upstream_code[0] ? range_err->upstream_code : range_err->code);
    return ++p->results != p->stop_after || err_set(err, ERR_CANCELLED, false, HERE, "enough");
}

static void read_pieces(struct fixture *f, struct pieces *p, const struct http_answer *answers, size_t count)
{
    const struct s3_range_many many = { next_piece, piece_done, p, 1 };

    if (fixture_start(f, answers, count))
        CHECK(s3_read_ranges(f->client, &many, &f->err));
}

#define RANGE(text) "Content-Range: bytes " text "\r\nETag: \"v1\"\r\nContent-Type: video/mp4\r\n"

static void pieces(void)
{
    static const struct http_answer answers[] = {
        { .status = 206, .headers = RANGE("4-7/100"), .body = "ftyp" },
        { .status = 206, .headers = RANGE("4-5/6"), .body = "ft" },
        { .status = 503, .body = "<Error><Code>SlowDown</Code></Error>" },
        { .status = 206, .headers = RANGE("4-7/100"), .body = "moov" },
    };
    AUTO(fixture_done) struct fixture f = { 0 };
    struct pieces p = { .keys = { "a b", "short", "slow" }, .offset = 4, .len = 4 };

    read_pieces(&f, &p, answers, COUNT_OF(answers));
    CHECK_TEXT(p.story, "a b:ftyp(video/mp4) short:ft(video/mp4) slow:moov(video/mp4) ");
    check_request(&f, 0, "GET", "/bucket-1/a%20b");
    check_header(&f, 0, "range", "bytes=4-7");
    check_header(&f, 0, "if-match", "\"v1\"");
    check_header(&f, 0, "x-amz-expected-bucket-owner", "111122223333");
    CHECK_I64(http_script_connections(f.script), 1);
}

static void refused_pieces(void)
{
    static const struct http_answer answers[] = {
        { .status = 404, .body = "<Error><Code>NoSuchKey</Code></Error>" },
        { .status = 412, .body = "<Error><Code>PreconditionFailed</Code></Error>" },
        { .status = 403, .body = "<Error><Code>InvalidObjectState</Code><StorageClass>GLACIER</StorageClass></Error>" },
        { .status = 403, .body = "<Error><Code>AccessDenied</Code></Error>" },
        { .status = 416,
          .headers = "Content-Range: bytes */0\r\n",
          .body = "<Error><Code>InvalidRange</Code></Error>" },
    };
    AUTO(fixture_done) struct fixture f = { 0 };
    struct pieces p = { .keys = { "gone", "changed", "cold", "denied", "empty", "" }, .len = 4 };

    read_pieces(&f, &p, answers, COUNT_OF(answers));
    CHECK_TEXT(p.story, "gone:not_found/NoSuchKey changed:conflict/PreconditionFailed cold:denied/InvalidObjectState "
                        "denied:denied/AccessDenied empty:() :input/ ");
    CHECK_I64(http_script_count(f.script), 5); /* nothing was sent for the one without a key */
}

/* Servers that do not know Range or If-Match, and those that answer something else. */
static void odd_servers(void)
{
    static const struct http_answer answers[] = {
        { .status = 200, .headers = "ETag: \"v1\"\r\n", .body = "0123456789", .repeat = 1000000 },
        { .status = 200, .headers = "ETag: \"v1\"\r\n", .body = "01" },
        { .status = 200, .headers = "ETag: \"v2\"\r\n", .body = "0123" },
        { .status = 206, .headers = RANGE("1-4/100"), .body = "1234" },
        { .status = 206, .headers = "ETag: \"v1\"\r\n", .body = "0123" },
        { .status = 206, .headers = RANGE("0-9/100"), .body = "0123456789" },
    };
    AUTO(fixture_done) struct fixture f = { 0 };
    struct pieces p = { .keys = { "whole", "small", "v2", "shifted", "no range", "more" }, .len = 4 };

    read_pieces(&f, &p, answers, COUNT_OF(answers));
    CHECK_TEXT(p.story, "whole:0123() small:01() v2:conflict/object_changed shifted:upstream/bad_range "
                        "no range:upstream/bad_range more:0123(video/mp4) ");
    CHECK(http_script_sent(f.script) < 8000000); /* the rest was not waited for */
}

static void whole_objects_have_no_middle(void)
{
    static const struct http_answer answers[] = {
        { .status = 200, .headers = "ETag: \"v1\"\r\n", .body = "0123456789" }
    };
    AUTO(fixture_done) struct fixture f = { 0 };
    struct pieces p = { .keys = { "whole" }, .offset = 4, .len = 4 };

    read_pieces(&f, &p, answers, 1);
    CHECK_TEXT(p.story, "whole:upstream/range_ignored ");
}

static void reading_stops(void)
{
    static const struct http_answer answers[] = { { .status = 206, .headers = RANGE("0-3/9"), .body = "ftyp" } };

    for (size_t stop_after = 1; stop_after <= 2; stop_after++) { /* after a piece, and after one that was never sent */
        AUTO(fixture_done) struct fixture f = { 0 };
        struct pieces p = { .keys = { "a", "", "b" }, .len = 4, .stop_after = stop_after };
        const struct s3_range_many many = { next_piece, piece_done, &p, 1 };

        if (!fixture_start(&f, answers, 1))
            return;
        CHECK(!s3_read_ranges(f.client, &many, &f.err));
        CHECK_TEXT(f.err.what, "enough");
        CHECK_I64(p.results, stop_after);
        CHECK_I64(http_script_count(f.script), 1);
    }
}

/* Whichever allocation fails, the piece is read whole or its failure is told once. */
static void out_of_memory(void)
{
    static const struct http_answer answers[] = { { .status = 206, .headers = RANGE("0-3/9"), .body = "ftyp" } };
    bool all_done = false;

    for (uint64_t n = 1; n < 200 && !all_done; n++) {
        AUTO(fixture_done) struct fixture f = { 0 };
        struct pieces p = { .keys = { "a" }, .len = 4 };
        const struct s3_range_many many = { next_piece, piece_done, &p, 1 };
        bool ok;

        test_case("allocation %d", (int)n);
        if (!fixture_start(&f, answers, 1))
            return;
        mem_fail_at(n);
        ok = s3_read_ranges(f.client, &many, &f.err);
        mem_fail_never();
        all_done = ok && strcmp(p.story, "a:ftyp(video/mp4) ") == 0;
        CHECK(all_done || (!ok && f.err.kind == ERR_MEMORY && p.results == 0) ||
              (p.results == 1 && strncmp(p.story, "a:memory/", 9) == 0));
    }
    CHECK(all_done);
    test_case(NULL);
}

static const struct test tests[] = {
    { "pieces", pieces },
    { "refused_pieces", refused_pieces },
    { "odd_servers", odd_servers },
    { "whole_objects_have_no_middle", whole_objects_have_no_middle },
    { "reading_stops", reading_stops },
    { "out_of_memory", out_of_memory },
};

TEST_MAIN("s3_ranges", tests)
