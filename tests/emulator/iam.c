#include "tests/emulator/iam.h"

#include "server/base/text.h"
#include "tests/emulator/fields.h"
#include "tests/emulator/sts.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

struct iam {
    pthread_mutex_t lock; /* guards all below */
    char role_arn[600], trust[65536];
    char decision[32], missing[128];
    char principal[600]; /* "": whoever is asked for */
};

struct iam *iam_new(void)
{
    struct iam *iam = emu_alloc(1, sizeof *iam);

    pthread_mutex_init(&iam->lock, NULL);
    return iam;
}

bool iam_set(struct iam *iam, json_t *json, struct buf *why)
{
    const struct field fields[] = { FIELD_TEXT("role_arn", iam->role_arn), FIELD_TEXT("trust", iam->trust),
                                    FIELD_TEXT("decision", iam->decision), FIELD_TEXT("missing", iam->missing),
                                    FIELD_TEXT("principal", iam->principal) };
    bool ok;

    pthread_mutex_lock(&iam->lock);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        memset(fields[i].out, 0, fields[i].size);
    ok = fields_read(json, fields, sizeof fields / sizeof fields[0], why);
    pthread_mutex_unlock(&iam->lock);
    return ok;
}

bool iam_is_for(const struct request *rq)
{
    return rq->claim.present && strcmp(rq->claim.service, "iam") == 0;
}

/* A field of the form, decoded; empty where it is not there. */
static struct span form_field(struct request *rq, const char *name)
{
    struct span rest = buf_view(&rq->body.memory);

    while (rest.len) {
        const struct span pair = span_head(rest, span_find(rest, '&'));
        const size_t equals = span_find(pair, '=');

        if (span_eq_text(span_head(pair, equals), name))
            return request_decode(rq, span_tail(pair, equals + 1), true);
        rest = span_tail(rest, pair.len + 1);
    }
    return (struct span){ 0 };
}

void iam_route(struct request *rq)
{
    const struct span action = form_field(rq, "Action");

    rq->op = span_eq_text(action, "GetRole")                   ? "IAM.GetRole"
             : span_eq_text(action, "SimulatePrincipalPolicy") ? "IAM.SimulatePrincipalPolicy"
                                                               : "IAM.Unknown";
}

void iam_fault(struct request *rq, const struct fault_action *fault)
{
    sts_fault(rq, fault);
}

static void put_open(struct request *rq, const char *operation)
{
    reply_reset(&rq->reply);
    rq->reply.status = 200;
    reply_header(&rq->reply, "x-amzn-RequestId", rq->id);
    reply_header(&rq->reply, "Content-Type", "text/xml");
    buf_fmt(&rq->reply.body, "<%sResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><%sResult>", operation,
            operation);
}

static void put_close(struct request *rq, const char *operation)
{
    buf_fmt(&rq->reply.body, "</%sResult><ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata></%sResponse>",
            operation, rq->id, operation);
}

static bool refuse_denied(struct request *rq, const char *action)
{
    char words[160];

    snprintf(words, sizeof words, "User: emulated is not authorized to perform: %s on resource: the role", action);
    return sts_refuse(rq, 403, "AccessDenied", words);
}

static void get_role(const struct iam *iam, struct request *rq)
{
    const struct span name = form_field(rq, "RoleName");
    const char *slash = strrchr(iam->role_arn, '/');

    if (!iam->role_arn[0]) {
        (void)refuse_denied(rq, "iam:GetRole");
        return;
    }
    if (!slash || !span_eq_text(name, slash + 1)) {
        (void)sts_refuse(rq, 404, "NoSuchEntity", "The emulated IAM knows no role of this name.");
        return;
    }
    put_open(rq, "GetRole");
    buf_fmt(&rq->reply.body,
            "<Role><Path>/</Path><RoleName>%s</RoleName><RoleId>AROAEMULATEDEMULATED</RoleId><Arn>%s</Arn>"
            "<CreateDate>2026-01-01T00:00:00Z</CreateDate><Description>emulated</Description>"
            "<AssumeRolePolicyDocument>",
            slash + 1, iam->role_arn);
    text_percent_encode(&rq->reply.body, span_of(iam->trust), false);
    buf_text(&rq->reply.body, "</AssumeRolePolicyDocument></Role>");
    put_close(rq, "GetRole");
}

static void simulate(const struct iam *iam, struct request *rq)
{
    const struct span role = form_field(rq, "ResourceArns.member.1");
    const bool is_asked_well =
        span_eq_text(form_field(rq, "ActionNames.member.1"), "iam:PassRole") && role.len &&
        span_eq_text(form_field(rq, "ContextEntries.member.1.ContextKeyName"), "iam:PassedToService") &&
        span_eq_text(form_field(rq, "ContextEntries.member.1.ContextKeyType"), "string") &&
        span_eq_text(form_field(rq, "ContextEntries.member.1.ContextKeyValues.member.1"), "bedrock.amazonaws.com");

    if (!iam->decision[0]) {
        (void)refuse_denied(rq, "iam:SimulatePrincipalPolicy");
        return;
    }
    if (!is_asked_well) {
        (void)sts_refuse(rq, 400, "InvalidInput", "Only iam:PassRole to Bedrock on one role is emulated");
        return;
    }
    if (iam->principal[0] && !span_eq_text(form_field(rq, "PolicySourceArn"), iam->principal)) {
        (void)sts_refuse(rq, 404, "NoSuchEntity", "The emulated IAM knows no such principal.");
        return;
    }
    put_open(rq, "SimulatePrincipalPolicy");
    buf_fmt(&rq->reply.body,
            "<IsTruncated>false</IsTruncated><EvaluationResults><member><EvalActionName>iam:PassRole</EvalActionName>"
            "<EvalResourceName>%.*s</EvalResourceName><EvalDecision>%s</EvalDecision><MatchedStatements/>"
            "<MissingContextValues>%s%s%s</MissingContextValues></member></EvaluationResults>",
            SPAN_ARG(role), iam->decision, iam->missing[0] ? "<member>" : "", iam->missing,
            iam->missing[0] ? "</member>" : "");
    put_close(rq, "SimulatePrincipalPolicy");
}

void iam_handle(struct emulator *emu, struct request *rq)
{
    if (!sts_check_signature(emu, rq))
        return;
    pthread_mutex_lock(&emu->iam->lock);
    if (strcmp(rq->op, "IAM.GetRole") == 0)
        get_role(emu->iam, rq);
    else if (strcmp(rq->op, "IAM.SimulatePrincipalPolicy") == 0)
        simulate(emu->iam, rq);
    else
        (void)sts_refuse(rq, 400, "InvalidAction", "Only GetRole and SimulatePrincipalPolicy are emulated");
    pthread_mutex_unlock(&emu->iam->lock);
}
