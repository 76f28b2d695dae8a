#include "aws/iam_actions.h"

#include <string.h>

static const struct iam_action actions[] = {
    { "Bedrock.CreateModelInvocationJob", "bedrock:CreateModelInvocationJob", IAM_MODEL_AND_JOBS },
    { "Bedrock.CreateModelInvocationJob", "bedrock:TagResource", IAM_JOBS },
    { "Bedrock.CreateModelInvocationJob", "iam:PassRole", IAM_ROLE },
    { "Bedrock.GetModelInvocationJob", "bedrock:GetModelInvocationJob", IAM_JOBS },
    { "Bedrock.StopModelInvocationJob", "bedrock:StopModelInvocationJob", IAM_JOBS },
    { "Bedrock.ListModelInvocationJobs", "bedrock:ListModelInvocationJobs", IAM_ANY },
    { "BedrockRuntime.InvokeModel", "bedrock:InvokeModel", IAM_MODEL },

    { "S3.ListObjectsV2", "s3:ListBucket", IAM_BUCKETS },
    { "S3.HeadBucket", "s3:ListBucket", IAM_BUCKETS },
    { "S3.ListMultipartUploads", "s3:ListBucketMultipartUploads", IAM_BUCKETS },
    { "S3.HeadObject", "s3:GetObject", IAM_VIDEOS },
    { "S3.HeadObject", "s3:GetObject", IAM_STAGING },
    { "S3.HeadObject", "s3:GetObject", IAM_OUTPUT },
    { "S3.GetObject", "s3:GetObject", IAM_OUTPUT },
    { "S3.GetObjectRange", "s3:GetObject", IAM_VIDEOS },
    { "S3.CopyObject", "s3:PutObject", IAM_STAGING },
    { "S3.CopyObject", "s3:GetObject", IAM_VIDEOS },
    { "S3.PutObject", "s3:PutObject", IAM_STAGING },
    { "S3.PutObject", "s3:PutObject", IAM_VIDEOS_WRITE },
    { "S3.CreateMultipartUpload", "s3:PutObject", IAM_STAGING },
    { "S3.UploadPart", "s3:PutObject", IAM_STAGING },
    { "S3.CompleteMultipartUpload", "s3:PutObject", IAM_STAGING },
    { "S3.AbortMultipartUpload", "s3:AbortMultipartUpload", IAM_STAGING },
    { "S3.AbortMultipartUpload", "s3:AbortMultipartUpload", IAM_VIDEOS_WRITE },
    { "S3.DeleteObject", "s3:DeleteObject", IAM_STAGING },
    { "S3.DeleteObject", "s3:DeleteObject", IAM_VIDEOS_WRITE },
    { "S3.DeleteObjects", "s3:DeleteObject", IAM_STAGING },

    { "SQS.ReceiveMessage", "sqs:ReceiveMessage", IAM_QUEUE },
    { "SQS.DeleteMessageBatch", "sqs:DeleteMessage", IAM_QUEUE },

    { "IAM.GetRole", "iam:GetRole", IAM_DOCTOR },
    { "IAM.SimulatePrincipalPolicy", "iam:SimulatePrincipalPolicy", IAM_DOCTOR },

    { "STS.GetCallerIdentity", NULL, IAM_NOTHING },
};
enum { ACTIONS = sizeof actions / sizeof actions[0] };

const struct iam_action *iam_actions(size_t *count)
{
    *count = ACTIONS;
    return actions;
}

const char *iam_action_of(const char *operation)
{
    for (size_t i = 0; i < ACTIONS; i++)
        if (strcmp(actions[i].operation, operation) == 0)
            return actions[i].action;
    return NULL;
}

static bool is_in_action(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ':' || c == '-';
}

/* "User: arn:... is not authorized to perform: bedrock:InvokeModel on resource: ..." */
static struct span named_action(struct span words)
{
    static const char before[] = "authorized to perform: ";
    const char *at = words.len ? memmem(words.ptr, words.len, before, sizeof before - 1) : NULL;
    struct span action;
    size_t len = 0;

    if (!at)
        return (struct span){ 0 };
    action = span_tail(words, (size_t)(at - words.ptr) + sizeof before - 1);
    while (len < action.len && is_in_action(action.ptr[len]))
        len++;
    action = span_head(action, len);
    return span_find(action, ':') < action.len ? action : (struct span){ 0 };
}

void iam_denied_action(const char *operation, struct span aws_words, char action[IAM_ACTION_SIZE])
{
    struct span named = named_action(aws_words);

    if (!named.len || named.len >= IAM_ACTION_SIZE)
        named = span_of(iam_action_of(operation));
    named = span_head(named, IAM_ACTION_SIZE - 1);
    if (named.len)
        memcpy(action, named.ptr, named.len);
    action[named.len] = 0;
}

const char *iam_partition(const char *region)
{
    static const struct {
        const char *begins, *partition;
    } partitions[] = {
        { "cn-", "aws-cn" },         { "us-gov-", "aws-us-gov" }, { "eusc-", "aws-eusc" },     { "us-iso-", "aws-iso" },
        { "us-isob-", "aws-iso-b" }, { "eu-isoe-", "aws-iso-e" }, { "us-isof-", "aws-iso-f" },
    };

    for (size_t i = 0; i < sizeof partitions / sizeof partitions[0]; i++)
        if (strncmp(region, partitions[i].begins, strlen(partitions[i].begins)) == 0)
            return partitions[i].partition;
    return "aws";
}
