/* What IAM must allow for what the service asks of AWS: one table from operations to actions, from which the error
 * sentences, the doctor and `vidbatchd iam-policy` are made. A test holds it against the operations that aws/ names:
 * one without a row fails it. Static data, pure functions: any thread.
 *
 * Sources: Amazon Bedrock user guide, "Required permissions for batch inference"; Amazon S3 user guide, "Required
 * permissions for S3 API operations" and "Multipart upload API and permissions"; STS API reference. */
#ifndef VIDBATCH_AWS_IAM_ACTIONS_H
#define VIDBATCH_AWS_IAM_ACTIONS_H

#include "server/base/attr.h"
#include "server/base/err.h"
#include "server/base/span.h"

#include <stdbool.h>
#include <stddef.h>

/* On what an action must be allowed. The order is that of the statements of a policy. */
enum iam_place {
    IAM_NOTHING,        /* nothing need be allowed */
    IAM_MODEL_AND_JOBS, /* the model or inference profile that a job names, and the account's jobs */
    IAM_JOBS,           /* model invocation jobs of the account and Region */
    IAM_ANY,            /* the action knows no resources: "*" */
    IAM_ROLE,           /* the service role */
    IAM_MODEL,          /* to call it: the profile, and the model in every destination Region */
    IAM_BUCKETS,        /* all of the service's buckets */
    IAM_VIDEOS,         /* objects under registered prefixes */
    IAM_VIDEOS_WRITE,   /* the same, for uploads and staging in place */
    IAM_STAGING,        /* objects of the staging location */
    IAM_OUTPUT,         /* objects of the output location */
    IAM_QUEUE,          /* the SQS queue of events */
    IAM_DOCTOR,         /* the doctor alone asks, and makes do without: no policy that is printed has it */
    IAM_PLACES
};

struct iam_action {
    const char *operation; /* as in aws_request.operation */
    const char *action;    /* "s3:GetObject"; NULL where nothing need be allowed */
    enum iam_place place;
};
/* An operation that works in several places, or needs several actions, has several rows; its own action is the first.
 */
const struct iam_action *iam_actions(size_t *count);
/* The action of the operation itself; NULL where it needs none or is not known. */
const char *iam_action_of(const char *operation);

enum { IAM_ACTION_SIZE = 64 };
/* The action that a denial is about, written to `action`: the one that AWS's own words name ("not authorized to
 * perform: iam:PassRole on resource ..."), else that of the operation; "" where neither is known. */
void iam_denied_action(const char *operation, struct span aws_words, char action[IAM_ACTION_SIZE]);

/* The partition that ARNs of a Region begin with: "aws", "aws-cn", "aws-us-gov" ... Static text. */
const char *iam_partition(const char *region);

#endif
