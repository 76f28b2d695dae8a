/* What AWS's refusals come to for a person: causes, remedies, missing actions; and that no operation lacks its action.
 */
#include "aws/cure.h"
#include "aws/iam_actions.h"
#include "server/base/attr.h"
#include "server/base/buf.h"
#include "tests/support/test.h"

#include <curl/curl.h>
#include <glob.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *code;
    int status, transport;
    const char *words, *operation;
    const char *cause, *action;
    bool is_everywhere;
} rows[] = {
    { "AccessDenied", 403, 0, "Access Denied", "S3.ListObjectsV2", "the permission s3:ListBucket is missing",
      "s3:ListBucket", false },
    { "", 403, 0, "", "S3.HeadObject", "the permission s3:GetObject is missing", "s3:GetObject", false },
    { "AccessDeniedException", 403, 0,
      "User: arn:aws:sts::111122223333:assumed-role/r/s is not authorized to perform: iam:PassRole on resource: x",
      "Bedrock.CreateModelInvocationJob", "the permission iam:PassRole is missing", "iam:PassRole", false },
    { "AccessDenied", 403, 0, "is not authorized to perform: kms:Decrypt on the resource", "S3.GetObject",
      "the permission kms:Decrypt is missing", "kms:Decrypt", false },
    { "AccessDenied", 403, 0, "not authorized to perform: something odd", "S3.PutObject",
      "the permission s3:PutObject is missing", "s3:PutObject", false },
    { "AccessDenied", 403, 0, "Access Denied", "Future.Operation", "AWS denies the permission", "", false },
    { "AccessDeniedException", 403, 0, "You don't have access to the model with the specified model ID.",
      "BedrockRuntime.InvokeModel", "the account has no access to this model", "", false },
    { "SignatureDoesNotMatch", 403, 0, "", "S3.PutObject", "the secret access key is not the one of this access key id",
      "", true },
    { "InvalidSignatureException", 403, 0, "", "Bedrock.GetModelInvocationJob",
      "the secret access key is wrong, or the clock of this machine is", "", true },
    { "RequestTimeTooSkewed", 403, 0, "", "S3.PutObject", "the clock of this machine is wrong", "", true },
    { "ExpiredToken", 400, 0, "", "S3.PutObject", "the temporary credentials have expired", "", true },
    { "ExpiredTokenException", 403, 0, "", "Bedrock.ListModelInvocationJobs", "the temporary credentials have expired",
      "", true },
    { "InvalidAccessKeyId", 403, 0, "", "S3.PutObject", "AWS does not know this access key id", "", true },
    { "UnrecognizedClientException", 403, 0, "", "Bedrock.ListModelInvocationJobs",
      "AWS does not know this access key id", "", true },
    { "NoSuchBucket", 404, 0, "", "S3.ListObjectsV2", "there is no such bucket", "", false },
    { "", 404, 0, "", "S3.HeadBucket", "there is no such bucket", "", false },
    { "PermanentRedirect", 301, 0, "", "S3.ListObjectsV2", "the bucket is in another Region", "", false },
    { "AuthorizationHeaderMalformed", 400, 0, "", "S3.ListObjectsV2", "the bucket is in another Region", "", false },
    { "", 0, CURLE_COULDNT_RESOLVE_HOST, "", "S3.ListObjectsV2", "the name of AWS's endpoint cannot be resolved", "",
      true },
    { "", 0, CURLE_COULDNT_CONNECT, "", "S3.ListObjectsV2", "nothing answers where AWS's endpoint should be", "",
      true },
    { "", 0, CURLE_COULDNT_RESOLVE_PROXY, "", "S3.ListObjectsV2", "the name of the proxy cannot be resolved", "",
      true },
    { "", 0, CURLE_PEER_FAILED_VERIFICATION, "", "S3.ListObjectsV2", "the certificate of the other side is not trusted",
      "", true },
    { "", 0, CURLE_RECV_ERROR, "", "S3.ListObjectsV2", "the connection is cut before the answer", "", true },
    /* nothing to say beyond AWS's own words */
    { "ValidationException", 400, 0, "", "Bedrock.CreateModelInvocationJob", NULL, "", false },
    { "NoSuchKey", 404, 0, "", "S3.GetObject", NULL, "", false },
    { "SlowDown", 503, 0, "", "S3.GetObject", NULL, "", false },
    { "", 404, 0, "", "S3.HeadObject", NULL, "", false },
};

static void test_causes(void)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct err err = { .kind = ERR_DENIED, .upstream_status = rows[i].status, .transport = rows[i].transport };
        struct cure cure = { 0 };

        snprintf(err.upstream_code, sizeof err.upstream_code, "%s", rows[i].code);
        snprintf(err.upstream_message, sizeof err.upstream_message, "%s", rows[i].words);
        test_case("%zu %s", i, rows[i].code);
        CHECK(cure_find(&err, rows[i].operation, &cure) == (rows[i].cause != NULL));
        CHECK_TEXT(cure.cause, rows[i].cause ? rows[i].cause : "");
        CHECK_TEXT(cure.action, rows[i].action);
        CHECK(cure.is_everywhere == rows[i].is_everywhere);
        CHECK((cure.remedy[0] != 0) == (rows[i].cause != NULL));
        CHECK(!cure.remedy[0] || cure.remedy[strlen(cure.remedy) - 1] == '.');
    }
    test_case(NULL);
}

static void test_sentences(void)
{
    struct err err = { .kind = ERR_DENIED, .upstream_code = "AccessDenied", .upstream_status = 403 };
    struct err other = { .kind = ERR_UPSTREAM, .what = "something else" };

    memset(err.what, 'x', sizeof err.what - 1);
    cure_add(&err, "S3.PutObject");
    CHECK(strlen(err.what) == sizeof err.what - 1);
    CHECK(strstr(err.what, "x: the permission s3:PutObject is missing. Allow the service's identity s3:PutObject"));
    snprintf(err.what, sizeof err.what, "S3.PutObject b/k: AWS answered 403 AccessDenied: no");
    cure_add(&err, "S3.PutObject");
    CHECK(strstr(err.what, "AccessDenied: no: the permission s3:PutObject is missing. Allow") != NULL);
    cure_add(&other, "S3.PutObject");
    CHECK_TEXT(other.what, "something else");
    cure_add(NULL, "S3.PutObject");
}

static void test_partitions(void)
{
    static const char *const pairs[][2] = { { "us-east-1", "aws" },
                                            { "cn-north-1", "aws-cn" },
                                            { "us-gov-west-1", "aws-us-gov" },
                                            { "eusc-de-east-1", "aws-eusc" },
                                            { "us-iso-east-1", "aws-iso" },
                                            { "us-isob-east-1", "aws-iso-b" },
                                            { "moon-1", "aws" } };

    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        CHECK_TEXT(iam_partition(pairs[i][0]), pairs[i][1]);
}

/* ---- the table against the sources ---- */

static bool is_known(struct span operation)
{
    size_t count;
    const struct iam_action *all = iam_actions(&count);

    for (size_t i = 0; i < count; i++)
        if (span_eq_text(operation, all[i].operation))
            return true;
    return false;
}

static void read_file(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "re");

    if (!CHECK(file != NULL))
        return;
    for (int c; (c = fgetc(file)) != EOF;)
        buf_char(out, (char)c);
    fclose(file);
}

/* Every text literal that looks like "Service.Operation" is one. */
static int scan_file(const char *path, const regex_t *pattern)
{
    AUTO(buf_done) struct buf text = { 0 };
    regmatch_t at[2];
    int found = 0;

    buf_init(&text, 0);
    read_file(path, &text);
    for (const char *rest = buf_cstr(&text); regexec(pattern, rest, 2, at, 0) == 0; rest += at[0].rm_eo, found++) {
        const struct span operation = { rest + at[1].rm_so, (size_t)(at[1].rm_eo - at[1].rm_so) };

        test_case("%.*s in %s has no row in aws/iam_actions.c", SPAN_ARG(operation), path);
        CHECK(is_known(operation));
    }
    test_case(NULL);
    return found;
}

static void test_every_operation_has_its_action(void)
{
    regex_t pattern;
    glob_t files;
    int found = 0;

    if (!CHECK(regcomp(&pattern, "\"((S3|Bedrock|BedrockRuntime|STS|SQS|SSO|IAM)\\.[A-Z][A-Za-z0-9]+)\"",
                       REG_EXTENDED) == 0))
        return;
    CHECK(glob("aws/*.c", 0, NULL, &files) == 0);
    for (size_t i = 0; i < files.gl_pathc; i++)
        if (strcmp(files.gl_pathv[i], "aws/iam_actions.c") != 0)
            found += scan_file(files.gl_pathv[i], &pattern);
    CHECK(found >= 15); /* the sources are there, and say operations as this test thinks */
    CHECK(!is_known(SPAN_LIT("S3.NoSuchOperation")));
    globfree(&files);
    regfree(&pattern);
}

static const struct test tests[] = {
    { "causes", test_causes },
    { "sentences", test_sentences },
    { "partitions", test_partitions },
    { "every operation has its action", test_every_operation_has_its_action },
};
TEST_MAIN("aws/cure", tests)
