/* Credentials of one profile in the shared config and credentials files, which are read again at every refresh. A
 * profile may be a role that another profile, or another provider, assumes: the chain of roles is walked down to
 * whoever has credentials of his own, and then up again. */
#include "aws/creds_internal.h"

#include <stdio.h>
#include <string.h>

enum { MAX_ROLES = 8 };

struct walk {
    struct creds_shared *shared;
    const struct profile *files;
    struct span roles[MAX_ROLES]; /* profiles whose roles are to be assumed, the last one first */
    size_t role_count;
    struct span base; /* profile that has the credentials to begin with; empty: `source` has them */
    struct span source;
};

static struct span get(const struct walk *w, struct span profile, const char *key)
{
    return profile_get_in(w->files, PROFILE_SECTION, profile, key, NULL);
}

static const char *text_or_dash(const char *text)
{
    return text[0] ? text : "-";
}

static bool refuse(const struct walk *w, struct span profile, const char *why, struct err *err)
{
    const struct creds_settings *s = &w->shared->settings;

    err_set(err, ERR_INPUT, false, HERE, "AWS profile %.*s (files %.80s, %.80s): %s",
            (int)(profile.len < 64 ? profile.len : 64), profile.ptr, text_or_dash(s->config_file),
            text_or_dash(s->credentials_file), why);
    return err_code(err, "bad_profile");
}

/* ---- down the chain ---- */

static bool has_keys(const struct walk *w, struct span profile)
{
    return get(w, profile, "aws_access_key_id").len || get(w, profile, "aws_secret_access_key").len;
}

static bool was_visited(const struct walk *w, struct span profile)
{
    for (size_t i = 0; i < w->role_count; i++)
        if (span_eq(w->roles[i], profile))
            return true;
    return false;
}

/* A profile that somebody else's role comes from uses its own keys first, as AWS's tools do. */
static bool is_role(const struct walk *w, struct span profile, bool is_source)
{
    return get(w, profile, "role_arn").len && !get(w, profile, "web_identity_token_file").len &&
           !(is_source && has_keys(w, profile));
}

/* From the role of `profile` to whoever assumes it: *next, or nothing when the walk has come to its end. */
static bool step_down(struct walk *w, struct span profile, struct span *next, struct err *err)
{
    const struct span source_profile = get(w, profile, "source_profile");

    *next = (struct span){ 0 };
    w->source = get(w, profile, "credential_source");
    if (w->role_count == MAX_ROLES)
        return refuse(w, profile, "more than 8 roles are chained by source_profile", err);
    w->roles[w->role_count++] = profile;
    if (!source_profile.len == !w->source.len)
        return refuse(w, profile, "role_arn needs exactly one of source_profile and credential_source", err);
    if (!source_profile.len)
        return true;
    if (!profile_has(w->files, PROFILE_SECTION, source_profile))
        return refuse(w, profile, "its source_profile does not exist", err);
    if (was_visited(w, source_profile) && !(span_eq(source_profile, profile) && has_keys(w, profile)))
        return refuse(w, profile, "its source_profile leads round in a circle", err);
    *next = source_profile;
    return true;
}

static bool walk_down(struct walk *w, struct span profile, struct err *err)
{
    bool is_source = false;

    while (is_role(w, profile, is_source)) {
        struct span next;

        if (!step_down(w, profile, &next, err))
            return false;
        if (!next.len)
            return true;
        profile = next;
        is_source = true;
    }
    w->base = profile;
    return true;
}

/* ---- whoever has credentials of his own ---- */

static bool take_keys(const struct walk *w, struct span profile, struct creds *out, struct err *err)
{
    struct span id = get(w, profile, "aws_access_key_id");
    struct span secret = get(w, profile, "aws_secret_access_key");
    struct span token = get(w, profile, "aws_session_token");

    if (!id.len || !secret.len)
        return refuse(w, profile, "aws_access_key_id and aws_secret_access_key must be set together", err);
    if (!creds_put(out->access_key_id, sizeof(out->access_key_id), id))
        return refuse(w, profile, "aws_access_key_id is too long or holds blanks", err);
    if (!creds_put(out->secret_access_key, sizeof(out->secret_access_key), secret))
        return refuse(w, profile, "aws_secret_access_key is too long or holds blanks", err);
    if (!creds_put(out->session_token, sizeof(out->session_token), token))
        return refuse(w, profile, "aws_session_token is too long or holds blanks", err);
    (void)snprintf(out->detail, sizeof(out->detail), "keys of profile %.*s", SPAN_ARG(profile));
    return true;
}

static bool by_web_identity(const struct walk *w, struct span profile, struct creds *out, struct err *err)
{
    const struct span file = get(w, profile, "web_identity_token_file");
    struct creds_web_role role = { .arn = get(w, profile, "role_arn"),
                                   .session = get(w, profile, "role_session_name") };
    char path[1024];

    if (!role.arn.len)
        return refuse(w, profile, "web_identity_token_file needs a role_arn", err);
    if (file.len >= sizeof(path))
        return refuse(w, profile, "web_identity_token_file is too long", err);
    (void)snprintf(path, sizeof(path), "%.*s", SPAN_ARG(file));
    role.token_file = path;
    return creds_web_identity(w->shared, &role, out, err);
}

/* Keys of the credentials file go before a credential_process, keys of the config file come behind it. */
static bool own(const struct walk *w, struct span profile, struct creds *out, bool *found, struct err *err)
{
    const struct profile_file *first = &w->files->credentials;
    const struct span command = get(w, profile, "credential_process");

    *found = true;
    if (get(w, profile, "web_identity_token_file").len)
        return by_web_identity(w, profile, out, err);
    if (get(w, profile, "sso_session").len || get(w, profile, "sso_start_url").len)
        return creds_sso(w->shared, w->files, profile, out, err);
    if (command.len && !profile_file_find(first, PROFILE_SECTION, profile, "aws_access_key_id", NULL)) {
        struct err cause = { 0 };

        if (!creds_process(w->shared, command, out, &cause))
            return creds_blame(err, &cause, "credential_process of AWS profile %.*s", SPAN_ARG(span_head(profile, 64)));
        (void)snprintf(out->detail, sizeof(out->detail), "credential_process of profile %.*s", SPAN_ARG(profile));
        return true;
    }
    *found = has_keys(w, profile);
    return !*found || take_keys(w, profile, out, err);
}

/* What credential_source may name. */
static bool from_source(const struct walk *w, struct creds *out, struct err *err)
{
    static const struct {
        const char *name;
        bool (*load)(void *state, struct creds *out, bool *found, struct err *err);
    } sources[] = { { "Environment", creds_env_load },
                    { "Ec2InstanceMetadata", creds_imds_load },
                    { "EcsContainer", creds_container_load } };
    const struct span profile = w->roles[w->role_count - 1];

    for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
        struct err why = { 0 };
        bool found = false;

        if (!span_eq_text(w->source, sources[i].name))
            continue;
        if (!sources[i].load(w->shared, out, &found, &why))
            return err_pass(err, &why);
        if (!found && why.retryable) /* silence, say, which may pass */
            return creds_blame(err, &why, "AWS profile %.*s: credential_source %s", SPAN_ARG(span_head(profile, 64)),
                               sources[i].name);
        return found || refuse(w, profile, why.what, err);
    }
    return refuse(w, profile, "credential_source must be Environment, Ec2InstanceMetadata or EcsContainer", err);
}

/* ---- the provider ---- */

static bool have_base(const struct walk *w, bool is_named, struct creds *out, bool *found, struct err *err)
{
    if (!w->base.len) {
        *found = true;
        return from_source(w, out, err);
    }
    if (!own(w, w->base, out, found, err))
        return false;
    if (*found)
        return true;
    if (get(w, w->base, "login_session").len)
        return refuse(w, w->base, "login_session is not supported; use sso_session, a role or keys", err);
    if (is_named || w->role_count)
        return refuse(w, w->base, "it holds no keys, and no role, SSO or credential_process to get some", err);
    return creds_absent(err, "profile %s holds no keys", w->files->name);
}

bool creds_profile_load(void *state, struct creds *out, bool *found, struct err *err)
{
    struct creds_shared *shared = state;
    const struct creds_settings *s = &shared->settings;
    AUTO(profile_done) struct profile files = { 0 };
    struct walk w = { .shared = shared, .files = &files };
    const bool is_named = s->profile[0] != '\0';

    *found = false;
    if (!profile_load(s->config_file, s->credentials_file, s->profile, &files, err))
        return false;
    if (!files.is_found && is_named)
        return refuse(&w, span_of(files.name), "there is no such profile", err);
    if (!files.is_found)
        return creds_absent(err, "there is no profile %s", files.name);
    if (!walk_down(&w, span_of(files.name), err) || !have_base(&w, is_named, out, found, err))
        return false;
    for (size_t i = w.role_count; *found && i-- > 0;)
        if (!creds_assume(shared, &files, w.roles[i], out, err))
            return false;
    return true;
}
