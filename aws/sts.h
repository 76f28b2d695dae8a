/* The two calls of AWS STS that give credentials (API version 2011-06-15, query protocol): AssumeRole, signed with the
 * credentials of whoever assumes, and AssumeRoleWithWebIdentity, which is not signed. Any thread; blocking. */
#ifndef VIDBATCH_AWS_STS_H
#define VIDBATCH_AWS_STS_H

#include "aws/credentials.h"
#include "aws/creds_http.h"
#include "aws/endpoint.h"
#include "server/base/attr.h"
#include "server/base/buf.h"
#include "server/base/err.h"
#include "server/base/span.h"

#include <stdbool.h>
#include <stdint.h>

struct sts { /* all borrowed */
    const struct endpoint *endpoint;
    const char *ca_bundle;
    struct creds_stop stop;
};

struct sts_role {
    struct span arn;
    struct span session_name;
    struct span external_id;  /* may be empty; AssumeRole only */
    struct span web_identity; /* the token; AssumeRoleWithWebIdentity only */
    int64_t duration_s;       /* 0: left to AWS (3600) */
};

/* Checks the role's fields against STS's limits, and appends the form to send. ERR_INPUT, code "bad_role", with field
 * and rule. The form holds the token: the caller wipes it. Pure. */
MUST_CHECK bool sts_role_form(const struct sts_role *role, bool is_web_identity, struct buf *out, struct err *err);
/* Fills the keys and expires_at_s of *out from the answer of either call, wherever in it <Credentials> stands.
 * ERR_UPSTREAM: code "bad_xml" (retryable) or "bad_credentials_answer". Pure. */
MUST_CHECK bool sts_read_credentials(struct span body, struct creds *out, struct err *err);

/* The role's credentials. Up to three attempts where a repeat can help, one more with AWS's clock when ours is wrong. A
 * refusal is ERR_DENIED, ERR_INPUT ..., code "role_refused", with STS's name, words and request id, and a remedy where
 * one is known; "sts_unreachable" where there was no answer; else as the two above. Only keys and expiry of *out are
 * filled. */
MUST_CHECK bool sts_assume_role(const struct sts *sts, const struct creds *by, const struct sts_role *role,
                                struct creds *out, struct err *err);
MUST_CHECK bool sts_assume_role_with_web_identity(const struct sts *sts, const struct sts_role *role, struct creds *out,
                                                  struct err *err);

#endif
