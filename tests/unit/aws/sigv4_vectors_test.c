/* Every published signature vector: AWS's two suites in header and query form, and the computed cases for S3 and
 * Bedrock. The number of cases is part of the test, so that a lost file is noticed. */
#include "aws/sigv4.h"
#include "server/base/clock.h"
#include "server/base/text.h"
#include "tests/support/test.h"

#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define DATA "tests/data/sigv4-vectors/"
#define C_AUTH DATA "aws-c-auth/tests/aws-signing-test-suite/v4"
#define BOTOCORE DATA "botocore-aws4_testsuite/tests/unit/auth/aws4_testsuite"
enum { MAX_HEADERS = 32, MAX_PATH = 1024 };

struct request {
    struct buf text;
    struct span method, path, query, body;
    struct sigv4_header headers[MAX_HEADERS];
    size_t header_count;
};

static void request_done(struct request *r)
{
    buf_done(&r->text);
}

static bool read_file(struct buf *out, const char *folder, const char *name)
{
    char path[MAX_PATH];
    FILE *file;
    char *room;
    size_t got = 0;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "rb");
    if (!CHECK(file != NULL))
        return false;
    do {
        room = buf_room(out, 65536);
        got = room ? fread(room, 1, 65536, file) : 0;
        buf_grew(out, got);
    } while (got);
    fclose(file);
    return CHECK(buf_ok(out));
}

static void add_header(struct request *r, const char *name, struct span value)
{
    if (CHECK(r->header_count < MAX_HEADERS))
        r->headers[r->header_count++] = (struct sigv4_header){ span_of(name), value };
}

static void parse_target(struct request *r, struct span line)
{
    size_t first = span_find(line, ' '), last = line.len;
    struct span target;

    while (last > 0 && line.ptr[last - 1] != ' ')
        last--;
    r->method = span_head(line, first);
    target = span_tail(span_head(line, last - 1), first + 1);
    r->path = span_head(target, span_find(target, '?'));
    r->query = span_tail(target, r->path.len + 1);
}

static void parse_request(struct request *r)
{
    struct span rest = buf_view(&r->text);
    bool is_first = true;

    while (rest.len) {
        struct span line = span_head(rest, span_find(rest, '\n'));
        size_t colon = span_find(line, ':');

        rest = span_tail(rest, line.len + 1);
        if (is_first)
            parse_target(r, line);
        else if (!line.len)
            break;
        else if (line.ptr[0] == ' ' || line.ptr[0] == '\t')
            r->headers[r->header_count - 1].value.len += line.len + 1; /* a folded line lies right behind its start */
        else
            r->headers[r->header_count++] = (struct sigv4_header){ span_head(line, colon), span_tail(line, colon + 1) };
        is_first = false;
    }
    r->body = rest;
}

static void hash_hex(struct span body, struct buf *out)
{
    unsigned char hash[32];

    text_sha256(body.len ? body.ptr : "", body.len, hash);
    text_hex(out, hash, sizeof(hash));
}

static void check_file(const char *folder, const char *name, struct span got)
{
    AUTO(buf_done) struct buf want = { 0 };

    buf_init(&want, 0);
    if (read_file(&want, folder, name))
        test_check_bytes(got.ptr, got.len, want.data, want.len, name, TEST_HERE);
}

/* The three stages, into buffers of the caller. */
struct stages {
    struct buf canonical, names, to_sign, signature;
};

static void stages_done(struct stages *s)
{
    buf_done(&s->canonical);
    buf_done(&s->names);
    buf_done(&s->to_sign);
    buf_done(&s->signature);
}

static bool run_stages(const struct sigv4_request *rq, const struct creds *creds, int64_t now_s, struct stages *s)
{
    struct err err = { 0 };
    bool ok;

    buf_init(&s->canonical, 0);
    buf_init(&s->names, 0);
    buf_init(&s->to_sign, 0);
    buf_init(&s->signature, 0);
    ok = sigv4_canonical_request(rq, &s->canonical, &s->names, &err) &&
         sigv4_string_to_sign(rq, buf_view(&s->canonical), now_s, &s->to_sign, &err) &&
         sigv4_signature(rq, creds, buf_view(&s->to_sign), now_s, &s->signature, &err);
    CHECK_TEXT(err.what, "");
    return CHECK(ok);
}

/* ---- aws-c-auth ---- */

static const char *json_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text ? text : "";
}

static void json_done(json_t **json)
{
    json_decref(*json);
}

static void take_creds(struct creds *creds, const char *id, const char *secret, const char *token)
{
    CHECK(creds_put(creds->access_key_id, sizeof(creds->access_key_id), span_of(id)));
    CHECK(creds_put(creds->secret_access_key, sizeof(creds->secret_access_key), span_of(secret)));
    CHECK(creds_put(creds->session_token, sizeof(creds->session_token), span_of(token)));
}

static void c_auth_header(const char *folder, struct request r, const json_t *context, struct sigv4_request rq,
                          const struct creds *creds, int64_t now_s)
{
    AUTO(stages_done) struct stages s = { 0 };
    char time[SIGV4_TIME_SIZE];

    sigv4_time(now_s, time);
    add_header(&r, "X-Amz-Date", span_of(time));
    if (json_is_true(json_object_get(context, "sign_body")))
        add_header(&r, "x-amz-content-sha256", rq.payload_hash);
    if (creds->session_token[0])
        add_header(&r, "X-Amz-Security-Token", span_of(creds->session_token));
    rq.headers = r.headers;
    rq.header_count = r.header_count;
    if (!run_stages(&rq, creds, now_s, &s))
        return;
    check_file(folder, "header-canonical-request.txt", buf_view(&s.canonical));
    check_file(folder, "header-string-to-sign.txt", buf_view(&s.to_sign));
    check_file(folder, "header-signature.txt", buf_view(&s.signature));
}

static void c_auth_query(const char *folder, const struct request *r, const json_t *context, struct sigv4_request rq,
                         const struct creds *creds, int64_t now_s)
{
    AUTO(stages_done) struct stages s = { 0 };
    AUTO(buf_done) struct buf query = { 0 };
    struct err err = { 0 };
    const char *signature;
    json_int_t expires_s = json_integer_value(json_object_get(context, "expiration_in_seconds"));

    buf_init(&query, 0);
    rq.headers = r->headers;
    rq.header_count = r->header_count;
    if (!CHECK(sigv4_presigned_query(&rq, creds, now_s, expires_s, &query, &err)))
        return;
    signature = strstr(buf_cstr(&query), "&X-Amz-Signature=");
    if (!CHECK(signature != NULL))
        return;
    check_file(folder, "query-signature.txt", span_of(signature + strlen("&X-Amz-Signature=")));
    rq.query = span_head(buf_view(&query), (size_t)(signature - query.data));
    if (!run_stages(&rq, creds, now_s, &s))
        return;
    check_file(folder, "query-canonical-request.txt", buf_view(&s.canonical));
    check_file(folder, "query-string-to-sign.txt", buf_view(&s.to_sign));
}

static void c_auth_case(const char *name)
{
    AUTO(request_done) struct request r = { 0 };
    AUTO(buf_done) struct buf hash = { 0 };
    AUTO(json_done) json_t *context = NULL;
    struct creds creds = { 0 };
    struct sigv4_request rq;
    char folder[MAX_PATH / 2], path[MAX_PATH];
    int64_t now_ms = 0;
    const json_t *given;

    snprintf(folder, sizeof(folder), C_AUTH "/%s", name);
    snprintf(path, sizeof(path), "%s/context.json", folder);
    buf_init(&r.text, 0);
    buf_init(&hash, 0);
    context = json_load_file(path, 0, NULL);
    if (!CHECK(context != NULL) || !read_file(&r.text, folder, "request.txt"))
        return;
    parse_request(&r);
    given = json_object_get(context, "credentials");
    take_creds(&creds, json_text(given, "access_key_id"), json_text(given, "secret_access_key"),
               json_is_true(json_object_get(context, "omit_session_token")) ? "" : json_text(given, "token"));
    CHECK(clock_parse_rfc3339(span_of(json_text(context, "timestamp")), &now_ms));
    hash_hex(json_is_true(json_object_get(context, "sign_body")) ? r.body : SPAN_LIT(""), &hash);
    rq = (struct sigv4_request){
        .method = r.method,
        .path = r.path,
        .query = r.query,
        .payload_hash = buf_view(&hash),
        .region = span_of(json_text(context, "region")),
        .service = span_of(json_text(context, "service")),
        .encode_path_twice = true, /* of a target that is not encoded yet: once */
        .normalize_path = json_is_true(json_object_get(context, "normalize")),
    };
    c_auth_header(folder, r, context, rq, &creds, now_ms / 1000);
    c_auth_query(folder, &r, context, rq, &creds, now_ms / 1000);
}

static void test_aws_c_auth(void)
{
    struct dirent **names = NULL;
    int count = scandir(C_AUTH, &names, NULL, alphasort), cases = 0;

    for (int i = 0; i < count; i++) {
        if (names[i]->d_name[0] != '.') {
            test_case("%s", names[i]->d_name);
            c_auth_case(names[i]->d_name);
            cases++;
        }
        free(names[i]);
    }
    free(names);
    test_case(NULL);
    CHECK_I64(cases, 38);
}

/* ---- the older suite, as botocore carries it ---- */

static void older_case(const char *folder, const char *name)
{
    AUTO(request_done) struct request r = { 0 };
    AUTO(stages_done) struct stages s = { 0 };
    AUTO(buf_done) struct buf hash = { 0 };
    AUTO(buf_done) struct buf authorization = { 0 };
    struct creds creds = { 0 };
    struct err err = { 0 };
    struct sigv4_request rq;
    char file[MAX_PATH];
    const int64_t now_s = 1440938160; /* 20150830T123600Z */

    buf_init(&r.text, 0);
    buf_init(&hash, 0);
    buf_init(&authorization, 0);
    snprintf(file, sizeof(file), "%s.req", name);
    if (!read_file(&r.text, folder, file))
        return;
    parse_request(&r);
    /* The one request file that lacks the token which its canonical request has. */
    if (!strcmp(name, "get-vanilla-with-session-token"))
        add_header(&r, "X-Amz-Security-Token",
                   SPAN_LIT("6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"));
    take_creds(&creds, "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "");
    hash_hex(r.body, &hash);
    rq = (struct sigv4_request){ .method = r.method,
                                 .path = r.path,
                                 .query = r.query,
                                 .headers = r.headers,
                                 .header_count = r.header_count,
                                 .payload_hash = buf_view(&hash),
                                 .region = SPAN_LIT("us-east-1"),
                                 .service = SPAN_LIT("service"),
                                 .encode_path_twice = true,
                                 .normalize_path = true };
    if (!run_stages(&rq, &creds, now_s, &s) || !CHECK(sigv4_authorization(&rq, &creds, now_s, &authorization, &err)))
        return;
    snprintf(file, sizeof(file), "%s.creq", name);
    check_file(folder, file, buf_view(&s.canonical));
    snprintf(file, sizeof(file), "%s.sts", name);
    check_file(folder, file, buf_view(&s.to_sign));
    snprintf(file, sizeof(file), "%s.authz", name);
    check_file(folder, file, buf_view(&authorization));
}

/* Folders hold either a case of the same name or more folders. */
static int walk_older(const char *folder)
{
    struct dirent **names = NULL;
    int count = scandir(folder, &names, NULL, alphasort), cases = 0;

    for (int i = 0; i < count; i++) {
        char path[MAX_PATH], request[MAX_PATH + 600];
        struct stat st;

        snprintf(path, sizeof(path), "%.700s/%s", folder, names[i]->d_name);
        snprintf(request, sizeof(request), "%s/%s.req", path, names[i]->d_name);
        if (names[i]->d_name[0] != '.' && !stat(request, &st)) {
            test_case("%s", names[i]->d_name);
            older_case(path, names[i]->d_name);
            cases++;
        } else if (names[i]->d_name[0] != '.' && !stat(path, &st) && S_ISDIR(st.st_mode)) {
            cases += walk_older(path);
        }
        free(names[i]);
    }
    free(names);
    return cases;
}

static void test_older_suite(void)
{
    int cases = walk_older(BOTOCORE);

    test_case(NULL);
    CHECK_I64(cases, 34);
}

/* ---- computed: S3, Bedrock, STS ---- */

static int64_t basic_time(const char *text)
{
    struct tm tm = { 0 };

    CHECK(strptime(text, "%Y%m%dT%H%M%SZ", &tm) != NULL);
    return timegm(&tm);
}

static void computed_presigned(const json_t *v, struct sigv4_request rq, const struct creds *creds, int64_t now_s)
{
    AUTO(buf_done) struct buf query = { 0 };
    AUTO(buf_done) struct buf want = { 0 };
    struct err err = { 0 };
    const char *auth = strstr(rq.query.ptr, "X-Amz-Algorithm=");

    buf_init(&query, 0);
    buf_init(&want, 0);
    buf_fmt(&want, "%s&X-Amz-Signature=%s", json_text(v, "wire_query_without_signature"), json_text(v, "signature"));
    if (!CHECK(auth != NULL))
        return;
    rq.query = span_head(rq.query, (size_t)(auth - rq.query.ptr));
    if (rq.query.len)
        rq.query.len--; /* the '&' between the caller's parameters and the signer's */
    CHECK(sigv4_presigned_query(&rq, creds, now_s, json_integer_value(json_object_get(v, "presign_expires")), &query,
                                &err));
    CHECK_TEXT(buf_cstr(&query), buf_cstr(&want));
}

static void computed_case(const json_t *v)
{
    AUTO(stages_done) struct stages s = { 0 };
    AUTO(buf_done) struct buf authorization = { 0 };
    struct request r = { 0 };
    struct creds creds = { 0 };
    struct err err = { 0 };
    const json_t *pair;
    size_t i;
    bool is_s3 = !strcmp(json_text(v, "service"), "s3");
    int64_t now_s = basic_time(json_text(v, "timestamp"));
    struct sigv4_request rq = { .method = span_of(json_text(v, "method")),
                                .path = span_of(json_text(v, "wire_path")),
                                .query = span_of(json_text(v, "wire_query_without_signature")),
                                .payload_hash = span_of(json_text(v, "payload_hash")),
                                .region = span_of(json_text(v, "region")),
                                .service = span_of(json_text(v, "service")),
                                .encode_path_twice = !is_s3,
                                .normalize_path = !is_s3 };

    buf_init(&authorization, 0);
    take_creds(&creds, json_text(v, "access_key"), json_text(v, "secret_key"), json_text(v, "session_token"));
    json_array_foreach(json_object_get(v, "headers_signed"), i, pair)
        add_header(&r, json_string_value(json_array_get(pair, 0)), span_of(json_string_value(json_array_get(pair, 1))));
    rq.headers = r.headers;
    rq.header_count = r.header_count;
    if (!run_stages(&rq, &creds, now_s, &s))
        return;
    CHECK_TEXT(buf_cstr(&s.canonical), json_text(v, "canonical_request"));
    CHECK_TEXT(buf_cstr(&s.to_sign), json_text(v, "string_to_sign"));
    CHECK_TEXT(buf_cstr(&s.signature), json_text(v, "signature"));
    if (json_is_integer(json_object_get(v, "presign_expires"))) {
        computed_presigned(v, rq, &creds, now_s);
        return;
    }
    CHECK(sigv4_authorization(&rq, &creds, now_s, &authorization, &err));
    CHECK_TEXT(buf_cstr(&authorization), json_text(v, "authorization"));
}

static void test_computed(void)
{
    AUTO(json_done) json_t *all = json_load_file(DATA "s3-and-bedrock-computed/vectors.json", 0, NULL);
    const json_t *v;
    size_t i;

    CHECK_I64(json_array_size(json_object_get(all, "vectors")), 28);
    json_array_foreach(json_object_get(all, "vectors"), i, v)
    {
        test_case("%s", json_text(v, "name"));
        computed_case(v);
    }
    test_case(NULL);
}

static const struct test tests[] = {
    { "aws_c_auth", test_aws_c_auth },
    { "older_suite", test_older_suite },
    { "computed", test_computed },
};
TEST_MAIN("sigv4_vectors", tests)
