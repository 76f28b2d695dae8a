/* Shards: their way from planned to stored, and how far their output files were read. */
#include "sql/shard_store.h"
#include "sql/slot_store.h"
#include "tests/integration/sql/testdb.h"
#include "tests/support/test.h"

static struct shard_row get_shard(struct db *db, int64_t id, struct db_rows *rows)
{
    struct err err = { 0 };
    struct shard_row row = { 0 };

    db_rows_done(rows);
    OK(shard_store_get(db, id, rows, &row, &err));
    return row;
}

/* The next state of its life, each move made once and tried again. */
static void a_shard_goes_its_way(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct err err = { 0 };
    struct shard_row row;
    struct shard_new in = { .ordinal = 5,
                            .record_count = 7,
                            .folder_uri = "s3://b/f/",
                            .output_uri = "s3://b/o/",
                            .bedrock_name = "name",
                            .client_token = "token",
                            .video_bytes = 70,
                            .planned_input_bytes = 700,
                            .estimated_input_tokens = 7000,
                            .estimated_output_tokens = 70000,
                            .model_key = "model",
                            .staging = "copy",
                            .route = "batch" };
    bool moved = true;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    in.job_id = testdb_job(&t, testdb_prefix(&t, 0), 1, 1);
    OK(shard_store_new_id(db, &in.id, &err));
    OK(shard_store_create(db, &in, &err));
    FAILS(shard_store_create(db, &in, &err), ERR_CONFLICT, "unique_violation");
    OK(shard_store_staged(db, in.id, 1, &moved, &err));
    CHECK(!moved);
    OK(shard_store_move(db, in.id, "{planned}", "staging", NULL, &moved, &err));
    CHECK(moved);
    OK(shard_store_staged_through(db, in.id, 500, &err));
    OK(shard_store_staged_through(db, in.id, 400, &err));
    OK(shard_store_staged(db, in.id, 12345, &moved, &err));
    CHECK(moved);
    OK(shard_store_submitted(db, in.id, "arn:1", "Submitted", &moved, &err));
    CHECK(moved);
    OK(shard_store_submitted(db, in.id, "arn:2", "Submitted", &moved, &err));
    CHECK(!moved);
    row = get_shard(db, in.id, &rows);
    CHECK_I64(row.ordinal, 5);
    CHECK_I64(row.record_count, 7);
    CHECK_TEXT(row.state, "running");
    CHECK_TEXT(row.bedrock_arn, "arn:1");
    CHECK_TEXT(row.folder_uri, "s3://b/f/");
    CHECK_TEXT(row.client_token, "token");
    CHECK_I64(row.staged_through, 500);
    CHECK_I64(row.input_bytes, 12345);
    CHECK_TEXT(row.job_state, "staging");
    CHECK(!row.has_manifest && !row.error && !row.bedrock_message);
    CHECK_I64(row.completed_ms, 0);
}

static int64_t in_flight(struct db *db)
{
    struct slot_view view = { 0 };
    struct err err = { 0 };

    OK(slot_store_look(db, "", 0, &view, &err));
    return view.in_flight;
}

static void bedrocks_view_counts_while_it_runs(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct err err = { 0 };
    struct shard_row row;
    int64_t job = 0;
    int64_t shard = 0;
    struct shards_left left = { false, false };
    bool moved = false;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    job = testdb_job(&t, testdb_prefix(&t, 0), 2, 1);
    shard = testdb_shard(&t, job, 0);
    testdb_sql(&t, "UPDATE shard SET state = 'submitting'");
    CHECK_I64(in_flight(db), 0);
    OK(shard_store_submit_started(db, shard, &err));
    testdb_sql(&t, "UPDATE shard SET submit_started_at = '2024-01-01Z' WHERE submit_started_at IS NOT NULL");
    OK(shard_store_submit_started(db, shard, &err));
    CHECK_I64(in_flight(db), 1);
    CHECK(get_shard(db, shard, &rows).create_sent_ms > INT64_C(1704067200000));
    OK(shard_store_submit_unsent(db, shard, INT64_C(1704067200123), &err));
    CHECK_I64(get_shard(db, shard, &rows).create_sent_ms, INT64_C(1704067200123));
    OK(shard_store_submitted(db, shard, "arn", "Submitted", &moved, &err));
    CHECK_I64(in_flight(db), 1);
    OK(shard_store_status(db, shard, "InProgress", "soon", 3, &err));
    row = get_shard(db, shard, &rows);
    CHECK_TEXT(row.bedrock_status, "InProgress");
    CHECK_TEXT(row.bedrock_message, "soon");
    CHECK_I64(row.bedrock_processed, 3);
    CHECK_I64(row.submit_started_ms, INT64_C(1704067200000)); /* the first moment */
    CHECK(row.submitted_ms > row.submit_started_ms);
    OK(shard_store_left(db, job, &left, &err));
    CHECK(left.is_ahead && left.is_open);
    OK(shard_store_move(db, shard, "{running}", "failed", "{\"code\": \"x\"}", &moved, &err));
    CHECK(moved);
    OK(shard_store_status(db, shard, "Late", NULL, 9, &err));
    row = get_shard(db, shard, &rows);
    CHECK_TEXT(row.bedrock_status, "InProgress");
    CHECK(row.completed_ms > 0 && row.error);
    OK(shard_store_left(db, job, &left, &err));
    CHECK(left.is_ahead && left.is_open);
    testdb_sql(&t, "UPDATE shard SET state = 'ingesting' WHERE ordinal = 1");
    OK(shard_store_left(db, job, &left, &err));
    CHECK(!left.is_ahead && left.is_open);
    testdb_sql(&t, "UPDATE shard SET state = 'cancelled' WHERE ordinal = 1");
    OK(shard_store_left(db, job, &left, &err));
    CHECK(!left.is_ahead && !left.is_open);
}

static void no_shard_no_change(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct err err = { 0 };
    struct shard_row row;
    bool moved = true;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    FAILS(shard_store_get(db, 1, &rows, &row, &err), ERR_NOT_FOUND, NULL);
    FAILS(shard_store_staged_through(db, 1, 1, &err), ERR_NOT_FOUND, NULL);
    FAILS(shard_store_submit_started(db, 1, &err), ERR_NOT_FOUND, NULL);
    FAILS(shard_store_submit_unsent(db, 1, 1, &err), ERR_NOT_FOUND, NULL);
    FAILS(shard_store_manifest(db, 1, 1, 1, &err), ERR_NOT_FOUND, NULL);
    FAILS(shard_store_finish(db, 1, "completed", NULL, &err), ERR_NOT_FOUND, NULL);
    OK(shard_store_move(db, 1, "{planned}", "staging", NULL, &moved, &err));
    CHECK(!moved);
}

static void lists_of_shards(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    AUTO(db_rows_done) struct db_rows page = { 0 };
    AUTO(db_rows_done) struct db_rows running = { 0 };
    struct err err = { 0 };
    struct shard_row row;
    int64_t job = 0;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    job = testdb_job(&t, testdb_prefix(&t, 0), 5, 1);
    testdb_job(&t, testdb_prefix(&t, 0), 5, 1);
    OK(shard_store_list(db, job, 1, 2, &page, &err));
    CHECK_I64(page.count, 2);
    shard_row_read(&page, 0, &row);
    CHECK_I64(row.ordinal, 2);
    CHECK_I64(row.job_id, job);
    testdb_sql(&t,
               "UPDATE shard SET state = 'running', submitted_at = now() - ordinal * interval '1 h'"
               " WHERE job_id = %lld AND ordinal < 3",
               (long long)job);
    OK(shard_store_running(db, 2, &running, &err));
    CHECK_I64(running.count, 2);
    shard_row_read(&running, 0, &row);
    CHECK_I64(row.ordinal, 2); /* the oldest submission */
}

struct ingest_place {
    struct testdb t;
    struct db *db;
    int64_t shard;
};

/* A shard in its first round of ingest. */
static bool ingest_begin(struct ingest_place *p)
{
    struct err err = { 0 };
    bool moved = true;

    if (!testdb_begin(&p->t, true))
        return false;
    p->db = testdb_open(&p->t);
    p->shard = testdb_shard(&p->t, testdb_job(&p->t, testdb_prefix(&p->t, 0), 1, 1), 0);
    OK(shard_store_ingest_reset(p->db, p->shard, &moved, &err));
    CHECK(!moved); /* Bedrock has never had it */
    testdb_sql(&p->t, "UPDATE shard SET state = 'running', bedrock_arn = 'arn'");
    OK(shard_store_ingest_reset(p->db, p->shard, &moved, &err));
    return CHECK(moved);
}

static void ingest_end(struct ingest_place *p)
{
    testdb_close(&p->db);
    testdb_end(&p->t);
}

static const struct span key = SPAN_LIT("out/a b.jsonl.out");

static void files_remember_how_far(void)
{
    AUTO(ingest_end) struct ingest_place p = { 0 };
    struct err err = { 0 };
    struct shard_progress add = { 0 };
    int64_t offset = -1;

    if (!ingest_begin(&p))
        return;
    OK(shard_store_file_open(p.db, p.shard, key, SPAN_LIT("e1"), 1000, &offset, &err));
    CHECK_I64(offset, 0);
    OK(shard_store_file_advance(p.db, p.shard, key, 0, 400, &add, &err));
    OK(shard_store_file_advance(p.db, p.shard, key, 400, 900, &add, &err));
    FAILS(shard_store_file_advance(p.db, p.shard, key, 400, 900, &add, &err), ERR_CANCELLED, "lease_lost");
    FAILS(shard_store_file_advance(p.db, p.shard, SPAN_LIT("x"), 0, 1, &add, &err), ERR_CANCELLED, "lease_lost");
    OK(shard_store_file_open(p.db, p.shard, key, SPAN_LIT("e1"), 1000, &offset, &err));
    CHECK_I64(offset, 900);
    OK(shard_store_file_open(p.db, p.shard, key, SPAN_LIT("e2"), 2000, &offset, &err)); /* another file by now */
    CHECK_I64(offset, 0);
    CHECK_I64(testdb_number(&p.t, "SELECT size_bytes FROM shard_file WHERE etag = 'e2'"), 2000);
    CHECK_I64(testdb_number(&p.t, "SELECT count(*) FROM shard_file"), 1);
}

static void a_round_counts_from_zero(void)
{
    AUTO(ingest_end) struct ingest_place p = { 0 };
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct err err = { 0 };
    struct shard_progress add = { 1, 2, 3, 4, 5, 6, 7 };
    struct shard_row row;
    int64_t offset = -1;
    bool moved = false;

    if (!ingest_begin(&p))
        return;
    OK(shard_store_file_open(p.db, p.shard, key, SPAN_LIT("e1"), 1000, &offset, &err));
    OK(shard_store_file_advance(p.db, p.shard, key, 0, 400, &add, &err));
    OK(shard_store_file_advance(p.db, p.shard, key, 400, 900, &add, &err));
    OK(shard_store_manifest(p.db, p.shard, 111, 222, &err));
    row = get_shard(p.db, p.shard, &rows);
    CHECK_TEXT(row.state, "ingesting");
    CHECK_I64(row.ingest_round, 1);
    CHECK_I64(row.succeeded, 2);
    CHECK_I64(row.failed, 4);
    CHECK_I64(row.unknown_lines, 6);
    CHECK_I64(row.malformed_lines, 8);
    CHECK_I64(row.duplicate_lines, 10);
    CHECK_I64(row.input_tokens, 12);
    CHECK_I64(row.output_tokens, 14);
    CHECK(row.has_manifest);
    CHECK_I64(row.manifest_input_tokens, 111);
    CHECK_I64(row.manifest_output_tokens, 222);
    OK(shard_store_ingest_reset(p.db, p.shard, &moved, &err));
    row = get_shard(p.db, p.shard, &rows);
    CHECK_I64(row.ingest_round, 2);
    CHECK_I64(row.succeeded + row.failed + row.unknown_lines + row.malformed_lines + row.duplicate_lines, 0);
    CHECK_I64(row.input_tokens + row.output_tokens + row.has_manifest, 0);
    CHECK_I64(testdb_number(&p.t, "SELECT count(*) FROM shard_file"), 0);
}

/* Asked video by video: no Bedrock job, no slot, nothing for the watch to follow. */
static void asked_on_demand(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    AUTO(db_rows_done) struct db_rows followed = { 0 };
    struct err err = { 0 };
    struct shard_row row;
    int64_t job, shard;
    bool moved = true;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    job = testdb_job(&t, testdb_prefix(&t, 0), 2, 1);
    shard = testdb_shard(&t, job, 0);
    testdb_sql(&t, "UPDATE shard SET state = 'submitting'; UPDATE shard SET route = 'on_demand' WHERE ordinal = 0");
    OK(shard_store_count_answer(db, shard, true, 1, 1, &err)); /* not running: nothing is counted */
    OK(shard_store_invoke_begin(db, testdb_shard(&t, job, 1), &moved, &err));
    CHECK(!moved);
    OK(shard_store_invoke_begin(db, shard, &moved, &err));
    CHECK(moved);
    OK(shard_store_invoke_begin(db, shard, &moved, &err));
    CHECK(!moved);
    OK(shard_store_move(db, shard, "{running}", "running", "{\"code\": \"x\"}", &moved, &err));
    row = get_shard(db, shard, &rows);
    CHECK(row.error != NULL && row.submitted_ms > 0);
    OK(shard_store_count_answer(db, shard, true, 300, 7, &err));
    OK(shard_store_count_answer(db, shard, false, 0, 0, &err));
    OK(shard_store_count_answer(db, shard, true, 200, 5, &err));
    row = get_shard(db, shard, &rows);
    CHECK_TEXT(row.state, "running");
    CHECK_TEXT(row.route, "on_demand");
    CHECK(!row.error && !row.bedrock_arn);
    CHECK_I64(row.succeeded, 2);
    CHECK_I64(row.failed, 1);
    CHECK_I64(row.input_tokens, 500);
    CHECK_I64(row.output_tokens, 12);
    CHECK_I64(in_flight(db), 0);
    OK(shard_store_running(db, 10, &followed, &err));
    CHECK_I64(followed.count, 0);
    OK(shard_store_ingest_reset(db, shard, &moved, &err));
    CHECK(!moved);
}

static const struct test tests[] = {
    { "a shard goes its way", a_shard_goes_its_way },
    { "Bedrock's view counts while it runs", bedrocks_view_counts_while_it_runs },
    { "no shard, no change", no_shard_no_change },
    { "lists of shards", lists_of_shards },
    { "files remember how far", files_remember_how_far },
    { "a round counts from zero", a_round_counts_from_zero },
    { "asked on demand", asked_on_demand },
};
TEST_MAIN("sql/shard", tests)
