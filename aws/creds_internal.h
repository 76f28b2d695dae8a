/* What the providers of one chain share (aws/creds_*.c). Nobody but they, aws/credentials.c, aws/region.c and their
 * tests include this. */
#ifndef VIDBATCH_AWS_CREDS_INTERNAL_H
#define VIDBATCH_AWS_CREDS_INTERNAL_H

#include "aws/credentials.h"
#include "aws/endpoint.h"
#include "aws/imds.h"
#include "aws/profile_file.h"
#include "aws/sts.h"
#include "server/base/buf.h"

struct creds_shared {
    struct creds_settings settings; /* texts are owned, "" where unset */
    struct endpoint sts_endpoint;   /* what settings.sts points to */
    struct imds imds;
};
/* Copies the settings. Gives: creds_shared_done, which wipes. */
MUST_CHECK bool creds_shared_init(struct creds_shared *shared, const struct creds_settings *settings, struct err *err);
void creds_shared_done(struct creds_shared *shared);

/* The providers, as struct creds_provider wants them; state is the struct creds_shared. Everything that may change (the
 * files, tokens) is read anew each time. */
bool creds_env_load(void *state, struct creds *out, bool *found, struct err *err);
bool creds_web_identity_load(void *state, struct creds *out, bool *found, struct err *err);
bool creds_profile_load(void *state, struct creds *out, bool *found, struct err *err);
bool creds_container_load(void *state, struct creds *out, bool *found, struct err *err);
bool creds_imds_load(void *state, struct creds *out, bool *found, struct err *err);

/* ---- what several of them need ---- */

/* What a provider looked for and did not find: fills err as a note. Always true, as such a provider returns. */
bool creds_absent(struct err *err, const char *fmt, ...) PRINTF(2, 3);
/* Something in the settings or files is wrong: ERR_INPUT, code "bad_credentials". Always false. */
bool creds_refuse(struct err *err, const char *fmt, ...) PRINTF(2, 3);
/* Sends to `err`, in front of what `cause` says, whose trouble it is. Keeps kind, code and AWS's words. Always false.
 */
bool creds_blame(struct err *err, const struct err *cause, const char *fmt, ...) PRINTF(3, 4);
/* Appends a file's bytes; out's maximum is the bound. false with "FILE: why" (ERR_INPUT, "bad_credentials"). */
MUST_CHECK bool creds_read_file(const char *path, struct buf *out, struct err *err);
/* STS as the chain reaches it; ERR_INPUT where it has no Region. */
MUST_CHECK bool creds_sts(const struct creds_shared *shared, struct sts *out, struct err *err);
/* "vidbatch-" and the name of this machine, as a role session may be called. */
enum { CREDS_SESSION_SIZE = 65 };
void creds_session_name(char out[CREDS_SESSION_SIZE]);
struct creds_stop creds_stop_of(const struct creds_settings *settings);

/* Where a container's credentials are: appends the URL; *is_near: no proxy may be asked. ERR_INPUT for what AWS's rules
 * forbid (plain http to a host that is not one of a few addresses). Pure. */
MUST_CHECK bool creds_container_url(const struct creds_settings *settings, struct buf *url, bool *is_near,
                                    struct err *err);

/* The credentials of a role with a token from a file, in fields of a profile or of the environment. session "" = a name
 * of ours. */
struct creds_web_role {
    struct span arn, session;
    const char *token_file;
};
MUST_CHECK bool creds_web_identity(struct creds_shared *shared, const struct creds_web_role *role, struct creds *out,
                                   struct err *err);
/* Replaces *out, the credentials of whoever assumes, by those of the role that the profile names; wiped on failure. */
MUST_CHECK bool creds_assume(struct creds_shared *shared, const struct profile *files, struct span profile,
                             struct creds *out, struct err *err);
/* Runs the command of the profile's credential_process. */
MUST_CHECK bool creds_process(struct creds_shared *shared, struct span command, struct creds *out, struct err *err);
/* Splits like a POSIX shell (quotes, backslashes), without expanding anything: the words one after the other in *text,
 * each terminated, and *count of them. ERR_INPUT for an open quote, nothing at all, more than 64 words or 8 KiB. Pure.
 */
MUST_CHECK bool creds_split_command(struct span command, struct buf *text, size_t *count, struct err *err);
/* Exchanges the cached token of `aws sso login` for the credentials of the profile's role. */
MUST_CHECK bool creds_sso(struct creds_shared *shared, const struct profile *files, struct span profile,
                          struct creds *out, struct err *err);

#endif
