/* Amazon Bedrock control plane: the four operations on model invocation jobs (botocore's bedrock model of 2023-04-20).
 * Requests are checked against AWS's patterns before they are sent. The client's thread only. */
#ifndef VIDBATCH_AWS_BEDROCK_H
#define VIDBATCH_AWS_BEDROCK_H

#include "aws/client.h"
#include "server/base/err.h"
#include "server/base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Status in AWS's own words; unknown future words are kept and count as not terminal. */
bool bedrock_status_is_terminal(const char *status);

struct bedrock_tag {
    const char *key, *value;
};

struct bedrock_create {       /* borrowed during the call; "" or NULL = not sent */
    const char *job_name;     /* [a-zA-Z0-9]{1,63}(-*[a-zA-Z0-9\+\-\.]){0,63}, at most 63 */
    const char *client_token; /* stored before the call; reused on every attempt and after a restart */
    const char *role_arn;
    const char *model_id;
    const char *input_uri;   /* the folder, with its trailing slash */
    const char *input_owner; /* s3BucketOwner */
    const char *output_uri;
    const char *output_owner;
    const char *output_kms_key;
    int timeout_hours; /* 24..168; 0 = AWS's default */
    const struct bedrock_tag *tags;
    size_t tag_count;
};
enum { BEDROCK_ARN_SIZE = 256 };
/* Sent once on a fresh connection (libcurl would silently send a POST again). A failure with err->retryable leaves open
 * whether the job exists: look it up with bedrock_find_job before trying again.
 * err->code: "bedrock_quota" (ServiceQuotaExceededException: ERR_BUSY, retryable, no job was made),
 * "bedrock_throttled", "bedrock_name_in_use" (the words or ConflictException), "bad_request_field" (nothing was sent),
 * else AWS's name in upstream_code. */
MUST_CHECK bool bedrock_create_job(struct aws_client *client, const struct bedrock_create *rq,
                                   char arn[BEDROCK_ARN_SIZE], struct err *err);

struct bedrock_job {
    char arn[BEDROCK_ARN_SIZE];
    char name[64];
    char client_token[257];
    char status[32];
    char message[2049]; /* failure text, "" if none */
    char model_id[256];
    char role_arn[513]; /* cut where it is longer */
    char input_uri[1025];
    char output_uri[1025];
    int64_t submit_time_ms, last_modified_ms, end_time_ms, expiration_ms; /* 0 unknown */
    int64_t total, processed, succeeded, failed;                          /* -1 where the answer had none */
};
/* The 12 characters after the ARN's last slash; the folder name of the output. Borrows from arn. */
const char *bedrock_job_id(const char *arn);

MUST_CHECK bool bedrock_get_job(struct aws_client *client, const char *arn, struct bedrock_job *out, struct err *err);
/* ERR_CONFLICT or ERR_INPUT when the job has already ended: read it again. */
MUST_CHECK bool bedrock_stop_job(struct aws_client *client, const char *arn, struct err *err);

struct bedrock_list {
    const char *name_contains;  /* NULL or "": all */
    const char *status_equals;  /* NULL or "": all */
    int64_t submitted_after_ms; /* 0: all */
    int max_results;            /* 0 = 1000; the page size */
};
/* Every job of the account and Region that matches, page by page, newest first. each returns false to stop early (not
 * an error). job borrowed during the call. */
MUST_CHECK bool bedrock_list_jobs(struct aws_client *client, const struct bedrock_list *rq,
                                  bool (*each)(void *arg, const struct bedrock_job *job), void *arg, struct err *err);
/* The job that carries this client token, by name filter and time; *found false when there is none. */
MUST_CHECK bool bedrock_find_job(struct aws_client *client, const char *job_name, const char *client_token,
                                 int64_t submitted_after_ms, struct bedrock_job *out, bool *found, struct err *err);

#endif
