/* LISTEN/NOTIFY: nothing is missed, and nothing is waited for too long. */
#include "server/base/clock.h"
#include "sql/task_store.h"
#include "tests/integration/sql/testdb.h"
#include "tests/support/test.h"

#include <pthread.h>
#include <unistd.h>

static void wakes_for_new_tasks_only(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    AUTO(testdb_close) struct db *other = NULL;
    struct err err = { 0 };
    struct task task;
    bool notified = true;
    bool found = false;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    other = testdb_open(&t);
    OK(db_listen(db, "vidbatch_task", &err));
    OK(db_wait(db, -1, 50, &notified, &err));
    CHECK(!notified);
    OK(task_store_add(other, "scan", 1, 0, &err));
    OK(db_wait(db, -1, 20000, &notified, &err));
    CHECK(notified);
    /* Claims and heartbeats wake nobody. */
    OK(task_store_claim(other, "{scan}", "w", 1000, &task, &found, &err));
    OK(task_store_heartbeat(other, &task, 1000, &found, &err));
    OK(db_wait(db, -1, 100, &notified, &err));
    CHECK(!notified);
    /* One that comes while this connection is busy with a query is not lost. */
    OK(task_store_again(other, &task, 0, NULL, true, &err));
    OK(db_ping(db, &err));
    OK(db_wait(db, -1, 20000, &notified, &err));
    CHECK(notified);
}

static void another_thread_can_wake_it(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };
    bool notified = true;
    int64_t start_ms = 0;
    int fds[2];

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    CHECK(pipe(fds) == 0);
    CHECK(write(fds[1], "x", 1) == 1);
    start_ms = clock_mono_ms();
    OK(db_wait(db, fds[0], 20000, &notified, &err));
    CHECK(!notified);
    CHECK(clock_mono_ms() - start_ms < 10000);
    close(fds[0]);
    close(fds[1]);
}

static void listens_again_after_a_lost_connection(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };
    bool notified = false;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open_with(&t, (struct db_options){ .application_name = "victim" });
    OK(db_listen(db, "vidbatch_task", &err));
    OK(db_listen(db, "vidbatch_task", &err));
    testdb_kill(&t, "victim");
    OK(db_wait(db, -1, 20000, &notified, &err)); /* what was sent meanwhile is unknown */
    CHECK(notified);
    OK(db_wait(db, -1, 50, &notified, &err));
    CHECK(!notified);
    testdb_sql(&t, "NOTIFY vidbatch_task");
    OK(db_wait(db, -1, 20000, &notified, &err));
    CHECK(notified);
}

static bool wait_inside(struct db *db, void *arg, struct err *err)
{
    return db_wait(db, -1, 1, arg, err);
}

static void refuses_misuse(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };
    bool notified = false;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    FAILS(db_transaction(db, wait_inside, &notified, &err), ERR_INTERNAL, NULL);
    FAILS(db_listen(db, "a\"b", &err), ERR_INTERNAL, NULL);
    OK(db_listen(db, "one", &err));
    OK(db_listen(db, "two", &err));
    OK(db_listen(db, "three", &err));
    OK(db_listen(db, "four", &err));
    FAILS(db_listen(db, "five", &err), ERR_INTERNAL, NULL);
}

struct asker {
    struct db *db;
    struct err err;
    bool ok;
};

static void *count_tasks(void *arg)
{
    struct asker *asker = arg;
    struct task_count counts[4];
    int count = 0;

    asker->ok = task_store_counts(asker->db, counts, 4, &count, &asker->err);
    return NULL;
}

static void another_thread_can_end_its_query(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct testdb holder;
    struct asker asker = { 0 };
    pthread_t thread;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open_with(&t, (struct db_options){ .application_name = "asker" });
    db_cancel(db); /* not connected yet: nothing to end */
    asker.db = db;
    holder = t; /* a transaction sees pg_stat_activity as it was when it first looked */
    holder.conn = PQconnectdb(t.url);
    testdb_sql(&holder, "BEGIN; LOCK TABLE task");
    CHECK(pthread_create(&thread, NULL, count_tasks, &asker) == 0);
    testdb_await_lock(&t, "asker");
    db_cancel(db);
    (void)pthread_join(thread, NULL);
    testdb_fails(asker.ok, &asker.err, ERR_CANCELLED, "query_cancelled", TEST_HERE);
    PQfinish(holder.conn);
    db_cancel(db); /* nothing runs: nothing happens */
    count_tasks(&asker);
    testdb_ok(asker.ok, &asker.err, TEST_HERE);
}

static const struct test tests[] = {
    { "wakes for new tasks only", wakes_for_new_tasks_only },
    { "another thread can wake it", another_thread_can_wake_it },
    { "listens again after a lost connection", listens_again_after_a_lost_connection },
    { "another thread can end its query", another_thread_can_end_its_query },
    { "refuses misuse", refuses_misuse },
};
TEST_MAIN("sql/wait", tests)
