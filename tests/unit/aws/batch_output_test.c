#include "aws/batch_output.h"

#include "server/base/buf.h"
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

static const size_t steps[] = { 1, 2, 3, 7, 64, 1 << 20 };
enum { STEP_COUNT = sizeof(steps) / sizeof(steps[0]) };

#define HEAD "{\"recordId\":\"r1\",\"modelInput\":{\"x\":[1,\"}\\\"\"]},"
#define OUT(content) "\"modelOutput\":{\"output\":{\"message\":{\"role\":\"assistant\",\"content\":" content "}}}"

static const struct {
    const char *name, *line;
    enum batch_line_kind kind;
    const char *text, *stop, *message, *code; /* code: of the problem */
    long long in, out, error_code;
    bool altered, retryable, expired;
} cases[] = {
    { "plain", HEAD OUT("[{\"text\":\"hi\"}]") "}", BATCH_LINE_ANSWER, "hi", "", "", "", -1, -1, 0, 0, 0, 0 },
    { "modelOutput first, recordId last", "{" OUT("[{\"text\":\"a\"}]") ",\"modelInput\":{},\"recordId\":\"r1\"}",
      BATCH_LINE_ANSWER, "a", "", "", "", -1, -1, 0, 0, 0, 0 },
    { "blanks everywhere",
      " { \"recordId\" : \"r1\" , \"modelOutput\" : { \"usage\" : { \"inputTokens\" : 5 } } } \t\r", BATCH_LINE_ANSWER,
      "", "", "", "", 5, -1, 0, 0, 0, 0 },
    { "reasoning is skipped, text blocks are joined",
      HEAD OUT("[{\"reasoningContent\":{\"reasoningText\":{\"text\":\"[REDACTED]\"}}},{\"text\":\"a\"},{\"text\":\"b\"}"
               ",7]") "}",
      BATCH_LINE_ANSWER, "ab", "", "", "", -1, -1, 0, 0, 0, 0 },
    { "stop reason and usage",
      HEAD "\"modelOutput\":{\"stopReason\":\"max_tokens\",\"usage\":{\"inputTokens\":2147483647,\"outputTokens\":3.0,"
           "\"totalTokens\":9}}}",
      BATCH_LINE_ANSWER, "", "max_tokens", "", "", 2147483647, 3, 0, 0, 0, 0 },
    { "token counts beyond 32 and 64 bits",
      HEAD OUT("[{\"text\":\"t\"}]") ",\"modelOutput\":{\"output\":{\"message\":{\"content\":[{\"text\":\"t\"}]}},"
                                     "\"usage\":{\"inputTokens\":9223372036854775808,\"outputTokens\":2147483648}}}",
      BATCH_LINE_ANSWER, "t", "", "", "", -1, -1, 0, 0, 0, 0 },
    { "a token count beyond double, one below zero",
      HEAD "\"modelOutput\":{\"usage\":{\"inputTokens\":5,\"inputTokens\":1e400,\"outputTokens\":-1e400}}}",
      BATCH_LINE_ANSWER, "", "", "", "", -1, -1, 0, 0, 0, 0 },
    { "blocked answer", HEAD "\"modelOutput\":{\"error\":\"blocked by filters\",\"stopReason\":\"content_filtered\"}}",
      BATCH_LINE_ANSWER, "", "content_filtered", "blocked by filters", "", -1, -1, 0, 0, 0, 0 },
    { "escapes", HEAD OUT("[{\"text\":\"\\u00e9\\ud83d\\ude00\\n\\\"\"}]") "}", BATCH_LINE_ANSWER,
      "\xc3\xa9\xf0\x9f\x98\x80\n\"", "", "", "", -1, -1, 0, 0, 0, 0 },
    { "NUL and half a surrogate become U+FFFD", HEAD OUT("[{\"text\":\"a\\u0000b\\ud800c\"}]") "}", BATCH_LINE_ANSWER,
      "a\xef\xbf\xbd"
      "b\xef\xbf\xbd"
      "c",
      "", "", "", -1, -1, 0, true, 0, 0 },
    { "an altered text that is overruled", HEAD OUT("[{\"text\":\"\\u0000\",\"text\":\"ok\"}]") "}", BATCH_LINE_ANSWER,
      "ok", "", "", "", -1, -1, 0, 0, 0, 0 },
    { "altered elsewhere is not altered text",
      "{\"recordId\":\"r1\",\"\\u0000\":1,\"modelOutput\":{\"stopReason\":\"\\u0000\"}}", BATCH_LINE_ANSWER, "",
      "\xef\xbf\xbd", "", "", -1, -1, 0, 0, 0, 0 },
    { "the last of two outputs counts",
      HEAD OUT("[{\"text\":\"old\"}]") ",\"modelOutput\":{\"stopReason\":\"end_turn\"}}", BATCH_LINE_ANSWER, "",
      "end_turn", "", "", -1, -1, 0, 0, 0, 0 },
    { "the last of two contents counts",
      HEAD
      "\"modelOutput\":{\"output\":{\"message\":{\"content\":[{\"text\":\"old\"}],\"content\":[{\"text\":\"new\"}]}}}}",
      BATCH_LINE_ANSWER, "new", "", "", "", -1, -1, 0, 0, 0, 0 },
    { "error", HEAD "\"error\":{\"errorCode\":400,\"errorMessage\":\"no\",\"expired\":true,\"retryable\":true}}",
      BATCH_LINE_ERROR, "", "", "no", "", -1, -1, 400, 0, true, true },
    { "error first, code in a string", "{\"error\":{\"errorCode\":\"429\"},\"recordId\":\"r1\"}", BATCH_LINE_ERROR, "",
      "", "", "", -1, -1, 429, 0, 0, 0 },
    { "error with words as its code", HEAD "\"error\":{\"errorCode\":\"Bad\",\"errorMessage\":5,\"retryable\":\"x\"}}",
      BATCH_LINE_ERROR, "", "", "", "", -1, -1, 0, 0, 0, 0 },
    { "error with a code beyond double", HEAD "\"error\":{\"errorCode\":1e400,\"errorMessage\":\"no\"}}",
      BATCH_LINE_ERROR, "", "", "no", "", -1, -1, 0, 0, 0, 0 },
    { "error that is text", HEAD "\"error\":\"Internal error\"}", BATCH_LINE_ERROR, "", "", "Internal error", "", -1,
      -1, 0, 0, 0, 0 },
    { "text as the last of two errors", HEAD "\"error\":{\"errorCode\":400,\"retryable\":true},\"error\":\"\"}",
      BATCH_LINE_ERROR, "", "", "", "", -1, -1, 0, 0, 0, 0 },
    { "error that is a number", HEAD "\"error\":500}", BATCH_LINE_MALFORMED, "", "", "", "bad_result", 0, 0, 0, 0, 0,
      0 },
    { "null error beside an answer", HEAD OUT("[]") ",\"error\":null}", BATCH_LINE_ANSWER, "", "", "", "", -1, -1, 0, 0,
      0, 0 },
    { "null answer beside an error", HEAD "\"modelOutput\":null,\"error\":{}}", BATCH_LINE_ERROR, "", "", "", "", -1,
      -1, 0, 0, 0, 0 },
    { "an error overrules an answer", HEAD OUT("[{\"text\":\"t\"}]") ",\"error\":{\"errorCode\":500}}",
      BATCH_LINE_ERROR, "t", "", "", "", -1, -1, 500, 0, 0, 0 },
    { "wrong types count as absent",
      HEAD "\"modelOutput\":{\"output\":{\"message\":{\"content\":{\"text\":\"t\"}}},\"usage\":[],\"stopReason\":1}}",
      BATCH_LINE_ANSWER, "", "", "", "", -1, -1, 0, 0, 0, 0 },
    { "no record id", "{" OUT("[]") "}", BATCH_LINE_MALFORMED, "", "", "", "no_record_id", 0, 0, 0, 0, 0, 0 },
    { "a record id that is a number", "{\"recordId\":1," OUT("[]") "}", BATCH_LINE_MALFORMED, "", "", "",
      "no_record_id", 0, 0, 0, 0, 0, 0 },
    { "no result", "{\"recordId\":\"r1\"}", BATCH_LINE_MALFORMED, "", "", "", "no_result", 0, 0, 0, 0, 0, 0 },
    { "a result that is no object", HEAD "\"modelOutput\":\"x\"}", BATCH_LINE_MALFORMED, "", "", "", "bad_result", 0, 0,
      0, 0, 0, 0 },
    { "not an object", "[1,2]", BATCH_LINE_MALFORMED, "", "", "", "json_syntax", 0, 0, 0, 0, 0, 0 },
    { "not JSON", "hello", BATCH_LINE_MALFORMED, "", "", "", "json_syntax", 0, 0, 0, 0, 0, 0 },
    { "two values", HEAD OUT("[]") "} {}", BATCH_LINE_MALFORMED, "", "", "", "json_syntax", 0, 0, 0, 0, 0, 0 },
    { "cut in an object", "{\"recordId\":\"r1\",\"modelInput\":{", BATCH_LINE_MALFORMED, "", "", "", "json_syntax", 0,
      0, 0, 0, 0, 0 },
    { "cut in a skipped string", "{\"recordId\":\"r1\",\"modelInput\":{\"a\":\"bcd", BATCH_LINE_MALFORMED, "", "", "",
      "json_syntax", 0, 0, 0, 0, 0, 0 },
    { "cut after a backslash in a skipped string", "{\"modelInput\":\"bcd\\", BATCH_LINE_MALFORMED, "", "", "",
      "json_syntax", 0, 0, 0, 0, 0, 0 },
    { "cut in a taken string", "{\"recordId\":\"r", BATCH_LINE_MALFORMED, "", "", "", "json_syntax", 0, 0, 0, 0, 0, 0 },
    { "cut in a name", "{\"recor", BATCH_LINE_MALFORMED, "", "", "", "json_syntax", 0, 0, 0, 0, 0, 0 },
    { "cut in an escape", HEAD OUT("[{\"text\":\"\\u12"), BATCH_LINE_MALFORMED, "", "", "", "json_syntax", 0, 0, 0, 0,
      0, 0 },
    { "cut in a number", "{\"recordId\":\"r1\",\"error\":{\"errorCode\":4", BATCH_LINE_MALFORMED, "", "", "",
      "json_syntax", 0, 0, 0, 0, 0, 0 },
    { "bad UTF-8 in the text", HEAD OUT("[{\"text\":\"\xff\"}]") "}", BATCH_LINE_MALFORMED, "", "", "", "json_syntax",
      0, 0, 0, 0, 0, 0 },
};
enum { CASE_COUNT = sizeof(cases) / sizeof(cases[0]) };

static void check_case(size_t i, const struct batch_line *line)
{
    CHECK_I64(line->kind, cases[i].kind);
    if (cases[i].kind == BATCH_LINE_MALFORMED) {
        CHECK_TEXT(line->problem.code, cases[i].code);
        CHECK(line->problem.what[0] != '\0');
        return;
    }
    CHECK_SPAN(line->record_id, "r1");
    CHECK_SPAN(line->text, cases[i].text);
    CHECK_SPAN(line->stop_reason, cases[i].stop);
    CHECK_SPAN(line->error_message, cases[i].message);
    CHECK_I64(line->input_tokens, cases[i].in);
    CHECK_I64(line->output_tokens, cases[i].out);
    CHECK_I64(line->error_code, cases[i].error_code);
    CHECK(line->text_altered == cases[i].altered);
    CHECK(line->error_retryable == cases[i].retryable);
    CHECK(line->error_expired == cases[i].expired);
}

/* Its head is what stands in the file, wherever the pieces end. */
static void check_head(const struct batch_output *out, const struct batch_line *line, struct span file, int64_t from)
{
    const struct span rest = span_tail(file, (size_t)(line->offset - from));
    const size_t bytes = (size_t)(line->next_offset - line->offset);

    CHECK(span_eq(batch_output_head(out, line), span_head(rest, bytes < BATCH_LINE_HEAD ? bytes : BATCH_LINE_HEAD)));
}

/* All cases in one file, cut into pieces of every size: a failing line never costs the one after it. */
static void all_lines_in_one_file(void)
{
    AUTO(buf_done) struct buf file = { 0 };
    size_t starts[CASE_COUNT + 1];

    buf_init(&file, 1 << 20);
    for (size_t i = 0; i < CASE_COUNT; i++) {
        starts[i] = file.len;
        buf_text(&file, cases[i].line);
        buf_char(&file, '\n');
    }
    starts[CASE_COUNT] = file.len;
    for (size_t s = 0; s < STEP_COUNT; s++) {
        struct source source = { buf_view(&file), steps[s], false };
        struct err err = { 0 };
        struct batch_output *out = batch_output_new(0, more, &source, &err);
        struct batch_line line;
        bool eof = false;

        for (size_t i = 0; i < CASE_COUNT; i++) {
            test_case("%s, pieces of %zu", cases[i].name, steps[s]);
            if (!CHECK(batch_output_next(out, &line, &eof, &err)) || !CHECK(!eof))
                break;
            CHECK_I64(line.offset, starts[i] + strspn(cases[i].line, " "));
            CHECK_I64(line.next_offset, starts[i + 1]);
            check_head(out, &line, buf_view(&file), 0);
            check_case(i, &line);
        }
        CHECK(batch_output_next(out, &line, &eof, &err) && eof);
        batch_output_free(out);
    }
    test_case(NULL);
}

/* Each case as a last line without a line feed, read from an offset of its own. */
static void last_line_without_line_feed(void)
{
    for (size_t i = 0; i < CASE_COUNT; i++) {
        struct source source = { span_of(cases[i].line), 5, false };
        struct err err = { 0 };
        struct batch_output *out = batch_output_new(1000, more, &source, &err);
        struct batch_line line;
        bool eof = false;

        test_case("%s", cases[i].name);
        if (CHECK(batch_output_next(out, &line, &eof, &err)) && CHECK(!eof)) {
            check_case(i, &line);
            CHECK_I64(line.next_offset, 1000 + strlen(cases[i].line));
            check_head(out, &line, span_of(cases[i].line), 1000);
            CHECK(batch_output_next(out, &line, &eof, &err) && eof);
        }
        batch_output_free(out);
    }
    test_case(NULL);
}

/* A byte order mark costs nothing at the start of the file, cut anywhere; it is no blank elsewhere, and half of one is
 * none. */
static void byte_order_mark(void)
{
#define MARK "\xef\xbb\xbf"
#define RECORD "{\"recordId\":\"r1\",\"modelOutput\":{}}\n"
    static const struct {
        const char *file;
        int64_t offset;
        int answers, malformed;
        int64_t first; /* offset of the first line */
    } rows[] = {
        { MARK RECORD RECORD, 0, 2, 0, 3 },
        { MARK "\n" RECORD, 0, 1, 0, 4 },
        { MARK, 0, 0, 0, -1 },
        { RECORD MARK RECORD, 0, 1, 1, 0 },
        { MARK RECORD RECORD, 1000, 1, 1, 1000 },
        { MARK MARK RECORD RECORD, 0, 1, 1, 3 },
        { "\xef\xbb" RECORD RECORD, 0, 1, 1, 0 },
        { "\xef", 0, 0, 1, 0 },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (size_t step = 1; step <= 4; step++) {
            struct source source = { span_of(rows[i].file), step, false };
            struct err err = { 0 };
            struct batch_output *out = batch_output_new(rows[i].offset, more, &source, &err);
            struct batch_line line;
            int64_t first = -1;
            int count[3] = { 0 };
            bool eof = false;

            test_case("row %zu, pieces of %zu", i, step);
            while (CHECK(batch_output_next(out, &line, &eof, &err)) && !eof) {
                first = first < 0 ? line.offset : first;
                count[line.kind]++;
            }
            CHECK_I64(count[BATCH_LINE_ANSWER], rows[i].answers);
            CHECK_I64(count[BATCH_LINE_MALFORMED], rows[i].malformed);
            CHECK_I64(first, rows[i].first);
            batch_output_free(out);
        }
    }
    test_case(NULL);
}

static void limits(void)
{
    static const struct {
        const char *name, *before, *after;
        size_t fill;
        enum batch_line_kind kind;
        size_t kept; /* of error_message or stop_reason */
    } rows[] = {
        { "longest record id", "{\"modelOutput\":{},\"recordId\":\"", "\"}", 256, BATCH_LINE_ANSWER, 0 },
        { "record id too long", "{\"modelOutput\":{},\"recordId\":\"", "\"}", 257, BATCH_LINE_MALFORMED, 0 },
        { "longest text", HEAD "\"modelOutput\":{\"output\":{\"message\":{\"content\":[{\"text\":\"", "\"}]}}}}",
          4 << 20, BATCH_LINE_ANSWER, 0 },
        { "text too long", HEAD "\"modelOutput\":{\"output\":{\"message\":{\"content\":[{\"text\":\"", "\"}]}}}}",
          (4 << 20) + 1, BATCH_LINE_MALFORMED, 0 },
        { "error message cut", HEAD "\"error\":{\"errorMessage\":\"", "\"}}", 10000, BATCH_LINE_ERROR, 8192 },
        { "stop reason cut", HEAD "\"modelOutput\":{\"stopReason\":\"", "\"}}", 100, BATCH_LINE_ANSWER, 64 },
        { "long unknown name", HEAD "\"modelOutput\":{\"", "\":1}}", 4000, BATCH_LINE_ANSWER, 0 },
        { "skipped value beyond all limits", "{\"recordId\":\"r1\",\"modelInput\":\"", "\",\"modelOutput\":{}}",
          9 << 20, BATCH_LINE_ANSWER, 0 },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        AUTO(buf_done) struct buf file = { 0 };
        struct source source = { .step = 65536 };
        struct err err = { 0 };
        struct batch_output *out = batch_output_new(0, more, &source, &err);
        struct batch_line line;
        bool eof = false;

        test_case("%s", rows[i].name);
        buf_init(&file, 16 << 20);
        buf_text(&file, rows[i].before);
        for (size_t n = 0; n < rows[i].fill; n++)
            buf_char(&file, 'x');
        buf_text(&file, rows[i].after);
        buf_text(&file, "\n{\"recordId\":\"next\",\"modelOutput\":{}}\n");
        source.rest = buf_view(&file);
        if (CHECK(batch_output_next(out, &line, &eof, &err)) && CHECK_I64(line.kind, rows[i].kind)) {
            if (rows[i].kept > 0)
                CHECK_I64(line.error_message.len + line.stop_reason.len, rows[i].kept);
            if (rows[i].kind == BATCH_LINE_MALFORMED)
                CHECK_TEXT(line.problem.code, "json_too_long");
        }
        CHECK(batch_output_next(out, &line, &eof, &err));
        CHECK_SPAN(line.record_id, "next");
        batch_output_free(out);
    }
    test_case(NULL);
}

/* A source that breaks is not the file's fault: no line is called malformed for it. */
static void broken_source(void)
{
    const char file[] =
        MARK "{\"recordId\":\"r1\",\"modelOutput\":{}}\n{\"recordId\":\"r2\",\"modelOutput\":{\"output\":{\"message\":"
             "{\"content\":[{\"text\":\"abc\\u0041\"}]}}}}\nnot json at all\n";

    for (size_t len = 0; len < sizeof(file) - 1; len++) {
        struct source source = { { file, len }, 3, true };
        struct err err = { 0 };
        struct batch_output *out = batch_output_new(0, more, &source, &err);
        struct batch_line line;
        bool eof = false;

        test_case("broken after %zu bytes", len);
        while (batch_output_next(out, &line, &eof, &err))
            if (!CHECK(!eof) || !CHECK(line.next_offset <= (long long)len))
                break;
        CHECK_I64(err.kind, ERR_UPSTREAM);
        CHECK_TEXT(err.what, "the source broke");
        batch_output_free(out);
    }
    test_case(NULL);
}

/* A modelOutput alone, as InvokeModel answers it. */
static const struct {
    const char *body, *text, *stop, *message, *code; /* code: of the failure */
    long long in, out;
} answers[] = {
    { "{\"output\":{\"message\":{\"content\":[{\"reasoningContent\":{}},{\"text\":\"a\"},{\"text\":\"b\"}]}},"
      "\"stopReason\":\"end_turn\",\"usage\":{\"inputTokens\":3,\"outputTokens\":4}}",
      "ab", "end_turn", "", "", 3, 4 },
    { " {\n \"output\" : {\n \"message\":{\"content\":[{\"text\":\"lines\"}]}}}\n", "lines", "", "", "", -1, -1 },
    { "{\"stopReason\":\"content_filtered\",\"error\":\"blocked\"}", "", "content_filtered", "blocked", "", -1, -1 },
    { "{}", "", "", "", "", -1, -1 },
    { "{\"recordId\":\"x\",\"modelOutput\":{\"stopReason\":\"no\"}}", "", "", "", "", -1, -1 },
    { "", "", "", "", "bad_answer", -1, -1 },
    { "null", "", "", "", "bad_answer", -1, -1 },
    { "\"text\"", "", "", "", "bad_answer", -1, -1 },
    { "{\"output\":{\"message\":{\"content\":[{\"text\":\"cut", "", "", "", "bad_answer", -1, -1 },
    { "{} {}", "", "", "", "bad_answer", -1, -1 },
};

static void answers_alone(void)
{
    struct err none = { 0 };
    struct batch_output *out = batch_output_new(0, NULL, NULL, &none);

    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        struct batch_line line = { 0 };
        struct err err = { 0 };
        const bool ok = batch_output_answer(out, span_of(answers[i].body), &line, &err);

        test_case("%s", answers[i].body);
        CHECK_TEXT(err.code, answers[i].code);
        CHECK_I64(ok, answers[i].code[0] == '\0');
        if (!ok)
            continue;
        CHECK_I64(line.kind, BATCH_LINE_ANSWER);
        CHECK_SPAN(line.text, answers[i].text);
        CHECK_SPAN(line.stop_reason, answers[i].stop);
        CHECK_SPAN(line.error_message, answers[i].message);
        CHECK_I64(line.input_tokens, answers[i].in);
        CHECK_I64(line.output_tokens, answers[i].out);
    }
    test_case(NULL);
    batch_output_free(out);
}

/* Every allocation fails once: the reader says "memory", never "malformed". */
static void out_of_memory(void)
{
    const struct span file = SPAN_LIT(HEAD OUT("[{\"text\":\"some words\"}]") ",\"error\":{\"errorMessage\":\"m\"}}\n");
    bool done = false;

    for (unsigned n = 1; !done && n < 100; n++) {
        struct source source = { file, 1000, false };
        struct err err = { 0 };
        struct batch_line line = { 0 };
        bool eof = false;
        struct batch_output *out = NULL;

        test_case("allocation %u", n);
        mem_fail_at(n);
        out = batch_output_new(0, more, &source, &err);
        done = out && batch_output_next(out, &line, &eof, &err);
        mem_fail_never();
        if (done)
            CHECK_I64(line.kind, BATCH_LINE_ERROR);
        else
            CHECK_I64(err.kind, ERR_MEMORY);
        batch_output_free(out);
    }
    CHECK(done);
    test_case(NULL);
}

static const struct test tests[] = {
    { "all_lines_in_one_file", all_lines_in_one_file },
    { "last_line_without_line_feed", last_line_without_line_feed },
    { "byte_order_mark", byte_order_mark },
    { "limits", limits },
    { "broken_source", broken_source },
    { "answers_alone", answers_alone },
    { "out_of_memory", out_of_memory },
};

TEST_MAIN("batch_output", tests)
