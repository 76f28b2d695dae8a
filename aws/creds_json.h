/* Reads the JSON documents that credentials come in. Pure: no I/O, no clock, no globals. Any thread. */
#ifndef VIDBATCH_AWS_CREDS_JSON_H
#define VIDBATCH_AWS_CREDS_JSON_H

#include "aws/credentials.h"
#include "server/base/attr.h"
#include "server/base/err.h"
#include "server/base/span.h"

#include <stdbool.h>
#include <stdint.h>

enum creds_json {
    CREDS_JSON_METADATA, /* of EC2's metadata and of containers: AccessKeyId, SecretAccessKey, Token, Expiration */
    CREDS_JSON_PROCESS,  /* of a credential_process: Version 1; SessionToken and Expiration may be left out */
    CREDS_JSON_SSO       /* of GetRoleCredentials: roleCredentials, its expiration in milliseconds */
};
/* Fills the three keys and expires_at_s of *out, which is left as it was on failure. ERR_UPSTREAM, retryable, with
 * the field and the rule (never a value): code "bad_json" where it is no JSON object at all, else
 * "bad_credentials_answer". */
MUST_CHECK bool creds_json_read(enum creds_json form, struct span text, struct creds *out, struct err *err);

/* The token that `aws sso login` leaves in its cache. */
struct sso_token {
    char token[4097];
    int64_t expires_at_s;
};
void sso_token_wipe(struct sso_token *token);
/* accessToken and expiresAt of a cache file; fails like creds_json_read. */
MUST_CHECK bool sso_token_read(struct span text, struct sso_token *out, struct err *err);

#endif
