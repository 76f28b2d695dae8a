/* Imports: one of a place, records from what was read, videos under the longest prefix. */
#include "sql/import_store.h"
#include "sql/job_store.h"
#include "tests/integration/sql/testdb.h"
#include "tests/support/test.h"

struct creation {
    const char *output;
    int64_t id;
    bool exists;
};

static bool create(struct db *db, void *arg, struct err *err)
{
    struct creation *creation = arg;
    const struct import_new in = { .name = SPAN_LIT("n"),
                                   .model_id = SPAN_LIT("unknown"),
                                   .output_uri = span_of(creation->output) };

    return import_store_create(db, &in, &creation->id, &creation->exists, err);
}

static void a_place_is_imported_once(void)
{
    AUTO(testdb_close) struct db *db = NULL;
    struct creation first = { .output = "s3://b/out/" }, again = first, other = { .output = "s3://b/out2/" };
    struct err err = { 0 };
    struct testdb t;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    OK(db_transaction(db, create, &first, &err));
    CHECK(!first.exists);
    OK(db_transaction(db, create, &again, &err));
    CHECK(again.exists && again.id == first.id);
    OK(db_transaction(db, create, &other, &err));
    CHECK(!other.exists && other.id != first.id);
    /* one that failed or was cancelled does not stand in the way */
    testdb_sql(&t, "UPDATE job SET state = 'failed' WHERE id = %lld", (long long)first.id);
    OK(db_transaction(db, create, &again, &err));
    CHECK(!again.exists && again.id != first.id);
    testdb_close(&db);
    testdb_end(&t);
}

struct filling {
    int64_t job, shard, records;
    const char *const (*lines)[3]; /* source id, bucket, key; ended by NULL */
};

static bool fill(struct db *db, void *arg, struct err *err)
{
    const struct filling *filling = arg;
    struct db_copy copy = { 0 };

    if (!import_store_lines(db, &copy, err))
        return false;
    for (int i = 0; filling->lines[i][0]; i++)
        import_store_line_add(&copy, filling->job, span_of(filling->lines[i][0]), span_of(filling->lines[i][1]),
                              span_of(filling->lines[i][2]));
    return db_copy_end(&copy, err);
}

static bool make_records(struct db *db, void *arg, struct err *err)
{
    struct filling *filling = arg;

    return import_store_shard(db, filling->job, "s3://b/out/", &filling->shard, err) &&
           import_store_records(db, filling->job, filling->shard, &filling->records, err);
}

static const char *const lines[][3] = {
    { "one", "b", "p/v000001.mp4" }, { "two", "b", "p/deep/x.mp4" },   { "two", "b", "p/other.mp4" },
    { "three", "b", "p/deep/" },     { "four", "b", "p/v000001.mp4" }, { NULL, NULL, NULL },
};

static void lines_become_records(void)
{
    AUTO(testdb_close) struct db *db = NULL;
    AUTO(import_count_rows_done) struct import_count_rows rows = { 0 };
    struct creation creation = { .output = "s3://b/out/" };
    struct filling filling = { .lines = lines };
    struct import_count count;
    struct err err = { 0 };
    struct testdb t;
    int64_t outer;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    outer = testdb_prefix(&t, 1);
    testdb_sql(&t, "UPDATE prefix SET bucket = 'b', key_prefix = 'p/'");
    OK(db_transaction(db, create, &creation, &err));
    filling.job = creation.id;
    OK(import_store_prefix(db, "b", SPAN_LIT("p/deep/"), "us-east-1", "[\".mp4\"]", "{}", &err));
    OK(import_store_prefix(db, "b", SPAN_LIT("p/deep/"), "us-east-1", "[\".mp4\"]", "{}", &err));
    CHECK_I64(testdb_number(&t, "SELECT count(*) FROM prefix"), 2);
    OK(db_transaction(db, fill, &filling, &err));
    if (OK(import_store_count(db, creation.id, &rows, &count, &err))) {
        CHECK_I64(count.lines, 5);
        CHECK_I64(count.buckets, 1);
        CHECK_I64(count.homeless, 0);
    }
    OK(db_transaction(db, make_records, &filling, &err));
    CHECK_I64(filling.records, 4);
    /* two lines of one video, and the first of two lines of one record; a video that was known is not made anew */
    CHECK_I64(testdb_number(&t, "SELECT count(DISTINCT video_id) FROM record"), 3);
    CHECK_I64(testdb_number(&t, "SELECT count(*) FROM video WHERE prefix_id = %lld", (long long)outer), 2);
    CHECK_I64(
        testdb_number(
            &t,
            "SELECT count(*) FROM record r JOIN video v ON v.id = r.video_id JOIN prefix p ON p.id = v.prefix_id"
            " WHERE source_id = 'two' AND key_prefix = 'p/deep/' AND v.name = 'x.mp4' AND v.vanished_at IS NOT NULL"),
        1);
    /* the folder itself is no video of its own prefix, but of the one around it */
    CHECK_I64(testdb_number(&t,
                            "SELECT count(*) FROM record r JOIN video v ON v.id = r.video_id"
                            " WHERE source_id = 'three' AND v.prefix_id = %lld AND v.name = 'deep/'",
                            (long long)outer),
              1);
    CHECK_I64(testdb_number(&t, "SELECT count(*) FROM import_line"), 0);
    CHECK_I64(testdb_number(
                  &t, "SELECT count(*) FROM shard WHERE state = 'ingesting' AND record_count = 4 AND ingest_round = 1"),
              1);
    CHECK_I64(testdb_number(&t, "SELECT count(*) FROM job WHERE state = 'ingesting' AND prefix_id IS NOT NULL"), 1);
    testdb_close(&db);
    testdb_end(&t);
}

static void what_has_no_home(void)
{
    static const char *const homeless[][3] = {
        { "1", "b", "q/b/2.mp4" }, { "2", "b", "p/v1.mp4" }, { "3", "b", "q/a/1.mp4" },
        { "4", "c", "p/v1.mp4" },  { NULL, NULL, NULL },
    };
    AUTO(testdb_close) struct db *db = NULL;
    AUTO(import_count_rows_done) struct import_count_rows rows = { 0 };
    struct creation creation = { .output = "s3://b/out/" };
    struct filling filling = { .lines = homeless };
    struct import_count count;
    struct err err = { 0 };
    struct testdb t;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    (void)testdb_prefix(&t, 0);
    testdb_sql(&t, "UPDATE prefix SET bucket = 'b', key_prefix = 'p/'");
    OK(db_transaction(db, create, &creation, &err));
    filling.job = creation.id;
    OK(db_transaction(db, fill, &filling, &err));
    if (OK(import_store_count(db, creation.id, &rows, &count, &err))) {
        CHECK_I64(count.homeless, 3);
        CHECK_I64(count.buckets, 2);
        CHECK_TEXT(count.bucket, "b");
        CHECK_TEXT(count.another, "c");
        CHECK_TEXT(count.first_key, "p/v1.mp4");
        CHECK_TEXT(count.last_key, "q/b/2.mp4");
    }
    OK(import_store_forget(db, creation.id, &err));
    CHECK_I64(testdb_number(&t, "SELECT count(*) FROM import_line"), 0);
    testdb_close(&db);
    testdb_end(&t);
}

static const struct test tests[] = {
    { "a place is imported once", a_place_is_imported_once },
    { "lines become records", lines_become_records },
    { "what has no home", what_has_no_home },
};
TEST_MAIN("sql/import", tests)
