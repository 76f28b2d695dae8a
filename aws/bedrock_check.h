/* The patterns of Bedrock's fields, matched by hand: libc's regex cannot bound time on the model's nested repeats, and
 * a refusal should name the field and the rule. Taken from AWS's API model of 2023-04-20, each as a whole-string match.
 * Pure. */
#ifndef VIDBATCH_AWS_BEDROCK_CHECK_H
#define VIDBATCH_AWS_BEDROCK_CHECK_H

#include "aws/bedrock.h"
#include "server/base/attr.h"
#include "server/base/err.h"
#include "server/base/span.h"

#include <stdbool.h>

bool bedrock_is_job_name(struct span s);
bool bedrock_is_token(struct span s);
bool bedrock_is_role_arn(struct span s);
bool bedrock_is_model_id(struct span s);
bool bedrock_is_s3_uri(struct span s);
bool bedrock_is_account(struct span s);
bool bedrock_is_kms_key(struct span s);
bool bedrock_is_tag_text(struct span s, size_t min, size_t max);
bool bedrock_is_job_arn(struct span s);

/* Every field of a request to create a job. ERR_INPUT, code "bad_request_field", naming the field and its rule. */
MUST_CHECK bool bedrock_check_create(const struct bedrock_create *rq, struct err *err);

#endif
