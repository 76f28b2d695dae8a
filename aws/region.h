/* The Region to work in, where the environment names none: the profile's, else that of the EC2 instance. */
#ifndef VIDBATCH_AWS_REGION_H
#define VIDBATCH_AWS_REGION_H

#include "aws/credentials.h"
#include "aws/endpoint.h"
#include "server/base/attr.h"
#include "server/base/err.h"
#include "server/base/span.h"

#include <stdbool.h>

struct region_found {
    char name[AWS_REGION_SIZE];
    char origin[96]; /* for people: "profile default" */
};
/* Blocks up to a few seconds where nothing answers at the address of EC2's metadata. ERR_INPUT, code "no_region", with
 * what was looked for, or "bad_region"; what profile_load fails with; ERR_CANCELLED. Any thread. */
MUST_CHECK bool region_find(const struct creds_settings *settings, struct region_found *out, struct err *err);

/* The Region of an Availability Zone: its name without the letter. False for the zones of another make (Local Zones,
 * Wavelength Zones), whose names do not tell it so. Pure. */
MUST_CHECK bool region_of_zone(struct span zone, char out[AWS_REGION_SIZE]);

#endif
