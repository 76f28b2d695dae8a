/* A role by a token from a file (EKS's IAM roles for service accounts): STS AssumeRoleWithWebIdentity. Whoever runs the
 * container renews the file, so it is read at every refresh. */
#include "aws/creds_internal.h"

#include <stdio.h>

enum { MAX_TOKEN_BYTES = 20002 };

static bool read_token(const char *path, struct buf *text, struct err *err)
{
    buf_init(text, MAX_TOKEN_BYTES);
    if (!creds_read_file(path, text, err))
        return false;
    if (!span_trim(buf_view(text)).len)
        return creds_refuse(err, "%s is empty: it must hold the web identity token", path);
    return true;
}

bool creds_web_identity(struct creds_shared *shared, const struct creds_web_role *role, struct creds *out,
                        struct err *err)
{
    AUTO(buf_wipe) struct buf text = { 0 };
    char session[CREDS_SESSION_SIZE];
    struct sts_role ask = { .arn = role->arn, .session_name = role->session };
    struct sts sts;

    creds_session_name(session);
    if (!ask.session_name.len)
        ask.session_name = span_of(session);
    if (!creds_sts(shared, &sts, err) || !read_token(role->token_file, &text, err))
        return false;
    ask.web_identity = span_trim(buf_view(&text));
    if (!sts_assume_role_with_web_identity(&sts, &ask, out, err))
        return false;
    (void)snprintf(out->detail, sizeof(out->detail), "role %.*s by the token in %s",
                   (int)(role->arn.len < 140 ? role->arn.len : 140), role->arn.ptr, role->token_file);
    return true;
}

bool creds_web_identity_load(void *state, struct creds *out, bool *found, struct err *err)
{
    struct creds_shared *shared = state;
    const struct creds_settings *s = &shared->settings;
    const struct creds_web_role role = { span_of(s->role_arn), span_of(s->role_session_name),
                                         s->web_identity_token_file };

    *found = s->web_identity_token_file[0] != '\0';
    if (!*found)
        return creds_absent(err, "AWS_WEB_IDENTITY_TOKEN_FILE is not set");
    if (!s->role_arn[0])
        return creds_refuse(err, "AWS_WEB_IDENTITY_TOKEN_FILE is set without AWS_ROLE_ARN, the role that it is for");
    return creds_web_identity(shared, &role, out, err);
}
