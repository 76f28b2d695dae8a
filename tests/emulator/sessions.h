/* Temporary credentials that the control endpoint has made known, beside the account's own. Any thread. */
#ifndef VIDBATCH_EMULATOR_SESSIONS_H
#define VIDBATCH_EMULATOR_SESSIONS_H

#include "tests/emulator/sigv4_check.h"

#include <stdbool.h>
#include <stdint.h>

struct emulator;
struct request;
struct sessions;

struct sessions *sessions_new(void);
/* expires_ms: by the emulator's clock. The same key id again only changes that. False when there are too many. */
bool sessions_put(struct sessions *sessions, const char *access_key, const char *secret_key, const char *token,
                  int64_t expires_ms);
/* Whose key id it is: a session's, expired or not, else the account's own. Its texts live until the end. */
struct sig_account sessions_account(struct emulator *emu, const char *access_key);

/* Is the request signed by whom it names, over the body that came, at most window_ms from the emulator's clock? */
enum sig_result sessions_verify(struct emulator *emu, struct request *rq, int64_t window_ms);

#endif
