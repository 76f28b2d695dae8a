/* Which texts are the event that a batch job changed. */
#include "aws/bedrock_event.h"

#include "tests/support/test.h"

#include <string.h>

#define ARN "arn:aws:bedrock:us-east-1:111122223333:model-invocation-job/abcdefghi123"
#define KIND "\"source\":\"aws.bedrock\",\"detail-type\":\"Batch Inference Job State Change\""
/* As AWS prints it in its guide: times are no ISO 8601. */
#define SAMPLE                                                                                                         \
    "{\"version\":\"0\",\"id\":\"a\"," KIND ",\"account\":\"111122223333\",\"time\":\"Wed Aug 28 22:58:30 UTC 2024\"," \
    "\"region\":\"us-east-1\",\"resources\":[\"" ARN "\"],\"detail\":{\"version\":\"0.0\",\"accountId\":"              \
    "\"111122223333\",\"batchJobName\":\"n\",\"batchJobArn\":\"" ARN "\",\"batchModelId\":\"amazon.nova-lite-v1:0\","  \
    "\"status\":\"Completed\",\"failureMessage\":\"\",\"creationTime\":\"Aug 28, 2024, 10:47:53 PM\"}}"

static const struct {
    const char *name, *text;
    bool is_event;
} cases[] = {
    { "AWS's sample", SAMPLE, true },
    { "resources alone", "{" KIND ",\"resources\":[\"" ARN "\"]}", true },
    { "detail alone", "{" KIND ",\"detail\":{\"batchJobArn\":\"" ARN "\"}}", true },
    { "detail is no object", "{" KIND ",\"detail\":[1],\"resources\":[\"" ARN "\"]}", true },
    { "no ARN", "{" KIND "}", false },
    { "another ARN", "{" KIND ",\"resources\":[\"arn:aws:s3:::bucket\"]}", false },
    { "ARN is a number", "{" KIND ",\"resources\":[7]}", false },
    { "another source",
      "{\"source\":\"aws.s3\",\"detail-type\":\"Batch Inference Job State Change\",\"resources\":[\"" ARN "\"]}",
      false },
    { "another event",
      "{\"source\":\"aws.bedrock\",\"detail-type\":\"Model Customization Job State Change\",\"resources\":[\"" ARN
      "\"]}",
      false },
    { "an array", "[" SAMPLE "]", false },
    { "a name twice", "{" KIND ",\"source\":\"aws.bedrock\",\"resources\":[\"" ARN "\"]}", false },
    { "cut", "{" KIND ",\"resources\":[\"" ARN "\"", false },
    { "nothing", "", false },
    { "text", "hello", false },
};

static void reading(void)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char arn[BEDROCK_ARN_SIZE] = "";

        test_case("%s", cases[i].name);
        CHECK(bedrock_event_read(span_of(cases[i].text), arn) == cases[i].is_event);
        CHECK_TEXT(arn, cases[i].is_event ? ARN : "");
    }
    test_case(NULL);
}

static void bound(void)
{
    static char large[300 * 1024];
    char arn[BEDROCK_ARN_SIZE] = "";

    memset(large, ' ', sizeof(large));
    memcpy(large, SAMPLE, sizeof(SAMPLE) - 1);
    CHECK(bedrock_event_read((struct span){ large, 256 * 1024 }, arn));
    CHECK(!bedrock_event_read((struct span){ large, 256 * 1024 + 1 }, arn));
}

static const struct test tests[] = {
    { "reading", reading },
    { "bound", bound },
};

TEST_MAIN("bedrock_event", tests)
