/* Which folder holds imported videos, and what the folder of a Bedrock job looks like. */
#include "server/work/import.h"
#include "tests/support/test.h"

static void the_deepest_common_folder(void)
{
    static const struct {
        const char *first, *last, *folder;
    } cases[] = {
        { "a/b/1.mp4", "a/b/2.mp4", "a/b/" },
        { "a/b/1.mp4", "a/c/2.mp4", "a/" },
        { "1.mp4", "2.mp4", "" },
        { "a/1.mp4", "a/1.mp4", "a/" },
        { "ab/1.mp4", "abc/1.mp4", "" },
        { "a/b/c", "a/b/c/d", "a/b/" },
        { "a//1.mp4", "a//b/2.mp4", "a//" },
        { "/1", "/2", "/" },
        { "", "", "" },
        { "\xc3\xbc/1", "\xc3\xbd/1", "" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        test_case("%s and %s", cases[i].first, cases[i].last);
        CHECK_SPAN(import_common_folder(span_of(cases[i].first), span_of(cases[i].last)), cases[i].folder);
    }
    test_case(NULL);
    CHECK(import_common_folder(span_of(NULL), span_of(NULL)).ptr != NULL);
}

static void folders_of_jobs(void)
{
    static const struct {
        const char *name;
        bool is;
    } cases[] = {
        { "6dy9j0cby1hy", true },   { "abcdefghijkl", true },  { "000000000000", true },  { "abcdefghijk", false },
        { "abcdefghijklm", false }, { "Abcdefghijkl", false }, { "abcdef-hijkl", false }, { "", false },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        test_case("%s", cases[i].name);
        CHECK(import_is_job_id(span_of(cases[i].name)) == cases[i].is);
    }
    test_case(NULL);
}

static const struct test tests[] = {
    { "the deepest common folder", the_deepest_common_folder },
    { "folders of jobs", folders_of_jobs },
};
TEST_MAIN("work/import", tests)
