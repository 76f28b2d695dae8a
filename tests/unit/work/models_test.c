#include "server/work/models.h"

#include "server/base/mem.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

static void free_models(struct models **models)
{
    models_free(*models);
}

static void test_builtin(void)
{
    AUTO(free_models) struct models *models = NULL;
    const struct model *lite = NULL;
    struct err err = { 0 };

    models = models_builtin(&err);
    CHECK_TEXT(err.what, "");
    if (!CHECK(models != NULL))
        return;
    CHECK_I64(models_count(models), 5);
    lite = models_find(models, SPAN_LIT("amazon.nova-lite-v1:0"));
    if (!CHECK(lite != NULL))
        return;
    CHECK_TEXT(lite->name, "Nova Lite");
    CHECK(lite->accepts_video);
    CHECK_TEXT(lite->lifecycle, "active");
    CHECK_I64(lite->min_records, 100);
    CHECK_I64(lite->max_records_per_job, 100000);
    CHECK_I64(lite->max_file_bytes, 1000000000);
    CHECK_I64(lite->max_job_bytes, 100000000000);
    CHECK_I64(lite->tokens_per_frame * lite->max_frames, 276480);
    CHECK_TEXT(lite->input_per_million, "0.03");
    CHECK_TEXT(lite->currency, "USD");
    CHECK(strstr(lite->availability, "\"me-central-1\"") != NULL);
    CHECK(strstr(lite->quota_codes, "\"L-916C9264\"") != NULL);
    for (size_t i = 0; i < models_count(models); i++) {
        const struct model *model = models_at(models, i);
        test_case("%s", model->id);
        CHECK(model->min_records == 100);
        CHECK(models_id_ok(span_of(model->id)));
        CHECK(models_batch_cost_micros(model, 1000000, 1000000) > 0);
    }
    test_case(NULL);
}

static void test_find(void)
{
    static const struct {
        const char *id, *want;
    } cases[] = {
        { "amazon.nova-lite-v1:0", "Nova Lite" },
        { "us.amazon.nova-lite-v1:0", "Nova Lite" },
        { "apac.amazon.nova-pro-v1:0", "Nova Pro" },
        { "global.amazon.nova-2-lite-v1:0", "Nova 2 Lite" },
        { "us-gov.amazon.nova-micro-v1:0", "Nova Micro" },
        { "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0", "Nova Lite" },
        { "arn:aws:bedrock:us-east-1:111122223333:inference-profile/us.amazon.nova-pro-v1:0", "Nova Pro" },
        { "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/a1b2c3", NULL },
        { "arn:aws:bedrock:us-east-1:111122223333:custom-model/amazon.nova-lite-v1:0/abcdefghijkl", NULL },
        { "amazon.nova-lite-v1:1", NULL },
        { "amazon.nova-lite-v1:0x", NULL },
        { "xamazon.nova-lite-v1:0", NULL },
        { ".amazon.nova-lite-v1:0", NULL },
        { "a.b.amazon.nova-lite-v1:0", NULL },
        { "anthropic.claude-3-haiku-20240307-v1:0", NULL },
        { "arn:", NULL },
        { "", NULL },
    };
    AUTO(free_models) struct models *models = NULL;
    struct err err = { 0 };

    models = models_builtin(&err);
    if (!CHECK(models != NULL))
        return;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct model *model = models_find(models, span_of(cases[i].id));
        test_case("%s", cases[i].id);
        CHECK_TEXT(model ? model->name : NULL, cases[i].want);
    }
    test_case(NULL);
}

static void test_cost(void)
{
    static const struct {
        const char *in, *out;
        int64_t input_tokens, output_tokens, want;
    } cases[] = {
        { "0.03", "0.12", 1000000, 1000000, 150000 },
        { "0.03", "0.12", 8940, 500, 328 }, /* 268.2 + 60 = 328.2 */
        { "0.165", "1.375", 1, 0, 0 },      /* 0.165 */
        { "0.5", "0", 1, 0, 1 },            /* halves go up */
        { "0.40", "1.60", 0, 0, 0 },
        { "12.50", "7", 2, 1, 32 },
        { "1.25", "6.25", INT64_C(28000000000), 0, INT64_C(35000000000) },
        { "1.25", "6.25", INT64_MAX, 0, -1 },
        { "1.25", "6.25", -1, 0, -1 },
        { "1.", "1", 1, 1, -1 },
        { ".5", "1", 1, 1, -1 },
        { "", "1", 1, 1, -1 },
        { "1", "0.1234567", 1, 1, -1 },
        { "1", "-1", 1, 1, -1 },
    };

    CHECK_I64(models_batch_cost_micros(NULL, 1, 1), -1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct model model = { .input_per_million = cases[i].in, .output_per_million = cases[i].out };
        test_case("%s/%s", cases[i].in, cases[i].out);
        CHECK_I64(models_batch_cost_micros(&model, cases[i].input_tokens, cases[i].output_tokens), cases[i].want);
    }
    test_case(NULL);
}

#define LIMITS "\"limits\":{\"context_tokens\":null,\"max_output_tokens\":5}"
#define QUOTAS                                                                                                         \
    "\"quotas\":{\"min_records\":1,\"max_records_per_job\":2,\"max_records_per_file\":3,\"max_file_bytes\":4,"         \
    "\"max_job_bytes\":null,\"max_concurrent_jobs\":6,\"codes\":{\"a\":\"b\"},\"source\":\"s\",\"date\":\"d\"}"
#define PRICES(price)                                                                                                  \
    "\"prices\":{\"currency\":\"USD\",\"batch_input_per_million\":" price ",\"batch_output_per_million\":\"1\","       \
    "\"on_demand_input_per_million\":\"2\",\"on_demand_output_per_million\":\"3\",\"source\":\"s\",\"date\":\"d\"}"
#define VIDEO "\"video\":{\"tokens_per_frame\":288,\"max_frames\":960}"
#define OWN                                                                                                            \
    "\"id\":\"a.b\",\"name\":\"B\",\"accepts_video\":true,\"lifecycle\":\"active\",\"note\":\"n\","                    \
    "\"availability\":{}"
#define ONE "{" OWN "," LIMITS "," QUOTAS "," PRICES("\"0.5\"") "," VIDEO "}"

static void test_refusals(void)
{
    static const struct {
        const char *json, *want; /* part of the words; NULL: accepted */
    } cases[] = {
        { "{\"models\":[" ONE "]}", NULL },
        { " { \"models\" : [ ] } \n", NULL },
        { "{\"models\":[" ONE "," ONE "]}", "models[1].id: a.b is given twice" },
        { "{\"models\":[" ONE "],\"x\":1}", "x: is not a member that is known" },
        { "{\"models\":[]} x", "more text" },
        { "{\"model\":[]}", "'models'" },
        { "{}", "'models'" },
        { "[]", "" },
        { "", "" },
        { "{\"models\":[{" LIMITS "}]}", "models[0].id: is missing" },
        { "{\"models\":[{" OWN "}]}", "models[0].limits: is missing" },
        { "{\"models\":[{" OWN "," OWN "}]}", "models[0].id: is given twice" },
        { "{\"models\":[{" OWN "," LIMITS "," LIMITS "}]}", "models[0].limits: is given twice" },
        { "{\"models\":[{\"colour\":1}]}", "models[0].colour: is not a member that is known" },
        { "{\"models\":[{\"limits\":{\"quotas\":{}}}]}", "models[0].limits.quotas: is not a member that is known" },
        { "{\"models\":[{\"limits\":{\"context_tokens\":-1}}]}", "models[0].limits.context_tokens: is negative" },
        { "{\"models\":[{\"limits\":{\"context_tokens\":\"1\"}}]}", "models[0].limits.context_tokens" },
        { "{\"models\":[{\"availability\":[]}]}", "models[0].availability: must be an object" },
        { "{\"models\":[{\"id\":7}]}", "models[0].id" },
        { "{\"models\":[{" PRICES("\"1,5\"") "}]}", "batch_input_per_million: must be a decimal number" },
        { "{\"models\":[{" PRICES("0.5") "}]}", "batch_input_per_million" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        AUTO(free_models) struct models *models = NULL;
        struct err err = { 0 };
        models = models_load(span_of(cases[i].json), &err);
        test_case("%zu: %s", i, err.what);
        CHECK((models != NULL) == (cases[i].want == NULL));
        CHECK_I64(err.kind, cases[i].want ? ERR_INPUT : ERR_NONE);
        CHECK(!cases[i].want || strstr(err.what, cases[i].want) != NULL);
    }
    test_case(NULL);
}

static void test_members(void)
{
    AUTO(free_models) struct models *models = NULL;
    const struct model *model = NULL;
    struct err err = { 0 };

    models = models_load(SPAN_LIT("{\"models\":[" ONE "]}"), &err);
    if (!CHECK(models != NULL))
        return;
    model = models_at(models, 0);
    CHECK_I64(model->context_tokens, 0);
    CHECK_I64(model->max_output_tokens, 5);
    CHECK_I64(model->min_records, 1);
    CHECK_I64(model->max_records_per_job, 2);
    CHECK_I64(model->max_records_per_file, 3);
    CHECK_I64(model->max_file_bytes, 4);
    CHECK_I64(model->max_job_bytes, 0);
    CHECK_I64(model->max_concurrent_jobs, 6);
    CHECK_TEXT(model->quota_codes, "{\"a\":\"b\"}");
    CHECK_TEXT(model->availability, "{}");
    CHECK_TEXT(model->on_demand_output_per_million, "3");
}

/* Whatever allocation fails, it is said so and nothing is left behind (the sanitizers look). */
static void test_out_of_memory(void)
{
    bool loaded = false;

    for (uint64_t n = 1; !loaded && n < 1000; n++) {
        struct err err = { 0 };
        struct models *models = NULL;
        mem_fail_at(n);
        models = models_builtin(&err);
        mem_fail_never();
        loaded = models != NULL;
        if (!loaded && !CHECK_I64(err.kind, ERR_MEMORY))
            printf("allocation %llu: %s\n", (unsigned long long)n, err.what);
        models_free(models);
    }
    CHECK(loaded);
}

static const struct test tests[] = {
    { "the built-in table", test_builtin },
    { "a model behind ids, profiles and ARNs", test_find },
    { "cost in millionths", test_cost },
    { "every broken table is refused by name", test_refusals },
    { "members", test_members },
    { "out of memory", test_out_of_memory },
};
TEST_MAIN("models", tests)
