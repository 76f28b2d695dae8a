/* InvokeModel against a scripted server. */
#include "aws/bedrock_runtime.h"

#include "server/base/mem.h"
#include "tests/unit/aws/aws_fixture.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_BODY                                                                                                    \
    "{\"output\":{\"message\":{\"role\":\"assistant\",\"content\":[{\"text\":\"A dog.\"}]}},\"stopReason\":"           \
    "\"end_turn\",\"usage\":{\"inputTokens\":300,\"outputTokens\":7,\"totalTokens\":307}}"
#define TYPE(name) "x-amzn-errortype: " name ":http://internal.amazon.com/\r\n"
#define WORDS "{\"message\":\"because\"}"

enum { MOST_CALLS = 8 };

/* So many calls, and what came of each. */
struct run {
    int left;
    int next_item;
    int items[MOST_CALLS]; /* what the items point to */
    int done_count;
    bool stops; /* done says: no more */
    struct {
        bool answered;
        char text[32], stop[16];
        long long input_tokens, output_tokens;
        struct err err;
    } seen[MOST_CALLS]; /* by item */
};

static bool next(void *arg, struct span *body, void **item)
{
    struct run *run = arg;

    if (run->left-- <= 0)
        return false;
    *body = SPAN_LIT("{\"messages\":[]}");
    run->items[run->next_item] = run->next_item;
    *item = &run->items[run->next_item++];
    return true;
}

static bool done(void *arg, void *item, const struct batch_line *answer, const struct err *call_err, struct err *err)
{
    struct run *run = arg;
    const int i = *(int *)item;

    run->done_count++;
    CHECK((answer == NULL) == (call_err != NULL));
    run->seen[i].answered = answer != NULL;
    if (answer) {
        CHECK_I64(answer->kind, BATCH_LINE_ANSWER);
        snprintf(run->seen[i].text, sizeof run->seen[i].text, "%.*s", SPAN_ARG(answer->text));
        snprintf(run->seen[i].stop, sizeof run->seen[i].stop, "%.*s", SPAN_ARG(answer->stop_reason));
        run->seen[i].input_tokens = answer->input_tokens;
        run->seen[i].output_tokens = answer->output_tokens;
    } else {
        run->seen[i].err = *call_err;
    }
    return !run->stops || err_set(err, ERR_INTERNAL, false, HERE, "enough");
}

static bool invoke(struct fixture *f, struct run *run, const char *model_id, int concurrency, int64_t timeout_ms)
{
    const struct bedrock_invoke_many many = { .model_id = model_id,
                                              .next = next,
                                              .done = done,
                                              .arg = run,
                                              .concurrency = concurrency,
                                              .timeout_ms = timeout_ms };

    return bedrock_invoke(f->client, &many, &f->err);
}

static const struct {
    const char *model_id, *target;
} models[] = {
    { "amazon.nova-lite-v1:0", "/model/amazon.nova-lite-v1%3A0/invoke" },
    { "us.amazon.nova-pro-v1:0", "/model/us.amazon.nova-pro-v1%3A0/invoke" },
    { "arn:aws:bedrock:us-east-1:111122223333:inference-profile/us.amazon.nova-lite-v1:0",
      "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A111122223333%3Ainference-profile%2Fus.amazon.nova-lite-v1%3A0/invoke" },
};

static void request(void)
{
    static const struct http_answer answers[] = { { .status = 200, .body = ANSWER_BODY } };
    AUTO(fixture_done) struct fixture f = { 0 };

    if (!fixture_start(&f, answers, 1))
        return;
    for (size_t i = 0; i < COUNT_OF(models); i++) {
        struct run run = { .left = 1 };

        test_case("%s", models[i].model_id);
        CHECK(invoke(&f, &run, models[i].model_id, 1, 5000));
        CHECK_I64(run.done_count, 1);
        CHECK_TEXT(run.seen[0].text, "A dog.");
        CHECK_TEXT(run.seen[0].stop, "end_turn");
        CHECK_I64(run.seen[0].input_tokens, 300);
        CHECK_I64(run.seen[0].output_tokens, 7);
        check_request(&f, i, "POST", models[i].target);
        check_header(&f, i, "content-type", "application/json");
        check_header(&f, i, "accept", "application/json");
        check_body(&f, i, "{\"messages\":[]}");
        /* signed for the service "bedrock", not for the name in the host */
        CHECK(strstr(http_script_seen(f.script, i)->headers, "/us-east-1/bedrock/aws4_request") != NULL);
        /* libcurl never sends a paid call a second time by itself: each has a connection of its own */
        CHECK_I64(http_script_seen(f.script, i)->connection, (long long)i + 1);
    }
    test_case(NULL);
}

static const struct {
    const char *name;
    struct http_answer answer;
    enum err_kind kind;
    const char *code;
    bool retryable;
    int asked; /* how often, with two attempts allowed */
} failures[] = {
    { "refused",
      { .status = 400, .headers = TYPE("ValidationException"), .body = WORDS },
      ERR_INPUT,
      "bedrock_refused",
      false,
      1 },
    { "too large", { .status = 413, .body = "" }, ERR_INPUT, "bedrock_refused", false, 1 },
    { "throttled",
      { .status = 429, .headers = TYPE("ThrottlingException"), .body = WORDS },
      ERR_BUSY,
      "bedrock_throttled",
      true,
      2 },
    { "quota",
      { .status = 400, .headers = TYPE("ServiceQuotaExceededException"), .body = WORDS },
      ERR_BUSY,
      "bedrock_throttled",
      true,
      2 },
    { "not ready",
      { .status = 429, .headers = TYPE("ModelNotReadyException"), .body = WORDS },
      ERR_UPSTREAM,
      "upstream",
      true,
      2 },
    { "model failed",
      { .status = 424, .headers = TYPE("ModelErrorException"), .body = WORDS },
      ERR_UPSTREAM,
      "bedrock_model",
      true,
      2 },
    { "model took too long",
      { .status = 408, .headers = TYPE("ModelTimeoutException"), .body = WORDS },
      ERR_UPSTREAM,
      "bedrock_model",
      true,
      1 },
    { "internal",
      { .status = 500, .headers = TYPE("InternalServerException"), .body = WORDS },
      ERR_UPSTREAM,
      "upstream",
      true,
      2 },
    { "unavailable",
      { .status = 503, .headers = TYPE("ServiceUnavailableException"), .body = WORDS },
      ERR_UPSTREAM,
      "upstream",
      true,
      2 },
    { "denied",
      { .status = 403, .headers = TYPE("AccessDeniedException"), .body = WORDS },
      ERR_DENIED,
      "denied",
      false,
      1 },
    { "no such model",
      { .status = 404, .headers = TYPE("ResourceNotFoundException"), .body = WORDS },
      ERR_NOT_FOUND,
      "not_found",
      false,
      1 },
    { "reset", { .status = 0, .end = HTTP_RESET }, ERR_UPSTREAM, "upstream", true, 2 },
    { "cut answer",
      { .status = 200, .body = ANSWER_BODY, .cut_after = 40, .end = HTTP_CLOSE },
      ERR_UPSTREAM,
      "upstream",
      true,
      2 },
    { "no time left", { .status = 200, .is_held = true }, ERR_TIMEOUT, "bedrock_late", true, 1 },
    { "answer that is no JSON", { .status = 200, .body = "<html>" }, ERR_UPSTREAM, "bad_answer", false, 1 },
    { "answer that is no object", { .status = 200, .body = "[]" }, ERR_UPSTREAM, "bad_answer", false, 1 },
    { "empty answer", { .status = 200, .body = "" }, ERR_UPSTREAM, "bad_answer", false, 1 },
    { "answer beyond all measure",
      { .status = 200,
        .body = "[1234567890123456789012345678901234567890123456789012345678901234567890]",
        .repeat = 200000 },
      ERR_UPSTREAM,
      "response_too_large",
      false,
      1 },
};

static void fails(void)
{
    for (size_t i = 0; i < COUNT_OF(failures); i++) {
        AUTO(fixture_done) struct fixture f = { 0 };
        struct run run = { .left = 1 };
        const struct err *got = &run.seen[0].err;

        test_case("%s", failures[i].name);
        if (!fixture_start_with(&f, &failures[i].answer, 1, (struct aws_options){ .max_attempts = 2 }))
            return;
        CHECK(invoke(&f, &run, "amazon.nova-lite-v1:0", 1, failures[i].answer.is_held ? 100 : 5000));
        CHECK(!run.seen[0].answered);
        CHECK_I64(got->kind, failures[i].kind);
        CHECK_TEXT(err_code_of(got), failures[i].code);
        CHECK_I64(got->retryable, failures[i].retryable);
        if (!failures[i].answer.is_held) /* a held request is counted when it is let go */
            CHECK_I64(http_script_count(f.script), failures[i].asked);
        http_script_release(f.script);
    }
    test_case(NULL);
}

/* A call whose time ran out may have been carried out, so it is not made again. */
static void late_is_sent_once(void)
{
    static const struct http_answer answers[] = { { .status = 200, .is_held = true } };
    AUTO(fixture_done) struct fixture f = { 0 };
    struct run run = { .left = 1 };

    if (!fixture_start_with(&f, answers, 1, (struct aws_options){ .max_attempts = 5 }))
        return;
    CHECK(invoke(&f, &run, "amazon.nova-lite-v1:0", 1, 60));
    CHECK_TEXT(run.seen[0].err.code, "bedrock_late");
    CHECK_I64(http_script_connections(f.script), 1);
}

static void many_at_once(void)
{
    static const struct http_answer answers[] = {
        { .status = 200, .body = ANSWER_BODY },
        { .status = 400, .headers = TYPE("ValidationException"), .body = WORDS },
        { .status = 503, .headers = TYPE("ServiceUnavailableException"), .body = WORDS },
        { .status = 200, .body = ANSWER_BODY },
    };
    AUTO(fixture_done) struct fixture f = { 0 };
    struct run run = { .left = MOST_CALLS }, stopped = { .left = MOST_CALLS, .stops = true };
    int answered = 0, refused = 0;

    if (!fixture_start(&f, answers, COUNT_OF(answers)))
        return;
    CHECK(invoke(&f, &run, "amazon.nova-lite-v1:0", 3, 5000));
    CHECK_I64(run.done_count, MOST_CALLS);
    CHECK_I64(http_script_count(f.script), MOST_CALLS + 1);
    CHECK(http_script_most_at_once(f.script) <= 3);
    for (int i = 0; i < MOST_CALLS; i++) {
        answered += run.seen[i].answered;
        refused += strcmp(run.seen[i].err.code, "bedrock_refused") == 0;
    }
    CHECK_I64(answered, MOST_CALLS - 1);
    CHECK_I64(refused, 1);
    /* the caller has had enough: those on their way end, no new ones begin */
    CHECK(!invoke(&f, &stopped, "amazon.nova-lite-v1:0", 2, 5000));
    CHECK_TEXT(f.err.what, "enough");
    CHECK(stopped.done_count <= 3);
}

/* A port of 127.0.0.1 where connections are made for us but nobody answers: no handshake of TLS comes to an end. */
static int silent_port(int *port)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof at;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&at, size) == 0 && listen(fd, 16) == 0 &&
          getsockname(fd, (struct sockaddr *)&at, &size) == 0);
    *port = ntohs(at.sin_port);
    return fd;
}

/* A model that was never reached was not late: whether the time to connect ran out or that of the whole call, nothing
 * was asked, so it is tried again and is no verdict on the video. */
static void never_reached(void)
{
    static const struct http_answer answers[] = { { .status = 200, .body = ANSWER_BODY } };
    static const struct {
        int64_t connect_ms, call_ms;
    } cases[] = { { 50, 5000 }, { 5000, 50 } };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(fixture_done) struct fixture f = { 0 };
        struct run run = { .left = 1 };
        struct aws_options options = { .max_attempts = 2, .connect_timeout_ms = cases[i].connect_ms };
        struct aws_stat stats[4];
        char url[40];
        int port = 0;
        const int fd = silent_port(&port);

        snprintf(url, sizeof url, "https://127.0.0.1:%d", port);
        options.endpoint_urls[AWS_BEDROCK_RUNTIME] = url;
        test_case("connect %lld ms", (long long)cases[i].connect_ms);
        if (CHECK(fixture_start_with(&f, answers, 1, options))) {
            CHECK(invoke(&f, &run, "amazon.nova-lite-v1:0", 1, cases[i].call_ms));
            CHECK_I64(run.seen[0].err.kind, ERR_UPSTREAM);
            CHECK_TEXT(err_code_of(&run.seen[0].err), "upstream");
            CHECK(run.seen[0].err.retryable);
            CHECK(aws_stats(f.aws, stats, COUNT_OF(stats)) == 1);
            CHECK_I64(stats[0].attempts, 2);
        }
        close(fd);
    }
    test_case(NULL);
}

static void own_endpoint(void)
{
    static const struct http_answer answers[] = { { .status = 200, .body = ANSWER_BODY } };
    AUTO(fixture_done) struct fixture f = { 0 };
    struct http_script *runtime = http_script_start(answers, 1);
    struct aws_options options = { .endpoint_urls[AWS_BEDROCK_RUNTIME] = http_script_url(runtime) };
    struct run run = { .left = 1 };

    if (CHECK(fixture_start_with(&f, answers, 1, options))) {
        CHECK(invoke(&f, &run, "amazon.nova-lite-v1:0", 1, 5000));
        CHECK_I64(http_script_count(f.script), 0);
        CHECK_I64(http_script_count(runtime), 1);
    }
    http_script_stop(runtime);
}

/* Every allocation fails once: it is said, in one place or the other, and the next try is whole. */
static void out_of_memory(void)
{
    static const struct http_answer answers[] = { { .status = 200, .body = ANSWER_BODY } };
    AUTO(fixture_done) struct fixture f = { 0 };
    bool done = false;

    if (!fixture_start_with(&f, answers, 1, (struct aws_options){ .max_attempts = 1 }))
        return;
    for (unsigned n = 1; !done && n < 200; n++) {
        struct run run = { .left = 1 };
        bool ok;

        test_case("allocation %u", n);
        err_clear(&f.err);
        mem_fail_at(n);
        ok = invoke(&f, &run, "amazon.nova-lite-v1:0", 1, 5000);
        mem_fail_never();
        done = ok && run.seen[0].answered;
        if (!ok)
            CHECK_I64(f.err.kind, ERR_MEMORY);
        else if (!done)
            CHECK_I64(run.seen[0].err.kind, ERR_MEMORY);
    }
    CHECK(done);
    test_case(NULL);
}

static const struct test tests[] = {
    { "request", request },
    { "fails", fails },
    { "late_is_sent_once", late_is_sent_once },
    { "many_at_once", many_at_once },
    { "never_reached", never_reached },
    { "own_endpoint", own_endpoint },
    { "out_of_memory", out_of_memory },
};

TEST_MAIN("bedrock_runtime", tests)
