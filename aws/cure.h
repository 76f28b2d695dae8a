/* What one can do about a call that AWS refused, or that never reached it: AWS's error names and libcurl's, translated
 * to a cause and a remedy for a person. Pure. Any thread.
 *
 * Sources: Amazon S3 "Error responses", Amazon Bedrock "Common errors", STS API errors; libcurl's CURLcode. */
#ifndef VIDBATCH_AWS_CURE_H
#define VIDBATCH_AWS_CURE_H

#include "server/base/err.h"

#include <stdbool.h>

struct cure {
    char cause[200];    /* a sentence without its full stop: "the clock of this machine is wrong" */
    char remedy[400];   /* one or two sentences */
    char action[64];    /* the IAM action that is missing; "" where none is, or nobody knows which */
    bool is_everywhere; /* every other call to AWS would meet the same */
};

/* err: of aws_call and what is built on it. operation: as in aws_request.operation. False, *out untouched, where there
 * is nothing to say beyond AWS's own words. */
bool cure_find(const struct err *err, const char *operation, struct cure *out);

/* Adds cause and remedy to err->what, at the cost of AWS's own words (err->upstream_message keeps those). Nothing where
 * there is nothing to say. err may be NULL. */
void cure_add(struct err *err, const char *operation);

#endif
