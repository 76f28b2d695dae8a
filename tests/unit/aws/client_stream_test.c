/* Streamed answers, many calls at a time, and stopping, against a scripted server. */
#include "tests/unit/aws/client_fixture.h"

#include "server/base/clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

static atomic_bool stopping;

static bool is_stopping(void *arg)
{
    (void)arg;
    return atomic_load(&stopping);
}

static bool start_stoppable(struct fixture *f, const struct http_answer *answers, size_t count)
{
    atomic_store(&stopping, false);
    return start_with(f, answers, count, (struct aws_options){ .is_stopping = is_stopping });
}

/* ---- streams ---- */

/* Reads to the end; false when the stream fails. */
static bool drain(struct aws_stream *stream, size_t *total, struct err *err)
{
    for (;;) {
        struct span piece;

        if (!aws_stream_read(stream, &piece, err))
            return false;
        if (!piece.len)
            return true;
        *total += piece.len;
    }
}

static void test_whole_stream(void)
{
    static const struct http_answer answers[] = {
        { .status = 503, .body = "<Error><Code>SlowDown</Code></Error>" },
        { .status = 206, .headers = "ETag: \"e\"\r\n", .body = "0123456789abcdef", .repeat = 1 << 18 },
    };
    AUTO(fixture_done) struct fixture f = { 0 };
    struct aws_request rq = get_object("/k");
    struct aws_stream *stream = NULL;
    struct span piece = { 0 };
    size_t total = 0;

    if (!start_stoppable(&f, answers, 2) || !CHECK(aws_stream_open(f.client, &rq, &f.rs, &stream, &f.err)))
        return;
    CHECK_I64(f.rs.status, 206);
    CHECK_TEXT(f.rs.etag, "\"e\"");
    CHECK_I64(f.rs.content_length, 16 << 18);
    CHECK(aws_stream_read(stream, &piece, &f.err) && piece.len >= 16);
    CHECK(piece.len >= 16 && !memcmp(piece.ptr, "0123456789abcdef", 16));
    total = piece.len;
    CHECK(drain(stream, &total, &f.err));
    CHECK_I64(total, 16 << 18);
    CHECK(drain(stream, &total, &f.err)); /* the end stays the end */
    aws_stream_close(stream);
    CHECK_I64(http_script_count(f.script), 2);
}

static void test_cut_stream(void)
{
    static const struct http_answer answers[] = {
        { .status = 200, .body = "0123456789", .repeat = 1000, .cut_after = 5000, .end = HTTP_CLOSE },
        { .status = 200, .body = "0123456789", .repeat = 1000, .cut_after = 5000, .end = HTTP_RESET },
    };
    AUTO(fixture_done) struct fixture f = { 0 };
    struct aws_request rq = get_object("/k");

    if (!start_stoppable(&f, answers, 2))
        return;
    for (int i = 0; i < 2; i++) {
        struct aws_stream *stream = NULL;
        size_t total = 0;

        f.err = (struct err){ 0 };
        if (!CHECK(aws_stream_open(f.client, &rq, &f.rs, &stream, &f.err)))
            return;
        CHECK(!drain(stream, &total, &f.err));
        CHECK_I64(f.err.kind, ERR_UPSTREAM);
        CHECK(f.err.retryable);
        CHECK(total <= 5000);
        aws_stream_close(stream);
    }
    CHECK_I64(http_script_count(f.script), 2); /* the body is one attempt */
}

static void test_refused_and_empty_stream(void)
{
    static const struct http_answer answers[] = {
        { .status = 404, .body = "<Error><Code>NoSuchKey</Code></Error>" },
        { .status = 200, .headers = "x-amz-request-id: R\r\n" },
    };
    AUTO(fixture_done) struct fixture f = { 0 };
    struct aws_request rq = get_object("/k");
    struct aws_stream *stream = NULL;
    struct span piece = { "x", 1 };

    if (!start_stoppable(&f, answers, 2))
        return;
    CHECK(!aws_stream_open(f.client, &rq, &f.rs, &stream, &f.err));
    CHECK(stream == NULL);
    CHECK_I64(f.rs.status, 404);
    CHECK_I64(f.err.kind, ERR_NOT_FOUND);
    f.err = (struct err){ 0 };
    if (!CHECK(aws_stream_open(f.client, &rq, &f.rs, &stream, &f.err)))
        return;
    CHECK(aws_stream_read(stream, &piece, &f.err));
    CHECK_I64(piece.len, 0);
    aws_stream_close(stream);
}

/* A reader that stops reading, while other calls go on with the same client, must not make us take the whole body. */
static void test_back_pressure(void)
{
    const size_t whole = (size_t)64 << 20;
    static char chunk[65537];
    const struct http_answer answers[] = { { .status = 200, .body = chunk, .repeat = 1024 }, { .status = 200 } };
    AUTO(fixture_done) struct fixture f = { 0 };
    struct aws_request rq = get_object("/k");
    struct aws_stream *stream = NULL;
    struct span piece = { 0 };
    size_t total, before;

    memset(chunk, 'x', sizeof(chunk) - 1);
    if (!start_stoppable(&f, answers, 2) || !CHECK(aws_stream_open(f.client, &rq, &f.rs, &stream, &f.err)))
        return;
    CHECK(aws_stream_read(stream, &piece, &f.err));
    CHECK(piece.len > 0 && piece.len <= 768 * 1024);
    total = piece.len;
    /* Until nothing more leaves the server: then libcurl has paused and the sockets are full. */
    do {
        before = http_script_sent(f.script);
        for (int i = 0; i < 50; i++) {
            struct aws_response rs;

            CHECK(aws_call(f.client, &rq, &rs, &f.err));
            aws_response_done(&rs);
        }
    } while (http_script_sent(f.script) != before);
    CHECK(before < whole / 2);
    CHECK(piece.ptr[0] == 'x' && piece.ptr[piece.len - 1] == 'x'); /* still ours */
    CHECK(drain(stream, &total, &f.err));
    CHECK_I64(total, whole);
    aws_stream_close(stream);
}

static void test_close_early(void)
{
    static const struct http_answer answers[] = {
        { .status = 200, .body = "0123456789abcdef", .repeat = 1 << 20 },
        { .status = 200, .body = "ok" },
    };
    AUTO(fixture_done) struct fixture f = { 0 };
    struct aws_request rq = get_object("/k");
    struct aws_stream *stream = NULL;
    struct span piece;

    if (!start_stoppable(&f, answers, 2) || !CHECK(aws_stream_open(f.client, &rq, &f.rs, &stream, &f.err)))
        return;
    CHECK(aws_stream_read(stream, &piece, &f.err));
    aws_stream_close(stream);
    CHECK(aws_call(f.client, &rq, &f.rs, &f.err));
    CHECK_TEXT(buf_cstr(&f.rs.body), "ok");
}

/* ---- many at a time ---- */

enum { ITEMS = 60 };
struct items {
    int taken, good, bad, cancelled;
    int seen[ITEMS];
    int stop_after; /* done returns false at this count; 0: never */
    struct http_script *script;
    char paths[ITEMS][16];
};

static bool next_item(void *arg, struct aws_request *rq, void **item)
{
    struct items *all = arg;

    if (all->taken == ITEMS)
        return false;
    snprintf(all->paths[all->taken], sizeof(all->paths[0]), "/%d", all->taken);
    *rq = get_object("/k");
    rq->path = span_of(all->paths[all->taken]);
    *item = &all->seen[all->taken++];
    return true;
}

static bool done_item(void *arg, void *item, const struct aws_response *rs, const struct err *call_err, struct err *err)
{
    struct items *all = arg;

    ++*(int *)item;
    if (!call_err)
        all->good += rs->status == 200 && !strcmp(buf_cstr(&rs->body), "body");
    else if (call_err->kind == ERR_CANCELLED)
        all->cancelled++;
    else
        all->bad++;
    if (!all->stop_after || all->good + all->bad != all->stop_after)
        return true;
    return err_set(err, ERR_DATABASE, false, HERE, "the caller has had enough");
}

static void check_each_once(const struct items *all)
{
    for (int i = 0; i < ITEMS; i++)
        if (all->seen[i] != (i < all->taken))
            CHECK_I64(all->seen[i], i < all->taken);
}

/* Lets the server answer only when so many requests have arrived: proof that they are on their way together. */
static void *release_at_eight(void *arg)
{
    struct http_script *script = arg;

    while (http_script_count(script) < 8)
        usleep(1000);
    http_script_release(script);
    return NULL;
}

static void test_many(void)
{
    static const struct http_answer answers[] = {
        { .status = 200, .body = "body", .is_held = true },
        { .status = 503, .body = "<Error><Code>SlowDown</Code></Error>", .is_held = true },
        { .end = HTTP_RESET, .is_held = true },
        { .status = 404, .is_held = true },
        { .status = 200, .body = "body", .is_held = true },
    };
    AUTO(fixture_done) struct fixture f = { 0 };
    struct items all = { 0 };
    struct aws_many many = { .next = next_item, .done = done_item, .arg = &all, .concurrency = 8 };
    pthread_t releaser;

    if (!start_stoppable(&f, answers, 5))
        return;
    CHECK(pthread_create(&releaser, NULL, release_at_eight, f.script) == 0);
    CHECK(aws_call_many(f.client, &many, &f.err));
    pthread_join(releaser, NULL);
    CHECK_I64(all.taken, ITEMS);
    CHECK_I64(all.good, ITEMS - 1);
    CHECK_I64(all.bad, 1);
    check_each_once(&all);
    CHECK_I64(http_script_most_at_once(f.script), 8);
    CHECK_I64(http_script_count(f.script), ITEMS + 2);
}

static void test_many_ended_by_caller(void)
{
    static const struct http_answer answers[] = { { .status = 200, .body = "body" } };
    AUTO(fixture_done) struct fixture f = { 0 };
    struct items all = { .stop_after = 20 };
    struct aws_many many = { .next = next_item, .done = done_item, .arg = &all, .concurrency = 4 };

    CHECK(start_stoppable(&f, answers, 1) && !aws_call_many(f.client, &many, &f.err));
    CHECK_I64(f.err.kind, ERR_DATABASE);
    CHECK(all.taken >= 20 && all.taken < 20 + 4);
    CHECK_I64(all.good, all.taken);
    check_each_once(&all);
}

/* Two items at first, then one whenever all before it are done, as a caller that follows pages would. */
static bool next_link(void *arg, struct aws_request *rq, void **item)
{
    struct items *all = arg;

    return (all->taken < 2 || all->taken == all->good) && all->taken < 6 && next_item(arg, rq, item);
}

static void test_many_in_a_chain(void)
{
    static const struct http_answer answers[] = { { .status = 200, .body = "body" } };
    AUTO(fixture_done) struct fixture f = { 0 };
    struct items all = { 0 };
    struct aws_many many = { .next = next_link, .done = done_item, .arg = &all, .concurrency = 3 };

    CHECK(start_stoppable(&f, answers, 1) && aws_call_many(f.client, &many, &f.err));
    CHECK_I64(all.good, 6);
    check_each_once(&all);
}

/* ---- stopping ---- */

static void *stop_at_first(void *arg)
{
    struct http_script *script = arg;

    while (!http_script_count(script))
        usleep(1000);
    atomic_store(&stopping, true);
    return NULL;
}

static void test_stop_while_waiting_for_answer(void)
{
    static const struct http_answer answers[] = { { .status = 200, .is_held = true } };
    AUTO(fixture_done) struct fixture f = { 0 };
    struct aws_request rq = get_object("/k");
    struct items all = { 0 };
    struct aws_many many = { .next = next_item, .done = done_item, .arg = &all, .concurrency = 4 };
    pthread_t stopper;

    if (!start_stoppable(&f, answers, 1))
        return;
    CHECK(pthread_create(&stopper, NULL, stop_at_first, f.script) == 0);
    CHECK(!aws_call(f.client, &rq, &f.rs, &f.err));
    pthread_join(stopper, NULL);
    CHECK_I64(f.err.kind, ERR_CANCELLED);

    atomic_store(&stopping, false);
    f.err = (struct err){ 0 };
    CHECK(pthread_create(&stopper, NULL, stop_at_first, f.script) == 0);
    CHECK(!aws_call_many(f.client, &many, &f.err));
    pthread_join(stopper, NULL);
    CHECK_I64(f.err.kind, ERR_CANCELLED);
    CHECK_I64(all.cancelled, all.taken);
    check_each_once(&all);
}

static void test_stop_between_attempts(void)
{
    static const struct http_answer answers[] = {
        { .status = 503, .headers = "x-amz-retry-after: 4000\r\n", .body = "<Error><Code>SlowDown</Code></Error>" },
    };
    AUTO(fixture_done) struct fixture f = { 0 };
    struct aws_request rq = get_object("/k");
    pthread_t stopper;
    int64_t began_ms = clock_mono_ms();

    if (!start_stoppable(&f, answers, 1))
        return;
    CHECK(pthread_create(&stopper, NULL, stop_at_first, f.script) == 0);
    CHECK(!aws_call(f.client, &rq, &f.rs, &f.err));
    pthread_join(stopper, NULL);
    CHECK_I64(f.err.kind, ERR_CANCELLED);
    CHECK_I64(http_script_count(f.script), 1);
    CHECK(clock_mono_ms() - began_ms < 4000);
}

static void test_stop_while_streaming(void)
{
    static const struct http_answer answers[] = { { .status = 200, .body = "some", .announced = 1000 } };
    AUTO(fixture_done) struct fixture f = { 0 };
    struct aws_request rq = get_object("/k");
    struct aws_stream *stream = NULL;
    size_t total = 0;

    if (!start_stoppable(&f, answers, 1) || !CHECK(aws_stream_open(f.client, &rq, &f.rs, &stream, &f.err)))
        return;
    atomic_store(&stopping, true);
    CHECK(!drain(stream, &total, &f.err));
    CHECK_I64(f.err.kind, ERR_CANCELLED);
    aws_stream_close(stream);
}

static const struct test tests[] = {
    { "whole_stream", test_whole_stream },
    { "cut_stream", test_cut_stream },
    { "refused_and_empty_stream", test_refused_and_empty_stream },
    { "back_pressure", test_back_pressure },
    { "close_early", test_close_early },
    { "many", test_many },
    { "many_in_a_chain", test_many_in_a_chain },
    { "many_ended_by_caller", test_many_ended_by_caller },
    { "stop_while_waiting_for_answer", test_stop_while_waiting_for_answer },
    { "stop_between_attempts", test_stop_between_attempts },
    { "stop_while_streaming", test_stop_while_streaming },
};
TEST_MAIN("client_stream", tests)
