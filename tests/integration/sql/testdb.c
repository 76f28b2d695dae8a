#include "tests/integration/sql/testdb.h"

#include "server/base/text.h"
#include "tests/support/test.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The server's URL with another database: scheme://user@host:port/DATABASE?options. */
static void other_database(const char *url, const char *name, char *out, size_t size)
{
    const char *host = strstr(url, "://");
    const char *path = host ? strchr(host + 3, '/') : NULL;
    const char *options = strchr(url, '?');

    if (!path) {
        printf("VIDBATCH_TEST_DATABASE_URL must be a URL with a database in it\n");
        exit(1);
    }
    snprintf(out, size, "%.*s/%s%s", (int)(path - url), url, name, options ? options : "");
}

static PGconn *connect_or_exit(const char *url)
{
    PGconn *conn = PQconnectdb(url);

    if (PQstatus(conn) != CONNECTION_OK) {
        printf("cannot connect: %s\n", PQerrorMessage(conn));
        exit(1);
    }
    return conn;
}

static PGresult *run_or_exit(PGconn *conn, const char *sql)
{
    PGresult *result = PQexec(conn, sql);
    ExecStatusType status = PQresultStatus(result);

    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        printf("%s\n  of: %s\n", PQerrorMessage(conn), sql);
        exit(1);
    }
    return result;
}

static void run_on_server(const struct testdb *t, const char *verb, const char *tail)
{
    char sql[200];
    PGconn *conn = connect_or_exit(t->server_url);

    snprintf(sql, sizeof sql, "%s DATABASE %s %s", verb, t->name, tail);
    PQclear(run_or_exit(conn, sql));
    PQfinish(conn);
}

/* All migrations, without the code that is under test. */
static void migrate(struct testdb *t)
{
    for (int i = 0; i < sql_migration_count; i++)
        PQclear(run_or_exit(t->conn, sql_migrations[i].text));
}

bool testdb_begin(struct testdb *t, bool migrated)
{
    const char *url = getenv("VIDBATCH_TEST_DATABASE_URL");
    unsigned char random[8];

    *t = (struct testdb){ 0 };
    if (!url || !url[0]) {
        test_skip("VIDBATCH_TEST_DATABASE_URL is not set");
        return false;
    }
    text_random(random, sizeof random);
    snprintf(t->name, sizeof t->name, "test_%02x%02x%02x%02x%02x%02x%02x%02x", random[0], random[1], random[2],
             random[3], random[4], random[5], random[6], random[7]);
    snprintf(t->server_url, sizeof t->server_url, "%s", url);
    other_database(url, t->name, t->url, sizeof t->url);
    run_on_server(t, "CREATE", "");
    t->conn = connect_or_exit(t->url);
    PQclear(run_or_exit(t->conn, "SET client_min_messages = warning"));
    if (migrated)
        migrate(t);
    return true;
}

void testdb_end(struct testdb *t)
{
    if (!t->conn)
        return;
    PQfinish(t->conn);
    t->conn = NULL;
    run_on_server(t, "DROP", "WITH (FORCE)");
}

struct db *testdb_open_with(const struct testdb *t, struct db_options options)
{
    struct err err = { 0 };
    struct db *db = NULL;

    options.url = t->url;
    db = db_open(&options, &err);
    if (!db) {
        printf("db_open: %s\n", err.what);
        exit(1);
    }
    return db;
}

struct db *testdb_open(const struct testdb *t)
{
    return testdb_open_with(t, (struct db_options){ .application_name = "test" });
}

void testdb_close(struct db **db)
{
    db_close(*db);
    *db = NULL;
}

void testdb_sql(struct testdb *t, const char *fmt, ...)
{
    char sql[4000];
    va_list args;

    va_start(args, fmt);
    vsnprintf(sql, sizeof sql, fmt, args);
    va_end(args);
    PQclear(run_or_exit(t->conn, sql));
}

int64_t testdb_number(struct testdb *t, const char *fmt, ...)
{
    char sql[4000];
    va_list args;
    PGresult *result = NULL;
    int64_t n = -999;

    va_start(args, fmt);
    vsnprintf(sql, sizeof sql, fmt, args);
    va_end(args);
    result = run_or_exit(t->conn, sql);
    if (PQntuples(result) > 0 && !PQgetisnull(result, 0, 0))
        n = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    return n;
}

void testdb_kill(struct testdb *t, const char *application_name)
{
    testdb_sql(t, "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = '%s'",
               application_name);
}

void testdb_await_lock(struct testdb *t, const char *application_name)
{
    for (int i = 0; i < 2000; i++) {
        if (testdb_number(
                t, "SELECT count(*) FROM pg_stat_activity WHERE application_name = '%s' AND wait_event_type = 'Lock'",
                application_name) > 0)
            return;
        usleep(5000);
    }
    printf("%s does not wait for a lock\n", application_name);
    exit(1);
}

int64_t testdb_prefix(struct testdb *t, int videos)
{
    int64_t id = testdb_number(t, "INSERT INTO prefix (bucket, key_prefix, name, region, suffixes)"
                                  " VALUES ('bucket', next_id() || '/', 'name', 'us-east-1', '{.mp4}') RETURNING id");

    testdb_sql(t,
               "INSERT INTO video (prefix_id, size_bytes, modified_at, name, etag)"
               " SELECT %lld, i, '2024-01-01Z', 'v' || lpad(i::text, 6, '0') || '.mp4', '\"' || i || '\"'"
               " FROM generate_series(1, %d) i",
               (long long)id, videos);
    return id;
}

int64_t testdb_job(struct testdb *t, int64_t prefix_id, int shards, unsigned char recipe)
{
    int64_t id = testdb_number(
        t,
        "INSERT INTO job (prefix_id, name, model_id, prompt, recipe, select_mode, staging, state, launched_at)"
        " VALUES (%lld, 'job', 'model', 'Say what you see.', decode(repeat('%02x', 32), 'hex'),"
        " 'all', 'copy', 'staging', now()) RETURNING id",
        (long long)prefix_id, recipe);

    testdb_sql(t,
               "INSERT INTO shard (job_id, ordinal, record_count, folder_uri, output_uri, bedrock_name, client_token)"
               " SELECT %lld, i, 0, 's3://b/in/', 's3://b/out/', 'name-' || next_id(), 'token-' || next_id()"
               " FROM generate_series(0, %d) i",
               (long long)id, shards - 1);
    return id;
}

int64_t testdb_planned_job(struct testdb *t, int64_t prefix_id, int shards, unsigned char recipe)
{
    int64_t id = testdb_job(t, prefix_id, shards, recipe);

    testdb_sql(
        t,
        "INSERT INTO record (job_id, shard_id, video_id, etag)"
        " SELECT %lld, (SELECT id FROM shard WHERE job_id = %lld AND ordinal = n - 1), d.id, d.etag"
        "   FROM (SELECT *, ntile(%d) OVER (ORDER BY name) AS n FROM video WHERE prefix_id = %lld) d ORDER BY name",
        (long long)id, (long long)id, shards, (long long)prefix_id);
    testdb_sql(t, "UPDATE shard SET record_count = (SELECT count(*) FROM record WHERE shard_id = shard.id)");
    return id;
}

int64_t testdb_shard(struct testdb *t, int64_t job_id, int ordinal)
{
    return testdb_number(t, "SELECT id FROM shard WHERE job_id = %lld AND ordinal = %d", (long long)job_id, ordinal);
}

bool testdb_ok(bool ok, const struct err *err, const char *where)
{
    char what[900];

    snprintf(what, sizeof what, "the call succeeds (%s %s, at %s)", err_code_of(err), err->what,
             err->where ? err->where : "?");
    return test_check(ok, what, where);
}

bool testdb_fails(bool ok, struct err *err, enum err_kind kind, const char *code, const char *where)
{
    bool right = test_check(!ok, "the call fails", where);

    right &= test_check_text(err_kind_name(err->kind), err_kind_name(kind), "the error's kind", where);
    if (code)
        right &= test_check_text(err_code_of(err), code, "the error's code", where);
    if (!right)
        printf("  the error said: %s\n", err->what);
    err_clear(err);
    return right;
}
