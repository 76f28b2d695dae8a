/* One connection to PostgreSQL with its prepared statements; queries go by their file's name (sql/queries/job_get.sql
 * is Q_JOB_GET, from the generated sql_files.h). A struct db belongs to one thread at a time. A connection that is lost
 * is opened again by the next call outside a transaction. Results are in text format. */
#ifndef VIDBATCH_SQL_DB_H
#define VIDBATCH_SQL_DB_H

#include "server/base/attr.h"
#include "server/base/err.h"
#include "server/base/span.h"
#include "sql_files.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db_options {
    const char *url;              /* borrowed during db_open */
    int64_t connect_timeout_ms;   /* 0 = 5000 */
    int64_t statement_timeout_ms; /* 0 = none */
    int64_t answer_timeout_ms;    /* 0 = statement_timeout_ms and three seconds more, or none without that: how long a
                                     server that is asked may say nothing; then its connection is lost */
    int64_t lock_timeout_ms;      /* 0 = none: how long a statement waits for another transaction's rows and locks */
    const char *application_name;
    bool walks_indexes; /* reads pages and single rows: plans kept with its statements may never scan a table, however
                           small it was when they were made */
};
struct db;
/* Does not connect yet: the first call does. Gives: db_close. */
MUST_CHECK struct db *db_open(const struct db_options *options, struct err *err);
void db_close(struct db *db);
/* Asks the server to end the statement that runs now, if any: it fails with ERR_CANCELLED, code "query_cancelled".
 * Later statements run as ever, so whoever wants a thread to end asks until it has. Any thread, as long as db is open;
 * may take as long as connecting to the server does. */
void db_cancel(struct db *db);
/* Connects if needed and asks SELECT 1. */
MUST_CHECK bool db_ping(struct db *db, struct err *err);

/* Parameters, sent in text format. Spans and texts are borrowed during the call. */
struct param {
    const char *text; /* NULL: SQL NULL */
    int len;
    char number[32]; /* where param_i64 and friends keep their text */
    bool in_number;
};
struct param param_i64(int64_t n);
struct param param_i64_or_null(bool has, int64_t n);
struct param param_f64_or_null(bool has, double x);
struct param param_bool(bool b);
struct param param_text(const char *text);   /* NULL is SQL NULL */
struct param param_span(struct span s);      /* ptr NULL is SQL NULL; sent up to its length (no NUL inside) */
struct param param_time_ms(int64_t wall_ms); /* for timestamptz parameters; 0 is NULL */

/* Rows of an answer. Texts read from it live until db_rows_done. */
struct db_rows {
    PGresult *result;
    int count;
};
void db_rows_done(struct db_rows *rows);
bool db_is_null(const struct db_rows *rows, int row, int column);
const char *db_text(const struct db_rows *rows, int row, int column); /* NULL where SQL NULL */
struct span db_span(const struct db_rows *rows, int row, int column); /* ptr NULL where SQL NULL */
int64_t db_i64(const struct db_rows *rows, int row, int column);      /* 0 where NULL; so are the next two */
double db_f64(const struct db_rows *rows, int row, int column);
bool db_bool(const struct db_rows *rows, int row, int column);

/* Runs a named query. rows may be NULL where nobody looks. ERR_DATABASE; retryable by SQLSTATE (lost connection,
 * serialization, deadlock, lock and statement timeouts, too many connections, a full disk, read only, shutting down).
 * Unique violations: ERR_CONFLICT, code "unique_violation". Text that cannot be stored (U+0000, not UTF-8): ERR_INPUT.
 * Codes of ERR_DATABASE that callers may look at: connection_lost serialization_failure deadlock lock_timeout
 * query_timeout database_full database_read_only database_busy database_limit.
 * A statement is repeated after a lost connection only where it was certainly not executed, and never inside a
 * transaction. */
MUST_CHECK bool db_query(struct db *db, enum query query, const struct param *params, int count, struct db_rows *rows,
                         struct err *err);
/* The same for statements without rows; *changed (may be NULL) gets the number of rows touched. */
MUST_CHECK bool db_execute(struct db *db, enum query query, const struct param *params, int count, int64_t *changed,
                           struct err *err);

/* The database as a whole is in trouble, not this statement: not to be reached, read only, full, out of connections. */
bool db_is_down(const struct err *err);

/* Runs work in one transaction (read committed) and commits. work may run several times: when it, or the commit, loses
 * a serialization race or a deadlock it is rolled back and run again (at most 5 times, with jitter). work returning
 * false rolls back. No nesting. A connection lost during COMMIT: ERR_DATABASE, retryable, code "commit_unknown": the
 * changes may or may not be stored. */
typedef bool db_work_fn(struct db *db, void *arg, struct err *err);
MUST_CHECK bool db_transaction(struct db *db, db_work_fn *work, void *arg, struct err *err);

/* The database's clock, in milliseconds since 1970: what is compared with times that are stored. */
MUST_CHECK bool db_now_ms(struct db *db, int64_t *now_ms, struct err *err);

/* LISTEN/NOTIFY. db_wait returns when a notification came, the socket wake_fd became readable (-1: none), or the time
 * is over. */
MUST_CHECK bool db_listen(struct db *db, const char *channel, struct err *err);
MUST_CHECK bool db_wait(struct db *db, int wake_fd, int64_t timeout_ms, bool *notified, struct err *err);

/* COPY FROM STDIN in binary format: begin (the query's text is the COPY command), rows, end. Inside a transaction the
 * rows belong to it. Fields must come in the COPY's column order. Errors are remembered and come out of db_copy_end.
 * Memory: one 64 KiB buffer. */
struct db_copy {
    struct db *db;
    char *data;
    size_t len;
    bool failed;
    struct err err;
    int64_t rows;
};
MUST_CHECK bool db_copy_begin(struct db *db, enum query query, struct db_copy *copy, struct err *err);
void db_copy_row(struct db_copy *copy, int fields);
void db_copy_i64(struct db_copy *copy, int64_t n);
void db_copy_i32(struct db_copy *copy, int32_t n);
void db_copy_bool(struct db_copy *copy, bool b);
void db_copy_time_ms(struct db_copy *copy, int64_t wall_ms); /* timestamptz */
void db_copy_span(struct db_copy *copy, struct span s);      /* text, enum labels; ptr NULL is NULL */
void db_copy_null(struct db_copy *copy);
MUST_CHECK bool db_copy_end(struct db_copy *copy, struct err *err);
/* Ends a COPY that must not count; the statement fails, so the transaction must be rolled back. */
void db_copy_abort(struct db_copy *copy);

#endif
