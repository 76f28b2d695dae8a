/* The policies: what is in them, for whom, and that nothing the service calls is missing. */
#include "server/base/attr.h"
#include "server/work/iam_policy.h"
#include "tests/support/test.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define ROLE "arn:aws:iam::111122223333:role/BatchRole"

static struct iam_facts facts_of(const struct models *known, const char *region, const char *model)
{
    struct iam_facts facts = { .region = region,
                               .account = "111122223333",
                               .role_arn = ROLE,
                               .staging = { SPAN_LIT("work"), SPAN_LIT("staging/"), { 0 } },
                               .output = { SPAN_LIT("work"), SPAN_LIT("output/"), { 0 } },
                               .video_count = 2,
                               .model_count = 1,
                               .known = known };

    facts.videos[0] = (struct iam_location){ SPAN_LIT("videos"), SPAN_LIT("in/"), SPAN_LIT("444455556666") };
    facts.videos[1] = (struct iam_location){ SPAN_LIT("work"), SPAN_LIT(""), { 0 } };
    facts.models[0] = model;
    return facts;
}

typedef void policy_fn(const struct iam_facts *facts, struct buf *out);

static json_t *made_by(policy_fn *policy, const struct iam_facts *facts)
{
    AUTO(buf_done) struct buf text = { .max = IAM_POLICY_MAX_BYTES };
    json_t *json;

    policy(facts, &text);
    json = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
    CHECK(json_is_object(json));
    CHECK_TEXT(json_string_value(json_object_get(json, "Version")), "2012-10-17");
    return json;
}

static const json_t *statement(const json_t *policy, const char *sid)
{
    const json_t *all = json_object_get(policy, "Statement");

    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *it = json_array_get(all, i);
        const char *name = json_string_value(json_object_get(it, "Sid"));

        if (name && strcmp(name, sid) == 0)
            return it;
    }
    return NULL;
}

/* "a b" of "a" or ["a", "b"]. */
static const char *words(const json_t *value, char out[4096])
{
    size_t used = 0;

    out[0] = 0;
    if (json_is_string(value))
        snprintf(out, 4096, "%s", json_string_value(value));
    for (size_t i = 0; i < json_array_size(value); i++)
        used += (size_t)snprintf(out + used, 4096 - used, "%s%s", i ? " " : "",
                                 json_string_value(json_array_get(value, i)));
    return out;
}

static void check_statement(const json_t *policy, const char *sid, const char *actions, const char *resources)
{
    char text[4096];
    const json_t *it = statement(policy, sid);

    test_case("%s", sid);
    if (!CHECK(it != NULL))
        return;
    CHECK_TEXT(words(json_object_get(it, "Action"), text), actions);
    CHECK_TEXT(words(json_object_get(it, "Resource"), text), resources);
    test_case(NULL);
}

static void check_caller(const struct models *known)
{
    struct iam_facts facts = facts_of(known, "us-east-1", "us.amazon.nova-lite-v1:0");
    json_t *policy = made_by(iam_policy_caller, &facts);
    char text[4096];

    check_statement(policy, "StartJobs", "bedrock:CreateModelInvocationJob",
                    "arn:aws:bedrock:us-east-1:111122223333:inference-profile/us.amazon.nova-lite-v1:0 "
                    "arn:aws:bedrock:us-east-1:111122223333:model-invocation-job/*");
    check_statement(policy, "FollowJobs",
                    "bedrock:TagResource bedrock:GetModelInvocationJob bedrock:StopModelInvocationJob",
                    "arn:aws:bedrock:us-east-1:111122223333:model-invocation-job/*");
    check_statement(policy, "ListJobs", "bedrock:ListModelInvocationJobs", "*");
    check_statement(policy, "HandRoleToBedrock", "iam:PassRole", ROLE);
    CHECK_TEXT(
        words(json_object_get(
                  json_object_get(json_object_get(statement(policy, "HandRoleToBedrock"), "Condition"), "StringEquals"),
                  "iam:PassedToService"),
              text),
        "bedrock.amazonaws.com");
    check_statement(policy, "ListBuckets", "s3:ListBucket s3:ListBucketMultipartUploads",
                    "arn:aws:s3:::work arn:aws:s3:::videos");
    check_statement(policy, "ReadVideos", "s3:GetObject", "arn:aws:s3:::videos/in/* arn:aws:s3:::work/*");
    check_statement(policy, "Stage", "s3:GetObject s3:PutObject s3:AbortMultipartUpload s3:DeleteObject",
                    "arn:aws:s3:::work/staging/*");
    check_statement(policy, "ReadOutput", "s3:GetObject", "arn:aws:s3:::work/output/*");
    json_decref(policy);
}

static void check_role(const struct models *known)
{
    struct iam_facts facts = facts_of(known, "us-west-1", "us.amazon.nova-pro-v1:0");
    json_t *policy;
    char text[4096];

    facts.kms_key = "arn:aws:kms:us-west-1:111122223333:key/k";
    policy = made_by(iam_policy_role, &facts);
    check_statement(policy, "Data", "s3:GetObject s3:PutObject",
                    "arn:aws:s3:::work/staging/* arn:aws:s3:::work/output/*");
    check_statement(policy, "VideosInPlace", "s3:GetObject", "arn:aws:s3:::videos/in/* arn:aws:s3:::work/*");
    check_statement(policy, "List", "s3:ListBucket", "arn:aws:s3:::work arn:aws:s3:::videos");
    check_statement(policy, "Invoke", "bedrock:InvokeModel",
                    "arn:aws:bedrock:us-west-1:111122223333:inference-profile/us.amazon.nova-pro-v1:0 "
                    "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0 "
                    "arn:aws:bedrock:us-east-2::foundation-model/amazon.nova-pro-v1:0 "
                    "arn:aws:bedrock:us-west-2::foundation-model/amazon.nova-pro-v1:0 "
                    "arn:aws:bedrock:us-west-1::foundation-model/amazon.nova-pro-v1:0");
    check_statement(policy, "OutputKey", "kms:GenerateDataKey kms:Decrypt", facts.kms_key);
    CHECK_TEXT(
        words(json_object_get(json_object_get(json_object_get(statement(policy, "Data"), "Condition"), "StringEquals"),
                              "aws:ResourceAccount"),
              text),
        "111122223333 444455556666");
    json_decref(policy);
}

static void check_trust(const struct models *known)
{
    struct iam_facts facts = facts_of(known, "us-gov-west-1", "amazon.nova-lite-v1:0");
    AUTO(buf_done) struct buf text = { .max = IAM_POLICY_MAX_BYTES };

    iam_policy_trust(&facts, &text);
    CHECK_TEXT(buf_cstr(&text),
               "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"Service\":"
               "\"bedrock.amazonaws.com\"},\"Action\":\"sts:AssumeRole\",\"Condition\":{\"StringEquals\":{\"aws:"
               "SourceAccount\":\"111122223333\"},\"ArnEquals\":{\"aws:SourceArn\":\"arn:aws-us-gov:bedrock:us-gov-"
               "west-1:111122223333:model-invocation-job/*\"}}}]}");
}

/* What the role must be allowed to invoke, by Region and model. */
static void check_models(const struct models *known)
{
    static const char own[] = "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/abc";
    static const struct {
        const char *region, *model, *resources;
    } rows[] = {
        { "us-east-1", "amazon.nova-lite-v1:0", "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0" },
        { "us-gov-west-1", "amazon.nova-lite-v1:0",
          "arn:aws-us-gov:bedrock:us-gov-west-1::foundation-model/amazon.nova-lite-v1:0" },
        { "us-east-1", "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0",
          "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0" },
        { "eu-south-1", "arn:aws:bedrock:eu-south-1:111122223333:inference-profile/eu.amazon.nova-lite-v1:0",
          "arn:aws:bedrock:eu-south-1:111122223333:inference-profile/eu.amazon.nova-lite-v1:0 "
          "arn:aws:bedrock:eu-central-1::foundation-model/amazon.nova-lite-v1:0 "
          "arn:aws:bedrock:eu-north-1::foundation-model/amazon.nova-lite-v1:0 "
          "arn:aws:bedrock:eu-west-1::foundation-model/amazon.nova-lite-v1:0 "
          "arn:aws:bedrock:eu-west-3::foundation-model/amazon.nova-lite-v1:0 "
          "arn:aws:bedrock:eu-south-1::foundation-model/amazon.nova-lite-v1:0" },
        { "ap-northeast-1", "jp.amazon.nova-2-lite-v1:0",
          "arn:aws:bedrock:ap-northeast-1:111122223333:inference-profile/jp.amazon.nova-2-lite-v1:0 "
          "arn:aws:bedrock:ap-northeast-1::foundation-model/amazon.nova-2-lite-v1:0 "
          "arn:aws:bedrock:ap-northeast-3::foundation-model/amazon.nova-2-lite-v1:0" },
        { "us-east-1", "global.amazon.nova-2-lite-v1:0",
          "arn:aws:bedrock:us-east-1:111122223333:inference-profile/global.amazon.nova-2-lite-v1:0 "
          "arn:aws:bedrock:*::foundation-model/amazon.nova-2-lite-v1:0 "
          "arn:aws:bedrock:::foundation-model/amazon.nova-2-lite-v1:0" },
        { "ap-south-1", "apac.amazon.nova-lite-v1:0",
          "arn:aws:bedrock:ap-south-1:111122223333:inference-profile/apac.amazon.nova-lite-v1:0 "
          "arn:aws:bedrock:*::foundation-model/amazon.nova-lite-v1:0" },
        { "us-east-1", own,
          "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/abc "
          "arn:aws:bedrock:*::foundation-model/*" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct iam_facts facts = facts_of(known, rows[i].region, rows[i].model);
        json_t *policy = made_by(iam_policy_role, &facts);
        char text[4096];

        test_case("%s in %s", rows[i].model, rows[i].region);
        CHECK_TEXT(words(json_object_get(statement(policy, "Invoke"), "Resource"), text), rows[i].resources);
        test_case(NULL);
        json_decref(policy);
    }
}

/* Every action of the table is allowed by the caller's policy, but for what the doctor alone asks. */
static void check_all_actions(const struct models *known)
{
    struct iam_facts facts = facts_of(known, "us-east-1", "amazon.nova-lite-v1:0");
    static const char queue[] = "arn:aws:sqs:us-east-1:111122223333:events";
    AUTO(buf_done) struct buf text = { .max = IAM_POLICY_MAX_BYTES };
    size_t count;
    const struct iam_action *all = iam_actions(&count);

    iam_policy_caller(&facts, &text);
    CHECK(strstr(buf_cstr(&text), "sqs:") == NULL); /* where there is no queue */
    buf_reset(&text);
    facts.queue_arn = queue;
    iam_policy_caller(&facts, &text);
    CHECK(strstr(buf_cstr(&text), queue) != NULL);
    for (size_t i = 0; i < count; i++) {
        char quoted[IAM_ACTION_SIZE + 2];

        if (!all[i].action)
            continue;
        snprintf(quoted, sizeof quoted, "\"%s\"", all[i].action);
        test_case("%s", all[i].operation);
        CHECK((strstr(buf_cstr(&text), quoted) != NULL) == (all[i].place != IAM_DOCTOR));
    }
    test_case(NULL);
}

static void check_nothing_known(const struct models *known)
{
    const struct iam_facts facts = { .region = "us-east-1", .account = "111122223333", .role_arn = "", .known = known };
    json_t *caller = made_by(iam_policy_caller, &facts);
    json_t *role = made_by(iam_policy_role, &facts);

    CHECK(statement(caller, "Stage") == NULL && statement(caller, "HandRoleToBedrock") == NULL);
    CHECK(statement(caller, "ListJobs") != NULL);
    CHECK(json_array_size(json_object_get(role, "Statement")) == 0);
    json_decref(caller);
    json_decref(role);
}

static void check_one_statement(const struct models *known)
{
    struct iam_facts facts = facts_of(known, "cn-north-1", "amazon.nova-lite-v1:0");
    AUTO(buf_done) struct buf at = { .max = 4096 };
    AUTO(buf_done) struct buf bucket = { .max = 4096 };
    AUTO(buf_done) struct buf role = { .max = 4096 };

    iam_statement_at("cn-north-1", "s3:PutObject", &facts.staging, false, &at);
    CHECK_TEXT(buf_cstr(&at),
               "{\"Effect\":\"Allow\",\"Action\":\"s3:PutObject\",\"Resource\":\"arn:aws-cn:s3:::work/staging/*\"}");
    iam_statement_at("us-east-1", "s3:ListBucket", &facts.staging, true, &bucket);
    CHECK_TEXT(buf_cstr(&bucket),
               "{\"Effect\":\"Allow\",\"Action\":\"s3:ListBucket\",\"Resource\":\"arn:aws:s3:::work\"}");
    iam_statement(&facts, "iam:PassRole", IAM_ROLE, &role);
    CHECK_TEXT(buf_cstr(&role),
               "{\"Effect\":\"Allow\",\"Action\":\"iam:PassRole\",\"Resource\":\"" ROLE
               "\",\"Condition\":{\"StringEquals\":{\"iam:PassedToService\":\"bedrock.amazonaws.com\"}}}");
}

static void with_models(void (*check)(const struct models *known))
{
    struct err err = { 0 };
    struct models *known = models_builtin(&err);

    if (CHECK(known != NULL))
        check(known);
    models_free(known);
}

static void caller(void)
{
    with_models(check_caller);
}

static void role(void)
{
    with_models(check_role);
}

static void trust(void)
{
    with_models(check_trust);
}

static void models(void)
{
    with_models(check_models);
}

static void all_actions(void)
{
    with_models(check_all_actions);
}

static void nothing_known(void)
{
    with_models(check_nothing_known);
}

static void one_statement(void)
{
    with_models(check_one_statement);
}

static const struct test tests[] = {
    { "caller", caller },
    { "role", role },
    { "trust", trust },
    { "models", models },
    { "all actions", all_actions },
    { "nothing known", nothing_known },
    { "one statement", one_statement },
};
TEST_MAIN("iam_policy", tests)
