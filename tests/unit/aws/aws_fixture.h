/* A client of aws/ and the scripted server that it talks to, for the tests of S3 and Bedrock calls. */
#ifndef VIDBATCH_TESTS_UNIT_AWS_FIXTURE_H
#define VIDBATCH_TESTS_UNIT_AWS_FIXTURE_H

#include "aws/client.h"
#include "tests/support/http_script.h"
#include "tests/support/test.h"

#include <curl/curl.h>
#include <string.h>

struct fixture { /* AUTO(fixture_done) struct fixture f = { 0 }; */
    struct http_script *script;
    struct aws *aws;
    struct aws_client *client;
    struct err err;
};

static inline void fixture_done(struct fixture *f)
{
    aws_client_free(f->client);
    aws_free(f->aws);
    if (f->script)
        http_script_stop(f->script);
}

static inline bool fixture_start_with(struct fixture *f, const struct http_answer *answers, size_t count,
                                      struct aws_options options)
{
    options.region = "us-east-1";
    options.backoff_cap_ms = 4;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    f->script = http_script_start(answers, count);
    options.endpoint_url = http_script_url(f->script);
    options.credentials.access_key_id = "AKIDEXAMPLE";
    options.credentials.secret_access_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    f->aws = aws_new(&options, &f->err);
    if (f->aws)
        f->client = aws_client_new(f->aws, &f->err);
    return CHECK(f->client != NULL);
}

static inline bool fixture_start(struct fixture *f, const struct http_answer *answers, size_t count)
{
    return fixture_start_with(f, answers, count, (struct aws_options){ 0 });
}

/* The i-th request was "METHOD target". */
static inline void check_request(struct fixture *f, size_t i, const char *method, const char *target)
{
    const struct http_seen *seen = http_script_seen(f->script, i);

    if (!CHECK(seen != NULL))
        return;
    CHECK_TEXT(seen->method, method);
    CHECK_TEXT(seen->target, target);
}

/* "" where the i-th request had no such header. */
static inline void check_header(struct fixture *f, size_t i, const char *name, const char *value)
{
    const struct http_seen *seen = http_script_seen(f->script, i);

    if (CHECK(seen != NULL))
        CHECK_SPAN(http_seen_header(seen, name), value);
}

static inline void check_body(struct fixture *f, size_t i, const char *want)
{
    const struct http_seen *seen = http_script_seen(f->script, i);

    if (CHECK(seen != NULL))
        CHECK_TEXT(seen->body ? seen->body : "", want);
}

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
