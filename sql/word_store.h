/* Tables summary_word and shard_index: the index of the words of summaries, filled behind the ingest. */
#ifndef VIDBATCH_SQL_WORD_STORE_H
#define VIDBATCH_SQL_WORD_STORE_H

#include "sql/db.h"

/* In the transaction that ends a shard: its words are to be (re)indexed. *wanted false: no summary of it succeeded. */
MUST_CHECK bool word_store_want(struct db *db, int64_t shard_id, bool *wanted, struct err *err);
/* In a transaction: indexes the summaries of the shard's next `records` records, unless they are indexed as they are,
 * and notes how far it got. *end: that was the last of them. Repeatable; waits for another that does the same shard. */
MUST_CHECK bool word_store_batch(struct db *db, int64_t shard_id, int records, int64_t *indexed, bool *end,
                                 struct err *err);
/* Should the shard's turn come later, because answers are being stored? Never once its own were stored patience_ms ago.
 */
MUST_CHECK bool word_store_must_wait(struct db *db, int64_t shard_id, int64_t patience_ms, bool *must_wait,
                                     struct err *err);
struct word_lag {
    int64_t pending; /* summaries stored and not indexed */
    int64_t lag_ms;  /* since the oldest of them was stored; 0: none is pending */
};
/* within: only of these prefixes, "{1,2}"; NULL: of all. */
MUST_CHECK bool word_store_lag(struct db *db, const char *within, struct word_lag *out, struct err *err);

#endif
