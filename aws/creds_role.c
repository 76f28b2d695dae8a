/* One role that a profile names, assumed by whoever its source is: STS AssumeRole. */
#include "aws/creds_internal.h"

#include "server/base/text.h"

#include <stdio.h>
#include <string.h>

static bool refuse(struct span profile, const char *why, struct err *err)
{
    err_set(err, ERR_INPUT, false, HERE, "AWS profile %.*s: %s", SPAN_ARG(span_head(profile, 64)), why);
    return err_code(err, "bad_profile");
}

static struct span get(const struct profile *files, struct span profile, const char *key)
{
    return profile_get_in(files, PROFILE_SECTION, profile, key, NULL);
}

bool creds_assume(struct creds_shared *shared, const struct profile *files, struct span profile, struct creds *out,
                  struct err *err)
{
    AUTO(creds_wipe) struct creds by = *out;
    const struct span duration = get(files, profile, "duration_seconds");
    char session[CREDS_SESSION_SIZE];
    struct sts_role role = { .arn = get(files, profile, "role_arn"),
                             .session_name = get(files, profile, "role_session_name"),
                             .external_id = get(files, profile, "external_id") };
    struct err cause = { 0 };
    struct sts sts;

    creds_wipe(out);
    creds_session_name(session);
    if (!role.session_name.len)
        role.session_name = span_of(session);
    if (get(files, profile, "mfa_serial").len)
        return refuse(profile, "mfa_serial: nobody can be asked for a code here; use a role without MFA", err);
    if (duration.len && !text_parse_i64(duration, &role.duration_s))
        return refuse(profile, "duration_seconds must be a whole number, 900 to 43200", err);
    if (!creds_sts(shared, &sts, err))
        return false;
    if (!sts_assume_role(&sts, &by, &role, out, &cause))
        return creds_blame(err, &cause, "AWS profile %.*s", SPAN_ARG(span_head(profile, 64)));
    (void)snprintf(out->detail, sizeof(out->detail), "role %.*s, assumed with %.*s", SPAN_ARG(span_head(role.arn, 120)),
                   (int)strnlen(by.detail, 110), by.detail);
    return true;
}
