/* Summaries: the rule of which row wins, accounting for every record, and reading. */
#include "server/base/clock.h"
#include "sql/db_internal.h"
#include "sql/shard_store.h"
#include "sql/summary_store.h"
#include "tests/integration/sql/testdb.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

/* Three videos in one shard of one job, and one row to be made for a record of it. */
struct place {
    struct testdb t;
    struct db *db;
    int64_t job, shard, records[3];
};

static bool place_begin(struct place *p, int videos)
{
    if (!testdb_begin(&p->t, true))
        return false;
    p->db = testdb_open(&p->t);
    p->job = testdb_planned_job(&p->t, testdb_prefix(&p->t, videos), 1, 1);
    p->shard = testdb_shard(&p->t, p->job, 0);
    for (int i = 0; i < 3; i++)
        p->records[i] = testdb_number(&p->t, "SELECT id FROM record ORDER BY id OFFSET %d LIMIT 1", i);
    return true;
}

static void place_end(struct place *p)
{
    testdb_close(&p->db);
    testdb_end(&p->t);
}

static struct summary_new make(const struct place *p, int record, const char *state, int round, const char *text)
{
    return (struct summary_new){ .record_id = p->records[record],
                                 .job_id = p->job,
                                 .shard_id = p->shard,
                                 .video_id = testdb_number((struct testdb *)&p->t,
                                                           "SELECT video_id FROM record WHERE id = %lld",
                                                           (long long)p->records[record]),
                                 .created_ms = INT64_C(1704067200000) + record * 1000,
                                 .state = state,
                                 .ingest_round = round,
                                 .text = span_of(text) };
}

struct rows {
    const struct summary_new *rows;
    int count;
    int64_t changed;
    int64_t counts[3]; /* of count_new */
};

static bool merge(struct db *db, void *arg, struct err *err)
{
    struct rows *rows = arg;
    struct db_copy copy;

    if (!summary_store_copy_merge(db, &copy, err))
        return false;
    for (int i = 0; i < rows->count; i++)
        summary_store_add(&copy, &rows->rows[i]);
    return db_copy_end(&copy, err) && summary_store_merge(db, &rows->changed, err);
}

static void the_rule_of_merging(void)
{
    static const struct {
        const char *old_state;
        int old_round;
        const char *new_state;
        int new_round;
        bool replaced;
    } cases[] = {
        { "failed", 1, "succeeded", 2, true },    { "missing", 1, "succeeded", 2, true },
        { "missing", 1, "failed", 2, true },      { "failed", 1, "missing", 2, true },
        { "succeeded", 1, "succeeded", 2, true }, { "succeeded", 1, "failed", 2, false },
        { "succeeded", 1, "missing", 2, false },  { "failed", 2, "succeeded", 2, true },
        { "succeeded", 2, "failed", 2, false },   { "failed", 2, "failed", 2, false },
        { "failed", 2, "succeeded", 1, false },   { "failed", 0, "succeeded", 1, true },
    };
    AUTO(place_end) struct place p = { 0 };
    struct err err = { 0 };

    if (!place_begin(&p, 3))
        return;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int by_put = 0; by_put < 2; by_put++) {
            struct summary_new old = make(&p, 0, cases[i].old_state, cases[i].old_round, "old");
            struct summary_new new = make(&p, 0, cases[i].new_state, cases[i].new_round, "new");
            struct rows rows = { .rows = &new, .count = 1 };
            bool is_changed = false;

            test_case("%s in round %d, then %s in %d%s", cases[i].old_state, cases[i].old_round, cases[i].new_state,
                      cases[i].new_round, by_put ? ", put" : "");
            testdb_sql(&p.t, "TRUNCATE summary");
            OK(summary_store_put(p.db, &old, NULL, &err));
            if (by_put)
                OK(summary_store_put(p.db, &new, &is_changed, &err));
            else
                OK(db_transaction(p.db, merge, &rows, &err));
            CHECK_I64(by_put ? is_changed : rows.changed, cases[i].replaced);
            CHECK_I64(testdb_number(&p.t, "SELECT count(*) FROM summary WHERE text = '%s' AND state = '%s'",
                                    cases[i].replaced ? "new" : "old",
                                    cases[i].replaced ? cases[i].new_state : cases[i].old_state),
                      1);
        }
    test_case(NULL);
}

static void a_chunk_may_hold_old_new_and_doubled_rows(void)
{
    AUTO(place_end) struct place p = { 0 };
    struct err err = { 0 };
    struct summary_new rows[4];
    struct rows chunk = { .rows = rows, .count = 4 };
    int64_t changed = 0;

    if (!place_begin(&p, 3))
        return;
    rows[0] = make(&p, 0, "failed", 1, "x");
    OK(summary_store_put(p.db, &rows[0], NULL, &err));
    rows[0] = make(&p, 0, "succeeded", 2, "a");
    rows[1] = make(&p, 1, "failed", 2, "not this");
    rows[2] = make(&p, 1, "succeeded", 2, "b");
    rows[3] = make(&p, 2, "missing", 2, "c");
    OK(db_transaction(p.db, merge, &chunk, &err));
    CHECK_I64(chunk.changed, 3);
    CHECK_I64(testdb_number(&p.t, "SELECT count(*) FROM summary WHERE text IN ('a', 'b', 'c')"), 3);
    OK(db_transaction(p.db, merge, &chunk, &err)); /* the same chunk again changes nothing */
    CHECK_I64(chunk.changed, 0);
    FAILS(summary_store_merge(p.db, &changed, &err), ERR_INTERNAL, NULL);
}

static void every_record_is_accounted_for(void)
{
    AUTO(place_end) struct place p = { 0 };
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct err err = { 0 };
    struct summary_new row;
    struct shard_row shard;
    int64_t count = 0;

    if (!place_begin(&p, 1000))
        return;
    testdb_planned_job(&p.t, testdb_prefix(&p.t, 10), 1, 1);
    row = make(&p, 0, "succeeded", 1, "fine");
    row.has_input_tokens = row.has_output_tokens = true;
    row.input_tokens = 2000000000;
    row.output_tokens = 20;
    OK(summary_store_put(p.db, &row, NULL, &err));
    row.record_id = p.records[1];
    OK(summary_store_put(p.db, &row, NULL, &err));
    row = make(&p, 2, "failed", 1, "");
    OK(summary_store_put(p.db, &row, NULL, &err));
    OK(summary_store_mark_missing(p.db, p.shard, 1, "no_result", "there was no line", &count, &err));
    CHECK_I64(count, 997);
    OK(summary_store_mark_missing(p.db, p.shard, 1, "no_result", "there was no line", &count, &err));
    CHECK_I64(count, 0);
    CHECK_I64(testdb_number(&p.t,
                            "SELECT count(*) FROM summary s JOIN record r ON r.id = record_id AND r.job_id = s.job_id"
                            " AND r.shard_id = s.shard_id AND r.video_id = s.video_id WHERE state = 'missing'"
                            " AND error_reason = 'no_result' AND error_message = 'there was no line' AND text IS NULL"),
              997);
    OK(shard_store_finish(p.db, p.shard, "completed", "{\"code\": \"x\"}", &err));
    OK(shard_store_get(p.db, p.shard, &rows, &shard, &err));
    CHECK_TEXT(shard.state, "completed");
    CHECK_I64(shard.succeeded, 2);
    CHECK_I64(shard.failed, 1);
    CHECK_I64(shard.missing, 997);
    CHECK_I64(shard.input_tokens, INT64_C(4000000000));
    CHECK_I64(shard.output_tokens, 40);
    CHECK(shard.completed_ms > 0);
    CHECK(shard.error && strstr(shard.error, "\"x\""));
    FAILS(shard_store_finish(p.db, p.shard, "completed", NULL, &err), ERR_NOT_FOUND, NULL);
    testdb_sql(&p.t, "UPDATE shard SET state = 'ingesting'"); /* as a reingest does */
    OK(summary_store_mark_missing(p.db, p.shard, 2, "no_result", "still none", &count, &err));
    CHECK_I64(count, 997); /* said anew */
    CHECK_I64(testdb_number(&p.t, "SELECT count(*) FROM summary WHERE error_message = 'still none'"), 997);
    OK(shard_store_finish(p.db, p.shard, "completed", NULL, &err));
    CHECK_I64(testdb_number(&p.t, "SELECT count(*) FROM shard WHERE error IS NOT NULL"), 0);
}

/* Counters that account for every record are believed; any doubt, and the rows are counted. */
static void counters_end_a_shard(void)
{
    static const struct {
        const char *name, *change;
        bool want;
    } cases[] = {
        { "each record one line", "succeeded = 8, failed = 2", true },
        { "one has none", "succeeded = 7, failed = 2", false },
        { "one had two", "succeeded = 8, failed = 2, duplicate_lines = 1", false },
        { "ingested before", "succeeded = 8, failed = 2, ingest_round = 2", false },
        { "not ingesting", "succeeded = 8, failed = 2, state = 'running'", false },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        AUTO(place_end) struct place p = { 0 };
        struct err err = { 0 };
        bool ended = false;

        test_case("%s", cases[i].name);
        if (!place_begin(&p, 10))
            return;
        testdb_sql(&p.t, "UPDATE shard SET state = 'ingesting', ingest_round = 1, duplicate_lines = 0");
        testdb_sql(&p.t, "UPDATE shard SET %s", cases[i].change);
        OK(shard_store_finish_counted(p.db, p.shard, "completed", NULL, &ended, &err));
        CHECK(ended == cases[i].want);
        CHECK_I64(testdb_number(&p.t, "SELECT count(*) FROM shard WHERE state = 'completed' AND missing = 0 AND"
                                      " completed_at IS NOT NULL"),
                  cases[i].want);
    }
    test_case(NULL);
}

static void gets_one_with_its_provenance(void)
{
    AUTO(place_end) struct place p = { 0 };
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    AUTO(db_rows_done) struct db_rows none = { 0 };
    struct err err = { 0 };
    struct summary_new in;
    struct summary_row row;

    if (!place_begin(&p, 3))
        return;
    testdb_sql(&p.t,
               "UPDATE job SET system = 'sys', temperature = 0.5, top_k = 9; UPDATE shard SET bedrock_arn = 'arn:x';"
               "UPDATE video SET etag = 'changed since'");
    in = make(&p, 1, "succeeded", 1, "<answer>A cat.</answer>");
    in.summary = SPAN_LIT("A cat.");
    in.thinking = SPAN_LIT("hm");
    in.stop_reason = SPAN_LIT("end_turn");
    in.has_output_tokens = true;
    in.output_tokens = 5;
    in.text_altered = true;
    OK(summary_store_put(p.db, &in, NULL, &err));
    OK(summary_store_get(p.db, p.records[1], &rows, &row, &err));
    CHECK_I64(row.record_id, p.records[1]);
    CHECK_I64(row.job_id, p.job);
    CHECK_I64(row.video_id, in.video_id);
    CHECK_I64(row.created_ms, in.created_ms);
    CHECK_TEXT(row.state, "succeeded");
    CHECK_TEXT(row.text, "<answer>A cat.</answer>");
    CHECK_TEXT(row.summary, "A cat.");
    CHECK_TEXT(row.thinking, "hm");
    CHECK_TEXT(row.stop_reason, "end_turn");
    CHECK(!row.error_reason && !row.error_message && !row.has_error_code && !row.error_retryable);
    CHECK(!row.has_input_tokens && row.has_output_tokens && row.text_altered);
    CHECK_I64(row.output_tokens, 5);
    CHECK_TEXT(row.bucket, "bucket");
    CHECK_TEXT(row.name, "v000002.mp4");
    CHECK_TEXT(row.model_id, "model");
    CHECK_TEXT(row.etag, "\"2\""); /* as planned */
    CHECK_TEXT(row.prompt, "Say what you see.");
    CHECK_TEXT(row.system, "sys");
    CHECK_TEXT(row.route, "batch");
    CHECK_TEXT(row.bedrock_arn, "arn:x");
    CHECK(!row.has_max_tokens && row.has_temperature && row.temperature == 0.5 && row.has_top_k && row.top_k == 9);
    CHECK(!row.snippet);
    FAILS(summary_store_get(p.db, p.records[0], &none, &row, &err), ERR_NOT_FOUND, NULL);
    CHECK(!none.result);
}

static bool has_line(const struct db_rows *plan, const char *words)
{
    for (int i = 0; i < plan->count; i++)
        if (strstr(db_text(plan, i, 0), words))
            return true;
    return false;
}

/* The plan of a page is kept with its statement, and walks the index even when it was made for an empty table. */
static void pages_keep_their_plan(void)
{
    struct place p;
    AUTO(testdb_close) struct db *db = NULL;
    AUTO(db_rows_done) struct db_rows plan = { 0 };
    struct err err = { 0 };
    PGresult *made = NULL;

    if (!place_begin(&p, 3))
        return;
    db = testdb_open_with(&p.t, (struct db_options){ .walks_indexes = true });
    for (int i = 0; i < 8; i++) {
        AUTO(db_rows_done) struct db_rows rows = { 0 };
        OK(summary_store_list_job(db, p.job, NULL, 0, 50, &rows, &err));
    }
    made = PQexec(db->conn, "SELECT generic_plans, custom_plans FROM pg_prepared_statements"
                            " WHERE name = 'summary_list_job'");
    if (CHECK_I64(PQntuples(made), 1)) {
        CHECK_TEXT(PQgetvalue(made, 0, 0), "3");
        CHECK_TEXT(PQgetvalue(made, 0, 1), "5");
    }
    PQclear(made);
    plan.result = PQexec(db->conn, "EXPLAIN EXECUTE summary_list_job(1, 2, 3)");
    plan.count = PQntuples(plan.result);
    CHECK(has_line(&plan, "using summary_by_job"));
    CHECK(!has_line(&plan, "Seq Scan"));
    CHECK(!has_line(&plan, "Sort"));
    testdb_close(&db);
    place_end(&p);
}

static void lists_of_jobs_and_videos(void)
{
    AUTO(place_end) struct place p = { 0 };
    AUTO(db_rows_done) struct db_rows all = { 0 };
    AUTO(db_rows_done) struct db_rows rest = { 0 };
    AUTO(db_rows_done) struct db_rows failed = { 0 };
    AUTO(db_rows_done) struct db_rows of_video = { 0 };
    struct err err = { 0 };
    struct summary_new in[3];
    struct summary_row row;

    if (!place_begin(&p, 3))
        return;
    for (int i = 0; i < 3; i++) {
        in[i] = make(&p, i, i == 1 ? "failed" : "succeeded", 1, "text");
        OK(summary_store_put(p.db, &in[i], NULL, &err));
    }
    OK(summary_store_list_job(p.db, p.job, NULL, 0, 2, &all, &err));
    CHECK_I64(all.count, 2);
    summary_row_read(&all, 1, &row);
    CHECK_I64(row.record_id, p.records[1]);
    CHECK(!row.summary && !row.prompt && !row.snippet);
    OK(summary_store_list_job(p.db, p.job, "succeeded", p.records[0], 10, &rest, &err));
    CHECK_I64(rest.count, 1);
    summary_row_read(&rest, 0, &row);
    CHECK_I64(row.record_id, p.records[2]);
    OK(summary_store_list_job(p.db, p.job, "failed", 0, 10, &failed, &err));
    CHECK_I64(failed.count, 1);
    /* Two more jobs answer for the second video. */
    testdb_sql(
        &p.t,
        "INSERT INTO summary (record_id, job_id, shard_id, video_id, created_at, state, ingest_round, text_altered)"
        " SELECT next_id(), job_id, shard_id, video_id, now(), state, 1, false FROM summary, generate_series(1, 2)"
        " WHERE record_id = %lld",
        (long long)p.records[1]);
    OK(summary_store_list_video(p.db, in[1].video_id, 2, &of_video, &err));
    CHECK_I64(of_video.count, 2);
    summary_row_read(&of_video, 0, &row);
    CHECK(row.record_id > p.records[2]);
}

static bool count_new(struct db *db, void *arg, struct err *err)
{
    struct rows *rows = arg;
    struct db_copy copy;
    int64_t *counts = rows->counts;

    if (!summary_store_copy_merge(db, &copy, err))
        return false;
    for (int i = 0; i < rows->count; i++)
        summary_store_add(&copy, &rows->rows[i]);
    return db_copy_end(&copy, err) && summary_store_count_new(db, 2, &counts[0], &counts[1], &counts[2], err);
}

/* What a chunk adds to the round, told by the rows alone: other files may have brought its records already. */
static void what_new_rows_add(void)
{
    static const struct {
        const char *old_state; /* NULL: no row */
        int old_round;
        const char *new_states[2];
        int64_t succeeded, failed, lifted;
    } cases[] = {
        { NULL, 0, { "succeeded" }, 1, 0, 0 },           { NULL, 0, { "failed" }, 0, 1, 0 },
        { NULL, 0, { "failed", "succeeded" }, 1, 0, 0 }, { "failed", 0, { "succeeded" }, 1, 0, 0 },
        { "failed", 1, { "failed" }, 0, 1, 0 },          { "succeeded", 1, { "succeeded" }, 1, 0, 0 },
        { "succeeded", 1, { "failed" }, 0, 0, 0 },       { "failed", 2, { "succeeded" }, 0, 0, 1 },
        { "failed", 2, { "failed" }, 0, 0, 0 },          { "succeeded", 2, { "succeeded", "failed" }, 0, 0, 0 },
    };
    AUTO(place_end) struct place p = { 0 };
    struct err err = { 0 };

    if (!place_begin(&p, 3))
        return;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct summary_new old = make(&p, 0, cases[i].old_state, cases[i].old_round, "old");
        const int count = cases[i].new_states[1] ? 2 : 1;
        struct summary_new new[2];
        struct rows rows = { .rows = new, .count = count };

        for (int n = 0; n < count; n++)
            new[n] = make(&p, 0, cases[i].new_states[n], 2, "new");
        test_case("%s in round %d, then %s", cases[i].old_state ? cases[i].old_state : "nothing", cases[i].old_round,
                  cases[i].new_states[0]);
        testdb_sql(&p.t, "TRUNCATE summary");
        if (cases[i].old_state)
            OK(summary_store_put(p.db, &old, NULL, &err));
        OK(db_transaction(p.db, count_new, &rows, &err));
        CHECK_I64(rows.counts[0], cases[i].succeeded);
        CHECK_I64(rows.counts[1], cases[i].failed);
        CHECK_I64(rows.counts[2], cases[i].lifted);
    }
    test_case(NULL);
}

static const struct test tests[] = {
    { "what new rows add", what_new_rows_add },
    { "the rule of merging", the_rule_of_merging },
    { "a chunk may hold old, new and doubled rows", a_chunk_may_hold_old_new_and_doubled_rows },
    { "every record is accounted for", every_record_is_accounted_for },
    { "counters end a shard", counters_end_a_shard },
    { "gets one with its provenance", gets_one_with_its_provenance },
    { "lists of jobs and videos", lists_of_jobs_and_videos },
    { "pages keep their plan", pages_keep_their_plan },
};
TEST_MAIN("sql/summary", tests)
