/* The rule of the smallest batch. */
#include "server/work/minimum.h"
#include "tests/support/test.h"

#include <string.h>

static const struct {
    long long selected, eligible, active, minimum;
    const char *mode;
    const char *code;  /* NULL: it may run */
    const char *words; /* must be among what is said */
} cases[] = {
    { 100, 100, 0, 100, "new", NULL, "" },
    { 101, 5000, 0, 100, "new", NULL, "" },
    { 1, 1, 0, 1, "all", NULL, "" },
    { 0, 0, 0, 100, "new", "no_eligible_videos", "eligible=false" },
    { 0, 0, 0, 1, "all", "no_eligible_videos", "no video that can be run" },
    { 0, 0, 0, 0, "all", "no_eligible_videos", "no video that can be run" },
    { 0, 0, 0, 100, "videos", "no_eligible_videos", "None of these videos" },
    { 0, 230, 0, 100, "new", "no_new_videos", "All 230 eligible videos" },
    { 0, 230, 0, 100, "failed", "no_failed_videos", "No video failed" },
    { 0, 0, 0, 100, "retry", "no_failed_videos", "No video failed" },
    { 60, 60, 0, 100, "new", "below_minimum", "add 40 more, or ask" },
    { 60, 60, 0, 100, "new", "below_minimum", "\"below_minimum\": \"wait\"" },
    { 60, 60, 0, 100, "videos", "below_minimum", "add 40 more, or ask with \"below_minimum\": \"on_demand\"" },
    { 0, 230, 200, 100, "new", "no_new_videos", "about 200 of the 230 eligible videos. Wait for it" },
    { 0, 5, 5, 100, "failed", "no_failed_videos", "Wait for it" },
    { 60, 260, 200, 100, "new", "below_minimum", "add 40 more, wait for the job that asks the same about 200 others" },
    { 99, 400, 0, 100, "new", "below_minimum", "add 1 more, take all 400 eligible ones" },
};

static void rule(void)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        AUTO(buf_done) struct buf words = { .max = 1024 };
        const struct minimum m = { cases[i].selected, cases[i].eligible, cases[i].active,
                                   cases[i].minimum,  cases[i].mode,     false };
        const char *code = minimum_refusal(&m, &words);

        test_case("%lld of %lld, at least %lld", cases[i].selected, cases[i].eligible, cases[i].minimum);
        CHECK((code == NULL) == (cases[i].code == NULL));
        if (code && cases[i].code)
            CHECK_TEXT(code, cases[i].code);
        CHECK(strstr(buf_cstr(&words), cases[i].words) != NULL);
        CHECK(code != NULL || words.len == 0);
        CHECK(cases[i].active == 0 || !strstr(buf_cstr(&words), "\"all\"")); /* they would be paid for twice */
    }
    test_case(NULL);
}

static void one_that_waits(void)
{
    AUTO(buf_done) struct buf words = { .max = 1024 };
    const struct minimum m = { .selected = 60, .eligible = 60, .minimum = 100, .select_mode = "new", .waits = true };

    CHECK_TEXT(minimum_refusal(&m, &words), "below_minimum");
    CHECK(strstr(buf_cstr(&words), "add 40 more. The job starts by itself") != NULL);
    CHECK(strstr(buf_cstr(&words), "or ask with") == NULL);
}

static const struct test tests[] = { { "rule", rule }, { "one that waits", one_that_waits } };
TEST_MAIN("minimum", tests)
