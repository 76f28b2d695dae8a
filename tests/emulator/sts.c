#include "tests/emulator/sts.h"

#include "tests/emulator/sessions.h"

#include <stdio.h>
#include <string.h>

enum { WINDOW_MS = 15 * 60 * 1000 };

static const char call[] = "Action=GetCallerIdentity&Version=2011-06-15";

bool sts_is_for(const struct request *rq)
{
    return rq->claim.present && strcmp(rq->claim.service, "sts") == 0;
}

void sts_route(struct request *rq)
{
    rq->op = "STS.GetCallerIdentity";
}

static void put_head(struct request *rq, int status)
{
    reply_reset(&rq->reply);
    rq->reply.status = status;
    reply_header(&rq->reply, "x-amzn-RequestId", rq->id);
    reply_header(&rq->reply, "Content-Type", "text/xml");
}

bool sts_refuse(struct request *rq, int status, const char *code, const char *message)
{
    put_head(rq, status);
    snprintf(rq->reply.code, sizeof rq->reply.code, "%s", code);
    buf_fmt(&rq->reply.body,
            "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>%s</Type><Code>%s</Code>"
            "<Message>%s</Message></Error><RequestId>%s</RequestId></ErrorResponse>",
            status < 500 ? "Sender" : "Receiver", code, message, rq->id);
    return false;
}

void sts_fault(struct request *rq, const struct fault_action *fault)
{
    (void)sts_refuse(rq, fault->status, fault->code[0] ? fault->code : "InternalFailure",
                     fault->message[0] ? fault->message : "Emulated fault");
}

bool sts_check_signature(struct emulator *emu, struct request *rq)
{
    const enum sig_result result = sessions_verify(emu, rq, WINDOW_MS);

    if (result == SIG_OK)
        return true;
    if (result == SIG_UNKNOWN_KEY || result == SIG_BAD_TOKEN)
        return sts_refuse(rq, 403, "InvalidClientTokenId", "The security token included in the request is invalid.");
    if (result == SIG_EXPIRED_TOKEN)
        return sts_refuse(rq, 400, "ExpiredTokenException", "The security token included in the request is expired");
    if (result == SIG_SKEWED)
        return sts_refuse(rq, 403, "SignatureDoesNotMatch", "Signature not yet current, or expired");
    return sts_refuse(rq, 403, "SignatureDoesNotMatch",
                      "The request signature we calculated does not match the signature you provided.");
}

void sts_handle(struct emulator *emu, struct request *rq)
{
    if (!sts_check_signature(emu, rq))
        return;
    if (!span_eq_text(buf_view(&rq->body.memory), call)) {
        (void)sts_refuse(rq, 400, "InvalidAction", "Only GetCallerIdentity is emulated");
        return;
    }
    put_head(rq, 200);
    buf_fmt(&rq->reply.body,
            "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>"
            "<Arn>arn:aws:iam::%s:user/emulated</Arn><UserId>AIDAEMULATED</UserId><Account>%s</Account>"
            "</GetCallerIdentityResult><ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata>"
            "</GetCallerIdentityResponse>",
            emu->config.account, emu->config.account, rq->id);
}
