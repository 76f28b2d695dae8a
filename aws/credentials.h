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
};

/* Wipes the secrets. */
void creds_wipe(struct creds *c);

/* A provider either has credentials, or has nothing configured (*found false), or fails. Called without locks held; may
 * block. */
struct creds_provider {
    const char *name; /* static text */
    bool (*load)(void *state, struct creds *out, bool *found, struct err *err);
    void (*free)(void *state); /* may be NULL */
    void *state;               /* taken by the chain */
};

/* What the providers read instead of the process environment (only config.c reads that). All borrowed during
 * creds_chain_new; NULL or "" = unset. */
struct creds_settings {
    const char *access_key_id;
    const char *secret_access_key;
    const char *session_token;
    const char *profile;          /* default "default" */
    const char *config_file;      /* full path of the shared config file */
    const char *credentials_file; /* full path of the shared credentials file */
};

/* The providers of the chain, one file each (aws/creds_*.c). They copy what they need of settings. */
MUST_CHECK bool creds_env_provider(const struct creds_settings *settings, struct creds_provider *out, struct err *err);
MUST_CHECK bool creds_profile_provider(const struct creds_settings *settings, struct creds_provider *out,
                                       struct err *err);

/* Copies one value in, refusing (false) what does not fit or holds a blank or control character. For providers. */
MUST_CHECK bool creds_put(char *field, size_t size, struct span value);

/* The chain: providers in order, the first that finds credentials wins and is remembered; a provider that is configured
 * but fails is an error, not a reason to go on. Cached; refreshed before expiry by one thread at a time, no lock held
 * meanwhile. */
struct creds_chain;
MUST_CHECK struct creds_chain *creds_chain_new(const struct creds_settings *settings, struct err *err);
/* The same from any providers (at most 8); takes their states, also on failure. */
MUST_CHECK struct creds_chain *creds_chain_of(const struct creds_provider *providers, int count, struct err *err);
void creds_chain_free(struct creds_chain *chain);
/* A consistent snapshot by value. The caller wipes it. ERR_DENIED with code "no_credentials" when no provider has any.
 * Any thread. */
MUST_CHECK bool creds_chain_get(struct creds_chain *chain, struct creds *out, struct err *err);
/* AWS refused `used` as expired: the next get refreshes unless somebody has already done so. */
void creds_chain_expired(struct creds_chain *chain, const struct creds *used);

#endif
