/* What other tools' lines say of records and videos. */
#include "aws/batch_echo.h"

#include "server/base/mem.h"
#include "tests/support/test.h"

#include <string.h>

/* Gives the text in pieces of `step` bytes, so that tokens are cut everywhere. */
struct source {
    struct span rest;
    size_t step;
    bool fails_at_end;
};

static bool more(void *arg, struct span *piece, struct err *err)
{
    struct source *s = arg;

    if (s->rest.len == 0 && s->fails_at_end)
        return err_set(err, ERR_UPSTREAM, true, HERE, "the source broke");
    *piece = span_head(s->rest, s->step);
    s->rest = span_tail(s->rest, piece->len);
    return true;
}

static const size_t steps[] = { 1, 3, 64, 1 << 20 };
enum { STEP_COUNT = sizeof steps / sizeof steps[0] };

#define VIDEO(uri)                                                                                                     \
    "{\"video\":{\"format\":\"mp4\",\"source\":{\"s3Location\":{\"uri\":\"" uri "\",\"bucketOwner\":\"1\"}}}}"
#define INPUT(blocks, more) "\"modelInput\":{\"messages\":[{\"role\":\"user\",\"content\":[" blocks "]}]" more "}"

static const struct {
    const char *name, *line;
    bool malformed, has_bytes;
    const char *id, *uri, *prompt, *system;
    int64_t max_tokens, top_k; /* -1: none */
    double temperature, top_p; /* -1: none */
} cases[] = {
    { "an input line, video first", "{\"recordId\":\"r\"," INPUT(VIDEO("s3://b/k") ",{\"text\":\"ask\"}", "") "}",
      false, false, "r", "s3://b/k", "ask", "", -1, -1, -1, -1 },
    { "an output line in another order",
      "{\"modelOutput\":{\"output\":[{\"text\":\"no\"}]}," INPUT("{\"text\":\"ask\"}," VIDEO("s3://b/k"),
                                                                 "") ",\"error\":{},\"recordId\":\"file-1:x \\u00fc\"}",
      false, false, "file-1:x \xc3\xbc", "s3://b/k", "ask", "", -1, -1, -1, -1 },
    { "parameters and system",
      "{\"recordId\":\"r\"," INPUT(
          VIDEO("s3://b/k"), ",\"system\":[{\"text\":\"be\"},{\"text\":\"brief\"}],\"inferenceConfig\":{\"maxTokens\":"
                             "600,\"temperature\":0.25,\"topP\":1e-1,\"topK\":0,\"stopSequences\":[\"x\"]}") "}",
      false, false, "r", "s3://b/k", "", "be\nbrief", 600, 0, 0.25, 0.1 },
    { "Converse",
      "{\"recordId\":\"r\"," INPUT(VIDEO("s3://b/k"),
                                   ",\"additionalModelRequestFields\":{\"inferenceConfig\":{\"topK\":9}}") "}",
      false, false, "r", "s3://b/k", "", "", -1, 9, -1, -1 },
    { "parameters beyond what a model takes",
      "{\"recordId\":\"r\"," INPUT(
          "", ",\"inferenceConfig\":{\"maxTokens\":2147483648,\"temperature\":1.5,\"topP\":-1,\"topK\":"
              "\"many\"}") "}",
      false, false, "r", "", "", "", -1, -1, -1, -1 },
    { "the first of two videos, texts joined",
      "{\"recordId\":\"r\"," INPUT("{\"text\":\"a\"}," VIDEO("s3://b/1") "," VIDEO("s3://b/2") ",{\"text\":\"b\"}",
                                   "") "}",
      false, false, "r", "s3://b/1", "a\nb", "", -1, -1, -1, -1 },
    { "a video in the line", "{\"recordId\":\"r\"," INPUT("{\"video\":{\"source\":{\"bytes\":\"QUJD\"}}}", "") "}",
      false, true, "r", "", "", "", -1, -1, -1, -1 },
    { "no recordId, no modelInput", "{\"other\":[1,{}]}", false, false, "", "", "", "", -1, -1, -1, -1 },
    { "shapes that nobody sends",
      "{\"recordId\":7,\"modelInput\":{\"messages\":{\"content\":1},\"system\":\"s\",\"inferenceConfig\":[]}}", false,
      false, "", "", "", "", -1, -1, -1, -1 },
    { "of two inputs the last counts",
      "{\"recordId\":\"a\"," INPUT(
          VIDEO("s3://b/1") ",{\"text\":\"x\"}",
          ",\"inferenceConfig\":{\"maxTokens\":5}") ",\"recordId\":\"b\"," INPUT(VIDEO("s3://b/2"), "") "}",
      false, false, "b", "s3://b/2", "", "", -1, -1, -1, -1 },
    { "NUL and half a character become U+FFFD", "{\"recordId\":\"\\u0000\\ud800\"}", false, false,
      "\xef\xbf\xbd\xef\xbf\xbd", "", "", "", -1, -1, -1, -1 },
    { "no object", "[]", true, false, "", "", "", "", -1, -1, -1, -1 },
    { "no JSON", "{\"recordId\":\"r\"", true, false, "", "", "", "", -1, -1, -1, -1 },
    { "something behind it", "{} x", true, false, "", "", "", "", -1, -1, -1, -1 },
};

static void check_inference(size_t i, const struct batch_inference *got)
{
    CHECK_I64(got->has_max_tokens ? got->max_tokens : -1, cases[i].max_tokens);
    CHECK_I64(got->has_top_k ? got->top_k : -1, cases[i].top_k);
    CHECK((got->has_temperature ? got->temperature : -1) == cases[i].temperature);
    CHECK((got->has_top_p ? got->top_p : -1) == cases[i].top_p);
}

static void lines_one_by_one(void)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (size_t s = 0; s < STEP_COUNT; s++) {
            AUTO(buf_done) struct buf file = { .max = 65536 };
            struct source source = { .step = steps[s] };
            struct batch_echo_line line;
            struct batch_echo *echo;
            struct err err = { 0 };
            bool eof = false;

            test_case("%s, in pieces of %d", cases[i].name, (int)steps[s]);
            buf_fmt(&file, "%s\n{\"recordId\":\"next\"}", cases[i].line);
            source.rest = buf_view(&file);
            echo = batch_echo_new(0, more, &source, &err);
            if (!CHECK(echo && batch_echo_next(echo, &line, &eof, &err) && !eof))
                return;
            CHECK(line.malformed == cases[i].malformed);
            CHECK(line.malformed == (line.problem.kind != ERR_NONE));
            CHECK(line.has_bytes == cases[i].has_bytes || line.malformed);
            CHECK_SPAN(line.record_id, cases[i].id);
            CHECK_SPAN(line.video_uri, cases[i].uri);
            CHECK_SPAN(line.prompt, cases[i].prompt);
            CHECK_SPAN(line.system, cases[i].system);
            if (!line.malformed)
                check_inference(i, &line.inference);
            CHECK_I64(line.next_offset, (int64_t)strlen(cases[i].line) + 1);
            /* however broken, the next line is read as if nothing had happened */
            CHECK(batch_echo_next(echo, &line, &eof, &err) && !eof);
            CHECK_SPAN(line.record_id, "next");
            CHECK(batch_echo_next(echo, &line, &eof, &err) && eof);
            batch_echo_free(echo);
        }
    test_case(NULL);
}

static void limits(void)
{
    static const struct {
        size_t id_len, uri_len;
        bool malformed;
    } sizes[] = { { 256, 10, false }, { 257, 10, true }, { 1, 1100, false }, { 1, 1101, true } };

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        AUTO(buf_done) struct buf file = { .max = 65536 };
        struct source source = { .step = 7 };
        struct batch_echo_line line;
        struct batch_echo *echo;
        struct err err = { 0 };
        bool eof = false;

        test_case("id %d, uri %d", (int)sizes[i].id_len, (int)sizes[i].uri_len);
        buf_text(&file, "{\"recordId\":\"");
        for (size_t n = 0; n < sizes[i].id_len; n++)
            buf_char(&file, 'i');
        buf_text(&file,
                 "\",\"modelInput\":{\"messages\":[{\"content\":[{\"video\":{\"source\":{\"s3Location\":{\"uri\":\"");
        for (size_t n = 0; n < sizes[i].uri_len; n++)
            buf_char(&file, 'u');
        buf_text(&file, "\"}}}}]}]}}\n");
        source.rest = buf_view(&file);
        echo = batch_echo_new(0, more, &source, &err);
        if (CHECK(echo && batch_echo_next(echo, &line, &eof, &err) && !eof))
            CHECK(line.malformed == sizes[i].malformed);
        batch_echo_free(echo);
    }
    test_case(NULL);
}

static void a_source_that_breaks_is_no_malformed_line(void)
{
    struct source source = { .rest = SPAN_LIT("{\"recordId\":\"r\""), .step = 4, .fails_at_end = true };
    struct batch_echo_line line;
    struct err err = { 0 };
    struct batch_echo *echo = batch_echo_new(0, more, &source, &err);
    bool eof = false;

    CHECK(echo && !batch_echo_next(echo, &line, &eof, &err));
    CHECK(err.kind == ERR_UPSTREAM && err.retryable);
    batch_echo_free(echo);
}

static void every_allocation_fails_once(void)
{
    struct source source;
    struct batch_echo_line line;
    bool eof = false;

    for (long n = 1; n < 200; n++) {
        struct batch_echo *echo;
        struct err err = { 0 };
        bool ok;

        source = (struct source){ .rest = span_of(cases[2].line), .step = 1 << 20 };
        mem_fail_at((uint64_t)n);
        echo = batch_echo_new(0, more, &source, &err);
        ok = echo && batch_echo_next(echo, &line, &eof, &err);
        mem_fail_never();
        batch_echo_free(echo);
        if (ok)
            return;
        CHECK(err.kind == ERR_MEMORY);
    }
    CHECK(!"it never succeeded");
}

static const struct test tests[] = {
    { "lines one by one", lines_one_by_one },
    { "limits", limits },
    { "a source that breaks is no malformed line", a_source_that_breaks_is_no_malformed_line },
    { "every allocation fails once", every_allocation_fails_once },
};
TEST_MAIN("aws/batch_echo", tests)
