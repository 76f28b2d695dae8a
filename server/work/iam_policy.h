/* The IAM policies that vidbatch needs, as JSON: what the service's own identity must be allowed (from the table of
 * aws/iam_actions.h, so that it is what the service calls), what the service role must be allowed, and who may assume
 * it. Pure. Any thread.
 *
 * Sources: Amazon Bedrock user guide, "Create a custom service role for batch inference", "Required permissions for
 * batch inference", "Prerequisites for inference profiles", "Supported Regions and models for inference profiles". */
#ifndef VIDBATCH_WORK_IAM_POLICY_H
#define VIDBATCH_WORK_IAM_POLICY_H

#include "aws/iam_actions.h"
#include "server/base/buf.h"
#include "server/base/span.h"
#include "server/work/models.h"

#include <stdbool.h>
#include <stddef.h>

enum { IAM_MAX_PREFIXES = 100, IAM_MAX_MODELS = 8, IAM_POLICY_MAX_BYTES = 1024 * 1024 };

struct iam_location {
    struct span bucket, prefix; /* of keys: "", "videos/", "clips/2026-"; borrowed */
    struct span owner;          /* account; may be empty: the caller's own */
};

struct iam_facts { /* all texts borrowed */
    const char *region;
    const char *account; /* 12 digits, or what stands for it */
    const char *role_arn;
    struct iam_location staging, output; /* prefix with its trailing slash, or "" */
    struct iam_location videos[IAM_MAX_PREFIXES];
    size_t video_count;
    const char *models[IAM_MAX_MODELS]; /* ids, inference profiles, ARNs */
    size_t model_count;
    const char *kms_key;   /* of Bedrock's output; "" or NULL: none */
    const char *queue_arn; /* of events; "" or NULL: none */
    const struct models *known;
};

/* The account of a role's ARN, arn:aws:iam::111122223333:role/name. False: it has none. */
enum { IAM_ACCOUNT_SIZE = 16 };
MUST_CHECK bool iam_account_of(const char *role_arn, char account[IAM_ACCOUNT_SIZE]);
/* What stands for an account that nobody knows. */
#define IAM_NO_ACCOUNT "ACCOUNT_ID"

/* One policy document each, as compact JSON. Appended; a place whose resources are not known has no statement. */
void iam_policy_caller(const struct iam_facts *facts, struct buf *out);
void iam_policy_role(const struct iam_facts *facts, struct buf *out);
void iam_policy_trust(const struct iam_facts *facts, struct buf *out);

/* The one statement that allows one action on one place: what the doctor offers. */
void iam_statement(const struct iam_facts *facts, const char *action, enum iam_place place, struct buf *out);
/* The same on one location; of_bucket: on the bucket itself, else on the objects under the prefix. */
void iam_statement_at(const char *region, const char *action, const struct iam_location *where, bool of_bucket,
                      struct buf *out);

/* The Regions to which an inference profile sends requests that are made in `region`. *count 0: AWS's pages do not say;
 * a model's own id: the Region itself. Static text, and `region`. */
enum { IAM_MAX_DESTINATIONS = 8 };
void iam_destinations(struct span model_id, const char *region, const char *out[IAM_MAX_DESTINATIONS], size_t *count);

#endif
