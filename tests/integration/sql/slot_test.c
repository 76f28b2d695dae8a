/* The queue for slots: who is next, who holds one, and what a refusal of AWS leaves behind. */
#include "sql/slot_store.h"
#include "tests/integration/sql/testdb.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

struct place {
    struct testdb t;
    struct db *db;
    int64_t jobs[3]; /* oldest first, three shards each, all waiting for a slot of model m */
};

static bool begin(struct place *p)
{
    if (!testdb_begin(&p->t, true))
        return false;
    p->db = testdb_open(&p->t);
    for (int i = 0; i < 3; i++)
        p->jobs[i] = testdb_job(&p->t, testdb_prefix(&p->t, 0), 3, 1);
    testdb_sql(&p->t, "UPDATE shard SET state = 'submitting', model_key = 'm'");
    testdb_sql(&p->t, "INSERT INTO task (kind, subject_id) SELECT 'submit', id FROM shard");
    return true;
}

static void end(struct place *p)
{
    testdb_close(&p->db);
    testdb_end(&p->t);
}

/* The shard is at Bedrock. */
static void run(struct place *p, int job, int ordinal)
{
    testdb_sql(&p->t,
               "UPDATE shard SET state = 'running', submit_started_at = now() WHERE job_id = %lld AND ordinal = %d",
               (long long)p->jobs[job], ordinal);
}

/* "0.1 2.0": job.ordinal in the order of the queue. */
static void check_queue(struct place *p, const char *want, const char *where)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct err err = { 0 };
    char got[200] = "";

    if (!testdb_ok(slot_store_first(p->db, "m", 100, &rows, &err), &err, where))
        return;
    for (int i = 0; i < rows.count; i++) {
        const long long shard = db_i64(&rows, i, 0);
        const int64_t job = testdb_number(&p->t, "SELECT job_id FROM shard WHERE id = %lld", shard);
        const int64_t ordinal = testdb_number(&p->t, "SELECT ordinal FROM shard WHERE id = %lld", shard);
        const int at = job == p->jobs[0] ? 0 : job == p->jobs[1] ? 1 : 2;
        const size_t len = strlen(got);

        snprintf(got + len, sizeof got - len, "%s%d.%d", i ? " " : "", at, (int)ordinal);
    }
    test_check_text(got, want, "the queue", where);
}

static void fewest_in_flight_first(void)
{
    struct place p;

    if (!begin(&p))
        return;
    check_queue(&p, "0.0 1.0 2.0 0.1 1.1 2.1 0.2 1.2 2.2", TEST_HERE);
    run(&p, 0, 0);
    check_queue(&p, "1.0 2.0 0.1 1.1 2.1 0.2 1.2 2.2", TEST_HERE);
    run(&p, 1, 0);
    run(&p, 1, 1);
    check_queue(&p, "2.0 0.1 2.1 0.2 1.2 2.2", TEST_HERE);
    /* asked for, though the answer is missing, is in flight */
    testdb_sql(&p.t, "UPDATE shard SET submit_started_at = now() WHERE job_id = %lld AND ordinal = 0",
               (long long)p.jobs[2]);
    check_queue(&p, "0.1 2.1 0.2 1.2 2.2", TEST_HERE);
    testdb_sql(&p.t, "UPDATE shard SET state = 'ingesting' WHERE job_id = %lld AND ordinal < 2", (long long)p.jobs[1]);
    check_queue(&p, "1.2 0.1 2.1 0.2 2.2", TEST_HERE);
    end(&p);
}

static void who_does_not_wait(void)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct slot_view view = { 0 };
    struct err err = { 0 };
    struct place p;

    if (!begin(&p))
        return;
    testdb_sql(&p.t, "UPDATE job SET state = 'cancelling' WHERE id = %lld", (long long)p.jobs[0]);
    testdb_sql(&p.t, "UPDATE shard SET model_key = 'other' WHERE job_id = %lld AND ordinal = 1", (long long)p.jobs[1]);
    testdb_sql(&p.t, "UPDATE shard SET route = 'on_demand' WHERE job_id = %lld AND ordinal = 1", (long long)p.jobs[2]);
    /* one whose last try failed is behind all others, and nobody wakes it */
    testdb_sql(
        &p.t,
        "UPDATE task SET failures = 1 WHERE subject_id = (SELECT id FROM shard WHERE job_id = %lld AND ordinal = 0)",
        (long long)p.jobs[1]);
    check_queue(&p, "2.0 1.2 2.2", TEST_HERE);
    OK(slot_store_look(p.db, "m", testdb_shard(&p.t, p.jobs[1], 0), &view, &err));
    CHECK_I64(view.position, 4);
    OK(slot_store_look(p.db, "m", 0, &view, &err)); /* of none */
    CHECK_I64(view.position, 0);
    OK(slot_store_models(p.db, &rows, &err));
    CHECK_I64(rows.count, 2);
    end(&p);
}

static void slots_are_counted_by_model(void)
{
    struct place p;
    struct slot_view view = { 0 };
    struct err err = { 0 };
    AUTO(db_rows_done) struct db_rows rows = { 0 };

    if (!begin(&p))
        return;
    run(&p, 0, 0);
    run(&p, 0, 1);
    testdb_sql(&p.t, "UPDATE shard SET model_key = 'other' WHERE job_id = %lld AND ordinal = 1", (long long)p.jobs[0]);
    OK(slot_store_look(p.db, "m", testdb_shard(&p.t, p.jobs[0], 2), &view, &err));
    CHECK_I64(view.in_flight, 1);
    CHECK_I64(view.position, 3); /* behind 1.0 and 2.0: its job has one at Bedrock */
    CHECK(!view.is_refused);
    OK(slot_store_look(p.db, "other", 0, &view, &err));
    CHECK_I64(view.in_flight, 1);
    CHECK_I64(view.position, 0);
    OK(slot_store_positions(p.db, p.jobs[0], &rows, &err));
    CHECK_I64(rows.count, 1);
    CHECK_I64(db_i64(&rows, 0, 1), 3);
    CHECK(db_is_null(&rows, 0, 2) && db_is_null(&rows, 0, 3));
    db_rows_done(&rows);
    OK(slot_store_refuse(p.db, "m", true, testdb_shard(&p.t, p.jobs[1], 0), 60000, 60000, &err));
    OK(slot_store_positions(p.db, p.jobs[0], &rows, &err));
    CHECK_TEXT(db_text(&rows, 0, 2), "throttled");
    CHECK(db_i64(&rows, 0, 3) > 0);
    end(&p);
}

static void refusals_back_off_together(void)
{
    struct place p;
    struct slot_view view = { 0 };
    struct err err = { 0 };
    int64_t shard = 0;

    if (!begin(&p))
        return;
    run(&p, 0, 0);
    shard = testdb_shard(&p.t, p.jobs[1], 0);
    testdb_sql(&p.t, "UPDATE shard SET submit_started_at = now(), create_sent_at = now() WHERE id = %lld",
               (long long)shard);
    OK(slot_store_refuse(p.db, "m", false, shard, 1000, 60000, &err));
    OK(slot_store_look(p.db, "m", shard, &view, &err));
    CHECK(view.is_refused && !view.is_throttled);
    CHECK_I64(view.refused_in_flight, 1); /* not the refused one */
    CHECK(view.refused_for_ms > 500 && view.refused_for_ms <= 1000);
    /* one that was sent before that refusal came is the same refusal */
    OK(slot_store_refuse(p.db, "m", false, shard, 1000, 60000, &err));
    CHECK_I64(testdb_number(&p.t, "SELECT refusals FROM slot_refusal"), 1);
    testdb_sql(&p.t, "UPDATE shard SET create_sent_at = clock_timestamp() WHERE id = %lld", (long long)shard);
    OK(slot_store_refuse(p.db, "m", false, shard, 1000, 60000, &err));
    CHECK_I64(testdb_number(&p.t, "SELECT refusals FROM slot_refusal"), 2);
    OK(slot_store_look(p.db, "m", shard, &view, &err));
    CHECK(view.refused_for_ms > 1500 && view.refused_for_ms <= 2000);
    for (int i = 0; i < 25; i++) {
        testdb_sql(&p.t, "UPDATE shard SET create_sent_at = clock_timestamp() WHERE id = %lld", (long long)shard);
        OK(slot_store_refuse(p.db, "m", true, shard, 1000, 60000, &err));
    }
    OK(slot_store_look(p.db, "m", shard, &view, &err));
    CHECK(view.is_throttled && view.refused_for_ms > 55000 && view.refused_for_ms <= 60000);
    OK(slot_store_look(p.db, "other", 0, &view, &err));
    CHECK(!view.is_refused);
    end(&p);
}

static void a_grant_ends_a_refusal(void)
{
    struct place p;
    struct slot_view view = { 0 };
    struct err err = { 0 };
    int64_t shard = 0;

    if (!begin(&p))
        return;
    run(&p, 0, 0);
    shard = testdb_shard(&p.t, p.jobs[1], 0);
    OK(slot_store_refuse(p.db, "m", false, shard, 1000, 60000, &err));
    OK(slot_store_probe(p.db, "m", 90000, &err));
    OK(slot_store_look(p.db, "m", shard, &view, &err));
    CHECK(view.refused_for_ms > 80000);
    run(&p, 1, 0);
    OK(slot_store_granted(p.db, "m", 5, &err));
    OK(slot_store_look(p.db, "m", shard, &view, &err));
    CHECK(view.is_refused && view.refused_for_ms <= 0);
    CHECK_I64(view.refused_in_flight, 2); /* as many as AWS is known to take */
    OK(slot_store_granted(p.db, "m", 2, &err));
    OK(slot_store_look(p.db, "m", shard, &view, &err));
    CHECK(!view.is_refused);
    OK(slot_store_refuse(p.db, "m", true, shard, 1000, 60000, &err));
    OK(slot_store_granted(p.db, "m", 5, &err));
    OK(slot_store_look(p.db, "m", shard, &view, &err));
    CHECK(!view.is_refused);
    end(&p);
}

static bool lock(struct db *db, void *arg, struct err *err)
{
    AUTO(testdb_close)
    struct db *other = testdb_open_with(arg, (struct db_options){ .statement_timeout_ms = 100 });
    static bool inside;

    if (inside)
        return slot_store_lock(db, "m", err);
    if (!slot_store_lock(db, "m", err))
        return false;
    inside = true;
    {
        struct err refused = { 0 };
        bool ok = db_transaction(other, lock, arg, &refused);
        testdb_fails(ok, &refused, ERR_DATABASE, "query_timeout", TEST_HERE);
    }
    inside = false;
    return true;
}

static void one_giver_at_a_time(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    OK(db_transaction(db, lock, &t, &err));
    FAILS(slot_store_lock(db, "m", &err), ERR_INTERNAL, NULL);
}

static const struct test tests[] = { { "fewest_in_flight_first", fewest_in_flight_first },
                                     { "who_does_not_wait", who_does_not_wait },
                                     { "slots_are_counted_by_model", slots_are_counted_by_model },
                                     { "refusals_back_off_together", refusals_back_off_together },
                                     { "a_grant_ends_a_refusal", a_grant_ends_a_refusal },
                                     { "one_giver_at_a_time", one_giver_at_a_time } };
TEST_MAIN("slot", tests)
