/* The queue: each task to one worker at a time, whatever happens to the workers. */
#include "sql/task_store.h"
#include "tests/integration/sql/testdb.h"
#include "tests/support/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum { LEASE_MS = 60000 };

static struct task claim(struct db *db, const char *kinds, bool *found)
{
    struct err err = { 0 };
    struct task task = { 0 };

    OK(task_store_claim(db, kinds, "worker", LEASE_MS, &task, found, &err));
    return task;
}

static void expire(struct testdb *t, const struct task *task)
{
    testdb_sql(t, "UPDATE task SET lease_until = now() - interval '1 ms' WHERE id = %lld", (long long)task->id);
}

static int64_t state_is(struct testdb *t, const char *kind, int64_t subject, const char *state)
{
    return testdb_number(t, "SELECT count(*) FROM task WHERE kind = '%s' AND subject_id = %lld AND state = '%s'", kind,
                         (long long)subject, state);
}

static void claims_in_order_of_waiting(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };
    struct task task;
    bool found = false;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    claim(db, "{scan,plan}", &found);
    CHECK(!found);
    OK(task_store_add(db, "scan", 1, 0, &err));
    OK(task_store_add(db, "plan", 2, -5000, &err));
    OK(task_store_add(db, "ingest", 3, -9000, &err)); /* not asked for */
    OK(task_store_add(db, "scan", 4, 60000, &err));   /* not due */
    task = claim(db, "{scan,plan}", &found);
    CHECK(found);
    CHECK_TEXT(task.kind, "plan");
    CHECK_I64(task.subject_id, 2);
    CHECK_I64(task.attempt, 1);
    CHECK_I64(task.failures, 0);
    expire(&t, &task);
    task = claim(db, "{scan,plan}", &found); /* the one whose lease ran out comes first */
    CHECK_I64(task.subject_id, 2);
    CHECK_I64(task.attempt, 2);
    task = claim(db, "{scan,plan}", &found);
    CHECK_I64(task.subject_id, 1);
    claim(db, "{scan,plan}", &found);
    CHECK(!found);
}

static void *claim_all(void *arg);

struct crowd {
    struct testdb *t;
    atomic_int claims;
    atomic_int twice;
    atomic_bool taken[2001];
};

static void each_task_is_claimed_exactly_once(void)
{
    static struct crowd crowd;
    AUTO(testdb_end) struct testdb t;
    pthread_t threads[8];

    if (!testdb_begin(&t, true))
        return;
    crowd.t = &t;
    testdb_sql(&t, "INSERT INTO task (kind, subject_id) SELECT 'scan', i FROM generate_series(1, 2000) i");
    for (int i = 0; i < 8; i++)
        pthread_create(&threads[i], NULL, claim_all, &crowd);
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    CHECK_I64(atomic_load(&crowd.claims), 2000);
    CHECK_I64(atomic_load(&crowd.twice), 0);
    CHECK_I64(testdb_number(&t, "SELECT count(*) FROM task WHERE kind = 'scan'"), 0);
}

static void *claim_all(void *arg)
{
    struct crowd *crowd = arg;
    AUTO(testdb_close) struct db *db = testdb_open(crowd->t);
    struct err err = { 0 };

    for (;;) {
        struct task task;
        bool found = false;

        if (!OK(task_store_claim(db, "{scan}", "w", LEASE_MS, &task, &found, &err)) || !found)
            return NULL;
        atomic_fetch_add(&crowd->claims, 1);
        if (atomic_exchange(&crowd->taken[task.subject_id], true))
            atomic_fetch_add(&crowd->twice, 1);
        if (!OK(task_store_done(db, &task, &err)))
            return NULL;
    }
}

static bool fence(struct db *db, void *arg, struct err *err)
{
    return task_store_fence(db, arg, err);
}

static void a_lost_lease_changes_nothing(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };
    struct task old;
    struct task new;
    bool found = false;
    bool held = false;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    OK(task_store_add(db, "scan", 1, 0, &err));
    old = claim(db, "{scan}", &found);
    OK(task_store_heartbeat(db, &old, LEASE_MS, &held, &err));
    CHECK(held);
    expire(&t, &old);
    OK(db_transaction(db, fence, &old, &err)); /* nobody else has it yet: it is still ours */
    new = claim(db, "{scan}", &found);
    CHECK(found && new.id == old.id);
    FAILS(db_transaction(db, fence, &old, &err), ERR_CANCELLED, "lease_lost");
    FAILS(task_store_done(db, &old, &err), ERR_CANCELLED, "lease_lost");
    FAILS(task_store_again(db, &old, 0, NULL, true, &err), ERR_CANCELLED, "lease_lost");
    FAILS(task_store_dead(db, &old, 0, "x", &err), ERR_CANCELLED, "lease_lost");
    FAILS(task_store_release(db, &old, &err), ERR_CANCELLED, "lease_lost");
    OK(task_store_heartbeat(db, &old, LEASE_MS, &held, &err));
    CHECK(!held);
    OK(task_store_heartbeat(db, &new, LEASE_MS, &held, &err));
    CHECK(held);
    OK(db_transaction(db, fence, &new, &err));
    OK(task_store_done(db, &new, &err));
    CHECK_I64(testdb_number(&t, "SELECT count(*) FROM task WHERE kind = 'scan'"), 0);
}

static void claims_whose_answer_was_lost_are_handed_back(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };
    struct task task;
    int64_t released = 0;
    bool found = false;
    char known[40];

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    for (int i = 1; i <= 3; i++)
        OK(task_store_add(db, "scan", i, 0, &err));
    OK(task_store_claim(db, "{scan}", "other", LEASE_MS, &task, &found, &err));
    OK(task_store_claim(db, "{scan}", "we", LEASE_MS, &task, &found, &err));
    OK(task_store_claim(db, "{scan}", "we", LEASE_MS, &task, &found, &err)); /* this one is known */
    snprintf(known, sizeof known, "{%lld}", (long long)task.id);
    OK(task_store_release_orphans(db, "we", known, &released, &err));
    CHECK_I64(released, 1);
    OK(task_store_release_orphans(db, "we", known, &released, &err));
    CHECK_I64(released, 0);
    CHECK_I64(testdb_number(&t, "SELECT count(*) FROM task WHERE kind = 'scan' AND state = 'ready'"), 1);
    CHECK_I64(testdb_number(&t, "SELECT count(*) FROM task WHERE id = %lld AND state = 'running'", (long long)task.id),
              1);
    OK(task_store_release_orphans(db, "we", "{}", &released, &err));
    CHECK_I64(released, 1);
    CHECK_I64(testdb_number(&t, "SELECT count(*) FROM task WHERE kind = 'scan' AND state = 'running'"), 1);
}

/* Those who come back say that the step is not what ended them. */
static void leases_that_are_lost_are_counted(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };
    struct task old, task;
    bool found = false;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    OK(task_store_add(db, "scan", 1, 0, &err));
    old = task = claim(db, "{scan}", &found);
    CHECK_I64(task.lost, 0);
    for (int i = 1; i <= 3; i++) {
        expire(&t, &task);
        task = claim(db, "{scan}", &found);
        CHECK_I64(task.lost, i);
    }
    OK(task_store_survived(db, &old, &err));
    expire(&t, &task);
    task = claim(db, "{scan}", &found);
    CHECK_I64(task.lost, 3);
    OK(task_store_progress(db, &task, &err));
    expire(&t, &task);
    task = claim(db, "{scan}", &found);
    CHECK_I64(task.lost, 1);
    OK(task_store_again(db, &task, 0, "was not run", true, &err));
    task = claim(db, "{scan}", &found);
    CHECK_I64(task.lost, 1);
    task.lost = 0;
    OK(task_store_again(db, &task, 0, "failed", true, &err));
    task = claim(db, "{scan}", &found);
    CHECK_I64(task.lost, 0);
    OK(task_store_survived(db, &task, &err));
    CHECK_I64(testdb_number(&t, "SELECT lost FROM task WHERE kind = 'scan'"), 0);
}

static void a_heartbeat_extends_the_lease(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };
    struct task task;
    bool found = false;
    bool held = false;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    OK(task_store_add(db, "scan", 1, 0, &err));
    task = claim(db, "{scan}", &found);
    expire(&t, &task);
    OK(task_store_heartbeat(db, &task, LEASE_MS, &held, &err));
    CHECK(held);
    claim(db, "{scan}", &found);
    CHECK(!found);
}

struct in_step {
    struct testdb *t;
    struct db *other;
    struct task *task;
};

/* While a step's transaction holds the fence: no claim, but heartbeats and pokes pass without waiting. */
static bool others_meanwhile(struct db *db, void *arg, struct err *outer)
{
    struct in_step *step = arg;
    struct err err = { 0 };
    bool found = true;
    bool held = false;

    if (!task_store_fence(db, step->task, outer))
        return false;
    expire(step->t, step->task);
    claim(step->other, "{scan}", &found);
    CHECK(!found);
    OK(task_store_heartbeat(step->other, step->task, LEASE_MS, &held, &err));
    CHECK(held);
    OK(task_store_add(step->other, "scan", 1, 0, &err));
    return task_store_done(db, step->task, outer);
}

static void the_fence_stops_claims_only(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    AUTO(testdb_close) struct db *other = NULL;
    struct err err = { 0 };
    struct task task;
    bool found = false;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    other = testdb_open_with(&t, (struct db_options){ .statement_timeout_ms = 5000 });
    OK(task_store_add(db, "scan", 1, 0, &err));
    task = claim(db, "{scan}", &found);
    OK(db_transaction(db, others_meanwhile, &(struct in_step){ &t, other, &task }, &err));
    task = claim(db, "{scan}", &found); /* the poke was not lost */
    CHECK(found);
    CHECK_I64(task.attempt, 2);
}

static void pokes(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };
    struct task task;
    bool found = false;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    /* A waiting one moves forward, never back. */
    OK(task_store_add(db, "scan", 1, 60000, &err));
    claim(db, "{scan}", &found);
    CHECK(!found);
    OK(task_store_add(db, "scan", 1, 0, &err));
    OK(task_store_add(db, "scan", 1, 60000, &err));
    task = claim(db, "{scan}", &found);
    CHECK(found);
    /* A running one runs once more, after the shortest of the delays asked for. */
    OK(task_store_add(db, "scan", 1, 90000, &err));
    OK(task_store_add(db, "scan", 1, 0, &err));
    OK(task_store_add(db, "scan", 1, 30000, &err));
    CHECK_I64(state_is(&t, "scan", 1, "running"), 1);
    OK(task_store_done(db, &task, &err));
    task = claim(db, "{scan}", &found);
    CHECK(found);
    OK(task_store_done(db, &task, &err));
    CHECK_I64(testdb_number(&t, "SELECT count(*) FROM task WHERE kind = 'scan'"), 0);
    /* Putting back with a delay does not forget a poke. */
    OK(task_store_add(db, "scan", 2, 0, &err));
    task = claim(db, "{scan}", &found);
    OK(task_store_add(db, "scan", 2, 0, &err));
    OK(task_store_again(db, &task, 60000, "failed", true, &err));
    task = claim(db, "{scan}", &found);
    CHECK(found);
    CHECK_I64(task.failures, 1);
    /* Neither does giving up. */
    OK(task_store_add(db, "scan", 2, 0, &err));
    OK(task_store_dead(db, &task, 0, "failed", &err));
    task = claim(db, "{scan}", &found);
    CHECK(found);
    CHECK_I64(task.failures, 0);
}

static void failures_deaths_and_releases(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };
    struct task task;
    bool found = false;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    OK(task_store_add(db, "scan", 1, 0, &err));
    for (int i = 0; i < 3; i++) {
        task = claim(db, "{scan}", &found);
        CHECK_I64(task.failures, i);
        OK(task_store_again(db, &task, 0, "no luck", true, &err));
    }
    task = claim(db, "{scan}", &found);
    OK(task_store_release(db, &task, &err));
    task = claim(db, "{scan}", &found); /* at once, and no failure */
    CHECK(found);
    CHECK_I64(task.failures, 3);
    OK(task_store_again(db, &task, 0, "no database", false, &err)); /* shown, but not counted */
    task = claim(db, "{scan}", &found);
    CHECK_I64(task.failures, 3);
    OK(task_store_again(db, &task, 0, NULL, true, &err));
    task = claim(db, "{scan}", &found);
    CHECK_I64(task.failures, 0);
    OK(task_store_again(db, &task, 0, "no database", false, &err));
    task = claim(db, "{scan}", &found);
    CHECK_I64(task.failures, 1);
    OK(task_store_dead(db, &task, 0, "it cannot be done", &err));
    claim(db, "{scan}", &found);
    CHECK(!found);
    CHECK_I64(testdb_number(&t, "SELECT count(*) FROM task WHERE last_error = 'it cannot be done'"), 1);
    OK(task_store_add(db, "scan", 1, 0, &err));
    task = claim(db, "{scan}", &found);
    CHECK(found);
    CHECK_I64(task.failures, 0);
    OK(task_store_remove(db, "scan", 1, &err)); /* it runs: left alone */
    CHECK_I64(state_is(&t, "scan", 1, "running"), 1);
    OK(task_store_release(db, &task, &err));
    OK(task_store_remove(db, "scan", 1, &err));
    OK(task_store_remove(db, "scan", 1, &err));
    CHECK_I64(testdb_number(&t, "SELECT count(*) FROM task WHERE kind = 'scan'"), 0);
}

static void knows_when_it_is_due(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };
    struct task task;
    bool found = false;
    int64_t in_ms = 0;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    OK(task_store_next_due(db, "{scan}", &in_ms, &err));
    CHECK_I64(in_ms, -1);
    OK(task_store_next_due(db, "{watch}", &in_ms, &err)); /* made by the migration, due since */
    CHECK_I64(in_ms, 0);
    OK(task_store_add(db, "scan", 1, 20000, &err));
    OK(task_store_next_due(db, "{scan,plan}", &in_ms, &err));
    CHECK(in_ms > 10000 && in_ms <= 20000);
    OK(task_store_add(db, "scan", 1, 0, &err));
    OK(task_store_next_due(db, "{scan}", &in_ms, &err));
    CHECK_I64(in_ms, 0);
    task = claim(db, "{scan}", &found);
    OK(task_store_next_due(db, "{scan}", &in_ms, &err)); /* the end of its lease */
    CHECK(in_ms > LEASE_MS - 20000 && in_ms <= LEASE_MS);
    OK(task_store_dead(db, &task, 0, "x", &err));
    OK(task_store_next_due(db, "{scan}", &in_ms, &err));
    CHECK_I64(in_ms, -1);
}

static void counts(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };
    struct task_count out[8];
    int count = 0;
    bool found = false;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    OK(task_store_add(db, "scan", 1, 0, &err));
    claim(db, "{scan}", &found);
    OK(task_store_add(db, "scan", 2, -70000, &err));
    OK(task_store_add(db, "scan", 3, 70000, &err));
    OK(task_store_counts(db, out, 8, &count, &err));
    CHECK_I64(count, 3);
    CHECK_TEXT(out[0].kind, "scan");
    CHECK_TEXT(out[0].state, "ready");
    CHECK_I64(out[0].count, 2);
    CHECK(out[0].oldest_ms >= 70000);
    CHECK_TEXT(out[1].state, "running");
    CHECK_TEXT(out[2].kind, "watch");
    OK(task_store_counts(db, out, 2, &count, &err));
    CHECK_I64(count, 2);
}

static void troubles(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct task_trouble trouble = { 0 };
    struct err err = { 0 };
    struct task task;
    bool found = false;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    OK(task_store_add(db, "scan", 7, 0, &err));
    OK(task_store_trouble_prefix(db, 7, &rows, &trouble, &err));
    CHECK(trouble.step == NULL);
    task = claim(db, "{scan}", &found);
    OK(task_store_again(db, &task, 60000, "no network", true, &err));
    db_rows_done(&rows);
    OK(task_store_trouble_prefix(db, 7, &rows, &trouble, &err));
    CHECK_TEXT(trouble.step, "scan");
    CHECK_TEXT(trouble.message, "no network");
    CHECK_I64(trouble.failures, 1);
    CHECK(trouble.next_ms > 0);
    OK(task_store_add(db, "plan", 7, 0, &err));
    db_rows_done(&rows);
    OK(task_store_trouble_job(db, 7, &rows, &trouble, &err));
    CHECK(trouble.step == NULL); /* the scan is not the job's */
    task = claim(db, "{plan}", &found);
    OK(task_store_again(db, &task, 60000, "no quota", true, &err));
    db_rows_done(&rows);
    OK(task_store_trouble_job(db, 7, &rows, &trouble, &err));
    CHECK_TEXT(trouble.step, "plan");
    CHECK_TEXT(trouble.message, "no quota");
}

static const struct test tests[] = {
    { "claims in order of waiting", claims_in_order_of_waiting },
    { "each task is claimed exactly once", each_task_is_claimed_exactly_once },
    { "a lost lease changes nothing", a_lost_lease_changes_nothing },
    { "claims whose answer was lost are handed back", claims_whose_answer_was_lost_are_handed_back },
    { "leases that are lost are counted", leases_that_are_lost_are_counted },
    { "a heartbeat extends the lease", a_heartbeat_extends_the_lease },
    { "the fence stops claims only", the_fence_stops_claims_only },
    { "pokes", pokes },
    { "failures, deaths and releases", failures_deaths_and_releases },
    { "knows when it is due", knows_when_it_is_due },
    { "counts", counts },
    { "troubles", troubles },
};
TEST_MAIN("sql/task", tests)
