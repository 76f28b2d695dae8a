/* Jobs: states, counts, the story. */
#include "sql/event_store.h"
#include "sql/job_store.h"
#include "tests/integration/sql/testdb.h"
#include "tests/support/test.h"

#include <string.h>

static void a_job_comes_back_as_it_went_in(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    AUTO(db_rows_done) struct db_rows second_rows = { 0 };
    struct err err = { 0 };
    struct job_new in = { .name = SPAN_LIT("My job"),
                          .model_id = SPAN_LIT("amazon.nova-lite-v1:0"),
                          .prompt = SPAN_LIT("Say\nwhat you see."),
                          .system = SPAN_LIT("Be brief."),
                          .metadata = SPAN_LIT("{\"a\": [1]}"),
                          .has_max_tokens = true,
                          .max_tokens = 1024,
                          .has_temperature = true,
                          .temperature = 0.1,
                          .select_mode = "new",
                          .staging = "copy",
                          .recipe = { 0x00, 0xff, 0xab } };
    unsigned char recipe[32];
    struct job_row row;
    int64_t id = 0;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    in.prefix_id = testdb_prefix(&t, 0);
    OK(job_store_create(db, &in, &id, &err));
    OK(job_store_get(db, id, &rows, &row, &err));
    CHECK_I64(row.prefix_id, in.prefix_id);
    CHECK_TEXT(row.name, "My job");
    CHECK_TEXT(row.state, "queued");
    CHECK_TEXT(row.prompt, "Say\nwhat you see.");
    CHECK_TEXT(row.system, "Be brief.");
    CHECK_TEXT(row.metadata, "{\"a\": [1]}");
    CHECK(row.has_max_tokens && row.has_temperature && !row.has_top_p && !row.has_top_k);
    CHECK_I64(row.max_tokens, 1024);
    CHECK(row.temperature == 0.1);
    CHECK(!row.outcome && !row.error);
    CHECK_I64(row.shards + row.total + row.started_ms + row.completed_ms, 0);
    OK(job_store_recipe(db, id, recipe, &err));
    CHECK(memcmp(recipe, in.recipe, 32) == 0);
    in.system.ptr = in.metadata.ptr = NULL;
    in.has_max_tokens = false;
    OK(job_store_create(db, &in, &id, &err));
    OK(job_store_get(db, id, &second_rows, &row, &err));
    CHECK(!row.system && !row.metadata && !row.has_max_tokens);
    FAILS(job_store_recipe(db, 1, recipe, &err), ERR_NOT_FOUND, NULL);
}

static void counts_are_those_of_its_shards(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct err err = { 0 };
    struct job_row row;
    int64_t job = 0;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    job = testdb_job(&t, testdb_prefix(&t, 0), 3, 1);
    testdb_job(&t, testdb_prefix(&t, 0), 3, 1);
    testdb_sql(
        &t,
        "UPDATE shard SET record_count = 100, succeeded = 10, failed = 5, missing = 1, input_tokens = 3000000000,"
        " output_tokens = 7, bedrock_processed = 20, state = CASE ordinal WHEN 0 THEN 'completed' ELSE 'running' END");
    OK(job_store_get(db, job, &rows, &row, &err));
    CHECK_I64(row.shards, 3);
    CHECK_I64(row.total, 300);
    CHECK_I64(row.succeeded, 30);
    CHECK_I64(row.failed, 15);
    CHECK_I64(row.missing, 3);
    CHECK_I64(row.bedrock_processed, 40); /* of those that run */
    CHECK_I64(row.input_tokens, INT64_C(9000000000));
    CHECK_I64(row.output_tokens, 21);
}

static void lists_newest_first(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };
    int64_t prefixes[2];
    int64_t jobs[6];
    const struct {
        int64_t before, prefix;
        const char *state;
        int limit;
        int want[6];
        int count;
        bool held; /* to the first prefix, and job 3 is an import without one that key 7 began */
    } cases[] = {
        { 0, 0, NULL, 10, { 5, 4, 3, 2, 1, 0 }, 6, false },
        { 0, 0, NULL, 2, { 5, 4 }, 2, false },
        { 4, 0, NULL, 2, { 3, 2 }, 2, false },
        { 0, 1, NULL, 10, { 5, 3, 1 }, 3, false },
        { 0, 0, "failed", 10, { 4, 1 }, 2, false },
        { 4, 1, "failed", 10, { 1 }, 1, false },
        { 0, 1, "queued", 10, { 0 }, 0, false },
        { 0, 0, NULL, 10, { 4, 3, 2, 0 }, 4, true },
        { 0, 1, NULL, 10, { 0 }, 0, true },
    };
    char within[40];

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    for (int i = 0; i < 2; i++)
        prefixes[i] = testdb_prefix(&t, 0);
    snprintf(within, sizeof within, "{%lld}", (long long)prefixes[0]);
    for (int i = 0; i < 6; i++)
        jobs[i] = testdb_job(&t, prefixes[i % 2], 1, 1);
    testdb_sql(&t, "UPDATE job SET state = 'failed' WHERE id IN (%lld, %lld)", (long long)jobs[1], (long long)jobs[4]);
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        AUTO(db_rows_done) struct db_rows rows = { 0 };

        test_case("case %zu", c);
        if (cases[c].held)
            testdb_sql(&t, "UPDATE job SET prefix_id = NULL, select_mode = 'import', key_id = 7 WHERE id = %lld",
                       (long long)jobs[3]);
        OK(job_store_list(db,
                          &(struct job_filter){ .before_id = cases[c].before ? jobs[cases[c].before] : 0,
                                                .prefix_id = cases[c].prefix ? prefixes[1] : 0,
                                                .state = cases[c].state,
                                                .within = cases[c].held ? within : NULL,
                                                .key_id = cases[c].held ? 7 : 0,
                                                .limit = cases[c].limit },
                          &rows, &err));
        CHECK_I64(rows.count, cases[c].count);
        for (int i = 0; i < rows.count && i < cases[c].count; i++) {
            struct job_row row;
            job_row_read(&rows, i, &row);
            CHECK_I64(row.id, jobs[cases[c].want[i]]);
        }
    }
    test_case(NULL);
}

static void a_job_moves(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };
    bool moved = false;
    int64_t job = 0;
    int64_t active = 0;
    int64_t prefix = 0;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    prefix = testdb_prefix(&t, 0);
    job = testdb_job(&t, prefix, 1, 1);
    testdb_sql(&t, "UPDATE job SET state = 'queued'");
    OK(job_store_move(db, job, "{planning}", "staging", NULL, NULL, &moved, &err));
    CHECK(!moved);
    OK(job_store_move(db, job, "{queued,planning}", "planning", NULL, NULL, &moved, &err));
    CHECK(moved);
    CHECK_I64(testdb_number(
                  &t, "SELECT count(*) FROM job WHERE started_at IS NOT NULL AND completed_at IS NULL AND version = 2"),
              1);
    testdb_sql(&t, "UPDATE job SET started_at = '2020-01-01'");
    OK(job_store_count_active(db, prefix, &active, &err));
    CHECK_I64(active, 1);
    OK(job_store_move(db, job, "{planning}", "completed", "partial", "{\"code\": \"x\"}", &moved, &err));
    CHECK(moved);
    OK(job_store_count_active(db, prefix, &active, &err));
    CHECK_I64(active, 0);
    CHECK_I64(testdb_number(&t, "SELECT count(*) FROM job WHERE completed_at IS NOT NULL AND started_at = '2020-01-01'"
                                " AND outcome = 'partial' AND error->>'code' = 'x'"),
              1);
    OK(job_store_move(db, job, "{completed}", "ingesting", NULL, NULL, &moved, &err)); /* a reingest */
    CHECK_I64(
        testdb_number(&t, "SELECT count(*) FROM job WHERE completed_at IS NULL AND error IS NULL AND outcome IS NULL"),
        1);
    OK(job_store_move(db, 1, "{completed}", "ingesting", NULL, NULL, &moved, &err));
    CHECK(!moved);
}

static bool lock(struct db *db, void *arg, struct err *err)
{
    char state[16];

    if (!job_store_lock(db, *(int64_t *)arg, state, err))
        return false;
    CHECK_TEXT(state, "staging");
    return true;
}

static void locks_and_stories(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };
    int64_t job = 0;
    int64_t none = 1;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    job = testdb_job(&t, testdb_prefix(&t, 0), 1, 1);
    OK(db_transaction(db, lock, &job, &err));
    FAILS(db_transaction(db, lock, &none, &err), ERR_NOT_FOUND, NULL);
    OK(event_store_add(db, job, "job.created", "{\"shards\": 3}", &err));
    OK(event_store_add(db, job, "job.cancelled", NULL, &err));
    CHECK_I64(testdb_number(&t,
                            "SELECT count(*) FROM event WHERE job_id = %lld AND (kind = 'job.created')"
                            " = (detail->>'shards' IS NOT DISTINCT FROM '3')",
                            (long long)job),
              2);
}

static const struct test tests[] = {
    { "a job comes back as it went in", a_job_comes_back_as_it_went_in },
    { "counts are those of its shards", counts_are_those_of_its_shards },
    { "lists newest first", lists_newest_first },
    { "a job moves", a_job_moves },
    { "locks and stories", locks_and_stories },
};
TEST_MAIN("sql/job", tests)
