/* From an answer to its row. */
#include "server/work/answer.h"

#include "tests/support/test.h"

static const struct {
    const char *name;
    struct batch_line line;
    const char *state, *reason, *text, *summary, *thinking, *stop; /* NULL: SQL NULL */
} cases[] = {
    { "plain words",
      { .kind = BATCH_LINE_ANSWER, .text = SPAN_LIT("A dog."), .stop_reason = SPAN_LIT("end_turn") },
      "succeeded",
      NULL,
      "A dog.",
      NULL,
      NULL,
      "end_turn" },
    { "words with blanks around them",
      { .kind = BATCH_LINE_ANSWER, .text = SPAN_LIT(" A dog.\n") },
      "succeeded",
      NULL,
      " A dog.\n",
      "A dog.",
      NULL,
      NULL },
    { "thinking and an answer",
      { .kind = BATCH_LINE_ANSWER, .text = SPAN_LIT("<thinking>hm</thinking><answer>A dog.</answer>") },
      "succeeded",
      NULL,
      "<thinking>hm</thinking><answer>A dog.</answer>",
      "A dog.",
      "hm",
      NULL },
    { "nothing but thinking",
      { .kind = BATCH_LINE_ANSWER, .text = SPAN_LIT("<thinking>hm</thinking>") },
      "succeeded",
      NULL,
      "<thinking>hm</thinking>",
      "",
      "hm",
      NULL },
    { "no words", { .kind = BATCH_LINE_ANSWER }, "failed", "empty_answer", NULL, NULL, NULL, NULL },
    { "withheld",
      { .kind = BATCH_LINE_ANSWER, .stop_reason = SPAN_LIT("content_filtered") },
      "failed",
      "content_filtered",
      NULL,
      NULL,
      NULL,
      "content_filtered" },
    { "out of time",
      { .kind = BATCH_LINE_ERROR, .error_message = SPAN_LIT("late"), .error_code = 408, .error_expired = true },
      "failed",
      "expired",
      NULL,
      NULL,
      NULL,
      NULL },
    { "an error beside words",
      { .kind = BATCH_LINE_ERROR, .text = SPAN_LIT("A dog."), .error_message = SPAN_LIT("no"), .error_code = 400 },
      "failed",
      "bedrock",
      NULL,
      NULL,
      NULL,
      NULL },
};

static void check(struct span got, const char *want, const char *what)
{
    if (!want)
        CHECK_TEXT(got.ptr ? what : "", "");
    else if (CHECK(got.ptr != NULL))
        CHECK_SPAN(got, want);
}

static void rows(void)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct summary_new row = { .record_id = 7 };

        test_case("%s", cases[i].name);
        answer_to_summary(&cases[i].line, &row);
        CHECK_I64(row.record_id, 7);
        CHECK_TEXT(row.state, cases[i].state);
        check(row.error_reason, cases[i].reason, "reason");
        check(row.text, cases[i].text, "text");
        check(row.summary, cases[i].summary, "summary");
        check(row.thinking, cases[i].thinking, "thinking");
        check(row.stop_reason, cases[i].stop, "stop reason");
    }
    test_case(NULL);
}

static void numbers(void)
{
    const struct batch_line none = { .kind = BATCH_LINE_ANSWER, .input_tokens = -1, .output_tokens = -1 };
    const struct batch_line error = { .kind = BATCH_LINE_ERROR,
                                      .input_tokens = 0,
                                      .output_tokens = INT32_MAX,
                                      .error_code = 500,
                                      .error_retryable = true,
                                      .text_altered = true };
    struct summary_new row = { 0 };

    answer_to_summary(&none, &row);
    CHECK(!row.has_input_tokens && !row.has_output_tokens && !row.has_error_code && !row.has_error_retryable);
    row = (struct summary_new){ 0 };
    answer_to_summary(&error, &row);
    CHECK(row.has_input_tokens && row.has_output_tokens && row.has_error_code && row.has_error_retryable);
    CHECK_I64(row.input_tokens, 0);
    CHECK_I64(row.output_tokens, INT32_MAX);
    CHECK_I64(row.error_code, 500);
    CHECK(row.error_retryable && row.text_altered);
}

static const struct test tests[] = { { "rows", rows }, { "numbers", numbers } };

TEST_MAIN("answer", tests)
