/* Prefixes: places, changes, scans' bookkeeping, deletion; and the remembered answers to POSTs. */
#include "sql/idempotency_store.h"
#include "sql/job_store.h"
#include "sql/prefix_store.h"
#include "sql/task_store.h"
#include "sql/video_store.h"
#include "tests/integration/sql/testdb.h"
#include "tests/support/test.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static const struct prefix_new example = { .bucket = SPAN_LIT("bucket"),
                                           .key_prefix = SPAN_LIT("videos/"),
                                           .name = SPAN_LIT("Videos"),
                                           .bucket_owner = SPAN_LIT("123456789012"),
                                           .region = SPAN_LIT("eu-west-1"),
                                           .suffixes = SPAN_LIT("[\".mp4\"]") };

static bool delete_prefix(struct db *db, void *arg, struct err *err)
{
    return prefix_store_delete(db, *(int64_t *)arg, err);
}

static int64_t sweep(struct db *db, int64_t prefix, int64_t limit)
{
    struct err err = { 0 };
    int64_t removed = -1;

    OK(prefix_store_sweep(db, prefix, limit, &removed, &err));
    return removed;
}

static void a_place_is_registered_once(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };
    int64_t first = 0;
    int64_t again = 0;
    bool exists = true;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    OK(prefix_store_create(db, &example, &first, &exists, &err));
    CHECK(!exists);
    OK(prefix_store_create(db, &example, &again, &exists, &err));
    CHECK(exists);
    CHECK_I64(again, first);
    OK(db_transaction(db, delete_prefix, &first, &err));
    OK(prefix_store_create(db, &example, &again, &exists, &err)); /* a deleted one is in nobody's way */
    CHECK(!exists && again != first);
}

static void changes_what_is_given(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    AUTO(db_rows_done) struct db_rows after = { 0 };
    struct err err = { 0 };
    struct span none = { 0 };
    struct prefix_row row;
    int64_t id = 0;
    bool exists = false;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    OK(prefix_store_create(db, &example, &id, &exists, &err));
    OK(prefix_store_update(db, id, SPAN_LIT("New name"), none, false, none, &err));
    OK(prefix_store_get(db, id, &rows, &row, &err));
    CHECK_TEXT(row.name, "New name");
    CHECK_TEXT(row.bucket_owner, "123456789012");
    CHECK_TEXT(row.suffixes, "[\".mp4\"]");
    CHECK_TEXT(row.region, "eu-west-1");
    CHECK_I64(row.version, 2);
    OK(prefix_store_update(db, id, none, none, true, SPAN_LIT("[]"), &err));
    OK(prefix_store_get(db, id, &after, &row, &err));
    CHECK_TEXT(row.name, "New name");
    CHECK(!row.bucket_owner);
    CHECK_TEXT(row.suffixes, "[]");
    FAILS(prefix_store_update(db, id + 1, none, none, true, none, &err), ERR_NOT_FOUND, NULL);
}

static void pages(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };
    int64_t ids[5];
    int64_t after = 0;
    int seen = 0;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    for (int i = 0; i < 5; i++)
        ids[i] = testdb_prefix(&t, 0);
    testdb_sql(&t, "UPDATE prefix SET deleted_at = now() WHERE id = %lld", (long long)ids[2]);
    for (bool more = true; more;) {
        AUTO(db_rows_done) struct db_rows rows = { 0 };

        if (!OK(prefix_store_list(db, after, NULL, 2, &rows, &err)))
            return;
        for (int i = 0; i < rows.count; i++, seen++) {
            struct prefix_row row;
            prefix_row_read(&rows, i, &row);
            CHECK_I64(row.id, ids[seen < 2 ? seen : seen + 1]);
            after = row.id;
        }
        more = rows.count == 2;
    }
    CHECK_I64(seen, 4);
}

static struct prefix_row reread(struct db *db, int64_t id, struct db_rows *rows)
{
    struct err err = { 0 };
    struct prefix_row row = { 0 };

    db_rows_done(rows);
    OK(prefix_store_get(db, id, rows, &row, &err));
    return row;
}

struct ending {
    int64_t id;
    struct prefix_scan_counts counts;
    const char *error; /* NULL: it finishes */
};

static bool end_scan(struct db *db, void *arg, struct err *err)
{
    const struct ending *end = arg;

    return end->error ? prefix_store_scan_failed(db, end->id, end->counts.listed, end->error, err)
                      : prefix_store_scan_finished(db, end->id, &end->counts, err);
}

/* One that was asked for while another ran is due when that ends, however it ends. */
static void a_scan_asked_for_meanwhile(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct ending end = { 0 };
    struct err err = { 0 };
    struct task task;
    bool found = false;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    end.id = testdb_prefix(&t, 1);
    for (int again = 0; again < 2; again++)
        for (int failed = 0; failed < 2; failed++) {
            test_case("asked again: %d, failed: %d", again, failed);
            end.error = failed ? "{}" : NULL;
            OK(task_store_add(db, "scan", end.id, 0, &err));
            OK(task_store_claim(db, "{scan}", "w", 60000, &task, &found, &err));
            OK(prefix_store_scan_started(db, end.id, &err));
            if (again) {
                OK(prefix_store_scan_queued(db, end.id, &err));
                OK(task_store_add(db, "scan", end.id, 0, &err));
            }
            OK(db_transaction(db, end_scan, &end, &err));
            OK(task_store_done(db, &task, &err));
            CHECK_TEXT(reread(db, end.id, &rows).scan_state, again ? "queued" : failed ? "failed" : "done");
            CHECK_I64(testdb_number(&t, "SELECT count(*) FROM task WHERE kind = 'scan' AND state = 'ready'"), again);
        }
    test_case(NULL);
}

static void keeps_the_books_of_a_scan(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct err err = { 0 };
    struct prefix_row row;
    int64_t id = 0;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    id = testdb_prefix(&t, 10);
    testdb_sql(&t, "UPDATE video SET reason = 'too_large' WHERE size_bytes <= 3;"
                   "UPDATE video SET vanished_at = now() WHERE size_bytes = 10");
    OK(prefix_store_scan_started(db, id, &err));
    OK(prefix_store_scan_progress(db, id, 1000, &err));
    OK(prefix_store_scan_queued(db, id, &err)); /* asked for again: it still runs */
    row = reread(db, id, &rows);
    CHECK_TEXT(row.scan_state, "running");
    CHECK_I64(row.scan_listed, 1000);
    CHECK(row.scan_started_ms > 0 && row.scan_finished_ms == 0);
    OK(db_transaction(db, end_scan, &(struct ending){ id, { 1234, 9, 6, 45 }, NULL }, &err));
    row = reread(db, id, &rows);
    CHECK_TEXT(row.scan_state, "done");
    CHECK_I64(row.scan_listed, 1234);
    CHECK_I64(row.video_count, 9);
    CHECK_I64(row.eligible_count, 6);
    CHECK_I64(row.total_bytes, 45);
    CHECK(row.scan_finished_ms >= row.scan_started_ms);
    CHECK(!row.scan_error);
    OK(prefix_store_scan_queued(db, id, &err));
    CHECK_TEXT(reread(db, id, &rows).scan_state, "queued");
    OK(db_transaction(db, end_scan, &(struct ending){ id, { .listed = 7 }, "{\"code\": \"no_bucket\"}" }, &err));
    row = reread(db, id, &rows);
    CHECK_TEXT(row.scan_state, "failed");
    CHECK_TEXT(row.scan_error, "{\"code\": \"no_bucket\"}");
    CHECK_I64(row.video_count, 9);
    FAILS(prefix_store_scan_queued(db, 1, &err), ERR_NOT_FOUND, NULL);
    FAILS(prefix_store_scan_started(db, 1, &err), ERR_NOT_FOUND, NULL);
    FAILS(prefix_store_scan_progress(db, 1, 1, &err), ERR_NOT_FOUND, NULL);
    FAILS(db_transaction(db, end_scan, &(struct ending){ .id = 1 }, &err), ERR_NOT_FOUND, NULL);
    FAILS(db_transaction(db, end_scan, &(struct ending){ .id = 1, .error = "{}" }, &err), ERR_NOT_FOUND, NULL);
    FAILS(prefix_store_scan_finished(db, id, &(struct prefix_scan_counts){ 0 }, &err), ERR_INTERNAL, NULL);
    FAILS(prefix_store_scan_failed(db, id, 0, "{}", &err), ERR_INTERNAL, NULL);
}

static void deletion_hides_and_keeps_what_was_paid_for(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    AUTO(db_rows_done) struct db_rows video_rows = { 0 };
    struct err err = { 0 };
    struct prefix_row row;
    struct video_row video;
    int64_t id = 0;
    int64_t other = 0;
    int64_t job = 0;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    id = testdb_prefix(&t, 5);
    other = testdb_prefix(&t, 5);
    job = testdb_planned_job(&t, id, 1, 1);
    testdb_sql(&t, "DELETE FROM record WHERE video_id IN (SELECT id FROM video WHERE size_bytes > 2)");
    FAILS(prefix_store_delete(db, id, &err), ERR_INTERNAL, NULL);
    FAILS(db_transaction(db, delete_prefix, &id, &err), ERR_CONFLICT, "prefix_in_use");
    OK(prefix_store_get(db, id, &rows, &row, &err));
    db_rows_done(&rows);
    testdb_sql(&t, "UPDATE job SET state = 'completed'");
    OK(db_transaction(db, delete_prefix, &id, &err));
    FAILS(prefix_store_get(db, id, &rows, &row, &err), ERR_NOT_FOUND, NULL);
    CHECK(!rows.result);
    FAILS(db_transaction(db, delete_prefix, &id, &err), ERR_NOT_FOUND, NULL);
    OK(prefix_store_get_any(db, id, &rows, &row, &err));
    CHECK(row.deleted);
    CHECK_I64(testdb_number(&t, "SELECT count(*) FROM video WHERE prefix_id = %lld", (long long)id), 5);
    testdb_sql(&t, "INSERT INTO video_media (video_id, etag, checked_at) SELECT id, etag, now() FROM video");
    CHECK_I64(sweep(db, id, 2), 2);
    CHECK_I64(sweep(db, id, 2), 1);
    CHECK_I64(sweep(db, id, 2), 0);
    CHECK_I64(sweep(db, other, 2), 0); /* which is not deleted */
    CHECK_I64(testdb_number(&t, "SELECT count(*) FROM video WHERE prefix_id = %lld", (long long)id), 2);
    CHECK_I64(testdb_number(&t, "SELECT count(*) FROM video WHERE prefix_id = %lld", (long long)other), 5);
    CHECK_I64(testdb_number(&t, "SELECT count(*) FROM video_media"), 7); /* of those that are left */
    OK(video_store_get(db, testdb_number(&t, "SELECT min(id) FROM video WHERE prefix_id = %lld", (long long)id),
                       &video_rows, &video, &err));
    CHECK_TEXT(video.bucket, "bucket");
    CHECK(job > 0);
}

struct rival {
    struct testdb *t;
    int64_t prefix;
    pthread_t thread;
    struct err err;
    bool ok;
};

static void *delete_it(void *arg)
{
    struct rival *rival = arg;
    AUTO(testdb_close)
    struct db *db = testdb_open_with(rival->t, (struct db_options){ .application_name = "deleter" });

    rival->ok = db_transaction(db, delete_prefix, &rival->prefix, &rival->err);
    return NULL;
}

static bool create_job_while_it_is_deleted(struct db *db, void *arg, struct err *err)
{
    struct rival *rival = arg;
    struct job_new in = { .prefix_id = rival->prefix,
                          .name = SPAN_LIT("n"),
                          .model_id = SPAN_LIT("m"),
                          .prompt = SPAN_LIT("p"),
                          .select_mode = "all",
                          .staging = "copy" };
    int64_t id = 0;

    if (!job_store_create(db, &in, &id, err))
        return false;
    pthread_create(&rival->thread, NULL, delete_it, rival);
    testdb_await_lock(rival->t, "deleter");
    return true;
}

static void a_job_and_a_deletion_cannot_cross(void)
{
    struct rival rival;
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    struct err err = { 0 };
    struct job_new in = { .name = SPAN_LIT("n"),
                          .model_id = SPAN_LIT("m"),
                          .prompt = SPAN_LIT("p"),
                          .select_mode = "all",
                          .staging = "copy" };
    int64_t id = 0;

    if (!testdb_begin(&t, true))
        return;
    db = testdb_open(&t);
    rival = (struct rival){ .t = &t, .prefix = testdb_prefix(&t, 1) };
    OK(db_transaction(db, create_job_while_it_is_deleted, &rival, &err));
    pthread_join(rival.thread, NULL);
    testdb_fails(rival.ok, &rival.err, ERR_CONFLICT, "prefix_in_use", TEST_HERE);
    testdb_sql(&t, "UPDATE job SET state = 'failed'");
    OK(db_transaction(db, delete_prefix, &rival.prefix, &err));
    in.prefix_id = rival.prefix;
    FAILS(job_store_create(db, &in, &id, &err), ERR_NOT_FOUND, NULL);
}

static const unsigned char body_a[32] = { 1 };
static const unsigned char body_b[32] = { 2 };

struct post {
    struct testdb *t;
    pthread_barrier_t *start;
    struct err err;
    bool ok, found, same;
    int status;
    const unsigned char *hash;
};

static bool post(struct db *db, void *arg, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct post *post = arg;
    struct idempotency_answer answer = { 0 };

    if (!idempotency_store_find(db, "POST /v1/jobs", SPAN_LIT("key 'x'"), post->hash, &rows, &answer, &post->found,
                                err))
        return false;
    if (post->found) {
        post->status = answer.status;
        post->same = answer.same_body;
        CHECK_TEXT(answer.body, "{\"id\": 1}");
        CHECK_TEXT(answer.location, "/v1/jobs/1");
        return true;
    }
    testdb_await_lock(post->t, "post"); /* the other one stands at the lock, and must find what we write */
    return idempotency_store_put(db, "POST /v1/jobs", SPAN_LIT("key 'x'"), post->hash, 202, "/v1/jobs/1",
                                 SPAN_LIT("{\"id\": 1}"), err);
}

static void *run_post(void *arg)
{
    struct post *p = arg;
    AUTO(testdb_close) struct db *db = testdb_open_with(p->t, (struct db_options){ .application_name = "post" });

    p->ok = db_ping(db, &p->err);
    pthread_barrier_wait(p->start);
    p->ok = p->ok && db_transaction(db, post, p, &p->err);
    return NULL;
}

static void of_two_equal_posts_one_creates(void)
{
    AUTO(testdb_end) struct testdb t;
    AUTO(testdb_close) struct db *db = NULL;
    pthread_barrier_t start;
    pthread_t threads[2];
    /* Each uses its own connection to watch the other. */
    struct testdb views[2];
    struct post posts[2] = { 0 };
    struct post other = { .hash = body_b };
    struct err err = { 0 };
    int64_t removed = 0;

    if (!testdb_begin(&t, true))
        return;
    pthread_barrier_init(&start, NULL, 2);
    for (int i = 0; i < 2; i++) {
        views[i] = t;
        views[i].conn = PQconnectdb(t.url);
        posts[i] = (struct post){ .t = &views[i], .start = &start, .hash = body_a };
        pthread_create(&threads[i], NULL, run_post, &posts[i]);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        testdb_ok(posts[i].ok, &posts[i].err, TEST_HERE);
        PQfinish(views[i].conn);
    }
    pthread_barrier_destroy(&start);
    CHECK(posts[0].found != posts[1].found);
    CHECK(posts[posts[0].found ? 0 : 1].same);
    CHECK_I64(posts[posts[0].found ? 0 : 1].status, 202);
    db = testdb_open(&t);
    OK(db_transaction(db, post, &other, &err)); /* another body under the same key */
    CHECK(other.found && !other.same);
    FAILS(idempotency_store_put(db, "POST /v1/jobs", SPAN_LIT("key 'x'"), body_b, 1, NULL, SPAN_LIT(""), &err),
          ERR_CONFLICT, "unique_violation");
    OK(idempotency_store_put(db, "POST /v1/prefixes", SPAN_LIT("key 'x'"), body_b, 1, NULL, SPAN_LIT(""), &err));
    testdb_sql(&t, "UPDATE idempotency SET created_at = now() - interval '1 hour' WHERE status = 1");
    OK(idempotency_store_expire(db, 7200 * 1000, &removed, &err));
    CHECK_I64(removed, 0);
    OK(idempotency_store_expire(db, 1800 * 1000, &removed, &err));
    CHECK_I64(removed, 1);
}

static const struct test tests[] = {
    { "a place is registered once", a_place_is_registered_once },
    { "changes what is given", changes_what_is_given },
    { "pages", pages },
    { "keeps the books of a scan", keeps_the_books_of_a_scan },
    { "a scan asked for meanwhile", a_scan_asked_for_meanwhile },
    { "deletion hides, and keeps what was paid for", deletion_hides_and_keeps_what_was_paid_for },
    { "a job and a deletion cannot cross", a_job_and_a_deletion_cannot_cross },
    { "of two equal POSTs one creates", of_two_equal_posts_one_creates },
};
TEST_MAIN("sql/prefix", tests)
