/* What an operator's file may say, what it may not, and who has the last word. */
#include "server/work/models.h"

#include "server/base/mem.h"
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void free_models(struct models **models)
{
    models_free(*models);
}

#define LITE "\"id\":\"amazon.nova-lite-v1:0\""
#define ONE(members) "{\"models\":[{" LITE "," members "}]}"

static const struct {
    const char *json, *want; /* part of the words; NULL: accepted */
} refused[] = {
    { "{\"models\":[]}", NULL },
    { " { \"models\" : [ ] } \n", NULL },
    { ONE("\"quotas\":{\"min_records\":50}"), NULL },
    { ONE("\"quotas\":{\"max_concurrent_jobs\":null}"), NULL },
    { ONE("\"regions\":{\"eu-west-1\":{\"prices\":{\"batch_input_per_million\":\"0.5\"}}}"), NULL },
    { ONE("\"profiles\":[{\"id\":\"eu.amazon.nova-lite-v1:0\",\"geography\":[]}]"), NULL },
    { "", "" },
    { "[]", "" },
    { "{}", "only member must be \"models\"" },
    { "{\"model\":[]}", "only member must be \"models\"" },
    { "{\"models\":[],\"x\":1}", "only member must be \"models\"" },
    { "{\"models\":[]} x", "more text" },
    { "{\"models\":{}}", "models: " },
    { "{\"models\":[{}]}", "models[0]: must have an \"id\"" },
    { "{\"models\":[{\"id\":7}]}", "models[0].id: " },
    { "{\"models\":[{\"id\":\"no model\"}]}", "models[0].id: must be a model id" },
    { "{\"models\":[{" LITE "},{" LITE "}]}", "models[1]: has the id of one before it" },
    { ONE(LITE), "models[0].id: is given twice" },
    { ONE("\"colour\":1"), "models[0].colour: is not a member that is known" },
    { ONE("\"name\":\"a\",\"name\":\"b\""), "models[0].name: is given twice" },
    { ONE("\"lifecycle\":\"old\""), "models[0].lifecycle: must be \"active\" or \"legacy\"" },
    { ONE("\"end_of_life\":\"2026-10\""), "models[0].end_of_life: must be a day" },
    { ONE("\"end_of_life\":null,\"end_of_life\":null"), "models[0].end_of_life: is given twice" },
    { ONE("\"accepts_video\":1"), "models[0].accepts_video: " },
    { ONE("\"limits\":{\"context_tokens\":-1}"), "models[0].limits.context_tokens: must be a whole number from 1" },
    { ONE("\"limits\":{\"context_tokens\":\"1\"}"), "models[0].limits.context_tokens: must be a whole number" },
    { ONE("\"limits\":{\"quotas\":{}}"), "models[0].limits.quotas: is not a member that is known" },
    { ONE("\"limits\":{},\"limits\":{}"), "models[0].limits: is given twice" },
    { ONE("\"quotas\":{\"min_records\":0}"), "models[0].quotas.min_records: must be a whole number from 1 to" },
    { ONE("\"quotas\":{\"min_records\":null}"), "models[0].quotas.min_records: must be a whole number from 1 to" },
    { ONE("\"quotas\":{\"min_records\":1.5}"), "models[0].quotas.min_records: must be a whole number from 1 to" },
    { ONE("\"quotas\":{\"min_records\":1e2}"), "models[0].quotas.min_records: must be a whole number from 1 to" },
    { ONE("\"quotas\":{\"min_records\":99999999999999999999}"), "models[0].quotas.min_records: " },
    { ONE("\"quotas\":{\"min_records\":5,\"min_records\":5}"), "models[0].quotas.min_records: is given twice" },
    { ONE("\"quotas\":{\"codes\":[]}"), "models[0].quotas.codes: must be an object" },
    { ONE("\"quotas\":{\"date\":\"soon\"}"), "models[0].quotas.date: must be a date" },
    { ONE("\"planning\":{\"job_bytes_percent\":101}"), "models[0].planning.job_bytes_percent: must be" },
    { ONE("\"prices\":{\"batch_input_per_million\":0.5}"), "batch_input_per_million: must be a decimal number" },
    { ONE("\"prices\":{\"batch_input_per_million\":\"1,5\"}"), "batch_input_per_million: must be a decimal" },
    { ONE("\"prices\":{\"batch_input_per_million\":\"1.\"}"), "batch_input_per_million: must be a decimal" },
    { ONE("\"prices\":{\"batch_input_per_million\":\".5\"}"), "batch_input_per_million: must be a decimal" },
    { ONE("\"prices\":{\"batch_input_per_million\":\"-1\"}"), "batch_input_per_million: must be a decimal" },
    { ONE("\"prices\":{\"batch_input_per_million\":\"0.1234567\"}"), "batch_input_per_million: must be" },
    { ONE("\"prices\":{\"batch_input_per_million\":\"9999999999\"}"), "batch_input_per_million: must be" },
    { ONE("\"inference\":{\"top_p_most\":\"1.5\"}"), "models[0].inference.top_p_most: must be a decimal" },
    { ONE("\"regions\":[]"), "models[0].regions: " },
    { ONE("\"regions\":{\"Mars\":{}}"), "models[0].regions.Mars: must be the name of a Region" },
    { ONE("\"regions\":{\"eu-west-1\":{},\"eu-west-1\":{}}"), "models[0].regions.eu-west-1: is given twice" },
    { ONE("\"regions\":{\"eu-west-1\":{\"name\":\"x\"}}"), "models[0].regions.eu-west-1.name: is not a member" },
    { ONE("\"regions\":{\"eu-west-1\":{\"quotas\":{\"min_records\":\"x\"}}}"),
      "models[0].regions.eu-west-1.quotas.min_records: must be a whole number" },
    { ONE("\"profiles\":[{\"geography\":[]}]"), "models[0].profiles[0]: must have an \"id\"" },
    { ONE("\"profiles\":[{\"id\":\"eu.a.b\"},{\"id\":\"eu.a.b\"}]"), "models[0].profiles[1]: is given twice" },
    { ONE("\"availability\":{\"in_region\":[]}"), "models[0].availability: must have both" },
    { ONE("\"availability\":{\"in_region\":[7],\"through_profile\":[]}"), "models[0].availability.in_region[0]: " },
    { "{\"models\":[{\"id\":\"new.model-v1:0\"}]}", NULL }, /* judged when all is there */
};

static void test_refusals(void)
{
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        AUTO(free_models) struct models *models = NULL;
        struct err err = { 0 };
        bool taken = false;

        models = models_builtin(&err);
        if (!CHECK(models != NULL))
            return;
        taken = models_overlay(models, span_of(refused[i].json), "file", &err);
        test_case("%s: %s", refused[i].json, err.what);
        CHECK(taken == (refused[i].want == NULL));
        CHECK_I64(err.kind, refused[i].want ? ERR_INPUT : ERR_NONE);
        CHECK(!refused[i].want || strstr(err.what, refused[i].want) != NULL);
    }
    test_case(NULL);
}

/* The operator's word goes before the table's, the special before the general. */
static void test_precedence(void)
{
    static const char json[] =
        "{\"models\":[{\"id\":\"amazon.nova-pro-v1:0\",\"name\":\"Ours\",\"quotas\":{\"max_concurrent_jobs\":7},"
        "\"prices\":{\"batch_input_per_million\":\"0.30\"},\"regions\":{\"eu-west-1\":{\"quotas\":"
        "{\"max_concurrent_jobs\":3},\"prices\":{\"batch_input_per_million\":\"0.31\",\"source\":\"contract\","
        "\"date\":\"2026-11-01\"}}},\"profiles\":[{\"id\":\"eu.amazon.nova-pro-v1:0\",\"prices\":"
        "{\"batch_output_per_million\":\"9\"}}]}]}";
    static const struct {
        const char *id, *region;
        int64_t jobs, in, out;
        const char *source, *date, *price_region;
    } cases[] = {
        { "us.amazon.nova-pro-v1:0", "us-west-2", 7, 300000, 1600000, "", "", "us-west-2" },
        { "amazon.nova-pro-v1:0", "ap-northeast-1", 7, 300000, 1920000, "", "", "ap-northeast-1" },
        { "amazon.nova-pro-v1:0", "eu-west-1", 3, 310000, 1600000, "contract", "2026-11-01", "eu-west-1" },
        { "eu.amazon.nova-pro-v1:0", "eu-west-1", 3, 310000, 9000000, "", "", "eu-west-1" },
        { "amazon.nova-lite-v1:0", "eu-west-1", 100, 30000, 120000, "public extracts of the AWS Price List, us-east-1",
          "2026", "us-east-1" },
    };
    AUTO(free_models) struct models *models = NULL;
    struct err err = { 0 };

    models = models_builtin(&err);
    if (!CHECK(models != NULL) || !CHECK(models_overlay(models, span_of(json), MODEL_FROM_FILE, &err)))
        return;
    CHECK_TEXT(models_find(models, SPAN_LIT("amazon.nova-pro-v1:0"))->name, "Ours");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct model_terms t;

        test_case("%s in %s", cases[i].id, cases[i].region);
        if (!CHECK(models_terms(models, span_of(cases[i].id), cases[i].region, &t, &err)))
            continue;
        CHECK_I64(t.max_concurrent_jobs, cases[i].jobs);
        CHECK_TEXT(t.origins[MODEL_MAX_CONCURRENT_JOBS], cases[i].jobs == 100 ? MODEL_BUILT_IN : MODEL_FROM_FILE);
        CHECK_I64(t.prices.batch_input, cases[i].in);
        CHECK_I64(t.prices.batch_output, cases[i].out);
        CHECK_TEXT(t.prices.source, cases[i].source);
        CHECK_TEXT(t.prices.date, cases[i].date);
        CHECK_TEXT(t.prices.price_region, cases[i].price_region);
    }
    test_case(NULL);
}

/* Writes a file and starts on it. */
static struct models *start(const char *json, const struct model_settings *settings, const char **at_fault,
                            struct err *err)
{
    char path[] = "/tmp/vidbatch-models-XXXXXX";
    const int fd = mkstemp(path);
    struct models *models = NULL;

    if (!CHECK(fd >= 0))
        return NULL;
    CHECK(write(fd, json, strlen(json)) == (ssize_t)strlen(json));
    close(fd);
    models = models_start(path, settings, at_fault, err);
    unlink(path);
    return models;
}

static void test_settings(void)
{
    static const struct model_settings settings = { "eu-west-1", 10, 50, 1000, 2, 77 };
    AUTO(free_models) struct models *models = NULL;
    const char *at_fault = NULL;
    struct model_terms t;
    struct err err = { 0 };

    models = start(ONE("\"quotas\":{\"min_records\":5}"), &settings, &at_fault, &err);
    CHECK_TEXT(err.what, "");
    if (!CHECK(models != NULL))
        return;
    CHECK_TEXT(models_home(models), "eu-west-1");
    for (size_t i = 0; i < models_count(models); i++) {
        CHECK(models_terms(models, span_of(models_at(models, i)->id), "eu-west-1", &t, &err));
        CHECK_I64(t.min_records, 10);
        CHECK_I64(t.max_records_per_job, 50);
        CHECK_I64(t.max_records_per_file, 50);
        CHECK_I64(t.job_bytes_cap, 1000);
        CHECK_I64(t.max_concurrent_jobs, 2);
        CHECK_I64(t.max_video_bytes, 77);
        CHECK_TEXT(t.origins[MODEL_MIN_RECORDS], "VIDBATCH_MIN_RECORDS");
        CHECK_TEXT(t.origins[MODEL_MAX_RECORDS_PER_JOB], "VIDBATCH_SHARD_RECORDS");
        CHECK_TEXT(t.cap_origin, "VIDBATCH_SHARD_BYTES");
    }
    CHECK_I64(models_largest_video(models, "eu-west-1"), 77);
    CHECK(models_terms(models, SPAN_LIT(MODEL_UNKNOWN_ARN), "eu-west-1", &t, &err));
    CHECK_I64(t.min_records, 10);
    CHECK_I64(t.job_bytes_cap, 1000);
}

static void test_start_refuses(void)
{
    static const struct {
        const char *json;
        struct model_settings settings;
        const char *at_fault, *want;
    } cases[] = {
        { "{", { 0 }, "VIDBATCH_MODELS_FILE", "" },
        { ONE("\"quotas\":{\"min_records\":60000}"), { 0 }, "VIDBATCH_MODELS_FILE", "at least twice the fewest" },
        { ONE("\"regions\":{\"eu-west-1\":{\"quotas\":{\"max_records_per_job\":150}}}"),
          { 0 },
          "VIDBATCH_MODELS_FILE",
          "nova-lite-v1:0, 150" },
        { "{\"models\":[]}", { .shard_records = 150 }, "VIDBATCH_SHARD_RECORDS", "VIDBATCH_MIN_RECORDS" },
        { "{\"models\":[]}", { .min_records = 60000 }, "VIDBATCH_MIN_RECORDS", "at least twice" },
        { ONE("\"inference\":{\"top_k_least\":200}"), { 0 }, "VIDBATCH_MODELS_FILE", "inference.top_k_least" },
        { "{\"models\":[{\"id\":\"new.model-v1:0\"}]}",
          { 0 },
          "VIDBATCH_MODELS_FILE",
          "new.model-v1:0: name is missing" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *at_fault = "";
        struct err err = { 0 };
        AUTO(free_models) struct models *models = start(cases[i].json, &cases[i].settings, &at_fault, &err);

        test_case("%s: %s", cases[i].json, err.what);
        CHECK(models == NULL);
        CHECK_I64(err.kind, ERR_INPUT);
        CHECK_TEXT(at_fault, cases[i].at_fault);
        CHECK(strstr(err.what, cases[i].want) != NULL);
    }
    test_case(NULL);
}

static void test_no_file(void)
{
    static const struct model_settings none = { 0 };
    AUTO(free_models) struct models *models = NULL;
    const char *at_fault = "";
    struct err err = { 0 };

    CHECK(models_start("/nowhere/models.json", &none, &at_fault, &err) == NULL);
    CHECK_TEXT(at_fault, MODEL_FROM_FILE);
    CHECK(strstr(err.what, "cannot be read") != NULL);
    err_clear(&err);
    CHECK(models_start("/", &none, &at_fault, &err) == NULL);
    err_clear(&err);
    models = models_start("", &none, &at_fault, &err);
    CHECK(models != NULL);
}

static void test_out_of_memory(void)
{
    static const char json[] = ONE("\"name\":\"x\",\"regions\":{\"eu-west-1\":{\"prices\":{\"source\":\"s\"}}},"
                                   "\"profiles\":[{\"id\":\"xx.amazon.nova-lite-v1:0\",\"geography\":[\"eu-\"]}],"
                                   "\"availability\":{\"in_region\":[\"eu-west-1\"],\"through_profile\":[]}");
    bool laid = false;

    for (uint64_t n = 1; !laid && n < 1000; n++) {
        AUTO(free_models) struct models *models = NULL;
        struct err err = { 0 };

        models = models_builtin(&err);
        if (!CHECK(models != NULL))
            return;
        mem_fail_at(n);
        laid = models_overlay(models, span_of(json), "file", &err);
        mem_fail_never();
        CHECK(laid || err.kind == ERR_MEMORY);
    }
    CHECK(laid);
}

static const struct test tests[] = {
    { "every broken file is refused by the member", test_refusals },
    { "who has the last word", test_precedence },
    { "settings over the file", test_settings },
    { "a start that is refused", test_start_refuses },
    { "no file", test_no_file },
    { "out of memory", test_out_of_memory },
};
TEST_MAIN("models_file", tests)
