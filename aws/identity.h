/* Who the service is to AWS: STS GetCallerIdentity (API version 2011-06-15), which needs no permission. The client's
 * thread only. */
#ifndef VIDBATCH_AWS_IDENTITY_H
#define VIDBATCH_AWS_IDENTITY_H

#include "aws/client.h"
#include "server/base/err.h"
#include "server/base/span.h"

struct aws_identity {
    char arn[2049];
    char account[16]; /* 12 digits */
};

MUST_CHECK bool aws_identity_get(struct aws_client *client, struct aws_identity *out, struct err *err);
/* The reader of its answer alone (tests, fuzzing). ERR_UPSTREAM, code "bad_xml" or "bad_answer". Any thread. */
MUST_CHECK bool aws_identity_read(struct span xml, struct aws_identity *out, struct err *err);

#endif
