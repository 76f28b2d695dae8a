/* libpq's calls. A statement is named by its query's file, a transaction by the first and the last writing statement in
 * it. */
#include "sql/db.h"
#include "tests/sabotage/saboteur.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* The linker's names for what was called and for what is. */
PGconn *__wrap_PQconnectdbParams(const char *const *names, const char *const *values, int expand);
PGconn *__real_PQconnectdbParams(const char *const *names, const char *const *values, int expand);
PGresult *__wrap_PQexec(PGconn *conn, const char *sql);
PGresult *__real_PQexec(PGconn *conn, const char *sql);
PGresult *__wrap_PQexecParams(PGconn *conn, const char *sql, int count, const Oid *types, const char *const *values,
                              const int *lengths, const int *formats, int result_format);
PGresult *__real_PQexecParams(PGconn *conn, const char *sql, int count, const Oid *types, const char *const *values,
                              const int *lengths, const int *formats, int result_format);
PGresult *__wrap_PQexecPrepared(PGconn *conn, const char *name, int count, const char *const *values,
                                const int *lengths, const int *formats, int result_format);
PGresult *__real_PQexecPrepared(PGconn *conn, const char *name, int count, const char *const *values,
                                const int *lengths, const int *formats, int result_format);
PGresult *__wrap_PQprepare(PGconn *conn, const char *name, const char *sql, int count, const Oid *types);
PGresult *__real_PQprepare(PGconn *conn, const char *name, const char *sql, int count, const Oid *types);
int __wrap_PQsendQueryPrepared(PGconn *conn, const char *name, int count, const char *const *values, const int *lengths,
                               const int *formats, int result_format);
int __real_PQsendQueryPrepared(PGconn *conn, const char *name, int count, const char *const *values, const int *lengths,
                               const int *formats, int result_format);
PGresult *__wrap_PQgetResult(PGconn *conn);
PGresult *__real_PQgetResult(PGconn *conn);
int __wrap_PQputCopyData(PGconn *conn, const char *bytes, int len);
int __real_PQputCopyData(PGconn *conn, const char *bytes, int len);
int __wrap_PQputCopyEnd(PGconn *conn, const char *why);
int __real_PQputCopyEnd(PGconn *conn, const char *why);
PGcancel *__wrap_PQgetCancel(PGconn *conn);
PGcancel *__real_PQgetCancel(PGconn *conn);
int __wrap_PQconsumeInput(PGconn *conn);
int __real_PQconsumeInput(PGconn *conn);

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
    for (int i = 0; i < 8 && __real_PQconsumeInput(conn); i++) {
    }
    return PQmakeEmptyPGresult(conn, PGRES_FATAL_ERROR);
}

/* What one call of a statement may meet, in the order in which it would. */
struct meeting {
    PGconn *conn;
    char name[100];
    bool is_commit; /* of a transaction that wrote, or a statement that commits by itself */
    bool is_refused;
};

static void meet(struct meeting *m)
{
    if (m->is_commit)
        sabotage_kill("%s before", m->name);
    m->is_refused = sabotage_hits(SABOTAGE_DB_REFUSED, "refused %s", m->name);
    if (!m->is_refused && sabotage_hits(SABOTAGE_DB_CUT, "cut %s", m->name))
        cut(m->conn);
}

static PGresult *part(const struct meeting *m, PGresult *answer)
{
    if (m->is_commit)
        sabotage_kill("%s after", m->name);
    return sabotage_hits(SABOTAGE_DB_LOST, "lost %s", m->name) ? lost(m->conn, answer) : answer;
}

static struct meeting meeting_of(PGconn *conn, const char *text_or_name)
{
    struct meeting m = { .conn = conn };

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

    if (sabotage_hits(SABOTAGE_DB_REFUSED, "refused connect"))
        return NULL;
    if (sabotage_hits(SABOTAGE_DB_CUT, "cut connect"))
        return __real_PQconnectdbParams(nowhere_names, nowhere, 0);
    return __real_PQconnectdbParams(names, values, expand);
}

PGresult *__wrap_PQexec(PGconn *conn, const char *sql)
{
    struct meeting m = meeting_of(conn, sql);

    if (strncmp(sql, "BEGIN", 5) == 0)
        first[0] = last[0] = '\0';
    if (strcmp(sql, "COMMIT") == 0) {
        m.is_commit = first[0] != '\0';
        snprintf(m.name, sizeof m.name, "%s..%s", first[0] ? first : "COMMIT", last);
    }
    meet(&m);
    return m.is_refused ? NULL : part(&m, __real_PQexec(conn, sql));
}

PGresult *__wrap_PQexecParams(PGconn *conn, const char *sql, int count, const Oid *types, const char *const *values,
                              const int *lengths, const int *formats, int result_format)
{
    struct meeting m = meeting_of(conn, sql);

    meet(&m);
    return m.is_refused
               ? NULL
               : part(&m, __real_PQexecParams(conn, sql, count, types, values, lengths, formats, result_format));
}

PGresult *__wrap_PQexecPrepared(PGconn *conn, const char *name, int count, const char *const *values,
                                const int *lengths, const int *formats, int result_format)
{
    struct meeting m = meeting_of(conn, name);

    meet(&m);
    return m.is_refused ? NULL
                        : part(&m, __real_PQexecPrepared(conn, name, count, values, lengths, formats, result_format));
}

PGresult *__wrap_PQprepare(PGconn *conn, const char *name, const char *sql, int count, const Oid *types)
{
    if (sabotage_hits(SABOTAGE_DB_REFUSED, "refused prepare %s", name))
        return NULL;
    if (sabotage_hits(SABOTAGE_DB_CUT, "cut prepare %s", name))
        cut(conn);
    return __real_PQprepare(conn, name, sql, count, types);
}

int __wrap_PQsendQueryPrepared(PGconn *conn, const char *name, int count, const char *const *values, const int *lengths,
                               const int *formats, int result_format)
{
    struct meeting m = meeting_of(conn, name);

    meet(&m);
    return m.is_refused ? 0 : __real_PQsendQueryPrepared(conn, name, count, values, lengths, formats, result_format);
}

PGresult *__wrap_PQgetResult(PGconn *conn)
{
    PGresult *result = __real_PQgetResult(conn);

    return result && sabotage_hits(SABOTAGE_DB_LOST, "lost a result") ? lost(conn, result) : result;
}

int __wrap_PQputCopyData(PGconn *conn, const char *bytes, int len)
{
    if (sabotage_hits(SABOTAGE_DB_REFUSED, "refused copy data"))
        return -1;
    if (sabotage_hits(SABOTAGE_DB_CUT, "cut copy data"))
        cut(conn);
    return __real_PQputCopyData(conn, bytes, len);
}

int __wrap_PQputCopyEnd(PGconn *conn, const char *why)
{
    if (sabotage_hits(SABOTAGE_DB_REFUSED, "refused copy end"))
        return -1;
    if (sabotage_hits(SABOTAGE_DB_CUT, "cut copy end"))
        cut(conn);
    return __real_PQputCopyEnd(conn, why);
}

PGcancel *__wrap_PQgetCancel(PGconn *conn)
{
    return sabotage_hits(SABOTAGE_DB_REFUSED, "refused cancel") ? NULL : __real_PQgetCancel(conn);
}

int __wrap_PQconsumeInput(PGconn *conn)
{
    if (sabotage_hits(SABOTAGE_DB_CUT, "cut input"))
        cut(conn);
    return __real_PQconsumeInput(conn);
}
