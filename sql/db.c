#include "sql/db.h"

#include "server/base/mem.h"
#include "sql/db_internal.h"

#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

enum { MORE_THAN_THE_SERVERS_MS = 3000 };

/* The server's messages below errors; libpq would print them on standard error. */
static void ignore_notice(void *arg, const char *message)
{
    (void)arg;
    (void)message;
}

/* Lists walk an index in its order and stop at the page's end. Until the tables' statistics are fresh the planner would
 * rather collect all rows by bitmap and sort them, so that way is barred; an index page is not four times as dear as
 * another on what databases are stored on today; and compiling a plan pays for none of our statements. */
static const char session[] = "-c timezone=UTC -c datestyle=ISO -c client_min_messages=warning -c jit=off "
                              "-c enable_bitmapscan=off -c random_page_cost=1.1";

/* The session's settings, behind those that the URL brings along. */
static char *session_settings(const char *from_url, const struct db_options *options)
{
    AUTO(buf_done) struct buf text = { 0 };

    buf_init(&text, 16 * 1024);
    if (from_url) {
        buf_text(&text, from_url);
        buf_char(&text, ' ');
    }
    buf_text(&text, session);
    if (options->walks_indexes)
        buf_text(&text, " -c enable_seqscan=off");
    if (options->statement_timeout_ms > 0) {
        buf_text(&text, " -c statement_timeout=");
        buf_i64(&text, options->statement_timeout_ms);
    }
    if (options->lock_timeout_ms > 0) {
        buf_text(&text, " -c lock_timeout=");
        buf_i64(&text, options->lock_timeout_ms);
    }
    return buf_ok(&text) ? mem_span(buf_view(&text)) : NULL;
}

static bool read_url(struct db *db, const struct db_options *options, struct err *err)
{
    char *message = NULL;
    const char *from_url = NULL;
    PQconninfoOption *parts = options->url ? PQconninfoParse(options->url, &message) : NULL;
    const bool has_no_memory = options->url && !parts && !message;

    /* libpq's message may quote the URL, and the URL may hold a password. */
    PQfreemem(message);
    if (has_no_memory)
        return err_memory(err, HERE);
    if (!parts)
        return err_set(err, ERR_INPUT, false, HERE,
                       "the database URL cannot be read: write postgresql://user:password@host:port/database");
    for (const PQconninfoOption *part = parts; part->keyword; part++)
        if (strcmp(part->keyword, "options") == 0 && part->val && part->val[0])
            from_url = part->val;
    db->settings = session_settings(from_url, options);
    PQconninfoFree(parts);
    return db->settings || err_memory(err, HERE);
}

struct db *db_open(const struct db_options *options, struct err *err)
{
    int64_t timeout_ms = options->connect_timeout_ms > 0 ? options->connect_timeout_ms : 5000;
    struct db *db = mem_alloc(1, sizeof *db);

    if (!db) {
        err_memory(err, HERE);
        return NULL;
    }
    (void)pthread_mutex_init(&db->cancel_lock, NULL);
    buf_init(&db->texts, (size_t)64 * 1024 * 1024);
    snprintf(db->connect_timeout_s, sizeof db->connect_timeout_s, "%lld", (long long)((timeout_ms + 999) / 1000));
    db->silence_ms = options->answer_timeout_ms;
    if (db->silence_ms <= 0 && options->statement_timeout_ms > 0)
        db->silence_ms = options->statement_timeout_ms + MORE_THAN_THE_SERVERS_MS;
    if (!read_url(db, options, err)) {
        db_close(db);
        return NULL;
    }
    db->url = mem_text(options->url);
    db->application_name = mem_text(options->application_name);
    if (!db->url || (options->application_name && !db->application_name)) {
        err_memory(err, HERE);
        db_close(db);
        return NULL;
    }
    return db;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    db_drop(db);
    buf_done(&db->texts);
    for (int i = 0; i < DB_CHANNELS; i++)
        mem_free(db->channels[i]);
    mem_free(db->copy_data);
    mem_free(db->url);
    mem_free(db->application_name);
    mem_free(db->settings);
    (void)pthread_mutex_destroy(&db->cancel_lock);
    mem_free(db);
}

static void keep_cancel(struct db *db, PGcancel *cancel)
{
    PGcancel *old = NULL;

    pthread_mutex_lock(&db->cancel_lock);
    old = db->cancel;
    db->cancel = cancel;
    pthread_mutex_unlock(&db->cancel_lock);
    PQfreeCancel(old);
}

void db_cancel(struct db *db)
{
    char ignored[256];

    atomic_store(&db->cancelled, true);
    pthread_mutex_lock(&db->cancel_lock);
    if (db->cancel)
        (void)PQcancel(db->cancel, ignored, sizeof ignored);
    pthread_mutex_unlock(&db->cancel_lock);
}

void db_drop(struct db *db)
{
    keep_cancel(db, NULL);
    if (db->conn)
        PQfinish(db->conn);
    db->conn = NULL;
    db->copying = db->stale = db->was_silent = false;
    memset(db->prepared, 0, sizeof db->prepared);
}

/* LISTEN does not survive the connection; what was sent in between is lost, so the next db_wait must not sleep. */
static bool listen_again(struct db *db, struct err *err)
{
    for (int i = 0; i < DB_CHANNELS && db->channels[i]; i++) {
        char sql[160];
        snprintf(sql, sizeof sql, "LISTEN \"%s\"", db->channels[i]);
        if (!db_script(db, "listen", sql, err))
            return false;
        db->notified = true;
    }
    return true;
}

static bool connect_now(struct db *db, struct err *err)
{
    /* Later ones win: what stands before dbname (the URL) is only a default. */
    const char *const names[] = { "keepalives_idle",  "keepalives_interval",
                                  "keepalives_count", "tcp_user_timeout",
                                  "application_name", "connect_timeout",
                                  "dbname",           "client_encoding",
                                  "options",          NULL };
    const char *const values[] = { "30",    "10",   "3",          "60000", db->application_name, db->connect_timeout_s,
                                   db->url, "UTF8", db->settings, NULL };

    db_drop(db);
    db->conn = PQconnectdbParams(names, values, 1);
    if (!db->conn)
        return err_memory(err, HERE);
    if (PQstatus(db->conn) != CONNECTION_OK) {
        db_fail(db, NULL, "connect", HERE, err);
        db_drop(db);
        return false;
    }
    keep_cancel(db, PQgetCancel(db->conn));
    (void)PQsetnonblocking(db->conn, 1); /* db_answer.c waits, not libpq */
    PQsetNoticeProcessor(db->conn, ignore_notice, NULL);
    if (!listen_again(db, err)) {
        db_drop(db);
        return false;
    }
    return true;
}

/* An idle server says nothing, so anything to read is a notification or the end; a few reads find the end behind the
 * server's last words. */
static bool is_alive(struct db *db)
{
    if (PQstatus(db->conn) != CONNECTION_OK)
        return false;
    for (int i = 0; i < 8; i++) {
        struct pollfd at = { .fd = PQsocket(db->conn), .events = POLLIN };
        if (poll(&at, 1, 0) <= 0)
            return true;
        if (!db_answer_take(db))
            return false;
    }
    return true;
}

bool db_ready(struct db *db, struct err *err)
{
    assert(!db->copying);
    if (db->in_transaction) {
        if (PQstatus(db->conn) == CONNECTION_OK)
            return true;
        err_set(err, ERR_DATABASE, true, HERE, "the connection was lost earlier in this transaction");
        return err_code(err, "connection_lost");
    }
    if (db->conn && !db->stale && is_alive(db))
        return true;
    return connect_now(db, err);
}

/* The result of a statement is what was wanted, or err says why not. */
static bool is_good(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_EMPTY_QUERY;
}

bool db_script(struct db *db, const char *what, const char *sql, struct err *err)
{
    PGresult *result = db_answer_script(db, sql);
    bool ok = is_good(result) || db_fail(db, result, what, HERE, err);

    PQclear(result);
    return ok;
}

bool db_ping(struct db *db, struct err *err)
{
    return db_ready(db, err) && db_script(db, "ping", "SELECT 1", err);
}

static bool prepare(struct db *db, enum query query, struct err *err)
{
    const struct sql_query *q = &sql_queries[query];
    PGresult *result = NULL;

    if (db->prepared[query])
        return true;
    result = db_answer_prepare(db, q->name, q->text);
    db->prepared[query] = is_good(result) || db_fail(db, result, q->name, HERE, err);
    PQclear(result);
    return db->prepared[query];
}

/* Ready to send. Nothing was executed so far, hence a connection that breaks here is opened again, once. */
static bool ready_to_send(struct db *db, enum query query, bool prepared, struct err *err)
{
    struct err first = { 0 };

    if (!db_ready(db, err))
        return false;
    if (!prepared || prepare(db, query, &first))
        return true;
    if (db->in_transaction || db->was_silent || PQstatus(db->conn) == CONNECTION_OK) {
        err_set(err, first.kind, first.retryable, first.where, "%s", first.what);
        return err_code(err, first.code);
    }
    return connect_now(db, err) && prepare(db, query, err);
}

/* libpq wants terminated texts: spans are copied side by side into db->texts. Two passes, for the buffer may move. */
static bool lay_out(struct db *db, const struct param *params, int count, const char **values, struct err *err)
{
    const char *at = NULL;

    buf_reset(&db->texts);
    for (int i = 0; i < count; i++) {
        if (!params[i].text || params[i].in_number || params[i].len < 0)
            continue;
        if (memchr(params[i].text, 0, (size_t)params[i].len)) {
            err_set(err, ERR_INPUT, false, HERE, "a text holds the character U+0000, which cannot be stored");
            return err_code(err, "nul_in_text");
        }
        buf_add(&db->texts, params[i].text, (size_t)params[i].len);
        buf_char(&db->texts, 0);
    }
    if (!buf_check(&db->texts, "the parameters of a query", err))
        return false;
    at = db->texts.data;
    for (int i = 0; i < count; i++) {
        if (params[i].in_number) {
            values[i] = params[i].number;
        } else if (!params[i].text || params[i].len < 0) {
            values[i] = params[i].text;
        } else {
            values[i] = at;
            at += params[i].len + 1;
        }
    }
    return true;
}

static bool run(struct db *db, enum query query, const struct param *params, int count, bool prepared, PGresult **out,
                struct err *err)
{
    const struct sql_query *q = &sql_queries[query];
    const char *values[DB_PARAMS] = { NULL };
    PGresult *result = NULL;

    assert(count <= DB_PARAMS);
    if (!lay_out(db, params, count, values, err) || !ready_to_send(db, query, prepared, err))
        return false;
    if (prepared)
        result = db_answer_prepared(db, q->name, count, values);
    else
        result = db_answer_planned(db, q->text, count, values);
    if (!is_good(result)) {
        db_fail(db, result, q->name, HERE, err);
        PQclear(result);
        return false;
    }
    *out = result;
    return true;
}

static bool deliver(PGresult *result, struct db_rows *rows, int64_t *changed)
{
    int64_t touched = 0;

    if (changed) {
        for (const char *c = PQcmdTuples(result); *c >= '0' && *c <= '9'; c++)
            touched = touched * 10 + (*c - '0');
        *changed = touched;
    }
    if (rows) {
        rows->result = result;
        rows->count = PQntuples(result);
    } else {
        PQclear(result);
    }
    return true;
}

bool db_query(struct db *db, enum query query, const struct param *params, int count, struct db_rows *rows,
              struct err *err)
{
    PGresult *result = NULL;

    return run(db, query, params, count, true, &result, err) && deliver(result, rows, NULL);
}

bool db_send(struct db *db, enum query query, const struct param *params, int count, struct err *err)
{
    const struct sql_query *q = &sql_queries[query];
    const char *values[DB_PARAMS] = { NULL };

    assert(count <= DB_PARAMS);
    if (!lay_out(db, params, count, values, err) || !ready_to_send(db, query, true, err))
        return false;
    if (!db_answer_send(db, q->name, count, values))
        return db_fail(db, NULL, q->name, HERE, err);
    db->sent = query;
    return true;
}

bool db_receive(struct db *db, struct db_rows *rows, struct err *err)
{
    /* As PQexec: the last result counts, and an error is the last. */
    PGresult *result = NULL, *next = NULL;

    if (!db->conn)
        return err_set(err, ERR_INTERNAL, false, HERE, "nothing was sent");
    while ((next = db_answer_next(db)) != NULL) {
        PQclear(result);
        result = next;
    }
    if (!is_good(result)) {
        db_fail(db, result, sql_queries[db->sent].name, HERE, err);
        PQclear(result);
        return false;
    }
    return deliver(result, rows, NULL);
}

bool db_query_planned(struct db *db, enum query query, const struct param *params, int count, struct db_rows *rows,
                      int64_t *changed, struct err *err)
{
    PGresult *result = NULL;

    return run(db, query, params, count, false, &result, err) && deliver(result, rows, changed);
}

bool db_execute(struct db *db, enum query query, const struct param *params, int count, int64_t *changed,
                struct err *err)
{
    PGresult *result = NULL;

    return run(db, query, params, count, true, &result, err) && deliver(result, NULL, changed);
}

bool db_execute_one(struct db *db, enum query query, const struct param *params, int count, bool *found,
                    struct err *err)
{
    int64_t changed = 0;

    if (!db_execute(db, query, params, count, &changed, err))
        return false;
    *found = changed > 0;
    return true;
}

bool db_number(struct db *db, enum query query, const struct param *params, int count, int64_t *out, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };

    if (!db_query(db, query, params, count, &rows, err))
        return false;
    if (rows.count != 1)
        return err_set(err, ERR_INTERNAL, false, HERE, "%s: %d rows where one was due", sql_queries[query].name,
                       rows.count);
    *out = db_i64(&rows, 0, 0);
    return true;
}

bool db_now_ms(struct db *db, int64_t *now_ms, struct err *err)
{
    return db_number(db, Q_DB_NOW, NULL, 0, now_ms, err);
}
