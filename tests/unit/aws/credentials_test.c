/* The chain with the providers that ship. */
#include "aws/credentials.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- environment and profile ---- */

struct files {
    char folder[64], config[96], credentials[96];
};

static void write_file(const char *path, const char *text)
{
    FILE *file = text ? fopen(path, "w") : NULL;

    if (!file)
        return;
    CHECK(fputs(text, file) >= 0);
    CHECK(fclose(file) == 0);
}

static void files_make(struct files *f, const char *config, const char *credentials)
{
    strcpy(f->folder, "/tmp/vidbatch-creds-XXXXXX");
    CHECK(mkdtemp(f->folder) != NULL);
    snprintf(f->config, sizeof(f->config), "%s/config", f->folder);
    snprintf(f->credentials, sizeof(f->credentials), "%s/credentials", f->folder);
    write_file(f->config, config);
    write_file(f->credentials, credentials);
}

static void files_done(struct files *f)
{
    unlink(f->config);
    unlink(f->credentials);
    rmdir(f->folder);
}

static const struct {
    const char *name;
    struct creds_settings env; /* the files' paths are filled in */
    const char *config, *credentials;
    const char *want_id, *want_provider; /* NULL: fails ... */
    enum err_kind kind;
    const char *words; /* ... with these among its words */
} rows[] = {
    { "environment",
      { .access_key_id = "A", .secret_access_key = "S", .session_token = "T" },
      NULL,
      NULL,
      "A",
      "environment",
      ERR_NONE,
      "" },
    { "environment wins",
      { .access_key_id = "A", .secret_access_key = "S" },
      NULL,
      "[default]\naws_access_key_id=B\naws_secret_access_key=S\n",
      "A",
      "environment",
      ERR_NONE,
      "" },
    { "id alone", { .access_key_id = "A" }, NULL, NULL, NULL, NULL, ERR_INPUT, "set together" },
    { "secret alone", { .secret_access_key = "A" }, NULL, NULL, NULL, NULL, ERR_INPUT, "set together" },
    { "blank in id",
      { .access_key_id = "A B", .secret_access_key = "S" },
      NULL,
      NULL,
      NULL,
      NULL,
      ERR_INPUT,
      "AWS_ACCESS_KEY_ID" },
    { "line break in token",
      { .access_key_id = "A", .secret_access_key = "S", .session_token = "x\r\ny: z" },
      NULL,
      NULL,
      NULL,
      NULL,
      ERR_INPUT,
      "AWS_SESSION_TOKEN" },
    { "nothing",
      { 0 },
      NULL,
      NULL,
      NULL,
      NULL,
      ERR_DENIED,
      "no AWS credentials found; tried environment (AWS_ACCESS_KEY_ID is not set), web identity "
      "(AWS_WEB_IDENTITY_TOKEN_FILE is not set), profile (there is no profile default), container "
      "(AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and _FULL_URI are not set), EC2 metadata (switched off by "
      "AWS_EC2_METADATA_DISABLED)" },
    { "expiration",
      { .access_key_id = "A", .secret_access_key = "S", .expiration = "2099-01-01T00:00:00Z" },
      NULL,
      NULL,
      "A",
      "environment",
      ERR_NONE,
      "" },
    { "expiration that is none",
      { .access_key_id = "A", .secret_access_key = "S", .expiration = "tomorrow" },
      NULL,
      NULL,
      NULL,
      NULL,
      ERR_INPUT,
      "AWS_CREDENTIAL_EXPIRATION" },
    { "expired",
      { .access_key_id = "A", .secret_access_key = "S", .expiration = "2001-01-01T00:00:00Z" },
      NULL,
      NULL,
      NULL,
      NULL,
      ERR_DENIED,
      "already expired" },
    { "token file without a role",
      { .web_identity_token_file = "/nowhere" },
      NULL,
      "[default]\naws_access_key_id=B\naws_secret_access_key=S\n",
      NULL,
      NULL,
      ERR_INPUT,
      "without AWS_ROLE_ARN" },
    { "empty is unset",
      { .access_key_id = "", .secret_access_key = "" },
      NULL,
      NULL,
      NULL,
      NULL,
      ERR_DENIED,
      "no AWS credentials" },
    { "default profile",
      { 0 },
      NULL,
      "[default]\naws_access_key_id=B\naws_secret_access_key=S\n",
      "B",
      "profile",
      ERR_NONE,
      "" },
    { "config file alone",
      { 0 },
      "[default]\naws_access_key_id=C\naws_secret_access_key=S\n",
      NULL,
      "C",
      "profile",
      ERR_NONE,
      "" },
    { "credentials file wins, key by key",
      { .profile = "x" },
      "[profile x]\naws_access_key_id=C\naws_secret_access_key=S\n",
      "[x]\naws_access_key_id=B\n",
      "B",
      "profile",
      ERR_NONE,
      "" },
    { "named and missing", { .profile = "x" }, NULL, "[y]\n", NULL, NULL, ERR_INPUT, "no such profile" },
    { "named and empty", { .profile = "x" }, NULL, "[x]\n", NULL, NULL, ERR_INPUT, "holds no keys" },
    { "half a profile", { 0 }, NULL, "[default]\naws_access_key_id=B\n", NULL, NULL, ERR_INPUT, "set together" },
    { "continued secret",
      { 0 },
      NULL,
      "[default]\naws_access_key_id=B\naws_secret_access_key=S\n  more\n",
      NULL,
      NULL,
      ERR_INPUT,
      "aws_secret_access_key" },
    { "broken file", { 0 }, "[default\n", NULL, NULL, NULL, ERR_INPUT, "line 1" },
};

static void test_chain(void)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        AUTO(files_done) struct files f = { 0 };
        struct creds_settings settings = rows[i].env;
        struct creds got = { 0 };
        struct err err = { 0 };
        struct creds_chain *chain;

        test_case("%s", rows[i].name);
        files_make(&f, rows[i].config, rows[i].credentials);
        settings.is_metadata_off = true;
        settings.config_file = f.config;
        settings.credentials_file = f.credentials;
        chain = creds_chain_new(&settings, &err);
        CHECK((chain && creds_chain_get(chain, &got, &err)) == (rows[i].want_id != NULL));
        CHECK_I64(err.kind, rows[i].kind);
        CHECK(strstr(err.what, rows[i].words) != NULL);
        CHECK_TEXT(got.access_key_id, rows[i].want_id ? rows[i].want_id : "");
        CHECK_TEXT(got.provider, rows[i].want_provider ? rows[i].want_provider : "");
        creds_chain_free(chain);
        creds_wipe(&got);
    }
    test_case(NULL);
}

static void test_put_bounds(void)
{
    char field[4];

    CHECK(creds_put(field, sizeof(field), SPAN_LIT("abc")));
    CHECK_TEXT(field, "abc");
    CHECK(creds_put(field, sizeof(field), SPAN_LIT("x")));
    CHECK_TEXT(field, "x");
    CHECK(!creds_put(field, sizeof(field), SPAN_LIT("abcd")));
    CHECK(!creds_put(field, sizeof(field), SPAN_LIT("\x7f")));
    CHECK_TEXT(field, "x");
}

/* A file that was changed is read again when AWS refuses the old keys. */
static void test_reread(void)
{
    AUTO(files_done) struct files f = { 0 };
    struct creds_settings settings = { .is_metadata_off = true };
    struct creds first = { 0 }, second = { 0 };
    struct err err = { 0 };
    struct creds_chain *chain;

    files_make(&f, NULL, "[default]\naws_access_key_id=A\naws_secret_access_key=S\n");
    settings.credentials_file = f.credentials;
    chain = creds_chain_new(&settings, &err);
    if (!CHECK(chain && creds_chain_get(chain, &first, &err)))
        return;
    write_file(f.credentials, "[default]\naws_access_key_id=B\naws_secret_access_key=S\n");
    CHECK(creds_chain_get(chain, &second, &err));
    CHECK_TEXT(second.access_key_id, "A");
    creds_chain_expired(chain, &first);
    CHECK(creds_chain_get(chain, &second, &err));
    CHECK_TEXT(second.access_key_id, "B");
    CHECK(second.generation > first.generation);
    creds_chain_expired(chain, &first); /* an old refusal that comes late changes nothing */
    CHECK(creds_chain_get(chain, &first, &err));
    CHECK_I64(first.generation, second.generation);
    creds_chain_free(chain);
}

static const struct test tests[] = {
    { "chain", test_chain },
    { "put_bounds", test_put_bounds },
    { "reread", test_reread },
};
TEST_MAIN("credentials", tests)
