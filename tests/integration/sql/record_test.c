/* Records: dealing them to shards, and reading them back. */
#include "server/base/mem.h"
#include "sql/record_store.h"
#include "tests/integration/sql/testdb.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

static void gives_sources_and_keys(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct err err = { 0 };
    struct record_source source;
    struct record_key *keys = NULL;
    size_t count = 0;
    int64_t job = 0;
    int64_t shard = 0;
    char want[64];

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    job = testdb_planned_job(&t, testdb_prefix(&t, 12003), 1, 1);
    shard = testdb_shard(&t, job, 0);
    testdb_sql(
        &t,
        "INSERT INTO summary (record_id, job_id, shard_id, video_id, created_at, state, ingest_round, text_altered)"
        " SELECT id, job_id, shard_id, video_id, now(), 'failed', 0, false FROM record ORDER BY id OFFSET 1 LIMIT 1");
    OK(record_store_sources(db, shard, 0, 3, &rows, &err));
    CHECK_I64(rows.count, 3);
    record_source_read(&rows, 1, &source);
    snprintf(want, sizeof want, "%lld/v000002.mp4",
             (long long)testdb_number(&t, "SELECT replace(key_prefix, '/', '') FROM prefix"));
    CHECK_TEXT(source.key, want);
    CHECK_TEXT(source.etag, "\"2\"");
    CHECK_I64(source.size_bytes, 2);
    CHECK(source.has_summary);
    record_source_read(&rows, 2, &source);
    CHECK(!source.has_summary);
    OK(record_store_keys(db, shard, &keys, &count, &err)); /* more than two pages of the store's own */
    CHECK_I64(count, 12003);
    CHECK(keys[1].has_row && keys[1].stored_round == 0 && !keys[0].has_row);
    CHECK_I64(keys[2].id, source.id);
    CHECK_I64(keys[2].video_id, source.video_id);
    for (size_t i = 1; i < count; i++)
        if (keys[i].id <= keys[i - 1].id) {
            CHECK(!"keys rise");
            break;
        }
    mem_free(keys);
    OK(record_store_keys(db, 1, &keys, &count, &err));
    CHECK_I64(count, 0);
    mem_free(keys);
}

/* Sizes (numbers of the videos) of all records in this state, by pages of 2. */
static const char *list(struct db *db, int64_t job, const char *state)
{
    static char said[200];
    struct err err = { 0 };
    int64_t after = 0;

    said[0] = 0;
    for (bool more = true; more;) {
        AUTO(db_rows_done) struct db_rows rows = { 0 };

        if (!OK(record_store_list(db, job, state, after, 2, &rows, &err)))
            return "";
        for (int i = 0; i < rows.count; i++) {
            struct record_row row;
            record_row_read(&rows, i, &row);
            snprintf(said + strlen(said), sizeof said - strlen(said), "%s %.2s, ", row.name + 6, row.state);
            if (strcmp(row.state, "failed") == 0) {
                CHECK_TEXT(row.error_reason, "bedrock");
                CHECK_TEXT(row.error_message, "no");
                CHECK(row.has_error_code && row.error_retryable);
                CHECK_I64(row.error_code, 500);
            } else {
                CHECK(!row.error_reason && !row.error_message && !row.has_error_code && !row.error_retryable);
            }
            after = row.id;
        }
        more = rows.count == 2;
    }
    return said;
}

static void lists_by_state(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    int64_t prefix = 0;
    int64_t job = 0;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    prefix = testdb_prefix(&t, 7);
    job = testdb_planned_job(&t, prefix, 2, 1);
    testdb_planned_job(&t, prefix, 2, 2);
    testdb_sql(
        &t, "INSERT INTO summary (record_id, job_id, shard_id, video_id, created_at, state, ingest_round, text_altered,"
            " error_reason, error_message, error_code, error_retryable)"
            " SELECT r.id, job_id, shard_id, video_id, now(), (ARRAY['succeeded', 'failed', 'missing'])"
            "[size_bytes %% 4]::summary_state, 1, false, x.reason, x.message, x.code, x.retryable"
            " FROM record r JOIN video v ON v.id = video_id"
            " LEFT JOIN (VALUES (2, 'bedrock', 'no', 500, true)) x(n, reason, message, code, retryable)"
            " ON x.n = size_bytes %% 4 WHERE size_bytes %% 4 > 0");
    CHECK_TEXT(list(db, job, NULL), "1.mp4 su, 2.mp4 fa, 3.mp4 mi, 4.mp4 pe, 5.mp4 su, 6.mp4 fa, 7.mp4 mi, ");
    CHECK_TEXT(list(db, job, "succeeded"), "1.mp4 su, 5.mp4 su, ");
    CHECK_TEXT(list(db, job, "failed"), "2.mp4 fa, 6.mp4 fa, ");
    CHECK_TEXT(list(db, job, "missing"), "3.mp4 mi, 7.mp4 mi, ");
    CHECK_TEXT(list(db, job, "pending"), "4.mp4 pe, ");
    CHECK_TEXT(list(db, 1, NULL), "");
}

static const struct test tests[] = {
    { "gives sources and keys", gives_sources_and_keys },
    { "lists by state", lists_by_state },
};
TEST_MAIN("sql/record", tests)
