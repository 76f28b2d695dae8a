/* The answers of IAM's GetRole, with the judgement of the trust policy in it, and SimulatePrincipalPolicy. */
#include "aws/iam.h"
#include "aws/role_trust.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const struct trust_facts facts = { "aws", "us-east-1", "111122223333" };
    const struct span text = { (const char *)data, len };
    AUTO(aws_iam_role_done) struct aws_iam_role role = { .arn = "" };
    struct aws_iam_decision decision = { .missing = "" };
    struct trust_verdict verdict;
    struct err err = { 0 };

    if (aws_iam_read_role(text, &role, &err) && (!role.arn[0] || memchr(role.arn, '\n', strlen(role.arn))))
        abort();
    err_clear(&err);
    if (aws_iam_read_decision(text, &decision, &err) && memchr(decision.missing, '\n', strlen(decision.missing)))
        abort();
    trust_judge(role.arn[0] ? buf_view(&role.trust) : text, &facts, &verdict);
    if ((verdict.state == TRUST_ALLOWS) != !verdict.why[0])
        abort();
    return 0;
}
