#include "aws/batch_output.h"

#include "tests/support/test.h"

static const struct {
    const char *name, *json;
    bool ok;
    struct batch_manifest want;
} cases[] = {
    { "as observed",
      "{\"totalRecordCount\":2400,\"processedRecordCount\":2400,\"successRecordCount\":2400,\"errorRecordCount\":0,"
      "\"inputTokenCount\":1951382,\"outputTokenCount\":405633}\n",
      true,
      { 2400, 2400, 2400, 0, 1951382, 405633 } },
    { "beyond 32 bits", "{\"inputTokenCount\":28000000000}", true, { -1, -1, -1, -1, 28000000000, -1 } },
    { "empty object", "{}", true, { -1, -1, -1, -1, -1, -1 } },
    { "strangers and wrong types",
      "{\"x\":{\"totalRecordCount\":1},\"totalRecordCount\":\"7\",\"errorRecordCount\":null,\"successRecordCount\":-3}",
      true,
      { -1, -1, -1, -1, -1, -1 } },
    { "not JSON", "hello", false, { 0 } },
    { "an array", "[]", false, { 0 } },
    { "cut", "{\"totalRecordCount\":1", false, { 0 } },
    { "nothing", "", false, { 0 } },
};

static void manifests(void)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct batch_manifest got = { 0 };
        struct err err = { 0 };

        test_case("%s", cases[i].name);
        CHECK(batch_manifest_parse(span_of(cases[i].json), &got, &err) == cases[i].ok);
        CHECK_TEXT(err.code, cases[i].ok ? "" : "bad_manifest");
        CHECK_I64(got.total, cases[i].want.total);
        CHECK_I64(got.processed, cases[i].want.processed);
        CHECK_I64(got.succeeded, cases[i].want.succeeded);
        CHECK_I64(got.failed, cases[i].want.failed);
        CHECK_I64(got.input_tokens, cases[i].want.input_tokens);
        CHECK_I64(got.output_tokens, cases[i].want.output_tokens);
    }
    test_case(NULL);
}

static const struct test tests[] = { { "manifests", manifests } };

TEST_MAIN("batch_manifest", tests)
