/* What EventBridge tells of a batch job. Best effort on AWS's side, and without counters or places: a hint to look at
 * the job, not news of it. Pure. Any thread. */
#ifndef VIDBATCH_AWS_BEDROCK_EVENT_H
#define VIDBATCH_AWS_BEDROCK_EVENT_H

#include "aws/bedrock.h"
#include "server/base/span.h"

/* True: the text is the event "Batch Inference Job State Change" of source aws.bedrock, about the job whose ARN is put
 * into arn. False: it is anything else. (Bedrock user guide, "Monitor Bedrock with EventBridge".) */
bool bedrock_event_read(struct span json, char arn[BEDROCK_ARN_SIZE]);

#endif
