/* Failures of a job by cause. */
#include "sql/failure_store.h"
#include "tests/integration/sql/testdb.h"
#include "tests/support/test.h"

#include <string.h>

/* The catalogue as server/work/causes.h hands it over; the first that fits counts. */
static const char catalogue[] =
    "[{\"code\": \"words\", \"reason\": \"bedrock\", \"min\": 0, \"max\": 0, \"retryable\": false, \"pattern\": \"too "
    "_%odd\"},"
    " {\"code\": \"many\", \"reason\": \"bedrock\", \"min\": 500, \"max\": 599, \"retryable\": false, \"pattern\": "
    "\"\"},"
    " {\"code\": \"again\", \"reason\": \"bedrock\", \"min\": 0, \"max\": 0, \"retryable\": true, \"pattern\": \"\"},"
    " {\"code\": \"other\", \"reason\": \"bedrock\", \"min\": 0, \"max\": 0, \"retryable\": false, \"pattern\": \"\"},"
    " {\"code\": \"nothing\", \"reason\": \"no_result\", \"min\": 0, \"max\": 0, \"retryable\": false, \"pattern\": "
    "\"\"}]";

static const struct {
    const char *state, *reason, *code, *retryable, *message;
    const char *cause;
} cases[] = {
    { "failed", "'bedrock'", "400", "false", "'It is TOO _%Odd.'", "words" },
    { "failed", "'bedrock'", "500", "true", "'too _%odd'", "words" },
    { "failed", "'bedrock'", "500", "false", "'too x%odd'", "many" },
    { "failed", "'bedrock'", "599", "NULL", "NULL", "many" },
    { "failed", "'bedrock'", "600", "true", "''", "again" },
    { "failed", "'bedrock'", "NULL", "NULL", "NULL", "other" },
    { "missing", "'no_result'", "NULL", "NULL", "'x'", "nothing" },
    { "failed", "'no_such_word'", "NULL", "NULL", "'too _%odd'", "unknown" },
    { "failed", "NULL", "NULL", "NULL", "NULL", "unknown" },
};
enum { CASES = sizeof cases / sizeof cases[0] };

static void put(struct testdb *t, int64_t record, int i)
{
    testdb_sql(
        t,
        "INSERT INTO summary (record_id, job_id, shard_id, video_id, created_at, state, ingest_round, text_altered, "
        "error_reason, error_code, error_retryable, error_message) SELECT id, job_id, shard_id, video_id, now(), '%s', "
        "1, "
        "false, %s, %s, %s, %s FROM record WHERE id = %lld",
        cases[i].state, cases[i].reason, cases[i].code, cases[i].retryable, cases[i].message, (long long)record);
}

static void each_failure_finds_its_cause(void)
{
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };
    struct testdb t;
    int64_t job;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    job = testdb_planned_job(&t, testdb_prefix(&t, 1), 1, 1);
    for (int i = 0; i < CASES; i++) {
        AUTO(db_rows_done) struct db_rows rows = { 0 };
        const int64_t record = testdb_number(&t, "SELECT id FROM record");
        struct failure_row row;

        test_case("case %d", i);
        testdb_sql(&t, "DELETE FROM summary");
        put(&t, record, i);
        if (!OK(failure_store_groups(db, job, catalogue, &rows, &err)) || !CHECK_I64(rows.count, 1))
            continue;
        failure_row_read(&rows, 0, &row);
        CHECK_TEXT(row.code, cases[i].cause);
        CHECK_I64(row.count, 1);
        CHECK_I64(row.missing, strcmp(cases[i].state, "missing") == 0);
        CHECK_I64(row.record.id, record);
        CHECK_TEXT(row.record.state, cases[i].state);
        CHECK_TEXT(row.record.name, "v000001.mp4");
    }
    test_case(NULL);
    testdb_close(&db);
    testdb_end(&t);
}

static void groups_are_counted_and_sorted(void)
{
    AUTO(testdb_close) struct db *db = NULL;
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    static const int picks[] = { 6, 2, 2, 2, 2, 0, 0 }; /* of `cases`; the eighth record succeeded */
    struct failure_row row;
    struct err err = { 0 };
    struct testdb t;
    int64_t job;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    job = testdb_planned_job(&t, testdb_prefix(&t, 8), 2, 1);
    for (int i = 0; i < 7; i++)
        put(&t, testdb_number(&t, "SELECT id FROM record ORDER BY id OFFSET %d LIMIT 1", i), picks[i]);
    testdb_sql(
        &t,
        "INSERT INTO summary (record_id, job_id, shard_id, video_id, created_at, state, ingest_round, text_altered) "
        "SELECT id, job_id, shard_id, video_id, now(), 'succeeded', 1, false FROM record ORDER BY id OFFSET 7");
    /* an unlike message is another failure of the same cause: a third example */
    testdb_sql(&t, "UPDATE summary SET error_message = 'different' WHERE record_id = (SELECT id FROM record ORDER BY "
                   "id OFFSET 2 LIMIT 1)");
    if (OK(failure_store_groups(db, job, catalogue, &rows, &err)) && CHECK_I64(rows.count, 3 + 2 + 1)) {
        failure_row_read(&rows, 0, &row);
        CHECK_TEXT(row.code, "many");
        CHECK_I64(row.count, 4);
        failure_row_read(&rows, 2, &row);
        CHECK_TEXT(row.code, "many");
        CHECK_I64(row.record.id, testdb_number(&t, "SELECT id FROM record ORDER BY id OFFSET 4 LIMIT 1"));
        failure_row_read(&rows, 3, &row);
        CHECK_TEXT(row.code, "words");
        CHECK_I64(row.count, 2);
        failure_row_read(&rows, 5, &row);
        CHECK_TEXT(row.code, "nothing");
        CHECK_I64(row.missing, 1);
    }
    testdb_close(&db);
    testdb_end(&t);
}

static const struct test tests[] = {
    { "each failure finds its cause", each_failure_finds_its_cause },
    { "groups are counted and sorted", groups_are_counted_and_sorted },
};
TEST_MAIN("failure store", tests)
