/* GET /v1/summaries: those that succeeded, newest first; with ?q= by the index of words, which says how far it is
 * behind. */
#include "handlers/app.h"
#include "handlers/common.h"
#include "handlers/grant.h"
#include "handlers/routes.h"
#include "handlers/summary_page.h"
#include "server/base/id.h"
#include "server/base/mem.h"
#include "sql/search_store.h"
#include "sql/word_store.h"

enum { QUERY_MAX_BYTES = 1000 };

struct search {
    struct summary_search in;
    struct db_rows seen; /* holds in.within */
    struct word_lag lag;
    struct search_hits *hits; /* NULL without q */
    int next;                 /* of hits: how many fetch has given */
};

static void search_done(struct search *search)
{
    db_rows_done(&search->seen);
}

static bool fetch_latest(struct db *db, void *arg, int64_t after, int limit, struct db_rows *rows, struct err *err)
{
    struct summary_search in = ((const struct search *)arg)->in;

    in.before_id = after;
    in.limit = limit;
    return search_store_latest(db, &in, rows, err);
}

/* The page asks in order, and the hits are known: its `after` says nothing new. */
static bool fetch_hits(struct db *db, void *arg, int64_t after, int limit, struct db_rows *rows, struct err *err)
{
    struct search *search = arg;
    int left = search->hits->count - search->next;
    int count = left < limit ? left : limit;
    int first = search->next;

    (void)after;
    search->next += count;
    return search_store_rows(db, search->in.q, search->hits->ids + first, count, rows, err);
}

static void put_index(struct json_writer *w, void *arg)
{
    const struct search *search = arg;

    json_name(w, "index");
    json_begin_object(w);
    json_put_i64(w, "pending", search->lag.pending);
    json_put_f64(w, "lag_seconds", (double)search->lag.lag_ms / 1000);
    json_end_object(w);
}

/* The lag first: what is indexed between the two is found, though it was said to be pending. */
static bool look(struct db *db, struct search *search, struct summary_page *page, struct err *err)
{
    search->in.limit = page->is_only ? SEARCH_RANKED : page->limit + 1;
    if (!word_store_lag(db, search->in.within, &search->lag, err) ||
        !search_store_hits(db, &search->in, search->hits, err))
        return false;
    if (!page->is_only) {
        page->rest = search->hits->rest;
        return true;
    }
    return search_store_rank(db, search->in.q, search->hits, err);
}

static void reply_hits(struct request *rq, struct reply *rp, struct search *search, struct summary_page *page)
{
    struct err err = { 0 };

    page->fetch = fetch_hits;
    page->head = put_index;
    search->in.before_id = page->after;
    search->hits = mem_alloc(1, sizeof *search->hits);
    if (!search->hits) {
        err_memory(&err, HERE);
        reply_error(rq, rp, &err);
    } else if (look(db_of(rq), search, page, &err)) {
        summary_page_reply(rq, rp, page);
    } else {
        reply_error(rq, rp, &err);
    }
    mem_free(search->hits);
}

static bool read_words(struct request *rq, struct reply *rp, struct summary_search *in)
{
    in->q = rq_query(rq, "q");
    if (!in->q.ptr || (span_trim(in->q).len > 0 && in->q.len <= QUERY_MAX_BYTES))
        return true;
    return query_refuse(rq, rp, "q", "It must have 1 to %d bytes, not all blank.", QUERY_MAX_BYTES);
}

static bool read_order(struct request *rq, struct reply *rp, struct summary_page *page)
{
    static const char *const orders[] = { "newest", "best", NULL };
    const char *order = orders[0];

    if (!query_word(rq, rp, "order", orders, &order))
        return false;
    page->is_only = order == orders[1];
    if (page->is_only && !rq_query(rq, "q").ptr)
        return query_refuse(rq, rp, "order", "best ranks by the words of q, which is missing.");
    if (page->is_only && rq_query(rq, "after").ptr)
        return query_refuse(rq, rp, "order", "best has one page; ask for a larger limit, or for newest.");
    return true;
}

void summaries_search(struct request *rq, struct reply *rp)
{
    static const char *const known[] = { "q", "order", "prefix_id", "job_id", "from", "to", "limit", "after", NULL };
    AUTO(search_done) struct search search = { 0 };
    struct err err = { 0 };
    struct summary_page page = { .fetch = fetch_latest, .arg = &search, .cursor = "summaries", .with_snippet = true };
    bool has = false;

    if (!rq_check_query(rq, rp, known) || !read_words(rq, rp, &search.in) || !read_order(rq, rp, &page) ||
        !query_id(rq, rp, "prefix_id", ID_PREFIX, &search.in.prefix_id) ||
        !query_id(rq, rp, "job_id", ID_JOB, &search.in.job_id) || !query_time(rq, rp, "from", &search.in.from_ms) ||
        !query_time(rq, rp, "to", &search.in.to_ms) || !rq_limit(rq, rp, &page.limit) ||
        !rq_cursor_i64(rq, rp, page.cursor, &has, &page.after))
        return;
    if (!grant_prefix_ids(rq, &search.seen, &search.in.within, &err))
        reply_error(rq, rp, &err);
    else if (search.in.q.ptr)
        reply_hits(rq, rp, &search, &page);
    else
        summary_page_reply(rq, rp, &page);
}
