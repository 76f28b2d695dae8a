/* Table api_key. Rows are never removed. Hashes are SHA-256 of a key's secret (server/base/api_key.h). */
#ifndef VIDBATCH_SQL_KEY_STORE_H
#define VIDBATCH_SQL_KEY_STORE_H

#include "sql/db.h"

struct key_row { /* texts borrowed from the rows */
    int64_t id;
    const char *name, *scopes /* JSON array */;
    const char *prefixes, *models; /* JSON arrays or NULL */
    bool has_budget;
    int64_t monthly_budget_micros;
    const char *hash, *previous_hash; /* 64 hex digits; the second may be NULL */
    int64_t previous_until_ms;        /* 0: there is none; so are the other times */
    int64_t created_ms, created_by /* key, 0: none */, rotated_ms, expires_ms, revoked_ms, last_used_ms;
    int64_t now_ms; /* of the database, by which they are judged */
};
void key_row_read(const struct db_rows *rows, int row, struct key_row *out);

struct key_new {
    int64_t id;
    struct span name, scopes /* JSON array */;
    struct span prefixes, models; /* JSON arrays; ptr NULL: all */
    bool has_budget;
    int64_t monthly_budget_micros;
    unsigned char hash[32];
    int64_t expires_ms; /* 0: never */
    int64_t created_by; /* key, 0: none */
};
/* *added false, nothing changed: there is a key with this id. */
MUST_CHECK bool key_store_add(struct db *db, const struct key_new *in, bool *added, struct err *err);
/* ERR_NOT_FOUND where there never was one. rows holds the texts. */
MUST_CHECK bool key_store_get(struct db *db, int64_t id, struct db_rows *rows, struct key_row *out, struct err *err);
/* Newest first, before before_id (0: from the newest), revoked ones too. */
MUST_CHECK bool key_store_list(struct db *db, int64_t before_id, int limit, struct db_rows *rows, struct err *err);
/* Was there ever a key? */
MUST_CHECK bool key_store_any(struct db *db, bool *any, struct err *err);
/* *revoked false: it was revoked before, or never there. */
MUST_CHECK bool key_store_revoke(struct db *db, int64_t id, bool *revoked, struct err *err);
/* The secret of now stays good for overlap_ms. *rotated false: the key is revoked, expired, or was never there. */
MUST_CHECK bool key_store_rotate(struct db *db, int64_t id, const unsigned char hash[32], int64_t overlap_ms,
                                 bool *rotated, struct err *err);
/* At most one write a minute and key. */
MUST_CHECK bool key_store_used(struct db *db, int64_t id, struct err *err);

/* The registered prefixes, deleted ones too, under the places of a key: ids is "{1,2}", borrowed from rows. */
MUST_CHECK bool key_store_prefixes(struct db *db, int64_t id, struct db_rows *rows, const char **ids, struct err *err);
/* Where a thing belongs: kind is its id's beginning ("job_"); each row is a place, "s3://bucket/path". An import has
 * one for each prefix of its videos, all else has one; no row: there is no such thing. */
MUST_CHECK bool key_store_places(struct db *db, const char *kind, int64_t id, struct db_rows *rows, struct err *err);

#endif
