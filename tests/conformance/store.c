#include "tests/conformance/store.h"

#include "server/base/text.h"
#include "tests/support/test.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const odd_keys[] = {
    "plain.mp4",
    "two words.mp4",
    "a+b.mp4",
    "percent%20sign.mp4",
    "percent%zz.mp4",
    "100%",
    "a//b.mp4",
    "/leading.mp4",
    "folder/",
    "dots/../up.mp4",
    "dots/./here.mp4",
    "query?x=1&y=2.mp4",
    "hash#tag.mp4",
    "semi;colon:comma,at@dollar$.mp4",
    "quotes'\"`.mp4",
    "<xml>&amp;</xml>.mp4",
    "brackets(1)[2]{3}.mp4",
    "star*bang!tilde~caret^pipe|.mp4",
    "back\\slash.mp4",
    "equals=.mp4",
    "tab\there.mp4",
    "umlaut-\xC3\xA4\xC3\xB6\xC3\xBC.mp4",
    "umlaut-a\xCC\x88-decomposed.mp4",
    "\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E.mp4",
    "film-\xF0\x9F\x8E\xAC.mp4",
    "right-to-left-\xD7\xA9\xD7\x9C\xD7\x95\xD7\x9D.mp4",
    "no-break\xC2\xA0space.mp4",
    "trailing space ",
    "-dash.mp4",
    "_under.mp4",
    "UPPER.MP4",
    "upper.MP4",
};
const size_t odd_key_count = sizeof(odd_keys) / sizeof(odd_keys[0]);

const char *longest_key(void)
{
    static char key[1025];

    memset(key, 'k', sizeof(key) - 1);
    for (size_t i = 200; i < sizeof(key) - 1; i += 201)
        key[i] = '/'; /* some servers keep folders, whose names have at most 255 bytes */
    return key;
}

bool store_lacks(const char *word)
{
    struct span words = span_of(getenv("CONFORMANCE_S3_LACKS"));

    while (words.len > 0) {
        struct span first = span_head(words, span_find(words, ' '));

        if (span_eq_text(first, word))
            return true;
        words = span_tail(words, first.len + 1);
    }
    return false;
}

static bool open_client(struct store *s, const char *key_id, const char *secret)
{
    struct err err = { 0 };
    const struct aws_options options = { .region = "us-east-1",
                                         .endpoint_urls[AWS_S3] = getenv("CONFORMANCE_S3_URL"),
                                         .credentials = { .access_key_id = key_id, .secret_access_key = secret } };

    if (!CHECK(options.endpoint_urls[AWS_S3] && key_id && secret))
        return false;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    s->aws = aws_new(&options, &err);
    s->client = s->aws ? aws_client_new(s->aws, &err) : NULL;
    return store_is_ok(s->client != NULL, &err, "a client");
}

bool store_open_as(struct store *s, const char *key_id, const char *secret)
{
    return open_client(s, key_id, secret);
}

bool store_open(struct store *s)
{
    return open_client(s, getenv("CONFORMANCE_S3_KEY_ID"), getenv("CONFORMANCE_S3_SECRET")) &&
           store_make_bucket(s, s->bucket);
}

void store_close(struct store *s)
{
    aws_client_free(s->client);
    aws_free(s->aws);
}

/* The service never makes a bucket, so aws/s3.h has no call for it. */
bool store_make_bucket(struct store *s, char out[64])
{
    AUTO(aws_response_done) struct aws_response rs = { 0 };
    struct aws_request rq = {
        .operation = "S3.CreateBucket", .service = AWS_S3, .method = "PUT", .path = SPAN_LIT("/")
    };
    struct err err = { 0 };
    unsigned char random[6];

    text_random(random, sizeof(random));
    (void)snprintf(out, 64, "conformance-%02x%02x%02x%02x%02x%02x", random[0], random[1], random[2], random[3],
                   random[4], random[5]);
    rq.bucket = span_of(out);
    rq.has_body = true;
    return store_is_ok(aws_call(s->client, &rq, &rs, &err), &err, "a bucket");
}

struct s3_ref store_ref(const struct store *s, const char *key)
{
    return (struct s3_ref){ span_of(s->bucket), span_of(key), SPAN_LIT("") };
}

char *store_bytes(size_t len, unsigned seed)
{
    char *bytes = malloc(len + 1);
    unsigned x = seed * 2654435761u + 1;

    for (size_t i = 0; bytes && i < len; i++) {
        x = x * 1664525u + 1013904223u;
        bytes[i] = (char)(x >> 24);
    }
    CHECK(bytes != NULL);
    return bytes;
}

bool store_put(struct store *s, const char *key, struct span body)
{
    struct s3_ref ref = store_ref(s, key);
    struct err err = { 0 };

    return store_is_ok(s3_put(s->client, &ref, "text/plain", body, &err), &err, key);
}

bool store_holds(struct store *s, const char *key, struct span body)
{
    AUTO(buf_done) struct buf got = { 0 };
    struct s3_ref ref = store_ref(s, key);
    struct err err = { 0 };

    buf_init(&got, body.len + 1024);
    if (!store_is_ok(s3_get_small(s->client, &ref, body.len + 1024, &got, &err), &err, key))
        return false;
    return test_check_bytes(got.len ? got.data : "", got.len, body.ptr, body.len, key, TEST_HERE);
}

bool store_failed_as(const struct err *err, enum err_kind kind, const char *upstream_code)
{
    if (test_check(err->kind == kind && (!upstream_code || !strcmp(err->upstream_code, upstream_code)), "failure",
                   TEST_HERE))
        return true;
    printf("    wanted %s %s, got %s: %s (%d %s %s)\n", err_kind_name(kind), upstream_code ? upstream_code : "",
           err_kind_name(err->kind), err->what, err->upstream_status, err->upstream_code, err->upstream_message);
    return false;
}

bool store_is_ok(bool ok, const struct err *err, const char *what)
{
    if (test_check(ok, what, TEST_HERE))
        return true;
    printf("    %s: %s (%d %s %s)\n", err_kind_name(err->kind), err->what, err->upstream_status, err->upstream_code,
           err->upstream_message);
    return false;
}
