/* Reads what Bedrock answers. Unknown fields and unknown words are accepted, wrong types count as absent. Pure. */
#ifndef VIDBATCH_AWS_BEDROCK_JSON_H
#define VIDBATCH_AWS_BEDROCK_JSON_H

#include "aws/bedrock.h"
#include "server/base/attr.h"
#include "server/base/buf.h"
#include "server/base/err.h"
#include "server/base/span.h"

#include <stdbool.h>

/* All three: ERR_UPSTREAM, retryable, code "bad_json", when the text is no JSON object or a job has no valid jobArn. */

/* {"jobArn": ...} */
MUST_CHECK bool bedrock_read_created(struct span json, char arn[BEDROCK_ARN_SIZE], struct err *err);
/* The answer to GetModelInvocationJob. */
MUST_CHECK bool bedrock_read_job(struct span json, struct bedrock_job *out, struct err *err);
/* The answer to ListModelInvocationJobs. next_token is emptied, then filled where there is one. *stopped: each returned
 * false. */
MUST_CHECK bool bedrock_read_page(struct span json, bool (*each)(void *arg, const struct bedrock_job *job), void *arg,
                                  struct buf *next_token, bool *stopped, struct err *err);

#endif
