/* Folders that shards hold: never one inside another. */
#include "sql/folder_store.h"
#include "sql/shard_store.h"
#include "tests/integration/sql/testdb.h"
#include "tests/support/test.h"

struct take {
    int64_t shard;
    const char *bucket, *folder;
    bool taken;
};

static bool take_work(struct db *db, void *arg, struct err *err)
{
    struct take *take = arg;

    return folder_store_take(db, take->shard, span_of(take->bucket), span_of(take->folder), &take->taken, err);
}

static bool takes(struct db *db, int64_t shard, const char *bucket, const char *folder)
{
    struct take take = { shard, bucket, folder, false };
    struct err err = { 0 };

    OK(db_transaction(db, take_work, &take, &err));
    return take.taken;
}

static int holders(struct db *db, const char *folder, int64_t but)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct err err = { 0 };

    OK(folder_store_holders(db, span_of("bucket"), span_of(folder), but, &rows, &err));
    for (int i = 0; i < rows.count; i++)
        CHECK(db_is_null(&rows, i, 1)); /* nothing is written yet */
    return rows.count;
}

static const struct {
    const char *held, *wanted;
    bool free;
} cases[] = {
    { "a/b/", "a/b/", false }, { "a/b/", "a/", false },  { "a/b/", "a/b/c/", false }, { "a/b/", "", false },
    { "", "a/b/", false },     { "a/b/", "a/c/", true }, { "a/b/", "a/bc/", true },   { "a/b/", "b/", true },
    { "a_b/", "a%b/", true },  { "a/b/", "A/b/", true },
};

static void no_two_overlap(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };
    int64_t job, one, two;
    bool held = false;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    job = testdb_job(&t, testdb_prefix(&t, 0), 2, 1);
    one = testdb_shard(&t, job, 0);
    two = testdb_shard(&t, job, 1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        test_case("'%s' beside '%s'", cases[i].wanted, cases[i].held);
        CHECK(takes(db, one, "bucket", cases[i].held));
        CHECK(takes(db, one, "bucket", cases[i].held)); /* again changes nothing */
        CHECK_I64(holders(db, cases[i].wanted, 0), cases[i].free ? 0 : 1);
        CHECK_I64(holders(db, cases[i].wanted, one), 0);
        CHECK(takes(db, two, "bucket", cases[i].wanted) == cases[i].free);
        OK(folder_store_release(db, two, &err));
        CHECK(takes(db, two, "other", cases[i].wanted));
        OK(folder_store_release(db, two, &err));
        OK(folder_store_release(db, one, &err));
        CHECK(takes(db, two, "bucket", cases[i].wanted));
        OK(folder_store_release(db, two, &err));
    }
    test_case(NULL);
    FAILS(folder_store_take(db, one, span_of("bucket"), span_of("a/"), &held, &err), ERR_INTERNAL, NULL);
}

/* A worker that may still be writing keeps the folder, whatever became of its shard. */
static void a_writer_keeps_its_folder(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };
    int64_t shard;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    shard = testdb_shard(&t, testdb_job(&t, testdb_prefix(&t, 0), 1, 1), 0);
    CHECK(takes(db, shard, "bucket", "a/"));
    testdb_sql(&t, "INSERT INTO task (kind, subject_id, state) VALUES ('stage', %lld, 'running')", (long long)shard);
    OK(folder_store_release(db, shard, &err));
    CHECK_I64(testdb_number(&t, "SELECT count(*) FROM folder_lock"), 1);
    testdb_sql(&t, "UPDATE task SET state = 'dead' WHERE kind = 'stage'");
    OK(folder_store_release(db, shard, &err));
    CHECK_I64(testdb_number(&t, "SELECT count(*) FROM folder_lock"), 0);
}

static void waiting_is_remembered(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    AUTO(db_rows_done) struct db_rows waiting = { 0 };
    struct shard_row row;
    struct err err = { 0 };
    int64_t shard;
    bool moved = false;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    shard = testdb_shard(&t, testdb_job(&t, testdb_prefix(&t, 0), 2, 1), 1);
    OK(shard_store_folder_busy(db, shard, &err));
    OK(folder_store_waiting(db, &waiting, &err));
    CHECK_I64(waiting.count, 1);
    CHECK_I64(db_i64(&waiting, 0, 0), shard);
    OK(shard_store_stage_begin(db, shard, "a/vidbatch-x.jsonl", &moved, &err));
    CHECK(moved);
    OK(shard_store_get(db, shard, &rows, &row, &err));
    CHECK_TEXT(row.state, "staging");
    CHECK_TEXT(row.input_key, "a/vidbatch-x.jsonl");
    CHECK(!row.folder_busy && !row.cleanup);
    OK(shard_store_stage_begin(db, shard, "other", &moved, &err));
    CHECK(!moved);
    OK(shard_store_folder_busy(db, shard, &err)); /* it waits no more */
    CHECK_I64(testdb_number(&t, "SELECT count(*) FROM shard WHERE folder_busy"), 0);
}

static void leftovers_and_what_became_of_them(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    AUTO(db_rows_done) struct db_rows again = { 0 };
    struct shard_leftover left;
    struct shard_row row;
    struct err err = { 0 };
    int64_t job;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    job = testdb_job(&t, testdb_prefix(&t, 0), 2, 1);
    testdb_sql(&t, "UPDATE job SET keep_staging = false");
    testdb_sql(&t, "UPDATE shard SET input_bytes = 5, input_key = 'k', staging = 'in_place' WHERE ordinal = 1");
    OK(shard_store_leftovers(db, job, -1, 10, &rows, &err));
    CHECK_I64(rows.count, 2);
    shard_leftover_read(&rows, 0, &left);
    CHECK(!left.is_written && left.has_keep && !left.keep && !left.input_key && !left.owner);
    CHECK_TEXT(left.staging, "copy");
    CHECK_TEXT(left.bucket, "bucket");
    shard_leftover_read(&rows, 1, &left);
    CHECK(left.is_written);
    CHECK_I64(left.ordinal, 1);
    CHECK_TEXT(left.input_key, "k");
    OK(shard_store_cleaned(db, left.id, "failed", "{\"code\":\"denied\"}", &err));
    OK(shard_store_get(db, left.id, &again, &row, &err));
    CHECK_TEXT(row.cleanup, "failed");
    CHECK(row.cleanup_problem != NULL);
    FAILS(shard_store_cleaned(db, 1, "removed", NULL, &err), ERR_NOT_FOUND, NULL);
}

static const struct test tests[] = { { "no_two_overlap", no_two_overlap },
                                     { "a_writer_keeps_its_folder", a_writer_keeps_its_folder },
                                     { "waiting_is_remembered", waiting_is_remembered },
                                     { "leftovers_and_what_became_of_them", leftovers_and_what_became_of_them } };
TEST_MAIN("folder", tests)
