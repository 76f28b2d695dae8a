/* Signs what it is told on stdin, a JSON object a line, and answers a JSON object a line: the other half of
 * signing_test.py, which lets botocore sign the same. Names of the members are those of `struct job`. It exits with 1
 * at the first line that it cannot read or sign. */
#include "aws/sigv4.h"
#include "server/base/json_writer.h"
#include "server/base/text.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_HEADERS = 64, MAX_TEXT_BYTES = 256 * 1024 };

struct job {
    json_t *json;
    struct buf path, query, hash, canonical, names, signed_text, answer;
    struct sigv4_header headers[MAX_HEADERS];
    struct sigv4_request rq;
    struct creds creds;
    char time[SIGV4_TIME_SIZE];
};

static void job_init(struct job *job)
{
    *job = (struct job){ 0 };
    buf_init(&job->path, MAX_TEXT_BYTES);
    buf_init(&job->query, MAX_TEXT_BYTES);
    buf_init(&job->hash, MAX_TEXT_BYTES);
    buf_init(&job->canonical, MAX_TEXT_BYTES);
    buf_init(&job->names, MAX_TEXT_BYTES);
    buf_init(&job->signed_text, MAX_TEXT_BYTES);
    buf_init(&job->answer, 4 * MAX_TEXT_BYTES);
}

static void job_done(struct job *job)
{
    json_decref(job->json);
    buf_done(&job->path);
    buf_done(&job->query);
    buf_done(&job->hash);
    buf_done(&job->canonical);
    buf_done(&job->names);
    buf_done(&job->signed_text);
    buf_done(&job->answer);
    creds_wipe(&job->creds);
}

static struct span text_of(const json_t *value)
{
    return json_is_string(value) ? (struct span){ json_string_value(value), json_string_length(value) } : SPAN_LIT("");
}

static struct span member(const struct job *job, const char *name)
{
    return text_of(json_object_get(job->json, name));
}

/* As the client writes them: an S3 key keeps its slashes, a label of another service does not. */
static void encode(struct job *job, bool is_s3)
{
    const json_t *part;
    size_t i;

    json_array_foreach(json_object_get(job->json, "path"), i, part)
    {
        buf_char(&job->path, '/');
        text_percent_encode(&job->path, text_of(part), is_s3);
    }
    json_array_foreach(json_object_get(job->json, "params"), i, part)
    {
        buf_text(&job->query, i ? "&" : "");
        text_percent_encode(&job->query, text_of(json_array_get(part, 0)), false);
        buf_char(&job->query, '=');
        text_percent_encode(&job->query, text_of(json_array_get(part, 1)), false);
    }
}

static void add_header(struct job *job, struct span name, struct span value)
{
    if (job->rq.header_count < MAX_HEADERS)
        job->headers[job->rq.header_count++] = (struct sigv4_header){ name, value };
}

static void add_headers(struct job *job, bool is_s3, bool is_query)
{
    struct span token = span_of(job->creds.session_token);
    const json_t *pair;
    size_t i;

    json_array_foreach(json_object_get(job->json, "headers"), i, pair)
        add_header(job, text_of(json_array_get(pair, 0)), text_of(json_array_get(pair, 1)));
    if (is_query)
        return;
    add_header(job, SPAN_LIT("x-amz-date"), span_of(job->time));
    if (is_s3)
        add_header(job, SPAN_LIT("x-amz-content-sha256"), buf_view(&job->hash));
    if (token.len)
        add_header(job, SPAN_LIT("x-amz-security-token"), token);
}

static void hash_body(struct job *job)
{
    struct span body = member(job, "body");
    unsigned char hash[32];

    if (json_is_true(json_object_get(job->json, "is_unsigned"))) {
        buf_text(&job->hash, "UNSIGNED-PAYLOAD");
        return;
    }
    text_sha256(body.ptr, body.len, hash);
    text_hex(&job->hash, hash, sizeof(hash));
}

static bool prepare(struct job *job, bool *is_query, int64_t *now_s)
{
    struct span service = member(job, "service");
    bool is_s3 = span_eq_text(service, "s3");

    if (!creds_put(job->creds.access_key_id, sizeof(job->creds.access_key_id), member(job, "key_id")) ||
        !creds_put(job->creds.secret_access_key, sizeof(job->creds.secret_access_key), member(job, "secret")) ||
        !creds_put(job->creds.session_token, sizeof(job->creds.session_token), member(job, "token")))
        return false;
    *now_s = json_integer_value(json_object_get(job->json, "now_s"));
    *is_query = json_is_integer(json_object_get(job->json, "expires_s"));
    sigv4_time(*now_s, job->time);
    encode(job, is_s3);
    hash_body(job);
    add_headers(job, is_s3, *is_query);
    job->rq.method = member(job, "method");
    job->rq.path = buf_view(&job->path);
    job->rq.query = buf_view(&job->query);
    job->rq.headers = job->headers;
    job->rq.payload_hash = buf_view(&job->hash);
    job->rq.region = member(job, "region");
    job->rq.service = service;
    job->rq.encode_path_twice = job->rq.normalize_path = !is_s3;
    return true;
}

/* The canonical request is for people who look for a difference; of a presigned URL it is that of the query given. */
static bool answer(struct job *job, struct err *err)
{
    struct json_writer w = json_writer_on(&job->answer);
    bool is_query;
    int64_t now_s;

    if (!prepare(job, &is_query, &now_s))
        return err_set(err, ERR_INPUT, false, HERE, "credentials that cannot be");
    if (!sigv4_canonical_request(&job->rq, &job->canonical, &job->names, err))
        return false;
    if (is_query ? !sigv4_presigned_query(&job->rq, &job->creds, now_s,
                                          json_integer_value(json_object_get(job->json, "expires_s")),
                                          &job->signed_text, err)
                 : !sigv4_authorization(&job->rq, &job->creds, now_s, &job->signed_text, err))
        return false;
    json_begin_object(&w);
    json_put_span(&w, "path", buf_view(&job->path));
    json_put_span(&w, "signed", buf_view(&job->signed_text));
    json_put_span(&w, "canonical", buf_view(&job->canonical));
    json_end_object(&w);
    return buf_check(&job->answer, "an answer", err);
}

int main(void)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t len;
    bool ok = true;

    while (ok && (len = getline(&line, &room, stdin)) > 0) {
        AUTO(job_done) struct job job;
        struct err err = { 0 };

        job_init(&job);
        job.json = json_loadb(line, (size_t)len, JSON_ALLOW_NUL, NULL);
        ok = job.json ? answer(&job, &err) : err_set(&err, ERR_INPUT, false, HERE, "no JSON");
        if (ok)
            printf("%s\n", buf_cstr(&job.answer));
        else
            fprintf(stderr, "sign: %s: %s\n", err.what, line);
    }
    free(line);
    return ok && fflush(stdout) == 0 ? 0 : 1;
}
