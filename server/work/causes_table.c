/* The catalogue itself. Order matters: of what fits, the first counts, so what is special comes before what is general.
 */
#include "server/work/causes.h"

#define VIDEO(code, rule, remedy)                                                                                      \
    {                                                                                                                  \
        code, CAUSE_VIDEO, CAUSE_RETRY_NO, 0, 0, false, NULL, rule, remedy                                             \
    }
#define RECORD(code, retry, rule, remedy)                                                                              \
    {                                                                                                                  \
        code, CAUSE_RECORD, retry, 0, 0, false, NULL, rule, remedy                                                     \
    }
#define ANSWER(code, retry, rule, remedy)                                                                              \
    {                                                                                                                  \
        code, CAUSE_ANSWER, retry, 0, 0, false, NULL, rule, remedy                                                     \
    }
#define ERROR(code, retry, min, max, pattern, rule, remedy)                                                            \
    {                                                                                                                  \
        code, CAUSE_ERROR, retry, min, max, false, pattern, rule, remedy                                               \
    }
#define ERROR_IF_RETRYABLE(code, rule, remedy)                                                                         \
    {                                                                                                                  \
        code, CAUSE_ERROR, CAUSE_RETRY_YES, 0, 0, true, NULL, rule, remedy                                             \
    }
#define JOB(code, retry, pattern, rule, remedy)                                                                        \
    {                                                                                                                  \
        code, CAUSE_JOB, retry, 0, 0, false, pattern, rule, remedy                                                     \
    }

static const struct cause causes[] = {
    /* ---- videos that are not taken ---- */
    VIDEO("unsupported_format",
          "Nova reads .mp4 .mov .mkv .webm .flv .mpeg .mpg .wmv and .3gp; the key's suffix is none of these.",
          "Convert the video to one of them and upload it under that suffix."),
    VIDEO("empty", "The object holds no bytes.", "Upload the video again, then scan the prefix."),
    VIDEO("too_large",
          "The model reads no videos of this size from S3: GET /v1/models shows its `max_video_bytes` "
          "(VIDBATCH_MAX_VIDEO_BYTES where it is set).",
          "Cut the video into parts, or encode it smaller: Nova sees one frame a second of 672 x 672 pixels."),
    VIDEO("archived",
          "Objects of the storage classes GLACIER and DEEP_ARCHIVE, and in the archive tiers of Intelligent-Tiering, "
          "cannot "
          "be read before they are restored.",
          "Restore the object in S3, then scan the prefix again."),
    VIDEO("not_a_video", "The first bytes of the object are those of no container that a video comes in.",
          "Upload the video itself."),
    VIDEO("vanished", "The object was there at an earlier scan and is not there now.",
          "Upload it again, or scan the prefix again if it is back."),
    VIDEO("changed", "The object's ETag is not the one that the latest scan saw: its content was replaced.",
          "Scan the prefix again; then its new content can be run."),
    VIDEO("denied", "S3 denies the service to read this object.",
          "Allow the service's credentials s3:GetObject on it (and kms:Decrypt on its key, where it is encrypted by "
          "one), then plan again."),
    VIDEO("unreadable",
          "S3 refuses to hand out this object, for a reason of its own: it is encrypted with a key that the customer "
          "holds (SSE-C), or its KMS key is disabled or pending deletion.",
          "Copy the object onto itself under a key that the service may use, or enable its KMS key, then plan again. "
          "S3's own words are in the log (preflight.unreadable)."),
    VIDEO("has_summary", "The video has a summary by this very prompt, model and parameters at its present ETag.",
          "Nothing is needed. To run it again all the same, ask with \"select\": \"all\"."),
    VIDEO("in_progress", "A job that has not ended asks the same question about this video.",
          "Wait for that job: what it leaves without a summary is new again."),
    VIDEO("not_failed", "Only videos whose latest attempt failed or gave no result were asked for; this is none.",
          "Ask with \"select\": \"new\" or \"all\" to take it."),
    VIDEO("hopeless", "The earlier attempt failed for a cause that the same request would meet again.",
          "GET /v1/jobs/{id}/failures names the cause and its remedy; \"force\": true retries it all the same."),
    VIDEO("over_shard_bytes",
          "The video is so large that no Bedrock job of the smallest size could hold it within the limit of bytes.",
          "Encode it smaller, raise VIDBATCH_SHARD_BYTES if your account's quota of job size allows it, or run it with "
          "\"below_minimum\": \"on_demand\"."),

    /* ---- our own words of records ---- */
    RECORD("source_vanished", CAUSE_RETRY_AFTER_CURE, "The video was no longer there when it was staged.",
           "Upload it again, scan the prefix, then retry."),
    RECORD("source_changed", CAUSE_RETRY_AFTER_CURE, "The video was replaced between the plan and the staging.",
           "Scan the prefix; a retry then runs the new content."),
    RECORD("source_archived", CAUSE_RETRY_AFTER_CURE, "The video's storage class does not let it be read.",
           "Restore the object in S3, scan the prefix, then retry."),
    RECORD("source_denied", CAUSE_RETRY_AFTER_CURE, "S3 denied the service to read the video.",
           "Allow s3:GetObject on it (and kms:Decrypt on its key), then retry."),
    RECORD("source_refused", CAUSE_RETRY_AFTER_CURE,
           "S3 refused to copy the video, for a reason that the message names.",
           "Cure what the message says (a key of the customer's, a KMS key that is disabled), then retry."),
    RECORD("cancelled", CAUSE_RETRY_YES, "The job was cancelled before Bedrock was asked about this video.",
           "Retry the job, or leave it."),
    RECORD("expired", CAUSE_RETRY_YES, "Bedrock's time limit ended before this record was processed.",
           "Retry; a larger VIDBATCH_JOB_TIMEOUT_HOURS (at most 168) leaves more time."),
    RECORD("not_ingested", CAUSE_RETRY_NO,
           "Bedrock's output could not be read. It is still in S3, and it is paid for: a retry would pay again.",
           "Cure what \"error\" of the job says, then POST /v1/jobs/{id}/reingest."),

    /* ---- answers without a word of text ---- */
    ANSWER("content_filtered", CAUSE_RETRY_NO, "The model's content filter withheld the answer.",
           "Ask with another prompt, or leave the video out."),
    ANSWER("guardrail_intervened", CAUSE_RETRY_NO, "A guardrail withheld the answer.",
           "Change the guardrail or the prompt."),
    ANSWER("model_context_window_exceeded", CAUSE_RETRY_NO, "Video and prompt together are over the model's context.",
           "Cut the video into parts, shorten the prompt, or take a model with a larger context."),
    ANSWER("invalid_query", CAUSE_RETRY_NO, "The model could not make sense of the request.",
           "Change the prompt; look whether the video can be played."),
    ANSWER("max_tokens", CAUSE_RETRY_NO, "The answer reached max_tokens before its first word of text.",
           "Launch a job with a larger \"max_tokens\" and \"select\": \"failed\"."),
    ANSWER("malformed_model_output", CAUSE_RETRY_YES, "The model's answer was broken.", "Retry."),
    ANSWER("service_unavailable", CAUSE_RETRY_YES, "The model was not available for this record.", "Retry."),
    ANSWER("empty_answer", CAUSE_RETRY_YES, "The model answered without any text.",
           "Retry; if it stays so, change the prompt."),

    /* ---- error records of Bedrock ---- */
    ERROR("key_refused", CAUSE_RETRY_AFTER_CURE, 0, 0, "provided s3 uri is invalid",
          "Bedrock refuses keys with characters such as blanks and commas, percent-encoded or not.",
          "Retry with \"staging\": \"copy\", which gives every video a clean key."),
    ERROR("outside_folder", CAUSE_RETRY_AFTER_CURE, 0, 0, "do not match the folder prefix",
          "The video does not lie under the folder that the Bedrock job was pointed at, in the same bucket and letter "
          "case.",
          "Retry with \"staging\": \"copy\", which gathers the videos in the job's own folder."),
    ERROR("input_refused", CAUSE_RETRY_NO, 0, 0, "please adjust your input",
          "The model refuses this video or this prompt: its content filter does, or it cannot read the video.",
          "Play the video to see that it is whole; change the prompt, or leave the video out. The same request is "
          "refused again."),
    ERROR("throttled", CAUSE_RETRY_YES, 429, 429, NULL, "Bedrock had too much to do for this record.", "Retry later."),
    ERROR("throttled", CAUSE_RETRY_YES, 0, 0, "throttl", "Bedrock had too much to do for this record.", "Retry later."),
    ERROR("model_unavailable", CAUSE_RETRY_YES, 500, 599, NULL, "Bedrock or the model failed inside.", "Retry."),
    ERROR_IF_RETRYABLE("bedrock_retryable", "Bedrock says itself that the record may be tried again.", "Retry."),
    ERROR("model_unavailable", CAUSE_RETRY_YES, 424, 424, NULL, "Bedrock or the model failed inside.", "Retry."),
    ERROR("model_timeout", CAUSE_RETRY_YES, 408, 408, NULL, "The model took too long for this record.", "Retry."),
    ERROR(
        "model_denied", CAUSE_RETRY_AFTER_CURE, 401, 403, NULL,
        "Bedrock or the service role may not do what this record needs.",
        "Let the service role read the video (s3:GetObject, kms:Decrypt) and invoke the model (bedrock:InvokeModel on "
        "the profile and on the model in each destination Region), then retry."),
    ERROR("source_unreadable", CAUSE_RETRY_AFTER_CURE, 0, 0, "could not be read",
          "Bedrock could not read the video from S3.",
          "See that the object is there and that the service role may read it, scan the prefix, then retry."),
    ERROR("not_found_by_model", CAUSE_RETRY_AFTER_CURE, 404, 404, NULL, "Bedrock did not find the video, or the model.",
          "See that the object is still there and that the model is offered in this Region, then retry."),
    ERROR("request_refused", CAUSE_RETRY_NO, 400, 499, NULL,
          "Bedrock refuses this request as it is; its message says why. The same request is refused again.",
          "Change what the message names: the video, the prompt or the parameters."),
    ERROR("error_unknown", CAUSE_RETRY_YES, 0, 0, NULL, "Bedrock reported an error that the catalogue does not know.",
          "Its message may say what to do; a retry may help."),

    /* ---- Bedrock jobs: their records have no result ---- */
    JOB("below_minimum", CAUSE_RETRY_AFTER_CURE, "required minimum",
        "A batch job takes at least as many records as the model's minimum.",
        "Launch a job with at least as many videos as the minimum, or ask with \"below_minimum\": \"wait\" or "
        "\"on_demand\"."),
    JOB("too_few_staged", CAUSE_RETRY_AFTER_CURE, "fewer than the",
        "When the videos were staged, fewer were left than the model's minimum of records.",
        "Scan the prefix again, then retry."),
    JOB("service_may_not_invoke", CAUSE_RETRY_AFTER_CURE, "perform: bedrock:invokemodel",
        "On demand the service itself invokes the model, and its credentials may not.",
        "Allow the service's own credentials bedrock:InvokeModel on the model and, with a profile, on the profile and "
        "on "
        "the model in every destination Region."),
    JOB("service_may_not_create", CAUSE_RETRY_AFTER_CURE, "perform: bedrock:createmodelinvocationjob",
        "The service's own credentials may not start batch jobs.",
        "Allow them bedrock:CreateModelInvocationJob on the model or inference profile and on the account's "
        "model-invocation-job/*; vidbatchd iam-policy prints the whole policy."),
    JOB("service_may_not_tag", CAUSE_RETRY_AFTER_CURE, "perform: bedrock:tagresource",
        "Every job is tagged app=vidbatch, and the service's own credentials may not tag.",
        "Allow them bedrock:TagResource on the account's model-invocation-job/*."),
    JOB("model_access_denied", CAUSE_RETRY_AFTER_CURE, "have access to the model",
        "The account was not given access to this model.",
        "Request access to the model in Bedrock's console, in this Region, and try again a few minutes later."),
    JOB("role_may_not_invoke", CAUSE_RETRY_AFTER_CURE, "permissions to invokemodel",
        "The service role may not invoke the model.",
        "Give the service role bedrock:InvokeModel on the model and, with a profile, on the profile and on the model "
        "in "
        "every destination Region (vidbatchd iam-policy role); jobs that were submitted before that still fail."),
    JOB("role_may_not_read", CAUSE_RETRY_AFTER_CURE, "validate getobject",
        "The service role may not read the staging location.",
        "Let the service role read the staging location (s3:GetObject)."),
    JOB("role_may_not_list", CAUSE_RETRY_AFTER_CURE, "validate listbucket",
        "The service role may not list the staging bucket, or the bucket is in another Region or was just made.",
        "Give the service role s3:ListBucket on the staging bucket, and keep the bucket in the Region of the job; with "
        "a "
        "bucket made moments ago, try again later."),
    JOB("role_not_checked", CAUSE_RETRY_AFTER_CURE, "could not validate",
        "Bedrock could not see that the service role may do what the message names.",
        "Give the service role the policy that vidbatchd iam-policy role prints."),
    JOB("role_not_assumed", CAUSE_RETRY_AFTER_CURE, "assume provided", "Bedrock cannot assume the service role.",
        "Give the role the trust policy that vidbatchd iam-policy trust prints: bedrock.amazonaws.com may assume it, "
        "for "
        "this account and Region. A role made moments ago needs a minute."),
    JOB("role_not_assumed", CAUSE_RETRY_AFTER_CURE, "perform: sts:assumerole",
        "Bedrock cannot assume the service role.",
        "Give the role the trust policy that vidbatchd iam-policy trust prints."),
    JOB("role_not_passed", CAUSE_RETRY_AFTER_CURE, "iam:passrole", "The service may not hand the role to Bedrock.",
        "Allow the service's own credentials iam:PassRole on the role; vidbatchd iam-policy prints the statement."),
    JOB("model_not_here", CAUSE_RETRY_AFTER_CURE, "not supported for model",
        "The model runs in batch in this Region only through an inference profile, or not at all.",
        "Use an inference profile id such as us.amazon.nova-lite-v1:0 in this Region."),
    JOB("model_not_here", CAUSE_RETRY_AFTER_CURE, "on-demand throughput",
        "The model runs on demand in this Region only through an inference profile, or not at all.",
        "Use an inference profile id such as us.amazon.nova-lite-v1:0 in this Region."),
    JOB("model_unknown", CAUSE_RETRY_AFTER_CURE, "model identifier is invalid",
        "This Region has no model or inference profile of that id.",
        "Use a model or inference profile that exists in this Region."),
    JOB("model_legacy", CAUSE_RETRY_AFTER_CURE, "marked by provider as legacy",
        "The model is near its end: shut to new users, and to old ones who let it rest for 15 days.",
        "Use a model whose \"lifecycle\" in GET /v1/models is \"active\"."),
    JOB("job_name_in_use", CAUSE_RETRY_YES, "currently in use", "Another Bedrock job has the name of this one.",
        "Retry: every job and part gets a name of its own."),
    JOB("job_arn_refused", CAUSE_RETRY_AFTER_CURE, "provided arn is invalid",
        "Bedrock does not know the job by the ARN that it gave.",
        "See that the service still works in the account and Region in which the job was submitted."),

    /* our own words, from aws/cure.c */
    JOB("service_denied", CAUSE_RETRY_AFTER_CURE, "is missing. allow the service's identity",
        "AWS denies the service's own credentials a permission, which the message names.",
        "Allow it; vidbatchd doctor prints the statement, vidbatchd iam-policy the whole policy."),
    JOB("bucket_missing", CAUSE_RETRY_AFTER_CURE, "there is no such bucket", "A bucket is not there.",
        "Make it, or correct the name in VIDBATCH_STAGING_URI, VIDBATCH_OUTPUT_URI or the prefix."),
    JOB("bucket_elsewhere", CAUSE_RETRY_AFTER_CURE, "the bucket is in another region",
        "A bucket lies in another Region than the one the service works in.",
        "Use a bucket in the service's Region, or set AWS_REGION to the bucket's."),
    JOB("credentials_expired", CAUSE_RETRY_AFTER_CURE, "the temporary credentials have expired",
        "The service's own credentials have expired.",
        "Give it new ones, or a role or profile that renews them by itself."),
    JOB("credentials_refused", CAUSE_RETRY_AFTER_CURE, "access key id",
        "AWS refuses the service's own credentials: the key is unknown, or its secret is wrong.",
        "vidbatchd doctor says which key is used and what is wrong with it."),
    JOB("clock_wrong", CAUSE_RETRY_AFTER_CURE, "the clock of this machine is wrong",
        "The service's clock is so wrong that AWS refuses what it signs.", "Set the clock, and keep it right by NTP."),
    JOB("aws_unreachable", CAUSE_RETRY_AFTER_CURE, "aws's endpoint", "The service cannot reach AWS.",
        "Look at the network: name resolution, firewall, VPC endpoint, proxy. vidbatchd doctor says what fails."),
    JOB("job_expired", CAUSE_RETRY_YES, "ended the job as expired",
        "Bedrock did not start the job within its time limit. Nothing was processed.",
        "Raise VIDBATCH_JOB_TIMEOUT_HOURS (at most 168) and run it again."),
    JOB("job_out_of_time", CAUSE_RETRY_YES, "ended the job as partiallycompleted",
        "The job's time limit ended before all records were processed.",
        "What was done until then is stored; run the missing records again."),
    JOB("job_stopped", CAUSE_RETRY_YES, "ended the job as stopped",
        "Somebody stopped the job. What was done until then is stored, and charged.",
        "Run the missing records again, if they are still wanted."),
    JOB("job_lost", CAUSE_RETRY_YES, "ended the job as notfound", "Bedrock does not know the job any more.",
        "What its output held is stored; run the missing records again."),
    JOB("job_failed", CAUSE_RETRY_AFTER_CURE, "ended the job as failed",
        "Bedrock ended the whole job; its message, where it gave one, says why.",
        "Cure what the message says, then run the missing records again."),

    /* ---- the reasons of such records by themselves ---- */
    RECORD("not_submitted", CAUSE_RETRY_AFTER_CURE,
           "This part of the job was not submitted to Bedrock; the message says why.",
           "Cure what the message says, then retry."),
    RECORD("no_result", CAUSE_RETRY_YES, "Bedrock's output has no line for this record.", "Retry."),
    RECORD("unknown", CAUSE_RETRY_YES, "The catalogue does not know this failure.",
           "Its message may say what to do; a retry may help."),
};

const struct cause *causes_all(size_t *count)
{
    *count = sizeof causes / sizeof causes[0];
    return causes;
}
