/* What a retry takes of a job: the SQL behind it. */
#include "sql/plan_store.h"
#include "tests/integration/sql/testdb.h"
#include "tests/support/test.h"

static const char catalogue[] =
    "[{\"code\": \"blocked\", \"reason\": \"bedrock\", \"min\": 0, \"max\": 0, \"retryable\": false, \"pattern\": "
    "\"adjust\","
    " \"hopeless\": true},"
    " {\"code\": \"again\", \"reason\": \"bedrock\", \"min\": 0, \"max\": 0, \"retryable\": true, \"pattern\": \"\","
    " \"hopeless\": false},"
    " {\"code\": \"refused\", \"reason\": \"bedrock\", \"min\": 400, \"max\": 499, \"retryable\": false, \"pattern\": "
    "\"\","
    " \"hopeless\": true},"
    " {\"code\": \"unread\", \"reason\": \"not_ingested\", \"min\": 0, \"max\": 0, \"retryable\": false, \"pattern\": "
    "\"\","
    " \"hopeless\": true}]";

/* One video each: what became of it, what happened since, and why a retry leaves it out (NULL: it takes it). */
static const struct {
    const char *state, *reason, *code, *retryable, *message;
    const char *since; /* SQL, before " WHERE id = " the video's; or NULL */
    const char *skipped;
} cases[] = {
    { "failed", "bedrock", "500", "false", "inside", NULL, NULL },
    { "failed", "bedrock", "400", "false", "refused", NULL, "hopeless" },
    { "failed", "bedrock", "400", "true", "refused", NULL, NULL },
    { "failed", "bedrock", "500", "true", "please ADJUST it", NULL, "hopeless" },
    { "missing", "no_result", "NULL", "NULL", "no line", NULL, NULL },
    { "missing", "not_ingested", "NULL", "NULL", "unread", NULL, "hopeless" },
    { "failed", "a word of tomorrow", "NULL", "NULL", "", NULL, NULL },
    { "failed", "bedrock", "500", "false", "inside", "UPDATE video SET vanished_at = now()", "vanished" },
    { "failed", "bedrock", "500", "false", "inside", "UPDATE video SET reason = 'empty'", "empty" },
    { "failed", "bedrock", "400", "false", "refused",
      "INSERT INTO video_media (video_id, etag, checked_at, refusal) SELECT id, etag, now(), 'not_a_video' FROM video",
      "hopeless" },
    { "succeeded", "", "NULL", "NULL", "", NULL, "not considered" },
};
enum { CASES = sizeof cases / sizeof cases[0] };

struct place {
    struct testdb t;
    struct db *db;
    int64_t prefix, job, retry;
    struct plan_counts counts;
};

static int64_t nth(struct place *p, const char *table, int i)
{
    return testdb_number(&p->t, "SELECT id FROM %s ORDER BY id OFFSET %d LIMIT 1", table, i);
}

static bool place_begin(struct place *p)
{
    if (!testdb_begin(&p->t, true))
        return false;
    p->db = testdb_open(&p->t);
    p->prefix = testdb_prefix(&p->t, CASES);
    p->job = testdb_planned_job(&p->t, p->prefix, 1, 1);
    testdb_sql(&p->t, "UPDATE job SET state = 'completed'");
    for (int i = 0; i < CASES; i++) {
        testdb_sql(
            &p->t,
            "INSERT INTO summary (record_id, job_id, shard_id, video_id, created_at, state, ingest_round, text_altered,"
            " error_reason, error_code, error_retryable, error_message) SELECT id, job_id, shard_id, video_id, now(), "
            "'%s',"
            " 1, false, '%s', %s, %s, '%s' FROM record WHERE id = %lld",
            cases[i].state, cases[i].reason, cases[i].code, cases[i].retryable, cases[i].message,
            (long long)nth(p, "record", i));
        if (cases[i].since)
            testdb_sql(&p->t, "%s WHERE id = %lld", cases[i].since,
                       (long long)testdb_number(&p->t, "SELECT video_id FROM record ORDER BY id OFFSET %d LIMIT 1", i));
    }
    p->retry = testdb_job(&p->t, p->prefix, 1, 1);
    testdb_sql(&p->t, "UPDATE job SET select_mode = 'retry', retry_of = %lld WHERE id = %lld", (long long)p->job,
               (long long)p->retry);
    return true;
}

static void place_end(struct place *p)
{
    testdb_close(&p->db);
    testdb_end(&p->t);
}

static bool keep(struct db *db, void *arg, struct err *err)
{
    struct place *p = arg;
    const unsigned char recipe[32] = { 1 };
    const struct plan_choice choice = { .job_id = p->retry,
                                        .prefix_id = p->prefix,
                                        .select_mode = "retry",
                                        .max_video_bytes = INT64_MAX,
                                        .recipe = recipe,
                                        .causes_json = catalogue };

    return plan_store_choose(db, &choice, &p->counts, err) && plan_store_skips(db, p->retry, true, err);
}

static const char *skipped(struct place *p, int i, char out[40])
{
    static const char *const words[] = { "hopeless", "vanished", "empty", "not_a_video", "has_summary", "in_progress" };

    for (size_t w = 0; w < sizeof words / sizeof words[0]; w++)
        if (testdb_number(&p->t,
                          "SELECT count(*) FROM plan_skip WHERE reason = '%s' AND video_id ="
                          " (SELECT video_id FROM record WHERE job_id = %lld ORDER BY id OFFSET %d LIMIT 1)",
                          words[w], (long long)p->job, i) == 1)
            return words[w];
    out[0] = '\0';
    return out;
}

static void each_failure_is_judged(void)
{
    AUTO(place_end) struct place p = { 0 };
    struct err err = { 0 };
    char none[40];

    if (!place_begin(&p))
        return;
    OK(db_transaction(p.db, keep, &p, &err));
    CHECK_I64(p.counts.considered, CASES - 1);
    CHECK_I64(p.counts.taken, 4);
    for (int i = 0; i < CASES - 1; i++) {
        test_case("case %d: %s %s", i, cases[i].reason, cases[i].message);
        CHECK_TEXT(skipped(&p, i, none), cases[i].skipped ? cases[i].skipped : "");
    }
    test_case(NULL);
}

static void force_takes_the_hopeless_too(void)
{
    AUTO(place_end) struct place p = { 0 };
    struct err err = { 0 };
    char none[40];

    if (!place_begin(&p))
        return;
    testdb_sql(&p.t, "UPDATE job SET retry_hopeless = true WHERE id = %lld", (long long)p.retry);
    OK(db_transaction(p.db, keep, &p, &err));
    CHECK_I64(p.counts.taken, 7);
    CHECK_TEXT(skipped(&p, 9, none), "not_a_video");
}

/* Nothing is paid for twice: another retry was quicker, or is at work. */
static void what_was_answered_since_is_left_out(void)
{
    AUTO(place_end) struct place p = { 0 };
    struct err err = { 0 };
    char none[40];
    int64_t other;

    if (!place_begin(&p))
        return;
    other = testdb_job(&p.t, p.prefix, 1, 1);
    testdb_sql(&p.t,
               "INSERT INTO record (job_id, shard_id, video_id, etag) SELECT %lld, 1, v.id, v.etag FROM video v"
               " WHERE id IN (SELECT video_id FROM record WHERE job_id = %lld ORDER BY id LIMIT 1)"
               " OR id IN (SELECT video_id FROM record WHERE job_id = %lld ORDER BY id OFFSET 2 LIMIT 1) ORDER BY v.id",
               (long long)other, (long long)p.job, (long long)p.job);
    testdb_sql(&p.t,
               "INSERT INTO summary (record_id, job_id, shard_id, video_id, created_at, state, ingest_round, "
               "text_altered, text)"
               " SELECT id, job_id, 1, video_id, now(), 'succeeded', 1, false, 't' FROM record WHERE job_id = %lld "
               "ORDER BY id LIMIT 1",
               (long long)other);
    OK(db_transaction(p.db, keep, &p, &err));
    CHECK_TEXT(skipped(&p, 0, none), "has_summary");
    CHECK_TEXT(skipped(&p, 2, none), "in_progress");
    CHECK_I64(p.counts.taken, 2);
}

static const struct test tests[] = {
    { "each failure is judged", each_failure_is_judged },
    { "force takes the hopeless too", force_takes_the_hopeless_too },
    { "what was answered since is left out", what_was_answered_since_is_left_out },
};
TEST_MAIN("sql/retry", tests)
