/* Transactions: they always end, and those that lost a race are run again. */
#include "server/base/text.h"
#include "sql/db_internal.h"

#include <assert.h>
#include <string.h>
#include <time.h>

enum { RUNS = 5, PAUSE_MS = 10 };

static bool begin(struct db *db, struct err *err)
{
    /* Not READ WRITE: a database that was set to read only, for its disk is nearly full, say, means it. */
    static const char sql[] = "BEGIN ISOLATION LEVEL READ COMMITTED";
    struct err first = { 0 };

    db->lost_race = false;
    if (!db_ready(db, err))
        return false;
    if (!db_script(db, "begin", sql, &first)) {
        /* An empty transaction that is lost can be begun again. */
        if (db->was_silent || PQstatus(db->conn) == CONNECTION_OK) {
            err_set(err, first.kind, first.retryable, first.where, "%s", first.what);
            return err_code(err, first.code);
        }
        db_drop(db);
        if (!db_ready(db, err) || !db_script(db, "begin", sql, err))
            return false;
    }
    db->in_transaction = true;
    return true;
}

/* Whatever state it is in: afterwards there is no transaction, even at the price of the connection. */
static void rollback(struct db *db)
{
    PGTransactionStatusType status = PQTRANS_UNKNOWN;

    if (db->copying)
        db_copy_stop(db);
    status = PQtransactionStatus(db->conn);
    if (status == PQTRANS_IDLE)
        return;
    if ((status != PQTRANS_INTRANS && status != PQTRANS_INERROR) || !db_script(db, "rollback", "ROLLBACK", NULL))
        db_drop(db);
}

static bool commit(struct db *db, struct err *err)
{
    PGresult *result = NULL;
    bool ok = false;

    assert(!db->copying);
    if (!db_ready(db, err))
        return false;
    result = db_answer_script(db, "COMMIT");
    if (PQresultStatus(result) == PGRES_COMMAND_OK) {
        /* PostgreSQL answers a COMMIT of a transaction that has failed with ROLLBACK, and no error. */
        ok = strcmp(PQcmdStatus(result), "COMMIT") == 0;
        if (!ok)
            err_set(err, ERR_DATABASE, db->lost_race, HERE, "commit: a statement of the transaction had failed");
    } else if (PQstatus(db->conn) != CONNECTION_OK) {
        err_set(err, ERR_DATABASE, true, HERE, "commit: the connection was lost; the changes may or may not be stored");
        err_code(err, "commit_unknown");
    } else {
        db_fail(db, result, "commit", HERE, err);
    }
    PQclear(result);
    return ok;
}

static bool run_once(struct db *db, db_work_fn *work, void *arg, struct err *err)
{
    bool ok = false;

    if (!begin(db, err))
        return false;
    ok = work(db, arg, err);
    if (!ok && err->kind == ERR_NONE)
        err_set(err, ERR_INTERNAL, false, HERE, "a transaction's work failed without saying why");
    if (ok)
        ok = commit(db, err);
    if (!ok)
        rollback(db);
    db->in_transaction = false;
    return ok;
}

/* Longer after each run, and different for each of those who met. */
static void pause_before(int run)
{
    uint32_t random = 0;
    int64_t wait_us = 0;
    struct timespec wait = { 0 };

    text_random(&random, sizeof random);
    wait_us = (int64_t)run * PAUSE_MS * 1000 / 2 + random % (uint32_t)(run * PAUSE_MS * 1000);
    wait.tv_nsec = (long)(wait_us * 1000);
    nanosleep(&wait, NULL);
}

bool db_transaction(struct db *db, db_work_fn *work, void *arg, struct err *err)
{
    if (db->in_transaction)
        return err_set(err, ERR_INTERNAL, false, HERE, "a transaction was begun inside another");
    for (int run = 1;; run++) {
        struct err failed = { 0 };
        if (run_once(db, work, arg, &failed))
            return true;
        if (!db->lost_race || run == RUNS) {
            if (err && err->kind == ERR_NONE)
                *err = failed;
            return false;
        }
        pause_before(run);
    }
}
