/* A POST that creates or starts something, run in one transaction and, under an Idempotency-Key, only once: the first
 * answer is kept with what it made, and given again (header Idempotency-Replayed: true) to whoever repeats the key with
 * the same body. The same key with another body is 422, code "idempotency_key_reused". Refusals are not kept: what was
 * refused may be tried again under its key. */
#ifndef VIDBATCH_HANDLERS_IDEMPOTENT_H
#define VIDBATCH_HANDLERS_IDEMPOTENT_H

#include "server/base/buf.h"
#include "server/http/http.h"
#include "sql/db.h"

#include <stdbool.h>

struct answer {
    int status;
    char location[64]; /* path; "" where there is none */
    struct buf body;   /* JSON */
    bool keeps_less;   /* under a key, `kept` is kept instead: the answer holds a secret */
    struct buf kept;
    bool refused;
};
/* Inside the transaction, which may run it several times. True: `out` is the answer. False: err says why, or the
 * handler has filled a problem and returns answer_refuse(). */
typedef bool idempotent_fn(struct db *db, void *arg, struct answer *out, struct err *err);
/* Always false: rolls back and leaves the problem that was filled as the answer. */
bool answer_refuse(struct answer *out, struct err *err);

/* Runs fn and fills rp, whatever happens. The key's scope is who asks, the request's method and its path: nobody gets
 * an answer that was another's. */
void idempotent_run(struct request *rq, struct reply *rp, idempotent_fn *fn, void *arg);

#endif
