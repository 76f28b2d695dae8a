/* Throttling lowers how much is sent at a time, for all threads, and what is held back comes in the end. */
#include "aws/client_internal.h"
#include "tests/unit/aws/client_fixture.h"

#include "server/base/clock.h"

#include <pthread.h>
#include <stdatomic.h>

/* ---- the arithmetic ---- */

enum step { ENTER, REFUSED, LEAVE, THROTTLED, END };
static const struct {
    const char *name;
    struct {
        enum step what;
        int times;
        int64_t now_ms;  /* GOVERNOR_GROW_MS is 200 */
        int64_t sent_ms; /* THROTTLED ... */
        int crowd;       /* ... among so many */
    } steps[12];
    int want_limit, want_inside;
} cases[] = {
    { "never throttled", { { ENTER, 1000, 0, 0, 0 } }, 0, 1000 },
    { "halved, not for each", { { ENTER, 8, 0, 0, 0 }, { LEAVE, 1, 1, 0, 0 }, { THROTTLED, 5, 2, 1, 8 } }, 4, 7 },
    { "holds back",
      { { ENTER, 8, 0, 0, 0 },
        { LEAVE, 1, 1, 0, 0 },
        { THROTTLED, 1, 2, 1, 8 },
        { REFUSED, 3, 3, 0, 0 },
        { LEAVE, 4, 4, 0, 0 },
        { ENTER, 1, 5, 0, 0 },
        { REFUSED, 1, 6, 0, 0 } },
      4,
      4 },
    { "halved again by what was sent since",
      { { ENTER, 8, 0, 0, 0 },
        { LEAVE, 8, 1, 0, 0 },
        { THROTTLED, 1, 10, 1, 8 },
        { THROTTLED, 1, 20, 11, 4 },
        { THROTTLED, 1, 30, 21, 2 } },
      1,
      0 },
    { "never below one",
      { { ENTER, 1, 0, 0, 0 },
        { LEAVE, 1, 1, 0, 0 },
        { THROTTLED, 1, 2, 1, 1 },
        { THROTTLED, 1, 4, 3, 1 },
        { ENTER, 1, 5, 0, 0 },
        { REFUSED, 1, 6, 0, 0 } },
      1,
      1 },
    { "grows by time",
      { { ENTER, 16, 0, 0, 0 },
        { LEAVE, 16, 1, 0, 0 },
        { ENTER, 15, 2, 0, 0 },
        { THROTTLED, 1, 10, 3, 16 },
        { LEAVE, 15, 11, 0, 0 },
        { ENTER, 8, 209, 0, 0 },
        { REFUSED, 1, 209, 0, 0 },
        { ENTER, 1, 210, 0, 0 },
        { REFUSED, 1, 210, 0, 0 },
        { ENTER, 1, 410, 0, 0 } },
      10,
      10 },
    { "until nothing is held back",
      { { ENTER, 4, 0, 0, 0 }, { LEAVE, 1, 1, 0, 0 }, { THROTTLED, 1, 10, 1, 4 }, { ENTER, 9, 10 + 400, 0, 0 } },
      0,
      12 },
    { "a long silence",
      { { ENTER, 4, 0, 0, 0 }, { LEAVE, 4, 1, 0, 0 }, { THROTTLED, 1, 10, 1, 4 }, { ENTER, 4, INT64_MAX / 2, 0, 0 } },
      0,
      4 },
    { "answers that take longer than it takes to grow",
      { { ENTER, 128, 1, 0, 0 },
        { LEAVE, 128, 301, 0, 0 },
        { THROTTLED, 128, 301, 1, 128 },
        { ENTER, 64, 302, 0, 0 },
        { LEAVE, 64, 602, 0, 0 },
        { THROTTLED, 64, 602, 302, 64 },
        { ENTER, 32, 603, 0, 0 },
        { LEAVE, 32, 903, 0, 0 },
        { THROTTLED, 32, 903, 603, 32 } },
      16,
      0 },
    { "a crowd that has left before the first of it is judged",
      { { ENTER, 64, 1, 0, 0 }, { LEAVE, 64, 2, 0, 0 }, { THROTTLED, 64, 3, 1, 64 } },
      32,
      0 },
    { "half of what was under way, where that is less than the limit",
      { { ENTER, 64, 1, 0, 0 },
        { LEAVE, 64, 2, 0, 0 },
        { THROTTLED, 1, 3, 1, 64 },
        { ENTER, 8, 4, 0, 0 },
        { LEAVE, 8, 5, 0, 0 },
        { THROTTLED, 1, 6, 4, 8 } },
      4,
      0 },
    { "sent before the limit fell, and answered when it is gone",
      { { ENTER, 2, 1, 0, 0 },
        { LEAVE, 1, 2, 0, 0 },
        { THROTTLED, 1, 10, 1, 2 },
        { ENTER, 1, 10 + GOVERNOR_GROW_MS, 0, 0 },
        { LEAVE, 1, 300, 0, 0 },
        { THROTTLED, 1, 300, 1, 2 } },
      0,
      1 },
};

static void test_arithmetic(void)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct governor g;

        test_case("%s", cases[i].name);
        governor_init(&g);
        for (size_t k = 0; k < 12 && cases[i].steps[k].times; k++)
            for (int n = 0; n < cases[i].steps[k].times; n++)
                switch (cases[i].steps[k].what) {
                case ENTER:
                    CHECK(governor_enter(&g, cases[i].steps[k].now_ms));
                    break;
                case REFUSED:
                    CHECK(!governor_enter(&g, cases[i].steps[k].now_ms));
                    break;
                case LEAVE:
                    governor_leave(&g);
                    break;
                case THROTTLED:
                    (void)governor_throttled(&g, cases[i].steps[k].crowd, cases[i].steps[k].sent_ms,
                                             cases[i].steps[k].now_ms);
                    break;
                case END:
                    break;
                }
        CHECK_I64(g.limit, cases[i].want_limit);
        CHECK_I64(g.inside, cases[i].want_inside);
        governor_done(&g);
    }
    test_case(NULL);
}

/* ---- the client ---- */

struct batch {
    struct fixture *f;
    int left, well, badly;
};

static bool next(void *arg, struct aws_request *rq, void **item)
{
    struct batch *b = arg;

    if (!b->left)
        return false;
    b->left--;
    *rq = get_object("/k");
    *item = b;
    return true;
}

static bool done(void *arg, void *item, const struct aws_response *rs, const struct err *call_err, struct err *err)
{
    struct batch *b = arg;

    (void)item, (void)rs, (void)err;
    *(call_err ? &b->badly : &b->well) += 1;
    return true;
}

/* A place is given back whatever becomes of an attempt, and one place is enough for all ways to call at once: a stream
 * that nobody reads on, a call in the background, and one that waits for its answer. */
static void test_one_place(void)
{
    static const struct http_answer answers[] = {
        { .status = 503, .body = S3_ERROR("SlowDown") },
        { .status = 200, .body = "0123456789", .repeat = 1 << 18 },
        { .end = HTTP_RESET },
        { .status = 404, .body = S3_ERROR("NoSuchKey") },
        { .status = 200, .body = "x" },
    };
    AUTO(fixture_done) struct fixture f = { 0 };
    AUTO(aws_response_done) struct aws_response head = { 0 };
    AUTO(aws_response_done) struct aws_response rs = { 0 };
    struct aws_request rq = get_object("/k");
    struct aws_stream *stream = NULL;
    struct aws_later *later;
    struct governor *g;

    if (!start(&f, answers, 5))
        return;
    g = &f.aws->governors[AWS_S3];
    CHECK(aws_stream_open(f.client, &rq, &head, &stream, &f.err));
    CHECK_I64(g->inside, 0);
    g->most = 1000; /* it may not grow out of this in the time of this test */
    g->limit = 1;
    g->grown_ms = clock_mono_ms() + 100000;
    later = aws_later_begin(f.client, &rq, &rs, &f.err);
    CHECK_I64(g->inside, 1);
    CHECK(!call(&f, &rq)); /* the background's attempt is reset, and it waits to be asked */
    CHECK_I64(f.err.kind, ERR_NOT_FOUND);
    f.err = (struct err){ 0 };
    CHECK(later && aws_later_end(later, &f.err));
    CHECK_I64(g->inside, 0);
    aws_stream_close(stream);
    CHECK_I64(http_script_most_at_once(f.script), 1); /* an answer that has begun waits no more */
}

/* Half the calls at first fail: 24 at a time become fewer, and all calls end well. */
static void test_throttled_crowd(void)
{
    struct http_answer answers[65];
    AUTO(fixture_done) struct fixture f = { 0 };
    struct batch b = { .left = 200 };
    const struct aws_many many = { .next = next, .done = done, .arg = &b, .concurrency = 24 };

    for (size_t i = 0; i < 65; i++)
        answers[i] = i % 2 == 0 && i < 64 ? (struct http_answer){ .status = 503, .body = S3_ERROR("SlowDown") }
                                          : (struct http_answer){ .status = 200, .body = "x" };
    if (!start_with(&f, answers, 65, (struct aws_options){ .max_attempts = 20 }))
        return;
    CHECK(aws_call_many(f.client, &many, &f.err));
    CHECK_I64(b.well, 200);
    CHECK_I64(b.badly, 0);
    CHECK_I64(f.aws->governors[AWS_S3].inside, 0);
    CHECK(f.aws->governors[AWS_S3].limit > 0 && f.aws->governors[AWS_S3].limit < 24);
    CHECK_I64(f.aws->governors[AWS_BEDROCK].limit, 0); /* each endpoint for itself */
}

static void *release_all(void *arg)
{
    const struct timespec pause = { .tv_nsec = 1000 * 1000 };

    for (int i = 0; i < 20000 && http_script_count(arg) < 64; i++)
        nanosleep(&pause, NULL);
    http_script_release(arg);
    return NULL;
}

/* All that are under way are refused in one go, and have left before the first of them is judged. */
static void test_refused_in_one_go(void)
{
    static const struct http_answer answers[] = { { .status = 503, .body = S3_ERROR("SlowDown"), .is_held = true } };
    AUTO(fixture_done) struct fixture f = { 0 };
    struct batch b = { .left = 64 };
    const struct aws_many many = { .next = next, .done = done, .arg = &b, .concurrency = 64 };
    pthread_t thread;
    int limit;

    if (!start_with(&f, answers, 1, (struct aws_options){ .max_attempts = 1 }))
        return;
    CHECK(pthread_create(&thread, NULL, release_all, f.script) == 0);
    CHECK(aws_call_many(f.client, &many, &f.err));
    pthread_join(thread, NULL);
    CHECK_I64(b.badly, 64);
    limit = f.aws->governors[AWS_S3].limit;
    CHECK(limit >= 32 && limit < 48); /* half of them, and a little more on a slow machine */
    CHECK_I64(f.aws->governors[AWS_S3].inside, 0);
}

static bool stop_at_once(void *arg)
{
    return atomic_load((atomic_bool *)arg);
}

static void *stop_soon(void *arg)
{
    const struct timespec pause = { .tv_nsec = 30 * 1000 * 1000 };

    nanosleep(&pause, NULL);
    atomic_store((atomic_bool *)arg, true);
    return NULL;
}

/* Who waits for a place does not wait for it when the service stops. */
static void test_stopping(void)
{
    static const struct http_answer answers[] = { { .status = 200 } };
    AUTO(fixture_done) struct fixture f = { 0 };
    struct aws_request rq = get_object("/k");
    atomic_bool is_stopping = false;
    pthread_t thread;

    if (!start_with(&f, answers, 1,
                    (struct aws_options){ .is_stopping = stop_at_once, .is_stopping_arg = &is_stopping }))
        return;
    f.aws->governors[AWS_S3].limit = f.aws->governors[AWS_S3].inside = 1;
    f.aws->governors[AWS_S3].grown_ms = clock_mono_ms() + 100000;
    CHECK(pthread_create(&thread, NULL, stop_soon, &is_stopping) == 0);
    CHECK(!call(&f, &rq));
    CHECK_I64(f.err.kind, ERR_CANCELLED);
    CHECK_I64(http_script_count(f.script), 0);
    pthread_join(thread, NULL);
}

/* An attempt that cannot be sent holds no place, though nobody has asked yet what became of it. */
static void test_failed_start(void)
{
    static const struct http_answer answers[] = { { .status = 200 } };
    AUTO(fixture_done) struct fixture f = { 0 };
    AUTO(aws_response_done) struct aws_response rs = { 0 };
    const struct aws_request rq = get_object("/k");
    struct aws_later *later;

    if (!start(&f, answers, 1))
        return;
    aws_client_until(f.client, 1);
    later = aws_later_begin(f.client, &rq, &rs, &f.err);
    CHECK_I64(f.aws->governors[AWS_S3].inside, 0);
    CHECK(later && !aws_later_end(later, &f.err));
    CHECK_I64(f.err.kind, ERR_CANCELLED);
    CHECK_I64(http_script_count(f.script), 0);
}

struct hammering {
    struct governor *g;
    atomic_int inside, most;
};

static void *hammer(void *arg)
{
    struct hammering *h = arg;

    for (int i = 0; i < 5000; i++) {
        int now;

        if (!governor_enter(h->g, 1))
            continue;
        now = atomic_fetch_add(&h->inside, 1) + 1;
        for (int most = atomic_load(&h->most); now > most && !atomic_compare_exchange_weak(&h->most, &most, now);)
            ;
        atomic_fetch_sub(&h->inside, 1);
        governor_leave(h->g);
    }
    return NULL;
}

static void test_threads(void)
{
    struct governor g;
    struct hammering h = { .g = &g };
    pthread_t threads[6];

    governor_init(&g);
    g.limit = 2;
    g.most = 100;
    for (int i = 0; i < 6; i++)
        CHECK(pthread_create(&threads[i], NULL, hammer, &h) == 0);
    for (int i = 0; i < 6; i++)
        pthread_join(threads[i], NULL);
    CHECK(atomic_load(&h.most) >= 1 && atomic_load(&h.most) <= 2);
    CHECK_I64(g.inside, 0);
    governor_done(&g);
}

static const struct test tests[] = {
    { "arithmetic", test_arithmetic },
    { "one_place", test_one_place },
    { "throttled_crowd", test_throttled_crowd },
    { "refused_in_one_go", test_refused_in_one_go },
    { "stopping", test_stopping },
    { "failed_start", test_failed_start },
    { "threads", test_threads },
};
TEST_MAIN("client_governor", tests)
