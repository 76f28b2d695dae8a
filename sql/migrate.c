#include "sql/migrate.h"

#include "server/base/clock.h"
#include "server/base/text.h"
#include "sql/db_internal.h"

#include <string.h>

/* A replica that migrates holds the lock for one migration; the others wait this long, in steps of the statement's
 * lock_timeout. */
enum { WAIT_MS = 30 * 60 * 1000 };

static void checksum_of(const struct sql_migration *migration, char hex[DB_HEX_SIZE])
{
    unsigned char digest[32];

    text_sha256(migration->text, strlen(migration->text), digest);
    db_hex32(digest, hex);
}

static bool has_table(struct db *db, bool *has, struct err *err)
{
    int64_t count = 0;

    if (!db_number(db, Q_MIGRATION_HAS_TABLE, NULL, 0, &count, err))
        return false;
    *has = count > 0;
    return true;
}

/* What the database has: its highest number, and how many of ours, from the first on without a gap. */
static bool compare(struct db *db, int *highest, int *ours, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    bool has = false;

    *highest = *ours = 0;
    if (!has_table(db, &has, err))
        return false;
    if (!has)
        return true;
    if (!db_query(db, Q_MIGRATION_LIST, NULL, 0, &rows, err))
        return false;
    for (int i = 0; i < rows.count; i++) {
        char hex[DB_HEX_SIZE];
        int number = (int)db_i64(&rows, i, 0);

        *highest = number;
        if (number > sql_migration_count)
            continue;
        checksum_of(&sql_migrations[number - 1], hex);
        if (strcmp(hex, db_text(&rows, i, 1)) != 0) {
            err_set(
                err, ERR_CONFLICT, false, HERE,
                "migration %s was changed after this database had run it: restore the file, and put the change into a "
                "new migration",
                sql_migrations[number - 1].name);
            return err_code(err, "migration_edited");
        }
        if (number == *ours + 1)
            *ours = number;
    }
    return true;
}

struct step {
    const struct sql_migration *migration; /* NULL: only the table of migrations */
    bool applied;
};

/* One transaction under the lock, which ends with it, so that a killed replica leaves neither half a migration nor a
 * lock. Another replica may have been faster: looks again. */
static bool apply(struct db *db, void *arg, struct err *err)
{
    struct step *step = arg;
    const struct sql_migration *migration = step->migration;
    char hex[DB_HEX_SIZE];
    int64_t there = 0;

    step->applied = false;
    if (!db_script(db, "migrate", "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '10s'", err) ||
        !db_query(db, Q_MIGRATION_LOCK, NULL, 0, NULL, err))
        return false;
    if (!migration)
        return db_execute(db, Q_MIGRATION_TABLE, NULL, 0, NULL, err);
    if (!db_number(db, Q_MIGRATION_COUNT, DB_ARGS(param_i64(migration->number)), &there, err))
        return false;
    if (there > 0)
        return true;
    checksum_of(migration, hex);
    if (!db_script(db, migration->name, migration->text, err) ||
        !db_execute(db, Q_MIGRATION_ADD,
                    DB_ARGS(param_i64(migration->number), param_text(migration->name), param_text(hex)), NULL, err))
        return false;
    step->applied = true;
    return true;
}

/* Waits out another replica's migration. */
static bool apply_patiently(struct db *db, struct step *step, struct err *err)
{
    int64_t until_ms = clock_mono_ms() + WAIT_MS;

    for (;;) {
        struct err failed = { 0 };
        if (db_transaction(db, apply, step, &failed))
            return true;
        if (strcmp(failed.code, "lock_timeout") != 0 || clock_mono_ms() >= until_ms) {
            if (err && err->kind == ERR_NONE)
                *err = failed;
            return false;
        }
    }
}

bool migrate_run(struct db *db, int *applied, bool *newer, struct err *err)
{
    int highest = 0;
    int ours = 0;
    int count = 0;
    struct step step = { 0 };

    if (!compare(db, &highest, &ours, err))
        return false;
    if (highest == 0 && !apply_patiently(db, &step, err))
        return false;
    for (int i = ours; i < sql_migration_count && highest <= sql_migration_count; i++) {
        step = (struct step){ .migration = &sql_migrations[i] };
        if (!apply_patiently(db, &step, err))
            return false;
        count += step.applied;
    }
    /* Another replica may have applied some, perhaps of another build. */
    if (count < sql_migration_count - ours && !compare(db, &highest, &ours, err))
        return false;
    *applied = count;
    *newer = highest > sql_migration_count;
    return true;
}

bool migrate_status(struct db *db, int *database, int *build, struct err *err)
{
    int highest = 0;
    int ours = 0;

    if (!compare(db, &highest, &ours, err))
        return false;
    *database = highest;
    *build = sql_migration_count;
    return true;
}
