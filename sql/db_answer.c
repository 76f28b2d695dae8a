/* libpq's calls that wait, bounded. statement_timeout is the server's: a server that stands still, behind a kernel that
 * still acknowledges what is sent, keeps none. */
#include "sql/db_internal.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>

/* From here on libpq knows that the connection is lost: it reads up to the end and waits for nothing. */
static void shut(struct db *db)
{
    db->was_silent = true;
    (void)shutdown(PQsocket(db->conn), SHUT_RDWR);
    while (PQstatus(db->conn) == CONNECTION_OK && PQconsumeInput(db->conn))
        continue;
}

/* For something to read, or else to be sent. */
static bool await_socket(struct db *db, short events)
{
    const int64_t most_ms = db->silence_ms > 0 && db->silence_ms < INT_MAX ? db->silence_ms : -1;
    struct pollfd at = { .fd = PQsocket(db->conn), .events = events };
    int ready = 0;

    do
        ready = poll(&at, 1, (int)most_ms);
    while (ready < 0 && errno == EINTR);
    if (ready == 0)
        shut(db);
    if (ready <= 0)
        return false;
    return !(at.revents & ~POLLOUT) || PQconsumeInput(db->conn);
}

bool db_answer_take(struct db *db)
{
    return PQconsumeInput(db->conn) != 0;
}

static bool flush(struct db *db)
{
    int left = 0;

    while ((left = PQflush(db->conn)) > 0)
        if (!await_socket(db, POLLIN | POLLOUT))
            return false;
    return left == 0;
}

PGresult *db_answer_next(struct db *db)
{
    if (flush(db))
        while (PQisBusy(db->conn) && await_socket(db, POLLIN))
            continue;
    return PQgetResult(db->conn);
}

static bool is_copy(const PGresult *result)
{
    return PQresultStatus(result) == PGRES_COPY_IN;
}

/* An answer that nobody took. */
static void throw_away(struct db *db)
{
    PGresult *unread = NULL;
    bool more = true;

    while (more && (unread = db_answer_next(db)) != NULL) {
        more = !is_copy(unread);
        PQclear(unread);
    }
}

/* As PQexec: the last result counts, an error is the last, and a COPY goes on. */
static PGresult *last_answer(struct db *db)
{
    PGresult *last = NULL, *next = NULL;

    while (!is_copy(last) && (next = db_answer_next(db)) != NULL) {
        PQclear(last);
        last = next;
        if (PQstatus(db->conn) != CONNECTION_OK)
            break;
    }
    return last;
}

PGresult *db_answer_script(struct db *db, const char *sql)
{
    throw_away(db);
    return PQsendQuery(db->conn, sql) ? last_answer(db) : NULL;
}

PGresult *db_answer_planned(struct db *db, const char *sql, int count, const char *const *values)
{
    throw_away(db);
    return PQsendQueryParams(db->conn, sql, count, NULL, values, NULL, NULL, 0) ? last_answer(db) : NULL;
}

PGresult *db_answer_prepared(struct db *db, const char *name, int count, const char *const *values)
{
    throw_away(db);
    return PQsendQueryPrepared(db->conn, name, count, values, NULL, NULL, 0) ? last_answer(db) : NULL;
}

PGresult *db_answer_prepare(struct db *db, const char *name, const char *sql)
{
    throw_away(db);
    return PQsendPrepare(db->conn, name, sql, 0, NULL) ? last_answer(db) : NULL;
}

bool db_answer_send(struct db *db, const char *name, int count, const char *const *values)
{
    throw_away(db);
    return PQsendQueryPrepared(db->conn, name, count, values, NULL, NULL, 0) && flush(db);
}

bool db_answer_copy_data(struct db *db, const char *bytes, size_t len)
{
    return PQputCopyData(db->conn, bytes, (int)len) == 1 && flush(db);
}

bool db_answer_copy_end(struct db *db, const char *why)
{
    return PQputCopyEnd(db->conn, why) == 1;
}
