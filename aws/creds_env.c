/* Credentials that the caller read from its environment. They never change during the life of the process. */
#include "aws/creds_internal.h"

#include "server/base/clock.h"

#include <stdio.h>

static bool refuse(struct err *err, const char *why)
{
    return creds_refuse(err, "AWS credentials in the environment: %s", why);
}

bool creds_env_load(void *state, struct creds *out, bool *found, struct err *err)
{
    const struct creds_settings *s = &((const struct creds_shared *)state)->settings;
    int64_t expires_ms = 0;

    *found = s->access_key_id[0] || s->secret_access_key[0];
    if (!*found)
        return creds_absent(err, "AWS_ACCESS_KEY_ID is not set");
    if (!s->access_key_id[0] || !s->secret_access_key[0])
        return refuse(err, "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be set together");
    if (!creds_put(out->access_key_id, sizeof(out->access_key_id), span_of(s->access_key_id)))
        return refuse(err, "AWS_ACCESS_KEY_ID is too long or holds blanks");
    if (!creds_put(out->secret_access_key, sizeof(out->secret_access_key), span_of(s->secret_access_key)))
        return refuse(err, "AWS_SECRET_ACCESS_KEY is too long or holds blanks");
    if (!creds_put(out->session_token, sizeof(out->session_token), span_of(s->session_token)))
        return refuse(err, "AWS_SESSION_TOKEN is too long or holds blanks");
    if (s->expiration[0] && !clock_parse_rfc3339(span_of(s->expiration), &expires_ms))
        return refuse(err, "AWS_CREDENTIAL_EXPIRATION must be a time such as 2026-11-01T12:00:00Z");
    out->expires_at_s = expires_ms / 1000;
    (void)snprintf(out->detail, sizeof(out->detail), "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY%s",
                   s->session_token[0] ? ", with AWS_SESSION_TOKEN" : "");
    return true;
}
