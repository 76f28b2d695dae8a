/* How many may be asked for now, and whether this shard is among them. */
#include "server/work/slots.h"
#include "tests/support/test.h"

enum { LIMIT = 10 };

static const struct {
    const char *about;
    struct slot_view view;
    long long room;
    bool given, probe;
    long long again_ms;
} cases[] = {
    { "nothing runs", { .in_flight = 0, .position = 1 }, 10, true, false, 0 },
    { "the last slot", { .in_flight = 9, .position = 1 }, 1, true, false, 0 },
    { "behind the last slot", { .in_flight = 9, .position = 2 }, 1, false, false, 0 },
    { "all taken", { .in_flight = 10, .position = 1 }, 0, false, false, 0 },
    { "more than all taken, for the limit was lowered", { .in_flight = 12, .position = 1 }, 0, false, false, 0 },
    { "it does not wait", { .in_flight = 0, .position = 0 }, 10, false, false, 0 },
    { "refused by quota at 4, at 4 still",
      { .in_flight = 4, .position = 1, .is_refused = true, .refused_in_flight = 4, .refused_for_ms = 700 },
      0,
      false,
      false,
      700 },
    { "refused by quota at 4, one has ended since",
      { .in_flight = 3, .position = 1, .is_refused = true, .refused_in_flight = 4, .refused_for_ms = 700 },
      1,
      true,
      false,
      0 },
    { "the same, second in the queue",
      { .in_flight = 3, .position = 2, .is_refused = true, .refused_in_flight = 4, .refused_for_ms = 700 },
      1,
      false,
      false,
      700 },
    { "the refusal is over: one finds out",
      { .in_flight = 4, .position = 1, .is_refused = true, .refused_in_flight = 4, .refused_for_ms = 0 },
      1,
      true,
      true,
      0 },
    { "and only one",
      { .in_flight = 4, .position = 2, .is_refused = true, .refused_in_flight = 4, .refused_for_ms = -5 },
      1,
      false,
      false,
      0 },
    { "over, and one has ended: the first is no question",
      { .in_flight = 3, .position = 1, .is_refused = true, .refused_in_flight = 4, .refused_for_ms = 0 },
      2,
      true,
      false,
      0 },
    { "over, and one has ended: the second finds out",
      { .in_flight = 3, .position = 2, .is_refused = true, .refused_in_flight = 4, .refused_for_ms = 0 },
      2,
      true,
      true,
      0 },
    { "refused at the limit of the table, over",
      { .in_flight = 10, .position = 1, .is_refused = true, .refused_in_flight = 10, .refused_for_ms = 0 },
      0,
      false,
      false,
      0 },
    { "refused with none of ours there",
      { .in_flight = 0, .position = 1, .is_refused = true, .refused_in_flight = 0, .refused_for_ms = 90 },
      0,
      false,
      false,
      90 },
    { "throttled",
      { .in_flight = 3,
        .position = 1,
        .is_refused = true,
        .is_throttled = true,
        .refused_in_flight = 9,
        .refused_for_ms = 50 },
      0,
      false,
      false,
      50 },
    { "throttling is over: one finds out",
      { .in_flight = 3, .position = 1, .is_refused = true, .is_throttled = true, .refused_in_flight = 9 },
      1,
      true,
      true,
      0 },
    { "and only one then",
      { .in_flight = 3, .position = 2, .is_refused = true, .is_throttled = true, .refused_in_flight = 9 },
      1,
      false,
      false,
      0 },
};

static void rule(void)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct slot_verdict verdict;

        test_case("%s", cases[i].about);
        slots_judge(&cases[i].view, LIMIT, &verdict);
        CHECK_I64(verdict.room, cases[i].room);
        CHECK(verdict.is_given == cases[i].given);
        CHECK(verdict.is_probe == cases[i].probe);
        CHECK_I64(verdict.again_ms, cases[i].again_ms);
    }
    test_case(NULL);
}

static const struct test tests[] = { { "rule", rule } };
TEST_MAIN("slots", tests)
