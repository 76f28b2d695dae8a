#include "aws/profile_file.h"
#include "server/base/buf.h"
#include "server/base/mem.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#define CONFIG PROFILE_CONFIG
#define CREDS PROFILE_CREDENTIALS

static const struct {
    const char *text;
    enum profile_file_kind kind;
    const char *profile, *key, *subkey;
    const char *want; /* NULL: no such value */
} values[] = {
    { "[default]\nregion = us-east-1\n", CONFIG, "default", "region", NULL, "us-east-1" },
    { "[default]\nregion=us-east-1", CONFIG, "default", "REGION", NULL, "us-east-1" },
    { "[default]\r\nRegion = us-east-1\r\n", CONFIG, "default", "region", NULL, "us-east-1" },
    { "\xEF\xBB\xBF[default]\nregion = a\n", CONFIG, "default", "region", NULL, "a" },
    { "[profile x]\nregion = a\n", CONFIG, "x", "region", NULL, "a" },
    { "[profile\tx]\nregion = a\n", CONFIG, "x", "region", NULL, "a" },
    { "[ profile  x ] # comment\nregion = a\n", CONFIG, "x", "region", NULL, "a" },
    { "[profile \"my own\"]\nregion = a\n", CONFIG, "my own", "region", NULL, "a" },
    { "[profile 'q']\nregion = a\n", CONFIG, "q", "region", NULL, "a" },
    { "[profile default]\nregion = a\n", CONFIG, "default", "region", NULL, "a" },
    { "[x]\nregion = a\n", CONFIG, "x", "region", NULL, NULL }, /* no profile in the config file */
    { "[profilex]\nregion = a\n", CONFIG, "x", "region", NULL, NULL },
    { "[sso-session x]\nregion = a\n", CONFIG, "x", "region", NULL, NULL },
    { "[x]\nregion = a\n", CREDS, "x", "region", NULL, "a" },
    { "[a]\nk = 1\n[b]\nk = 2\n[a]\nk = 3\n", CREDS, "a", "k", NULL, "3" },
    { "[a]\nk = 1\nk = 2\n", CREDS, "a", "k", NULL, "2" },
    { "[a]\nk =\n", CREDS, "a", "k", NULL, "" },
    { "[a]\nk = a=b==\n", CREDS, "a", "k", NULL, "a=b==" },
    { "[a]\nk = v # c\n", CREDS, "a", "k", NULL, "v" },
    { "[a]\nk = v ; c\n", CREDS, "a", "k", NULL, "v" },
    { "[a]\nk = v#c;d\n", CREDS, "a", "k", NULL, "v#c;d" },
    { "[a]\nk = # c\n", CREDS, "a", "k", NULL, "" },
    { "# c\n; c\n\n  # c\n[a]\n# k = 0\nk = 1\n", CREDS, "a", "k", NULL, "1" },
    { "[a]\n  k = 1\n  l = 2\n", CREDS, "a", "l", NULL, "2" }, /* a whole section may be indented */
    { "[a]\ns3 =\n  addressing_style = path\n  x = 1\nk = 2\n", CREDS, "a", "s3", "addressing_style", "path" },
    { "[a]\ns3 =\n\taddressing_style=path\n", CREDS, "a", "S3", "Addressing_Style", "path" },
    { "[a]\ns3 =\n  addressing_style = path\nk = 2\n", CREDS, "a", "k", NULL, "2" },
    { "[a]\ns3 =\n  addressing_style = path\n", CREDS, "a", "addressing_style", NULL, NULL },
    { "[a]\ns3 =\n  k = 1\n[b]\n  k = 2\n", CREDS, "b", "k", NULL, "2" },
    { "[a]\nk = one\n  two\nl = 1\n", CREDS, "a", "k", NULL, "one\n  two" },
    { "[a]\nk = one\n  [b]\nl = 1\n", CREDS, "a", "l", NULL, "1" },
};

static void test_values(void)
{
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        AUTO(profile_file_done) struct profile_file file = { 0 };
        const struct profile_entry *entry;
        struct err err = { 0 };

        test_case("row %zu: %s", i, values[i].text);
        if (!CHECK(profile_file_parse(span_of(values[i].text), values[i].kind, "f", &file, &err)))
            continue;
        entry = profile_file_find(&file, PROFILE_SECTION, span_of(values[i].profile), values[i].key, values[i].subkey);
        CHECK((entry != NULL) == (values[i].want != NULL));
        if (entry && values[i].want)
            CHECK_SPAN(entry->value, values[i].want);
    }
    test_case(NULL);
}

static const struct {
    const char *text;
    int line;
} broken[] = {
    { "k = v\n", 1 },
    { "[a\n", 1 },
    { "[a] b\n", 1 },
    { "[]\n", 1 },
    { "[ ]\n", 1 },
    { "[a]\nword\n", 2 },
    { "[a]\n= v\n", 2 },
    { "[a]\nk = 1\n\n#\n[b\n", 5 },
    { "[a]\ns3 =\n  word\n", 3 },
    { "[a]\ns3 =\n  = v\n", 3 },
    { "[x]\nok = 1\n!\n", 3 },
};

static void test_broken(void)
{
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        AUTO(profile_file_done) struct profile_file file = { 0 };
        struct err err = { 0 };
        char want[32];

        test_case("%s", broken[i].text);
        snprintf(want, sizeof(want), "f, line %d:", broken[i].line);
        CHECK(!profile_file_parse(span_of(broken[i].text), PROFILE_CREDENTIALS, "f", &file, &err));
        CHECK_I64(err.kind, ERR_INPUT);
        CHECK_TEXT(err.code, "bad_profile_file");
        CHECK(strncmp(err.what, want, strlen(want)) == 0);
        CHECK(file.text == NULL);
    }
    test_case(NULL);
}

/* Sections of different sorts may share a name. */
static void test_sections(void)
{
    static const char text[] = "[profile x]\nk = 1\n[sso-session x]\nk = 2\n[services x]\ns3 =\n  k = 3\n"
                               "[sso-sessionx]\nk = 4\n[plugins x]\nk = 5\n";
    AUTO(profile_file_done) struct profile_file file = { 0 };
    AUTO(profile_file_done) struct profile_file creds = { 0 };
    struct span x = SPAN_LIT("x");
    struct err err = { 0 };

    CHECK(profile_file_parse(span_of(text), CONFIG, "f", &file, &err));
    CHECK_SPAN(profile_file_find(&file, PROFILE_SECTION, x, "k", NULL)->value, "1");
    CHECK_SPAN(profile_file_find(&file, PROFILE_SSO_SESSION, x, "k", NULL)->value, "2");
    CHECK_SPAN(profile_file_find(&file, PROFILE_SERVICES, x, "s3", "k")->value, "3");
    CHECK(!profile_file_has(&file, PROFILE_SSO_SESSION, SPAN_LIT("y")));
    CHECK(profile_file_parse(span_of(text), CREDS, "f", &creds, &err));
    CHECK(!profile_file_has(&creds, PROFILE_SSO_SESSION, x)); /* there it is only a profile of that name */
    CHECK(profile_file_has(&creds, PROFILE_SECTION, SPAN_LIT("sso-session x")));
}

static void test_nul_and_size(void)
{
    static char big[(1 << 20) + 1];
    AUTO(profile_file_done) struct profile_file file = { 0 };
    AUTO(profile_file_done) struct profile_file full = { 0 };
    struct err err = { 0 };

    CHECK(!profile_file_parse(SPAN_LIT("[a]\nk = \0v\n"), PROFILE_CREDENTIALS, "f", &file, &err));
    memset(big, '\n', sizeof(big));
    CHECK(!profile_file_parse((struct span){ big, sizeof(big) }, PROFILE_CREDENTIALS, "f", &file, &err));
    CHECK(profile_file_parse((struct span){ big, sizeof(big) - 1 }, PROFILE_CREDENTIALS, "f", &full, &err));
}

static void test_no_memory(void)
{
    AUTO(buf_done) struct buf text = { 0 };
    bool ok = false;

    buf_init(&text, 0);
    buf_text(&text, "[a]\n");
    for (int i = 0; i < 100; i++)
        buf_fmt(&text, "k%d = %d\n", i, i);
    for (uint64_t n = 1; !ok && n < 100; n++) {
        AUTO(profile_file_done) struct profile_file file = { 0 };
        struct err err = { 0 };

        mem_fail_at(n);
        ok = profile_file_parse(buf_view(&text), PROFILE_CREDENTIALS, "f", &file, &err);
        mem_fail_never();
        CHECK_I64(err.kind, ok ? ERR_NONE : ERR_MEMORY);
    }
    CHECK(ok);
}

static const struct test tests[] = {
    { "values", test_values },       { "broken", test_broken },
    { "sections", test_sections },   { "nul_and_size", test_nul_and_size },
    { "no_memory", test_no_memory },
};
TEST_MAIN("profile_file", tests)
