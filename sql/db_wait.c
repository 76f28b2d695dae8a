/* LISTEN and waiting for a notification, another thread's wake-up, or time. */
#include "server/base/clock.h"
#include "server/base/mem.h"
#include "sql/db_internal.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>

bool db_listen(struct db *db, const char *channel, struct err *err)
{
    char sql[160];
    int i = 0;

    if (strlen(channel) > 63 || strchr(channel, '"'))
        return err_set(err, ERR_INTERNAL, false, HERE, "'%s' is not a channel's name", channel);
    while (i < DB_CHANNELS && db->channels[i] && strcmp(db->channels[i], channel) != 0)
        i++;
    if (i == DB_CHANNELS)
        return err_set(err, ERR_INTERNAL, false, HERE, "more than %d channels on one connection", DB_CHANNELS);
    if (!db_ready(db, err))
        return false;
    snprintf(sql, sizeof sql, "LISTEN \"%s\"", channel);
    if (!db_script(db, "listen", sql, err))
        return false;
    if (!db->channels[i])
        db->channels[i] = mem_text(channel);
    return db->channels[i] || err_memory(err, HERE);
}

/* Takes all notifications that have arrived. */
static void drain(struct db *db)
{
    PGnotify *note = NULL;

    while ((note = PQnotifies(db->conn)) != NULL) {
        db->notified = true;
        PQfreemem(note);
    }
}

bool db_wait(struct db *db, int wake_fd, int64_t timeout_ms, bool *notified, struct err *err)
{
    int64_t until_ms = clock_mono_ms() + timeout_ms;

    if (db->in_transaction)
        return err_set(err, ERR_INTERNAL, false, HERE, "waiting inside a transaction");
    for (;;) {
        int64_t left_ms = until_ms - clock_mono_ms();
        struct pollfd at[2] = { { .fd = -1, .events = POLLIN }, { .fd = wake_fd, .events = POLLIN } };
        int ready = 0;

        if (!db_ready(db, err)) /* a lost connection is opened again, and that counts as a notification */
            return false;
        drain(db);
        if (db->notified || left_ms <= 0)
            break;
        at[0].fd = PQsocket(db->conn);
        ready = poll(at, 2, left_ms > INT_MAX ? INT_MAX : (int)left_ms);
        if (ready < 0 && errno != EINTR)
            return err_set(err, ERR_INTERNAL, false, HERE, "poll: %s", strerror(errno));
        if (ready > 0 && at[1].revents)
            break;
    }
    *notified = db->notified;
    db->notified = false;
    return true;
}
