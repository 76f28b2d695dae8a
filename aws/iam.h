/* What IAM says of roles and permissions (API version 2010-05-08, query protocol, signing name "iam"), for the doctor
 * alone: nothing else of the service needs IAM, and both calls want permissions that it may well not have.
 *
 * Source: AWS's own API model, botocore 1.44.5, data/iam/2010-05-08/service-2.json.gz. Read of it: metadata; GetRole
 * with GetRoleRequest, GetRoleResponse, Role ("Policies returned by this operation are URL-encoded compliant with RFC
 * 3986"), roleNameType, arnType, policyDocumentType; SimulatePrincipalPolicy with SimulatePrincipalPolicyRequest,
 * ContextEntry, ContextKeyTypeEnum, SimulatePolicyResponse, EvaluationResult, ResourceSpecificResult,
 * PolicyEvaluationDecisionType; NoSuchEntityException. */
#ifndef VIDBATCH_AWS_IAM_H
#define VIDBATCH_AWS_IAM_H

#include "aws/client.h"
#include "server/base/attr.h"
#include "server/base/buf.h"
#include "server/base/err.h"
#include "server/base/span.h"

#include <stdbool.h>

enum { AWS_IAM_ARN_SIZE = 2049 };

struct aws_iam_role {
    char arn[AWS_IAM_ARN_SIZE];
    struct buf trust; /* JSON, decoded, 192 KiB at most; empty where IAM gave none */
};
void aws_iam_role_done(struct aws_iam_role *role);

enum aws_iam_verdict { AWS_IAM_ALLOWED, AWS_IAM_IMPLICIT_DENY, AWS_IAM_EXPLICIT_DENY };

struct aws_iam_decision {
    enum aws_iam_verdict verdict;
    char missing[200]; /* condition keys that the policies ask for and nobody gave, with commas; "": none */
};

/* The role of the caller's own account that has the name of this ARN's end: *out's ARN tells whether it is the one that
 * is meant. ERR_NOT_FOUND: there is none; ERR_DENIED: iam:GetRole is missing; ERR_INPUT, code "bad_role": no role's
 * ARN. Gives: aws_iam_role_done. The client's thread only. */
MUST_CHECK bool aws_iam_get_role(struct aws_client *client, const char *role_arn, struct aws_iam_role *out,
                                 struct err *err);
/* May the user or role `principal` (an ARN) hand the role to Bedrock, by the policies that IAM knows of it? The answer
 * is a simulation: session policies are not in it. ERR_NOT_FOUND: no such principal; ERR_DENIED:
 * iam:SimulatePrincipalPolicy is missing. The client's thread only. */
MUST_CHECK bool aws_iam_simulate_pass(struct aws_client *client, const char *principal, const char *role_arn,
                                      struct aws_iam_decision *out, struct err *err);
/* Whose policies to ask for: of a user's ARN itself, of "arn:aws:sts::111122223333:assumed-role/name/session"
 * "arn:aws:iam::111122223333:role/name" (a role's path is not in it: IAM then knows no such role). False, out
 * untouched: of a root user, a federated user and the like there are none. Pure. Any thread. */
MUST_CHECK bool aws_iam_principal(const char *caller_arn, char out[AWS_IAM_ARN_SIZE]);

/* The readers of the answers alone (tests, fuzzing). ERR_UPSTREAM, code "bad_xml" or "bad_answer"; ERR_MEMORY. *out is
 * filled on success only. Pure. Any thread. */
MUST_CHECK bool aws_iam_read_role(struct span xml, struct aws_iam_role *out, struct err *err);
MUST_CHECK bool aws_iam_read_decision(struct span xml, struct aws_iam_decision *out, struct err *err);

#endif
