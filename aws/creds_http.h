/* One small HTTP exchange for those who fetch credentials: bounded in time and size, without redirects, with a libcurl
 * handle of its own, so that nothing of the client's is waited for. Bodies hold secrets: they are wiped. Any thread,
 * after curl_global_init. */
#ifndef VIDBATCH_AWS_CREDS_HTTP_H
#define VIDBATCH_AWS_CREDS_HTTP_H

#include "server/base/attr.h"
#include "server/base/buf.h"
#include "server/base/err.h"
#include "server/base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CREDS_HTTP_MAX_BODY = 64 * 1024, CREDS_HTTP_HEADERS = 6 };

/* Somebody who wants to break off what takes long; may be empty. */
struct creds_stop {
    bool (*is_stopping)(void *arg);
    void *arg;
};

struct creds_http_header {
    const char *name; /* static, lower case */
    struct span value;
};

struct creds_http_request { /* all borrowed */
    const char *what;       /* whom it is sent to, for the words of errors */
    const char *method;     /* "GET", "PUT" or "POST" */
    const char *url;        /* http or https; sent as it is, dots included */
    struct creds_http_header headers[CREDS_HTTP_HEADERS];
    size_t header_count;
    struct span body;      /* of a POST */
    int64_t timeout_ms;    /* of the whole exchange */
    bool is_direct;        /* never through a proxy: loopback and link-local addresses */
    const char *ca_bundle; /* NULL or "": the system's certificates */
    struct creds_stop stop;
};

struct creds_http_answer { /* zeroed before, creds_http_answer_done after */
    int status;            /* 0: there was no answer */
    bool is_connected;     /* the other side was reached, whether it answered or not */
    int64_t date_ms;       /* its Date header; 0: none */
    struct buf body;       /* at most CREDS_HTTP_MAX_BODY bytes */
};
/* Wipes the body. */
void creds_http_answer_done(struct creds_http_answer *answer);

/* True for an answer of whatever status. ERR_TIMEOUT and ERR_UPSTREAM (retryable, unless the certificate is refused or
 * the answer is too large), ERR_CANCELLED when the service is stopping, ERR_INPUT for a header value with control
 * characters. The answer's is_connected holds after failures too. */
MUST_CHECK bool creds_http_send(const struct creds_http_request *rq, struct creds_http_answer *answer, struct err *err);

/* Waits so long, or fails with ERR_CANCELLED as soon as the service is stopping. */
MUST_CHECK bool creds_pause(const struct creds_stop *stop, int64_t ms, struct err *err);

#endif
