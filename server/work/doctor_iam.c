/* The service role, as far as IAM lets this caller see: its trust policy, and a simulation of iam:PassRole. Both
 * permissions are optional: without them nothing is wrong, and the jobs tell instead (doctor_bedrock.c). */
#include "server/work/doctor_inside.h"

#include "aws/iam.h"
#include "aws/role_trust.h"
#include "server/base/clock.h"

#include <stdio.h>
#include <string.h>

/* Is there time, and sense in trying? Starts the call's clock. */
static bool may_ask(struct examination *x)
{
    const int64_t now_ms = clock_mono_ms();
    const int64_t end_ms = now_ms + x->check_ms;

    if (x->blocked_by || x->unreachable_since[AWS_IAM] || !x->identity.arn[0] || now_ms >= x->until_ms)
        return false;
    aws_client_until(x->client, end_ms < x->until_ms ? end_ms : x->until_ms);
    return true;
}

/* Why IAM did not tell. */
static void put_failure(struct examination *x, const char *action, const struct err *err, struct iam_silence *silence)
{
    if (err->kind == ERR_DENIED) {
        snprintf(silence->why, sizeof silence->why, "IAM may not be asked (%s is missing, and optional)", action);
        snprintf(silence->remedy, sizeof silence->remedy,
                 " With %s, which is optional, the service's identity lets the doctor see it beforehand.", action);
        return;
    }
    if (err->transport || err->kind == ERR_CANCELLED) {
        x->unreachable_since[AWS_IAM] = "role";
        snprintf(silence->why, sizeof silence->why, "IAM, which could tell, cannot be reached");
        return;
    }
    if (err->upstream_code[0])
        snprintf(silence->why, sizeof silence->why, "IAM answered %s: %.200s", err->upstream_code,
                 err->upstream_message);
    else
        snprintf(silence->why, sizeof silence->why, "IAM gave no usable answer");
}

/* ---- trust ---- */

static void put_verdict(struct examination *x, const struct trust_verdict *verdict)
{
    struct doctor_check *check;

    if (verdict->state == TRUST_ALLOWS) {
        (void)doctor_add(x->report, "role.trust",
                         "By the role's trust policy Bedrock may assume it for batch jobs of account %s in %s.",
                         x->identity.account, x->settings->region);
        return;
    }
    check =
        doctor_add(x->report, "role.trust", "By the role's trust policy Bedrock may not assume it: %s.", verdict->why);
    doctor_mark(check, DOCTOR_PROBLEM,
                "Give the role the trust policy that vidbatchd iam-policy trust prints (aws iam "
                "update-assume-role-policy).");
}

static void put_other_role(struct examination *x, const char *arn)
{
    struct doctor_check *check;

    if (arn)
        check = doctor_add(x->report, "role.trust", "IAM knows the role of this name as %.500s, and not as it is set.",
                           arn);
    else
        check =
            doctor_add(x->report, "role.trust", "IAM knows no role of this name in account %s.", x->identity.account);
    doctor_mark(check, DOCTOR_PROBLEM, "%s",
                arn ? "Set VIDBATCH_ROLE_ARN to the ARN that IAM gives, path and all."
                    : "Set VIDBATCH_ROLE_ARN to the ARN of a role that is there, or make it with the policies that "
                      "vidbatchd iam-policy role and vidbatchd iam-policy trust print.");
}

bool doctor_iam_trust(struct examination *x, struct iam_silence *silence)
{
    AUTO(aws_iam_role_done) struct aws_iam_role role = { .arn = "" };
    const struct trust_facts facts = { iam_partition(x->settings->region), x->settings->region, x->identity.account };
    char account[IAM_ACCOUNT_SIZE];
    struct trust_verdict verdict;
    struct err err = { 0 };

    /* GetRole knows names, and those of the caller's account alone. */
    if (!iam_account_of(x->settings->role_arn, account) || strcmp(account, x->identity.account) != 0 || !may_ask(x))
        return false;
    if (!aws_iam_get_role(x->client, x->settings->role_arn, &role, &err)) {
        if (err.kind != ERR_NOT_FOUND) {
            put_failure(x, "iam:GetRole", &err, silence);
            return false;
        }
        put_other_role(x, NULL);
        return true;
    }
    if (strcmp(role.arn, x->settings->role_arn) != 0) {
        put_other_role(x, role.arn);
        return true;
    }
    trust_judge(buf_view(&role.trust), &facts, &verdict);
    if (verdict.state == TRUST_UNKNOWN) {
        snprintf(silence->why, sizeof silence->why, "its trust policy does not tell: %s", verdict.why);
        return false;
    }
    put_verdict(x, &verdict);
    return true;
}

/* ---- iam:PassRole ---- */

/* The ARN of an assumed role's session has not the role's path; where IAM knows no role without one, its name finds
 * it. */
static bool simulate(struct examination *x, char principal[AWS_IAM_ARN_SIZE], struct aws_iam_decision *out,
                     struct err *err)
{
    AUTO(aws_iam_role_done) struct aws_iam_role role = { .arn = "" };
    struct err ignored = { 0 };

    if (aws_iam_simulate_pass(x->client, principal, x->settings->role_arn, out, err))
        return true;
    if (err->kind != ERR_NOT_FOUND || !strstr(principal, ":role/") ||
        !aws_iam_get_role(x->client, principal, &role, &ignored))
        return false;
    err_clear(err);
    return aws_iam_simulate_pass(x->client, role.arn, x->settings->role_arn, out, err);
}

static void put_denial(struct examination *x, const char *principal, enum aws_iam_verdict verdict)
{
    AUTO(buf_done) struct buf text = { .max = 1300 };
    const bool is_explicit = verdict == AWS_IAM_EXPLICIT_DENY;
    struct doctor_check *check;

    check = doctor_add(x->report, "role.pass",
                       "By IAM's simulation %.500s may not hand the role to Bedrock (iam:PassRole): %s.", principal,
                       is_explicit ? "a policy denies it (explicitDeny)" : "no policy allows it (implicitDeny)");
    doctor_mark(check, DOCTOR_PROBLEM, "%s",
                is_explicit ? "Find the Deny on iam:PassRole in its policies, its permissions boundary or an SCP: a "
                              "statement that allows it does not help against that."
                            : "Allow the service's identity iam:PassRole on the role; a permissions boundary or an SCP "
                              "must allow it too.");
    snprintf(check->action, sizeof check->action, "iam:PassRole");
    if (is_explicit)
        return;
    iam_statement(&x->facts, "iam:PassRole", IAM_ROLE, &text);
    if (buf_ok(&text))
        snprintf(check->statement, sizeof check->statement, "%s", buf_cstr(&text));
}

bool doctor_iam_pass(struct examination *x, struct iam_silence *silence)
{
    char principal[AWS_IAM_ARN_SIZE];
    struct aws_iam_decision decision;
    struct err err = { 0 };

    if (!aws_iam_principal(x->identity.arn, principal) || !may_ask(x))
        return false;
    if (!simulate(x, principal, &decision, &err)) {
        put_failure(x, "iam:SimulatePrincipalPolicy", &err, silence);
        return false;
    }
    if (decision.missing[0]) {
        snprintf(silence->why, sizeof silence->why, "IAM's simulation wants conditions that are not known here: %s",
                 decision.missing);
        return false;
    }
    if (decision.verdict == AWS_IAM_ALLOWED)
        (void)doctor_add(x->report, "role.pass",
                         "By IAM's simulation %.500s may hand the role to Bedrock (iam:PassRole).", principal);
    else
        put_denial(x, principal, decision.verdict);
    return true;
}
