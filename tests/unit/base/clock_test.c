#include "server/base/clock.h"

#include "tests/support/test.h"

#include <time.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void written(void)
{
    static const struct {
        int64_t ms;
        const char *rfc3339;
        const char *http;
    } cases[] = {
        { 0, "1970-01-01T00:00:00.000Z", "Thu, 01 Jan 1970 00:00:00 GMT" },
        { -1, "1969-12-31T23:59:59.999Z", "Wed, 31 Dec 1969 23:59:59 GMT" },
        { INT64_C(784111777000), "1994-11-06T08:49:37.000Z", "Sun, 06 Nov 1994 08:49:37 GMT" },
        { INT64_C(1793534400123), "2026-11-01T12:00:00.123Z", "Sun, 01 Nov 2026 12:00:00 GMT" },
        { INT64_C(1709164800000), "2024-02-29T00:00:00.000Z", "Thu, 29 Feb 2024 00:00:00 GMT" },
        { INT64_C(253402300799999), "9999-12-31T23:59:59.999Z", "Fri, 31 Dec 9999 23:59:59 GMT" },
        { INT64_MAX, "9999-12-31T23:59:59.999Z", "Fri, 31 Dec 9999 23:59:59 GMT" },
        { INT64_MIN, "0000-01-01T00:00:00.000Z", "Sat, 01 Jan 0000 00:00:00 GMT" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[CLOCK_RFC3339_SIZE] = "";

        test_case("%lld", (long long)cases[i].ms);
        clock_rfc3339(cases[i].ms, text);
        CHECK_TEXT(text, cases[i].rfc3339);
        clock_http_date(cases[i].ms, text);
        CHECK_TEXT(text, cases[i].http);
    }
}

static void rfc3339_read(void)
{
    static const struct {
        const char *in;
        bool ok;
        int64_t want;
    } cases[] = {
        { "1970-01-01T00:00:00Z", true, 0 },
        { "1970-01-01t00:00:00z", true, 0 },
        { "2026-11-01T12:00:00.123Z", true, INT64_C(1793534400123) },
        { "2026-11-01T12:00:00.1Z", true, INT64_C(1793534400100) },
        { "2026-11-01T12:00:00.123999999999999999999Z", true, INT64_C(1793534400123) },
        { "2026-11-01T14:30:00.123+02:30", true, INT64_C(1793534400123) },
        { "2026-11-01T07:00:00-05:00", true, INT64_C(1793534400000) },
        { "2026-11-01T12:00:00-00:00", true, INT64_C(1793534400000) },
        { "2016-12-31T23:59:60Z", true, INT64_C(1483228800000) },
        { "2024-02-29T00:00:00Z", true, INT64_C(1709164800000) },
        { "2000-02-29T00:00:00Z", true, INT64_C(951782400000) },
        { "0000-01-01T00:00:00Z", true, INT64_C(-62167219200000) },
        { "9999-12-31T23:59:59.999Z", true, INT64_C(253402300799999) },
        { "2023-02-29T00:00:00Z", false, 0 },
        { "1900-02-29T00:00:00Z", false, 0 },
        { "2026-00-01T00:00:00Z", false, 0 },
        { "2026-13-01T00:00:00Z", false, 0 },
        { "2026-01-00T00:00:00Z", false, 0 },
        { "2026-04-31T00:00:00Z", false, 0 },
        { "2026-01-01T24:00:00Z", false, 0 },
        { "2026-01-01T00:60:00Z", false, 0 },
        { "2026-01-01T00:00:61Z", false, 0 },
        { "2026-01-01T00:00:00", false, 0 },
        { "2026-01-01T00:00:00.Z", false, 0 },
        { "2026-01-01T00:00:00+24:00", false, 0 },
        { "2026-01-01T00:00:00+00:60", false, 0 },
        { "2026-01-01T00:00:00+0000", false, 0 },
        { "2026-01-01T00:00:00Zx", false, 0 },
        { "2026-01-01T00:00:00Z ", false, 0 },
        { "2026-01-01 00:00:00Z", false, 0 },
        { "2026-1-01T00:00:00Z", false, 0 },
        { "26-01-01T00:00:00Z", false, 0 },
        { "2026-01-01", false, 0 },
        { "", false, 0 },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t got = -77;

        test_case("%s", cases[i].in);
        CHECK(clock_parse_rfc3339(span_of(cases[i].in), &got) == cases[i].ok);
        CHECK_I64(got, cases[i].ok ? cases[i].want : -77);
    }
    test_case(NULL);
    CHECK(!clock_parse_rfc3339((struct span){ "2026-01-01T00:00:00Z\0", 21 }, &(int64_t){ 0 }));
    CHECK(!clock_parse_rfc3339((struct span){ "2026-01-01\0"
                                              "00:00:00Z",
                                              20 },
                               &(int64_t){ 0 }));
}

static void http_date_read(void)
{
    static const struct {
        const char *in;
        bool ok;
        int64_t want;
    } cases[] = {
        { "Sun, 06 Nov 1994 08:49:37 GMT", true, INT64_C(784111777000) },
        { "Thu, 29 Feb 2024 00:00:00 GMT", true, INT64_C(1709164800000) },
        { "Mon, 06 Nov 1994 08:49:37 GMT", false, 0 }, /* it was a Sunday */
        { "sun, 06 nov 1994 08:49:37 gmt", false, 0 },
        { "Sun, 6 Nov 1994 08:49:37 GMT", false, 0 },
        { "Sun, 06 Nov 1994 08:49:37 UTC", false, 0 },
        { "Sun, 06 Nov 1994 08:49:37 GMT ", false, 0 },
        { "Sun, 06 Nov 1994 08:49:60 GMT", false, 0 },
        { "Thu, 30 Feb 2024 00:00:00 GMT", false, 0 },
        { "Sunday, 06-Nov-94 08:49:37 GMT", false, 0 },
        { "Sun Nov  6 08:49:37 1994", false, 0 },
        { "", false, 0 },
        { "Sun,", false, 0 },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t got = -77;

        test_case("%s", cases[i].in);
        CHECK(clock_parse_http_date(span_of(cases[i].in), &got) == cases[i].ok);
        CHECK_I64(got, cases[i].ok ? cases[i].want : -77);
    }
}

/* What is written is read back, over all years. */
static void round_trip(void)
{
    int64_t wrong = 0;

    for (int64_t ms = INT64_C(-62167219200000); ms < INT64_C(253402300799999); ms += INT64_C(86399) * 1000 * 97 + 7) {
        char text[CLOCK_RFC3339_SIZE] = "";
        int64_t again = 0;

        clock_rfc3339(ms, text);
        wrong += clock_parse_rfc3339(span_of(text), &again) && again == ms ? 0 : 1;
        clock_http_date(ms, text);
        wrong += clock_parse_http_date(span_of(text), &again) && again <= ms && ms - again < 1000 ? 0 : 1;
    }
    CHECK_I64(wrong, 0);
}

static void clocks_run(void)
{
    int64_t before = clock_mono_ms();
    int64_t after = 0;

    CHECK(clock_wall_ms() > INT64_C(1700000000000));
    while ((after = clock_mono_ms()) == before)
        ; /* the monotonic clock moves on by itself, and only forward */
    CHECK(after > before);
}

static void *sleep_a_bit(void *arg)
{
    const struct timespec pause = { 0, 100 * 1000000L };

    (void)nanosleep(&pause, NULL);
    return arg;
}

static void a_thread_is_joined_in_time(void)
{
    const int64_t start = clock_mono_ms();
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, sleep_a_bit, NULL) == 0);
    CHECK(!clock_join(thread, start - 1));
    CHECK(!clock_join(thread, start + 20));
    CHECK(clock_mono_ms() >= start + 20);
    CHECK(clock_join(thread, start + 30000));
    CHECK(clock_mono_ms() < start + 20000);
}

static const struct test tests[] = {
    { "written", written },
    { "rfc3339_read", rfc3339_read },
    { "http_date_read", http_date_read },
    { "round_trip", round_trip },
    { "clocks_run", clocks_run },
    { "a_thread_is_joined_in_time", a_thread_is_joined_in_time },
};

TEST_MAIN("clock", tests)
