/* Connections, parameters, errors and what happens when the other side goes away. */
#include "server/base/clock.h"
#include "sql/event_store.h"
#include "sql/idempotency_store.h"
#include "sql/job_store.h"
#include "sql/prefix_store.h"
#include "sql/task_store.h"
#include "sql/video_scan.h"
#include "tests/integration/sql/testdb.h"
#include "tests/support/test.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static const unsigned char hash[32] = { 1, 2, 3 };

static void pings_and_sets_the_session(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };

    if (!testdb_begin(&t, true))
        return;
    /* What the URL brings along is kept. */
    snprintf(t.url + strlen(t.url), sizeof t.url - strlen(t.url), "%soptions=-cwork_mem%%3D5MB",
             strchr(t.url, '?') ? "&" : "?");
    db = testdb_open_with(&t, (struct db_options){ .application_name = "pinger", .statement_timeout_ms = 1234 });
    OK(db_ping(db, &err));
    CHECK_I64(testdb_number(&t, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pinger'"), 1);
    /* current_setting() as the session sees it, told by a trigger. */
    testdb_sql(&t, "CREATE TABLE seen (what text, value text);"
                   "CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                   " INSERT INTO seen SELECT n, current_setting(n) FROM unnest(ARRAY['TimeZone', 'client_encoding',"
                   " 'statement_timeout', 'client_min_messages', 'work_mem', 'DateStyle']) n; RETURN NULL; END $$;"
                   "CREATE TRIGGER tell AFTER INSERT ON task FOR EACH STATEMENT EXECUTE FUNCTION tell()");
    OK(task_store_add(db, "scan", 1, 0, &err));
    CHECK_I64(testdb_number(&t, "SELECT count(*) FROM seen WHERE (what, value) IN (('TimeZone', 'UTC'),"
                                " ('client_encoding', 'UTF8'), ('statement_timeout', '1234ms'),"
                                " ('client_min_messages', 'warning'), ('work_mem', '5MB'), ('DateStyle', 'ISO, MDY'))"),
              6);
}

static void refuses_a_bad_url_without_telling_it(void)
{
    struct db_options options = { .url = "postgresql://user:secret@[host" };
    struct err err = { 0 };
    struct db *db = db_open(&options, &err);

    CHECK(!db);
    CHECK(!strstr(err.what, "secret"));
    FAILS(false, ERR_INPUT, NULL);
    options.url = NULL;
    db = db_open(&options, &err);
    CHECK(!db);
    FAILS(false, ERR_INPUT, NULL);
}

static void nobody_listens(void)
{
    struct db_options options = { .url = "postgresql://user:secret@127.0.0.1:1/x", .connect_timeout_ms = 2000 };
    struct err err = { 0 };
    AUTO(testdb_close) struct db *db = db_open(&options, &err);
    bool ok = db_ping(db, &err);

    CHECK(err.retryable);
    CHECK(!strstr(err.what, "secret") && !strchr(err.what, '\n'));
    FAILS(ok, ERR_DATABASE, "connection_lost");
}

static void parameters_arrive_as_they_are(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };
    /* Spans without a terminator, of one buffer; the second is empty but not NULL. */
    static const char text[] = "bucketa 'quoted' \\ \"name\" \xc3\xa9\xe2\x82\xac\nline";
    struct prefix_new in = { .bucket = { text, 6 },
                             .key_prefix = { text, 0 },
                             .name = { text + 6, sizeof text - 7 },
                             .region = SPAN_LIT("us-east-1"),
                             .suffixes = SPAN_LIT("[\".mp4\", \".mov\"]") };
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct prefix_row row;
    int64_t id = 0;
    bool exists = true;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    OK(prefix_store_create(db, &in, &id, &exists, &err));
    CHECK(!exists);
    OK(prefix_store_get(db, id, &rows, &row, &err));
    CHECK_TEXT(row.bucket, "bucket");
    CHECK_TEXT(row.key_prefix, "");
    CHECK_TEXT(row.name, text + 6);
    CHECK(!row.bucket_owner);
    CHECK_TEXT(row.suffixes, "[\".mp4\", \".mov\"]");
    CHECK_I64(row.scan_started_ms, 0);
    CHECK(row.created_ms > clock_wall_ms() - 60000 && row.created_ms <= clock_wall_ms() + 60000);
}

static void text_that_cannot_be_stored_is_the_callers_fault(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };
    struct span owner = { 0 };
    int64_t id = 0;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    id = testdb_prefix(&t, 0);
    FAILS(prefix_store_update(db, id, SPAN_LIT("a\0b"), owner, false, owner, &err), ERR_INPUT, "nul_in_text");
    FAILS(prefix_store_update(db, id, SPAN_LIT("a\xff"), owner, false, owner, &err), ERR_INPUT, "text_encoding");
    OK(prefix_store_update(db, id, SPAN_LIT("fine"), owner, false, owner, &err));
}

static void reconnects_when_the_server_hung_up(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open_with(&t, (struct db_options){ .application_name = "victim" });
    for (int i = 0; i < 3; i++) {
        OK(task_store_add(db, "scan", i, 0, &err)); /* prepared the first time, and again after each loss */
        testdb_kill(&t, "victim");
    }
    OK(task_store_add(db, "scan", 3, 0, &err));
    CHECK_I64(testdb_number(&t, "SELECT count(*) FROM task WHERE kind = 'scan'"), 4);
}

/* Killed while it executes: nobody knows what became of the statement, so it is not repeated. */
static void a_statement_under_way_is_not_repeated(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };
    bool ok = false;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open_with(&t, (struct db_options){ .application_name = "victim" });
    testdb_sql(&t, "CREATE SEQUENCE tries;"
                   "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                   " PERFORM nextval('tries'), pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;"
                   "CREATE TRIGGER die AFTER INSERT ON task FOR EACH STATEMENT EXECUTE FUNCTION die()");
    ok = task_store_add(db, "scan", 1, 0, &err);
    CHECK(err.retryable);
    FAILS(ok, ERR_DATABASE, "connection_lost");
    CHECK_I64(testdb_number(&t, "SELECT last_value FROM tries"), 1);
    testdb_sql(&t, "DROP TRIGGER die ON task");
    OK(task_store_add(db, "scan", 2, 0, &err));
}

static bool lock_job(struct db *db, void *arg, struct err *err)
{
    char state[16];

    return job_store_lock(db, *(int64_t *)arg, state, err);
}

static void a_statement_timeout_is_retryable(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };
    int64_t job = 0;
    bool ok = false;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open_with(&t, (struct db_options){ .application_name = "waiter", .statement_timeout_ms = 150 });
    job = testdb_job(&t, testdb_prefix(&t, 0), 1, 1);
    testdb_sql(&t, "BEGIN; SELECT 1 FROM job FOR UPDATE");
    ok = db_transaction(db, lock_job, &job, &err);
    CHECK(err.retryable);
    CHECK(strstr(err.what, "job_lock") && strstr(err.what, "57014"));
    FAILS(ok, ERR_DATABASE, "query_timeout");
    testdb_sql(&t, "COMMIT");
    OK(db_transaction(db, lock_job, &job, &err));
}

static void a_unique_violation_is_a_conflict(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    OK(idempotency_store_put(db, "POST /x", SPAN_LIT("k"), hash, 201, NULL, SPAN_LIT("{}"), &err));
    FAILS(idempotency_store_put(db, "POST /x", SPAN_LIT("k"), hash, 201, NULL, SPAN_LIT("{}"), &err), ERR_CONFLICT,
          "unique_violation");
}

static void our_own_mistakes_are_not_retryable(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };
    bool ok = false;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    ok = event_store_add(db, 12345, "job.created", "{}", &err); /* no such job */
    CHECK(!err.retryable);
    FAILS(ok, ERR_DATABASE, NULL);
    ok = event_store_add(db, 12345, "job.created", "{not json", &err);
    CHECK(!err.retryable);
    FAILS(ok, ERR_DATABASE, NULL);
}

static const struct {
    const char *state, *code;
    bool retryable;
} states[] = {
    { "53100", "database_full", true },      { "53200", "database_busy", true },
    { "53300", "database_busy", true },      { "53400", "database_limit", true },
    { "25006", "database_read_only", true }, { "55P03", "lock_timeout", true },
    { "57014", "query_timeout", true },      { "57P01", "connection_lost", true },
    { "57P02", "connection_lost", true },    { "57P03", "connection_lost", true },
    { "08006", "connection_lost", true },    { "40001", "serialization_failure", true },
    { "40P01", "deadlock", true },           { "40003", "transaction_rolled_back", true },
    { "58030", "database", false }, /* the disk cannot be read */
    { "XX001", "database", false }, /* the data are damaged */
};

static bool add_scan(struct db *db, void *arg, struct err *err)
{
    (void)arg;
    return task_store_add(db, "scan", 2, 0, err);
}

/* Each as it comes from a statement; the next statement finds the cause gone. */
static void what_the_server_says_has_a_code(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        struct err err = { 0 };
        bool ok = false;

        test_case("%s", states[i].state);
        testdb_sql(&t,
                   "CREATE OR REPLACE FUNCTION hinder() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                   " RAISE 'hindered' USING ERRCODE = '%s'; END $$;"
                   "CREATE TRIGGER hinder BEFORE INSERT ON task FOR EACH ROW EXECUTE FUNCTION hinder()",
                   states[i].state);
        ok = task_store_add(db, "scan", (int64_t)i, 0, &err);
        CHECK(err.retryable == states[i].retryable);
        FAILS(ok, ERR_DATABASE, states[i].code);
        testdb_sql(&t, "DROP TRIGGER hinder ON task");
        OK(task_store_add(db, "scan", (int64_t)i, 0, &err));
    }
    test_case(NULL);
}

/* What a session was given when it began, it keeps: another one may be better off. */
static void a_session_that_is_read_only_is_not_kept(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };

    if (!testdb_begin(&t, true))
        return;
    testdb_sql(&t, "ALTER DATABASE \"%s\" SET default_transaction_read_only = on", t.name);
    db = testdb_open(&t);
    FAILS(task_store_add(db, "scan", 1, 0, &err), ERR_DATABASE, "database_read_only");
    FAILS(db_transaction(db, add_scan, NULL, &err), ERR_DATABASE, "database_read_only");
    OK(db_ping(db, &err));
    testdb_sql(&t, "ALTER DATABASE \"%s\" RESET default_transaction_read_only", t.name);
    FAILS(task_store_add(db, "scan", 1, 0, &err), ERR_DATABASE, "database_read_only"); /* its old session told so */
    OK(task_store_add(db, "scan", 1, 0, &err));
    OK(db_transaction(db, add_scan, NULL, &err));
}

static bool ask(struct db *db, int64_t prefix_id, struct err *err)
{
    return video_scan_ask_known(db, prefix_id, false, SPAN_LIT(""), video_scan_end(), 10, err);
}

static void an_answer_that_nobody_took_is_thrown_away(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct err err = { 0 };

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    CHECK(!video_scan_take_known(db, &rows, &err)); /* nothing was asked */
    testdb_sql(
        &t,
        "INSERT INTO prefix (id, bucket, key_prefix, name, region, suffixes) VALUES (1, 'b', '', 'b', 'r', '{.mp4}');"
        "INSERT INTO video (id, prefix_id, size_bytes, modified_at, name, etag) VALUES (7, 1, 1, now(), 'a.mp4', 'e')");
    OK(ask(db, 1, &err));
    OK(db_ping(db, &err));
    OK(ask(db, 1, &err));
    OK(ask(db, 2, &err));
    OK(video_scan_take_known(db, &rows, &err));
    CHECK_I64(rows.count, 0);
    db_rows_done(&rows);
    OK(ask(db, 1, &err));
    OK(video_scan_take_known(db, &rows, &err));
    CHECK_I64(rows.count, 1);
    CHECK_I64(db_i64(&rows, 0, 0), 7);
}

static void ping_of_a_frozen_server(struct testdb *t, struct db *db, struct err *err)
{
    const pid_t pid =
        (pid_t)testdb_number(t, "SELECT pid FROM pg_stat_activity WHERE application_name = 'frozen' LIMIT 1");
    const int64_t start_ms = clock_mono_ms();
    bool ok = false;

    if (!CHECK(pid > 1 && kill(pid, SIGSTOP) == 0))
        return;
    ok = db_ping(db, err);
    CHECK(kill(pid, SIGCONT) == 0);
    CHECK(!ok && clock_mono_ms() - start_ms < 10000);
}

/* statement_timeout is the server's: one that stands still keeps none. */
static void a_server_that_says_nothing_is_lost(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open_with(&t, (struct db_options){ .application_name = "frozen", .answer_timeout_ms = 300 });
    OK(db_ping(db, &err));
    ping_of_a_frozen_server(&t, db, &err);
    CHECK(err.retryable && strstr(err.what, "said nothing for 300 ms"));
    FAILS(false, ERR_DATABASE, "connection_lost");
    OK(db_ping(db, &err)); /* on another connection */
}

static const struct test tests[] = {
    { "pings and sets the session", pings_and_sets_the_session },
    { "refuses a bad URL without telling it", refuses_a_bad_url_without_telling_it },
    { "nobody listens", nobody_listens },
    { "parameters arrive as they are", parameters_arrive_as_they_are },
    { "text that cannot be stored is the caller's fault", text_that_cannot_be_stored_is_the_callers_fault },
    { "reconnects when the server hung up", reconnects_when_the_server_hung_up },
    { "a statement under way is not repeated", a_statement_under_way_is_not_repeated },
    { "a statement timeout is retryable", a_statement_timeout_is_retryable },
    { "a unique violation is a conflict", a_unique_violation_is_a_conflict },
    { "an answer that nobody took is thrown away", an_answer_that_nobody_took_is_thrown_away },
    { "what the server says has a code", what_the_server_says_has_a_code },
    { "a session that is read only is not kept", a_session_that_is_read_only_is_not_kept },
    { "a server that says nothing is lost", a_server_that_says_nothing_is_lost },
    { "our own mistakes are not retryable", our_own_mistakes_are_not_retryable },
};
TEST_MAIN("sql/db", tests)
