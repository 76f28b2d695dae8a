/* A bucket in another Region: S3 refuses, says where it is, and the call is made there at once, once. Sources: S3 API,
 * "Error responses" and HeadBucket; the order header, body, HEAD bucket is botocore's (S3RegionRedirectorv2). */
#include "aws/client_internal.h"

#include "aws/aws_error.h"
#include "server/base/log.h"

#include <stdio.h>
#include <string.h>

/* Does the refusal say that the bucket is elsewhere? HEAD has only the status to say it with. */
static bool is_about_region(const struct exchange *x, const struct aws_error *said)
{
    static const char *const codes[] = { "PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed",
                                         "IllegalLocationConstraintException" };
    int status = x->rs->status;

    if (status != 301 && status != 307 && status != 400)
        return false;
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        if (!strcmp(said->code, codes[i]))
            return true;
    return !x->rs->body.len;
}

/* A Region that the bucket may lie in: of our own partition, for credentials end with it. */
static bool is_possible(const struct exchange *x, const char *region)
{
    return endpoint_region_like(span_of(region), x->client->aws->region);
}

static void remember(struct exchange *x, const char *region)
{
    struct aws *aws = x->client->aws;

    if (bucket_regions_put(&aws->bucket_regions, x->rq.bucket, span_of(region)) && strcmp(region, aws->region) != 0)
        log_info("aws.bucket_region", "bucket=%.*s region=%s", SPAN_ARG(x->rq.bucket), region);
}

/* Sets the call aside and asks the bucket itself: it answers whatever the permissions. */
static void begin_probe(struct exchange *x)
{
    x->asked = x->rq;
    x->is_probe = true;
    x->rq = (struct aws_request){
        .operation = "S3.HeadBucket",
        .service = AWS_S3,
        .method = "HEAD",
        .bucket = x->asked.bucket,
        .path = SPAN_LIT("/"),
        .max_response_bytes = x->asked.max_response_bytes,
    };
}

bool region_is_named(const struct exchange *x)
{
    return is_possible(x, x->rs->bucket_region);
}

void region_end_probe(struct exchange *x)
{
    x->rq = x->asked;
    x->is_probe = false;
    x->region_followed = true;
    if (region_is_named(x))
        remember(x, x->rs->bucket_region);
}

void region_learn(struct exchange *x)
{
    if (x->rq.service == AWS_S3 && x->rs->bucket_region[0] && is_possible(x, x->rs->bucket_region))
        remember(x, x->rs->bucket_region);
}

/* Where S3 says that the bucket is, or what is known of it where a HEAD was refused without a word. */
static void find_region(struct exchange *x, const struct aws_error *said, char region[AWS_REGION_SIZE])
{
    const char *named = x->rs->bucket_region[0] ? x->rs->bucket_region : said->region;

    snprintf(region, AWS_REGION_SIZE, "%s", named);
    if (!named[0])
        (void)bucket_regions_find(&x->client->aws->bucket_regions, x->rq.bucket, region);
}

enum region_move region_follow(struct exchange *x, const struct aws_error *said)
{
    char region[AWS_REGION_SIZE];

    /* Servers in AWS's place name Regions at will. */
    if (x->rq.service != AWS_S3 || !x->rq.bucket.len || x->endpoint.is_custom || !is_about_region(x, said))
        return REGION_STAY;
    find_region(x, said, region);
    if (!strcmp(region, x->endpoint.signing_region))
        return REGION_STAY;
    if (x->region_followed)
        return REGION_LOST;
    if (!is_possible(x, region)) {
        begin_probe(x);
        return REGION_MOVED;
    }
    x->region_followed = true;
    remember(x, region);
    return REGION_MOVED;
}

bool region_describe(const struct exchange *x, const struct aws_error *said, struct err *err)
{
    const char *region = x->rs->bucket_region[0] ? x->rs->bucket_region : said->region;

    if (is_possible(x, region))
        err_set(err, ERR_UPSTREAM, true, HERE,
                "S3 sends the requests for bucket %.*s from Region %s on to %s: a bucket made moments ago is found in "
                "a few minutes",
                SPAN_ARG(x->rq.bucket), x->endpoint.signing_region, region);
    else
        err_set(
            err, ERR_INPUT, false, HERE,
            "bucket %.*s is in another Region than %s, and S3 does not say in which: set AWS_REGION to the bucket's",
            SPAN_ARG(x->rq.bucket), x->endpoint.signing_region);
    return err_code(err, "wrong_region");
}
