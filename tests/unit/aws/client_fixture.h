/* What the tests of the client share: a scripted server with a client on it, and the server's look at a signature. */
#ifndef VIDBATCH_TESTS_UNIT_AWS_CLIENT_FIXTURE_H
#define VIDBATCH_TESTS_UNIT_AWS_CLIENT_FIXTURE_H

#include "aws/client.h"
#include "aws/sigv4.h"
#include "server/base/text.h"
#include "tests/support/http_script.h"
#include "tests/support/test.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define FIXTURE_KEY_ID "AKIDEXAMPLE"
#define FIXTURE_SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
/* An error document of S3, with the message "said so". */
#define S3_ERROR(code) "<?xml version=\"1.0\"?>\n<Error><Code>" code "</Code><Message>said so</Message></Error>"

struct fixture {
    struct http_script *script;
    struct aws *aws;
    struct aws_client *client;
    struct aws_response rs;
    struct err err;
};

static inline void fixture_done(struct fixture *f)
{
    aws_response_done(&f->rs);
    aws_client_free(f->client);
    aws_free(f->aws);
    http_script_stop(f->script);
}

static inline bool start_with(struct fixture *f, const struct http_answer *answers, size_t count,
                              struct aws_options options)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
    f->script = http_script_start(answers, count);
    options.region = "us-east-1";
    options.endpoint_url = http_script_url(f->script);
    options.backoff_cap_ms = 4;
    options.credentials.access_key_id = FIXTURE_KEY_ID;
    options.credentials.secret_access_key = FIXTURE_SECRET;
    f->aws = aws_new(&options, &f->err);
    if (f->aws)
        f->client = aws_client_new(f->aws, &f->err);
    CHECK_TEXT(f->err.what, "");
    return CHECK(f->client != NULL);
}

static inline bool start(struct fixture *f, const struct http_answer *answers, size_t count)
{
    return start_with(f, answers, count, (struct aws_options){ 0 });
}

static inline struct aws_request get_object(const char *path)
{
    return (struct aws_request){ .operation = "S3.GetObject",
                                 .service = AWS_S3,
                                 .method = "GET",
                                 .bucket = SPAN_LIT("bucket-name"),
                                 .path = span_of(path) };
}

static inline bool call(struct fixture *f, const struct aws_request *rq)
{
    aws_response_done(&f->rs);
    f->err = (struct err){ 0 };
    return aws_call(f->client, rq, &f->rs, &f->err);
}

/* Signs what arrived once more, as the server would, and compares. */
static inline void check_signature_in(const struct http_seen *seen, const char *service, const char *region)
{
    AUTO(buf_done) struct buf want = { 0 };
    AUTO(buf_done) struct buf hash = { 0 };
    struct creds creds = { .access_key_id = FIXTURE_KEY_ID, .secret_access_key = FIXTURE_SECRET };
    struct sigv4_header headers[32];
    struct span target = span_of(seen->target);
    struct span got = http_seen_header(seen, "authorization");
    const char *list = memmem(got.ptr, got.len, "SignedHeaders=", 14);
    struct span names = { list + 14, strcspn(list + 14, ",") };
    struct tm tm = { 0 };
    struct err err = { 0 };
    unsigned char digest[32];
    bool is_s3 = !strcmp(service, "s3");
    struct sigv4_request rq = { .method = span_of(seen->method),
                                .path = span_head(target, span_find(target, '?')),
                                .query = span_tail(target, span_find(target, '?') + 1),
                                .headers = headers,
                                .region = span_of(region),
                                .service = span_of(service),
                                .encode_path_twice = !is_s3,
                                .normalize_path = !is_s3 };

    buf_init(&want, 0);
    buf_init(&hash, 0);
    text_sha256(seen->body, seen->body_len, digest);
    text_hex(&hash, digest, sizeof(digest));
    rq.payload_hash = is_s3 ? http_seen_header(seen, "x-amz-content-sha256") : buf_view(&hash);
    while (names.len) {
        struct span name = span_head(names, span_find(names, ';'));
        char text[64];

        snprintf(text, sizeof(text), "%.*s", SPAN_ARG(name));
        headers[rq.header_count++] = (struct sigv4_header){ name, http_seen_header(seen, text) };
        names = span_tail(names, name.len + 1);
    }
    CHECK(strptime(http_seen_header(seen, "x-amz-date").ptr, "%Y%m%dT%H%M%SZ", &tm) != NULL);
    CHECK(sigv4_authorization(&rq, &creds, timegm(&tm), &want, &err));
    test_check_bytes(got.ptr, got.len, want.data, want.len, "authorization", TEST_HERE);
    if (is_s3)
        CHECK(span_eq(rq.payload_hash, buf_view(&hash)));
}

static inline void check_signature(const struct http_seen *seen, const char *service)
{
    check_signature_in(seen, service, "us-east-1");
}

#endif
