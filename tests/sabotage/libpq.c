/* The database's calls. A statement is named by its query's file, a transaction by the first and the last writing
 * statement in it. */
#include "sql/db_internal.h"
#include "tests/sabotage/saboteur.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* The linker's names for what was called and for what is. */
PGconn *__wrap_PQconnectdbParams(const char *const *names, const char *const *values, int expand);
PGconn *__real_PQconnectdbParams(const char *const *names, const char *const *values, int expand);
PGresult *__wrap_db_answer_script(struct db *db, const char *sql);
PGresult *__real_db_answer_script(struct db *db, const char *sql);
PGresult *__wrap_db_answer_planned(struct db *db, const char *sql, int count, const char *const *values);
PGresult *__real_db_answer_planned(struct db *db, const char *sql, int count, const char *const *values);
PGresult *__wrap_db_answer_prepared(struct db *db, const char *name, int count, const char *const *values);
PGresult *__real_db_answer_prepared(struct db *db, const char *name, int count, const char *const *values);
PGresult *__wrap_db_answer_prepare(struct db *db, const char *name, const char *sql);
PGresult *__real_db_answer_prepare(struct db *db, const char *name, const char *sql);
bool __wrap_db_answer_send(struct db *db, const char *name, int count, const char *const *values);
bool __real_db_answer_send(struct db *db, const char *name, int count, const char *const *values);
PGresult *__wrap_db_answer_next(struct db *db);
PGresult *__real_db_answer_next(struct db *db);
bool __wrap_db_answer_copy_data(struct db *db, const char *bytes, size_t len);
bool __real_db_answer_copy_data(struct db *db, const char *bytes, size_t len);
bool __wrap_db_answer_copy_end(struct db *db, const char *why);
bool __real_db_answer_copy_end(struct db *db, const char *why);
PQconninfoOption *__wrap_PQconninfoParse(const char *url, char **message);
PQconninfoOption *__real_PQconninfoParse(const char *url, char **message);
PGnotify *__wrap_PQnotifies(PGconn *conn);
PGnotify *__real_PQnotifies(PGconn *conn);
PGcancel *__wrap_PQgetCancel(PGconn *conn);
PGcancel *__real_PQgetCancel(PGconn *conn);
bool __wrap_db_answer_take(struct db *db);
bool __real_db_answer_take(struct db *db);

/* ---- what a statement is ---- */

/* Of a query's text or its prepared statement's name; NULL: neither. */
static const struct sql_query *query_of(const char *text_or_name)
{
    for (int i = 0; i < QUERY_COUNT; i++)
        if (sql_queries[i].text == text_or_name || strcmp(sql_queries[i].name, text_or_name) == 0)
            return &sql_queries[i];
    return NULL;
}

static const char *name_of(const char *text_or_name, char out[48])
{
    const struct sql_query *query = query_of(text_or_name);

    snprintf(out, 48, "%.*s", query ? 47 : (int)strcspn(text_or_name, " "), query ? query->name : text_or_name);
    return out;
}

/* Comments do not count, and neither do the locks of FOR UPDATE. */
bool sabotage_writes(const char *sql)
{
    static const char *const words[] = { "INSERT INTO ", "DELETE FROM ", "UPDATE ", "MERGE INTO ", "COPY " };

    for (const char *at = sql; *at; at += strcspn(at, "\n"), at += *at == '\n') {
        const char *end = at + strcspn(at, "\n");

        if (strncmp(at, "--", 2) == 0)
            continue;
        for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
            const char *hit = strstr(at, words[i]);
            if (hit && hit < end && (hit - at < 4 || strncmp(hit - 4, "FOR ", 4) != 0) &&
                (hit - at < 7 || strncmp(hit - 7, "NO KEY ", 7) != 0))
                return true;
        }
    }
    return false;
}

/* Notes it, too. */
static bool writes(const char *text_or_name)
{
    const struct sql_query *query = query_of(text_or_name);

    if (!sabotage_writes(query ? query->text : text_or_name))
        return false;
    if (query)
        sabotage_note(query->name);
    return true;
}

/* The writing statements of the transaction that this thread is in. */
static _Thread_local char first[48], last[48];

static void note_write(const char *text_or_name)
{
    if (!writes(text_or_name))
        return;
    name_of(text_or_name, last);
    if (!first[0])
        memcpy(first, last, sizeof first);
}

/* ---- what is done to it ---- */

static void cut(PGconn *conn)
{
    (void)shutdown(PQsocket(conn), SHUT_RDWR);
}

static PGresult *lost(PGconn *conn, PGresult *answer)
{
    PQclear(answer);
    cut(conn);
    for (int i = 0; i < 8 && PQconsumeInput(conn); i++) {
    }
    return PQmakeEmptyPGresult(conn, PGRES_FATAL_ERROR);
}

/* What one call of a statement may meet, in the order in which it would. */
struct meeting {
    PGconn *conn;
    const char *call;
    char name[100];
    bool is_commit; /* of a transaction that wrote, or a statement that commits by itself */
    bool is_refused;
};

static void meet(struct meeting *m)
{
    if (m->is_commit)
        sabotage_kill("%s before", m->name);
    m->is_refused = sabotage_hits(SABOTAGE_DB_REFUSED, "refused %s %s", m->call, m->name);
    if (!m->is_refused && sabotage_hits(SABOTAGE_DB_CUT, "cut %s %s", m->call, m->name))
        cut(m->conn);
}

static PGresult *part(const struct meeting *m, PGresult *answer)
{
    if (m->is_commit)
        sabotage_kill("%s after", m->name);
    return sabotage_hits(SABOTAGE_DB_LOST, "lost %s %s", m->call, m->name) ? lost(m->conn, answer) : answer;
}

static struct meeting meeting_of(PGconn *conn, const char *call, const char *text_or_name)
{
    struct meeting m = { .conn = conn, .call = call };

    name_of(text_or_name, m.name);
    if (PQtransactionStatus(conn) == PQTRANS_IDLE)
        m.is_commit = writes(text_or_name);
    else
        note_write(text_or_name);
    return m;
}

/* ---- the calls ---- */

PGconn *__wrap_PQconnectdbParams(const char *const *names, const char *const *values, int expand)
{
    static const char *const nowhere_names[] = { "host", NULL };
    static const char *const nowhere[] = { "/nonexistent", NULL };

    if (sabotage_hits(SABOTAGE_DB_REFUSED, "refused PQconnectdbParams"))
        return NULL;
    if (sabotage_hits(SABOTAGE_DB_CUT, "cut PQconnectdbParams"))
        return __real_PQconnectdbParams(nowhere_names, nowhere, 0);
    return __real_PQconnectdbParams(names, values, expand);
}

PGresult *__wrap_db_answer_script(struct db *db, const char *sql)
{
    struct meeting m = meeting_of(db->conn, "db_answer_script", sql);

    if (strncmp(sql, "BEGIN", 5) == 0)
        first[0] = last[0] = '\0';
    if (strcmp(sql, "COMMIT") == 0) {
        m.is_commit = first[0] != '\0';
        snprintf(m.name, sizeof m.name, "%s..%s", first[0] ? first : "COMMIT", last);
    }
    meet(&m);
    return m.is_refused ? NULL : part(&m, __real_db_answer_script(db, sql));
}

PGresult *__wrap_db_answer_planned(struct db *db, const char *sql, int count, const char *const *values)
{
    struct meeting m = meeting_of(db->conn, "db_answer_planned", sql);

    meet(&m);
    return m.is_refused ? NULL : part(&m, __real_db_answer_planned(db, sql, count, values));
}

PGresult *__wrap_db_answer_prepared(struct db *db, const char *name, int count, const char *const *values)
{
    struct meeting m = meeting_of(db->conn, "db_answer_prepared", name);

    meet(&m);
    return m.is_refused ? NULL : part(&m, __real_db_answer_prepared(db, name, count, values));
}

PGresult *__wrap_db_answer_prepare(struct db *db, const char *name, const char *sql)
{
    if (sabotage_hits(SABOTAGE_DB_REFUSED, "refused db_answer_prepare %s", name))
        return NULL;
    if (sabotage_hits(SABOTAGE_DB_CUT, "cut db_answer_prepare %s", name))
        cut(db->conn);
    return __real_db_answer_prepare(db, name, sql);
}

bool __wrap_db_answer_send(struct db *db, const char *name, int count, const char *const *values)
{
    struct meeting m = meeting_of(db->conn, "db_answer_send", name);

    meet(&m);
    return !m.is_refused && __real_db_answer_send(db, name, count, values);
}

PGresult *__wrap_db_answer_next(struct db *db)
{
    PGresult *result = __real_db_answer_next(db);

    return result && sabotage_hits(SABOTAGE_DB_LOST, "lost db_answer_next") ? lost(db->conn, result) : result;
}

bool __wrap_db_answer_copy_data(struct db *db, const char *bytes, size_t len)
{
    if (sabotage_hits(SABOTAGE_DB_REFUSED, "refused db_answer_copy_data"))
        return false;
    if (sabotage_hits(SABOTAGE_DB_CUT, "cut db_answer_copy_data"))
        cut(db->conn);
    return __real_db_answer_copy_data(db, bytes, len);
}

bool __wrap_db_answer_copy_end(struct db *db, const char *why)
{
    if (sabotage_hits(SABOTAGE_DB_REFUSED, "refused db_answer_copy_end"))
        return false;
    if (sabotage_hits(SABOTAGE_DB_CUT, "cut db_answer_copy_end"))
        cut(db->conn);
    return __real_db_answer_copy_end(db, why);
}

PGcancel *__wrap_PQgetCancel(PGconn *conn)
{
    return sabotage_hits(SABOTAGE_DB_REFUSED, "refused PQgetCancel") ? NULL : __real_PQgetCancel(conn);
}

/* As libpq has it without memory: no message either. */
PQconninfoOption *__wrap_PQconninfoParse(const char *url, char **message)
{
    return sabotage_hits(SABOTAGE_DB_REFUSED, "refused PQconninfoParse") ? NULL : __real_PQconninfoParse(url, message);
}

/* A notification that is lost. */
PGnotify *__wrap_PQnotifies(PGconn *conn)
{
    PGnotify *note = __real_PQnotifies(conn);

    if (!note || !sabotage_hits(SABOTAGE_DB_REFUSED, "refused PQnotifies"))
        return note;
    PQfreemem(note);
    return NULL;
}

bool __wrap_db_answer_take(struct db *db)
{
    if (sabotage_hits(SABOTAGE_DB_CUT, "cut db_answer_take"))
        cut(db->conn);
    return __real_db_answer_take(db);
}
