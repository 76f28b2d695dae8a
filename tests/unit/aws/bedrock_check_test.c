#include "aws/bedrock_check.h"

#include "server/base/buf.h"
#include "tests/support/test.h"

#define ACCOUNT "111122223333"
#define X8 "xxxxxxxx"
#define X63 X8 X8 X8 X8 X8 X8 X8 "xxxxxxx"
#define X64 X63 "x"
#define JOB "arn:aws:bedrock:us-east-1:" ACCOUNT ":model-invocation-job/"

static bool is_tag_key(struct span s)
{
    return bedrock_is_tag_text(s, 1, 128);
}

static const struct {
    bool (*matches)(struct span s);
    const char *text;
    bool ok;
} cases[] = {
    { bedrock_is_job_name, "a", true },
    { bedrock_is_job_name, "vidsum-20261101-0001", true },
    { bedrock_is_job_name, "a--b.c+d-", true },
    { bedrock_is_job_name, X63, true },
    { bedrock_is_job_name, X64, false },
    { bedrock_is_job_name, "", false },
    { bedrock_is_job_name, "-a", false },
    { bedrock_is_job_name, ".a", false },
    { bedrock_is_job_name, "a_b", false },
    { bedrock_is_job_name, "a/b", false },
    { bedrock_is_job_name, "a b", false },
    { bedrock_is_token, "0d3c1a52-6c0e-4a2f-9a1e-3b8b7c1f0a11", true },
    { bedrock_is_token, "a", true },
    { bedrock_is_token, "a--b", true },
    { bedrock_is_token, X64 X64 X64 X64, true },
    { bedrock_is_token, X64 X64 X64 X64 "x", false },
    { bedrock_is_token, "", false },
    { bedrock_is_token, "a-", false },
    { bedrock_is_token, "-a", false },
    { bedrock_is_token, "a_b", false },
    { bedrock_is_role_arn, "arn:aws:iam::" ACCOUNT ":role/BedrockBatchRole", true },
    { bedrock_is_role_arn, "arn:aws-us-gov:iam::" ACCOUNT ":role/path/Role", true },
    { bedrock_is_role_arn, "arn:aws:iam:::role/x", true },
    { bedrock_is_role_arn, "arn:aws:iam::" ACCOUNT ":role/", false },
    { bedrock_is_role_arn, "arn:aws-:iam::" ACCOUNT ":role/x", false },
    { bedrock_is_role_arn, "arn:aws:iam::1111:role/x", false },
    { bedrock_is_role_arn, "arn:aws:iam::" ACCOUNT ":user/x", false },
    { bedrock_is_role_arn, "arn:aws:sts::" ACCOUNT ":role/x", false },
    { bedrock_is_role_arn, "BedrockBatchRole", false },
    { bedrock_is_model_id, "amazon.nova-lite-v1:0", true },
    { bedrock_is_model_id, "us.amazon.nova-lite-v1:0", true },
    { bedrock_is_model_id, "amazon.nova-lite-v1:0:24k", true },
    { bedrock_is_model_id, "amazon.nova-lite-v1:0:24k:x", false },
    { bedrock_is_model_id, "amazon.n", false },
    { bedrock_is_model_id, "amazon.nl", true },
    { bedrock_is_model_id, "a.b.c.d", false },
    { bedrock_is_model_id, "my_model-name", true },
    { bedrock_is_model_id, "my__model", false },
    { bedrock_is_model_id, "_model", false },
    { bedrock_is_model_id, "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0", true },
    { bedrock_is_model_id, "arn:aws:bedrock:us-east-1::foundation-model/x", false },
    { bedrock_is_model_id, "arn:aws:bedrock:us-east-1:" ACCOUNT ":inference-profile/us.amazon.nova-lite-v1:0", true },
    { bedrock_is_model_id, "arn:aws:bedrock:us-east-1:" ACCOUNT ":application-inference-profile/abc123", true },
    { bedrock_is_model_id, "arn:aws:bedrock:us-east-1:" ACCOUNT ":inference-profile/", false },
    { bedrock_is_model_id, "arn:aws:bedrock:us-east-1:" ACCOUNT ":custom-model/amazon.nova-lite-v1:0/abcdefghi123",
      true },
    { bedrock_is_model_id, "arn:aws:bedrock:us-east-1:" ACCOUNT ":custom-model/amazon.nova/abc", false },
    { bedrock_is_model_id, "arn:aws:bedrock:us-east-1:" ACCOUNT ":provisioned-model/abc", false },
    { bedrock_is_model_id, "arn:aws:bedrock:us-east-1:some-name", true },
    { bedrock_is_model_id, "arn:aws:bedrock:us-east-1-and-much-too-long::foundation-model/a.bc", false },
    { bedrock_is_model_id, "amazon.nova lite", false },
    { bedrock_is_model_id, "", false },
    { bedrock_is_s3_uri, "s3://bucket", true },
    { bedrock_is_s3_uri, "s3://bucket/", true },
    { bedrock_is_s3_uri, "s3://bucket/batch/job-0001/", true },
    { bedrock_is_s3_uri, "s3://bucket/a/!_*'().-Z9", true },
    { bedrock_is_s3_uri, "s3://bucket//", false },
    { bedrock_is_s3_uri, "s3://bucket//a", false },
    { bedrock_is_s3_uri, "s3://bucket/a//", false },
    { bedrock_is_s3_uri, "s3://bucket/date=2026-01-01/", false },
    { bedrock_is_s3_uri, "s3://bucket/a b", false },
    { bedrock_is_s3_uri, "s3://bucket/a%20b", false },
    { bedrock_is_s3_uri, "s3://bucket/caf\xc3\xa9", false },
    { bedrock_is_s3_uri, "s3://Bucket/a", false },
    { bedrock_is_s3_uri, "s3://bu/a", false },
    { bedrock_is_s3_uri, "s3://-bucket/a", false },
    { bedrock_is_s3_uri, "s3://bucket./a", false },
    { bedrock_is_s3_uri, "s3://", false },
    { bedrock_is_s3_uri, "", false },
    { bedrock_is_account, ACCOUNT, true },
    { bedrock_is_account, "11112222333", false },
    { bedrock_is_account, ACCOUNT "4", false },
    { bedrock_is_account, "11112222333x", false },
    { bedrock_is_kms_key, "0d3c1a52-6c0e-4a2f-9a1e-3b8b7c1f0a11", true },
    { bedrock_is_kms_key, "0d3c1a52-6c0e-4a2f-9a1e-3b8b7c1f0a1", false },
    { bedrock_is_kms_key, "alias/my-key_1/x", true },
    { bedrock_is_kms_key, "alias/", false },
    { bedrock_is_kms_key, "arn:aws:kms:us-east-1:" ACCOUNT ":key/0d3c1a52-6c0e-4a2f-9a1e-3b8b7c1f0a11", true },
    { bedrock_is_kms_key, "arn:aws:kms:us-east-1:" ACCOUNT ":alias/a", true },
    { bedrock_is_kms_key, "arn:aws:kms:us-east-1:" ACCOUNT ":key/short", false },
    { bedrock_is_kms_key, "arn:aws:s3:us-east-1:" ACCOUNT ":alias/a", false },
    { is_tag_key, "app", true },
    { is_tag_key, "a b\t._:/=+@-Z9", true },
    { is_tag_key, "", false },
    { is_tag_key, X64 X64, true },
    { is_tag_key, X64 X64 "x", false },
    { is_tag_key, "a&b", false },
    { bedrock_is_job_arn, JOB "abcdefghi123", true },
    { bedrock_is_job_arn, JOB "abcdefghi12", false },
    { bedrock_is_job_arn, JOB "Abcdefghi123", false },
    { bedrock_is_job_arn, "abcdefghi123", false },
    { bedrock_is_job_arn, "arn:aws-" X64 X64 X64 X64 ":bedrock:us-east-1:" ACCOUNT ":model-invocation-job/abcdefghi123",
      false },
};

static void patterns(void)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        test_case("row %zu '%s'", i, cases[i].text);
        CHECK(cases[i].matches(span_of(cases[i].text)) == cases[i].ok);
    }
    test_case(NULL);
}

static void uri_length(void)
{
    AUTO(buf_done) struct buf uri = { 0 };

    buf_init(&uri, 4096);
    buf_text(&uri, "s3://bucket/");
    while (uri.len < 1024)
        buf_char(&uri, 'a');
    CHECK(bedrock_is_s3_uri(buf_view(&uri)));
    buf_char(&uri, 'a');
    CHECK(!bedrock_is_s3_uri(buf_view(&uri)));
}

static const struct bedrock_tag tag = { "app", "vidbatch" }, bad_tag = { "app", "a&b" };

static const struct bedrock_create good = {
    .job_name = "job-1",
    .client_token = "token-1",
    .role_arn = "arn:aws:iam::" ACCOUNT ":role/r",
    .model_id = "amazon.nova-lite-v1:0",
    .input_uri = "s3://bucket/in/",
    .output_uri = "s3://bucket/out/",
    .tags = &tag,
    .tag_count = 1,
};

/* Each request breaks one rule; the error names that field. */
static void requests(void)
{
    struct bedrock_create rows[12];
    static const char *const fields[] = { NULL,
                                          "jobName",
                                          "clientRequestToken",
                                          "roleArn",
                                          "modelId",
                                          "inputDataConfig.s3Uri",
                                          "outputDataConfig.s3Uri",
                                          "inputDataConfig.s3BucketOwner",
                                          "outputDataConfig.s3BucketOwner",
                                          "outputDataConfig.s3EncryptionKeyId",
                                          "timeoutDurationInHours",
                                          "tags.value" };

    for (size_t i = 0; i < 12; i++)
        rows[i] = good;
    rows[1].job_name = "a_b";
    rows[2].client_token = NULL;
    rows[3].role_arn = "";
    rows[4].model_id = "a b";
    rows[5].input_uri = "s3://bucket/a b/";
    rows[6].output_uri = "bucket";
    rows[7].input_owner = "12";
    rows[8].output_owner = "12";
    rows[9].output_kms_key = "x";
    rows[10].timeout_hours = 23;
    rows[11].tags = &bad_tag;
    for (size_t i = 0; i < 12; i++) {
        struct err err = { 0 };
        bool ok = bedrock_check_create(&rows[i], &err);

        test_case("%s", fields[i] ? fields[i] : "good");
        CHECK(ok == (fields[i] == NULL));
        if (fields[i]) {
            CHECK_I64(err.kind, ERR_INPUT);
            CHECK_TEXT(err.code, "bad_request_field");
            CHECK(span_starts(span_of(err.what), span_of(fields[i])));
        }
    }
    test_case(NULL);
}

static const struct test tests[] = { { "patterns", patterns }, { "uri_length", uri_length }, { "requests", requests } };

TEST_MAIN("bedrock_check", tests)
