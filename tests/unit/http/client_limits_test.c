/* Every limit on what one client may take is reached, answered as it should be, and given back; others notice nothing.
 */
#include "tests/unit/http/limits_app.h"

static int ask_gated(const char *headers)
{
    int fd = client_open(http_port(server));
    char request[200];

    (void)snprintf(request, sizeof request, "GET /gated HTTP/1.1\r\nHost: x\r\n%s\r\n", headers);
    CHECK(client_say(fd, request));
    return fd;
}

static void wait_handled(uint64_t waiting, int running)
{
    const int64_t until_ms = clock_mono_ms() + 10000;
    struct http_counts counts = { 0 };

    do {
        (void)usleep(500);
        http_counts(server, &counts);
    } while ((counts.queued != waiting || atomic_load(&at_gate) != running) && clock_mono_ms() < until_ms);
    CHECK_I64(counts.queued, waiting);
    CHECK_I64(atomic_load(&at_gate), running);
}

static void expect_answers(const int *fds, int count, int status)
{
    for (int i = 0; i < count; i++) {
        client_read(fds[i], &got, false);
        CHECK_I64(got.status, status);
        (void)close(fds[i]);
    }
}

/* One client never has all handler threads, however it writes its key; first come, first served within it. */
static void running_requests_of_a_client_are_bounded(void)
{
    static const struct {
        bool asks;
        const char *busy, *also, *other;
    } cases[] = {
        { true, "x-api-key: one\r\n", "Authorization: bearer   one \r\n", "x-api-key: two\r\n" },
        { false, "", "", "X-Forwarded-For: 192.0.2.1\r\n" },
        { false, "x-api-key: a\r\n", "x-api-key: b\r\n", "X-Forwarded-For: 192.0.2.1\r\n" }, /* nobody is asked */
        { true, "x-api-key: two\r\n", "x-api-key: two\r\n", "x-api-key: one\r\n" },          /* its address counts */
    };
    int fds[5];

    handler_threads = 3;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        test_case("%s", cases[i].asks ? "a key" : "an address");
        start(cases[i].asks, (struct http_limits){ .max_running_per_client = 2 }, "127.0.0.0/8");
        for (int k = 0; k < 5; k++)
            fds[k] = ask_gated(k % 2 ? cases[i].also : cases[i].busy);
        wait_handled(3, 2);
        ask("/plain", cases[i].other);
        CHECK_I64(got.status, 200);
        (void)sem_post(&gate);
        wait_handled(2, 2);
        for (int k = 0; k < 4; k++)
            (void)sem_post(&gate);
        expect_answers(fds, 5, 200);
        stop();
    }
    start(true, (struct http_limits){ .max_running_per_client = 1, .queue_timeout_ms = 300 }, NULL);
    fds[0] = ask_gated("x-api-key: one\r\n");
    wait_handled(0, 1);
    fds[1] = ask_gated("x-api-key: one\r\n");
    expect_answers(fds + 1, 1, 503); /* it waited too long */
    check_counted(HTTP_REFUSED_WAIT, 1);
    fds[1] = ask_gated("x-api-key: one\r\n");
    wait_handled(1, 1);
    (void)sem_post(&gate); /* the turn goes on to the second */
    (void)sem_post(&gate);
    expect_answers(fds, 2, 200);
    stop();
    handler_threads = 1;
}

/* However many requests of one client wait, others find a place; and whoever asks for the server's health, always. */
static void waiting_requests_of_a_client_are_bounded(void)
{
    static const char *const busy[] = { "x-api-key: one\r\n", "x-api-key: two\r\n" }; /* a key, an address */
    int fds[6];

    handler_threads = 3;
    start(true, (struct http_limits){ .max_running_per_client = 1, .max_queue = 4, .queue_timeout_ms = 60000 },
          "127.0.0.0/8");
    for (int client = 0; client < 2; client++) {
        for (int k = 0; k < 3; k++) { /* one by one: what has a turn waits too, until a thread has taken it */
            fds[client * 3 + k] = ask_gated(busy[client]);
            wait_handled((uint64_t)(client * 2 + k), client + 1);
        }
        ask("/plain", busy[client]);
        check_refused(503, "overloaded");
        check_counted(HTTP_REFUSED_QUEUE, (uint64_t)client + 1);
        ask("/plain", client == 0 ? busy[1] : "x-api-key: two\r\nX-Forwarded-For: 192.0.2.1\r\n");
        if (client == 0)
            CHECK_I64(got.status, 200);
        else
            check_refused(503, "overloaded"); /* now all is full */
    }
    ask("/health", "X-Forwarded-For: 192.0.2.1\r\n");
    CHECK_I64(got.status, 200);
    for (int k = 0; k < 6; k++)
        (void)sem_post(&gate);
    expect_answers(fds, 6, 200);
    stop();
    handler_threads = 1;
}

static int open_stream(const char *headers)
{
    int fd = client_open_with(http_port(server), 4096);
    char request[200];

    (void)snprintf(request, sizeof request, "GET /stream HTTP/1.1\r\nHost: x\r\n%s\r\n", headers);
    CHECK(client_say(fd, request));
    CHECK(client_take_until(fd, "\r\n\r\n", got.head, sizeof got.head));
    CHECK(strncmp(got.head, "HTTP/1.1 200 ", 13) == 0);
    return fd;
}

static void streams_are_bounded(void)
{
    int fds[3];

    start(true, (struct http_limits){ .max_streams = 2 }, NULL);
    fds[0] = open_stream("x-api-key: one\r\n");
    fds[1] = open_stream("x-api-key: one\r\n");
    ask("/stream", "x-api-key: one\r\n");
    check_refused(429, "too_many_streams");
    check_counted(HTTP_REFUSED_STREAMS, 1);
    ask("/stream?short", "x-api-key: one\r\n"); /* sent whole, no stream */
    CHECK_I64(got.status, 200);
    fds[2] = open_stream("x-api-key: two\r\n");
    for (int i = 0; i < 3; i++)
        (void)close(fds[i]);
    wait_connections(0);
    fds[0] = open_stream("x-api-key: one\r\n");
    (void)close(fds[0]);
    stop();
    start(false, (struct http_limits){ .max_streams = 1 }, NULL); /* by address */
    fds[0] = open_stream("");
    ask("/stream", "");
    check_refused(429, "too_many_streams");
    (void)close(fds[0]);
    stop();
}

static void rates_are_bounded(void)
{
    int ok = 0;

    start(true, (struct http_limits){ .requests_per_s = 1, .requests_burst = 4 }, NULL);
    for (int i = 0; i < 5; i++) {
        ask("/plain", "Authorization: Bearer one\r\n");
        ok += got.status == 200;
    }
    CHECK(ok == 4 || ok == 5); /* a slow machine takes a second for them */
    while (got.status == 200)
        ask("/plain", "Authorization: Bearer one\r\n");
    check_refused(429, "rate_limited");
    CHECK_TEXT(HEADER("Retry-After"), "1");
    CHECK_TEXT(HEADER("RateLimit-Policy"), "\"requests\";q=4;w=4");
    CHECK_TEXT(HEADER("RateLimit"), "\"requests\";r=0;t=4");
    ask("/plain", "Authorization: Bearer two\r\n");
    CHECK_I64(got.status, 200);
    CHECK_TEXT(HEADER("RateLimit"), "\"requests\";r=3;t=1");
    do /* what is refused counts too */
        ask("/plain", "Authorization: Bearer powerless\r\n");
    while (got.status == 403);
    check_refused(429, "rate_limited");
    for (int i = 0; i < 10; i++) { /* public routes are for everybody, at any rate */
        ask("/public", "");
        CHECK_I64(got.status, 200);
        CHECK_TEXT(HEADER("RateLimit"), "");
    }
    stop();
    start(false, (struct http_limits){ .requests_per_s = 1, .requests_burst = 1 }, NULL);
    do
        ask("/plain", "");
    while (got.status == 200);
    check_refused(429, "rate_limited");
    CHECK(strstr(got.body, "This address") != NULL);
    stop();
}

/* Where too many wrong keys came from, only "one" is recognized, and still let in; nothing else is looked at. */
static void wrong_keys_are_bounded(void)
{
    int denied = 0, before = 0;

    start(true, (struct http_limits){ .denied_per_s = 1 }, NULL);
    for (got.status = 401; got.status == 401 && denied < 1000; denied += got.status == 401)
        ask("/plain", denied % 2 ? "x-api-key: three\r\n" : "");
    check_refused(429, "too_many_denied");
    CHECK(denied >= 10 && denied < 1000);
    ask("/public", "x-api-key: three\r\n");
    CHECK_I64(got.status, 200);
    for (int i = 0; i < 3; i++) {
        do { /* each second one more wrong key may come */
            before = atomic_load(&looks);
            ask("/plain", "x-api-key: three\r\n");
        } while (got.status == 401);
        check_refused(429, "too_many_denied");
        CHECK_I64(atomic_load(&looks), before);
        ask("/plain", "x-api-key: one\r\n");
        CHECK_I64(got.status, 200);
    }
    do { /* it passes */
        (void)usleep(50000);
        ask("/plain", "x-api-key: two\r\n");
    } while (got.status == 429);
    CHECK_I64(got.status, 200);
    stop();
}

static void forwarders_speak_for_others(void)
{
    static const struct {
        const char *forwarders, *headers, *want;
    } cases[] = {
        { NULL, "X-Forwarded-For: 192.0.2.1\r\n", "127.0.0.1" },
        { "10.0.0.0/8", "X-Forwarded-For: 192.0.2.1\r\n", "127.0.0.1" },
        { "127.0.0.0/8", "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 192.0.2.1, 127.0.0.2\r\n", "192.0.2.1" },
        { "127.0.0.0/8", "", "127.0.0.1" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char want[100];

        test_case("%s", cases[i].headers);
        start(false, (struct http_limits){ 0 }, cases[i].forwarders);
        ask("/plain", cases[i].headers);
        (void)snprintf(want, sizeof want, "\"from\":\"%s\"", cases[i].want);
        CHECK(strstr(got.body, want) != NULL);
        stop();
    }
}

static const struct test tests[] = {
    { "running requests of a client are bounded", running_requests_of_a_client_are_bounded },
    { "waiting requests of a client are bounded", waiting_requests_of_a_client_are_bounded },
    { "streams are bounded", streams_are_bounded },
    { "rates are bounded", rates_are_bounded },
    { "wrong keys are bounded", wrong_keys_are_bounded },
    { "forwarders speak for others", forwarders_speak_for_others },
};

int main(int argc, char **argv)
{
    log_setup(LOG_ERROR_LEVEL, false, STDERR_FILENO);
    (void)sem_init(&gate, 0, 0);
    return test_main("http/client_limits", tests, (int)(sizeof tests / sizeof tests[0]), argc, argv);
}
