/* What a scan writes, on a real PostgreSQL: differences, once, whatever the order of the stretches. */
#include "server/work/scan_diff.h"

#include "sql/video_scan.h"
#include "tests/integration/sql/testdb.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct stage {
    struct testdb t;
    struct db *db, *aside_db;
    struct step step;
    struct work_settings settings;
    atomic_bool lease_lost, stopping;
    int64_t prefix, other;
};

static void stage_done(struct stage *s)
{
    testdb_close(&s->db);
    testdb_close(&s->aside_db);
    testdb_end(&s->t);
}

static bool stage_begin(struct stage *s)
{
    struct err err = { 0 };
    bool found = false;

    if (!testdb_begin(&s->t, true))
        return false;
    s->db = testdb_open(&s->t);
    s->other = testdb_prefix(&s->t, 3);
    s->prefix = testdb_prefix(&s->t, 0);
    s->aside_db = testdb_open(&s->t);
    s->step = (struct step){ .settings = &s->settings,
                             .db = s->db,
                             .aside_db = s->aside_db,
                             .lease_lost = &s->lease_lost,
                             .stopping = &s->stopping };
    return OK(task_store_add(s->db, "scan", 1, 0, &err)) &&
           OK(task_store_claim(s->db, "{scan}", "test", 600000, &s->step.task, &found, &err)) && CHECK(found);
}

/* One scan that finds these (in the order of names) in stretches of `step`, the last stretch first;
 * "inserted/updated/vanished". */
static const char *scan(struct stage *s, const struct scan_found *found, size_t count, size_t step)
{
    static char said[80];
    struct scan_diff diff;
    struct err err = { 0 };

    if (!OK(scan_diff_init(&diff, &s->step, s->prefix, &err)))
        return "";
    for (size_t end = count + 1; end-- > 0;) {
        const bool is_last = end == count;
        size_t from = is_last ? count / step * step : end;

        if (!is_last && end % step != 0)
            continue;
        if (!is_last && end == count / step * step)
            continue; /* it was the last one */
        OK(scan_diff_stretch(&diff, from > 0, from > 0 ? found[from - 1].name : SPAN_LIT(""),
                             is_last ? video_scan_end() : found[from + step - 1].name, found + from,
                             is_last ? count - from : step, &err));
    }
    OK(scan_diff_flush(&diff, &err));
    snprintf(said, sizeof said, "%lld/%lld/%lld", (long long)diff.inserted, (long long)diff.updated,
             (long long)diff.vanished);
    scan_diff_done(&diff);
    return said;
}

static int64_t writes(struct stage *s)
{
    return testdb_number(&s->t, "SELECT max(xmin::text::int8) FROM video");
}

#define FOUND(name, size, modified, etag, reason)                                                                      \
    {                                                                                                                  \
        SPAN_LIT(name), size, modified, SPAN_LIT(etag), reason                                                         \
    }

static void differences_are_written(void)
{
    static const struct scan_found items[] = {
        FOUND("a.mp4", 1, 1000, "\"1\"", NULL),
        FOUND("b \xc3\xa9,.mp4", 2, 2000, "\"2\"", NULL),
        FOUND("c.avi", 3, 3000, "\"3\"", "unsupported_format"),
        FOUND("d.mp4", 4, 4000, "\"4\"", NULL),
    };
    struct scan_found now[5];
    AUTO(stage_done) struct stage s = { 0 };
    int64_t before;

    if (!stage_begin(&s))
        return;
    CHECK_TEXT(scan(&s, items, 4, 2), "4/0/0");
    testdb_sql(&s.t, "CREATE TABLE ids AS SELECT id, name FROM video");
    before = writes(&s);
    CHECK_TEXT(scan(&s, items, 4, 3), "0/0/0");
    CHECK_I64(writes(&s), before); /* nothing was written again */
    memcpy(now, items, sizeof items);
    now[0].size_bytes = 10;
    now[1].etag = SPAN_LIT("\"x\"");
    now[2].reason = NULL;
    now[3].modified_ms = 5000;
    CHECK_TEXT(scan(&s, now, 4, 1), "0/4/0");
    CHECK_TEXT(scan(&s, now, 3, 2), "0/0/1");
    CHECK_TEXT(scan(&s, now, 3, 2), "0/0/0"); /* it vanishes once */
    CHECK_TEXT(scan(&s, now, 4, 2), "0/1/0"); /* back again, the same row */
    now[4] = (struct scan_found)FOUND("new.mp4", 9, 9000, "\"9\"", NULL);
    CHECK_TEXT(scan(&s, now + 1, 4, 2), "1/0/1");
    CHECK_TEXT(scan(&s, now, 0, 1), "0/0/4");
    CHECK_TEXT(scan(&s, now, 5, 9), "0/5/0");
    CHECK_I64(testdb_number(&s.t, "SELECT count(*) FROM video v JOIN ids USING (id, name)"), 7);
    CHECK_I64(testdb_number(&s.t, "SELECT count(*) FROM video WHERE prefix_id = %lld AND vanished_at IS NULL",
                            (long long)s.other),
              3);
    CHECK_I64(testdb_number(&s.t, "SELECT count(*) FROM video WHERE size_bytes = 10 AND modified_at = '1970-01-01Z'"
                                  "::timestamptz + interval '1 s' AND etag = '\"1\"' AND reason IS NULL"),
              1);
}

/* More than a batch, and more than a page of what is known, come and go. */
static void many_come_and_go(void)
{
    enum { MANY = 45000 };
    AUTO(stage_done) struct stage s = { 0 };
    struct scan_found *found = calloc(MANY, sizeof *found);
    char(*names)[24] = calloc(MANY, sizeof *names);

    for (int i = 0; i < MANY; i++) {
        int len = snprintf(names[i], sizeof names[i], "clip %06d.mp4", i);

        found[i] = (struct scan_found){ { names[i], (size_t)len }, i, 1000LL * i, SPAN_LIT("\"e\""), NULL };
    }
    if (stage_begin(&s)) {
        int64_t before;

        CHECK_TEXT(scan(&s, found, MANY, 1000), "45000/0/0");
        before = writes(&s);
        CHECK_TEXT(scan(&s, found, MANY, 7000), "0/0/0");
        CHECK_I64(writes(&s), before);
        CHECK_TEXT(scan(&s, found, 10000, 900), "0/0/35000");
        CHECK_TEXT(scan(&s, NULL, 0, 1), "0/0/10000");
        CHECK_TEXT(scan(&s, found, MANY, 1000), "0/45000/0");
        CHECK_I64(testdb_number(&s.t, "SELECT count(*) FROM video WHERE vanished_at IS NULL AND reason IS NULL"
                                      " AND modified_at = '1970-01-01Z'::timestamptz + size_bytes * interval '1 s'"),
                  MANY);
    }
    free(found);
    free(names);
}

/* Any set of names after any other, in any stretches: what is there in the end is what was found. */
static void any_set_after_any_other(void)
{
    enum { NAMES = 300 };
    AUTO(stage_done) struct stage s = { 0 };
    struct scan_found found[NAMES];
    char names[NAMES][16];
    unsigned seed = 11;

    if (!stage_begin(&s))
        return;
    for (int round = 0; round < 40; round++) {
        size_t count = 0;
        int64_t sum = 0;

        for (int i = 0; i < NAMES; i++) {
            seed = seed * 1103515245U + 12345U;
            if ((seed >> 16) % 3 == (unsigned)round % 3)
                continue;
            snprintf(names[i], sizeof names[i], "%05d", i);
            found[count] = (struct scan_found){ span_of(names[i]), (int64_t)(seed >> 16) % 4, 0, SPAN_LIT("e"), NULL };
            sum += found[count++].size_bytes * (i + 1);
        }
        test_case("round %d", round);
        (void)scan(&s, found, count, 1 + (seed >> 8) % 120);
        CHECK_I64(testdb_number(&s.t, "SELECT count(*) FROM video WHERE prefix_id = %lld AND vanished_at IS NULL",
                                (long long)s.prefix),
                  count);
        CHECK_I64(testdb_number(&s.t,
                                "SELECT sum(size_bytes * (name::int8 + 1)) FROM video"
                                " WHERE prefix_id = %lld AND vanished_at IS NULL",
                                (long long)s.prefix),
                  sum);
    }
    test_case(NULL);
}

static bool stretch_of_two(struct stage *s, struct scan_diff *diff, struct err *err)
{
    static const struct scan_found items[] = { FOUND("a", 1, 1, "e", NULL), FOUND("b", 1, 1, "e", NULL) };

    return scan_diff_init(diff, &s->step, s->prefix, err) &&
           scan_diff_stretch(diff, false, SPAN_LIT(""), video_scan_end(), items, 2, err) && scan_diff_flush(diff, err);
}

static void nothing_is_written_by_a_step_that_lost_its_task(void)
{
    AUTO(stage_done) struct stage s = { 0 };
    struct scan_diff diff = { 0 };
    struct err err = { 0 };

    if (!stage_begin(&s))
        return;
    testdb_sql(&s.t, "UPDATE task SET attempt = attempt + 1");
    CHECK(!stretch_of_two(&s, &diff, &err));
    CHECK_TEXT(err.code, "lease_lost");
    scan_diff_done(&diff);
    testdb_sql(&s.t, "UPDATE task SET attempt = attempt - 1; UPDATE prefix SET deleted_at = now()");
    err = (struct err){ 0 };
    CHECK(!stretch_of_two(&s, &diff, &err));
    CHECK_I64(err.kind, ERR_NOT_FOUND);
    scan_diff_done(&diff);
    CHECK_I64(testdb_number(&s.t, "SELECT count(*) FROM video"), 3);
}

/* The prefix was empty when the scan began, and then it was not. */
static void a_name_that_somebody_else_added_is_met_again(void)
{
    static const struct scan_found items[] = { FOUND("a", 1, 1, "e", NULL) };
    AUTO(stage_done) struct stage s = { 0 };
    struct scan_diff diff = { 0 };
    struct err err = { 0 };

    if (!stage_begin(&s) || !OK(scan_diff_init(&diff, &s.step, s.prefix, &err)))
        return;
    testdb_sql(&s.t,
               "INSERT INTO video (prefix_id, size_bytes, modified_at, name, etag) SELECT max(id), 1, now(), 'a', 'x'"
               " FROM prefix");
    OK(scan_diff_stretch(&diff, false, SPAN_LIT(""), video_scan_end(), items, 1, &err));
    CHECK(!scan_diff_flush(&diff, &err));
    CHECK_TEXT(err.code, "unique_violation");
    CHECK(err.retryable);
    scan_diff_done(&diff);
    CHECK_TEXT(scan(&s, items, 1, 1), "0/1/0");
}

static const struct test tests[] = {
    { "differences are written", differences_are_written },
    { "many come and go", many_come_and_go },
    { "any set after any other", any_set_after_any_other },
    { "nothing is written by a step that lost its task", nothing_is_written_by_a_step_that_lost_its_task },
    { "a name that somebody else added is met again", a_name_that_somebody_else_added_is_met_again },
};
TEST_MAIN("work/scan_diff", tests)
