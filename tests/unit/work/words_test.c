/* What a Bedrock job's end means, in words. */
#include "server/base/text.h"
#include "server/work/step.h"
#include "tests/support/test.h"

#include <string.h>

static const struct {
    const char *status, *message;
    const char *says; /* must be among the words */
} cases[] = {
    { "Failed", "Customer doesn't have permissions to invokeModel", "bedrock:InvokeModel" },
    { "Failed", "Batch job contains less records (3) than the required minimum of: 100", "at least as many videos" },
    { "Failed", "something new", "as Failed: something new" },
    { "Failed", NULL, "as Failed" },
    { "Failed", "Customer doesn't have permissions to invokeModel", "invokeModel. Give" },
    { "Failed", "Customer doesn't have permissions to invokeModel.", "invokeModel. Give" },
    { "Expired", "", "VIDBATCH_JOB_TIMEOUT_HOURS" },
    { "PartiallyCompleted", "", "run the missing records again" },
    { "Stopped", "", "Somebody stopped the job" },
    { "NotFound", "Bedrock does not know this job any more", "run the missing records again" },
};

static void says_what_to_do(void)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        AUTO(buf_done) struct buf words = { .max = 4096 };

        test_case("%s, %s", cases[i].status, cases[i].message ? cases[i].message : "no message");
        bedrock_end_words(cases[i].status, cases[i].message, &words);
        CHECK(strstr(buf_cstr(&words), cases[i].says) != NULL);
    }
    test_case(NULL);
}

/* PostgreSQL refuses text that is cut inside a character. */
static void a_long_message_is_cut_between_characters(void)
{
    for (size_t shift = 0; shift < 4; shift++) {
        AUTO(buf_done) struct buf message = { .max = 4096 };
        AUTO(buf_done) struct buf words = { .max = 4096 };

        for (size_t i = 0; i < shift; i++)
            buf_char(&message, 'a');
        while (message.len < 2040)
            buf_text(&message, "\xf0\x9f\x8e\xac");
        bedrock_end_words("Failed", buf_cstr(&message), &words);
        test_case("shifted by %d", (int)shift);
        CHECK(buf_ok(&words) && words.len > 1400);
        CHECK(text_is_utf8(buf_view(&words)));
    }
    test_case(NULL);
}

static const struct test tests[] = {
    { "says what to do", says_what_to_do },
    { "a long message is cut between characters", a_long_message_is_cut_between_characters },
};
TEST_MAIN("words", tests)
