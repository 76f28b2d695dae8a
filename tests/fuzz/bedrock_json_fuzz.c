/* Any bytes as each of Bedrock's answers. */
#include "aws/bedrock_json.h"

#include "aws/bedrock_check.h"
#include "server/base/text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_job(const struct bedrock_job *job)
{
    if (!bedrock_is_job_arn(span_of(job->arn)) || strlen(bedrock_job_id(job->arn)) != 12)
        abort();
    if (!text_is_utf8(span_of(job->message)) || !text_is_utf8(span_of(job->name)) || job->total < -1 ||
        job->failed < -1)
        abort();
}

static bool on_job(void *arg, const struct bedrock_job *job)
{
    int *left = arg;

    check_job(job);
    return --*left > 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    AUTO(buf_done) struct buf token = { 0 };
    const struct span json = { (const char *)data, len };
    struct bedrock_job job;
    struct err err = { 0 };
    char arn[BEDROCK_ARN_SIZE];
    bool stopped = false;
    int left = 3;

    buf_init(&token, 4096);
    if (bedrock_read_job(json, &job, &err))
        check_job(&job);
    else if (err.kind == ERR_NONE)
        abort();
    if (bedrock_read_created(json, arn, NULL) && !bedrock_is_job_arn(span_of(arn)))
        abort();
    if (bedrock_read_page(json, on_job, &left, &token, &stopped, NULL) && stopped != (left <= 0))
        abort();
    return 0;
}
