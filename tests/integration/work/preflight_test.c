/* A page of preflight, with a real PostgreSQL and a scripted S3 that answers in the order of arrival. */
#include "server/work/preflight.h"

#include "sql/video_store.h"
#include "tests/integration/sql/testdb.h"
#include "tests/unit/aws/aws_fixture.h"

#include <stdio.h>

struct stage {
    struct fixture aws;
    struct testdb t;
    struct db *db;
    struct step step;
    struct work_settings settings;
    struct prefix_row prefix;
    atomic_bool lease_lost, stopping;
    int64_t prefix_id;
};

static void stage_done(struct stage *s)
{
    fixture_done(&s->aws);
    testdb_close(&s->db);
    testdb_end(&s->t);
}

/* A prefix of so many videos, a claimed task, and S3's answers. */
static bool stage_begin(struct stage *s, int videos, const struct http_answer *answers, size_t count)
{
    struct err err = { 0 };
    bool found = false;

    if (!testdb_begin(&s->t, true) || !fixture_start(&s->aws, answers, count))
        return false;
    s->db = testdb_open(&s->t);
    s->prefix_id = testdb_prefix(&s->t, videos);
    testdb_sql(&s->t, "UPDATE video SET etag = '\"v1\"', size_bytes = 100000");
    s->prefix = (struct prefix_row){
        .id = s->prefix_id, .bucket = "bucket-1", .key_prefix = "in/", .bucket_owner = "111122223333"
    };
    s->settings = (struct work_settings){ .preflight_concurrency = 1 };
    s->step = (struct step){ .settings = &s->settings,
                             .db = s->db,
                             .aws = s->aws.aws,
                             .client = s->aws.client,
                             .lease_lost = &s->lease_lost,
                             .stopping = &s->stopping };
    return OK(task_store_add(s->db, "plan", 1, 0, &err)) &&
           OK(task_store_claim(s->db, "{plan}", "test", 60000, &s->step.task, &found, &err)) && CHECK(found);
}

/* Looks into videos, in the order of their names, on from first, then judges. */
static bool look_from(struct stage *s, int first, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct preflight_tally tally = { 0 };
    char sql[120];

    snprintf(sql, sizeof sql, "SELECT id, 'in/' || name, etag, size_bytes FROM video ORDER BY name OFFSET %d", first);
    rows.result = PQexec(s->t.conn, sql);
    rows.count = PQntuples(rows.result);
    return preflight_page(&s->step, &s->prefix, &rows, &tally, err) &&
           preflight_judge(&s->step, &s->prefix, &tally, err);
}

static bool look(struct stage *s, struct err *err)
{
    return look_from(s, 0, err);
}

/* "refusal:duration in ms " of each, by name; '-' for what is NULL, and '.' for those without a row. */
static const char *found(struct stage *s)
{
    static char said[1000];
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    int at = 0;

    rows.result = PQexec(s->t.conn, "SELECT m.video_id, coalesce(m.refusal, '-'), coalesce(m.duration_ms::text, '-')"
                                    "  FROM video v LEFT JOIN video_media m ON m.video_id = v.id ORDER BY v.name");
    said[0] = '\0';
    for (int i = 0; i < PQntuples(rows.result); i++)
        at += db_is_null(&rows, i, 0)
                  ? snprintf(said + at, sizeof said - (size_t)at, ". ")
                  : snprintf(said + at, sizeof said - (size_t)at, "%s:%s ", db_text(&rows, i, 1), db_text(&rows, i, 2));
    return said;
}

#define HEADERS(range) "Content-Range: bytes " range "\r\nETag: \"v1\"\r\nContent-Type: video/mp4\r\n"
#define FTYP                                                                                                           \
    "\0\0\0\x10"                                                                                                       \
    "ftypisom\0\0\0\0"
#define MVHD                                                                                                           \
    "\0\0\0\x6C"                                                                                                       \
    "mvhd\0\0\0\0"                                                                                                     \
    "\0\0\0\0\0\0\0\0"                                                                                                 \
    "\0\0\x03\xE8"                                                                                                     \
    "\0\0\x09\xC4" /* 2500 ms */

static char whole[16 + 8 + 108 + 8];     /* ftyp, moov with mvhd, mdat */
static char head[16 + 8], tail[8 + 108]; /* the same with moov behind an mdat of 50000 bytes */

static void make_files(void)
{
    memcpy(whole,
           FTYP "\0\0\0\x74"
                "moov" MVHD,
           16 + 8 + 28);
    memcpy(whole + 132,
           "\0\0\x10\0"
           "mdat",
           8);
    memcpy(head,
           FTYP "\0\0\xC3\x50"
                "mdat",
           24);
    memcpy(tail, whole + 16, 116);
}

#define PIECE(bytes, range)                                                                                            \
    {                                                                                                                  \
        .status = 206, .headers = HEADERS(range), .body = bytes, .body_len = sizeof bytes                              \
    }

static void facts_and_refusals(void)
{
    static const struct http_answer answers[] = {
        PIECE(whole, "0-139/100000"),
        PIECE(head, "0-23/100000"),
        PIECE(tail, "50016-50131/100000"),
        { .status = 404, .body = "<Error><Code>NoSuchKey</Code></Error>" },
        { .status = 412, .body = "<Error><Code>PreconditionFailed</Code></Error>" },
        { .status = 403, .body = "<Error><Code>InvalidObjectState</Code></Error>" },
        { .status = 403, .body = "<Error><Code>AccessDenied</Code></Error>" },
        { .status = 206, .headers = HEADERS("0-30/100000"), .body = "This is a readme, not a video.\n" },
        { .status = 416, .body = "<Error><Code>InvalidRange</Code></Error>" },
        PIECE(head, "0-23/100000"), /* it vanishes in between */
        { .status = 404, .body = "<Error><Code>NoSuchKey</Code></Error>" },
        /* the second look: only at those whose refusal may have passed */
        { .status = 503, .body = "<Error><Code>SlowDown</Code></Error>" },
        PIECE(whole, "0-139/100000"),
    };
    AUTO(stage_done) struct stage s = { 0 };
    struct err err = { 0 };

    make_files();
    if (!stage_begin(&s, 9, answers, COUNT_OF(answers)))
        return;
    if (!OK(look(&s, &err)))
        return;
    CHECK_TEXT(found(&s), "-:2500 -:2500 vanished:- changed:- archived:- denied:- not_a_video:- empty:- vanished:- ");
    CHECK_I64(http_script_count(s.aws.script), 11);
    check_request(&s.aws, 0, "GET", "/bucket-1/in/v000001.mp4");
    check_header(&s.aws, 0, "range", "bytes=0-32767");
    check_header(&s.aws, 0, "if-match", "\"v1\"");
    check_header(&s.aws, 0, "x-amz-expected-bucket-owner", "111122223333");
    check_request(&s.aws, 2, "GET", "/bucket-1/in/v000002.mp4");
    check_header(&s.aws, 2, "range", "bytes=50016-99999");
    check_header(&s.aws, 2, "if-match", "\"v1\"");
    CHECK_I64(
        testdb_number(&s.t, "SELECT count(*) FROM video_media WHERE content_type = 'video/mp4' AND container = 'mp4'"),
        3);

    OK(look(&s, &err));
    CHECK_TEXT(found(&s), "-:2500 -:2500 -:2500 -:2500 -:2500 -:2500 not_a_video:- -:2500 -:2500 ");
    CHECK_I64(http_script_count(s.aws.script), 11 + 1 + 6);
    OK(look(&s, &err));
    CHECK_I64(http_script_count(s.aws.script), 18); /* all is known */
    testdb_sql(&s.t, "UPDATE video SET etag = '\"v2\"' WHERE name = 'v000007.mp4'");
    OK(look(&s, &err));
    CHECK_I64(http_script_count(s.aws.script), 19);
    check_header(&s.aws, 18, "if-match", "\"v2\"");
}

/* Ten denials and nothing else, of a prefix of which no video was ever read, are no fault of the videos. */
static void our_own_permissions(void)
{
    static const struct http_answer denied[] = { { .status = 403,
                                                   .body = "<Error><Code>AccessDenied</Code></Error>" } };

    for (int videos = 9; videos <= 10; videos++) {
        AUTO(stage_done) struct stage s = { 0 };
        struct err err = { 0 };

        test_case("%d videos", videos);
        if (!stage_begin(&s, videos, denied, 1))
            return;
        if (videos == 9)
            OK(look(&s, &err));
        else
            FAILS(look(&s, &err), ERR_DENIED, "denied");
        CHECK_I64(testdb_number(&s.t, "SELECT count(*) FROM video_media WHERE refusal = 'denied'"), videos);
    }
    test_case(NULL);
}

/* Where another video of the prefix was read once, it is these that are denied, however many. */
static void a_folder_that_is_denied(void)
{
    static const struct http_answer answers[] = {
        PIECE(whole, "0-139/100000"),
        { .status = 403, .body = "<Error><Code>AccessDenied</Code></Error>" },
    };
    AUTO(stage_done) struct stage s = { 0 };
    struct err err = { 0 };

    make_files();
    if (!stage_begin(&s, 30, answers, COUNT_OF(answers)))
        return;
    OK(look(&s, &err));
    OK(look_from(&s, 1, &err)); /* those that were denied alone: the next day's look */
    CHECK_I64(testdb_number(&s.t, "SELECT count(*) FROM video_media WHERE refusal = 'denied'"), 29);
}

/* S3 refuses one object (400): that is this object's, unless it is all of them. */
static void unreadable_objects(void)
{
    static const struct http_answer answers[] = {
        PIECE(whole, "0-139/100000"),
        { .status = 400, .body = "<Error><Code>InvalidRequest</Code><Message>SSE-C</Message></Error>" },
        { .status = 400, .body = "<Error><Code>KMS.DisabledException</Code></Error>" },
    };
    AUTO(stage_done) struct stage s = { 0 }, all = { 0 };
    struct err err = { 0 };

    make_files();
    if (!stage_begin(&s, 3, answers, COUNT_OF(answers)))
        return;
    OK(look(&s, &err));
    CHECK_TEXT(found(&s), "-:2500 unreadable:- unreadable:- ");
    if (!stage_begin(&all, 3, answers + 2, 1))
        return;
    CHECK(!look(&all, &err));
    CHECK_I64(err.kind, ERR_INPUT);
    CHECK(!err.retryable);
    CHECK_TEXT(err.upstream_code, "KMS.DisabledException");
}

/* What concerns more than one video is the page's error, and nothing of the page is stored. */
static void errors_of_the_page(void)
{
    static const struct {
        const char *body;
        int status;
        enum err_kind kind;
        bool retryable;
    } cases[] = {
        { "<Error><Code>SlowDown</Code></Error>", 503, ERR_BUSY, true },
        { "<Error><Code>InternalError</Code></Error>", 500, ERR_UPSTREAM, true },
        { "<Error><Code>NoSuchBucket</Code></Error>", 404, ERR_NOT_FOUND, false },
        { "<Error><Code>SignatureDoesNotMatch</Code></Error>", 403, ERR_DENIED, false },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct http_answer answers[] = { PIECE(whole, "0-139/100000"),
                                               { .status = cases[i].status, .body = cases[i].body } };
        AUTO(stage_done) struct stage s = { 0 };
        struct err err = { 0 };

        test_case("%s", cases[i].body);
        make_files();
        if (!stage_begin(&s, 3, answers, 2))
            return;
        CHECK(!look(&s, &err));
        CHECK_I64(err.kind, cases[i].kind);
        CHECK_I64(err.retryable, cases[i].retryable);
        CHECK_TEXT(found(&s), ". . . ");
    }
    test_case(NULL);
}

static void a_lost_lease_stores_nothing(void)
{
    static const struct http_answer answers[] = { PIECE(whole, "0-139/100000") };
    AUTO(stage_done) struct stage s = { 0 };
    struct err err = { 0 };

    make_files();
    if (!stage_begin(&s, 3, answers, 1))
        return;
    testdb_sql(&s.t, "UPDATE task SET attempt = attempt + 1 WHERE kind = 'plan'");
    FAILS(look(&s, &err), ERR_CANCELLED, "lease_lost");
    CHECK_TEXT(found(&s), ". . . ");
    atomic_store(&s.stopping, true);
    FAILS(look(&s, &err), ERR_CANCELLED, "stopping");
}

/* Servers that know no Range: the head is read all the same, what lies behind is not known. */
static void servers_without_range(void)
{
    static const struct http_answer answers[] = {
        { .status = 200, .headers = "ETag: \"v1\"\r\n", .body = whole, .body_len = sizeof whole },
        { .status = 200, .headers = "ETag: \"v1\"\r\n", .body = head, .body_len = sizeof head },
        { .status = 200, .headers = "ETag: \"v1\"\r\n", .body = head, .body_len = sizeof head },
    };
    AUTO(stage_done) struct stage s = { 0 };
    struct err err = { 0 };

    make_files();
    if (!stage_begin(&s, 2, answers, COUNT_OF(answers)))
        return;
    OK(look(&s, &err));
    CHECK_TEXT(found(&s), "-:2500 -:- ");
    CHECK_I64(http_script_count(s.aws.script), 3);
}

static const struct test tests[] = {
    { "facts_and_refusals", facts_and_refusals },       { "our_own_permissions", our_own_permissions },
    { "errors_of_the_page", errors_of_the_page },       { "a_lost_lease_stores_nothing", a_lost_lease_stores_nothing },
    { "servers_without_range", servers_without_range }, { "a_folder_that_is_denied", a_folder_that_is_denied },
    { "unreadable_objects", unreadable_objects },
};

TEST_MAIN("work/preflight", tests)
