/* Links go to the Region that the database knows of a bucket. */
#include "server/work/links.h"

#include "aws/client.h"
#include "tests/support/test.h"

#include <curl/curl.h>
#include <string.h>

static void test_region_of_the_bucket(void)
{
    static const struct {
        const char *bucket, *region, *want;
    } rows[] = {
        { "near", "us-east-1", "https://near.s3.us-east-1.amazonaws.com/a%20b?" },
        { "far", "eu-west-1", "https://far.s3.eu-west-1.amazonaws.com/a%20b?" },
        { "far", "ap-south-1", "https://far.s3.eu-west-1.amazonaws.com/a%20b?" }, /* what was known before stays */
        { "odd", "default", "https://odd.s3.us-east-1.amazonaws.com/a%20b?" },    /* no Region of AWS's */
    };
    const struct aws_options options = { .region = "us-east-1",
                                         .credentials = { .access_key_id = "AKID", .secret_access_key = "secret" } };
    struct err err = { 0 };
    struct aws *aws;
    struct links *links;

    curl_global_init(CURL_GLOBAL_DEFAULT);
    aws = aws_new(&options, &err);
    links = aws ? links_new(aws, 60, &err) : NULL;
    for (size_t i = 0; links && i < sizeof rows / sizeof rows[0]; i++) {
        const struct links_object object = { span_of(rows[i].bucket), span_of(rows[i].region), SPAN_LIT("a b") };
        AUTO(buf_done) struct buf get = { .max = 8192 };
        AUTO(buf_done) struct buf put = { .max = 8192 };

        test_case("%s %s", rows[i].bucket, rows[i].region);
        CHECK(links_get(links, &object, SPAN_LIT("a b"), &get, &err));
        CHECK(links_put(links, &object, "video/mp4", &put, &err));
        CHECK(strstr(buf_cstr(&get), rows[i].want) == buf_cstr(&get));
        CHECK(strstr(buf_cstr(&put), rows[i].want) == buf_cstr(&put));
    }
    test_case(NULL);
    CHECK(links != NULL);
    links_free(links);
    aws_free(aws);
}

static const struct test tests[] = { { "region_of_the_bucket", test_region_of_the_bucket } };
TEST_MAIN("links", tests)
