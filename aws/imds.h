/* The metadata service of EC2 (IMDSv2 alone: a token first, never version 1). One thread at a time; blocking, but never
 * longer than a few seconds. */
#ifndef VIDBATCH_AWS_IMDS_H
#define VIDBATCH_AWS_IMDS_H

#include "aws/creds_http.h"
#include "server/base/attr.h"
#include "server/base/buf.h"
#include "server/base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum { IMDS_BASE_SIZE = 512, IMDS_TOKEN_SIZE = 1025 };

struct imds {
    char base[IMDS_BASE_SIZE]; /* "http://169.254.169.254" */
    bool is_off;
    struct creds_stop stop;
    char token[IMDS_TOKEN_SIZE]; /* "" while there is none */
    int64_t token_until_ms;      /* monotonic */
};

/* endpoint: AWS_EC2_METADATA_SERVICE_ENDPOINT, mode: AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE ("ipv4", "ipv6"), either
 * "" or NULL. ERR_INPUT, code "bad_credentials", for an endpoint that is no plain URL. */
MUST_CHECK bool imds_init(struct imds *imds, const char *endpoint, const char *mode, bool is_off,
                          struct creds_stop stop, struct err *err);
/* Wipes the token. */
void imds_done(struct imds *imds);

/* GET of a path below /latest/meta-data/, two attempts of one second each; the body (emptied first) is the caller's to
 * wipe. Fails with the reason in words for people: ERR_NOT_FOUND where it is switched off or has no such path,
 * ERR_TIMEOUT or ERR_UPSTREAM where nothing answers, ERR_DENIED where it gives no token, ERR_CANCELLED. */
MUST_CHECK bool imds_get(struct imds *imds, const char *path, struct buf *body, struct err *err);

#endif
