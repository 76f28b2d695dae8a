/* What PostgreSQL's SQLSTATEs mean to us. */
#include "sql/db_internal.h"

#include <stdio.h>
#include <string.h>

/* The first match counts: members stand before their class. */
/* clang-format off */
static const struct {
    const char *state; /* five characters, or a class of two */
    enum err_kind kind;
    bool retryable;
    const char *code;
} meanings[] = {
    { "23505", ERR_CONFLICT, false, "unique_violation" },
    { "40001", ERR_DATABASE, true, "serialization_failure" },
    { "40P01", ERR_DATABASE, true, "deadlock" },
    { "40", ERR_DATABASE, true, "transaction_rolled_back" },
    { "55P03", ERR_DATABASE, true, "lock_timeout" },
    { "57014", ERR_DATABASE, true, "query_timeout" },
    { "57P", ERR_DATABASE, true, "connection_lost" },      /* shutting down, crashed, starting up */
    { "08", ERR_DATABASE, true, "connection_lost" },
    { "53100", ERR_DATABASE, true, "database_full" },
    { "53400", ERR_DATABASE, true, "database_limit" },     /* temp_file_limit, say: this statement wants too much */
    { "53", ERR_DATABASE, true, "database_busy" },         /* out of connections or memory */
    { "25006", ERR_DATABASE, true, "database_read_only" }, /* a standby, or set so; see below */
    { "42P01", ERR_DATABASE, false, "undefined_table" },
    { "22021", ERR_INPUT, false, "text_encoding" },
    { "22P05", ERR_INPUT, false, "text_encoding" },
};
/* clang-format on */

/* One line: libpq's messages end in, and may hold, line feeds and tabs. */
static void one_line(char *out, size_t size, const char *text)
{
    size_t len = 0;

    for (; *text && len + 1 < size; text++)
        if ((unsigned char)*text > ' ')
            out[len++] = *text;
        else if (len > 0 && out[len - 1] != ' ')
            out[len++] = ' ';
    while (len > 0 && out[len - 1] == ' ')
        len--;
    out[len] = 0;
}

/* No SQLSTATE: the words are libpq's own, about the connection. */
static bool fail_without_state(struct db *db, const char *what, const char *where, struct err *err)
{
    char message[300];

    if (db->was_silent)
        snprintf(message, sizeof message, "the server said nothing for %lld ms", (long long)db->silence_ms);
    else
        one_line(message, sizeof message, db->conn ? PQerrorMessage(db->conn) : "not connected");
    err_set(err, ERR_DATABASE, true, where, "%s: %s", what, message[0] ? message : "no answer");
    return err_code(err, "connection_lost");
}

bool db_fail(struct db *db, const PGresult *result, const char *what, const char *where, struct err *err)
{
    const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *primary = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    char message[300];

    if (!state)
        return fail_without_state(db, what, where, err);
    if (strcmp(state, "40001") == 0 || strcmp(state, "40P01") == 0)
        db->lost_race = true;
    /* A session keeps what it was given when it began, and another address may have become the one to write to. */
    if (strcmp(state, "25006") == 0)
        db->stale = true;
    /* The primary message only: the detail quotes rows. */
    one_line(message, sizeof message, primary ? primary : "");
    /* The server has one word for its own timeout and for somebody's wish. */
    if (strcmp(state, "57014") == 0 && atomic_load(&db->cancelled)) {
        err_set(err, ERR_CANCELLED, true, where, "%s: %s (SQLSTATE %s)", what, message, state);
        return err_code(err, "query_cancelled");
    }
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++) {
        if (strncmp(state, meanings[i].state, strlen(meanings[i].state)) == 0) {
            err_set(err, meanings[i].kind, meanings[i].retryable, where, "%s: %s (SQLSTATE %s)", what, message, state);
            return err_code(err, meanings[i].code);
        }
    }
    return err_set(err, ERR_DATABASE, false, where, "%s: %s (SQLSTATE %s)", what, message, state);
}

bool db_is_down(const struct err *err)
{
    static const char *const codes[] = { "connection_lost", "commit_unknown", "database_full", "database_read_only",
                                         "database_busy" };

    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (err->kind == ERR_DATABASE && strcmp(err->code, codes[i]) == 0)
            return true;
    return false;
}

bool db_need_transaction(const struct db *db, const char *what, struct err *err)
{
    if (db->in_transaction)
        return true;
    return err_set(err, ERR_INTERNAL, false, HERE, "%s was called outside a transaction", what);
}
