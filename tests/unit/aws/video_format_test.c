#include "aws/batch_input.h"

#include "tests/support/test.h"

static void suffixes(void)
{
    static const struct {
        const char *key, *format, *mime; /* NULL: no video for Nova */
    } cases[] = {
        { "a.mp4", "mp4", "video/mp4" },
        { "dir.mov/A.MP4", "mp4", "video/mp4" },
        { "a.Mov", "mov", "video/quicktime" },
        { "a.mkv", "mkv", "video/x-matroska" },
        { "a.webm", "webm", "video/webm" },
        { "a.flv", "flv", "video/x-flv" },
        { "a.mpeg", "mpeg", "video/mpeg" },
        { "a.mpg", "mpg", "video/mpg" },
        { "a.wmv", "wmv", "video/wmv" },
        { "a.3GP", "three_gp", "video/3gpp" },
        { ".mp4", "mp4", "video/mp4" },
        { "a.mp4.txt", NULL, NULL },
        { "a.mp4/", NULL, NULL },
        { "amp4", NULL, NULL },
        { "mp4", NULL, NULL },
        { "", NULL, NULL },
        { "a.avi", NULL, NULL },
        { "a.m4v", NULL, NULL },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct video_format *got = video_format_of(span_of(cases[i].key));

        test_case("'%s'", cases[i].key);
        CHECK((got != NULL) == (cases[i].format != NULL));
        if (got && cases[i].format) {
            CHECK_TEXT(got->format, cases[i].format);
            CHECK_TEXT(got->mime, cases[i].mime);
        }
    }
    test_case(NULL);
}

static void table(void)
{
    size_t count = 0;
    const struct video_format *all = video_formats(&count);

    CHECK_I64(count, 9);
    for (size_t i = 0; i < count; i++)
        CHECK(video_format_of(span_of(all[i].suffix)) == &all[i]);
}

static void clean_keys(void)
{
    static const struct {
        const char *key;
        bool ok;
    } cases[] = {
        { "a.mp4", true },        { "a/b-C_9.mp4", true }, { "!_*'().-", true },
        { "..", true },           { "", false },           { "/a", false },
        { "a/", false },          { "a//b", false },       { "a b.mp4", false },
        { "a,b.mp4", false },     { "a=b/c", false },      { "a+b", false },
        { "caf\xc3\xa9", false }, { "a%20b", false },      { "a&b", false },
        { "a:b", false },         { "a@b", false },        { "a\"b", false },
        { "a\nb", false },        { "a~b", false },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        test_case("'%s'", cases[i].key);
        CHECK(batch_key_is_clean(span_of(cases[i].key)) == cases[i].ok);
    }
    test_case(NULL);
    CHECK(!batch_key_is_clean((struct span){ "a\0b", 3 }));
}

static const struct test tests[] = { { "suffixes", suffixes }, { "table", table }, { "clean_keys", clean_keys } };

TEST_MAIN("video_format", tests)
