/* The Bedrock side: the four operations on model invocation jobs. Files bedrock*.c and job*.c; the runtime's one
 * operation is in runtime.c. */
#ifndef VIDBATCH_EMULATOR_BEDROCK_H
#define VIDBATCH_EMULATOR_BEDROCK_H

#include "server/base/attr.h"
#include "tests/emulator/emulator.h"
#include "tests/emulator/faults.h"
#include "tests/emulator/request.h"

#include <jansson.h>

/* By the scope of the signature, or by the path of an unsigned request. */
bool bedrock_is_for(const struct request *rq);
/* Fills op, and bucket and key with nothing. */
void bedrock_route(struct request *rq);
void bedrock_handle(struct emulator *emu, struct request *rq);
void bedrock_fault(struct emulator *emu, struct request *rq, const struct fault_action *fault);

/* Inside the Bedrock side. Fills rq->reply; always false. */
bool bedrock_error(struct request *rq, int status, const char *code, const char *fmt, ...) PRINTF(4, 5);

/* The headers that every answer has. */
void bedrock_add_id(struct request *rq);
/* Does batch take the model in this Region? False: the reply says why not. */
MUST_CHECK bool bedrock_check_batch_model(struct emulator *emu, struct request *rq, const char *model);
/* Is it a model that is known here, an inference profile of one, or an ARN of either? */
bool bedrock_is_model(const char *model);

/* A CreateModelInvocationJob request that passed all checks of form. Borrowed from `json`. */
struct job_request {
    const char *name, *role_arn, *model_id, *token, *type;
    const char *input_uri, *output_uri;
    int64_t timeout_hours;
    json_t *json;
};
/* Types, patterns, required and unknown fields. False: the reply is a ValidationException. */
MUST_CHECK bool bedrock_check_create(struct request *rq, json_t *json, struct job_request *out);
/* The patterns of single values, as AWS's model has them. */
enum bedrock_pattern {
    PATTERN_JOB_NAME,
    PATTERN_ROLE,
    PATTERN_MODEL,
    PATTERN_URI,
    PATTERN_TOKEN,
    PATTERN_ARN,
    PATTERN_COUNT
};
bool bedrock_matches(enum bedrock_pattern pattern, const char *text);

#endif
