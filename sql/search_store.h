/* Searching summaries: which records match by the index of words (summary_word), and their rows. */
#ifndef VIDBATCH_SQL_SEARCH_STORE_H
#define VIDBATCH_SQL_SEARCH_STORE_H

#include "sql/db.h"

struct summary_search {
    struct span q;          /* PostgreSQL's websearch syntax; not for search_store_latest */
    int64_t prefix_id;      /* 0: any */
    int64_t job_id;         /* 0: any */
    const char *within;     /* only of these prefixes, "{1,2}"; NULL: of all */
    int64_t from_ms, to_ms; /* created_at in [from, to); 0: open */
    int64_t before_id;      /* newest first, before this record id; 0: from the newest */
    int limit;
};

/* A page of succeeded summaries that meet the conditions other than q, newest first. summary_row_read reads the rows.
 */
MUST_CHECK bool search_store_latest(struct db *db, const struct summary_search *in, struct db_rows *rows,
                                    struct err *err);

enum { SEARCH_HITS = 1001, SEARCH_RANKED = 1000 };
struct search_hits {
    int64_t ids[SEARCH_HITS]; /* records */
    int count;
    int64_t rest; /* the search stopped here for the time it took: what is older may match too; 0: it did not */
};
/* The newest in->limit (at most SEARCH_HITS) hits among the indexed summaries. Never looks at more than 20,000 hits or
 * 210,000 rows, whatever the words. */
MUST_CHECK bool search_store_hits(struct db *db, const struct summary_search *in, struct search_hits *out,
                                  struct err *err);
/* Puts the best match first. Changes the order only. */
MUST_CHECK bool search_store_rank(struct db *db, struct span q, struct search_hits *hits, struct err *err);
/* The rows of some hits, in their order, with snippets. A hit whose summary is gone has no row. */
MUST_CHECK bool search_store_rows(struct db *db, struct span q, const int64_t *ids, int count, struct db_rows *rows,
                                  struct err *err);

#endif
