#include "server/base/log.h"

#include "server/base/buf.h"
#include "server/base/clock.h"
#include "server/base/mem.h"
#include "tests/support/json_compare.h"
#include "tests/support/test.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 4096 };

/* What was logged since log_to_pipe, at most one pipe full. */
static int pipe_ends[2] = { -1, -1 };

static bool log_to_pipe(enum log_level least, bool as_json)
{
    if (pipe(pipe_ends) != 0)
        return test_check(false, "no pipe", TEST_HERE);
    log_setup(least, as_json, pipe_ends[1]);
    return true;
}

/* One read gives one write, so that a line written in two parts would be seen. */
static struct span read_once(char *to, size_t size)
{
    ssize_t n = read(pipe_ends[0], to, size);

    return (struct span){ to, n > 0 ? (size_t)n : 0 };
}

static void close_pipe(void)
{
    log_setup(LOG_INFO_LEVEL, false, STDERR_FILENO);
    log_context(NULL);
    (void)close(pipe_ends[0]);
    (void)close(pipe_ends[1]);
}

static void text_lines(void)
{
    char bytes[8192] = "";
    struct span line;
    int64_t at_ms = 0;
    int64_t now_ms = clock_wall_ms();

    if (!log_to_pipe(LOG_INFO_LEVEL, false))
        return;
    errno = EBUSY;
    log_debug("not.shown", "a=%d", 1);
    log_info("job.done", "job=%d cause=%s", 7, LOGQ("it's\nover"));
    CHECK_I64(errno, EBUSY);
    line = read_once(bytes, sizeof bytes);
    CHECK(clock_parse_rfc3339(span_head(line, 24), &at_ms) && at_ms >= now_ms && at_ms <= clock_wall_ms());
    CHECK_SPAN(span_tail(line, 24), " INFO job.done job=7 cause='it\\'s\\nover'\n");

    log_context("request=r1 job=job_1");
    log_warn("a.b", "%s", "");
    line = read_once(bytes, sizeof bytes);
    CHECK_SPAN(span_tail(line, 24), " WARN a.b request=r1 job=job_1\n");
    log_error("a.c", "forged=%s", "x\n2026 ERROR forged\x1b[2J\r");
    line = read_once(bytes, sizeof bytes);
    CHECK_SPAN(span_tail(line, 24), " ERROR a.c forged=x 2026 ERROR forged [2J  request=r1 job=job_1\n");
    log_context(NULL);
    log_info("a.d", "%s", "");
    line = read_once(bytes, sizeof bytes);
    CHECK_SPAN(span_tail(line, 24), " INFO a.d\n");
    close_pipe();
}

static const char *member(json_t *line, const char *name)
{
    return json_string_value(json_object_get(line, name));
}

/* One line read and parsed; NULL where it is not one JSON object on one line. */
static json_t *read_json_line(void)
{
    char bytes[8192] = "";
    struct span line = read_once(bytes, sizeof bytes);

    CHECK(line.len > 0 && line.len <= LINE_MAX_BYTES && span_find(line, '\n') == line.len - 1);
    return json_loadb(line.ptr, line.len, JSON_REJECT_DUPLICATES, NULL);
}

static void json_lines(void)
{
    static const struct {
        const char *fields;
        const char *key;
        const char *want;
    } cases[] = {
        { "a=1", "a", "1" },
        { "a=1 b=two c=3", "b", "two" },
        { "a= b=2", "a", "" },
        { "a='x y' b=2", "a", "x y" },
        { "a='x y' b=2", "b", "2" },
        { "a='' b=2", "a", "" },
        { "a='b=c d=e'", "a", "b=c d=e" },
        { "a='it\\'s' b=2", "a", "it's" },
        { "a='\\n\\r\\t\\\\\\x1b\\xc3\\xa9'", "a", "\n\r\t\\\x1b\xC3\xA9" },
        { "a='open", "a", "open" },
        { "a='\\", "a", "\\" },
        { "a=b=c", "a", "b=c" },
        { "a=it's", "a", "it's" },
        { "word a=1", "text", "word" },
        { "=x", "text", "=x" },
        { "  a=1  ", "a", "1" },
        { "a=line\nfeed", "a", "line\nfeed" },
    };

    if (!log_to_pipe(LOG_DEBUG_LEVEL, true))
        return;
    log_context("request=r1");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *line = NULL;

        test_case("%s", cases[i].fields);
        log_debug("a.b", "%s", cases[i].fields);
        line = read_json_line();
        CHECK_TEXT(member(line, cases[i].key), cases[i].want);
        CHECK_TEXT(member(line, "level"), "debug");
        CHECK_TEXT(member(line, "event"), "a.b");
        CHECK_TEXT(member(line, "request"), "r1");
        CHECK_I64(strlen(member(line, "time") ? member(line, "time") : ""), 24);
        json_decref(line);
    }
    close_pipe();
}

/* Any text given to LOGQ comes back from the JSON form as it was (bytes that are no UTF-8 as U+FFFD), and is one word
 * of printable text in the text form. */
static void quoting_round_trip(void)
{
    static const char bytes[] = "ab ='\\\n\r\tnx1\x01\x1b\x7F\xC2\x9B\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xFF";
    uint64_t random = 11;
    int wrong = 0;

    if (!log_to_pipe(LOG_INFO_LEVEL, true))
        return;
    for (int i = 0; i < 5000; i++) {
        char in[60] = "";
        AUTO(buf_done) struct buf want = { .max = 1000 };
        json_t *line = NULL;
        const char *got = NULL;

        for (size_t k = random_below(&random, sizeof in); k > 0; k--)
            in[k - 1] = bytes[random_below(&random, sizeof bytes - 1)];
        in[sizeof in - 1] = '\0';
        (void)text_add_storable(&want, span_of(in));
        for (const char *c = LOGQ(in); *c; c++)
            wrong += (unsigned char)*c < 0x20 || *c == 0x7F ? 1 : 0;
        log_info("a.b", "before=1 text=%s after=2", LOGQ(in));
        line = read_json_line();
        got = member(line, "text");
        wrong += got && strcmp(got, buf_cstr(&want)) == 0 ? 0 : 1;
        wrong += member(line, "after") && strcmp(member(line, "after"), "2") == 0 ? 0 : 1;
        json_decref(line);
    }
    CHECK_I64(wrong, 0);
    close_pipe();
}

static void quote_ring(void)
{
    char big[1000] = "";
    const char *slots[8] = { NULL };
    const char digits[] = "01234567";

    for (size_t i = 0; i < 8; i++)
        slots[i] = LOGQ(((char[2]){ digits[i], '\0' }));
    for (size_t i = 0; i < 8; i++)
        CHECK_TEXT(slots[i], ((char[4]){ '\'', digits[i], '\'', '\0' }));
    CHECK_TEXT(LOGQ(NULL), "''");
    memset(big, 'x', sizeof big - 1);
    CHECK_I64(strlen(LOGQ(big)), 642);
    memset(big, '\x01', sizeof big - 1);
    CHECK_I64(strlen(LOGQ(big)), 2562);
    memset(big, 'x', 639);
    memcpy(big + 639, "\xC3\xA9", 2);
    CHECK_I64(strlen(LOGQ(big)), 641); /* the character that would be cut in two is left out */
}

/* Longer than a line may be: still one line, still JSON, context kept, and it says that something is missing. */
static void bounded(void)
{
    static char big[20000];
    char bytes[8192] = "";
    json_t *parsed = NULL;
    struct span line;

    memset(big, '"', sizeof big - 1);
    if (!log_to_pipe(LOG_INFO_LEVEL, false))
        return;
    log_context("request=r1");
    mem_fail_at(1); /* logging needs no memory */
    log_info("a.b", "first=1 big=%s", big);
    line = read_once(bytes, sizeof bytes);
    CHECK(line.len <= LINE_MAX_BYTES && span_ends(line, SPAN_LIT("\"\"... request=r1\n")));
    log_setup(LOG_INFO_LEVEL, true, pipe_ends[1]);
    log_info("a.b", "first=1 big=%s last=2", big);
    mem_fail_never();
    parsed = read_json_line();
    CHECK_TEXT(member(parsed, "first"), "1");
    CHECK_TEXT(member(parsed, "request"), "r1");
    CHECK(json_is_true(json_object_get(parsed, "truncated")));
    json_decref(parsed);
    close_pipe();
}

static void *log_in_thread(void *arg)
{
    log_context(arg);
    for (int i = 0; i < 50; i++)
        log_info("thread.line", "text=%s", LOGQ("some words"));
    return NULL;
}

/* Lines of several threads do not mix, and each carries its own thread's context. */
static void threads(void)
{
    pthread_t running[4];
    char contexts[4][16] = { "thread=0", "thread=1", "thread=2", "thread=3" };
    static char bytes[1 << 16];
    struct span all = { bytes, 0 };
    int lines_of[4] = { 0 };

    if (!log_to_pipe(LOG_INFO_LEVEL, false))
        return;
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&running[i], NULL, log_in_thread, contexts[i]) == 0);
    for (int i = 0; i < 4; i++)
        CHECK(pthread_join(running[i], NULL) == 0);
    all = read_once(bytes, sizeof bytes);
    while (all.len > 0) {
        struct span line = span_head(all, span_find(all, '\n'));

        for (int i = 0; i < 4; i++)
            lines_of[i] += span_ends(line, span_of(contexts[i])) && line.len < 100 ? 1 : 0;
        all = span_tail(all, line.len + 1);
    }
    for (int i = 0; i < 4; i++)
        CHECK_I64(lines_of[i], 50);
    close_pipe();
}

static const struct test tests[] = {
    { "text_lines", text_lines }, { "json_lines", json_lines }, { "quoting_round_trip", quoting_round_trip },
    { "quote_ring", quote_ring }, { "bounded", bounded },       { "threads", threads },
};

TEST_MAIN("log", tests)
