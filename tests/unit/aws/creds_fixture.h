/* What the tests of credentials share: a folder for files, and a scripted server in the place of STS and the like. */
#ifndef VIDBATCH_TESTS_UNIT_AWS_CREDS_FIXTURE_H
#define VIDBATCH_TESTS_UNIT_AWS_CREDS_FIXTURE_H

#include "aws/creds_internal.h"
#include "tests/support/http_script.h"
#include "tests/support/test.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define ROLE_ARN "arn:aws:iam::111122223333:role/reader"
/* A good answer of STS with the keys ID, ID-secret, ID-token. */
#define STS_ANSWER(call, id)                                                                                           \
    "<" call "Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><" call "Result><AssumedRoleUser><Arn>a"    \
    "</Arn></AssumedRoleUser><Credentials><SessionToken>" id "-token</SessionToken><AccessKeyId>" id                   \
    "</AccessKeyId><SecretAccessKey>" id "-secret</SecretAccessKey><Expiration>2099-01-01T00:00:00Z</Expiration>"      \
    "</Credentials></" call "Result><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></" call "Response>"
#define STS_ERROR(code)                                                                                                \
    "<ErrorResponse><Error><Type>Sender</Type><Code>" code "</Code><Message>said so</Message></Error>"                 \
    "<RequestId>rq-1</RequestId></ErrorResponse>"
#define JSON_ANSWER(id)                                                                                                \
    "{\"AccessKeyId\":\"" id "\",\"SecretAccessKey\":\"" id "-secret\",\"Token\":\"" id                                \
    "-token\",\"Expiration\":\"2099-01-01T00:00:00Z\",\"Code\":\"Success\"}"

struct folder {
    char path[64];
    char files[8][192];
    int count;
};

static inline void folder_done(struct folder *f)
{
    for (int i = 0; i < f->count; i++)
        unlink(f->files[i]);
    if (f->path[0])
        rmdir(f->path);
}

/* Writes a file anew; NULL text: only its path, which does not exist. Gives the path, kept in f. */
static inline const char *folder_file(struct folder *f, const char *name, const char *text)
{
    char path[192];
    FILE *file;
    int i;

    if (!f->path[0]) {
        strcpy(f->path, "/tmp/vidbatch-creds-XXXXXX");
        CHECK(mkdtemp(f->path) != NULL);
    }
    snprintf(path, sizeof(path), "%s/%s", f->path, name);
    for (i = 0; i < f->count && strcmp(f->files[i], path); i++)
        ;
    if (i == f->count)
        memcpy(f->files[f->count++], path, sizeof(path));
    file = text ? fopen(path, "w") : NULL;
    if (file) {
        CHECK(fputs(text, file) >= 0);
        CHECK(fclose(file) == 0);
    }
    return f->files[i];
}

/* The scripted server as an endpoint. */
static inline struct endpoint script_endpoint(struct http_script *script)
{
    const struct endpoint_choice choice = { .region = "eu-west-1", .custom_url = http_script_url(script) };
    struct endpoint ep = { .is_https = false };
    struct err err = { 0 };

    CHECK(endpoint_resolve(AWS_STS, &choice, &ep, &err));
    return ep;
}

static inline bool body_has(struct http_script *script, size_t i, const char *text)
{
    const struct http_seen *seen = http_script_seen(script, i);

    return seen && seen->body && strstr(seen->body, text);
}

static inline void check_seen_header(struct http_script *script, size_t i, const char *name, const char *want)
{
    const struct http_seen *seen = http_script_seen(script, i);

    if (CHECK(seen != NULL))
        CHECK_SPAN(http_seen_header(seen, name), want);
}

#endif
