/* What is refused: each with its problem, and without harm to the connection. */
#include "tests/unit/http/echo_app.h"

struct case_of_problem {
    const char *request;
    int status;
    const char *code;
};

static const struct case_of_problem problems[] = {
    { "GET /nope HTTP/1.1\r\nHost: x\r\n\r\n", 404, "not_found" },
    { "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n", 404, "not_found" },
    { "GET /echo/1/ HTTP/1.1\r\nHost: x\r\n\r\n", 404, "not_found" },
    { "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_path" },
    { "GET /echo/%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_path" },
    { "GET /echo/%00 HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_path" },
    { "GET /echo/1?q=%f HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_query" },
    { "PUT /echo/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", 405, "method_not_allowed" },
    { "BREW /echo/1 HTTP/1.1\r\nHost: x\r\n\r\n", 405, "method_not_allowed" },
    { "GET /echo/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx", 413, "body_too_large" },
    { "GET /echo/1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", 413,
      "body_too_large" },
    { "DELETE /echo/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx", 413, "body_too_large" },
    { "POST /echo/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999\r\n\r\n", 413, "body_too_large" },
    { "POST /echo/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n\r\n", 413,
      "body_too_large" },
    { "POST /echo/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
      "bad_framing" },
    { "POST /echo/1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400, "bad_framing" },
    { "POST /echo/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", 400, "bad_framing" },
    { "POST /things HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", 415, "unsupported_media_type" },
    { "POST /things HTTP/1.1\r\nHost: x\r\nContent-Type: text/json\r\nContent-Length: 2\r\n\r\n{}", 415,
      "unsupported_media_type" },
    { "POST /things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\r\n", 400, "invalid_json" },
    { "GET /choose HTTP/1.1\r\nHost: x\r\nAccept: image/png\r\n\r\n", 406, "not_acceptable" },
    { "GET /choose?format=xml HTTP/1.1\r\nHost: x\r\n\r\n", 400, "invalid_parameter" },
    { "GET /jobs/job_1 HTTP/1.1\r\nHost: x\r\n\r\n", 404, "not_found" },
    { "GET /jobs/vid_00000000001 HTTP/1.1\r\nHost: x\r\n\r\n", 404, "not_found" },
    { "GET /jobs/job_zzzzzzzzzzz HTTP/1.1\r\nHost: x\r\n\r\n", 404, "not_found" },
    { "GET /big HTTP/1.1\r\nHost: x\r\n\r\n", 503, "out_of_memory" },
};

static void problems_are_told(void)
{
    for (size_t i = 0; i < sizeof problems / sizeof problems[0]; i++) {
        test_case("%s", problems[i].request);
        client_ask(port(), problems[i].request, &got);
        check_problem(problems[i].status, problems[i].code);
        CHECK(HEADER("X-Request-Id")[0] != '\0');
    }
}

static void json_bodies_are_checked(void)
{
    static const struct {
        const char *body;
        int status;
        const char *says;
    } cases[] = {
        { "{}", 201, "\"members\":0" },
        { "{\"a\":1,\"b\":{\"a\":[1]}}", 201, "\"members\":2" },
        { "{", 400, "line 1, column 1" },
        { "{\"a\":1,\n\"a\":2}", 400, "twice in one object (line 2" },
        { "{\"a\":{\"b\":1,\"b\":2}}", 400, "twice" },
        { "{}x", 400, "line 1" },
        { "[]", 400, "must be a JSON object" },
        { "\"x\"", 400, "" },
        { "{\"a\":\"\\u0000\"}", 400, "" },
        { "{\"a\":\"\xFF\"}", 400, "" },
        { "{\"a\":NaN}", 400, "" },
        { "{\"a\":99999999999999999999}", 400, "" },
        { "{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}", 400, "32 levels" },
        { "{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}", 201, "\"members\":1" },
        { "{\"a\":\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[\"}", 201, "\"members\":1" },
    };
    char request[1000];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        test_case("%s", cases[i].body);
        (void)snprintf(request, sizeof request,
                       "POST /things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json; charset=utf-8\r\n"
                       "Content-Length: %zu\r\n\r\n%s",
                       strlen(cases[i].body), cases[i].body);
        client_ask(port(), request, &got);
        CHECK_I64(got.status, cases[i].status);
        if (cases[i].status == 400)
            check_problem(400, "invalid_json");
        CHECK(strstr(got.body, cases[i].says) != NULL);
    }
}

/* Requests that were refused with a body on its way leave the connection good, or say that they close it. */
static void connections_survive_refusals(void)
{
    struct answer next;

    for (size_t i = 0; i < sizeof problems / sizeof problems[0]; i++) {
        int fd = client_open(port());
        bool closes = false;

        test_case("%s", problems[i].request);
        CHECK(client_say(fd, problems[i].request));
        client_read(fd, &got, false);
        CHECK_I64(got.status, problems[i].status);
        closes = strcmp(HEADER("Connection"), "close") == 0;
        (void)client_say(fd, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n");
        client_read(fd, &next, false);
        CHECK_I64(next.status, closes ? 0 : 200);
        (void)close(fd);
    }
}

static void chunked_bodies_are_bounded(void)
{
    static const char head[] = "POST /echo/1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    char chunk[1100];
    int fd = client_open(port());

    /* 1,000 bytes fit, in pieces */
    CHECK(client_say(fd, head));
    for (int i = 0; i < 10; i++) {
        (void)snprintf(chunk, sizeof chunk, "64\r\n%0100d\r\n", i);
        CHECK(client_say(fd, chunk));
    }
    CHECK(client_say(fd, "0\r\n\r\n"));
    client_read(fd, &got, false);
    CHECK_I64(got.status, 200);
    CHECK(got.len > 1000);

    /* one more does not, and the connection lives on */
    CHECK(client_say(fd, head));
    (void)snprintf(chunk, sizeof chunk, "3e9\r\n%01001d\r\n0\r\n\r\n", 1);
    CHECK(client_say(fd, chunk));
    client_read(fd, &got, false);
    check_problem(413, "body_too_large");

    /* one without end is cut */
    CHECK(client_say(fd, head));
    (void)snprintf(chunk, sizeof chunk, "3e9\r\n%01001d\r\n", 1);
    for (int i = 0; i < 100000; i++)
        if (!client_say(fd, chunk))
            break;
    client_read(fd, &got, false);
    CHECK_I64(got.status, 0);
    (void)close(fd);
}

static void continue_is_sent_only_when_the_body_is_wanted(void)
{
    char line[100];
    int fd = client_open(port());
    static const char good[] = "POST /echo/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n";
    static const char bad[] = "POST /nope HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n";

    CHECK(client_say(fd, good));
    CHECK(client_take_until(fd, "\r\n\r\n", line, sizeof line));
    CHECK(strncmp(line, "HTTP/1.1 100 ", 13) == 0);
    CHECK(client_say(fd, "body"));
    client_read(fd, &got, false);
    CHECK_I64(got.status, 200);
    CHECK(client_say(fd, bad));
    CHECK(client_take_until(fd, "\r\n\r\n", got.head, sizeof got.head));
    CHECK(strncmp(got.head, "HTTP/1.1 404 ", 13) == 0);
    CHECK_TEXT(HEADER("Connection"), "close");
    (void)close(fd);
}

/* Refusals that libmicrohttpd itself makes: any 4xx and no crash. */
static void broken_requests_are_refused(void)
{
    static const char *const requests[] = {
        "GET /livez HTTP/1.1\r\n\r\n", /* no Host */
        "GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n",
        "POST /echo/1 HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "GET /livez\r\n\r\n",
        "GARBAGE\r\n\r\n",
        "POST /echo/1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "GET /livez HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
    };
    char *huge = malloc(200000);

    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        int fd = client_open(port());

        test_case("%s", requests[i]);
        CHECK(client_say(fd, requests[i]));
        (void)shutdown(fd, SHUT_WR);
        client_read(fd, &got, false);
        CHECK(got.status == 0 || (got.status >= 400 && got.status < 500) || i == 3);
        (void)close(fd);
    }
    for (int i = 0; huge && i < 2; i++) {
        int n = i == 0 ? snprintf(huge, 200000, "GET /echo/%0100000d HTTP/1.1\r\nHost: x\r\n\r\n", 1)
                       : snprintf(huge, 200000, "GET /echo/1 HTTP/1.1\r\nHost: x\r\nX: %0100000d\r\n\r\n", 1);
        int fd = client_open(port());
        (void)client_send(fd, huge, (size_t)n);
        client_read(fd, &got, false);
        CHECK(got.status == 0 || got.status == 414 || got.status == 431 || got.status == 413);
        (void)close(fd);
    }
    free(huge);
    client_get(port(), "/livez", &got);
    CHECK_I64(got.status, 200);
}

static const struct test tests[] = {
    { "problems are told", problems_are_told },
    { "JSON bodies are checked", json_bodies_are_checked },
    { "connections survive refusals", connections_survive_refusals },
    { "chunked bodies are bounded", chunked_bodies_are_bounded },
    { "100 Continue is sent only when the body is wanted", continue_is_sent_only_when_the_body_is_wanted },
    { "broken requests are refused", broken_requests_are_refused },
};

int main(int argc, char **argv)
{
    return run_suite("http/refusal", tests, (int)(sizeof tests / sizeof tests[0]), argc, argv);
}
