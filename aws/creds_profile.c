/* Static keys of one profile in the shared config and credentials files. The files are read again at every refresh. */
#include "aws/credentials.h"

#include "aws/profile_file.h"
#include "server/base/mem.h"

#include <string.h>

struct profile_state {
    char *name; /* NULL: "default" */
    char *config_file;
    char *credentials_file;
    bool is_named; /* somebody asked for this profile: that it is missing is an error then */
};

static void release(void *state)
{
    struct profile_state *s = state;

    mem_free(s->name);
    mem_free(s->config_file);
    mem_free(s->credentials_file);
    mem_free(s);
}

static const char *text_or_dash(const char *text)
{
    return text && text[0] ? text : "-";
}

static bool refuse(const struct profile_state *s, const struct profile *p, const char *why, struct err *err)
{
    err_set(err, ERR_INPUT, false, HERE, "AWS profile %s (files %s, %s): %s", p->name, text_or_dash(s->config_file),
            text_or_dash(s->credentials_file), why);
    return err_code(err, "bad_profile");
}

/* Ways to get credentials that a profile can name and that are not built in. */
static const struct {
    const char *key;
    const char *why;
} unsupported[] = {
    { "role_arn",
      "role_arn is not supported yet; use static keys, or the temporary keys of the role in the environment" },
    { "credential_process", "credential_process is not supported yet; use static keys, or put its output in the "
                            "environment" },
    { "sso_session", "SSO is not supported yet; use static keys, or export the session's keys to the environment" },
    { "sso_start_url", "SSO is not supported yet; use static keys, or export the session's keys to the environment" },
    { "web_identity_token_file", "web_identity_token_file is not supported yet; use static keys" },
};

static const char *why_unsupported(const struct profile *p)
{
    for (size_t i = 0; i < sizeof(unsupported) / sizeof(unsupported[0]); i++)
        if (profile_get(p, unsupported[i].key, NULL).len)
            return unsupported[i].why;
    return NULL;
}

static bool take_keys(const struct profile_state *s, const struct profile *p, struct creds *out, struct err *err)
{
    struct span id = profile_get(p, "aws_access_key_id", NULL);
    struct span secret = profile_get(p, "aws_secret_access_key", NULL);
    struct span token = profile_get(p, "aws_session_token", NULL);

    if (!id.len || !secret.len)
        return refuse(s, p, "aws_access_key_id and aws_secret_access_key must be set together", err);
    if (!creds_put(out->access_key_id, sizeof(out->access_key_id), id))
        return refuse(s, p, "aws_access_key_id is too long or holds blanks", err);
    if (!creds_put(out->secret_access_key, sizeof(out->secret_access_key), secret))
        return refuse(s, p, "aws_secret_access_key is too long or holds blanks", err);
    if (!creds_put(out->session_token, sizeof(out->session_token), token))
        return refuse(s, p, "aws_session_token is too long or holds blanks", err);
    return true;
}

static bool load(void *state, struct creds *out, bool *found, struct err *err)
{
    const struct profile_state *s = state;
    AUTO(profile_done) struct profile p = { 0 };
    const char *why;

    if (!profile_load(s->config_file, s->credentials_file, s->name, &p, err))
        return false;
    if (!p.is_found && s->is_named)
        return refuse(s, &p, "there is no such profile", err);
    why = why_unsupported(&p);
    if (why)
        return refuse(s, &p, why, err);
    *found = profile_get(&p, "aws_access_key_id", NULL).len || profile_get(&p, "aws_secret_access_key", NULL).len;
    if (!*found && s->is_named)
        return refuse(s, &p, "it holds no keys", err);
    return !*found || take_keys(s, &p, out, err);
}

static bool copy_text(char **out, const char *text)
{
    *out = mem_text(text);
    return *out || !text;
}

bool creds_profile_provider(const struct creds_settings *settings, struct creds_provider *out, struct err *err)
{
    struct profile_state *s = mem_alloc(1, sizeof(*s));

    if (!s)
        return err_memory(err, HERE);
    s->is_named = settings->profile && settings->profile[0];
    if (!copy_text(&s->name, settings->profile) || !copy_text(&s->config_file, settings->config_file) ||
        !copy_text(&s->credentials_file, settings->credentials_file)) {
        release(s);
        return err_memory(err, HERE);
    }
    *out = (struct creds_provider){ "profile", load, release, s };
    return true;
}
