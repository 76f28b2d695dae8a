/* Brings the database to this build's schema: numbered migrations, one transaction each, under an advisory lock, so
 * that any number of replicas may start at once. A database newer than this build is left alone (*newer true): the
 * newer version's rules allow it. */
#ifndef VIDBATCH_SQL_MIGRATE_H
#define VIDBATCH_SQL_MIGRATE_H

#include "sql/db.h"

/* *applied: how many were run now. An edited migration (its checksum differs) is ERR_CONFLICT. */
MUST_CHECK bool migrate_run(struct db *db, int *applied, bool *newer, struct err *err);
/* Highest number that is in the database (0: none), and in this build. */
MUST_CHECK bool migrate_status(struct db *db, int *database, int *build, struct err *err);

#endif
