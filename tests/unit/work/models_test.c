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
    struct err err = { 0 };

    models = models_builtin(&err);
    CHECK_TEXT(err.what, "");
    if (!CHECK(models != NULL))
        return;
    CHECK_I64(models_count(models), 5);
    for (size_t i = 0; i < models_count(models); i++) {
        const struct model *model = models_at(models, i);
        struct model_terms t;
        AUTO(buf_done) struct buf where = { .max = 16384 };

        test_case("%s", model->id);
        CHECK(models_id_ok(span_of(model->id)));
        if (!CHECK(models_terms(models, span_of(model->id), "us-east-1", &t, &err)))
            continue;
        CHECK_I64(t.min_records, 100);
        CHECK_I64(t.max_file_bytes, 1000000000);
        CHECK_I64(t.max_video_bytes, 1000000000);
        CHECK_TEXT(t.origins[MODEL_MIN_RECORDS], "built in");
        CHECK_TEXT(t.prices.price_region, "us-east-1");
        CHECK(t.prices.batch_input * 2 == t.prices.on_demand_input);
        CHECK(t.prices.batch_output * 2 == t.prices.on_demand_output);
        CHECK(model_cost_micros(&t, false, 1000000, 1000000) > 0);
        CHECK(model->accepts_video == (t.tokens_per_frame == 288));
        CHECK(t.key == model->id);
        models_availability_json(models, model, &where);
        CHECK(strstr(buf_cstr(&where), "\"us-east-1\"") != NULL);
    }
    test_case(NULL);
}

/* What AWS states for a model in a Region, and what we make of it. */
static const struct {
    const char *id, *region;
    int64_t per_job, job_bytes, cap, jobs, frames, batch_in, demand_out;
    const char *price_region;
    bool here, bare;
} stated[] = {
    { "amazon.nova-lite-v1:0", "us-east-1", 100000, 100000000000, 90000000000, 100, 960, 30000, 240000, "us-east-1",
      true, true },
    { "amazon.nova-lite-v1:0", "us-west-2", 100000, 100000000000, 90000000000, 100, 960, 30000, 240000, "us-east-1",
      true, false },
    { "us.amazon.nova-lite-v1:0", "us-west-2", 100000, 100000000000, 90000000000, 100, 960, 30000, 240000, "us-east-1",
      true, false },
    { "amazon.nova-lite-v1:0", "sa-east-1", 100000, 100000000000, 90000000000, 100, 960, 30000, 240000, "us-east-1",
      false, false },
    { "amazon.nova-pro-v1:0", "ap-northeast-1", 100000, 100000000000, 90000000000, 100, 960, 480000, 3840000,
      "ap-northeast-1", true, false },
    { "apac.amazon.nova-pro-v1:0", "ap-northeast-1", 100000, 100000000000, 90000000000, 100, 960, 480000, 3840000,
      "ap-northeast-1", true, false },
    { "amazon.nova-pro-v1:0", "ap-southeast-3", 100000, 100000000000, 90000000000, 100, 960, 400000, 3200000,
      "us-east-1", true, true },
    { "us.amazon.nova-2-lite-v1:0", "us-east-1", 100000, 0, 4500000000, 100, 2700, 165000, 2750000, "us-east-1", true,
      false },
    { "global.amazon.nova-2-lite-v1:0", "us-east-1", 100000, 0, 4500000000, 100, 2700, 150000, 2500000, "us-east-1",
      true, false },
    { "us.amazon.nova-premier-v1:0", "us-east-1", 0, 5000000000, 4500000000, 0, 3200, 1250000, 12500000, "us-east-1",
      true, false },
    { "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/a1b2c3", "us-east-1", 100000, 5000000000,
      4500000000, 100, 3200, -1, -1, NULL, true, false },
};

static void test_terms(void)
{
    AUTO(free_models) struct models *models = NULL;
    struct err err = { 0 };

    models = models_builtin(&err);
    if (!CHECK(models != NULL))
        return;
    for (size_t i = 0; i < sizeof stated / sizeof stated[0]; i++) {
        struct model_terms t;

        test_case("%s in %s", stated[i].id, stated[i].region);
        if (!CHECK(models_terms(models, span_of(stated[i].id), stated[i].region, &t, &err)))
            continue;
        CHECK_TEXT(t.region, stated[i].region);
        CHECK_I64(t.max_records_per_job, stated[i].per_job);
        CHECK_I64(t.max_job_bytes, stated[i].job_bytes);
        CHECK_I64(t.job_bytes_cap, stated[i].cap);
        CHECK_I64(t.max_concurrent_jobs, stated[i].jobs);
        CHECK_I64(t.max_frames, stated[i].frames);
        CHECK_I64(t.prices.batch_input, stated[i].batch_in);
        CHECK_I64(t.prices.on_demand_output, stated[i].demand_out);
        CHECK_TEXT(t.prices.price_region, stated[i].price_region);
        CHECK(t.batch_here == stated[i].here);
        CHECK(t.bare_id_here == stated[i].bare);
    }
    test_case(NULL);
    CHECK(!models_terms(models, SPAN_LIT("amazon.nova-nothing-v1:0"), "us-east-1", &(struct model_terms){ 0 }, &err));
    CHECK_TEXT(err.code, "model_unknown");
    CHECK_I64(models_largest_video(models, "us-east-1"), 1000000000);
}

static void test_refusal(void)
{
    static const int64_t before = INT64_C(1789300800000), after = INT64_C(1789430400000); /* 2026-09-13, -15 */
    static const struct {
        const char *id, *region;
        bool late;
        const char *code, *words; /* NULL: taken */
    } cases[] = {
        { "amazon.nova-lite-v1:0", "us-east-1", true, NULL, "" },
        { "us.amazon.nova-lite-v1:0", "us-east-1", true, NULL, "" },
        { "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0", "us-east-1", true, NULL, "" },
        { "amazon.nova-lite-v1:0", "us-west-2", true, "profile_needed", "use us.amazon.nova-lite-v1:0." },
        { "arn:aws:bedrock:us-west-2::foundation-model/amazon.nova-lite-v1:0", "us-west-2", true, "profile_needed",
          "us.amazon.nova-lite-v1:0" },
        { "amazon.nova-lite-v1:0", "il-central-1", true, "profile_needed",
          "use eu.amazon.nova-lite-v1:0 or apac.amazon.nova-lite-v1:0." },
        { "amazon.nova-micro-v1:0", "us-east-1", true, "model_no_video", "takes no video" },
        { "us.amazon.nova-premier-v1:0", "us-east-1", false, NULL, "" },
        { "us.amazon.nova-premier-v1:0", "us-east-1", true, "model_end_of_life", "2026-09-14" },
        { "amazon.nova-2-lite-v1:0", "us-east-1", true, "profile_needed",
          "us.amazon.nova-2-lite-v1:0 or global.amazon.nova-2-lite-v1:0" },
        { "global.amazon.nova-2-lite-v1:0", "eu-west-2", true, NULL, "" },
        { "eu.amazon.nova-lite-v1:0", "us-east-1", true, "profile_not_in_region", "amazon.nova-lite-v1:0" },
        { "eu.amazon.nova-lite-v1:0", "us-west-2", true, "profile_not_in_region", "use us.amazon.nova-lite-v1:0" },
        { "us-gov.amazon.nova-lite-v1:0", "us-gov-west-1", true, "profile_not_in_region", "own id" },
        { "new.amazon.nova-lite-v1:0", "us-west-2", true, NULL, "" }, /* nothing is known against it */
        { "us.amazon.nova-lite-v1:0", "sa-east-1", true, "batch_not_in_region", "another Region" },
        { "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/a1b2c3", "sa-east-1", true, NULL, "" },
    };
    AUTO(free_models) struct models *models = NULL;
    struct err err = { 0 };

    models = models_builtin(&err);
    if (!CHECK(models != NULL))
        return;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        AUTO(buf_done) struct buf why = { .max = 1000 };
        struct model_terms t;

        test_case("%s in %s", cases[i].id, cases[i].region);
        if (!CHECK(models_terms(models, span_of(cases[i].id), cases[i].region, &t, &err)))
            continue;
        CHECK_TEXT(model_refusal(&t, cases[i].late ? after : before, &why), cases[i].code);
        CHECK(strstr(buf_cstr(&why), cases[i].words) != NULL);
        CHECK(strlen(t.advice) < sizeof t.advice - 1);
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
        int64_t in, out, input_tokens, output_tokens, want;
    } cases[] = {
        { 30000, 120000, 1000000, 1000000, 150000 },
        { 30000, 120000, 8940, 500, 328 }, /* 268.2 + 60 = 328.2 */
        { 165000, 1375000, 1, 0, 0 },      /* 0.165 */
        { 500000, 0, 1, 0, 1 },            /* halves go up */
        { 400000, 1600000, 0, 0, 0 },
        { 12500000, 7000000, 2, 1, 32 },
        { 1250000, 6250000, INT64_C(28000000000), 0, INT64_C(35000000000) },
        { 1250000, 6250000, INT64_MAX, 0, -1 },
        { 1250000, 6250000, -1, 0, -1 },
        { -1, 6250000, 1, 1, -1 },
        { 1250000, -1, 1, 1, -1 },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct model_terms batch = { .prices = { cases[i].in, cases[i].out, -1, -1, NULL, NULL, NULL, NULL } };
        struct model_terms demand = { .prices = { -1, -1, cases[i].in, cases[i].out, NULL, NULL, NULL, NULL } };

        test_case("row %zu", i);
        CHECK_I64(model_cost_micros(&batch, false, cases[i].input_tokens, cases[i].output_tokens), cases[i].want);
        CHECK_I64(model_cost_micros(&demand, true, cases[i].input_tokens, cases[i].output_tokens), cases[i].want);
    }
    test_case(NULL);
}

static void test_dates_and_decimals(void)
{
    static const struct {
        const char *date;
        int64_t days; /* to 2026-11-01, noon */
    } dates[] = {
        { "2026", 304 }, { "2026-10", 31 }, { "2026-10-31", 1 }, { "2026-11-01", 0 },  { "2027", 0 },
        { "", -1 },      { "26", -1 },      { "2026-13", -1 },   { "2026-02-30", -1 }, { "2026-1-01", -1 },
    };
    static const struct {
        int64_t micros;
        int least;
        const char *want;
    } decimals[] = {
        { 17500, 2, "0.0175" }, { 400000, 2, "0.40" }, { 12500000, 2, "12.50" }, { 0, 2, "0.00" }, { 10, 0, "0.00001" },
        { 1000000, 0, "1" },    { 0, 0, "0" },         { 1, 2, "0.000001" },
    };

    for (size_t i = 0; i < sizeof dates / sizeof dates[0]; i++) {
        test_case("%s", dates[i].date);
        CHECK_I64(model_date_age_days(dates[i].date, INT64_C(1793534400000)), dates[i].days);
    }
    for (size_t i = 0; i < sizeof decimals / sizeof decimals[0]; i++) {
        char text[MODEL_DECIMAL_BYTES];

        test_case("%s", decimals[i].want);
        model_decimal(decimals[i].micros, decimals[i].least, text);
        CHECK_TEXT(text, decimals[i].want);
    }
    test_case(NULL);
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
    { "the built-in table", test_builtin },      { "terms", test_terms },
    { "models that are refused", test_refusal }, { "a model behind ids, profiles and ARNs", test_find },
    { "cost in millionths", test_cost },         { "dates and decimals", test_dates_and_decimals },
    { "out of memory", test_out_of_memory },
};
TEST_MAIN("models", tests)
