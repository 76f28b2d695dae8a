/* `vidbatchd credentials`: which credentials and which Region the service would work with, for people. */
#ifndef VIDBATCH_SERVER_SHOW_CREDENTIALS_H
#define VIDBATCH_SERVER_SHOW_CREDENTIALS_H

#include "aws/credentials.h"
#include "server/base/buf.h"
#include "server/config.h"

#include <stdint.h>

/* Asks the providers as the service does, and prints what they gave on standard output; never a secret, and of the key
 * id its last four characters. Exit status: 0; 1 when there are none, with the reason and a remedy on standard error.
 * The Region has been found. After curl_global_init. */
int show_credentials(const struct config *config);

/* The text that it prints. Pure. */
void describe_credentials(const struct creds *creds, const struct config *config, int64_t now_s, struct buf *out);

#endif
