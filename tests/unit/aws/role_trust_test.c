/* The judgement of trust policies: who may assume the role, for which jobs, and what is not judged. */
#include "aws/role_trust.h"
#include "server/base/buf.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#define POLICY(statements) "{\"Version\":\"2012-10-17\",\"Statement\":" statements "}"
#define WHO "\"Principal\":{\"Service\":\"bedrock.amazonaws.com\"}"
#define MAY "\"Effect\":\"Allow\"," WHO ",\"Action\":\"sts:AssumeRole\""
#define ALLOW "{" MAY "}"
#define IF(conditions) POLICY("{" MAY ",\"Condition\":{" conditions "}}")
#define ACCOUNT "\"aws:SourceAccount\":"
#define ARN "\"aws:SourceArn\":"
#define JOBS "arn:aws:bedrock:us-east-1:111122223333:model-invocation-job/"
#define DENY(more) POLICY("[" ALLOW ",{\"Effect\":\"Deny\"," more "}]")

static const struct {
    const char *policy;
    enum trust_state state;
    const char *why;
} cases[] = {
    { POLICY(ALLOW), TRUST_ALLOWS, "" },
    { POLICY("[" ALLOW "]"), TRUST_ALLOWS, "" },
    { POLICY("{\"Effect\":\"Allow\",\"Principal\":{\"Service\":[\"ec2.amazonaws.com\",\"bedrock.amazonaws.com\"]},"
             "\"Action\":"
             "[\"sts:TagSession\",\"sts:assumerole\"]}"),
      TRUST_ALLOWS, "" },
    { POLICY("{\"Effect\":\"Allow\"," WHO ",\"Action\":\"sts:Assume*\"}"), TRUST_ALLOWS, "" },
    { POLICY("{\"Effect\":\"Allow\"," WHO ",\"Action\":\"sts:TagSession\"}"), TRUST_REFUSES, "not for sts:AssumeRole" },
    { POLICY("{\"Effect\":\"Allow\",\"Principal\":{\"Service\":\"ec2.amazonaws.com\"},\"Action\":\"sts:AssumeRole\"}"),
      TRUST_REFUSES, "no statement of it allows bedrock" },
    { POLICY("{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"arn:aws:iam::1:root\"},\"Action\":\"sts:AssumeRole\"}"),
      TRUST_REFUSES, "no statement" },
    { POLICY("{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":[\"*\"]},\"Action\":\"sts:AssumeRole\"}"), TRUST_UNKNOWN,
      "everybody" },
    { POLICY("{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"sts:AssumeRole\"}"), TRUST_UNKNOWN, "Principal" },
    { POLICY("{\"Effect\":\"Allow\",\"NotPrincipal\":{\"AWS\":\"x\"},\"Action\":\"sts:AssumeRole\"}"), TRUST_UNKNOWN,
      "NotPrincipal" },
    { POLICY("{\"Effect\":\"Allow\"," WHO ",\"NotAction\":\"sts:TagSession\"}"), TRUST_UNKNOWN, "NotAction" },
    { POLICY("[]"), TRUST_REFUSES, "no statement" },
    { POLICY("{" WHO ",\"Action\":\"sts:AssumeRole\"}"), TRUST_UNKNOWN, "Effect" },

    { IF("\"StringEquals\":{" ACCOUNT "\"111122223333\"},\"ArnEquals\":{" ARN "\"" JOBS "*\"}"), TRUST_ALLOWS, "" },
    { IF("\"stringequals\":{\"AWS:sourceaccount\":[\"444455556666\",\"111122223333\"]}"), TRUST_ALLOWS, "" },
    { IF("\"StringLike\":{" ACCOUNT "\"1111*\"}"), TRUST_ALLOWS, "" },
    { IF("\"StringEquals\":{" ACCOUNT "\"444455556666\"}"), TRUST_REFUSES,
      "wants 444455556666, and the account is 111122223333" },
    { IF("\"StringEquals\":{" ACCOUNT "\"4\"},\"ArnLike\":{" ARN "\"arn:aws:bedrock:us-east-1:4:*\"}"), TRUST_REFUSES,
      "SourceAccount wants 4" },
    { IF("\"StringEquals\":{" ACCOUNT "111122223333}"), TRUST_UNKNOWN, "SourceAccount" },
    { IF("\"StringEquals\":{" ACCOUNT "[]}"), TRUST_UNKNOWN, "no value" },
    { IF("\"StringEquals\":{" ACCOUNT "\"${aws:PrincipalAccount}\"}"), TRUST_UNKNOWN, "SourceAccount" },
    { IF("\"ArnLike\":{" ARN "[\"" JOBS "*\",\"x\"]}"), TRUST_ALLOWS, "" },
    { IF("\"ArnLike\":{" ARN "\"arn:aws:bedrock:*:111122223333:*\"}"), TRUST_ALLOWS, "" },
    { IF("\"StringLike\":{" ARN "\"arn:aws:bedrock:us-east-1:*/*\"}"), TRUST_ALLOWS, "" },
    { IF("\"ArnLike\":{" ARN "\"arn:aws:bedrock:us-east-1:*/*\"}"), TRUST_UNKNOWN, "SourceArn" },
    { IF("\"ArnLike\":{" ARN "\"arn:aws:bedrock:us-west-2:111122223333:model-invocation-job/*\"}"), TRUST_REFUSES,
      "which no batch job of account 111122223333 in us-east-1 is" },
    { IF("\"ArnLike\":{" ARN "\"arn:aws:bedrock:us-east-1:444455556666:model-invocation-job/*\"}"), TRUST_REFUSES,
      "444455556666" },
    { IF("\"ArnLike\":{" ARN "\"arn:aws:bedrock:us-east-1:111122223333:model-customization-job/*\"}"), TRUST_REFUSES,
      "customization" },
    { IF("\"StringEquals\":{" ARN "\"" JOBS "*\"}"), TRUST_REFUSES, "SourceArn" },
    { IF("\"StringEquals\":{" ARN "\"" JOBS "abcdefghij12\"}"), TRUST_UNKNOWN, "only some jobs" },
    { IF("\"ArnLike\":{" ARN "\"" JOBS "a*\"}"), TRUST_UNKNOWN, "only some jobs" },
    { IF("\"ArnLike\":{" ARN "\"" JOBS "????????????\"}"), TRUST_ALLOWS, "" },
    { IF("\"ArnLike\":{" ACCOUNT "\"111122223333\"}"), TRUST_UNKNOWN, "SourceAccount" },
    { IF("\"StringNotEquals\":{" ACCOUNT "\"1\"}"), TRUST_UNKNOWN, "StringNotEquals" },
    { IF("\"StringEqualsIfExists\":{" ACCOUNT "\"111122223333\"}"), TRUST_UNKNOWN, "IfExists" },
    { IF("\"StringEquals\":{\"aws:PrincipalOrgID\":\"o-1\"}"), TRUST_UNKNOWN, "aws:PrincipalOrgID" },
    { IF("\"StringEquals\":{\"aws:PrincipalOrgID\":\"o-1\"," ACCOUNT "\"4\"}"), TRUST_REFUSES, "SourceAccount" },
    { POLICY("{" MAY ",\"Condition\":[]}"), TRUST_UNKNOWN, "Condition" },

    { DENY(WHO ",\"Action\":\"sts:*\""), TRUST_REFUSES, "denies" },
    { DENY(WHO ",\"Action\":\"sts:TagSession\""), TRUST_ALLOWS, "" },
    { DENY("\"Principal\":{\"Service\":\"ec2.amazonaws.com\"},\"Action\":\"*\""), TRUST_ALLOWS, "" },
    { DENY(WHO ",\"Action\":\"*\",\"Condition\":{\"StringEquals\":{" ACCOUNT "\"4\"}}"), TRUST_ALLOWS, "" },
    { DENY(WHO ",\"Action\":\"*\",\"Condition\":{\"StringNotEquals\":{" ACCOUNT "\"4\"}}"), TRUST_UNKNOWN,
      "StringNotEquals" },
    { DENY("\"NotPrincipal\":{\"AWS\":\"x\"},\"Action\":\"*\""), TRUST_UNKNOWN, "NotPrincipal" },

    { "", TRUST_UNKNOWN, "cannot be read" },
    { "{", TRUST_UNKNOWN, "cannot be read" },
    { "[]", TRUST_UNKNOWN, "cannot be read" },
    { "{\"Statement\":1}", TRUST_UNKNOWN, "cannot be read" },
    { "{\"Statement\":[],\"Statement\":" ALLOW "}", TRUST_UNKNOWN, "cannot be read" },
    { POLICY("[1]"), TRUST_UNKNOWN, "Effect" },
};

static const struct trust_facts facts = { "aws", "us-east-1", "111122223333" };

static void judges(void)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct trust_verdict verdict;

        test_case("%zu %s", i, cases[i].policy);
        trust_judge(span_of(cases[i].policy), &facts, &verdict);
        CHECK_I64(verdict.state, cases[i].state);
        if (!CHECK(strstr(verdict.why, cases[i].why) != NULL && !cases[i].why[0] == !verdict.why[0]))
            fprintf(stderr, "  '%s'\n", verdict.why);
    }
    test_case(NULL);
}

static void too_long(void)
{
    AUTO(buf_done) struct buf text = { 0 };
    struct trust_verdict verdict;

    buf_text(&text, POLICY(ALLOW));
    while (text.len < TRUST_MAX_BYTES)
        buf_char(&text, ' ');
    trust_judge(buf_view(&text), &facts, &verdict);
    CHECK(verdict.state == TRUST_ALLOWS);
    buf_char(&text, ' ');
    trust_judge(buf_view(&text), &facts, &verdict);
    CHECK(verdict.state == TRUST_UNKNOWN && strstr(verdict.why, "64 KiB"));
}

static const struct test tests[] = { { "judges", judges }, { "too long", too_long } };
TEST_MAIN("role_trust", tests)
