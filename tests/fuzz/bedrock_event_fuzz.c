/* Any bytes as a message from the queue of events. */
#include "aws/bedrock_check.h"
#include "aws/bedrock_event.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char arn[BEDROCK_ARN_SIZE] = "";
    bool is_event = bedrock_event_read((struct span){ (const char *)data, len }, arn);

    if (is_event != bedrock_is_job_arn(span_of(arn)))
        abort();
    return 0;
}
