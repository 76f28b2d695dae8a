/* From Region and settings to host names: AWS's own (plain, FIPS, dual-stack, in any partition), or a custom endpoint.
 * Pure. Any thread. Sources: the endpoint rule sets and partitions.json of botocore 1.44.5. */
#ifndef VIDBATCH_AWS_ENDPOINT_H
#define VIDBATCH_AWS_ENDPOINT_H

#include "aws/client.h"
#include "server/base/attr.h"
#include "server/base/buf.h"
#include "server/base/err.h"
#include "server/base/span.h"

#include <stdbool.h>

enum { ENDPOINT_HOST_SIZE = 280, ENDPOINT_PATH_SIZE = 256 };

struct endpoint {
    bool is_https;
    bool is_custom;
    bool is_ip;                           /* a bucket can never be part of the host */
    bool is_direct;                       /* loopback or link-local: never through a proxy */
    char host[ENDPOINT_HOST_SIZE];        /* lower case; port only if not the scheme's own: "[::1]:9000" */
    char base_path[ENDPOINT_PATH_SIZE];   /* "" or "/prefix" without a slash at its end */
    const char *signing_name;             /* static: "s3" */
    char signing_region[AWS_REGION_SIZE]; /* the Region asked for; IAM: the one that its partition signs with */
};

/* May the text stand in a host name as a Region? */
bool endpoint_region_ok(struct span region);
/* Does it look like the name of a Region of AWS's, such as "us-gov-west-1", and is it of the same partition as `own`,
 * so that the same credentials hold there? */
bool endpoint_region_like(struct span region, const char *own);

struct endpoint_choice { /* all borrowed */
    const char *region;
    const char *custom_url; /* AWS_ENDPOINT_URL and the like; NULL or "" = AWS's own endpoint of the Region */
    bool use_fips;          /* neither goes together with custom_url */
    bool use_dualstack;
};
/* ERR_INPUT, code "bad_endpoint" or "bad_region", with the text and the rule. */
MUST_CHECK bool endpoint_resolve(enum aws_service service, const struct endpoint_choice *choice, struct endpoint *out,
                                 struct err *err);

/* As much of a refused URL as may be shown: what stands behind its last '@', for a user's password may be before it. */
const char *endpoint_url_shown(const char *url);

/* Can the bucket be the first label(s) of the host? Names with dots only over http: a wildcard certificate has one
 * label. */
bool endpoint_bucket_in_host(const struct endpoint *ep, enum aws_addressing addressing, struct span bucket);
/* Appends the host to sign and send, and the path before the key ("" or "/prefix/bucket"). An empty bucket: the service
 * itself. */
void endpoint_address(const struct endpoint *ep, enum aws_addressing addressing, struct span bucket, struct buf *host,
                      struct buf *path_prefix);

#endif
