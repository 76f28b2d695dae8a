/* Do all buckets of the job lie in Bedrock's own Region? It reads and writes no others (Bedrock would say so much
 * later, and in other words: "Could not validate ListBucket permissions"). */
#include "server/work/plan.h"

#include "aws/s3.h"

#include <string.h>

/* bucket: with its owner. Words are appended where it lies elsewhere; where nothing is known of it they are not. */
static bool judge(struct plan *plan, const struct s3_ref *bucket, const char *what, const char *remedy, struct err *err)
{
    const char *own = plan->step->settings->region;
    char region[AWS_REGION_SIZE];

    if (plan->elsewhere.len)
        return true;
    if (!s3_bucket_region(plan->step->aws, plan->step->client, bucket, region, err))
        return false;
    if (region[0] && strcmp(region, own) != 0)
        buf_fmt(&plan->elsewhere,
                "The bucket of %s, %.*s, lies in Region %s, and Bedrock in %s reads and writes only buckets of its own "
                "Region: %s, or run the service in %s (AWS_REGION).",
                what, SPAN_ARG(bucket->bucket), region, own, remedy, region);
    return true;
}

static bool judge_location(struct plan *plan, const char *uri, const char *what, const char *setting, struct err *err)
{
    struct s3_ref ref = { .key = SPAN_LIT(""), .owner = span_of(plan->step->settings->bucket_owner) };
    struct span path;
    char remedy[80];

    if (!s3_parse_uri(span_of(uri), &ref.bucket, &path, err))
        return false;
    (void)snprintf(remedy, sizeof remedy, "set %s to one there", setting);
    return judge(plan, &ref, what, remedy, err);
}

bool plan_check_regions(struct plan *plan, struct err *err)
{
    const struct work_settings *settings = plan->step->settings;
    const struct s3_ref videos = { span_of(plan->prefix.bucket), SPAN_LIT(""), span_of(plan->prefix.bucket_owner) };

    buf_reset(&plan->elsewhere);
    return judge(plan, &videos, "the videos", "copy the videos to a bucket there", err) &&
           judge_location(plan, settings->staging_uri, "the staging location", "VIDBATCH_STAGING_URI", err) &&
           judge_location(plan, settings->output_uri, "the output location", "VIDBATCH_OUTPUT_URI", err);
}
