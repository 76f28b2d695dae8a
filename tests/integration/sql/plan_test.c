/* Plans: choosing, cutting, storing, launching, expiring. Sizes number the videos: v000007.mp4 has 7 bytes. */
#include "sql/estimate_store.h"
#include "sql/job_store.h"
#include "sql/plan_store.h"
#include "tests/integration/sql/testdb.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

static int64_t make_plan(struct testdb *t, int64_t prefix, const char *mode, unsigned char recipe)
{
    return testdb_number(
        t,
        "INSERT INTO job (prefix_id, name, model_id, prompt, recipe, select_mode, staging, state, is_plan)"
        " VALUES (%lld, 'p', 'm', 'p', decode(repeat('%02x', 32), 'hex'), '%s', 'copy', 'planning', true)"
        " RETURNING id",
        (long long)prefix, recipe, mode);
}

static struct plan_counts choose(struct db *db, int64_t job, int64_t prefix, const char *mode, unsigned char byte)
{
    unsigned char recipe[32];
    const struct plan_choice choice = { job, prefix, mode, 1700000000000, 12 * 1024, recipe, NULL };
    struct plan_counts counts = { .taken = -1 };
    struct err err = { 0 };

    memset(recipe, byte, sizeof recipe);
    OK(plan_store_choose(db, &choice, &counts, &err));
    return counts;
}

/* Sizes in KiB of all that is taken, in its order, added up with their places: tells order and set. */
static const char *taken(struct db *db, int64_t count)
{
    static char said[400];
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct err err = { 0 };

    said[0] = 0;
    OK(plan_store_weights(db, 0, count, &rows, &err));
    for (int i = 0; i < rows.count; i++)
        snprintf(said + strlen(said), sizeof said - strlen(said), "%lld ", (long long)db_i64(&rows, i, 0));
    return said;
}

static const char *skipped(struct db *db, int64_t prefix)
{
    static char said[400];
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct plan_skipped last = { .reason = "" };
    struct err err = { 0 };

    said[0] = 0;
    OK(plan_store_skipped(db, prefix, &rows, &err));
    for (int i = 0; i < rows.count; i++) {
        struct plan_skipped s;
        plan_skipped_read(&rows, i, &s);
        if (strcmp(s.reason, last.reason) != 0)
            snprintf(said + strlen(said), sizeof said - strlen(said), "%s=%lld ", s.reason, (long long)s.count);
        last = s;
    }
    return said;
}

/* Twelve videos: 1 archived, 2 refused by a look, 3 refused at another ETag, 4 denied long ago, 5 succeeded, 6 failed,
 * 7 missing, 8 pending, 9 succeeded at another ETag, 10 vanished. */
static int64_t twelve(struct testdb *t)
{
    int64_t prefix = testdb_prefix(t, 12);
    long long job = 0;

    testdb_sql(t, "UPDATE video SET size_bytes = size_bytes * 1024");
    job = testdb_planned_job(t, prefix, 1, 1);
    testdb_sql(
        t, "DELETE FROM record r USING video v WHERE v.id = r.video_id AND v.size_bytes / 1024 NOT IN (5, 6, 7, 8, 9)");
    testdb_sql(
        t,
        "INSERT INTO summary (record_id, job_id, shard_id, video_id, created_at, state, ingest_round, text_altered)"
        " SELECT r.id, r.job_id, r.shard_id, r.video_id, now(), (CASE v.size_bytes / 1024 WHEN 6 THEN 'failed' WHEN 7"
        " THEN 'missing' ELSE 'succeeded' END)::summary_state, 1, false FROM record r JOIN video v ON v.id = r.video_id"
        " WHERE r.job_id = %lld AND v.size_bytes / 1024 <> 8",
        job);
    testdb_sql(t, "UPDATE video SET reason = 'archived' WHERE size_bytes = 1024");
    testdb_sql(t, "UPDATE video SET etag = 'new' WHERE size_bytes = 9 * 1024");
    testdb_sql(t, "UPDATE video SET vanished_at = now() WHERE size_bytes = 10 * 1024");
    testdb_sql(t, "INSERT INTO video_media (video_id, etag, checked_at, duration_ms, refusal)"
                  " SELECT id, CASE size_bytes WHEN 3072 THEN 'other' ELSE etag END, '2001-01-01Z', 1500,"
                  " CASE size_bytes WHEN 4096 THEN 'denied' ELSE 'not_a_video' END FROM video WHERE size_bytes IN "
                  "(2048, 3072, 4096)");
    return prefix;
}

static void selects(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct plan_counts c;
    struct err err = { 0 };
    int64_t prefix = 0, job = 0;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    prefix = twelve(&t);
    job = make_plan(&t, prefix, "new", 1);
    c = choose(db, job, prefix, "all", 1);
    CHECK_I64(c.considered, 11);
    CHECK_TEXT(taken(db, c.taken), "3 4 5 6 7 8 9 11 12 ");
    CHECK_TEXT(skipped(db, prefix), "archived=1 not_a_video=1 ");
    OK(plan_store_unlooked(db, prefix, 0, 100, &rows, &err)); /* none was looked into for good: neither 3 nor 4 */
    CHECK_I64(rows.count, 9);
    c = choose(db, job, prefix, "new", 1);
    CHECK_TEXT(taken(db, c.taken), "3 4 6 7 9 11 12 ");
    CHECK_I64(c.settled, 2);
    CHECK_I64(c.active, 1);
    CHECK_I64(c.bytes, (3 + 4 + 6 + 7 + 9 + 11 + 12) * 1024);
    CHECK_I64(c.unknown, 7); /* 3 is known at another ETag only */
    CHECK_TEXT(skipped(db, prefix), "archived=1 has_summary=1 in_progress=1 not_a_video=1 ");
    testdb_sql(&t,
               "UPDATE video SET size_bytes = size_bytes + 1 WHERE size_bytes = 12 * 1024"); /* over the model's most */
    c = choose(db, job, prefix, "new", 1);
    CHECK_TEXT(taken(db, c.taken), "3 4 6 7 9 11 ");
    CHECK_TEXT(skipped(db, prefix), "archived=1 has_summary=1 in_progress=1 not_a_video=1 too_large=1 ");
    testdb_sql(&t, "UPDATE video SET size_bytes = size_bytes - 1 WHERE size_bytes > 12 * 1024");
    c = choose(db, job, prefix, "new", 2); /* another question */
    CHECK_I64(c.taken, 9);
    c = choose(db, job, prefix, "failed", 1);
    CHECK_TEXT(taken(db, c.taken), "6 7 ");
    testdb_sql(&t, "UPDATE job SET launched_at = NULL, state = 'planned' WHERE NOT is_plan"); /* a plan takes nothing
                                                                                                 from another */
    c = choose(db, job, prefix, "new", 1);
    CHECK_I64(c.taken, 9);
    testdb_sql(&t, "UPDATE job SET picked = (SELECT array_agg(id) FROM video WHERE size_bytes / 1024 IN (1, 5, 10, "
                   "12)) WHERE is_plan");
    c = choose(db, job, prefix, "videos", 1);
    CHECK_TEXT(taken(db, c.taken), "5 12 ");
    CHECK_TEXT(skipped(db, prefix), "archived=1 vanished=1 ");
}

struct cutting {
    int64_t job;
    const int32_t *shard_of;
    size_t count;
    int64_t records;
    bool launched;
};

static bool cut(struct db *db, void *arg, struct err *err)
{
    struct cutting *c = arg;

    return plan_store_cut(db, c->shard_of, c->count, err) && plan_store_records(db, c->job, &c->records, err) &&
           plan_store_skips(db, c->job, true, err);
}

static bool launch(struct db *db, void *arg, struct err *err)
{
    struct cutting *c = arg;

    return plan_store_launch(db, c->job, (struct span){ NULL, 0 }, (struct span){ NULL, 0 }, &c->launched, err);
}

static bool remove_all(struct db *db, void *arg, struct err *err)
{
    struct cutting *c = arg;
    bool left = true;

    while (left)
        if (!plan_store_remove(db, c->job, 2, &left, err))
            return false;
    return true;
}

/* Any deal comes back as records: runs, single ones, videos left out. */
static void cuts_and_launches(void)
{
    static const int32_t deal[] = { 0, 0, 1, 0, -1, 1, 1, 0, -1 };
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct cutting c = { .shard_of = deal, .count = 9 };
    struct plan_shard shard;
    struct err err = { 0 };
    int64_t prefix = 0;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    prefix = twelve(&t);
    c.job = make_plan(&t, prefix, "all", 3);
    testdb_sql(&t,
               "INSERT INTO shard (job_id, ordinal, record_count, folder_uri, output_uri, bedrock_name, client_token)"
               " SELECT %lld, i, 0, 's3://b/in/', 's3://b/out/', 'n' || next_id(), 't' || next_id() FROM "
               "generate_series(0, 1) i",
               (long long)c.job);
    CHECK_I64(choose(db, c.job, prefix, "all", 3).taken, 9);
    OK(db_transaction(db, cut, &c, &err));
    CHECK_I64(c.records, 7);
    OK(plan_store_shards(db, 960, 1, &rows, &err));
    CHECK_I64(rows.count, 2);
    plan_shard_read(&rows, 0, &shard);
    CHECK_I64(shard.records, 4); /* 3, 4, 6, 11 */
    CHECK_I64(shard.video_bytes, (3 + 4 + 6 + 11) * 1024);
    CHECK_I64(shard.unknown, 4);
    CHECK_I64(
        testdb_number(
            &t,
            "SELECT count(*) FROM record r JOIN shard s ON s.id = r.shard_id WHERE r.job_id = %lld AND s.ordinal = 1",
            (long long)c.job),
        3);
    CHECK_I64(
        testdb_number(
            &t,
            "SELECT count(*) FROM (SELECT v.name < lag(v.name) OVER (PARTITION BY r.shard_id ORDER BY r.id) AS back"
            " FROM record r JOIN video v ON v.id = r.video_id WHERE r.job_id = %lld) x WHERE back",
            (long long)c.job),
        0);
    CHECK_TEXT(skipped(db, prefix), "over_shard_bytes=2 archived=1 not_a_video=1 ");
    CHECK_I64(testdb_number(&t, "SELECT count(*) FROM plan_skip WHERE job_id = %lld", (long long)c.job), 4);

    OK(db_transaction(db, launch, &c, &err));
    CHECK(!c.launched); /* not planned */
    testdb_sql(&t, "UPDATE job SET state = 'planned' WHERE id = %lld", (long long)c.job);
    OK(db_transaction(db, launch, &c, &err));
    CHECK(c.launched);
    CHECK_I64(testdb_number(&t, "SELECT count(*) FROM task WHERE kind = 'stage'"), 2);
    OK(db_transaction(db, launch, &c, &err));
    CHECK(!c.launched);                           /* once only */
    OK(db_transaction(db, remove_all, &c, &err)); /* what is launched is not removed */
    CHECK_I64(testdb_number(&t, "SELECT count(*) FROM record WHERE job_id = %lld", (long long)c.job), 7);
}

static void expires(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct cutting c = { 0 };
    struct err err = { 0 };
    bool expired = true;
    int64_t prefix = 0;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    prefix = testdb_prefix(&t, 7);
    c.job = testdb_planned_job(&t, prefix, 2, 1);
    OK(plan_store_expire(db, c.job, &expired, &err));
    CHECK(!expired); /* launched */
    testdb_sql(&t, "UPDATE job SET launched_at = NULL, state = 'planned', expires_at = now() + '1 hour'");
    OK(plan_store_expire_due(db, &err));
    CHECK_I64(testdb_number(&t, "SELECT count(*) FROM task WHERE kind = 'expire'"), 0);
    testdb_sql(&t, "UPDATE job SET expires_at = now() - interval '1 second'");
    OK(plan_store_expire_due(db, &err));
    OK(plan_store_expire_due(db, &err));
    CHECK_I64(testdb_number(&t, "SELECT count(*) FROM task WHERE kind = 'expire'"), 1);
    OK(db_transaction(db, remove_all, &c, &err));
    CHECK_I64(testdb_number(&t, "SELECT (SELECT count(*) FROM record) + (SELECT count(*) FROM shard)"), 0);
    CHECK_I64(testdb_number(&t, "SELECT count(*) FROM job WHERE state = 'expired'"), 1);
    OK(plan_store_expire(db, c.job, &expired, &err));
    CHECK(!expired);
}

struct fitting {
    int64_t shard;
};

static bool fit(struct db *db, void *arg, struct err *err)
{
    return estimate_store_add(db, ((struct fitting *)arg)->shard, "us-east-1", err);
}

static void learns_once(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct estimate_fit got = { .records = -1 };
    struct fitting f = { 0 };
    struct err err = { 0 };
    int64_t job = 0;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    job = testdb_planned_job(&t, testdb_prefix(&t, 6), 3, 1);
    testdb_sql(&t, "UPDATE shard SET model_key = 'lite', estimated_input_tokens = 100, estimated_output_tokens = 10, "
                   "input_tokens = 90,"
                   " output_tokens = 5, succeeded = 2");
    testdb_sql(&t, "UPDATE shard SET manifest_input_tokens = 95, manifest_output_tokens = 6 WHERE ordinal = 1");
    testdb_sql(&t, "UPDATE shard SET missing = 1, succeeded = 1 WHERE ordinal = 2"); /* says nothing of whole shards */
    OK(estimate_store_get(db, "lite", "us-east-1", &got, &err));
    CHECK_I64(got.records, 0);
    for (int ordinal = 0; ordinal < 3; ordinal++) {
        f.shard = testdb_shard(&t, job, ordinal);
        OK(db_transaction(db, fit, &f, &err));
        OK(db_transaction(db, fit, &f, &err));
    }
    OK(estimate_store_get(db, "lite", "us-east-1", &got, &err));
    CHECK_I64(got.records, 4);
    CHECK_I64(got.estimated_input_tokens, 200);
    CHECK_I64(got.input_tokens, 185);
    CHECK_I64(got.output_tokens, 11);
    /* a few failures are the rule: their part of the estimate is left out, and so is Bedrock's sum over all */
    testdb_sql(&t, "UPDATE shard SET record_count = 20, succeeded = 18, failed = 1, missing = 1, input_tokens = 72,"
                   " output_tokens = 8, manifest_input_tokens = 99, manifest_output_tokens = 99 WHERE ordinal = 2");
    OK(db_transaction(db, fit, &f, &err));
    OK(db_transaction(db, fit, &f, &err));
    OK(estimate_store_get(db, "lite", "us-east-1", &got, &err));
    CHECK_I64(got.records, 22);
    CHECK_I64(got.estimated_input_tokens, 290);
    CHECK_I64(got.input_tokens, 257);
    CHECK_I64(got.estimated_output_tokens, 29);
    CHECK_I64(got.output_tokens, 19);
    /* lengths that nobody looked at were guessed: only the answers' lengths tell something */
    testdb_sql(&t, "UPDATE job SET preflight = 'listing'");
    testdb_sql(&t, "UPDATE shard SET estimate_stored = false WHERE ordinal = 2");
    OK(db_transaction(db, fit, &f, &err));
    OK(estimate_store_get(db, "lite", "us-east-1", &got, &err));
    CHECK_I64(got.estimated_input_tokens, 290);
    CHECK_I64(got.input_tokens, 257);
    CHECK_I64(got.estimated_output_tokens, 38);
    CHECK_I64(got.output_tokens, 27);
}

/* One part of the month: what is spent and what is promised. */
static void check_month(struct db *db, int64_t input, int64_t output, int64_t promised, const char *where)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct budget_part sum = { 0 };
    struct err err = { 0 };

    testdb_ok(budget_store_month(db, "USD", 0, 0, &rows, &err), &err, where);
    for (int i = 0; i < rows.count; i++) {
        struct budget_part part;

        budget_part_read(&rows, i, &part);
        sum.input_tokens += part.input_tokens;
        sum.output_tokens += part.output_tokens;
        sum.estimated_micros += part.estimated_micros;
    }
    test_check_i64(sum.input_tokens, input, "input tokens", where);
    test_check_i64(sum.output_tokens, output, "output tokens", where);
    test_check_i64(sum.estimated_micros, promised, "promised", where);
}

static void counts_the_month(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    (void)testdb_planned_job(&t, testdb_prefix(&t, 4), 2, 1);
    testdb_sql(&t, "UPDATE shard SET model_key = 'lite', estimated_input_tokens = 100, estimated_output_tokens = 10,"
                   " input_tokens = 90, output_tokens = 9, state = 'completed', bedrock_arn = 'arn'");
    testdb_sql(&t, "UPDATE job SET state = 'completed', currency = 'USD', estimated_high_micros = 7");
    check_month(db, 180, 18, 0, TEST_HERE);
    testdb_sql(&t, "UPDATE shard SET manifest_input_tokens = 95, manifest_output_tokens = 5 WHERE ordinal = 0");
    check_month(db, 185, 18, 0, TEST_HERE); /* as the job's own cost: the greater of the two */
    testdb_sql(&t, "UPDATE shard SET state = 'failed' WHERE ordinal = 1");
    check_month(db, 195, 19, 0, TEST_HERE); /* its output could not be read to the end, but is paid for */
    testdb_sql(&t, "UPDATE shard SET bedrock_arn = NULL, input_tokens = 0, output_tokens = 0 WHERE ordinal = 1");
    check_month(db, 95, 9, 0, TEST_HERE); /* never submitted */
    testdb_sql(&t, "UPDATE job SET state = 'running'");
    check_month(db, 0, 0, 7, TEST_HERE);
    testdb_sql(&t, "UPDATE job SET launched_at = now() - interval '32 days'");
    check_month(db, 0, 0, 0, TEST_HERE);
    testdb_sql(&t, "UPDATE job SET planned_at = now()"); /* it waited for videos */
    check_month(db, 0, 0, 7, TEST_HERE);
    testdb_sql(&t, "UPDATE job SET planned_at = now() - interval '32 days', launched_at = now()"); /* a plan of then */
    check_month(db, 0, 0, 7, TEST_HERE);
    testdb_sql(&t, "UPDATE job SET launched_at = NULL, planned_at = now(), state = 'planned'");
    check_month(db, 0, 0, 0, TEST_HERE);
    testdb_sql(&t, "UPDATE job SET launched_at = now(), state = 'completed', select_mode = 'import'");
    check_month(db, 0, 0, 0, TEST_HERE);
}

static const struct test tests[] = {
    { "counts the month", counts_the_month },
    { "selects", selects },
    { "cuts and launches", cuts_and_launches },
    { "expires", expires },
    { "learns once", learns_once },
};
TEST_MAIN("sql/plan", tests)
