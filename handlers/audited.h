/* The log of changes, as handlers write it. Any handler thread. */
#ifndef VIDBATCH_HANDLERS_AUDITED_H
#define VIDBATCH_HANDLERS_AUDITED_H

#include "server/http/http.h"
#include "sql/db.h"

/* Notes who did what, when and from where: in the transaction of the change. action: "job.cancel"; the subject's public
 * id is made of id_prefix and id. */
MUST_CHECK bool audited(struct db *db, const struct request *rq, const char *action, const char *id_prefix, int64_t id,
                        struct err *err);

#endif
