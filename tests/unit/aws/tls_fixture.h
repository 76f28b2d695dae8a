/* A scripted server over TLS, reached straight or through the tunnel of an HTTP proxy, with a client on it. */
#ifndef VIDBATCH_TESTS_UNIT_AWS_TLS_FIXTURE_H
#define VIDBATCH_TESTS_UNIT_AWS_TLS_FIXTURE_H

#include "tests/support/tls_identity.h"
#include "tests/unit/aws/client_fixture.h"

#include <stdlib.h>

struct secure {
    struct tls_identity identity;
    struct fixture f;
};

static inline void secure_done(struct secure *s)
{
    fixture_done(&s->f);
    tls_identity_done(&s->identity);
    unsetenv("https_proxy");
}

/* names: of the certificate. host: the client goes there through the proxy; "": to AWS's own endpoints, whose part the
 * script plays behind the proxy; NULL: straight to the server. */
static inline bool start_secure_with(struct secure *s, const struct http_answer *answers, size_t count,
                                     const char *names, const char *host, bool is_trusted, struct aws_options options)
{
    struct fixture *f = &s->f;
    char url[64];

    options.region = "us-east-1";
    options.backoff_cap_ms = 4;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    tls_identity_make(&s->identity, names);
    f->script = http_script_start_tls(answers, count, s->identity.server, host != NULL);
    snprintf(url, sizeof(url), "%s%s", host ? "https://" : http_script_url(f->script), host ? host : "");
    options.endpoint_url = host && !host[0] ? NULL : url;
    if (host) {
        unsetenv("no_proxy");
        unsetenv("NO_PROXY");
        setenv("https_proxy", http_script_url(f->script), 1);
    }
    options.ca_bundle = is_trusted ? s->identity.ca_file : NULL;
    options.credentials.access_key_id = FIXTURE_KEY_ID;
    options.credentials.secret_access_key = FIXTURE_SECRET;
    f->aws = aws_new(&options, &f->err);
    if (f->aws)
        f->client = aws_client_new(f->aws, &f->err);
    CHECK_TEXT(f->err.what, "");
    return CHECK(f->client != NULL);
}

static inline bool start_secure(struct secure *s, const struct http_answer *answers, size_t count, const char *names,
                                const char *host, bool is_trusted)
{
    return start_secure_with(s, answers, count, names, host, is_trusted, (struct aws_options){ 0 });
}

#endif
