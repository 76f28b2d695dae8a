/* What a key may, beyond its scopes: made from its row, never changed, shared by all requests that came with it. */
#ifndef VIDBATCH_HANDLERS_GRANT_H
#define VIDBATCH_HANDLERS_GRANT_H

#include "server/base/api_key.h"
#include "server/base/buf.h"
#include "server/base/span.h"
#include "server/http/http.h"
#include "sql/key_store.h"

#include <jansson.h>
#include <stdatomic.h>

struct grant {
    atomic_int refs;
    struct caller caller; /* as it goes into a request, without the grant itself */
    unsigned char hash[API_KEY_HASH], previous_hash[API_KEY_HASH];
    int64_t previous_until_ms, expires_ms, revoked_ms; /* by the database's clock; 0: not */
    int64_t last_used_ms;                              /* as the row said */
    int64_t ahead_ms;                                  /* the database's clock, of clock_mono_ms() */
    json_t *prefixes, *models;                         /* arrays of texts; NULL: all */
};
/* Gives: grant_unref. NULL: err says why. */
MUST_CHECK struct grant *grant_new(const struct key_row *row, struct err *err);
struct grant *grant_ref(struct grant *grant);
void grant_unref(void *grant); /* NULL is allowed */

/* What the database's clock shows now, for it was asked when the row was read: one answer whichever replica is asked,
 * and however wrong its own clock is. 0 for NULL. Any thread. */
int64_t grant_now_ms(const struct grant *grant);
/* Is the secret with this hash good at now_ms? False: err is ERR_DENIED, with the code and the words for the client.
 * Both hashes are compared in any case, and as long whatever they hold. grant NULL: nobody has this id. */
MUST_CHECK bool grant_judge(const struct grant *grant, const unsigned char hash[API_KEY_HASH], int64_t now_ms,
                            struct err *err);

/* "read", "run", "admin" as a bit with what it implies; 0: no such scope. */
unsigned scope_bits(struct span name);

/* The grant of a request; NULL: it may do all that its scopes let it. */
const struct grant *grant_of(const struct request *rq);
/* Is it held to places in S3? */
bool grant_is_held(const struct grant *grant);
/* Does "s3://bucket/path" lie under one of its places? True for NULL and for a grant that is not held. */
bool grant_sees(const struct grant *grant, struct span place);
/* All places of key_store_places, and there is one? */
bool grant_sees_places(const struct grant *grant, const struct db_rows *places);
bool grant_sees_prefix(const struct grant *grant, struct span bucket, struct span key_prefix);
bool grant_runs_model(const struct grant *grant, struct span model_id);

/* Notes who began a job, or is about to launch it: it is charged to that key. In the transaction of the job. */
MUST_CHECK bool job_begun(struct db *db, const struct request *rq, int64_t job_id, struct err *err);
/* The prefixes that a request may see, for lists: *ids is "{1,2}", borrowed from rows; NULL: all. */
MUST_CHECK bool grant_prefix_ids(struct request *rq, struct db_rows *rows, const char **ids, struct err *err);

/* These fill a 403 problem that names what the key may, and return false. */
bool grant_refuse_place(struct request *rq, struct reply *rp, const char *pointer);
bool grant_refuse_model(struct request *rq, struct reply *rp, struct span model_id);

#endif
