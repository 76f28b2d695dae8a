/* Table idempotency: the remembered answers to POSTs with an Idempotency-Key. */
#ifndef VIDBATCH_SQL_IDEMPOTENCY_STORE_H
#define VIDBATCH_SQL_IDEMPOTENCY_STORE_H

#include "sql/db.h"

struct idempotency_answer { /* texts borrowed from the rows */
    int status;
    const char *location; /* or NULL */
    const char *body;
    bool same_body; /* the hash given is that of the first request */
};
/* In the creating transaction, first thing: takes an advisory lock on (route, key) until the transaction ends, so that
 * a second request waits for the first, then looks. */
MUST_CHECK bool idempotency_store_find(struct db *db, const char *route, struct span key,
                                       const unsigned char body_hash[32], struct db_rows *rows,
                                       struct idempotency_answer *out, bool *found, struct err *err);
MUST_CHECK bool idempotency_store_put(struct db *db, const char *route, struct span key,
                                      const unsigned char body_hash[32], int status, const char *location,
                                      struct span body, struct err *err);
/* Forgets answers older than max_age_ms. */
MUST_CHECK bool idempotency_store_expire(struct db *db, int64_t max_age_ms, int64_t *removed, struct err *err);

#endif
