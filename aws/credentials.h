/* AWS credentials: one set, and the chain of providers that finds it. Secrets are wiped on release and never logged. */
#ifndef VIDBATCH_AWS_CREDENTIALS_H
#define VIDBATCH_AWS_CREDENTIALS_H

#include "server/base/attr.h"
#include "server/base/err.h"
#include "server/base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct creds {
    char access_key_id[129];
    char secret_access_key[257];
    char session_token[8193]; /* empty for long-lived keys */
    int64_t expires_at_s;     /* 0: never */
    uint64_t generation;      /* grows with every refresh; signing-key caches compare it */
    char provider[32];        /* "environment", "profile", ... for people */
    char detail[256]; /* what they are and where they came from, for people: role, profile, address; no secret */
};

/* Wipes the secrets. */
void creds_wipe(struct creds *c);

/* A provider either has credentials, or has nothing configured (*found false; err may then say in a few words what it
 * looked for), or fails. Called without locks held, never twice at a time by one chain; may block. */
struct creds_provider {
    const char *name;     /* static text */
    bool is_kept_serving; /* what it gave before goes on to be used when it does not answer any more, though it may have
                              expired (static stability of EC2's metadata) */
    bool (*load)(void *state, struct creds *out, bool *found, struct err *err);
    void *state; /* kept until the chain is freed */
};

/* What the providers read instead of the process environment (only config.c reads that). All borrowed during
 * creds_chain_new; NULL or "" = unset. */
struct endpoint;
struct creds_settings {
    const char *access_key_id; /* AWS_ACCESS_KEY_ID, and so on with the others */
    const char *secret_access_key;
    const char *session_token;
    const char *expiration; /* AWS_CREDENTIAL_EXPIRATION of these three, RFC 3339 */
    const char *role_arn;   /* with web_identity_token_file */
    const char *web_identity_token_file;
    const char *role_session_name;
    const char *profile;                /* default "default" */
    const char *config_file;            /* full path of the shared config file */
    const char *credentials_file;       /* full path of the shared credentials file */
    const char *sso_cache_folder;       /* ~/.aws/sso/cache */
    const char *sso_endpoint_url;       /* AWS_ENDPOINT_URL_SSO; unset: AWS's own in the profile's sso_region */
    const char *container_relative_uri; /* AWS_CONTAINER_CREDENTIALS_RELATIVE_URI */
    const char *container_full_uri;
    const char *container_token; /* AWS_CONTAINER_AUTHORIZATION_TOKEN */
    const char *container_token_file;
    const char *metadata_endpoint;      /* AWS_EC2_METADATA_SERVICE_ENDPOINT */
    const char *metadata_endpoint_mode; /* "ipv4" or "ipv6" */
    bool is_metadata_off;               /* AWS_EC2_METADATA_DISABLED */
    /* The rest comes from the client that the chain is for. */
    const char *ca_bundle;
    const struct endpoint *sts;     /* NULL: roles cannot be assumed */
    bool (*is_stopping)(void *arg); /* breaks off what takes long; may be NULL */
    void *is_stopping_arg;
};

/* Copies one value in, refusing (false) what does not fit or holds a blank or control character. For providers. */
MUST_CHECK bool creds_put(char *field, size_t size, struct span value);

/* The chain: providers in order, the first that finds credentials wins and is remembered; a provider that is configured
 * but fails is an error, not a reason to go on. Order: environment, web identity, profile, container, EC2 metadata.
 * Cached. Refreshed from 15 minutes before expiry on (half a life, where that is shorter) by a thread of the chain's
 * own, while all go on with the old set; from 10 minutes before on (a third) they wait for it up to a second. Without a
 * good set one caller refreshes and the others wait for it, up to a minute. No lock is held meanwhile. A refresh that
 * fails while the present set is good is a warning, and is tried again half a minute later. */
struct creds_chain;
MUST_CHECK struct creds_chain *creds_chain_new(const struct creds_settings *settings, struct err *err);
/* The same from any providers (at most 8). now_ms: the clock; NULL: the wall's. */
MUST_CHECK struct creds_chain *creds_chain_of(const struct creds_provider *providers, int count,
                                              int64_t (*now_ms)(void), struct err *err);
void creds_chain_free(struct creds_chain *chain);
/* A consistent snapshot by value. The caller wipes it. ERR_DENIED with code "no_credentials" when no provider has any,
 * with what was looked for: retryable where a provider was only silent, or had some before. What failed is not tried
 * again for three seconds: the same error is given. Any thread. */
MUST_CHECK bool creds_chain_get(struct creds_chain *chain, struct creds *out, struct err *err);
/* The same for who must not wait for AWS: a thread of the chain's own asks the providers. A good set is given at once,
 * though it should be refreshed; where there is none, at most wait_ms are waited: ERR_TIMEOUT, retryable. Any thread.
 */
MUST_CHECK bool creds_chain_get_soon(struct creds_chain *chain, int64_t wait_ms, struct creds *out, struct err *err);
/* AWS refused `used` as expired: the next get refreshes, unless somebody has already done so or it was for the same
 * reason less than a minute ago. */
void creds_chain_expired(struct creds_chain *chain, const struct creds *used);

#endif
