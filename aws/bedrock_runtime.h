/* Amazon Bedrock runtime: InvokeModel (botocore's bedrock-runtime model of 2023-09-30: POST /model/{modelId}/invoke,
 * signed as service "bedrock"). It has no client token: a call that is made twice is carried out, and paid for, twice.
 * The client's thread only. */
#ifndef VIDBATCH_AWS_BEDROCK_RUNTIME_H
#define VIDBATCH_AWS_BEDROCK_RUNTIME_H

#include "aws/batch_output.h"
#include "aws/client.h"
#include "server/base/err.h"
#include "server/base/span.h"

#include <stdbool.h>
#include <stdint.h>

/* Many calls of one model at a time.
 * next: gives the body of the next call (a modelInput, see batch_input_model; it must live until done is called) and
 * *item, or returns false when there are no more for now. done: gets each finished call once, in any order, with the
 * model's answer (borrowed during the call) or with what went wrong; it works as that of aws_call_many. Throttling, 5xx
 * and broken connections have been tried again by then, as often as the client does; a call whose time ran out has not.
 * call_err->code tells what the failure concerns:
 *   "bedrock_throttled"  ERR_BUSY: nothing was done, later it may be
 *   "bedrock_refused"    ERR_INPUT, a 400, 408, 413 or 422: this request, and it would be refused again
 *   "bedrock_model"      ModelErrorException, ModelTimeoutException, retryable: the model failed over this request
 *   "bedrock_late"       ERR_TIMEOUT, retryable: sent, and no answer within timeout_ms; it may have been carried out
 *   "bad_answer", "response_too_large"  ERR_UPSTREAM: carried out, but its answer is of no use
 *   else                 not this request alone: permissions, a model that is not there, an outage */
struct bedrock_invoke_many {
    const char *model_id; /* id, inference profile or ARN; borrowed */
    bool (*next)(void *arg, struct span *body, void **item);
    bool (*done)(void *arg, void *item, const struct batch_line *answer, const struct err *call_err, struct err *err);
    void *arg;
    int concurrency;
    int64_t timeout_ms; /* of one attempt; AWS ends a call to Nova after 60 minutes */
};
/* As aws_call_many. */
MUST_CHECK bool bedrock_invoke(struct aws_client *client, const struct bedrock_invoke_many *many, struct err *err);

#endif
