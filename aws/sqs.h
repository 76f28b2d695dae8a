/* The two calls of Amazon SQS that a reader of one queue makes (JSON protocol of API 2012-11-05, as the API model of
 * botocore 1.44.5 has it). Thread: the client's. */
#ifndef VIDBATCH_AWS_SQS_H
#define VIDBATCH_AWS_SQS_H

#include "aws/client.h"

enum { SQS_MAX_MESSAGES = 10, SQS_MAX_WAIT_S = 20 }; /* SQS API: ReceiveMessage */

/* "https://sqs.us-east-1.amazonaws.com/111122223333/name": absolute, with a path, up to 1,024 characters. */
bool sqs_is_queue_url(struct span url);

enum { SQS_ARN_SIZE = 256 };
/* "arn:aws:sqs:us-east-1:111122223333:name" of a queue's URL as AWS writes it, for policies; partition as of
 * iam_partition. "" where the URL is another, of a stand-in for example. */
void sqs_queue_arn(const char *queue_url, const char *partition, const char *region, char arn[SQS_ARN_SIZE]);

struct sqs_message {
    struct span body;
    struct span receipt; /* handle for deleting it */
};
struct sqs_batch { /* zeroed memory is empty */
    struct sqs_message messages[SQS_MAX_MESSAGES];
    int count;
    void *document; /* what the spans borrow from */
};
void sqs_batch_done(struct sqs_batch *batch);

/* SQS API: ReceiveMessage. Waits up to wait_s (0 to SQS_MAX_WAIT_S) for the first message; none is a success with
 * count 0. What is received is hidden from other readers for the queue's visibility timeout. Errors as aws_call, and
 * ERR_UPSTREAM with code "bad_json". Gives: sqs_batch_done, after success and failure. */
MUST_CHECK bool sqs_receive(struct aws_client *client, const char *queue_url, int wait_s, struct sqs_batch *out,
                            struct err *err);
/* SQS API: DeleteMessageBatch. What SQS keeps in spite of it comes again: *kept says how many. Nothing to delete is a
 * success. */
MUST_CHECK bool sqs_delete(struct aws_client *client, const char *queue_url, const struct sqs_batch *batch, int *kept,
                           struct err *err);

#endif
