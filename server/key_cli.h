/* `vidbatchd key`: keys without a service, straight to the database; for the first one above all. */
#ifndef VIDBATCH_SERVER_KEY_CLI_H
#define VIDBATCH_SERVER_KEY_CLI_H

#include "server/config.h"

/* arguments: those behind the word "key". Gives the exit status: 0, 1 where the database or the key says no, 2 for
 * wrong arguments or settings. A new key goes to standard output, once; all else about it to standard error. */
int key_cli(int count, char **arguments, config_lookup_fn *lookup);

#endif
