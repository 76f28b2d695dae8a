/* A database of its own for one test, on the server that VIDBATCH_TEST_DATABASE_URL names, and short ways to fill and
 * ask it. */
#ifndef VIDBATCH_TESTS_INTEGRATION_SQL_TESTDB_H
#define VIDBATCH_TESTS_INTEGRATION_SQL_TESTDB_H

#include "sql/db.h"

struct testdb {
    char server_url[400]; /* of the database that the environment names */
    char url[400];        /* of this one */
    char name[40];
    PGconn *conn; /* for testdb_sql; one thread */
};

/* Makes a new database, with the schema where migrated is true. False: the test is marked as skipped or failed. */
MUST_CHECK bool testdb_begin(struct testdb *t, bool migrated);
/* Drops it, whoever is still connected. */
void testdb_end(struct testdb *t);

/* A connection; options->url is filled in. A failure ends the program. Gives: testdb_close, or AUTO. */
struct db *testdb_open(const struct testdb *t);
struct db *testdb_open_with(const struct testdb *t, struct db_options options);
void testdb_close(struct db **db);

/* Runs SQL text, which must succeed. */
void testdb_sql(struct testdb *t, const char *fmt, ...) PRINTF(2, 3);
/* The one number that it gives; -999 for NULL or no row. */
int64_t testdb_number(struct testdb *t, const char *fmt, ...) PRINTF(2, 3);
/* Ends the server's side of all connections of this application_name, and waits until they are gone. */
void testdb_kill(struct testdb *t, const char *application_name);
/* Waits until a connection of this application_name waits for a lock. */
void testdb_await_lock(struct testdb *t, const char *application_name);

/* A prefix with `videos` eligible videos named v000001.mp4 and so on. */
int64_t testdb_prefix(struct testdb *t, int videos);
/* A job in state `staging` with empty shards in state `planned`; the recipe is 32 times this byte. */
int64_t testdb_job(struct testdb *t, int64_t prefix_id, int shards, unsigned char recipe);
/* The same, and a record for each video, dealt to the shards. */
int64_t testdb_planned_job(struct testdb *t, int64_t prefix_id, int shards, unsigned char recipe);
int64_t testdb_shard(struct testdb *t, int64_t job_id, int ordinal);

/* Prints err's story when ok is false, and fails the test. */
bool testdb_ok(bool ok, const struct err *err, const char *where);
#define OK(call) testdb_ok((call), &err, TEST_HERE)
/* The call fails with this kind; then err is empty again. */
bool testdb_fails(bool ok, struct err *err, enum err_kind kind, const char *code, const char *where);
#define FAILS(call, kind, code) testdb_fails((call), &err, (kind), (code), TEST_HERE)

#endif
