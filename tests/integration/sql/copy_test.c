/* COPY: what goes in comes out, in pieces of any size, and a COPY that fails leaves the connection usable. */
#include "server/base/mem.h"
#include "server/base/text.h"
#include "sql/summary_store.h"
#include "sql/video_scan.h"
#include "tests/integration/sql/testdb.h"
#include "tests/support/test.h"

#include <string.h>

struct load {
    const struct summary_new *rows;
    int count;
    bool abort;
    bool forget; /* leaves without ending the COPY */
};

static bool load(struct db *db, void *arg, struct err *err)
{
    const struct load *load = arg;
    struct db_copy copy;

    if (!summary_store_copy(db, &copy, err))
        return false;
    for (int i = 0; i < load->count; i++)
        summary_store_add(&copy, &load->rows[i]);
    if (load->forget)
        return err_set(err, ERR_CANCELLED, false, HERE, "left");
    if (load->abort) {
        db_copy_abort(&copy);
        return err_set(err, ERR_CANCELLED, false, HERE, "aborted");
    }
    return db_copy_end(&copy, err);
}

static struct summary_new full_row(int64_t id, struct span text)
{
    return (struct summary_new){ .record_id = id,
                                 .job_id = INT64_MAX,
                                 .shard_id = INT64_MIN,
                                 .video_id = -1,
                                 .created_ms = INT64_C(1721570400123),
                                 .state = "succeeded",
                                 .ingest_round = 7,
                                 .has_input_tokens = true,
                                 .input_tokens = INT32_MAX,
                                 .has_error_code = true,
                                 .error_code = -400,
                                 .has_error_retryable = true,
                                 .error_retryable = true,
                                 .text_altered = true,
                                 .stop_reason = SPAN_LIT("end_turn"),
                                 .text = text,
                                 .summary = { text.ptr, 0 } };
}

static void nasty_text_comes_back(void)
{
    static const char *const texts[] = { "",
                                         "plain",
                                         "tab\tnewline\ncarriage\rbackslash\\ \\N \\. quote'\" NULL",
                                         "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xef\xbf\xbd",
                                         "\x01\x02\x1f\x7f",
                                         "\\.\n\\.\n" };
    enum { COUNT = sizeof texts / sizeof texts[0] };
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };
    struct summary_new rows[COUNT];

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    for (int i = 0; i < COUNT; i++)
        rows[i] = full_row(i, span_of(texts[i]));
    OK(db_transaction(db, load, &(struct load){ .rows = rows, .count = COUNT }, &err));
    for (int i = 0; i < COUNT; i++) {
        PGresult *got = NULL;
        char sql[100];

        test_case("text %d", i);
        snprintf(sql, sizeof sql, "SELECT text, thinking IS NULL, summary FROM summary WHERE record_id = %d", i);
        got = PQexec(t.conn, sql);
        CHECK_TEXT(PQgetvalue(got, 0, 0), texts[i]);
        CHECK_TEXT(PQgetvalue(got, 0, 1), "t");
        CHECK(!PQgetisnull(got, 0, 2) && PQgetlength(got, 0, 2) == 0);
        PQclear(got);
    }
    test_case(NULL);
    CHECK_I64(testdb_number(&t, "SELECT count(*) FROM summary WHERE job_id = 9223372036854775807 AND video_id = -1"
                                " AND shard_id = -9223372036854775808 AND created_at = '2024-07-21T14:00:00.123Z'"
                                " AND state = 'succeeded' AND ingest_round = 7 AND input_tokens = 2147483647"
                                " AND output_tokens IS NULL AND error_code = -400 AND error_retryable AND text_altered"
                                " AND stop_reason = 'end_turn' AND error_reason IS NULL"),
              COUNT);
}

/* Sizes around the buffer's own. */
static void fields_of_any_size(void)
{
    static const size_t sizes[] = { 1, 65000, 65535, 65536, 65537, 131072, 1000003 };
    enum { COUNT = sizeof sizes / sizeof sizes[0] };
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };
    struct summary_new rows[COUNT];
    char *big = NULL;
    int64_t sum = 0;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    big = mem_alloc(1, 1000003);
    for (size_t i = 0; i < 1000003; i++)
        big[i] = (char)('a' + i % 26);
    for (int i = 0; i < COUNT; i++) {
        rows[i] = full_row(i, (struct span){ big, sizes[i] });
        sum += (int64_t)sizes[i];
    }
    OK(db_transaction(db, load, &(struct load){ .rows = rows, .count = COUNT }, &err));
    CHECK_I64(testdb_number(&t, "SELECT sum(length(text)) FROM summary"), sum);
    CHECK_I64(testdb_number(&t, "SELECT count(*) FROM summary"
                                " WHERE text = left(repeat('abcdefghijklmnopqrstuvwxyz', 40000), length(text))"),
              COUNT);
    mem_free(big);
}

static void many_rows(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };
    struct video_ids ids;
    struct db_copy copy;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    OK(video_scan_ids(db, 100000, &ids, &err));
    OK(video_scan_add_begin(db, &copy, &err));
    for (int i = 0; i < 100000; i++) {
        char name[40];
        int len = snprintf(name, sizeof name, "clip-%d.mp4", i);
        video_scan_add(&copy, &ids, 1, (struct span){ name, (size_t)len }, i, 0, SPAN_LIT("\"e\""), (struct span){ 0 });
    }
    CHECK_I64(copy.rows, 100000);
    OK(db_copy_end(&copy, &err));
    OK(db_ping(db, &err));
}

static void a_failed_copy_is_told_at_its_end(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };
    struct summary_new rows[2];

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    rows[0] = full_row(1, SPAN_LIT("fine"));
    rows[1] = full_row(1, SPAN_LIT("again"));
    FAILS(db_transaction(db, load, &(struct load){ .rows = rows, .count = 2 }, &err), ERR_CONFLICT, "unique_violation");
    rows[1] = full_row(2, SPAN_LIT("\xff"));
    FAILS(db_transaction(db, load, &(struct load){ .rows = rows, .count = 2 }, &err), ERR_INPUT, "text_encoding");
    rows[1] = full_row(2, SPAN_LIT("a\0b"));
    FAILS(db_transaction(db, load, &(struct load){ .rows = rows, .count = 2 }, &err), ERR_INPUT, "text_encoding");
    rows[1] = full_row(2, SPAN_LIT("x"));
    rows[1].state = "wonderful";
    FAILS(db_transaction(db, load, &(struct load){ .rows = rows, .count = 2 }, &err), ERR_DATABASE, NULL);
    FAILS(db_transaction(db, load, &(struct load){ .rows = rows, .count = 1, .abort = true }, &err), ERR_CANCELLED,
          NULL);
    FAILS(db_transaction(db, load, &(struct load){ .rows = rows, .count = 1, .forget = true }, &err), ERR_CANCELLED,
          NULL);
    CHECK_I64(testdb_number(&t, "SELECT count(*) FROM summary"), 0);
    OK(db_transaction(db, load, &(struct load){ .rows = rows, .count = 1 }, &err));
    CHECK_I64(testdb_number(&t, "SELECT count(*) FROM summary"), 1);
}

static void a_copy_is_lost_with_its_connection(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };
    struct video_ids ids;
    struct db_copy copy;
    bool ok = false;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open_with(&t, (struct db_options){ .application_name = "victim" });
    OK(video_scan_ids(db, 1, &ids, &err));
    OK(video_scan_add_begin(db, &copy, &err));
    video_scan_add(&copy, &ids, 1, SPAN_LIT("a"), 1, 1, SPAN_LIT("e"), (struct span){ 0 });
    testdb_kill(&t, "victim");
    ok = db_copy_end(&copy, &err);
    CHECK(err.retryable);
    FAILS(ok, ERR_DATABASE, "connection_lost");
    OK(db_ping(db, &err));
    CHECK_I64(testdb_number(&t, "SELECT count(*) FROM video"), 0);
}

static const struct test tests[] = {
    { "nasty text comes back", nasty_text_comes_back },
    { "fields of any size", fields_of_any_size },
    { "many rows", many_rows },
    { "a failed COPY is told at its end", a_failed_copy_is_told_at_its_end },
    { "a COPY is lost with its connection", a_copy_is_lost_with_its_connection },
};
TEST_MAIN("sql/copy", tests)
