/* What the db_*.c files share, and what stores may use beyond db.h. Private to sql/. */
#ifndef VIDBATCH_SQL_DB_INTERNAL_H
#define VIDBATCH_SQL_DB_INTERNAL_H

#include "server/base/buf.h"
#include "sql/db.h"

#include <pthread.h>
#include <stdatomic.h>

enum { DB_CHANNELS = 4, DB_PARAMS = 32, DB_COPY_BYTES = 64 * 1024 };

struct db {
    PGconn *conn;                /* NULL: not connected */
    pthread_mutex_t cancel_lock; /* guards cancel; held while the server is told, for then cancel must stay */
    PGcancel *cancel;            /* how to reach the server about conn; NULL: not connected */
    atomic_bool cancelled;       /* db_cancel was called */
    char *url;
    char *application_name; /* or NULL */
    char *settings;         /* libpq's "options": what the server sets for each session */
    char connect_timeout_s[24];
    int64_t silence_ms;          /* how long the server may say nothing while it is asked; 0: for ever */
    bool was_silent;             /* ... and did: that is why conn is lost */
    struct buf texts;            /* terminated copies of span parameters, for one call */
    char *copy_data;             /* DB_COPY_BYTES, made by the first COPY */
    char *channels[DB_CHANNELS]; /* listened to, again after a reconnect */
    bool in_transaction;
    bool copying;
    bool lost_race;  /* a statement of this transaction lost a serialization race or a deadlock */
    bool stale;      /* the connection works, but a new one may be better: none is kept for the next call */
    bool notified;   /* a notification came, or may have been missed, since the last db_wait */
    enum query sent; /* by db_send */
    bool prepared[QUERY_COUNT];
};

/* Connected and, as far as can be seen without asking, alive. Outside a transaction a dead connection is opened again.
 */
MUST_CHECK bool db_ready(struct db *db, struct err *err);
/* Closes the connection and forgets what belonged to it. */
void db_drop(struct db *db);
/* Statements and what is answered to them; the server may be silent for db->silence_ms, then the connection is lost.
 * The result of a whole statement is its last one: NULL or one that has failed where it did; db_fail tells. PQclear. */
PGresult *db_answer_script(struct db *db, const char *sql);
PGresult *db_answer_planned(struct db *db, const char *sql, int count, const char *const *values);
PGresult *db_answer_prepared(struct db *db, const char *name, int count, const char *const *values);
PGresult *db_answer_prepare(struct db *db, const char *name, const char *sql);
/* Only sends. */
MUST_CHECK bool db_answer_send(struct db *db, const char *name, int count, const char *const *values);
/* As PQgetResult: NULL when there is no more. */
PGresult *db_answer_next(struct db *db);
/* As PQconsumeInput. */
MUST_CHECK bool db_answer_take(struct db *db);
/* At most DB_COPY_BYTES at a time. */
MUST_CHECK bool db_answer_copy_data(struct db *db, const char *bytes, size_t len);
MUST_CHECK bool db_answer_copy_end(struct db *db, const char *why);
/* Turns a failed result into err by its SQLSTATE; result may be NULL. what: the query's name. Always false. */
bool db_fail(struct db *db, const PGresult *result, const char *what, const char *where, struct err *err);
/* Runs SQL text as it is, several statements if need be (the simple protocol). Not repeated, not prepared. */
MUST_CHECK bool db_script(struct db *db, const char *what, const char *sql, struct err *err);
/* As db_query, but planned anew for these parameters: for statements whose best plan depends on them or on how much the
 * tables have grown since this connection last asked. *changed may be NULL. */
MUST_CHECK bool db_query_planned(struct db *db, enum query query, const struct param *params, int count,
                                 struct db_rows *rows, int64_t *changed, struct err *err);
/* db_query in two halves: the caller does something else while the database works. In between the connection is used
 * for nothing else; whatever is asked instead of db_receive throws the answer away. */
MUST_CHECK bool db_send(struct db *db, enum query query, const struct param *params, int count, struct err *err);
MUST_CHECK bool db_receive(struct db *db, struct db_rows *rows, struct err *err);
/* The parameters of a call, and how many they are. */
#define DB_ARGS(...)                                                                                                   \
    (const struct param[]){ __VA_ARGS__ }, (int)(sizeof((struct param[]){ __VA_ARGS__ }) / sizeof(struct param))
/* The same for statements that touch one row: *found (never NULL) says whether it did. */
MUST_CHECK bool db_execute_one(struct db *db, enum query query, const struct param *params, int count, bool *found,
                               struct err *err);
/* The first column of the one row, as a number. */
MUST_CHECK bool db_number(struct db *db, enum query query, const struct param *params, int count, int64_t *out,
                          struct err *err);
/* Ends a COPY that somebody left open. */
void db_copy_stop(struct db *db);
/* Fails with ERR_INTERNAL outside a transaction: for statements that mean nothing there. */
MUST_CHECK bool db_need_transaction(const struct db *db, const char *what, struct err *err);

/* bytea as a parameter: "\x" and hex. */
enum { DB_HEX_SIZE = 2 + 64 + 1 };
void db_hex32(const unsigned char bytes[32], char out[DB_HEX_SIZE]);
/* Copies a terminated text, cut to fit. */
void db_copy_text(char *out, size_t size, const char *text);

#endif
