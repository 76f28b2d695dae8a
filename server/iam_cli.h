/* `vidbatchd iam-policy`: the IAM policies on standard output, filled in from settings, registered prefixes and
 * arguments. */
#ifndef VIDBATCH_SERVER_IAM_CLI_H
#define VIDBATCH_SERVER_IAM_CLI_H

#include "server/config.h"

#define IAM_CLI_USAGE                                                                                                  \
    "vidbatchd iam-policy [caller|role|trust] [--bucket NAME[/PREFIX]] [--model ID] [--account ID] [--role ARN] "      \
    "[--region REGION]"

/* arguments: those behind the word "iam-policy". With one of the three names, only that JSON document is printed; what
 * could not be known is said on standard error. Gives the exit status: 0; 2 for wrong arguments or settings. The
 * arguments go over the settings by the environment: before any thread starts. */
int iam_cli(int count, char **arguments, config_lookup_fn *lookup);

#endif
