#include "aws/iam.h"

#include "aws/xml.h"
#include "server/base/text.h"

#include <stdio.h>
#include <string.h>

/* policyDocumentType ends at 131072 characters; its escapes make it longer on the wire. */
enum { ANSWER_MAX_BYTES = 256 * 1024, DOCUMENT_MAX_BYTES = 192 * 1024, FORM_MAX_BYTES = 16 * 1024 };

static bool refuse_answer(const char *what, struct err *err)
{
    err_set(err, ERR_UPSTREAM, false, HERE, "the answer of IAM has no usable %s", what);
    return err_code(err, "bad_answer");
}

/* False: it does not fit, is empty, or is no plain text. */
static bool put(char *field, size_t size, struct span value)
{
    value = span_trim(value);
    if (!value.len || value.len >= size)
        return false;
    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] < ' ' || value.ptr[i] > '~')
            return false;
    memcpy(field, value.ptr, value.len);
    field[value.len] = 0;
    return true;
}

/* ---- GetRole: GetRoleResponse/GetRoleResult/Role/... ---- */

enum { ROLE_DEPTH = 3 };

struct role_reading {
    struct aws_iam_role got;
    bool is_in_role;
};

static void role_reading_done(struct role_reading *r)
{
    aws_iam_role_done(&r->got);
}

void aws_iam_role_done(struct aws_iam_role *role)
{
    buf_done(&role->trust);
    role->arn[0] = 0;
}

static void on_role_start(void *arg, const char *name, int depth)
{
    struct role_reading *r = arg;

    if (depth == ROLE_DEPTH)
        r->is_in_role = strcmp(name, "Role") == 0;
}

static bool on_role_end(void *arg, const char *name, int depth, struct span text, struct err *err)
{
    struct role_reading *r = arg;

    if (depth != ROLE_DEPTH + 1 || !r->is_in_role)
        return true;
    if (strcmp(name, "Arn") == 0 && !put(r->got.arn, sizeof r->got.arn, text))
        return refuse_answer("Arn", err);
    if (strcmp(name, "AssumeRolePolicyDocument") != 0)
        return true;
    buf_reset(&r->got.trust);
    if (!text_percent_decode(&r->got.trust, span_trim(text), false))
        return refuse_answer("AssumeRolePolicyDocument", err);
    return buf_check(&r->got.trust, "the trust policy", err);
}

bool aws_iam_read_role(struct span xml, struct aws_iam_role *out, struct err *err)
{
    AUTO(role_reading_done) struct role_reading r = { .got.trust.max = DOCUMENT_MAX_BYTES };
    const struct xml_handler handler = {
        .start = on_role_start, .end = on_role_end, .arg = &r, .max_text = DOCUMENT_MAX_BYTES
    };

    if (!xml_read(xml, &handler, err))
        return false;
    if (!r.got.arn[0])
        return refuse_answer("Arn", err);
    *out = r.got;
    r.got = (struct aws_iam_role){ 0 }; /* moved */
    return true;
}

/* ---- SimulatePrincipalPolicy: .../EvaluationResults/member/EvalDecision ---- */

enum { DECISION_DEPTH = 5, RESOURCE_DECISION_DEPTH = 7 };

struct decision_reading {
    struct aws_iam_decision got;
    int decisions, resource_decisions;
    int missing_depth; /* of the open MissingContextValues; 0: none */
};

static void on_decision_start(void *arg, const char *name, int depth)
{
    struct decision_reading *r = arg;

    if (strcmp(name, "MissingContextValues") == 0)
        r->missing_depth = depth;
}

static bool read_verdict(struct span text, enum aws_iam_verdict *out)
{
    static const char *const words[] = { [AWS_IAM_ALLOWED] = "allowed",
                                         [AWS_IAM_IMPLICIT_DENY] = "implicitDeny",
                                         [AWS_IAM_EXPLICIT_DENY] = "explicitDeny" };

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (span_eq_text(span_trim(text), words[i])) {
            *out = (enum aws_iam_verdict)i;
            return true;
        }
    return false;
}

/* Once each: the evaluation and its resource name the same keys. What does not fit is left out, but never the first. */
static void add_missing(struct aws_iam_decision *decision, struct span text)
{
    char key[sizeof decision->missing / 2] = "";
    const size_t used = strlen(decision->missing);

    if (!put(key, sizeof key, text))
        snprintf(key, sizeof key, "(a long name)");
    if (!strstr(decision->missing, key) && used + strlen(key) + 3 < sizeof decision->missing)
        snprintf(decision->missing + used, sizeof decision->missing - used, "%s%s", used ? ", " : "", key);
}

static bool on_decision_end(void *arg, const char *name, int depth, struct span text, struct err *err)
{
    struct decision_reading *r = arg;
    const bool is_missing = r->missing_depth && depth == r->missing_depth + 1;

    if (is_missing)
        add_missing(&r->got, text);
    else if (depth == r->missing_depth)
        r->missing_depth = 0;
    /* one action on one resource: the resource's own decision is the narrower one, and comes after or before */
    if (depth == DECISION_DEPTH && strcmp(name, "EvalDecision") == 0) {
        enum aws_iam_verdict verdict;

        if (r->decisions++ || !read_verdict(text, &verdict))
            return refuse_answer("EvalDecision", err);
        if (!r->resource_decisions)
            r->got.verdict = verdict;
    }
    if (depth == RESOURCE_DECISION_DEPTH && strcmp(name, "EvalResourceDecision") == 0 &&
        (r->resource_decisions++ || !read_verdict(text, &r->got.verdict)))
        return refuse_answer("EvalResourceDecision", err);
    return true;
}

bool aws_iam_read_decision(struct span xml, struct aws_iam_decision *out, struct err *err)
{
    struct decision_reading r = { .decisions = 0 };
    const struct xml_handler handler = { .start = on_decision_start, .end = on_decision_end, .arg = &r };

    if (!xml_read(xml, &handler, err))
        return false;
    if (!r.decisions)
        return refuse_answer("EvalDecision", err);
    *out = r.got;
    return true;
}

/* ---- the calls ---- */

static void add_field(struct buf *form, const char *name, const char *value)
{
    buf_fmt(form, "&%s=", name);
    text_percent_encode(form, span_of(value), false);
}

static bool ask(struct aws_client *client, const char *operation, const struct buf *form, struct aws_response *rs,
                struct err *err)
{
    const struct aws_request call = { .operation = operation,
                                      .service = AWS_IAM,
                                      .method = "POST",
                                      .path = SPAN_LIT("/"),
                                      .body = buf_view(form),
                                      .has_body = true,
                                      .content_type = "application/x-www-form-urlencoded; charset=utf-8",
                                      .max_response_bytes = ANSWER_MAX_BYTES };

    return buf_check(form, "the request to IAM", err) && aws_call(client, &call, rs, err);
}

bool aws_iam_get_role(struct aws_client *client, const char *role_arn, struct aws_iam_role *out, struct err *err)
{
    AUTO(aws_response_done) struct aws_response rs = { 0 };
    AUTO(buf_done) struct buf form = { .max = FORM_MAX_BYTES };
    const char *slash = strrchr(role_arn, '/');

    if (!slash || !slash[1] || !strstr(role_arn, ":role/")) {
        err_set(err, ERR_INPUT, false, HERE, "role_arn must be the ARN of a role");
        return err_code(err, "bad_role");
    }
    buf_text(&form, "Action=GetRole&Version=2010-05-08");
    add_field(&form, "RoleName", slash + 1);
    return ask(client, "IAM.GetRole", &form, &rs, err) && aws_iam_read_role(buf_view(&rs.body), out, err);
}

bool aws_iam_simulate_pass(struct aws_client *client, const char *principal, const char *role_arn,
                           struct aws_iam_decision *out, struct err *err)
{
    AUTO(aws_response_done) struct aws_response rs = { 0 };
    AUTO(buf_done) struct buf form = { .max = FORM_MAX_BYTES };

    buf_text(&form, "Action=SimulatePrincipalPolicy&Version=2010-05-08");
    add_field(&form, "PolicySourceArn", principal);
    add_field(&form, "ActionNames.member.1", "iam:PassRole");
    add_field(&form, "ResourceArns.member.1", role_arn);
    add_field(&form, "ContextEntries.member.1.ContextKeyName", "iam:PassedToService");
    add_field(&form, "ContextEntries.member.1.ContextKeyType", "string");
    add_field(&form, "ContextEntries.member.1.ContextKeyValues.member.1", "bedrock.amazonaws.com");
    return ask(client, "IAM.SimulatePrincipalPolicy", &form, &rs, err) &&
           aws_iam_read_decision(buf_view(&rs.body), out, err);
}

bool aws_iam_principal(const char *caller_arn, char out[AWS_IAM_ARN_SIZE])
{
    static const char sts[] = ":sts::", role[] = ":assumed-role/", user[] = ":user/";
    const struct span arn = span_of(caller_arn);
    const char *const at_sts = strstr(caller_arn, sts);
    const char *const at_role = at_sts ? strstr(at_sts, role) : NULL;
    const char *const name = at_role ? at_role + sizeof role - 1 : NULL;
    const char *const slash = name ? strchr(name, '/') : NULL;

    if (!span_starts(arn, SPAN_LIT("arn:")) || arn.len >= AWS_IAM_ARN_SIZE)
        return false;
    if (strstr(caller_arn, ":iam::") && strstr(caller_arn, user)) {
        snprintf(out, AWS_IAM_ARN_SIZE, "%s", caller_arn);
        return true;
    }
    if (!slash || slash == name)
        return false;
    snprintf(out, AWS_IAM_ARN_SIZE, "%.*s:iam::%.*s:role/%.*s", (int)(at_sts - caller_arn), caller_arn,
             (int)(at_role - at_sts - (int)sizeof sts + 1), at_sts + sizeof sts - 1, (int)(slash - name), name);
    return true;
}
