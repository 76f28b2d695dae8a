/* In place or copied: one row a rule. */
#include "server/base/buf.h"
#include "server/work/staging_choice.h"
#include "server/work/work.h"
#include "tests/support/test.h"

#include <string.h>

static const struct work_settings settings = { .staging_uri = "s3://work/staging", .output_uri = "s3://videos/output" };

static const struct {
    const char *keys[3];
    const char *folder;
    long long unclean;
} folders[] = {
    { { "a/b/one.mp4" }, "a/b/", 0 },
    { { "a/b/one.mp4", "a/b/two.mp4" }, "a/b/", 0 },
    { { "a/b/one.mp4", "a/b/c/two.mp4" }, "a/b/", 0 },
    { { "a/bc/one.mp4", "a/bd/two.mp4" }, "a/", 0 },
    { { "a/b/one.mp4", "a/b.mp4" }, "a/", 0 },
    { { "a/b", "a/b/one.mp4" }, "a/", 0 },
    { { "a/one.mp4", "b/two.mp4" }, "", 0 },
    { { "one.mp4", "two.mp4" }, "", 0 },
    { { "a/b/x.mp4", "a/c/x.mp4", "a/b/y.mp4" }, "a/", 0 },
    { { "a/with space.mp4" }, "a/", 1 },
    { { "a/comma,.mp4", "a/fine.mp4", "date=2026-01-01/x.mp4" }, "", 2 },
    { { "a/(b)!*'-_.mp4" }, "a/", 0 },
    { { "a/../b.mp4" }, "a/../", 1 },
    { { "./b.mp4" }, "./", 1 },
    { { "a/b../..c.mp4" }, "a/b../", 0 },
    { { "a//b.mp4" }, "a//", 1 },
    { { "a/\xf0\x9f\x8e\xac.mp4" }, "a/", 1 },
};

static void survey_finds_the_folder(void)
{
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        struct staging_survey survey = { 0 };
        long long count = 0;

        test_case("%s", folders[i].keys[0]);
        for (size_t k = 0; k < 3 && folders[i].keys[k]; k++, count++)
            staging_survey_add(&survey, span_of(folders[i].keys[k]), SPAN_LIT("video/mp4"));
        CHECK_TEXT(survey.folder, folders[i].folder);
        CHECK_I64(survey.unclean, folders[i].unclean);
        CHECK_I64(survey.videos, count);
    }
    test_case(NULL);
}

static const struct {
    const char *key, *type; /* type NULL: not known */
    long long wrong, unknown;
} types[] = {
    { "a.mp4", "video/mp4", 0, 0 },
    { "a.MP4", "Video/MP4", 0, 0 },
    { "a.mov", "video/quicktime", 0, 0 },
    { "a.mov", "video/mp4", 1, 0 },
    { "a.mp4", "", 1, 0 },
    { "a.mp4", "binary/octet-stream", 1, 0 },
    { "a.mp4", NULL, 0, 1 },
    { "a.3gp", "video/3gpp", 0, 0 },
    { "a.txt", "text/plain", 1, 0 },
    { "a.mp4", "video/mp4; codecs=avc1", 1, 0 },
};

static void survey_judges_types(void)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        struct staging_survey survey = { 0 };

        test_case("%s as %s", types[i].key, types[i].type ? types[i].type : "(unknown)");
        staging_survey_add(&survey, span_of(types[i].key),
                           types[i].type ? span_of(types[i].type) : (struct span){ NULL, 0 });
        CHECK_I64(survey.wrong_type, types[i].wrong);
        CHECK_I64(survey.unknown_type, types[i].unknown);
    }
    test_case(NULL);
}

enum { LOOKED = 1, FOREIGN = 2, LARGE = 4, HELD = 8 };

/* mode of auto and of in_place ("" is refused); words that both must say */
static const struct {
    const char *about;
    const char *bucket, *region, *keys[2], *type;
    long long shards;
    bool on_demand;
    int folder;
    const char *by_auto, *by_in_place, *words;
} cases[] = {
    { "all is well",
      "videos",
      "us-east-1",
      { "in/a.mp4", "in/b.mp4" },
      "video/mp4",
      1,
      false,
      0,
      "in_place",
      "in_place",
      "one Bedrock job, whose 2 videos lie under s3://videos/in/" },
    { "and the folder too",
      "videos",
      "us-east-1",
      { "in/a.mp4" },
      "video/mp4",
      1,
      false,
      LOOKED,
      "in_place",
      "in_place",
      "no other .jsonl" },
    { "two jobs", "videos", "us-east-1", { "in/a.mp4" }, "video/mp4", 2, false, 0, "copy", "", "2 Bedrock jobs" },
    { "on demand", "videos", "us-east-1", { "in/a.mp4" }, "video/mp4", 1, true, 0, "copy", "", "on demand" },
    { "other Region", "videos", "eu-west-1", { "in/a.mp4" }, "video/mp4", 1, false, 0, "copy", "", "eu-west-1" },
    { "a key with a blank",
      "videos",
      "us-east-1",
      { "in/a b.mp4" },
      "video/mp4",
      1,
      false,
      0,
      "copy",
      "",
      "'in/a b.mp4'" },
    { "the staging location under the folder",
      "work",
      "us-east-1",
      { "a.mp4", "b/c.mp4" },
      "video/mp4",
      1,
      false,
      0,
      "copy",
      "",
      "staging location" },
    { "the folder under the staging location",
      "work",
      "us-east-1",
      { "staging/x/a.mp4" },
      "video/mp4",
      1,
      false,
      0,
      "copy",
      "",
      "staging location" },
    { "beside the staging location",
      "work",
      "us-east-1",
      { "staging2/a.mp4" },
      "video/mp4",
      1,
      false,
      0,
      "in_place",
      "in_place",
      "s3://work/staging2/" },
    { "the output location under the folder",
      "videos",
      "us-east-1",
      { "a.mp4" },
      "video/mp4",
      1,
      false,
      0,
      "copy",
      "",
      "output location" },
    { "wrong Content-Type",
      "videos",
      "us-east-1",
      { "in/a.mov" },
      "video/mp4",
      1,
      false,
      0,
      "copy",
      "",
      "'video/mp4'" },
    { "unknown Content-Type",
      "videos",
      "us-east-1",
      { "in/a.mp4" },
      NULL,
      1,
      false,
      0,
      "copy",
      "in_place",
      "Content-Type of 1 object" },
    { "a bucket that the role may not reach",
      "elsewhere",
      "us-east-1",
      { "in/a.mp4" },
      "video/mp4",
      1,
      false,
      0,
      "copy",
      "in_place",
      "elsewhere" },
    { "the whole bucket", "elsewhere", "us-east-1", { "a.mp4" }, "video/mp4", 1, false, 0, "copy", "in_place", "" },
    { "a foreign .jsonl",
      "videos",
      "us-east-1",
      { "in/a.mp4" },
      "video/mp4",
      1,
      false,
      LOOKED | FOREIGN,
      "copy",
      "",
      "s3://videos/in/old.jsonl" },
    { "too large to look through",
      "videos",
      "us-east-1",
      { "in/a.mp4" },
      "video/mp4",
      1,
      false,
      LOOKED | LARGE,
      "copy",
      "",
      "more than 200000 objects" },
    { "held by another: auto copies, in_place waits",
      "videos",
      "us-east-1",
      { "in/a.mp4" },
      "video/mp4",
      1,
      false,
      LOOKED | HELD,
      "copy",
      "in_place",
      "" },
};

static void judge(size_t i, const char *wanted, const char *want)
{
    struct staging_survey survey = { 0 };
    struct staging_choice choice;
    struct staging_folder folder = { .has_foreign = cases[i].folder & FOREIGN,
                                     .foreign_key = "in/old.jsonl",
                                     .is_too_large = cases[i].folder & LARGE,
                                     .is_held = cases[i].folder & HELD };
    struct staging_ask ask = { .wanted = wanted,
                               .shards = cases[i].shards,
                               .on_demand = cases[i].on_demand,
                               .bucket = span_of(cases[i].bucket),
                               .bucket_region = span_of(cases[i].region) };

    test_case("%s: %s", wanted, cases[i].about);
    for (size_t k = 0; k < 2 && cases[i].keys[k]; k++)
        staging_survey_add(&survey, span_of(cases[i].keys[k]),
                           cases[i].type ? span_of(cases[i].type) : (struct span){ NULL, 0 });
    staging_judge(&settings, "us-east-1", &ask, &survey, cases[i].folder ? &folder : NULL, &choice);
    CHECK_TEXT(choice.mode ? choice.mode : "", want);
    CHECK(strstr(choice.why, cases[i].words) != NULL);
    CHECK(choice.why[0] != '\0');
    CHECK_TEXT(choice.folder, choice.mode && strcmp(choice.mode, "in_place") == 0 ? survey.folder : "");
}

static void rules(void)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        judge(i, "auto", cases[i].by_auto);
        judge(i, "in_place", cases[i].by_in_place);
    }
    test_case(NULL);
}

static void copy_is_always_possible(void)
{
    struct staging_survey survey = { 0 };
    struct staging_choice choice;
    struct staging_ask ask = { .wanted = "copy", .shards = 9, .bucket = SPAN_LIT("videos") };
    char uri[STAGING_URI_SIZE];

    staging_survey_add(&survey, SPAN_LIT("in/a b.mp4"), (struct span){ NULL, 0 });
    staging_judge(&settings, "us-east-1", &ask, &survey, NULL, &choice);
    CHECK_TEXT(choice.mode, "copy");
    staging_folder_uri(&settings, &ask, &choice, "job_1", "shd_2", uri);
    CHECK_TEXT(uri, "s3://work/staging/job_1/shd_2/");
}

static void long_keys_are_cut_in_words(void)
{
    AUTO(buf_done) struct buf key = { .max = 2048 };
    struct staging_survey survey = { 0 };
    struct staging_choice choice;
    struct staging_ask ask = {
        .wanted = "in_place", .shards = 1, .bucket = SPAN_LIT("videos"), .bucket_region = SPAN_LIT("us-east-1")
    };
    char uri[STAGING_URI_SIZE];

    while (key.len < 990)
        buf_text(&key, "0123456789");
    buf_text(&key, "/a.mp4");
    staging_survey_add(&survey, buf_view(&key), SPAN_LIT("video/mp4"));
    staging_judge(&settings, "us-east-1", &ask, &survey, NULL, &choice);
    CHECK_TEXT(choice.mode, "in_place"); /* 991 bytes of folder and 29 of a name are 1,020 */
    CHECK(strlen(choice.why) < 400);
    staging_folder_uri(&settings, &ask, &choice, "job_1", "shd_2", uri);
    CHECK_I64(strlen(uri), strlen("s3://videos/") + 991);
    memset(&survey, 0, sizeof survey);
    buf_reset(&key);
    while (key.len < 1010)
        buf_text(&key, "0123456789");
    buf_text(&key, "/a.mp4");
    staging_survey_add(&survey, buf_view(&key), SPAN_LIT("video/mp4"));
    staging_judge(&settings, "us-east-1", &ask, &survey, NULL, &choice);
    CHECK(choice.mode == NULL); /* no room for the JSONL's name */
}

static const struct test tests[] = { { "survey_finds_the_folder", survey_finds_the_folder },
                                     { "survey_judges_types", survey_judges_types },
                                     { "rules", rules },
                                     { "copy_is_always_possible", copy_is_always_possible },
                                     { "long_keys_are_cut_in_words", long_keys_are_cut_in_words } };
TEST_MAIN("staging_choice", tests)
