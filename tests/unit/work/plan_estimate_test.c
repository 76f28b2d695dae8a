/* Tokens and money of a plan. */
#include "server/work/plan_estimate.h"
#include "tests/support/test.h"

static struct model_terms terms_of_lite(void)
{
    static struct models *models; /* for the life of the test program */
    struct model_terms terms = { 0 };
    struct err err = { 0 };

    if (!models)
        models = models_builtin(&err);
    CHECK(models && models_terms(models, SPAN_LIT("amazon.nova-lite-v1:0"), "us-east-1", &terms, &err));
    return terms;
}

static void raw(void)
{
    static const struct {
        struct plan_totals totals;
        struct plan_question question;
        int64_t input, output;
    } cases[] = {
        { { .records = 1, .frames = 10 }, { 40, 0 }, 288 * 10 + 10, 300 },
        { { .records = 1, .frames = 10 }, { 41, 100 }, 288 * 10 + 11, 100 },
        { { .records = 2, .frames = 10, .unknown = 1 }, { 4, 0 }, 288 * (10 + 960) + 2, 600 },
        { { .records = 1, .unknown = 1 }, { 1, 99999 }, 288 * 960 + 1, 300 },
        { { .records = 1000000, .unknown = 1000000 },
          { 100000, 0 },
          INT64_C(288) * 960 * 1000000 + 25000000000,
          300000000 },
        { { 0 }, { 40, 0 }, 0, 0 },
    };
    const struct model_terms terms = terms_of_lite();

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        test_case("%zu", i);
        CHECK_I64(plan_raw_input(&terms, &cases[i].question, &cases[i].totals), cases[i].input);
        CHECK_I64(plan_raw_output(&terms, &cases[i].question, cases[i].totals.records), cases[i].output);
    }
    test_case(NULL);
}

static void is_ordered(const struct plan_range *range)
{
    CHECK(0 <= range->low && range->low <= range->expected && range->expected <= range->high);
}

static void ranges(void)
{
    /* nothing learned; half of what was estimated; twice; nonsense, which is bounded */
    static const struct estimate_fit fits[] = { { 0 },
                                                { 10, 1000, 500, 1000, 500 },
                                                { 10, 1000, 2000, 1000, 2000 },
                                                { 1, 1, 1000000, 1, 1000000 },
                                                { 1, 1000000, 1, 1000000, 1 } };
    const struct plan_totals totals = { .records = 100, .frames = 3000, .unknown = 7 };
    const struct plan_question question = { 400, 500 };
    const struct model_terms terms = terms_of_lite();

    for (size_t i = 0; i < sizeof fits / sizeof fits[0]; i++) {
        struct plan_estimate e;

        test_case("%zu", i);
        plan_estimate(&terms, &question, &totals, &fits[i], false, &e);
        is_ordered(&e.input);
        is_ordered(&e.output);
        CHECK(e.has_cost);
        is_ordered(&e.cost);
        is_ordered(&e.on_demand);
        CHECK(e.cost.high < e.on_demand.high);
        CHECK_I64(e.output.high, 100 * 500);
        CHECK_I64(e.based_on, fits[i].records);
        plan_estimate(&terms, &question, &totals, &fits[i], true, &e);
        CHECK_I64(e.cost.expected, e.on_demand.expected);
    }
    test_case(NULL);
}

static void corrects(void)
{
    const struct plan_totals totals = { .records = 100, .frames = 3000 };
    const struct plan_question question = { 400, 5000 };
    const struct model_terms terms = terms_of_lite();
    const struct estimate_fit fit = { 50, 1000, 1250, 1000, 500 };
    struct plan_estimate plain, corrected;

    plan_estimate(&terms, &question, &totals, &(struct estimate_fit){ 0 }, false, &plain);
    plan_estimate(&terms, &question, &totals, &fit, false, &corrected);
    CHECK_I64(plain.input.expected, 288 * 3000 + 100 * 100);
    CHECK_I64(corrected.input.expected, plain.input.expected * 5 / 4);
    CHECK_I64(corrected.output.expected, plain.output.expected / 2);
    CHECK(corrected.factor_input > 1.24 && corrected.factor_input < 1.26);
    CHECK(corrected.error_percent > 19.9 && corrected.error_percent < 20.1);
    CHECK(plain.factor_input == 1 && plain.error_percent == 0 && plain.based_on == 0);
}

static void no_price(void)
{
    const struct plan_totals totals = { .records = 100, .frames = 3000 };
    struct model_terms terms = terms_of_lite();
    struct plan_estimate e;

    terms.prices.batch_output = -1;
    plan_estimate(&terms, &(struct plan_question){ 4, 0 }, &totals, &(struct estimate_fit){ 0 }, false, &e);
    CHECK(!e.has_cost && e.has_on_demand && e.input.expected > 0);
    terms = terms_of_lite();
    terms.prices.on_demand_input = -1;
    plan_estimate(&terms, &(struct plan_question){ 4, 0 }, &totals, &(struct estimate_fit){ 0 }, false, &e);
    CHECK(e.has_cost && !e.has_on_demand && e.cost.high > 0);
}

static const struct test tests[] = {
    { "raw", raw }, { "ranges", ranges }, { "corrects", corrects }, { "no price", no_price }
};
TEST_MAIN("work/plan_estimate", tests)
