/* `vidbatchd doctor`: the doctor's report on standard output. */
#ifndef VIDBATCH_SERVER_DOCTOR_CLI_H
#define VIDBATCH_SERVER_DOCTOR_CLI_H

#include "server/config.h"

/* What `vidbatchd --help` says of its arguments. */
#define DOCTOR_CLI_USAGE "vidbatchd doctor [--json] [s3://bucket/prefix ...]"

/* arguments: those behind the word "doctor". Reads the settings by itself: what is wrong with them is a finding too.
 * Gives the exit status: 0, 1 where a check found a problem, 2 for arguments that are none. */
int doctor_cli(int count, char **arguments, config_lookup_fn *lookup);

#endif
