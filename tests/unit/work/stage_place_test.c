/* Where a shard is staged, whose bucket that is, and what may be deleted afterwards. */
#include "server/base/id.h"
#include "server/work/cleanup.h"
#include "server/work/stage_place.h"
#include "server/work/work.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

enum { SHARD = 12345, JOB = 678 };

/* OURS is the setting's account, THEIRS the prefix's. */
#define OURS "111111111111"
#define THEIRS "222222222222"

static const struct {
    const char *staging, *folder_uri, *setting, *prefix_bucket, *prefix_owner;
    const char *owner, *output_owner, *folder, *input; /* input: before and behind the digits */
} places[] = {
    { "copy", "s3://work/s/job/shd/", "", "videos", "", "", "", "s/job/shd/", "s/job/shd/input.jsonl" },
    { "copy", "s3://work/s/job/shd/", OURS, "videos", "", OURS, OURS, "s/job/shd/", "s/job/shd/input.jsonl" },
    { "copy", "s3://work/s/job/shd/", "", "videos", THEIRS, "", "", "s/job/shd/", "s/job/shd/input.jsonl" },
    { "copy", "s3://work/s/job/shd/", OURS, "videos", THEIRS, OURS, OURS, "s/job/shd/", "s/job/shd/input.jsonl" },
    /* one bucket for all */
    { "copy", "s3://work/s/job/shd/", "", "work", THEIRS, THEIRS, "", "s/job/shd/", "s/job/shd/input.jsonl" },
    { "copy", "s3://work/s/job/shd/", "", "out", THEIRS, "", THEIRS, "s/job/shd/", "s/job/shd/input.jsonl" },
    { "in_place", "s3://videos/a/", "", "videos", "", "", "", "a/", "a/vidbatch-%s.jsonl" },
    { "in_place", "s3://videos/a/", OURS, "videos", "", "", OURS, "a/", "a/vidbatch-%s.jsonl" },
    { "in_place", "s3://videos/a/", "", "videos", THEIRS, THEIRS, "", "a/", "a/vidbatch-%s.jsonl" },
    { "in_place", "s3://videos/a/", OURS, "videos", THEIRS, THEIRS, OURS, "a/", "a/vidbatch-%s.jsonl" },
    { "in_place", "s3://work/a/", OURS, "work", "", OURS, OURS, "a/", "a/vidbatch-%s.jsonl" },
    { "in_place", "s3://out/a/", OURS, "out", "", OURS, OURS, "a/", "a/vidbatch-%s.jsonl" },
    { "in_place", "s3://videos/", "", "videos", THEIRS, THEIRS, "", "", "vidbatch-%s.jsonl" },
};

static void owners_and_keys(void)
{
    char digits[ID_SIZE], input[100];

    id_format(ID_RECORD, SHARD, digits);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        const struct work_settings settings = { .staging_uri = "s3://work/s",
                                                .output_uri = "s3://out/o",
                                                .bucket_owner = places[i].setting };
        const struct stage_place_ask ask = { SHARD, places[i].staging, places[i].folder_uri,
                                             span_of(places[i].prefix_bucket), span_of(places[i].prefix_owner) };
        const char *percent = strstr(places[i].input, "%s");
        struct stage_place place;
        struct err err = { 0 };

        test_case("%s %s, setting '%s', prefix '%s' in %s", places[i].staging, places[i].folder_uri, places[i].setting,
                  places[i].prefix_owner, places[i].prefix_bucket);
        if (!CHECK(stage_place(&settings, &ask, &place, &err)))
            continue;
        CHECK_SPAN(place.owner, places[i].owner);
        CHECK_SPAN(place.output_owner, places[i].output_owner);
        CHECK_SPAN(place.folder, places[i].folder);
        if (percent)
            snprintf(input, sizeof input, "%.*s%s%s", (int)(percent - places[i].input), places[i].input, digits,
                     percent + 2);
        else
            snprintf(input, sizeof input, "%s", places[i].input);
        CHECK_TEXT(place.input_key, input);
    }
    test_case(NULL);
}

static const struct {
    const char *about, *staging, *folder_uri, *input_key; /* J, S and D stand for the job, the shard and its digits */
    const char *key;                                      /* NULL: nothing may be deleted */
} leftovers[] = {
    { "a copy's own folder", "copy", "s3://www/s/J/S/", NULL, "s/J/S/" },
    { "at the top of the bucket", "copy", "s3://www/J/S/", NULL, "J/S/" },
    { "another job's", "copy", "s3://www/s/X/S/", NULL, NULL },
    { "another shard's", "copy", "s3://www/s/J/X/", NULL, NULL },
    { "the job's", "copy", "s3://www/s/J/", NULL, NULL },
    { "one that only ends alike", "copy", "s3://www/sJ/S/", NULL, NULL },
    { "the staging location", "copy", "s3://www/s/", NULL, NULL },
    { "the bucket", "copy", "s3://www/", NULL, NULL },
    { "no URI", "copy", "www/s/J/S/", NULL, NULL },
    { "in place: the one object", "in_place", "s3://www/a/", "a/vidbatch-D.jsonl", "a/vidbatch-D.jsonl" },
    { "in the bucket itself", "in_place", "s3://www/", "vidbatch-D.jsonl", "vidbatch-D.jsonl" },
    { "nothing was begun", "in_place", "s3://www/a/", NULL, NULL },
    { "a user's video", "in_place", "s3://www/a/", "a/b.mp4", NULL },
    { "a user's folder", "in_place", "s3://www/a/", "a/", NULL },
    { "another shard's JSONL", "in_place", "s3://www/a/", "a/vidbatch-X.jsonl", NULL },
    { "in another folder", "in_place", "s3://www/a/", "b/vidbatch-D.jsonl", NULL },
    { "in place, though it looks like a copy's", "in_place", "s3://www/s/J/S/", "s/J/S/", NULL },
    { "imported: nothing was staged", "none", "s3://www/s/J/S/", NULL, NULL },
};

static const char *expand(const char *pattern, char out[200])
{
    char job[ID_SIZE], shard[ID_SIZE], digits[ID_SIZE];

    id_format(ID_JOB, JOB, job);
    id_format(ID_SHARD, SHARD, shard);
    id_format(ID_RECORD, SHARD, digits);
    if (!pattern)
        return NULL;
    out[0] = '\0';
    for (const char *c = pattern; *c; c++) {
        const char one[] = { *c, '\0' };

        strcat(out, *c == 'J' ? job : *c == 'S' ? shard : *c == 'D' ? digits : one);
    }
    return out;
}

static void only_what_is_ours_may_be_deleted(void)
{
    char job[ID_SIZE], uri[200], input[200], key[200];

    id_format(ID_JOB, JOB, job);
    for (size_t i = 0; i < sizeof leftovers / sizeof leftovers[0]; i++) {
        const struct shard_leftover shard = { .id = SHARD,
                                              .staging = leftovers[i].staging,
                                              .folder_uri = expand(leftovers[i].folder_uri, uri),
                                              .input_key = expand(leftovers[i].input_key, input) };
        struct cleanup_target target;

        test_case("%s", leftovers[i].about);
        if (!CHECK(cleanup_target(&shard, job, &target) == (leftovers[i].key != NULL)) || !leftovers[i].key)
            continue;
        CHECK_TEXT(target.key, expand(leftovers[i].key, key));
        CHECK_SPAN(target.bucket, "www");
        CHECK(target.is_folder == (strcmp(leftovers[i].staging, "copy") == 0));
    }
    test_case(NULL);
}

static const struct test tests[] = { { "owners_and_keys", owners_and_keys },
                                     { "only_what_is_ours_may_be_deleted", only_what_is_ours_may_be_deleted } };
TEST_MAIN("stage_place", tests)
