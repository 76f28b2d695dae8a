/* Records: dealing them to shards, and reading them back. */
#include "server/base/mem.h"
#include "sql/record_store.h"
#include "tests/integration/sql/testdb.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

struct plan {
    int64_t job, prefix, count;
    const char *mode;
    int shards;
    unsigned char recipe[32];
};

static bool plan(struct db *db, void *arg, struct err *err)
{
    struct plan *p = arg;

    return record_store_plan(db, p->job, p->prefix, p->mode, p->recipe, p->shards, &p->count, err) &&
           record_store_recount(db, p->job, err);
}

static void deals_evenly_in_key_order(void)
{
    static const int sizes[] = { 0, 1, 2, 3, 7, 10, 99, 100, 101, 1000 };
    static const int shards[] = { 1, 2, 3, 7, 10, 100 };
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    testdb_sql(&t, "SELECT setval('id_seq', 100)"); /* far from where its 22 bits begin anew */
    for (size_t n = 0; n < sizeof sizes / sizeof sizes[0]; n++) {
        int64_t prefix = testdb_prefix(&t, sizes[n]);

        for (size_t s = 0; s < sizeof shards / sizeof shards[0]; s++) {
            struct plan p = { .prefix = prefix, .mode = s % 2 ? "all" : "new", .shards = shards[s], .count = -1 };
            long long job = p.job = testdb_job(&t, prefix, shards[s], 1);

            test_case("%d videos, %d shards", sizes[n], shards[s]);
            OK(db_transaction(db, plan, &p, &err));
            CHECK_I64(p.count, sizes[n]);
            CHECK_I64(testdb_number(&t, "SELECT sum(record_count) FROM shard WHERE job_id = %lld", job), sizes[n]);
            CHECK(testdb_number(&t, "SELECT max(record_count) - min(record_count) FROM shard WHERE job_id = %lld",
                                job) <= 1);
            CHECK_I64(
                testdb_number(&t,
                              "SELECT count(*) FROM (SELECT r.id - lag(r.id) OVER w AS step, s.ordinal - lag(s.ordinal)"
                              " OVER w AS turn FROM record r JOIN video v ON v.id = r.video_id JOIN shard s ON"
                              " s.id = r.shard_id WHERE r.job_id = %lld WINDOW w AS (ORDER BY v.name)) x"
                              " WHERE step <= 0 OR turn < 0",
                              job),
                0);
            CHECK_I64(testdb_number(&t,
                                    "SELECT count(*) FROM shard s WHERE job_id = %lld AND record_count <>"
                                    " (SELECT count(*) FROM record WHERE shard_id = s.id)",
                                    job),
                      0);
        }
    }
    test_case(NULL);
}

static void takes_what_was_counted(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };
    struct plan p = { .mode = "new", .shards = 2, .recipe = { 0 } };

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    p.prefix = testdb_prefix(&t, 6);
    memset(p.recipe, 1, sizeof p.recipe);
    testdb_planned_job(&t, p.prefix, 1, 1);
    testdb_sql(
        &t,
        "INSERT INTO summary (record_id, job_id, shard_id, video_id, created_at, state, ingest_round, text_altered)"
        " SELECT r.id, job_id, shard_id, video_id, now(), CASE WHEN size_bytes < 3 THEN 'failed' ELSE 'succeeded' END"
        "::summary_state, 1, false FROM record r JOIN video v ON v.id = video_id");
    testdb_sql(
        &t, "UPDATE video SET etag = 'new' WHERE size_bytes = 6; UPDATE video SET reason = 'x' WHERE size_bytes = 1");
    p.job = testdb_job(&t, p.prefix, 2, 1);
    OK(db_transaction(db, plan, &p, &err));
    CHECK_I64(p.count, 2); /* the failed one and the changed one */
    CHECK_I64(testdb_number(&t,
                            "SELECT sum(size_bytes) FROM record r JOIN video v ON v.id = r.video_id AND v.etag = r.etag"
                            " WHERE r.job_id = %lld",
                            (long long)p.job),
              8);
    p.job = testdb_job(&t, p.prefix, 2, 1);
    p.mode = "all";
    OK(db_transaction(db, plan, &p, &err));
    CHECK_I64(p.count, 5);
    p.job = testdb_job(&t, p.prefix, 1, 1);
    FAILS(db_transaction(db, plan, &p, &err), ERR_DATABASE, NULL); /* more shards asked for than there are */
    FAILS(record_store_plan(db, p.job, p.prefix, "all", p.recipe, 1, &p.count, &err), ERR_INTERNAL, NULL);
}

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
    { "deals evenly in key order", deals_evenly_in_key_order },
    { "takes what was counted", takes_what_was_counted },
    { "gives sources and keys", gives_sources_and_keys },
    { "lists by state", lists_by_state },
};
TEST_MAIN("sql/record", tests)
