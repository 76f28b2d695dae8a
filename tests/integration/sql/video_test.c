/* Videos: what a scan changes, what lists show, what a job would take. */
#include "server/base/clock.h"
#include "sql/video_scan.h"
#include "sql/video_store.h"
#include "tests/integration/sql/testdb.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

struct listed {
    const char *name;
    int64_t size_bytes, modified_ms;
    const char *etag, *reason;
};

static void add_videos(struct db *db, int64_t prefix, const struct listed *items, int count)
{
    struct err err = { 0 };
    struct video_ids ids;
    struct db_copy copy;

    if (!OK(video_scan_ids(db, count, &ids, &err)) || !OK(video_scan_add_begin(db, &copy, &err)))
        return;
    for (int i = 0; i < count; i++)
        video_scan_add(&copy, &ids, prefix, span_of(items[i].name), items[i].size_bytes, items[i].modified_ms,
                       span_of(items[i].etag), items[i].reason ? span_of(items[i].reason) : (struct span){ 0 });
    OK(db_copy_end(&copy, &err));
}

/* Names in (after, through], by pages of 2, joined; those that vanished are marked. */
static const char *known(struct db *db, int64_t prefix, const char *after, struct span through)
{
    static char said[400];
    char last[40] = "";
    struct err err = { 0 };

    said[0] = 0;
    for (bool more = true; more;) {
        AUTO(db_rows_done) struct db_rows rows = { 0 };

        if (!OK(video_scan_ask_known(db, prefix, after != NULL, span_of(after), through, 2, &err) &&
                video_scan_take_known(db, &rows, &err)))
            return "";
        for (int i = 0; i < rows.count; i++) {
            struct video_known row;

            video_known_read(&rows, i, &row);
            snprintf(said + strlen(said), sizeof said - strlen(said), "[%.*s%s]", SPAN_ARG(row.name),
                     row.is_vanished ? " gone" : "");
            snprintf(last, sizeof last, "%.*s", SPAN_ARG(row.name));
            after = last;
        }
        more = rows.count == 2;
    }
    return said;
}

static void a_scan_asks_for_stretches(void)
{
    static const struct listed items[] = {
        { "", 1, 1, "e", NULL },
        { "a", 1, 1, "e", NULL },
        { "b", 1, 1, "e", "type" },
        { "b/c", 1, 1, "e", NULL },
        { "\xf4\x8f\xbf\xbf", 1, 1, "e", NULL },
    };
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };
    bool is_first = false;
    int64_t prefix = 0;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    testdb_prefix(&t, 3);
    prefix = testdb_prefix(&t, 0);
    OK(video_scan_is_first(db, prefix, &is_first, &err));
    CHECK(is_first);
    add_videos(db, prefix, items, 5);
    OK(video_scan_is_first(db, prefix, &is_first, &err));
    CHECK(!is_first);
    testdb_sql(&t, "UPDATE video SET vanished_at = now() WHERE name = 'a'");
    CHECK_I64(video_scan_end().len, 1024);
    CHECK_TEXT(known(db, prefix, NULL, video_scan_end()), "[][a gone][b][b/c][\xf4\x8f\xbf\xbf]");
    CHECK_TEXT(known(db, prefix, "", video_scan_end()), "[a gone][b][b/c][\xf4\x8f\xbf\xbf]");
    CHECK_TEXT(known(db, prefix, NULL, SPAN_LIT("")), "[]");
    CHECK_TEXT(known(db, prefix, "a", SPAN_LIT("b")), "[b]");
    CHECK_TEXT(known(db, prefix, "b", SPAN_LIT("b/")), "");
}

/* As unique, and as ordered, as those of next_id(), though other sessions draw meanwhile. */
static void ids_come_in_blocks(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };
    struct video_ids first, second;
    int64_t between;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    OK(video_scan_ids(db, 1000, &first, &err));
    between = testdb_number(&t, "SELECT next_id()");
    OK(video_scan_ids(db, 1000, &second, &err));
    CHECK_I64(first.last - first.next, 999);
    CHECK(second.next > first.last + 1);
    CHECK(first.time_part <= between && between >> 22 <= second.time_part >> 22);
    CHECK_I64(first.time_part & 4194303, 0);
    CHECK(testdb_number(&t, "SELECT next_id()") >> 22 >= first.time_part >> 22);
}

/* All names by pages of 2, joined with blanks. */
static const char *list(struct db *db, int64_t prefix, enum video_filter filter)
{
    static char said[400];
    char after[40] = "";
    bool has_after = false;
    struct err err = { 0 };

    said[0] = 0;
    for (bool more = true; more;) {
        AUTO(db_rows_done) struct db_rows rows = { 0 };

        if (!OK(video_store_list(db, prefix, filter, has_after, span_of(after), 2, &rows, &err)))
            return "";
        for (int i = 0; i < rows.count; i++) {
            struct video_row row;
            video_row_read(&rows, i, &row);
            snprintf(said + strlen(said), sizeof said - strlen(said), "[%s]", row.name);
            snprintf(after, sizeof after, "%s", row.name);
            has_after = true;
        }
        more = rows.count == 2;
    }
    return said;
}

static void lists_in_key_order(void)
{
    /* S3's order is that of the bytes; the empty name is an object whose key is the prefix itself. */
    static const struct listed items[] = {
        { "b", 1, 1, "e", NULL }, { "B", 1, 1, "e", "type" },  { "a/1", 1, 1, "e", NULL },
        { "", 1, 1, "e", NULL },  { "_", 1, 1, "e", NULL },    { "\xc3\xa9", 1, 1, "e", "size" },
        { "z", 1, 1, "e", NULL }, { "gone", 1, 1, "e", NULL },
    };
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    int64_t prefix = 0;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    prefix = testdb_prefix(&t, 0);
    add_videos(db, prefix, items, 8);
    testdb_sql(&t, "UPDATE video SET vanished_at = now() WHERE name = 'gone'");
    CHECK_TEXT(list(db, prefix, VIDEO_ALL), "[][B][_][a/1][b][z][\xc3\xa9]");
    CHECK_TEXT(list(db, prefix, VIDEO_ELIGIBLE), "[][_][a/1][b][z]");
    CHECK_TEXT(list(db, prefix, VIDEO_NOT_ELIGIBLE), "[B][\xc3\xa9]");
    CHECK_TEXT(list(db, prefix + 1, VIDEO_ALL), "");
}

static void gets_one(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    AUTO(db_rows_done) struct db_rows none = { 0 };
    struct err err = { 0 };
    struct video_row row;
    int64_t prefix = 0;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    prefix = testdb_prefix(&t, 1);
    OK(video_store_get(db, testdb_number(&t, "SELECT id FROM video"), &rows, &row, &err));
    CHECK_I64(row.prefix_id, prefix);
    CHECK_TEXT(row.name, "v000001.mp4");
    CHECK_TEXT(row.etag, "\"1\"");
    CHECK_I64(row.size_bytes, 1);
    CHECK_I64(row.modified_ms, INT64_C(1704067200000));
    CHECK_I64(row.vanished_ms, 0);
    CHECK(!row.reason && !row.bucket_owner);
    FAILS(video_store_get(db, 1, &none, &row, &err), ERR_NOT_FOUND, NULL);
    CHECK(!none.result);
}

static int64_t selected(struct db *db, int64_t prefix, const char *mode, unsigned char recipe_byte)
{
    unsigned char recipe[32];
    struct err err = { 0 };
    int64_t count = -1;

    memset(recipe, recipe_byte, sizeof recipe);
    OK(video_store_count_selected(db, prefix, mode, recipe, &count, &err));
    return count;
}

static void selects_what_is_new(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    int64_t prefix = 0;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    prefix = testdb_prefix(&t, 10);
    testdb_prefix(&t, 5);
    testdb_sql(&t, "UPDATE video SET reason = 'size' WHERE size_bytes = 9; UPDATE video SET vanished_at = now() WHERE "
                   "size_bytes = 10");
    CHECK_I64(selected(db, prefix, "all", 1), 8);
    CHECK_I64(selected(db, prefix, "new", 1), 8);
    testdb_planned_job(&t, prefix, 2, 1);
    CHECK_I64(selected(db, prefix, "new", 1), 0); /* a job is still at it */
    CHECK_I64(selected(db, prefix, "new", 2), 8);
    testdb_sql(&t, "UPDATE job SET state = 'failed'");
    CHECK_I64(selected(db, prefix, "new", 1), 8); /* planned is not answered */
    testdb_sql(
        &t,
        "INSERT INTO summary (record_id, job_id, shard_id, video_id, created_at, state, ingest_round, text_altered)"
        " SELECT r.id, job_id, shard_id, video_id, now(), CASE WHEN size_bytes = 1 THEN 'failed' WHEN size_bytes = 2"
        " THEN 'missing' ELSE 'succeeded' END::summary_state, 1, false FROM record r JOIN video v ON v.id = video_id");
    CHECK_I64(selected(db, prefix, "new", 1), 2);
    CHECK_I64(selected(db, prefix, "new", 2), 8); /* another question */
    CHECK_I64(selected(db, prefix, "all", 1), 8);
    testdb_sql(&t, "UPDATE video SET etag = 'changed' WHERE size_bytes = 5");
    CHECK_I64(selected(db, prefix, "new", 1), 3);
    testdb_planned_job(&t, prefix, 2, 1); /* answered twice still counts once */
    testdb_sql(
        &t, "INSERT INTO summary (record_id, job_id, shard_id, video_id, created_at, state, ingest_round, text_altered)"
            " SELECT r.id, job_id, shard_id, video_id, now(), 'succeeded', 1, false FROM record r"
            " WHERE NOT EXISTS (SELECT FROM summary WHERE record_id = r.id)");
    CHECK_I64(selected(db, prefix, "new", 1), 0);
}

struct count {
    int64_t prefix, at_most, patience_ms, count;
    const char *mode;
    bool known;
};

static bool count_up_to(struct db *db, void *arg, struct err *err)
{
    static const unsigned char recipe[32] = { 1 };
    struct count *c = arg;

    c->count = -1;
    return video_store_count_selected_up_to(db, c->prefix, c->mode, recipe, c->at_most, c->patience_ms, &c->count,
                                            &c->known, err) &&
           db_ping(db, err);
}

static void counts_no_further_than_asked(void)
{
    static const struct {
        const char *mode;
        int64_t at_most, want;
    } cases[] = { { "all", 3, 3 }, { "all", 5, 5 }, { "all", 6, 5 }, { "new", 3, 3 }, { "new", 100, 5 } };
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };
    struct count c = { .patience_ms = 60000 };

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    c.prefix = testdb_prefix(&t, 5);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        test_case("%s %lld", cases[i].mode, (long long)cases[i].at_most);
        c.mode = cases[i].mode;
        c.at_most = cases[i].at_most;
        OK(db_transaction(db, count_up_to, &c, &err));
        CHECK(c.known);
        CHECK_I64(c.count, cases[i].want);
    }
    test_case(NULL);
    FAILS(count_up_to(db, &c, &err), ERR_INTERNAL, NULL);
}

static bool count_and_wait(struct db *db, void *arg, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct video_row video;

    /* the same lock again, under the session's own limit */
    return count_up_to(db, arg, err) && video_store_get(db, 1, &rows, &video, err);
}

static void gives_up_counting_and_goes_on(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };
    struct count c = { .mode = "all", .at_most = 1, .patience_ms = 50 };
    int64_t started_ms = 0;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open_with(&t, (struct db_options){ .statement_timeout_ms = 600 });
    c.prefix = testdb_prefix(&t, 5);
    testdb_sql(&t, "BEGIN; LOCK TABLE video");
    OK(db_transaction(db, count_up_to, &c, &err));
    CHECK(!c.known);
    CHECK_I64(c.count, 0);
    c.patience_ms = 60000; /* the session's limit is shorter, and holds */
    OK(db_transaction(db, count_up_to, &c, &err));
    CHECK(!c.known);
    c.patience_ms = 50;
    started_ms = clock_mono_ms();
    FAILS(db_transaction(db, count_and_wait, &c, &err), ERR_DATABASE, "query_timeout");
    CHECK(clock_mono_ms() - started_ms >= 600); /* the patience was for the count alone */
    testdb_sql(&t, "COMMIT");
    c.patience_ms = 60000;
    OK(db_transaction(db, count_up_to, &c, &err));
    CHECK(c.known);
    CHECK_I64(c.count, 1);
}

/* What a look found counts at the ETag it was taken at, for lists as for a single video. */
static void looks_refuse(void)
{
    static const struct listed items[] = {
        { "a", 1, 1, "e1", NULL }, { "b", 1, 1, "e1", "size" }, { "c", 1, 1, "e1", NULL },
        { "d", 1, 1, "e1", NULL }, { "e", 1, 1, "e1", NULL },   { "f", 1, 1, "e1", NULL },
    };
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct video_row row;
    struct err err = { 0 };
    int64_t prefix = 0;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    prefix = testdb_prefix(&t, 0);
    add_videos(db, prefix, items, 6);
    testdb_sql(&t,
               "INSERT INTO video_media (video_id, etag, checked_at, duration_ms, width, height, container, refusal,"
               "                         refused_prefix_id, refused_name)"
               " SELECT id, CASE name WHEN 'd' THEN 'e0' ELSE etag END, to_timestamp(5), 1500, 640, 360, 'mp4',"
               "        CASE WHEN name <> 'a' THEN 'not_a_video' END,"
               "        CASE WHEN name <> 'a' THEN prefix_id END, CASE WHEN name <> 'a' THEN name END"
               "   FROM video WHERE name <> 'f'");
    testdb_sql(&t, "UPDATE video SET vanished_at = now() WHERE name = 'e'");
    CHECK_TEXT(list(db, prefix, VIDEO_ALL), "[a][b][c][d][f]");
    CHECK_TEXT(list(db, prefix, VIDEO_ELIGIBLE), "[a][d][f]");
    CHECK_TEXT(list(db, prefix, VIDEO_NOT_ELIGIBLE), "[b][c]");
    if (!OK(video_store_list(db, prefix, VIDEO_ALL, false, span_of(""), 10, &rows, &err)) || !CHECK_I64(rows.count, 5))
        return;
    video_row_read(&rows, 0, &row);
    CHECK_TEXT(video_row_reason(&row), NULL);
    CHECK_I64(row.media.checked_ms, 5000);
    CHECK(row.media.has_duration && row.media.has_size);
    CHECK_I64(row.media.duration_ms, 1500);
    CHECK_I64(row.media.width, 640);
    CHECK_I64(row.media.height, 360);
    CHECK_TEXT(row.media.container, "mp4");
    CHECK_TEXT(row.media.codec, NULL);
    video_row_read(&rows, 1, &row);
    CHECK_TEXT(video_row_reason(&row), "size");
    video_row_read(&rows, 2, &row);
    CHECK_TEXT(video_row_reason(&row), "not_a_video");
    video_row_read(&rows, 3, &row); /* it changed since */
    CHECK_TEXT(video_row_reason(&row), NULL);
    CHECK_I64(row.media.checked_ms, 0);
}

static const struct test tests[] = {
    { "a scan asks for stretches", a_scan_asks_for_stretches },
    { "ids come in blocks", ids_come_in_blocks },
    { "lists in key order", lists_in_key_order },
    { "looks refuse", looks_refuse },
    { "gets one", gets_one },
    { "selects what is new", selects_what_is_new },
    { "counts no further than asked", counts_no_further_than_asked },
    { "gives up counting and goes on", gives_up_counting_and_goes_on },
};
TEST_MAIN("sql/video", tests)
