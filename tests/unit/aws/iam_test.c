/* GetRole and SimulatePrincipalPolicy: what is sent, and what is made of the answers. */
#include "aws/iam.h"
#include "tests/unit/aws/client_fixture.h"

#define ROLE "arn:aws:iam::111122223333:role/path/r"
#define GET(inside)                                                                                                    \
    "<GetRoleResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><GetRoleResult>" inside                      \
    "</GetRoleResult></GetRoleResponse>"
#define ARN "<Arn>" ROLE "</Arn>"
#define TRUST(text) "<AssumeRolePolicyDocument>" text "</AssumeRolePolicyDocument>"

static const struct {
    const char *xml, *arn, *trust, *code;
} roles[] = {
    { GET("<Role>" ARN TRUST("%7B%22a+b%22%3A1%7D") "</Role>"), ROLE, "{\"a+b\":1}", "" },
    { GET("<Role>" TRUST("x") "<PermissionsBoundary><Arn>other</Arn></PermissionsBoundary>" ARN "</Role>"), ROLE, "x",
      "" },
    { GET("<Role>" ARN "</Role>"), ROLE, "", "" },
    { GET("<Other>" ARN "</Other>"), "", "", "bad_answer" },
    { GET("<Role>" ARN TRUST("%7") "</Role>"), "", "", "bad_answer" },
    { GET("<Role><Arn>a&#10;b</Arn></Role>"), "", "", "bad_answer" },
    { GET("<Role>" ARN), "", "", "bad_xml" },
    { "", "", "", "bad_xml" },
};

static void reads_roles(void)
{
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        AUTO(aws_iam_role_done) struct aws_iam_role role = { .arn = "" };
        struct err err = { 0 };

        test_case("%zu", i);
        CHECK(aws_iam_read_role(span_of(roles[i].xml), &role, &err) == !roles[i].code[0]);
        CHECK_TEXT(role.arn, roles[i].arn);
        CHECK_TEXT(buf_cstr(&role.trust), roles[i].trust);
        CHECK_TEXT(err.code, roles[i].code);
    }
    test_case(NULL);
}

#define SIMULATED(inside) "<R><S><EvaluationResults><member>" inside "</member></EvaluationResults></S></R>"
#define DECISION(word) "<EvalDecision>" word "</EvalDecision>"
#define ON_ROLE(word, more)                                                                                            \
    "<ResourceSpecificResults><member><EvalResourceDecision>" word "</EvalResourceDecision>" more                      \
    "</member></ResourceSpecificResults>"
#define MISSING(keys) "<MissingContextValues>" keys "</MissingContextValues>"

static const struct {
    const char *xml;
    enum aws_iam_verdict verdict;
    const char *missing, *code;
} decisions[] = {
    { SIMULATED(DECISION("allowed")), AWS_IAM_ALLOWED, "", "" },
    { SIMULATED(DECISION("implicitDeny") MISSING("")), AWS_IAM_IMPLICIT_DENY, "", "" },
    { SIMULATED(DECISION("explicitDeny")), AWS_IAM_EXPLICIT_DENY, "", "" },
    { SIMULATED(DECISION("implicitDeny") ON_ROLE("allowed", "")), AWS_IAM_ALLOWED, "", "" },
    { SIMULATED(ON_ROLE("explicitDeny", "") DECISION("allowed")), AWS_IAM_EXPLICIT_DENY, "", "" },
    { SIMULATED(DECISION("allowed") MISSING("<member>aws:a</member><member>aws:b</member>")), AWS_IAM_ALLOWED,
      "aws:a, aws:b", "" },
    { SIMULATED(DECISION("allowed") ON_ROLE("allowed", MISSING("<member>aws:a</member>"))), AWS_IAM_ALLOWED, "aws:a",
      "" },
    { SIMULATED(DECISION("perhaps")), 0, "", "bad_answer" },
    { SIMULATED(DECISION("allowed") DECISION("allowed")), 0, "", "bad_answer" },
    { SIMULATED(""), 0, "", "bad_answer" },
    { "<R>", 0, "", "bad_xml" },
};

static void reads_decisions(void)
{
    for (size_t i = 0; i < sizeof decisions / sizeof decisions[0]; i++) {
        struct aws_iam_decision decision = { .missing = "" };
        struct err err = { 0 };

        test_case("%zu", i);
        CHECK(aws_iam_read_decision(span_of(decisions[i].xml), &decision, &err) == !decisions[i].code[0]);
        CHECK(decision.verdict == decisions[i].verdict);
        CHECK_TEXT(decision.missing, decisions[i].missing);
        CHECK_TEXT(err.code, decisions[i].code);
    }
    test_case(NULL);
}

static const struct {
    const char *caller, *principal;
} callers[] = {
    { "arn:aws:iam::111122223333:user/a/b", "arn:aws:iam::111122223333:user/a/b" },
    { "arn:aws:sts::111122223333:assumed-role/r/s", "arn:aws:iam::111122223333:role/r" },
    { "arn:aws-us-gov:sts::111122223333:assumed-role/r/i-0/x", "arn:aws-us-gov:iam::111122223333:role/r" },
    { "arn:aws:iam::111122223333:root", NULL },
    { "arn:aws:sts::111122223333:federated-user/f", NULL },
    { "arn:aws:sts::111122223333:assumed-role//s", NULL },
    { "", NULL },
};

static void names_principals(void)
{
    for (size_t i = 0; i < sizeof callers / sizeof callers[0]; i++) {
        char out[AWS_IAM_ARN_SIZE] = "";

        test_case("%s", callers[i].caller);
        CHECK(aws_iam_principal(callers[i].caller, out) == (callers[i].principal != NULL));
        CHECK_TEXT(out, callers[i].principal ? callers[i].principal : "");
    }
    test_case(NULL);
}

static void asks(void)
{
    const struct http_answer script[] = { { .status = 200, .body = roles[0].xml },
                                          { .status = 200, .body = decisions[0].xml } };
    AUTO(aws_iam_role_done) struct aws_iam_role role = { .arn = "" };
    struct aws_iam_decision decision;
    struct fixture f = { 0 };

    if (start(&f, script, 2)) {
        CHECK(!aws_iam_get_role(f.client, "arn:aws:iam::111122223333:user/x", &role, &f.err));
        CHECK_TEXT(f.err.code, "bad_role");
        err_clear(&f.err);
        CHECK(aws_iam_get_role(f.client, ROLE, &role, &f.err));
        CHECK(aws_iam_simulate_pass(f.client, "arn:p", ROLE, &decision, &f.err));
        CHECK_TEXT(http_script_seen(f.script, 0)->body, "Action=GetRole&Version=2010-05-08&RoleName=r");
        CHECK_TEXT(http_script_seen(f.script, 1)->body,
                   "Action=SimulatePrincipalPolicy&Version=2010-05-08&PolicySourceArn=arn%3Ap&ActionNames.member.1="
                   "iam%3APassRole&ResourceArns.member.1=arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Fpath%2Fr"
                   "&ContextEntries.member.1.ContextKeyName=iam%3APassedToService"
                   "&ContextEntries.member.1.ContextKeyType=string"
                   "&ContextEntries.member.1.ContextKeyValues.member.1=bedrock.amazonaws.com");
        check_signature(http_script_seen(f.script, 1), "iam");
    }
    fixture_done(&f);
}

static const struct test tests[] = {
    { "reads roles", reads_roles },
    { "reads decisions", reads_decisions },
    { "names principals", names_principals },
    { "asks", asks },
};
TEST_MAIN("iam", tests)
