/* Money in millionths. */
#include "server/base/money.h"
#include "tests/support/test.h"

#include <inttypes.h>

static void formats(void)
{
    static const struct {
        int64_t micros;
        const char *text;
    } cases[] = { { 0, "0.000000" },
                  { 70, "0.000070" },
                  { 1234567, "1.234567" },
                  { 250000000, "250.000000" },
                  { INT64_MAX, "9223372036854.775807" } };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char out[MONEY_SIZE];
        int64_t back = -1;

        money_format(cases[i].micros, out);
        CHECK_TEXT(out, cases[i].text);
        CHECK(money_parse(span_of(out), &back));
        CHECK_I64(back, cases[i].micros);
    }
}

static void parses(void)
{
    static const struct {
        const char *text;
        int64_t micros; /* -1: refused */
    } cases[] = {
        { "12", 12000000 },
        { "0.5", 500000 },
        { "007.10", 7100000 },
        { "0", 0 },
        { "0.000001", 1 },
        { "9223372036854.775807", INT64_MAX },
        { "", -1 },
        { ".", -1 },
        { ".5", -1 },
        { "5.", -1 },
        { "1.2.3", -1 },
        { "0.0000001", -1 },
        { "-1", -1 },
        { "+1", -1 },
        { " 1", -1 },
        { "1 ", -1 },
        { "1e3", -1 },
        { "1,5", -1 },
        { "NaN", -1 },
        { "9223372036854.775808", -1 },
        { "99999999999999999999", -1 },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t got = -1;

        test_case("'%s'", cases[i].text);
        CHECK(money_parse(span_of(cases[i].text), &got) == (cases[i].micros >= 0));
        CHECK_I64(got, cases[i].micros);
    }
    test_case(NULL);
}

static const struct test tests[] = { { "formats", formats }, { "parses", parses } };
TEST_MAIN("base/money", tests)
