/* Keys at the start of the service: the bootstrap key, and whether it may listen where it shall. */
#ifndef VIDBATCH_SERVER_KEY_START_H
#define VIDBATCH_SERVER_KEY_START_H

#include "handlers/keyring.h"
#include "server/config.h"

/* After the migrations. Stores VIDBATCH_BOOTSTRAP_KEY as an admin key where it is not there; a database in which that
 * key was revoked or replaced stays as it is. An address beyond loopback needs a key, or VIDBATCH_ALLOW_OPEN: else
 * ERR_INPUT with what to do. Gives *ring: keyring_free. Asks the database only for these two. */
MUST_CHECK bool key_start(const struct config *config, struct keyring **ring, struct err *err);

#endif
