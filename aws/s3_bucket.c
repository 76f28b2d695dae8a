#include "aws/s3_call.h"

#include <string.h>

bool s3_bucket_region(struct aws *aws, struct aws_client *client, const struct s3_ref *bucket,
                      char region[AWS_REGION_SIZE], struct err *err)
{
    AUTO(s3_call_done) struct s3_call call = { 0 };
    AUTO(aws_response_done) struct aws_response rs = { 0 };
    struct err failed = { 0 };

    region[0] = '\0';
    if (aws_bucket_region(aws, bucket->bucket, region))
        return true;
    if (!s3_call_init(&call, "S3.HeadBucket", "HEAD", bucket, err))
        return false;
    if (!s3_call_send(&call, client, &rs, &failed) &&
        (failed.kind == ERR_CANCELLED || failed.kind == ERR_MEMORY || failed.kind == ERR_INTERNAL))
        return err_pass(err, &failed);
    (void)aws_bucket_region(aws, bucket->bucket, region); /* the client keeps what answers and refusals tell */
    return true;
}
