/* Table audit: every change that somebody asked for. */
#ifndef VIDBATCH_SQL_AUDIT_STORE_H
#define VIDBATCH_SQL_AUDIT_STORE_H

#include "sql/db.h"

struct audit_row { /* texts borrowed from the rows */
    int64_t id, at_ms;
    int64_t key_id; /* 0: none */
    const char *who, *action;
    const char *subject, *address, *request_id; /* or NULL */
};
void audit_row_read(const struct db_rows *rows, int row, struct audit_row *out);
/* In the transaction of the change; id and at_ms are not looked at. */
MUST_CHECK bool audit_store_add(struct db *db, const struct audit_row *in, struct err *err);

struct audit_filter {
    int64_t before_id;      /* 0: from the newest */
    int64_t key_id;         /* 0: any */
    int64_t from_ms, to_ms; /* 0: any */
    int limit;
};
MUST_CHECK bool audit_store_list(struct db *db, const struct audit_filter *filter, struct db_rows *rows,
                                 struct err *err);

#endif
