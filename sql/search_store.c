#include "sql/search_store.h"

#include "sql/db_internal.h"

/* Two ways to the newest hits. A common word is met soon by walking the newest rows; a rare one has few hits in the
 * index, which are sorted. Neither serves both: a walk for a rare word reads everything, and so does a sort of the hits
 * of a common one. So a short walk comes first, then the index up to a most, and for what is between (common once, but
 * not of late) a long walk that may stop early. */
enum {
    FIRST_WALK_MIN = 2000,
    FIRST_WALK_MAX = 10000,
    LAST_WALK = 200000,
    MOST_HITS = 20000 /* of the index: read in no order, so all or none */
};

/* A record is older than its summary, and its id says when it was made (next_id of the first migration); a minute for
 * clocks that differ. */
static const int64_t id_epoch_ms = 1577836800000, clock_slack_ms = 60000;
enum { ID_TIME_SHIFT = 22 };

static int64_t id_behind(int64_t wall_ms)
{
    const int64_t ms = wall_ms + clock_slack_ms - id_epoch_ms;

    return ms < 0 ? 0 : ms >= INT64_MAX >> ID_TIME_SHIFT ? INT64_MAX : ms << ID_TIME_SHIFT;
}

/* *below: all records that can match have smaller ids. */
static bool bound(struct db *db, const struct summary_search *in, int64_t *below, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };

    *below = in->before_id > 0 ? in->before_id : INT64_MAX;
    if (in->to_ms != 0 && id_behind(in->to_ms) < *below)
        *below = id_behind(in->to_ms);
    if (in->prefix_id == 0 && in->job_id == 0)
        return true;
    if (!db_query_planned(db, Q_SUMMARY_SCOPE,
                          DB_ARGS(param_i64_or_null(in->prefix_id != 0, in->prefix_id),
                                  param_i64_or_null(in->job_id != 0, in->job_id)),
                          &rows, NULL, err))
        return false;
    if (db_is_null(&rows, 0, 0))
        *below = 0;
    else if (db_i64(&rows, 0, 0) < *below)
        *below = db_i64(&rows, 0, 0) + 1;
    return true;
}

enum { SEARCH_PARAMS = 9 };
static void bind(const struct summary_search *in, int64_t below, int64_t most, struct param out[SEARCH_PARAMS])
{
    out[0] = param_span(in->q);
    out[1] = param_i64_or_null(in->prefix_id != 0, in->prefix_id);
    out[2] = param_i64_or_null(in->job_id != 0, in->job_id);
    out[3] = param_time_ms(in->from_ms);
    out[4] = param_time_ms(in->to_ms);
    out[5] = param_i64(below);
    out[6] = param_i64(in->limit);
    out[7] = param_i64(most);
    out[8] = param_text(in->within);
}

/* *end: the last row looked at; 0: there are no older ones. Asked only where the walk did not find enough. */
static bool walk(struct db *db, const struct summary_search *in, int64_t below, int most, struct search_hits *out,
                 int64_t *end, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    AUTO(db_rows_done) struct db_rows last = { 0 };
    struct param params[SEARCH_PARAMS];

    bind(in, below, most, params);
    if (!db_query(db, Q_SUMMARY_WALK, params, SEARCH_PARAMS, &rows, err))
        return false;
    for (out->count = 0; out->count < rows.count; out->count++)
        out->ids[out->count] = db_i64(&rows, out->count, 0);
    *end = 0;
    if (out->count == in->limit)
        return true;
    if (!db_query(db, Q_SUMMARY_WALK_END, DB_ARGS(param_i64(below), param_i64(most)), &last, err))
        return false;
    if (last.count > 0)
        *end = db_i64(&last, 0, 0);
    return true;
}

/* *all false: there are too many hits, and out is not to be used. */
static bool find(struct db *db, const struct summary_search *in, int64_t below, struct search_hits *out, bool *all,
                 struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct param params[SEARCH_PARAMS];

    bind(in, below, MOST_HITS, params);
    if (!db_query(db, Q_SUMMARY_FIND, params, SEARCH_PARAMS, &rows, err))
        return false;
    out->count = 0;
    *all = true;
    for (int i = 0; i < rows.count; i++) {
        if (db_is_null(&rows, i, 0))
            *all = db_i64(&rows, i, 1) <= MOST_HITS;
        else
            out->ids[out->count++] = db_i64(&rows, i, 0);
    }
    return true;
}

bool search_store_hits(struct db *db, const struct summary_search *in, struct search_hits *out, struct err *err)
{
    int first = 4 * in->limit < FIRST_WALK_MIN ? FIRST_WALK_MIN : 10 * in->limit;
    int64_t below = 0;
    int64_t end = 0;
    bool all = false;

    if (first > FIRST_WALK_MAX)
        first = FIRST_WALK_MAX;
    *out = (struct search_hits){ 0 };
    if (!bound(db, in, &below, err) || !walk(db, in, below, first, out, &end, err))
        return false;
    if (end == 0)
        return true;
    if (!find(db, in, below, out, &all, err))
        return false;
    if (all)
        return true;
    return walk(db, in, below, LAST_WALK, out, &out->rest, err);
}

/* "{1,2,3}" */
static bool list_ids(const int64_t *ids, int count, struct buf *out, struct err *err)
{
    buf_init(out, 32 * SEARCH_HITS);
    for (int i = 0; i < count; i++) {
        buf_char(out, i == 0 ? '{' : ',');
        buf_i64(out, ids[i]);
    }
    buf_text(out, count == 0 ? "{}" : "}");
    return buf_check(out, "a list of ids", err);
}

bool search_store_rank(struct db *db, struct span q, struct search_hits *hits, struct err *err)
{
    AUTO(buf_done) struct buf ids = { 0 };
    AUTO(db_rows_done) struct db_rows rows = { 0 };

    if (!list_ids(hits->ids, hits->count, &ids, err) ||
        !db_query(db, Q_SUMMARY_RANK, DB_ARGS(param_span(buf_view(&ids)), param_span(q)), &rows, err))
        return false;
    for (hits->count = 0; hits->count < rows.count; hits->count++)
        hits->ids[hits->count] = db_i64(&rows, hits->count, 0);
    return true;
}

bool search_store_rows(struct db *db, struct span q, const int64_t *ids, int count, struct db_rows *rows,
                       struct err *err)
{
    AUTO(buf_done) struct buf list = { 0 };

    return list_ids(ids, count, &list, err) &&
           db_query(db, Q_SUMMARY_FOUND, DB_ARGS(param_span(buf_view(&list)), param_span(q)), rows, err);
}

bool search_store_latest(struct db *db, const struct summary_search *in, struct db_rows *rows, struct err *err)
{
    return db_query_planned(db, Q_SUMMARY_LIST_LATEST,
                            DB_ARGS(param_i64_or_null(in->prefix_id != 0, in->prefix_id),
                                    param_i64_or_null(in->job_id != 0, in->job_id), param_time_ms(in->from_ms),
                                    param_time_ms(in->to_ms), param_i64(in->before_id > 0 ? in->before_id : INT64_MAX),
                                    param_i64(in->limit), param_text(in->within)),
                            rows, NULL, err);
}
