#include "server/base/id.h"

#include "tests/support/test.h"

#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void both_ways(void)
{
    static const struct {
        const char *prefix;
        int64_t id;
        const char *text;
    } cases[] = {
        { ID_JOB, 0, "job_00000000000" },        { ID_JOB, 1, "job_00000000001" },
        { ID_VIDEO, 9, "vid_00000000009" },      { ID_VIDEO, 10, "vid_0000000000A" },
        { ID_PREFIX, 35, "pfx_0000000000Z" },    { ID_PREFIX, 36, "pfx_0000000000a" },
        { ID_SHARD, 61, "shd_0000000000z" },     { ID_SHARD, 62, "shd_00000000010" },
        { ID_SUMMARY, 3844, "sum_00000000100" }, { ID_RECORD, 61, "0000000000z" },
        { ID_RECORD, INT64_MAX, "AzL8n0Y58m7" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[ID_SIZE] = "";
        int64_t id = -77;

        test_case("%s", cases[i].text);
        id_format(cases[i].prefix, cases[i].id, text);
        CHECK_TEXT(text, cases[i].text);
        CHECK(id_parse(cases[i].prefix, span_of(text), &id));
        CHECK_I64(id, cases[i].id);
    }
}

static void refused(void)
{
    static const struct {
        const char *prefix;
        const char *text;
    } cases[] = {
        { ID_JOB, "" },
        { ID_JOB, "job_" },
        { ID_JOB, "job_0000000000" },
        { ID_JOB, "job_000000000000" },
        { ID_JOB, "vid_00000000001" },
        { ID_JOB, "JOB_00000000001" },
        { ID_JOB, "00000000001" },
        { ID_JOB, "job_0000000000-" },
        { ID_JOB, "job_0000000000_" },
        { ID_JOB, "job_ 0000000001" },
        { ID_JOB, "job_0000000000\xC3" },
        { ID_RECORD, "AzL8n0Y58m8" }, /* one more than int64 holds */
        { ID_RECORD, "zzzzzzzzzzz" },
        { ID_RECORD, "job_00000000001" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t id = -77;

        test_case("%s", cases[i].text);
        CHECK(!id_parse(cases[i].prefix, span_of(cases[i].text), &id));
        CHECK_I64(id, -77);
    }
    test_case(NULL);
    CHECK(!id_parse(ID_JOB, (struct span){ "job_0000000000\0", 15 }, &(int64_t){ 0 }));
}

static void sorted_as_numbers(void)
{
    char before[ID_SIZE] = "";
    char after[ID_SIZE] = "";

    id_format(ID_RECORD, 0, before);
    for (int64_t id = 1; id < INT64_MAX / 3; id = id * 3 + 1) {
        id_format(ID_RECORD, id, after);
        test_case("%s < %s", before, after);
        CHECK(strcmp(before, after) < 0);
        memcpy(before, after, sizeof before);
    }
}

static const struct test tests[] = {
    { "both_ways", both_ways },
    { "refused", refused },
    { "sorted_as_numbers", sorted_as_numbers },
};

TEST_MAIN("id", tests)
