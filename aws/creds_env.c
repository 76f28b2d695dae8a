/* Credentials that the caller read from its environment. They never change during the life of the process. */
#include "aws/credentials.h"

#include "server/base/mem.h"

static bool load(void *state, struct creds *out, bool *found, struct err *err)
{
    const struct creds *fixed = state;

    (void)err;
    *found = fixed->access_key_id[0] != '\0';
    if (*found)
        *out = *fixed;
    return true;
}

static void release(void *state)
{
    creds_wipe(state);
    mem_free(state);
}

static bool refuse(struct err *err, const char *why)
{
    err_set(err, ERR_INPUT, false, HERE, "AWS credentials in the environment: %s", why);
    return err_code(err, "bad_credentials");
}

static bool fill(const struct creds_settings *settings, struct creds *out, struct err *err)
{
    struct span id = span_of(settings->access_key_id);
    struct span secret = span_of(settings->secret_access_key);

    if (!id.len && !secret.len)
        return true;
    if (!id.len || !secret.len)
        return refuse(err, "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be set together");
    if (!creds_put(out->access_key_id, sizeof(out->access_key_id), id))
        return refuse(err, "AWS_ACCESS_KEY_ID is too long or holds blanks");
    if (!creds_put(out->secret_access_key, sizeof(out->secret_access_key), secret))
        return refuse(err, "AWS_SECRET_ACCESS_KEY is too long or holds blanks");
    if (!creds_put(out->session_token, sizeof(out->session_token), span_of(settings->session_token)))
        return refuse(err, "AWS_SESSION_TOKEN is too long or holds blanks");
    return true;
}

bool creds_env_provider(const struct creds_settings *settings, struct creds_provider *out, struct err *err)
{
    struct creds *fixed = mem_alloc(1, sizeof(*fixed));

    if (!fixed)
        return err_memory(err, HERE);
    if (!fill(settings, fixed, err)) {
        release(fixed);
        return false;
    }
    *out = (struct creds_provider){ "environment", load, release, fixed };
    return true;
}
