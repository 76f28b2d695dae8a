/* The transaction runner: repeats what lost a race, and always ends. */
#include "sql/event_store.h"
#include "sql/job_store.h"
#include "sql/task_store.h"
#include "tests/integration/sql/testdb.h"
#include "tests/support/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

struct work {
    int64_t job;
    int runs;
    bool fail;
    bool swallow; /* goes on as if nothing had happened */
};

static bool add_event(struct db *db, void *arg, struct err *err)
{
    struct work *work = arg;

    work->runs++;
    if (!event_store_add(db, work->job, "job.tested", NULL, work->swallow ? NULL : err) && !work->swallow)
        return false;
    if (work->fail)
        return err_set(err, ERR_CONFLICT, false, HERE, "changed my mind");
    return true;
}

static int64_t events(struct testdb *t)
{
    return testdb_number(t, "SELECT count(*) FROM event");
}

/* A trigger on event that raises this SQLSTATE the first `times` times (a sequence does not roll back). */
static void raise_at_insert(struct testdb *t, const char *state, int times)
{
    testdb_sql(t,
               "CREATE SEQUENCE tries; CREATE FUNCTION hinder() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
               " IF nextval('tries') <= %d THEN RAISE 'hindered' USING ERRCODE = '%s'; END IF; RETURN NEW; END $$;"
               "CREATE TRIGGER hinder BEFORE INSERT ON event FOR EACH ROW EXECUTE FUNCTION hinder()",
               times, state);
}

static void commits_or_rolls_back(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };
    struct work work = { 0 };

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    work.job = testdb_job(&t, testdb_prefix(&t, 0), 1, 1);
    OK(db_transaction(db, add_event, &work, &err));
    CHECK_I64(events(&t), 1);
    work.fail = true;
    FAILS(db_transaction(db, add_event, &work, &err), ERR_CONFLICT, NULL);
    CHECK_I64(events(&t), 1);
    CHECK_I64(work.runs, 2);
    CHECK_I64(testdb_number(&t, "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%%'"
                                " AND datname = current_database()"),
              0);
}

static bool nested(struct db *db, void *arg, struct err *err)
{
    return db_transaction(db, add_event, arg, err);
}

static bool silent(struct db *db, void *arg, struct err *err)
{
    (void)db;
    (void)arg;
    (void)err;
    return false;
}

static void refuses_misuse(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };
    struct work work = { 0 };
    struct task task = { .id = 1 };

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    FAILS(db_transaction(db, nested, &work, &err), ERR_INTERNAL, NULL);
    FAILS(db_transaction(db, silent, NULL, &err), ERR_INTERNAL, NULL);
    FAILS(task_store_fence(db, &task, &err), ERR_INTERNAL, NULL);
    OK(db_ping(db, &err));
}

static void repeats_a_lost_race(void)
{
    static const struct {
        const char *state;
        int times;
        bool swallow;
        int want_runs;
        enum err_kind fails;
        const char *code;
    } cases[] = {
        { "40001", 2, false, 3, ERR_NONE, NULL },
        { "40P01", 4, false, 5, ERR_NONE, NULL },
        { "40001", 2, true, 3, ERR_NONE, NULL },
        { "40001", 5, false, 5, ERR_DATABASE, "serialization_failure" },
        { "55000", 1, false, 1, ERR_DATABASE, NULL },
        { "55000", 1, true, 1, ERR_DATABASE, NULL }, /* COMMIT answers ROLLBACK, and no error */
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        AUTO(testdb_end) struct testdb t;
        AUTO(testdb_close) struct db *db = NULL;
        struct err err = { 0 };
        struct work work = { .swallow = cases[i].swallow };
        bool ok = false;

        if (!testdb_begin(&t, true))
            return;
        test_case("%s %d times%s", cases[i].state, cases[i].times, cases[i].swallow ? ", swallowed" : "");
        db = testdb_open(&t);
        work.job = testdb_job(&t, testdb_prefix(&t, 0), 1, 1);
        raise_at_insert(&t, cases[i].state, cases[i].times);
        ok = db_transaction(db, add_event, &work, &err);
        CHECK_I64(work.runs, cases[i].want_runs);
        if (cases[i].fails == ERR_NONE)
            OK(ok);
        else
            FAILS(ok, cases[i].fails, cases[i].code);
        CHECK_I64(events(&t), cases[i].fails == ERR_NONE);
    }
    test_case(NULL);
}

struct crossing {
    struct testdb *t;
    pthread_barrier_t *both_hold_one;
    int64_t first, second;
    int runs;
    struct err err;
    bool ok;
};

static bool lock_two(struct db *db, void *arg, struct err *err)
{
    struct crossing *crossing = arg;
    char state[16];

    crossing->runs++;
    if (!job_store_lock(db, crossing->first, state, err))
        return false;
    if (crossing->runs == 1)
        pthread_barrier_wait(crossing->both_hold_one);
    return job_store_lock(db, crossing->second, state, err) &&
           event_store_add(db, crossing->first, "job.tested", NULL, err);
}

static void *cross(void *arg)
{
    struct crossing *crossing = arg;
    AUTO(testdb_close) struct db *db = testdb_open(crossing->t);

    crossing->ok = db_transaction(db, lock_two, crossing, &crossing->err);
    return NULL;
}

static void survives_a_real_deadlock(void)
{
    AUTO(testdb_end) struct testdb t;
    pthread_barrier_t barrier;
    pthread_t threads[2];
    struct crossing crossings[2] = { 0 };
    int64_t prefix = 0;
    int64_t jobs[2];

    if (!testdb_begin(&t, true))
        return;
    prefix = testdb_prefix(&t, 0);
    for (int i = 0; i < 2; i++)
        jobs[i] = testdb_job(&t, prefix, 1, 1);
    pthread_barrier_init(&barrier, NULL, 2);
    for (int i = 0; i < 2; i++) {
        crossings[i] = (struct crossing){ .t = &t, .both_hold_one = &barrier, .first = jobs[i], .second = jobs[1 - i] };
        pthread_create(&threads[i], NULL, cross, &crossings[i]);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        testdb_ok(crossings[i].ok, &crossings[i].err, TEST_HERE);
    }
    pthread_barrier_destroy(&barrier);
    CHECK_I64(crossings[0].runs + crossings[1].runs, 3); /* one of the two was the victim, once */
    CHECK_I64(events(&t), 2);
}

struct victim {
    struct testdb *t;
    int64_t job;
};

static bool die_inside(struct db *db, void *arg, struct err *err)
{
    struct victim *victim = arg;

    if (!event_store_add(db, victim->job, "job.tested", NULL, err))
        return false;
    testdb_kill(victim->t, "victim");
    return event_store_add(db, victim->job, "job.tested", NULL, err);
}

static bool die_before_commit(struct db *db, void *arg, struct err *err)
{
    struct victim *victim = arg;

    if (!event_store_add(db, victim->job, "job.tested", NULL, err))
        return false;
    testdb_kill(victim->t, "victim");
    CHECK(!event_store_add(db, victim->job, "job.tested", NULL, NULL)); /* noticed, and not told */
    return true;
}

static void a_lost_connection_ends_the_transaction(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };
    struct victim victim = { .t = &t };
    struct work work = { 0 };
    bool ok = false;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open_with(&t, (struct db_options){ .application_name = "victim" });
    work.job = victim.job = testdb_job(&t, testdb_prefix(&t, 0), 1, 1);
    ok = db_transaction(db, die_inside, &victim, &err);
    CHECK(err.retryable);
    FAILS(ok, ERR_DATABASE, "connection_lost");
    ok = db_transaction(db, die_before_commit, &victim, &err);
    CHECK(err.retryable);
    FAILS(ok, ERR_DATABASE, "connection_lost");
    CHECK_I64(events(&t), 0);
    OK(db_transaction(db, add_event, &work, &err)); /* on a new connection */
    CHECK_I64(events(&t), 1);
    testdb_kill(&t, "victim"); /* idle: BEGIN finds it dead */
    OK(db_transaction(db, add_event, &work, &err));
    CHECK_I64(events(&t), 2);
}

static void a_connection_lost_at_commit_is_in_doubt(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };
    struct work work = { 0 };
    bool ok = false;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    work.job = testdb_job(&t, testdb_prefix(&t, 0), 1, 1);
    testdb_sql(&t, "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                   " PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;"
                   "CREATE CONSTRAINT TRIGGER die AFTER INSERT ON event DEFERRABLE INITIALLY DEFERRED"
                   " FOR EACH ROW EXECUTE FUNCTION die()");
    ok = db_transaction(db, add_event, &work, &err);
    CHECK(err.retryable);
    FAILS(ok, ERR_DATABASE, "commit_unknown");
    CHECK_I64(work.runs, 1);
    testdb_sql(&t, "DROP TRIGGER die ON event");
    OK(db_transaction(db, add_event, &work, &err));
}

static const struct test tests[] = {
    { "commits or rolls back", commits_or_rolls_back },
    { "refuses misuse", refuses_misuse },
    { "repeats a lost race", repeats_a_lost_race },
    { "survives a real deadlock", survives_a_real_deadlock },
    { "a lost connection ends the transaction", a_lost_connection_ends_the_transaction },
    { "a connection lost at COMMIT is in doubt", a_connection_lost_at_commit_is_in_doubt },
};
TEST_MAIN("sql/transaction", tests)
