/* Profiles: whose keys, and chains of roles against a scripted STS. */
#include "server/base/mem.h"
#include "tests/unit/aws/creds_fixture.h"

#define ROLE(name) "role_arn = arn:aws:iam::111122223333:role/" name "\n"
#define KEYS(id) "aws_access_key_id = " id "\naws_secret_access_key = S\n"

struct asked {
    struct http_script *script;
    struct endpoint sts;
    struct creds_shared shared;
    struct folder folder;
};

static void asked_done(struct asked *a)
{
    creds_shared_done(&a->shared);
    http_script_stop(a->script);
    folder_done(&a->folder);
}

static bool start(struct asked *a, const struct http_answer *answers, size_t count, const char *config,
                  const char *credentials, struct creds_settings settings)
{
    struct err err = { 0 };

    a->script = http_script_start(answers, count);
    a->sts = script_endpoint(a->script);
    settings.sts = &a->sts;
    settings.metadata_endpoint = http_script_url(a->script);
    settings.config_file = folder_file(&a->folder, "config", config);
    settings.credentials_file = folder_file(&a->folder, "credentials", credentials);
    return CHECK(creds_shared_init(&a->shared, &settings, &err));
}

static const struct http_answer two_roles[] = { { .status = 200, .body = STS_ANSWER("AssumeRole", "R1") },
                                                { .status = 200, .body = STS_ANSWER("AssumeRole", "R2") } };

static const struct {
    const char *name;
    const char *config, *credentials;
    const char *want_id, *want_detail; /* NULL: nothing found, or refused ... */
    size_t want_requests;
    const char *words; /* ... with these */
} rows[] = {
    { "keys", "[profile x]\n" KEYS("A"), NULL, "A", "keys of profile x", 0, "" },
    { "one role", "[profile x]\n" ROLE("r") "source_profile = y\n[profile y]\n" KEYS("A"), NULL, "R1",
      "role arn:aws:iam::111122223333:role/r, assumed with keys of profile y", 1, "" },
    { "a chain of two",
      "[profile x]\n" ROLE("top") "source_profile = y\n[profile y]\n" ROLE("low") "source_profile = z\n",
      "[z]\n" KEYS("A"), "R2",
      "role arn:aws:iam::111122223333:role/top, assumed with role arn:aws:iam::111122223333:role/low, assumed with "
      "keys of "
      "profile z",
      2, "" },
    { "its own source", "[profile x]\n" ROLE("r") "source_profile = x\n" KEYS("A"), NULL, "R1",
      "role arn:aws:iam::111122223333:role/r, assumed with keys of profile x", 1, "" },
    { "the keys of a source win over its role",
      "[profile x]\n" ROLE("r") "source_profile = y\n[profile y]\n" KEYS("A") ROLE("low") "source_profile = x\n", NULL,
      "R1", "role arn:aws:iam::111122223333:role/r, assumed with keys of profile y", 1, "" },
    { "its own source without keys", "[profile x]\n" ROLE("r") "source_profile = x\n", NULL, NULL, NULL, 0, "circle" },
    { "a circle of two", "[profile x]\n" ROLE("r") "source_profile = y\n[profile y]\n" ROLE("s") "source_profile = x\n",
      NULL, NULL, NULL, 0, "AWS profile y" },
    { "a circle behind",
      "[profile x]\n" ROLE("r") "source_profile = y\n[profile y]\n" ROLE("s") "source_profile = z\n[profile z]\n" ROLE(
          "t") "source_profile = y\n",
      NULL, NULL, NULL, 0, "leads round in a circle" },
    { "both sources", "[profile x]\n" ROLE("r") "source_profile = x\ncredential_source = Environment\n", NULL, NULL,
      NULL, 0, "exactly one of" },
    { "no source", "[profile x]\n" ROLE("r"), NULL, NULL, NULL, 0, "exactly one of" },
    { "absent source", "[profile x]\n" ROLE("r") "source_profile = y\n", NULL, NULL, NULL, 0, "does not exist" },
    { "source without keys", "[profile x]\n" ROLE("r") "source_profile = y\n[profile y]\nregion = a\n", NULL, NULL,
      NULL, 0, "AWS profile y" },
    { "unknown source", "[profile x]\n" ROLE("r") "credential_source = Moon\n", NULL, NULL, NULL, 0,
      "Environment, Ec2InstanceMetadata or EcsContainer" },
    { "the environment as source", "[profile x]\n" ROLE("r") "credential_source = Environment\n", NULL, "R1",
      "role arn:aws:iam::111122223333:role/r, assumed with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", 1, "" },
    { "a container as source, which is not there", "[profile x]\n" ROLE("r") "credential_source = EcsContainer\n", NULL,
      NULL, NULL, 0, "_FULL_URI are not set" },
    { "MFA", "[profile x]\n" ROLE("r") "source_profile = x\nmfa_serial = m\n" KEYS("A"), NULL, NULL, NULL, 0, "MFA" },
    { "bad duration", "[profile x]\n" ROLE("r") "source_profile = x\nduration_seconds = 1h\n" KEYS("A"), NULL, NULL,
      NULL, 0, "duration_seconds must be" },
    { "short duration", "[profile x]\n" ROLE("r") "source_profile = x\nduration_seconds = 60\n" KEYS("A"), NULL, NULL,
      NULL, 0, "900 to 43200" },
    { "bad ARN", "[profile x]\nrole_arn = reader\nsource_profile = x\n" KEYS("A"), NULL, NULL, NULL, 0,
      "AWS profile x: role_arn must be" },
    { "nine roles",
      "[profile x]\n" ROLE("r") "source_profile = a\n[profile a]\n" ROLE("r") "source_profile = b\n[profile b]\n" ROLE("r") "source_profile = c\n[profile c]\n" ROLE(
          "r") "source_profile = d\n[profile d]\n" ROLE("r") "source_profil"
                                                             "e = e\n"
                                                             "[profile e]"
                                                             "\n" ROLE("r") "source_profile = f\n[profile f]\n" ROLE(
                                                                 "r") "source_profile = g\n[profile g]\n" ROLE("r") "so"
                                                                                                                    "ur"
                                                                                                                    "ce"
                                                                                                                    "_p"
                                                                                                                    "ro"
                                                                                                                    "fi"
                                                                                                                    "l"
                                                                                                                    "e "
                                                                                                                    "= "
                                                                                                                    "h"
                                                                                                                    "\n"
                                                                                                                    "[p"
                                                                                                                    "ro"
                                                                                                                    "fi"
                                                                                                                    "le"
                                                                                                                    " h"
                                                                                                                    "]"
                                                                                                                    "\n" ROLE(
                                                                                                                        "r"),
      NULL, NULL, NULL, 0, "more than 8 roles" },
    { "token file without a role", "[profile x]\nweb_identity_token_file = /nowhere\n", NULL, NULL, NULL, 0,
      "needs a role_arn" },
    { "token file that is not there", "[profile x]\n" ROLE("r") "web_identity_token_file = /nowhere\n", NULL, NULL,
      NULL, 0, "/nowhere cannot be opened" },
    { "login session", "[profile x]\nlogin_session = l\n", NULL, NULL, NULL, 0, "login_session is not supported" },
    { "nothing", "[profile x]\nregion = a\n", NULL, NULL, NULL, 0, "holds no keys" },
    { "not there", "[profile y]\n" KEYS("A"), NULL, NULL, NULL, 0, "no such profile" },
    { "a process behind the credentials file", "[profile x]\ncredential_process = /bin/false\n", "[x]\n" KEYS("A"), "A",
      "keys of profile x", 0, "" },
    { "a process before the config file", "[profile x]\ncredential_process = /bin/false\n" KEYS("A"), NULL, NULL, NULL,
      0, "exit status 1" },
};

static void test_profiles(void)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO(asked_done) struct asked a = { .script = NULL };
        struct creds got = { .access_key_id = "" };
        struct err err = { 0 };
        bool found = false;

        test_case("%s", rows[i].name);
        if (!start(&a, two_roles, 2, rows[i].config, rows[i].credentials,
                   (struct creds_settings){ .profile = "x", .access_key_id = "E", .secret_access_key = "S" }))
            continue;
        CHECK((creds_profile_load(&a.shared, &got, &found, &err) && found) == (rows[i].want_id != NULL));
        CHECK_TEXT(got.access_key_id, rows[i].want_id ? rows[i].want_id : "");
        if (rows[i].want_detail)
            CHECK_TEXT(got.detail, rows[i].want_detail);
        CHECK(strstr(err.what, rows[i].words) != NULL);
        CHECK_I64(http_script_count(a.script), rows[i].want_requests);
    }
    test_case(NULL);
}

/* Each role is asked for with the keys of the one below it, and with what its own profile says. */
static void test_who_asks(void)
{
    static const char config[] = "[default]\n" ROLE("top") "source_profile = y\nexternal_id = ours\n[profile y]\n" ROLE(
        "low") "source_profile = z\nrole_session_name = low-one\nduration_seconds = 900\n[profile z]\n" KEYS("AKIDZ");
    AUTO(asked_done) struct asked a = { .script = NULL };
    struct creds got = { .access_key_id = "" };
    struct err err = { 0 };
    bool found = false;
    struct span auth;

    if (!start(&a, two_roles, 2, config, NULL, (struct creds_settings){ .profile = "" }))
        return;
    CHECK(creds_profile_load(&a.shared, &got, &found, &err) && found);
    CHECK_TEXT(got.session_token, "R2-token");
    if (!CHECK(http_script_count(a.script) == 2))
        return;
    auth = http_seen_header(http_script_seen(a.script, 0), "authorization");
    CHECK(memmem(auth.ptr, auth.len, "Credential=AKIDZ/", 17) != NULL);
    check_seen_header(a.script, 0, "x-amz-security-token", "");
    CHECK(body_has(a.script, 0, "role%2Flow&RoleSessionName=low-one&DurationSeconds=900"));
    auth = http_seen_header(http_script_seen(a.script, 1), "authorization");
    CHECK(memmem(auth.ptr, auth.len, "Credential=R1/", 14) != NULL);
    check_seen_header(a.script, 1, "x-amz-security-token", "R1-token");
    CHECK(body_has(a.script, 1, "role%2Ftop&RoleSessionName=vidbatch-"));
    CHECK(body_has(a.script, 1, "&ExternalId=ours"));
}

static void test_refused(void)
{
    static const struct http_answer answers[] = { { .status = 403, .body = STS_ERROR("AccessDenied") } };
    static const char config[] = "[default]\n" ROLE("r") "source_profile = default\n" KEYS("A");
    AUTO(asked_done) struct asked a = { .script = NULL };
    struct creds got = { .access_key_id = "" };
    struct err err = { 0 };
    bool found = false;

    if (!start(&a, answers, 1, config, NULL, (struct creds_settings){ .profile = "" }))
        return;
    CHECK(!creds_profile_load(&a.shared, &got, &found, &err));
    CHECK_I64(err.kind, ERR_DENIED);
    CHECK_TEXT(err.code, "role_refused");
    CHECK_TEXT(err.upstream_code, "AccessDenied");
    CHECK(strstr(err.what, "AWS profile default: AssumeRole of arn:aws:iam::111122223333:role/r was refused") != NULL);
    CHECK_TEXT(got.secret_access_key, ""); /* the source's keys are not left behind */
}

/* The metadata of EC2 as the source of a role. */
static void test_instance_as_source(void)
{
    const struct http_answer answers[] = { { .status = 200, .body = "token-1" },
                                           { .status = 200, .body = "instance-role" },
                                           { .status = 200, .body = JSON_ANSWER("I") },
                                           { .status = 200, .body = STS_ANSWER("AssumeRole", "R1") },
                                           { .status = 500, .body = "no" },
                                           { .status = 500, .body = "no" },
                                           { .status = 404, .body = "no" } };
    static const char config[] = "[default]\n" ROLE("r") "credential_source = Ec2InstanceMetadata\n";
    AUTO(asked_done) struct asked a = { .script = NULL };
    struct creds got = { .access_key_id = "" };
    struct err err = { 0 };
    bool found = false;

    if (!start(&a, answers, 7, config, NULL, (struct creds_settings){ .profile = "" }))
        return;
    CHECK(creds_profile_load(&a.shared, &got, &found, &err) && found);
    CHECK_TEXT(got.access_key_id, "R1");
    CHECK_TEXT(got.detail,
               "role arn:aws:iam::111122223333:role/r, assumed with role instance-role of this EC2 instance");
    check_seen_header(a.script, 3, "x-amz-security-token", "I-token");
    CHECK(!creds_profile_load(&a.shared, &got, &found, &err)); /* in trouble, which passes */
    CHECK(err.retryable && strstr(err.what, "AWS profile default: credential_source Ec2InstanceMetadata: "));
    CHECK_TEXT(err.code, "");
    err = (struct err){ 0 };
    CHECK(!creds_profile_load(&a.shared, &got, &found, &err)); /* asked for and not there: an error here */
    CHECK(!err.retryable);
    CHECK_TEXT(err.code, "bad_profile");
}

/* Web identity, by the environment and by a profile: the token is read anew, its end trimmed, nothing is signed. */
static void test_web_identity(void)
{
    const struct http_answer answer = { .status = 200, .body = STS_ANSWER("AssumeRoleWithWebIdentity", "W") };

    for (int by_profile = 0; by_profile < 2; by_profile++) {
        AUTO(asked_done) struct asked a = { .script = NULL };
        struct creds got = { .access_key_id = "" };
        struct err err = { 0 };
        bool found = false;
        char config[256];
        const char *token = folder_file(&a.folder, "token", "jwt-one\n");
        struct creds_settings settings = { .role_session_name = by_profile ? "" : "pod" };
        bool (*load)(void *, struct creds *, bool *, struct err *) =
            by_profile ? creds_profile_load : creds_web_identity_load;

        test_case(by_profile ? "profile" : "environment");
        snprintf(config, sizeof(config),
                 "[default]\n" ROLE("r") "web_identity_token_file = %s\nsource_profile = none\n", token);
        if (!by_profile) {
            settings.role_arn = ROLE_ARN;
            settings.web_identity_token_file = token;
        }
        if (!start(&a, &answer, 1, config, NULL, settings))
            continue;
        CHECK(load(&a.shared, &got, &found, &err) && found);
        folder_file(&a.folder, "token", "jwt-two");
        CHECK(load(&a.shared, &got, &found, &err));
        CHECK_TEXT(got.access_key_id, "W");
        CHECK(body_has(a.script, 0, "&WebIdentityToken=jwt-one") && !body_has(a.script, 0, "jwt-one%0A"));
        CHECK(body_has(a.script, 1, "&WebIdentityToken=jwt-two"));
        CHECK(body_has(a.script, 0, by_profile ? "RoleSessionName=vidbatch-" : "RoleSessionName=pod&"));
        check_seen_header(a.script, 0, "authorization", "");
        folder_file(&a.folder, "token", " \n");
        CHECK(!load(&a.shared, &got, &found, &err));
        CHECK(strstr(err.what, "is empty") != NULL);
    }
    test_case(NULL);
}

/* Whichever allocation fails, it is said so, and nothing is left behind. */
static void test_no_memory(void)
{
    static const char config[] = "[default]\n" ROLE("r") "source_profile = default\n" KEYS("A");
    AUTO(asked_done) struct asked a = { .script = NULL };
    bool ok = false;

    if (!start(&a, two_roles, 2, config, NULL, (struct creds_settings){ .profile = "" }))
        return;
    for (uint64_t n = 1; !ok && n < 300; n++) {
        struct creds got = { .access_key_id = "" };
        struct err err = { 0 };
        struct creds_chain *chain;

        mem_fail_at(n);
        chain = creds_chain_new(&a.shared.settings, &err);
        ok = chain && creds_chain_get(chain, &got, &err);
        mem_fail_never();
        CHECK_I64(err.kind, ok ? ERR_NONE : ERR_MEMORY);
        CHECK((got.access_key_id[0] == 'R') == ok);
        creds_chain_free(chain);
    }
    CHECK(ok);
}

static const struct test tests[] = {
    { "profiles", test_profiles },         { "who_asks", test_who_asks },
    { "refused", test_refused },           { "instance_as_source", test_instance_as_source },
    { "web_identity", test_web_identity }, { "no_memory", test_no_memory },
};
TEST_MAIN("creds_profile", tests)
