/* The index of words: what is indexed when, and what a search finds in it. */
#include "sql/search_store.h"

#include "sql/summary_store.h"
#include "sql/word_store.h"
#include "tests/integration/sql/testdb.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

enum { VIDEOS = 5 };
static const int64_t made_ms = INT64_C(2208988800000); /* 2040: summaries are younger than their records */

/* Five videos in one shard of one job. */
struct place {
    struct testdb t;
    struct db *db;
    int64_t prefix, job, shard, records[VIDEOS];
};

static bool place_begin(struct place *p)
{
    if (!testdb_begin(&p->t, true))
        return false;
    p->db = testdb_open_with(&p->t, (struct db_options){ .walks_indexes = true });
    p->prefix = testdb_prefix(&p->t, VIDEOS);
    p->job = testdb_planned_job(&p->t, p->prefix, 1, 1);
    p->shard = testdb_shard(&p->t, p->job, 0);
    for (int i = 0; i < VIDEOS; i++)
        p->records[i] = testdb_number(&p->t, "SELECT id FROM record ORDER BY id OFFSET %d LIMIT 1", i);
    return true;
}

static void place_end(struct place *p)
{
    testdb_close(&p->db);
    testdb_end(&p->t);
}

/* An answer whose <answer> is all that counts, where summary is given. */
static void put(struct place *p, int record, const char *state, int round, const char *text, const char *summary)
{
    struct summary_new in = { .record_id = p->records[record],
                              .job_id = p->job,
                              .shard_id = p->shard,
                              .video_id = testdb_number(&p->t, "SELECT video_id FROM record WHERE id = %lld",
                                                        (long long)p->records[record]),
                              .created_ms = made_ms + record * 1000,
                              .state = state,
                              .ingest_round = round,
                              .text = span_of(text),
                              .summary = summary ? span_of(summary) : (struct span){ 0 } };
    struct err err = { 0 };

    OK(summary_store_put(p->db, &in, NULL, &err));
}

static bool want(struct db *db, void *arg, struct err *err)
{
    const struct place *p = arg;
    bool wanted = false;

    return word_store_want(db, p->shard, &wanted, err) && CHECK(wanted);
}

/* As the end of a shard does. */
static void end_shard(struct place *p)
{
    struct err err = { 0 };

    testdb_sql(&p->t, "UPDATE shard SET succeeded = (SELECT count(*) FROM summary WHERE state = 'succeeded')");
    OK(db_transaction(p->db, want, p, &err));
}

struct batch {
    struct place *p;
    int64_t indexed;
    bool end;
};
static bool one_batch(struct db *db, void *arg, struct err *err)
{
    struct batch *batch = arg;

    return word_store_batch(db, batch->p->shard, 2, &batch->indexed, &batch->end, err);
}

/* All batches of two records; how many summaries were indexed. */
static int64_t index_all(struct place *p)
{
    struct batch batch = { .p = p };
    struct err err = { 0 };
    int64_t total = 0;

    while (!batch.end && OK(db_transaction(p->db, one_batch, &batch, &err)))
        total += batch.indexed;
    return total;
}

static int64_t pending(struct place *p)
{
    struct word_lag lag = { 0 };
    struct err err = { 0 };

    OK(word_store_lag(p->db, NULL, &lag, &err));
    CHECK((lag.pending > 0) == (testdb_number(&p->t, "SELECT count(*) FROM shard_index WHERE since IS NOT NULL") > 0));
    CHECK(lag.pending > 0 || lag.lag_ms == 0);
    return lag.pending;
}

/* The names' last digits of what is found, in its order; the last one's snippet. */
static const char *search_as(struct place *p, struct summary_search in, bool best, char *snippet, size_t size)
{
    static char said[64];
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct search_hits hits;
    struct err err = { 0 };

    said[0] = 0;
    if (!in.limit)
        in.limit = 10;
    if (!OK(search_store_hits(p->db, &in, &hits, &err)) || (best && !OK(search_store_rank(p->db, in.q, &hits, &err))) ||
        !OK(search_store_rows(p->db, in.q, hits.ids, hits.count, &rows, &err)))
        return "";
    CHECK_I64(hits.rest, 0);
    for (int i = 0; i < rows.count; i++) {
        struct summary_row row;
        summary_row_read(&rows, i, &row);
        snprintf(said + strlen(said), sizeof said - strlen(said), "%.1s", row.name + 6);
        if (snippet)
            snprintf(snippet, size, "%s", row.snippet ? row.snippet : "none");
    }
    return said;
}

static const char *search(struct place *p, struct summary_search in)
{
    return search_as(p, in, false, NULL, 0);
}

static void searches(void)
{
    AUTO(place_end) struct place p = { 0 };
    char snippet[400];

    if (!place_begin(&p))
        return;
    put(&p, 0, "succeeded", 1, "<thinking>a dog?</thinking><answer>A <b>Cat</b> &amp; a mouse.</answer>",
        "A <b>Cat</b> & a mouse.");
    put(&p, 1, "succeeded", 1, "The cat chases a DOG over the \xc3\xa9t\xc3\xa9 meadow.", NULL);
    put(&p, 2, "failed", 1, "cat", NULL);
    end_shard(&p);
    CHECK_I64(index_all(&p), 2);

    CHECK_TEXT(search_as(&p, (struct summary_search){ .q = SPAN_LIT("cat") }, false, snippet, sizeof snippet), "21");
    CHECK_TEXT(snippet, "A  \xee\x80\x80"
                        "Cat\xee\x80\x81  & a mouse");
    CHECK_TEXT(search(&p, (struct summary_search){ .q = SPAN_LIT("dog") }), "2"); /* not in thoughts */
    CHECK_TEXT(search(&p, (struct summary_search){ .q = SPAN_LIT("cat -dog") }), "1");
    CHECK_TEXT(search(&p, (struct summary_search){ .q = SPAN_LIT("-dog") }), "1");
    CHECK_TEXT(search(&p, (struct summary_search){ .q = SPAN_LIT("mouse or -cat") }), "1");
    CHECK_TEXT(search(&p, (struct summary_search){ .q = SPAN_LIT("\"chases a dog\"") }), "2");
    CHECK_TEXT(search(&p, (struct summary_search){ .q = SPAN_LIT("\xc3\x89T\xc3\x89") }), "2");
    CHECK_TEXT(search(&p, (struct summary_search){ .q = SPAN_LIT("':*&!<->()\\") }), "");
    CHECK_TEXT(search(&p, (struct summary_search){ .q = SPAN_LIT("cat"), .limit = 1 }), "2");
    CHECK_TEXT(search(&p, (struct summary_search){ .q = SPAN_LIT("cat"), .before_id = p.records[1] }), "1");
    /* the words that stand for job and prefix cannot be asked for */
    CHECK_TEXT(search(&p, (struct summary_search){ .q = SPAN_LIT("#j1 or '#j' or #p") }), "");
    /* one names it once, the other thrice and nothing else */
    put(&p, 3, "succeeded", 1, "dog dog dog", NULL);
    end_shard(&p);
    CHECK_I64(index_all(&p), 1);
    CHECK_TEXT(search_as(&p, (struct summary_search){ .q = SPAN_LIT("dog") }, false, NULL, 0), "42");
    put(&p, 4, "succeeded", 1, "a dog", NULL);
    end_shard(&p);
    CHECK_I64(index_all(&p), 1);
    CHECK_TEXT(search_as(&p, (struct summary_search){ .q = SPAN_LIT("dog") }, false, NULL, 0), "542");
    CHECK_TEXT(search_as(&p, (struct summary_search){ .q = SPAN_LIT("dog") }, true, NULL, 0), "452");
}

static void filters(void)
{
    AUTO(place_end) struct place p = { 0 };
    AUTO(db_rows_done) struct db_rows latest = { 0 };
    struct err err = { 0 };
    int64_t other = 0;

    if (!place_begin(&p))
        return;
    put(&p, 0, "succeeded", 1, "cat one", NULL);
    put(&p, 1, "succeeded", 1, "cat two", NULL);
    put(&p, 2, "failed", 1, "cat three", NULL);
    end_shard(&p);
    CHECK_I64(index_all(&p), 2);
    other = testdb_prefix(&p.t, 1);
    CHECK(testdb_planned_job(&p.t, other, 1, 2) > 0);
#define FOUND(...) search(&p, (struct summary_search){ .q = SPAN_LIT("cat"), __VA_ARGS__ })
    CHECK_TEXT(FOUND(.job_id = p.job, .prefix_id = p.prefix), "21");
    CHECK_TEXT(FOUND(.job_id = p.job + 1), "");
    CHECK_TEXT(FOUND(.prefix_id = p.prefix + 1), "");
    CHECK_TEXT(FOUND(.prefix_id = other), "");
    CHECK_TEXT(FOUND(.prefix_id = p.prefix), "21");
    /* from is within, to is not */
    CHECK_TEXT(FOUND(.from_ms = made_ms + 1000), "2");
    CHECK_TEXT(FOUND(.to_ms = made_ms + 1000), "1");
    CHECK_TEXT(FOUND(.to_ms = 1000), "");
    CHECK_TEXT(FOUND(.to_ms = INT64_C(253402300799999)), "21");
#undef FOUND
    OK(search_store_latest(p.db, &(struct summary_search){ .prefix_id = p.prefix, .to_ms = made_ms + 1, .limit = 5 },
                           &latest, &err));
    CHECK_I64(latest.count, 1);
    CHECK_I64(db_i64(&latest, 0, 0), p.records[0]);
}

static void only_what_changed_is_indexed_again(void)
{
    AUTO(place_end) struct place p = { 0 };
    bool wanted = true;
    struct err err = { 0 };

    if (!place_begin(&p))
        return;
    CHECK_I64(index_all(&p), 0); /* nobody wants it */
    for (int i = 0; i < VIDEOS; i++)
        put(&p, i, i == 1 ? "failed" : "succeeded", 1, "cat", NULL);
    end_shard(&p);
    CHECK_I64(pending(&p), 4);
    CHECK_TEXT(search(&p, (struct summary_search){ .q = SPAN_LIT("cat") }), "");
    CHECK_I64(index_all(&p), 4);
    CHECK_I64(pending(&p), 0);
    CHECK_TEXT(search(&p, (struct summary_search){ .q = SPAN_LIT("cat") }), "5431");
    /* read again: one answer is another, one came after all */
    put(&p, 1, "succeeded", 2, "dog", NULL);
    put(&p, 3, "succeeded", 2, "bird", NULL);
    end_shard(&p);
    CHECK_I64(pending(&p), 5);
    CHECK_I64(index_all(&p), 2);
    CHECK_I64(pending(&p), 0);
    CHECK_TEXT(search(&p, (struct summary_search){ .q = SPAN_LIT("cat") }), "531");
    CHECK_TEXT(search(&p, (struct summary_search){ .q = SPAN_LIT("dog or bird") }), "42");
    /* only as part of what ended the shard */
    FAILS(word_store_want(p.db, p.shard, &wanted, &err), ERR_INTERNAL, "internal");
}

/* Asked for again in the middle: it begins anew, and looks at all. */
static void wanted_again_meanwhile(void)
{
    AUTO(place_end) struct place p = { 0 };
    struct batch batch = { .p = &p };
    struct err err = { 0 };

    if (!place_begin(&p))
        return;
    for (int i = 0; i < VIDEOS; i++)
        put(&p, i, "succeeded", 1, "cat", NULL);
    end_shard(&p);
    OK(db_transaction(p.db, one_batch, &batch, &err));
    CHECK_I64(batch.indexed, 2);
    CHECK_I64(pending(&p), 3);
    put(&p, 0, "succeeded", 2, "dog", NULL);
    end_shard(&p);
    CHECK_I64(pending(&p), 5);
    CHECK_I64(index_all(&p), 4);
    CHECK_TEXT(search(&p, (struct summary_search){ .q = SPAN_LIT("dog") }), "1");
}

/* A tsvector has a largest size, and some words are too long for it. */
static void texts_of_any_size(void)
{
    AUTO(place_end) struct place p = { 0 };

    if (!place_begin(&p))
        return;
    put(&p, 0, "succeeded", 1, "", NULL);
    put(&p, 1, "succeeded", 1, "short", NULL);
    testdb_sql(
        &p.t,
        "UPDATE summary SET text = 'first ' || (SELECT string_agg(md5(i::text), ' ') FROM generate_series(1, 100000) i)"
        " WHERE record_id = %lld",
        (long long)p.records[0]);
    testdb_sql(&p.t, "UPDATE summary SET text = 'short ' || repeat('x', 2000000) WHERE record_id = %lld",
               (long long)p.records[1]);
    end_shard(&p);
    CHECK_I64(index_all(&p), 2);
    CHECK_TEXT(search(&p, (struct summary_search){ .q = SPAN_LIT("first") }), "1");
    CHECK_TEXT(search(&p, (struct summary_search){ .q = SPAN_LIT("short") }), "2");
}

static const char *search_many(struct place *p, struct summary_search in, int64_t *rest)
{
    static char said[64];
    struct search_hits hits;
    struct err err = { 0 };

    OK(search_store_hits(p->db, &in, &hits, &err));
    *rest = hits.rest;
    snprintf(said, sizeof said, "%d from %lld", hits.count, hits.count ? (long long)hits.ids[0] : -1);
    return said;
}

/* 250,000 rows: each way to the hits is taken. `old` is in the older 30,000, `even` in every second row, `rare` in
 * five, `third` in a third of the 9,000 newest. */
static void each_way_finds_the_same(void)
{
    AUTO(place_end) struct place p = { 0 };
    int64_t rest = 0;

    if (!place_begin(&p))
        return;
    testdb_sql(&p.t, "DROP INDEX summary_word_words");
    testdb_sql(&p.t, "INSERT INTO summary_word SELECT i, now(), 1, array_to_tsvector(array_remove(ARRAY['all',"
                     " CASE WHEN i <= 30000 THEN 'old' END, CASE WHEN i %% 2 = 0 THEN 'even' END,"
                     " CASE WHEN i %% 50000 = 0 THEN 'rare' END, CASE WHEN i > 241000 AND i %% 3 = 0 THEN 'third' END],"
                     " NULL)) FROM generate_series(1, 250000) i");
    testdb_sql(&p.t, "CREATE INDEX summary_word_words ON summary_word USING gin (words)");
#define MANY(...) search_many(&p, (struct summary_search){ __VA_ARGS__ }, &rest)
    CHECK_TEXT(MANY(.q = SPAN_LIT("all"), .limit = 50), "50 from 250000");
    CHECK_TEXT(MANY(.q = SPAN_LIT("even"), .limit = 1001, .before_id = 250000), "1001 from 249998");
    CHECK_TEXT(MANY(.q = SPAN_LIT("rare"), .limit = 50), "5 from 250000");
    CHECK_I64(rest, 0);
    CHECK_TEXT(MANY(.q = SPAN_LIT("rare -even"), .limit = 50), "0 from -1");
    CHECK_I64(rest, 0);
    CHECK_TEXT(MANY(.q = SPAN_LIT("third"), .limit = 1001), "1001 from 249999");
    /* too many hits, none of them of late: the long walk stops, and says where */
    CHECK_TEXT(MANY(.q = SPAN_LIT("old"), .limit = 50), "0 from -1");
    CHECK_I64(rest, 50001);
    CHECK_TEXT(MANY(.q = SPAN_LIT("old"), .limit = 50, .before_id = rest), "50 from 30000");
    CHECK_I64(rest, 0);
    CHECK_TEXT(MANY(.q = SPAN_LIT("old"), .limit = 50, .before_id = 1500), "50 from 1499");
    CHECK_TEXT(MANY(.q = SPAN_LIT("old"), .limit = 50, .before_id = 20), "19 from 19");
    CHECK_I64(rest, 0);
    /* no index can answer what must not occur: only the walks do */
    CHECK_TEXT(MANY(.q = SPAN_LIT("-all"), .limit = 50), "0 from -1");
    CHECK_I64(rest, 50001);
#undef MANY
}

static const struct test tests[] = {
    { "searches", searches },
    { "filters", filters },
    { "only what changed is indexed again", only_what_changed_is_indexed_again },
    { "wanted again meanwhile", wanted_again_meanwhile },
    { "texts of any size", texts_of_any_size },
    { "each way finds the same", each_way_finds_the_same },
};
TEST_MAIN("sql/search", tests)
