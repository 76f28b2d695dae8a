/* Table estimate_fit, and what jobs of this month cost: how estimates fared, and what may still be spent. */
#ifndef VIDBATCH_SQL_ESTIMATE_STORE_H
#define VIDBATCH_SQL_ESTIMATE_STORE_H

#include "sql/db.h"

struct estimate_fit { /* sums over records that succeeded, of shards where nearly all did; all 0: there are none */
    int64_t records;
    int64_t estimated_input_tokens, input_tokens, estimated_output_tokens, output_tokens;
};
MUST_CHECK bool estimate_store_get(struct db *db, const char *model_key, const char *region, struct estimate_fit *out,
                                   struct err *err);
/* In the transaction that ends a shard: one of which nine records in ten succeeded is added, once for ever; any other
 * is not. */
MUST_CHECK bool estimate_store_add(struct db *db, int64_t shard_id, const char *region, struct err *err);

/* In a transaction: launches that look at the budget follow each other until it ends. */
MUST_CHECK bool budget_store_lock(struct db *db, struct err *err);
struct budget_part { /* of one model and route; texts borrowed */
    const char *model_id, *route;
    int64_t input_tokens, output_tokens; /* that ended jobs took, or may have where output could not be read */
    int64_t estimated_micros;            /* what the others may take at most */
};
void budget_part_read(const struct db_rows *rows, int row, struct budget_part *out);
/* Jobs that began in this calendar month (UTC), imports and job_id left out. key_id 0: whoever began them. */
MUST_CHECK bool budget_store_month(struct db *db, const char *currency, int64_t job_id, int64_t key_id,
                                   struct db_rows *rows, struct err *err);
struct budget_key { /* the key that began a job; name borrowed from the rows */
    int64_t key_id; /* 0: it has no budget, or there is no key */
    const char *name;
    int64_t monthly_micros;
};
MUST_CHECK bool budget_store_key(struct db *db, int64_t job_id, struct db_rows *rows, struct budget_key *out,
                                 struct err *err);

#endif
