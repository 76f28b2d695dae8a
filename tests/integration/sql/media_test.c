/* What was found in videos: stored, replaced, and known for good or not. */
#include "sql/media_store.h"
#include "tests/integration/sql/testdb.h"
#include "tests/support/test.h"

#include <inttypes.h>
#include <stdio.h>

#define NOTHING ((struct span){ NULL, 0 })

struct page {
    const struct media_new *rows;
    int count;
};

static bool store(struct db *db, void *arg, struct err *err)
{
    const struct page *page = arg;
    struct db_copy copy;

    if (!media_store_copy(db, &copy, err))
        return false;
    for (int i = 0; i < page->count; i++)
        media_store_add(&copy, &page->rows[i]);
    return db_copy_end(&copy, err) && media_store_merge(db, err);
}

/* "position@etag " of those that are known. */
static const char *known(struct db *db, const char *ids)
{
    static char said[200];
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct err err = { 0 };
    int at = 0;

    said[0] = '\0';
    if (!OK(media_store_known(db, ids, &rows, &err)))
        return said;
    for (int i = 0; i < rows.count; i++) {
        struct span etag;
        int64_t position;

        media_known_read(&rows, i, &position, &etag);
        at += snprintf(said + at, sizeof said - (size_t)at, "%" PRId64 "@%.*s ", position, SPAN_ARG(etag));
    }
    return said;
}

/* The ids of those that are noted as refused, each under its own prefix and name, in a row; 0 where others are. */
#define NOTED                                                                                                          \
    "SELECT coalesce(string_agg(m.video_id::text, '' ORDER BY m.video_id)"                                             \
    "                FILTER (WHERE m.refusal IS NOT NULL AND v.prefix_id = refused_prefix_id"                          \
    "                          AND v.name = refused_name), '0')::int8"                                                 \
    "  FROM video_media m JOIN video v ON v.id = m.video_id WHERE refused_name IS NOT NULL"

static void facts_are_stored_and_replaced(void)
{
    const struct media_new first[] = {
        { 11, SPAN_LIT("\"a\""), 1000, 4500, 320, 240, SPAN_LIT("mp4"), SPAN_LIT("avc1"), SPAN_LIT("video/mp4"),
          NOTHING },
        { 12, SPAN_LIT("\"b\""), 1000, -1, 0, 0, NOTHING, NOTHING, NOTHING, SPAN_LIT("not_a_video") },
        { 13, SPAN_LIT("\"c\""), 1000, -1, 0, 0, NOTHING, NOTHING, NOTHING, SPAN_LIT("archived") },
    };
    const struct media_new later[] = {
        { 13, SPAN_LIT("\"c\""), 2000, 7000, 64, 64, SPAN_LIT("webm"), SPAN_LIT("V_VP9"), NOTHING, NOTHING },
        { 11, SPAN_LIT("\"a2\""), 2000, -1, 0, 0, SPAN_LIT("mp4"), NOTHING, NOTHING, SPAN_LIT("vanished") },
    };
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    testdb_sql(&t, "UPDATE video SET id = size_bytes + 10 WHERE prefix_id = %lld", (long long)testdb_prefix(&t, 3));
    OK(db_transaction(db, store, &(struct page){ first, 3 }, &err));
    CHECK_TEXT(known(db, "{13,12,99,11}"), "1@\"b\" 3@\"a\" ");
    CHECK_I64(testdb_number(
                  &t, "SELECT count(*) FROM video_media WHERE duration_ms = 4500 AND width = 320 AND height = 240"
                      " AND container = 'mp4' AND codec = 'avc1' AND content_type = 'video/mp4' AND refusal IS NULL"),
              1);
    CHECK_I64(testdb_number(&t,
                            "SELECT count(*) FROM video_media WHERE num_nulls(duration_ms, width, height, container,"
                            " codec, content_type) = 6"),
              2);
    CHECK_I64(testdb_number(&t, NOTED), 1213); /* where the list of refused ones looks */
    OK(db_transaction(db, store, &(struct page){ later, 2 }, &err));
    CHECK_I64(testdb_number(&t, NOTED), 1112);
    CHECK_TEXT(known(db, "{11,12,13}"), "1@\"b\" 2@\"c\" ");
    CHECK_I64(testdb_number(
                  &t, "SELECT count(*) FROM video_media WHERE video_id = 11 AND num_nulls(duration_ms, width, height,"
                      " codec, content_type) = 5 AND checked_at = to_timestamp(2)"),
              1);
    CHECK_TEXT(known(db, "{}"), "");
}

static void nothing_is_stored_outside_a_transaction(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct db_copy copy;
    struct err err = { 0 };

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    FAILS(media_store_copy(db, &copy, &err), ERR_INTERNAL, "internal");
    FAILS(media_store_merge(db, &err), ERR_INTERNAL, "internal");
}

static const struct test tests[] = {
    { "facts_are_stored_and_replaced", facts_are_stored_and_replaced },
    { "nothing_is_stored_outside_a_transaction", nothing_is_stored_outside_a_transaction },
};

TEST_MAIN("media_store", tests)
