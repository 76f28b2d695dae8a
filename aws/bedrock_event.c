#include "aws/bedrock_event.h"

#include "aws/bedrock_check.h"

#include <jansson.h>
#include <string.h>

static const size_t max_event_bytes = 256 * 1024; /* EventBridge's own bound for an event */

static bool is_text(const json_t *value, const char *want)
{
    return json_is_string(value) && strcmp(json_string_value(value), want) == 0;
}

static bool take_arn(const json_t *value, char arn[BEDROCK_ARN_SIZE])
{
    struct span text = { "", 0 };

    if (json_is_string(value))
        text = (struct span){ json_string_value(value), json_string_length(value) };
    if (text.len >= BEDROCK_ARN_SIZE || !bedrock_is_job_arn(text))
        return false;
    memcpy(arn, text.ptr, text.len);
    arn[text.len] = '\0';
    return true;
}

bool bedrock_event_read(struct span json, char arn[BEDROCK_ARN_SIZE])
{
    json_t *root;
    bool is_ours;

    if (!json.len || json.len > max_event_bytes)
        return false;
    root = json_loadb(json.ptr, json.len, JSON_REJECT_DUPLICATES, NULL);
    is_ours = is_text(json_object_get(root, "source"), "aws.bedrock") &&
              is_text(json_object_get(root, "detail-type"), "Batch Inference Job State Change") &&
              (take_arn(json_object_get(json_object_get(root, "detail"), "batchJobArn"), arn) ||
               take_arn(json_array_get(json_object_get(root, "resources"), 0), arn));
    json_decref(root);
    return is_ours;
}
