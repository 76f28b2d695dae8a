/* Migrations: any number of replicas at once, killed ones, edited ones, newer ones. */
#include "sql/migrate.h"
#include "sql/task_store.h"
#include "tests/integration/sql/testdb.h"
#include "tests/support/test.h"

#include <pthread.h>
#include <string.h>

struct replica {
    struct testdb *t;
    pthread_barrier_t *start;
    struct err err;
    int applied;
    bool newer, ok;
};

static void *run_replica(void *arg)
{
    struct replica *replica = arg;
    AUTO(testdb_close)
    struct db *db = testdb_open_with(
        replica->t, (struct db_options){ .application_name = "replica", .statement_timeout_ms = 30000 });

    pthread_barrier_wait(replica->start);
    replica->ok = migrate_run(db, &replica->applied, &replica->newer, &replica->err);
    return NULL;
}

static void six_replicas_at_once(void)
{
    AUTO(testdb_end) struct testdb t;
    pthread_barrier_t start;
    pthread_t threads[6];
    struct replica replicas[6] = { 0 };
    int applied = 0;

    if (!testdb_begin(&t, false))
        return;
    pthread_barrier_init(&start, NULL, 6);
    for (int i = 0; i < 6; i++) {
        replicas[i] = (struct replica){ .t = &t, .start = &start };
        pthread_create(&threads[i], NULL, run_replica, &replicas[i]);
    }
    for (int i = 0; i < 6; i++) {
        pthread_join(threads[i], NULL);
        testdb_ok(replicas[i].ok, &replicas[i].err, TEST_HERE);
        CHECK(!replicas[i].newer);
        applied += replicas[i].applied;
    }
    pthread_barrier_destroy(&start);
    CHECK_I64(applied, sql_migration_count);
    CHECK_I64(testdb_number(&t, "SELECT count(*) FROM schema_migration"), sql_migration_count);
    CHECK_I64(testdb_number(&t, "SELECT count(*) FROM task"), 1);
    CHECK_I64(testdb_number(&t, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"), 0);
}

static void a_second_run_does_nothing(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };
    int applied = 0;
    int database = -1;
    int build = -1;
    bool newer = true;

    if (!testdb_begin(&t, false))
        return;
    db = testdb_open(&t);
    OK(migrate_status(db, &database, &build, &err));
    CHECK_I64(database, 0);
    CHECK_I64(build, sql_migration_count);
    OK(migrate_run(db, &applied, &newer, &err));
    CHECK_I64(applied, sql_migration_count);
    CHECK(!newer);
    OK(migrate_run(db, &applied, &newer, &err));
    CHECK_I64(applied, 0);
    OK(migrate_status(db, &database, &build, &err));
    CHECK_I64(database, sql_migration_count);
    /* The session's own timeout is back. */
    OK(task_store_add(db, "scan", 1, 0, &err));
}

static void an_edited_migration_is_refused(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };
    int applied = 0;
    bool newer = false;
    bool ok = false;

    if (!testdb_begin(&t, false))
        return;
    db = testdb_open(&t);
    OK(migrate_run(db, &applied, &newer, &err));
    testdb_sql(&t, "UPDATE schema_migration SET checksum = sha256('other') WHERE number = 1");
    ok = migrate_run(db, &applied, &newer, &err);
    CHECK(strstr(err.what, sql_migrations[0].name) != NULL);
    FAILS(ok, ERR_CONFLICT, "migration_edited");
}

static void a_newer_database_is_left_alone(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };
    int applied = -1;
    int database = 0;
    int build = 0;
    bool newer = false;

    if (!testdb_begin(&t, false))
        return;
    db = testdb_open(&t);
    OK(migrate_run(db, &applied, &newer, &err));
    testdb_sql(&t, "INSERT INTO schema_migration VALUES (%d, 'later', 'x')", sql_migration_count + 1);
    OK(migrate_run(db, &applied, &newer, &err));
    CHECK_I64(applied, 0);
    CHECK(newer);
    OK(migrate_status(db, &database, &build, &err));
    CHECK_I64(database, sql_migration_count + 1);
}

/* Killed while it waits in the middle of the migration: nothing stays behind, and the next one does it all. */
static void a_killed_migration_leaves_nothing(void)
{
    AUTO(testdb_end) struct testdb t;
    pthread_barrier_t start;
    pthread_t thread;
    struct replica replica = { .t = &t, .start = &start };

    if (!testdb_begin(&t, false))
        return;
    /* DDL waits for this lock: CREATE TABLE task comes late in the file. */
    testdb_sql(&t, "CREATE FUNCTION hold() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN"
                   " IF to_regclass('event') IS NOT NULL THEN PERFORM pg_advisory_xact_lock(1); END IF; END $$;"
                   "CREATE EVENT TRIGGER hold ON ddl_command_end EXECUTE FUNCTION hold()");
    testdb_sql(&t, "SELECT pg_advisory_lock(1)");
    pthread_barrier_init(&start, NULL, 2);
    pthread_create(&thread, NULL, run_replica, &replica);
    pthread_barrier_wait(&start);
    testdb_await_lock(&t, "replica");
    testdb_kill(&t, "replica");
    pthread_join(thread, NULL);
    CHECK(replica.err.retryable);
    testdb_fails(replica.ok, &replica.err, ERR_DATABASE, "connection_lost", TEST_HERE);
    testdb_sql(&t, "SELECT pg_advisory_unlock(1); DROP EVENT TRIGGER hold");
    CHECK_I64(testdb_number(&t, "SELECT count(to_regclass('prefix'))"), 0);
    CHECK_I64(testdb_number(&t, "SELECT count(*) FROM schema_migration"), 0);
    pthread_create(&thread, NULL, run_replica, &replica);
    pthread_barrier_wait(&start);
    pthread_join(thread, NULL);
    testdb_ok(replica.ok, &replica.err, TEST_HERE);
    CHECK_I64(replica.applied, sql_migration_count);
    pthread_barrier_destroy(&start);
}

/* Ids: unique whoever makes them, and of one session in the order of their making. */
static void ids_are_unique_and_rise(void)
{
    AUTO(testdb_end) struct testdb t;

    if (!testdb_begin(&t, true))
        return;
    testdb_sql(&t, "SELECT setval('id_seq', 100)");
    testdb_sql(&t, "CREATE TABLE made AS SELECT i, next_id() AS id FROM generate_series(1, 200000) i");
    CHECK_I64(testdb_number(&t, "SELECT count(DISTINCT id) FROM made"), 200000);
    CHECK_I64(testdb_number(&t, "SELECT count(*) FROM (SELECT id - lag(id) OVER (ORDER BY i) AS step FROM made) s"
                                " WHERE step <= 0"),
              0);
    CHECK_I64(testdb_number(&t, "SELECT count(*) FROM made WHERE id <= 0"), 0);
    /* Over the end of the sequence's 22 bits, and of the sequence itself. */
    testdb_sql(
        &t, "SELECT setval('id_seq', 4194300); INSERT INTO made SELECT i, next_id() FROM generate_series(1, 1000) i");
    /* Both pass the same low bits, which setval alone makes possible: in another millisecond, as the next round of the
     * sequence is in life. */
    testdb_sql(&t, "SELECT pg_sleep(0.005)");
    testdb_sql(&t, "SELECT setval('id_seq', 4611686018427387900);"
                   "INSERT INTO made SELECT i, next_id() FROM generate_series(1, 1000) i");
    CHECK_I64(testdb_number(&t, "SELECT count(DISTINCT id) FROM made"), 202000);
    CHECK_I64(testdb_number(&t, "SELECT count(*) FROM made WHERE id <= 0"), 0);
    /* Later milliseconds give larger ids, wherever the sequence stands. */
    testdb_sql(&t, "SELECT pg_sleep(0.005)");
    CHECK_I64(testdb_number(&t, "SELECT (next_id() > max(id))::int FROM made"), 1);
}

static const struct test tests[] = {
    { "six replicas at once", six_replicas_at_once },
    { "a second run does nothing", a_second_run_does_nothing },
    { "an edited migration is refused", an_edited_migration_is_refused },
    { "a newer database is left alone", a_newer_database_is_left_alone },
    { "a killed migration leaves nothing", a_killed_migration_leaves_nothing },
    { "ids are unique and rise", ids_are_unique_and_rise },
};
TEST_MAIN("sql/migrate", tests)
