/* credential_process and SSO. */
#include "server/base/clock.h"
#include "tests/unit/aws/creds_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

/* ---- the command line ---- */

static const struct {
    const char *command;
    const char *want; /* words, each with a '|' behind it; NULL: refused */
} splits[] = {
    { "a", "a|" },
    { "  a\tb  c\n", "a|b|c|" },
    { "'a b' c", "a b|c|" },
    { "\"a b\" c", "a b|c|" },
    { "a'b'\"c\"d", "abcd|" },
    { "a\\ b", "a b|" },
    { "'a\\'", "a\\|" },
    { "\"a\\\"b\\\\c\\d\"", "a\"b\\c\\d|" },
    { "'a\"b' \"c'd\"", "a\"b|c'd|" },
    { "'' b", "|b|" },
    { "a ''", "a||" },
    { "a $HOME `b` ; c | d > e *", "a|$HOME|`b`|;|c|||d|>|e|*|" },
    { "a#b # c", "a#b|#|c|" },
    { "a\\", "a\\|" },
    { "'a", NULL },
    { "a \"b", NULL },
    { "", NULL },
    { " \t", NULL },
};

static void test_split(void)
{
    AUTO(buf_done) struct buf many = { 0 };
    AUTO(buf_done) struct buf out = { 0 };
    struct err why = { 0 };
    size_t n;

    for (size_t i = 0; i < COUNT_OF(splits); i++) {
        AUTO(buf_done) struct buf text = { 0 };
        struct err err = { 0 };
        size_t count = 0, ends = 0;

        test_case("row %zu: %s", i, splits[i].command);
        CHECK(creds_split_command(span_of(splits[i].command), &text, &count, &err) == (splits[i].want != NULL));
        if (!splits[i].want)
            continue;
        for (size_t at = 0; at < text.len; at++)
            if (!text.data[at]) {
                text.data[at] = '|';
                ends++;
            }
        CHECK_I64(ends, count);
        CHECK_TEXT(buf_cstr(&text), splits[i].want);
    }
    test_case(NULL);
    for (int i = 0; i < 65; i++)
        buf_text(&many, "a ");
    CHECK(creds_split_command(span_head(buf_view(&many), 128), &out, &n, &why));
    CHECK(!creds_split_command(buf_view(&many), &out, &n, &why));
    CHECK(!creds_split_command(SPAN_LIT("a\0b"), &out, &n, &why));
}

/* ---- running ---- */

#define PRINTS(text) "#!/bin/sh\ncat <<'END'\n" text "\nEND\n"
#define GOOD "{\"Version\":1,\"AccessKeyId\":\"P\",\"SecretAccessKey\":\"s3cret\"}"

static const struct {
    const char *name, *script;
    bool want;
    const char *words;
} programs[] = {
    { "good", PRINTS(GOOD), true, "" },
    { "in two pieces",
      "#!/bin/sh\nprintf '{\"Version\":1,\"AccessKeyId\":\"P\",'\nsleep 0.05\n"
      "printf '\"SecretAccessKey\":\"s3cret\"}'\n",
      true, "" },
    { "what it says on the side",
      "#!/bin/sh\necho s3cret >&2\n"
      "echo '" GOOD "'\n",
      true, "" },
    { "its input is empty, SIGPIPE and SIGTERM are as ever, and our files are closed",
      "#!/bin/sh\nread -r line && exit 9\n"
      "mask=$(sed -n 's/^SigBlk:\\t*//p;s/^SigIgn:\\t*//p' /proc/self/status | tr -d '\\n')\n"
      "case $mask in 0000000000000000*0000000) ;; *) exit 8 ;; esac\n" /* glibc ignores two signals of its own */
      "for n in $(seq 3 40); do [ ! -e /proc/$$/fd/$n ] || [ \"$n\" = 10 ] || [ \"$n\" = 255 ] || exit 7; done\n"
      "echo '" GOOD "'\n",
      true, "" },
    { "fails", "#!/bin/sh\necho s3cret\nexit 3\n", false, "exit status 3" },
    { "is killed", "#!/bin/sh\nkill -9 $$\n", false, "signal 9" },
    { "no JSON", PRINTS("s3cret"), false, "what the command printed: the text is not a JSON object" },
    { "another version", PRINTS("{\"Version\":2}"), false, "Version is not the number 1" },
    { "nothing", "#!/bin/sh\n", false, "not a JSON object" },
    { "too much", "#!/bin/sh\nhead -c 70000 /dev/zero\n", false, "more than 64 KiB" },
    { "not a program", "\177ELF", false, "cannot be run" },
};

static void test_programs(void)
{
    struct creds_shared shared;
    const struct creds_settings none = { .is_metadata_off = true };
    struct err start_err = { 0 };
    sigset_t blocked;
    const int open_file = open("/dev/null", O_RDONLY); /* not close-on-exec */

    CHECK(open_file >= 0 && creds_shared_init(&shared, &none, &start_err));
    signal(SIGPIPE, SIG_IGN); /* as the service does */
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    for (size_t i = 0; i < COUNT_OF(programs); i++) {
        AUTO(folder_done) struct folder f = { .count = 0 };
        struct creds got = { .access_key_id = "" };
        struct err err = { 0 };
        const char *path = folder_file(&f, "program", programs[i].script);
        char command[128];

        test_case("%s", programs[i].name);
        CHECK(chmod(path, 0700) == 0);
        snprintf(command, sizeof(command), "'%s' an argument", path);
        CHECK(creds_process(&shared, span_of(command), &got, &err) == programs[i].want);
        CHECK_TEXT(got.access_key_id, programs[i].want ? "P" : "");
        CHECK(strstr(err.what, programs[i].words) != NULL);
        CHECK_TEXT(programs[i].want ? err.what : "", "");
        CHECK(!strstr(err.what, "s3cret"));
    }
    test_case(NULL);
    sigprocmask(SIG_UNBLOCK, &blocked, NULL);
    close(open_file);
    creds_shared_done(&shared);
}

static void test_absent_program(void)
{
    struct creds_shared shared;
    const struct creds_settings none = { .is_metadata_off = true };
    struct creds got = { .access_key_id = "" };
    struct err err = { 0 };

    CHECK(creds_shared_init(&shared, &none, &err));
    CHECK(!creds_process(&shared, SPAN_LIT("/nowhere/program --x"), &got, &err));
    CHECK(strstr(err.what, "/nowhere/program cannot be run: No such file") != NULL);
    CHECK_I64(err.kind, ERR_INPUT);
    creds_shared_done(&shared);
}

static bool yes(void *arg)
{
    return clock_mono_ms() >= *(int64_t *)arg;
}

/* The service stops meanwhile: the program, and what it started, is ended. */
static void test_stopped(void)
{
    int64_t stop_at_ms = clock_mono_ms() + 100;
    const struct creds_settings settings = { .is_stopping = yes, .is_stopping_arg = &stop_at_ms };
    struct creds_shared shared;
    struct creds got = { .access_key_id = "" };
    struct err err = { 0 };

    CHECK(creds_shared_init(&shared, &settings, &err));
    CHECK(!creds_process(&shared, SPAN_LIT("sh -c 'sleep 1000 & sleep 1000'"), &got, &err));
    CHECK_I64(err.kind, ERR_CANCELLED);
    CHECK(clock_mono_ms() - stop_at_ms < 5000);
    creds_shared_done(&shared);
}

/* ---- SSO ---- */

#define SSO_GOOD                                                                                                       \
    "{\"roleCredentials\":{\"accessKeyId\":\"O\",\"secretAccessKey\":\"S\",\"sessionToken\":\"T\","                    \
    "\"expiration\":4070908800000}}"
#define SESSION                                                                                                        \
    "[profile x]\nsso_session = corp\nsso_account_id = 111122223333\nsso_role_name = read er\n"                        \
    "[sso-session corp]\nsso_start_url = https://corp.awsapps.com/start\nsso_region = eu-west-1\n"
#define LEGACY                                                                                                         \
    "[profile x]\nsso_account_id = 111122223333\nsso_role_name = reader\n"                                             \
    "sso_start_url = https://corp.awsapps.com/start\nsso_region = eu-west-1\n"
/* SHA-1 of "corp" and of the start URL, by sha1sum */
#define SESSION_FILE "ee0bfd2552fbd840c02cc48b6e823320543c450f.json"
#define LEGACY_FILE "a51746d4aa793ae07b25e90c3a5db96fc7832bd7.json"
#define TOKEN(expires) "{\"accessToken\":\"sso-token\",\"expiresAt\":\"" expires "\"}"

static const struct {
    const char *name, *config, *cache_file, *cache;
    struct http_answer answer;
    size_t want_requests;
    const char *words; /* NULL: goes well ... */
    bool may_pass;     /* ... or may do so later, with the same settings */
} sso[] = {
    { "session",
      SESSION,
      SESSION_FILE,
      TOKEN("2099-01-01T00:00:00Z"),
      { .status = 200, .body = SSO_GOOD },
      1,
      NULL,
      false },
    { "start URL",
      LEGACY,
      LEGACY_FILE,
      TOKEN("2099-01-01T00:00:00UTC"),
      { .status = 200, .body = SSO_GOOD },
      1,
      NULL,
      false },
    { "no token",
      SESSION,
      "other.json",
      "x",
      { .status = 0 },
      0,
      "no cached token; run: aws sso login --profile x",
      true },
    { "stale token",
      SESSION,
      SESSION_FILE,
      TOKEN("2020-01-01T00:00:00Z"),
      { .status = 0 },
      0,
      "has expired; run: aws sso login --profile x",
      true },
    { "broken token", SESSION, SESSION_FILE, "{", { .status = 0 }, 0, "run: aws sso login --profile x", true },
    { "token not taken",
      SESSION,
      SESSION_FILE,
      TOKEN("2099-01-01T00:00:00Z"),
      { .status = 401, .body = "{}" },
      1,
      "run: aws sso login --profile x",
      true },
    { "role not given",
      SESSION,
      SESSION_FILE,
      TOKEN("2099-01-01T00:00:00Z"),
      { .status = 403, .body = "{\"message\":\"No access\"}" },
      1,
      "role read er in account 111122223333 (HTTP 403): No",
      false },
    { "portal is down",
      SESSION,
      SESSION_FILE,
      TOKEN("2099-01-01T00:00:00Z"),
      { .status = 500, .body = "" },
      3,
      "HTTP 500",
      true },
    { "nonsense",
      SESSION,
      SESSION_FILE,
      TOKEN("2099-01-01T00:00:00Z"),
      { .status = 200, .body = "{}" },
      3,
      "roleCredentials is missing",
      true },
    { "no such session",
      "[profile x]\nsso_session = corp\nsso_account_id = 111122223333\nsso_role_name = r\n",
      SESSION_FILE,
      "x",
      { .status = 0 },
      0,
      "names no [sso-session]",
      false },
    { "no account",
      "[profile x]\nsso_start_url = u\nsso_region = eu-west-1\nsso_role_name = r\n",
      SESSION_FILE,
      "x",
      { .status = 0 },
      0,
      "sso_account_id",
      false },
    { "no Region", "[profile x]\nsso_start_url = u\n", SESSION_FILE, "x", { .status = 0 }, 0, "sso_region", false },
    { "bad Region",
      "[profile x]\nsso_start_url = u\nsso_region = evil.example/\nsso_account_id = 111122223333\n"
      "sso_role_name = r\n",
      SESSION_FILE,
      "x",
      { .status = 0 },
      0,
      "is no Region",
      false },
};

static void test_sso(void)
{
    for (size_t i = 0; i < COUNT_OF(sso); i++) {
        AUTO(folder_done) struct folder f = { .count = 0 };
        struct http_script *script = http_script_start(&sso[i].answer, 1);
        const struct creds_settings settings = { .profile = "x",
                                                 .config_file = folder_file(&f, "config", sso[i].config),
                                                 .sso_endpoint_url = http_script_url(script),
                                                 .sso_cache_folder = f.path };
        struct creds_shared shared;
        struct creds got = { .access_key_id = "" };
        struct err err = { 0 };
        bool found = false;

        test_case("%s", sso[i].name);
        folder_file(&f, sso[i].cache_file, sso[i].cache);
        CHECK(creds_shared_init(&shared, &settings, &err));
        CHECK(creds_profile_load(&shared, &got, &found, &err) == !sso[i].words);
        CHECK(strstr(err.what, sso[i].words ? sso[i].words : "") && !strstr(err.what, "sso-token"));
        CHECK(err.retryable == sso[i].may_pass);
        CHECK_TEXT(got.access_key_id, sso[i].words ? "" : "O");
        CHECK_I64(http_script_count(script), sso[i].want_requests);
        if (!sso[i].words) {
            CHECK_I64(got.expires_at_s, 4070908800);
            CHECK_TEXT(http_script_seen(script, 0)->target,
                       i == 0 ? "/federation/credentials?account_id=111122223333&role_name=read%20er"
                              : "/federation/credentials?account_id=111122223333&role_name=reader");
            check_seen_header(script, 0, "x-amz-sso_bearer_token", "sso-token");
            check_seen_header(script, 0, "authorization", "");
        }
        creds_shared_done(&shared);
        http_script_stop(script);
    }
    test_case(NULL);
}

static const struct test tests[] = {
    { "split", test_split },     { "programs", test_programs }, { "absent_program", test_absent_program },
    { "stopped", test_stopped }, { "sso", test_sso },
};
TEST_MAIN("creds_process", tests)
