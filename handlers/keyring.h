/* The keys that this process has seen lately, so that a request costs no query of its own. What is kept is used for
 * KEYRING_FRESH_MS and then asked for again: a key that another process made, revoked or replaced is known here after
 * that time at the latest. Any thread. */
#ifndef VIDBATCH_HANDLERS_KEYRING_H
#define VIDBATCH_HANDLERS_KEYRING_H

#include "handlers/grant.h"
#include "sql/db.h"

enum { KEYRING_FRESH_MS = 3000 };

struct keyring_options {
    bool must_ask; /* also while there is no key: whoever reaches the socket is not trusted */
};
struct keyring;
/* Gives: keyring_free. */
MUST_CHECK struct keyring *keyring_new(const struct keyring_options *options, struct err *err);
void keyring_free(struct keyring *ring);

/* Whose token is it? As http_options.authenticate has it. While there never was a key, and must_ask is not set,
 * everybody may do everything. Once a key was seen, this process asks for one for ever. A database that can't be asked
 * lets in nobody but fresh keys: its error is given. */
MUST_CHECK bool keyring_authenticate(struct keyring *ring, struct db *db, struct span token, struct caller *caller,
                                     struct err *err);
/* As http_options.recognize has it: without a query, and also from what is no longer fresh. Lets in nobody. */
int64_t keyring_recognize(struct keyring *ring, struct span token);
/* After a transaction that changed a key, or made the first one: the next request looks again. */
void keyring_forget(struct keyring *ring, int64_t key_id);

#endif
