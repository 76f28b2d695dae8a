/* Keys and the log of changes: what is stored, how keys end, what they are held to. */
#include "sql/audit_store.h"
#include "sql/estimate_store.h"
#include "sql/job_store.h"
#include "sql/key_store.h"
#include "sql/prefix_store.h"
#include "tests/integration/sql/testdb.h"
#include "tests/support/test.h"

#include <string.h>

static int64_t add_key(struct db *db, int64_t id, const char *scopes, const char *prefixes)
{
    struct key_new key = { .id = id,
                           .name = SPAN_LIT("k"),
                           .scopes = span_of(scopes),
                           .prefixes = prefixes ? span_of(prefixes) : (struct span){ 0 } };
    struct err err = { 0 };
    bool added = false;

    memset(key.hash, (int)id, sizeof key.hash);
    OK(key_store_add(db, &key, &added, &err));
    return added;
}

static void keys_come_and_go(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    unsigned char hash[32] = { 0xab };
    struct key_row row = { 0 };
    struct err err = { 0 };
    bool yes = true;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    OK(key_store_any(db, &yes, &err));
    CHECK(!yes);
    CHECK(add_key(db, 1, "[\"read\"]", NULL));
    CHECK(!add_key(db, 1, "[\"admin\"]", NULL)); /* the id is taken: nothing changes */
    OK(key_store_any(db, &yes, &err));
    CHECK(yes);
    OK(key_store_get(db, 1, &rows, &row, &err));
    CHECK_TEXT(row.scopes, "[\"read\"]");
    CHECK_TEXT(row.hash, "0101010101010101010101010101010101010101010101010101010101010101");
    CHECK(row.now_ms >= row.created_ms && row.now_ms < row.created_ms + 60000);
    CHECK(!row.previous_hash && !row.prefixes && !row.models && !row.has_budget && row.created_ms > 0);
    db_rows_done(&rows);
    OK(key_store_rotate(db, 1, hash, 60000, &yes, &err));
    CHECK(yes);
    OK(key_store_get(db, 1, &rows, &row, &err));
    CHECK(strncmp(row.hash, "ab00", 4) == 0 && strncmp(row.previous_hash, "0101", 4) == 0);
    CHECK_I64(row.previous_until_ms - row.rotated_ms, 60000);
    db_rows_done(&rows);
    OK(key_store_rotate(db, 1, hash, 0, &yes, &err)); /* without overlap nothing of before is kept */
    OK(key_store_get(db, 1, &rows, &row, &err));
    CHECK(yes && !row.previous_hash && row.previous_until_ms == 0);
    db_rows_done(&rows);
    OK(key_store_revoke(db, 1, &yes, &err));
    CHECK(yes);
    OK(key_store_revoke(db, 1, &yes, &err));
    CHECK(!yes);
    OK(key_store_rotate(db, 1, hash, 0, &yes, &err));
    CHECK(!yes); /* it is over */
    OK(key_store_any(db, &yes, &err));
    CHECK(yes); /* for ever */
    FAILS(key_store_get(db, 2, &rows, &row, &err), ERR_NOT_FOUND, "not_found");
    testdb_sql(&t, "UPDATE api_key SET revoked_at = NULL, expires_at = now() - interval '1 s'");
    OK(key_store_rotate(db, 1, hash, 0, &yes, &err));
    CHECK(!yes);
}

static void use_is_noted_once_a_minute(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    (void)add_key(db, 1, "[\"read\"]", NULL);
    OK(key_store_used(db, 1, &err));
    CHECK_I64(testdb_number(&t, "SELECT count(*) FROM api_key WHERE last_used_at > now() - interval '5 s'"), 1);
    testdb_sql(&t, "UPDATE api_key SET last_used_at = now() - interval '59 s'");
    OK(key_store_used(db, 1, &err));
    CHECK_I64(testdb_number(&t, "SELECT count(*) FROM api_key WHERE last_used_at > now() - interval '5 s'"), 0);
    testdb_sql(&t, "UPDATE api_key SET last_used_at = now() - interval '61 s'");
    OK(key_store_used(db, 1, &err));
    CHECK_I64(testdb_number(&t, "SELECT count(*) FROM api_key WHERE last_used_at > now() - interval '5 s'"), 1);
}

/* A key of admin is never held to anything, whoever writes the row. */
static void admins_are_not_held(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    const struct key_new key = { .id = 1,
                                 .name = SPAN_LIT("k"),
                                 .scopes = SPAN_LIT("[\"read\",\"admin\"]"),
                                 .prefixes = SPAN_LIT("[\"s3://b/\"]") };
    const struct key_new odd = { .id = 1, .name = SPAN_LIT("k"), .scopes = SPAN_LIT("[\"write\"]") };
    struct err err = { 0 };
    bool added = false;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    FAILS(key_store_add(db, &key, &added, &err), ERR_DATABASE, NULL);
    FAILS(key_store_add(db, &odd, &added, &err), ERR_DATABASE, NULL);
}

static void sets_prefix(struct testdb *t, int64_t id, const char *bucket, const char *key_prefix)
{
    testdb_sql(t, "UPDATE prefix SET bucket = '%s', key_prefix = '%s' WHERE id = %lld", bucket, key_prefix,
               (long long)id);
}

static void keys_are_held_to_places(void)
{
    static const struct {
        const char *bucket, *key_prefix;
        bool seen;
    } cases[] = { { "videos", "a/", true },   { "videos", "a/b/", true },  { "videos", "a", false },
                  { "videos", "ab/", false }, { "videos", "", false },     { "video", "a/", false },
                  { "whole", "", true },      { "whole", "any/", true },   { "videos", "A/", false },
                  { "videos", "%", false },   { "videos", "x_y/z", true }, { "videos", "xzy/z", false } };
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    (void)add_key(db, 1, "[\"read\"]", "[\"s3://videos/a/\",\"s3://whole/\",\"s3://videos/x_y/\"]");
    (void)add_key(db, 2, "[\"read\"]", "[\"s3://nowhere/\"]");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        AUTO(db_rows_done) struct db_rows mine = { 0 };
        AUTO(db_rows_done) struct db_rows none = { 0 };
        AUTO(db_rows_done) struct db_rows placed = { 0 };
        const int64_t id = testdb_prefix(&t, 1);
        const char *ids = NULL;
        char want[40];

        test_case("%s/%s", cases[i].bucket, cases[i].key_prefix);
        sets_prefix(&t, id, cases[i].bucket, cases[i].key_prefix);
        snprintf(want, sizeof want, "{%lld}", (long long)id);
        OK(key_store_prefixes(db, 1, &mine, &ids, &err));
        CHECK_TEXT(ids, cases[i].seen ? want : "{}");
        OK(key_store_prefixes(db, 2, &none, &ids, &err));
        CHECK_TEXT(ids, "{}");
        snprintf(want, sizeof want, "s3://%s/%s", cases[i].bucket, cases[i].key_prefix);
        OK(key_store_places(db, "pfx_", id, &placed, &err));
        CHECK_TEXT(placed.count == 1 ? db_text(&placed, 0, 0) : NULL, want);
        testdb_sql(&t, "DELETE FROM prefix");
    }
    test_case(NULL);
}

static void things_have_places(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };
    int64_t prefix = 0, job = 0, video = 0, record = 0;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    prefix = testdb_prefix(&t, 1);
    sets_prefix(&t, prefix, "b", "p/");
    job = testdb_planned_job(&t, prefix, 1, 1);
    video = testdb_number(&t, "SELECT id FROM video");
    record = testdb_number(&t, "SELECT id FROM record");
    testdb_sql(
        &t, "INSERT INTO summary (record_id, job_id, shard_id, video_id, created_at, state, ingest_round, text_altered)"
            " SELECT id, job_id, shard_id, video_id, now(), 'missing', 1, false FROM record");
    testdb_sql(&t, "UPDATE prefix SET deleted_at = now()"); /* what was paid for stays its owner's */
    for (int with_prefix = 1; with_prefix >= 0; with_prefix--) {
        const struct {
            const char *kind;
            int64_t id;
            const char *want;
        } cases[] = { { "pfx_", prefix, "s3://b/p/" },
                      { "vid_", video, "s3://b/p/" },
                      { "job_", job, with_prefix ? "s3://b/p/" : "s3://out/x/" },
                      { "pln_", job, with_prefix ? "s3://b/p/" : "s3://out/x/" },
                      { "sum_", record, "s3://b/p/" },
                      { "pfx_", job, NULL },
                      { "vid_", 5, NULL },
                      { "job_", 5, NULL },
                      { "sum_", 5, NULL },
                      { "key_", job, NULL } };

        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            AUTO(db_rows_done) struct db_rows rows = { 0 };

            test_case("%s, %s", cases[i].kind, with_prefix ? "with a prefix" : "an import without one");
            OK(key_store_places(db, cases[i].kind, cases[i].id, &rows, &err));
            CHECK_TEXT(rows.count == 1 ? db_text(&rows, 0, 0) : NULL, cases[i].want);
        }
        testdb_sql(&t, "UPDATE job SET select_mode = 'import', prefix_id = NULL, import_output_uri = 's3://out/x/'");
    }
    test_case(NULL);
}

static void budgets_are_of_the_key_that_began(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };
    int64_t jobs[2];

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    (void)add_key(db, 1, "[\"run\"]", NULL);
    testdb_sql(&t, "UPDATE api_key SET monthly_budget_micros = 50, name = 'thrifty'");
    (void)add_key(db, 2, "[\"run\"]", NULL);
    for (int i = 0; i < 2; i++)
        jobs[i] = testdb_job(&t, testdb_prefix(&t, 0), 1, 1);
    testdb_sql(&t, "UPDATE job SET currency = 'USD', estimated_high_micros = 7, state = 'running'");
    for (int64_t key = 0; key <= 2; key++) {
        AUTO(db_rows_done) struct db_rows of_key = { 0 };
        AUTO(db_rows_done) struct db_rows month = { 0 };
        struct budget_key found = { 0 };
        struct budget_part part = { 0 };

        test_case("key %lld", (long long)key);
        OK(job_store_begun_by(db, jobs[0], key, &err));
        OK(budget_store_key(db, jobs[0], &of_key, &found, &err));
        CHECK_I64(found.key_id, key == 1 ? 1 : 0);
        CHECK_I64(found.monthly_micros, key == 1 ? 50 : 0);
        CHECK_TEXT(found.name, key == 1 ? "thrifty" : NULL);
        OK(budget_store_month(db, "USD", 0, key, &month, &err));
        budget_part_read(&month, 0, &part);
        CHECK_I64(part.estimated_micros, key == 0 ? 14 : 7); /* 0: whoever began them */
    }
    test_case(NULL);
}

static void changes_are_listed(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };
    const struct audit_row rows_in[] = {
        { .who = "cli", .action = "key.create", .subject = "key_1" },
        { .key_id = 7, .who = "k", .action = "job.create", .subject = "job_1", .address = "::1", .request_id = "r" },
        { .who = "open", .action = "job.cancel", .subject = "job_1", .address = "127.0.0.1", .request_id = "s" }
    };
    const struct {
        struct audit_filter filter;
        int count;
        const char *first;
    } cases[] = { { { .limit = 10 }, 3, "open" },
                  { { .limit = 2 }, 2, "open" },
                  { { .key_id = 7, .limit = 10 }, 1, "k" },
                  { { .key_id = 8, .limit = 10 }, 0, NULL },
                  { { .to_ms = 1000, .limit = 10 }, 0, NULL },
                  { { .from_ms = 1000, .limit = 10 }, 3, "open" } };

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    for (size_t i = 0; i < sizeof rows_in / sizeof rows_in[0]; i++)
        OK(audit_store_add(db, &rows_in[i], &err));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        AUTO(db_rows_done) struct db_rows rows = { 0 };
        struct audit_row row = { 0 };

        test_case("case %zu", i);
        OK(audit_store_list(db, &cases[i].filter, &rows, &err));
        CHECK_I64(rows.count, cases[i].count);
        if (rows.count == 0)
            continue;
        audit_row_read(&rows, 0, &row);
        CHECK_TEXT(row.who, cases[i].first);
        CHECK(row.at_ms > 0);
    }
    test_case(NULL);
}

static const struct test tests[] = {
    { "keys come and go", keys_come_and_go },
    { "use is noted once a minute", use_is_noted_once_a_minute },
    { "admins are not held", admins_are_not_held },
    { "keys are held to places", keys_are_held_to_places },
    { "things have places", things_have_places },
    { "budgets are of the key that began", budgets_are_of_the_key_that_began },
    { "changes are listed", changes_are_listed },
};
TEST_MAIN("sql/key", tests)
