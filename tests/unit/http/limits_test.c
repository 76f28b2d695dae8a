/* Every limit on what may come in all is reached, answered as it should be, and given back. */
#include "tests/unit/http/limits_app.h"

/* From another address of loopback, such as "127.0.0.9". */
static int open_from(const char *address)
{
    struct sockaddr_in from = { .sin_family = AF_INET }, to = { .sin_family = AF_INET };
    struct timeval patience = { .tv_sec = 30 };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)inet_pton(AF_INET, address, &from.sin_addr);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons((uint16_t)http_port(server));
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    CHECK(bind(fd, (struct sockaddr *)&from, sizeof from) == 0);
    CHECK(connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
    return fd;
}

/* What one more connection from there gets: 200, or 0 where it is closed. */
static int knock(const char *address)
{
    int fd = open_from(address);

    got.status = 0;
    if (client_say(fd, PUBLIC))
        client_read(fd, &got, false);
    (void)close(fd);
    return got.status;
}

static void connections_are_bounded(void)
{
    int fds[8];

    start(false, (struct http_limits){ .max_connections = 8 }, NULL);
    for (int i = 0; i < 8; i++)
        fds[i] = open_from("127.0.0.1");
    wait_connections(8);
    CHECK_I64(knock("127.0.0.1"), 0);
    CHECK_I64(knock("127.0.0.9"), 0);
    check_counted(HTTP_REFUSED_CONNECTIONS, 2);
    CHECK(client_say(fds[0], PUBLIC)); /* those that are in are served */
    client_read(fds[0], &got, false);
    CHECK_I64(got.status, 200);
    for (int i = 0; i < 8; i++)
        (void)close(fds[i]);
    wait_connections(0);
    CHECK_I64(knock("127.0.0.1"), 200);
    stop();
}

static void connections_of_an_address_are_bounded(void)
{
    int fds[3];

    start(false, (struct http_limits){ .max_connections_per_address = 3 }, "127.0.0.7/32");
    for (int i = 0; i < 3; i++)
        fds[i] = open_from("127.0.0.1");
    wait_connections(3);
    CHECK_I64(knock("127.0.0.1"), 0);
    CHECK_I64(knock("127.0.0.9"), 200);
    check_counted(HTTP_REFUSED_ADDRESS, 1);
    (void)close(fds[2]);
    wait_connections(2);
    CHECK_I64(knock("127.0.0.1"), 200);
    for (int i = 0; i < 2; i++)
        (void)close(fds[i]);
    wait_connections(0);
    for (int i = 0; i < 3; i++) /* for a forwarder it would be a limit on all */
        fds[i] = open_from("127.0.0.7");
    wait_connections(3);
    CHECK_I64(knock("127.0.0.7"), 200);
    for (int i = 0; i < 3; i++)
        (void)close(fds[i]);
    stop();
}

static void heads_are_bounded(void)
{
    static char request[70000];
    static const struct {
        int bytes, status;
    } cases[] = { { 3900, 200 }, { 4200, 431 }, { 15000, 431 }, { 60000, 431 } };

    start(false, (struct http_limits){ .max_header_bytes = 4096 }, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        test_case("%d bytes", cases[i].bytes);
        (void)snprintf(request, sizeof request, "GET /plain HTTP/1.1\r\nHost: x\r\nX: %0*d\r\n\r\n", cases[i].bytes, 1);
        client_ask(http_port(server), request, &got);
        CHECK_I64(got.status, cases[i].status);
        if (cases[i].status == 431 && cases[i].bytes < 16000) /* beyond, libmicrohttpd has words of its own */
            check_refused(431, "headers_too_large");
    }
    stop();
}

static void bodies_are_bounded_for_all_routes(void)
{
    start(false, (struct http_limits){ .max_body_bytes = 10 }, NULL);
    client_ask(http_port(server), "POST /plain HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n0123456789", &got);
    CHECK_I64(got.status, 200);
    client_ask(http_port(server), "POST /plain HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n0123456789a", &got);
    check_refused(413, "body_too_large");
    CHECK(strstr(got.body, "at most 10 bytes") != NULL);
    client_ask(http_port(server),
               "POST /plain HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n0123456789a\r\n0\r\n\r\n",
               &got);
    check_refused(413, "body_too_large");
    stop();
}

/* A whole body of that length; its answer is in `got`. */
static void post(int length)
{
    char request[1200], bytes[1000];

    memset(bytes, 'a', sizeof bytes);
    (void)snprintf(request, sizeof request, "POST /plain HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%.*s", length,
                   length, bytes);
    client_ask(http_port(server), request, &got);
}

/* Clients that have sent so much of bodies which never end, and are held: a body of `probe` bytes finds no room beside
 * them. Where it came between them it took the room of one, and all begin anew. apart: each from another address. */
static void open_bodies(int *fds, int count, size_t len, int probe, bool apart)
{
    char bytes[1000], address[24];

    memset(bytes, 'a', sizeof bytes);
    for (;;) {
        for (int i = 0; i < count; i++) {
            (void)snprintf(address, sizeof address, "127.0.0.%d", apart ? 2 + i : 1);
            fds[i] = open_from(address);
            CHECK(client_say(fds[i], "POST /plain HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n") &&
                  client_send(fds[i], bytes, len));
        }
        post(probe);
        if (got.status != 200)
            return;
        for (int i = 0; i < count; i++)
            (void)close(fds[i]);
        wait_connections(0);
    }
}

/* Many small bodies that never end take no more than they may, all together. */
static void memory_is_bounded(void)
{
    int fds[4];

    start(false, (struct http_limits){ .max_held_bytes = 4000, .body_timeout_ms = 60000 }, NULL);
    open_bodies(fds, 4, 900, 401, true);
    check_refused(503, "overloaded");
    for (int i = 0; i < 4; i++)
        (void)close(fds[i]);
    wait_connections(0);
    post(1000); /* all was given back */
    CHECK_I64(got.status, 200);
    stop();
}

/* No address has more than a quarter of it. */
static void memory_of_an_address_is_bounded(void)
{
    int fds[2], other = -1;

    start(false, (struct http_limits){ .max_held_bytes = 8000, .body_timeout_ms = 60000 }, NULL);
    open_bodies(fds, 2, 900, 401, false);
    check_refused(503, "overloaded");
    other = open_from("127.0.0.9");
    CHECK(client_say(other, "POST /plain HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n0123456789"));
    client_read(other, &got, false);
    CHECK_I64(got.status, 200);
    (void)close(other);
    for (int i = 0; i < 2; i++)
        (void)close(fds[i]);
    wait_connections(0);
    post(1000);
    CHECK_I64(got.status, 200);
    stop();
}

/* A body that was refused holds nothing, though its client is still sending it. */
static void what_is_refused_holds_nothing(void)
{
    struct http_counts counts = { 0 };
    uint64_t refused = 0;
    int fd = -1;

    start(false, (struct http_limits){ .max_held_bytes = 2800, .body_timeout_ms = 60000 }, NULL);
    open_bodies(&fd, 1, 500, 300, false);
    check_refused(503, "overloaded");
    http_counts(server, &counts);
    refused = counts.refused[HTTP_REFUSED_MEMORY];
    CHECK(client_say(
        fd, "................................................................................................"
            "................................................................................................"
            "................................................................................................"));
    do /* now it is refused itself */
        http_counts(server, &counts);
    while (counts.refused[HTTP_REFUSED_MEMORY] == refused);
    do /* the count comes just before the room */
        post(600);
    while (got.status == 503 && ++refused < 1000);
    CHECK_I64(got.status, 200);
    (void)close(fd);
    stop();
}

static void waiting_is_bounded(void)
{
    int running = -1, waiting[2];
    int64_t begun_ms = 0;

    start(false, (struct http_limits){ .max_queue = 2, .queue_timeout_ms = 300 }, NULL);
    running = client_open(http_port(server));
    CHECK(client_say(running, "GET /gated HTTP/1.1\r\nHost: x\r\n\r\n"));
    while (atomic_load(&at_gate) == 0)
        (void)usleep(500);
    begun_ms = clock_mono_ms();
    for (int i = 0; i < 2; i++) {
        waiting[i] = client_open(http_port(server));
        CHECK(client_say(waiting[i], "GET /plain HTTP/1.1\r\nHost: x\r\n\r\n"));
    }
    for (int i = 0; i < 2; i++) {
        client_read(waiting[i], &got, false); /* while the only thread still works for the first */
        check_refused(503, "overloaded");
        CHECK(strstr(got.body, "was not begun") != NULL);
        (void)close(waiting[i]);
    }
    CHECK(clock_mono_ms() - begun_ms >= 300);
    check_counted(HTTP_REFUSED_WAIT, 2);
    (void)sem_post(&gate);
    client_read(running, &got, false);
    CHECK_I64(got.status, 200);
    (void)close(running);
    stop();
}

static const struct test tests[] = {
    { "connections are bounded", connections_are_bounded },
    { "connections of an address are bounded", connections_of_an_address_are_bounded },
    { "heads are bounded", heads_are_bounded },
    { "bodies are bounded for all routes", bodies_are_bounded_for_all_routes },
    { "memory is bounded", memory_is_bounded },
    { "memory of an address is bounded", memory_of_an_address_is_bounded },
    { "what is refused holds nothing", what_is_refused_holds_nothing },
    { "waiting is bounded", waiting_is_bounded },
};

int main(int argc, char **argv)
{
    log_setup(LOG_ERROR_LEVEL, false, STDERR_FILENO);
    (void)sem_init(&gate, 0, 0);
    return test_main("http/limits", tests, (int)(sizeof tests / sizeof tests[0]), argc, argv);
}
