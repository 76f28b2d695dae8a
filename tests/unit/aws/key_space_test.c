#include "aws/key_space.h"

#include "server/base/text.h"
#include "tests/support/test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void distances_grow(void)
{
    static const char *const keys[] = { "v/a/0001", "v/a/0002", "v/a/0010", "v/a/0900", "v/a/9000", "v/b/0000", "v/c" };
    struct key_space space;

    key_space_init(&space, 2);
    CHECK(isinf(key_distance(&space, span_of("v/a"), span_of("v/b"))));
    for (size_t i = 0; i < 7; i++)
        key_space_note(&space, span_of(keys[i]));
    key_space_note(&space, span_of("v/3456789"));
    for (size_t i = 0; i + 2 < 7; i++) {
        double near = key_distance(&space, span_of(keys[i]), span_of(keys[i + 1]));
        double far = key_distance(&space, span_of(keys[i]), span_of(keys[i + 2]));
        double end = key_distance(&space, span_of(keys[i]), (struct span){ NULL, 0 });

        test_case("%s", keys[i]);
        CHECK(isfinite(near));
        CHECK(near < far);
        CHECK(far < end);
        CHECK(end <= 0);
    }
    test_case(NULL);
    CHECK(isinf(key_distance(&space, span_of("v/a"), span_of("v/a"))));
}

static unsigned seed = 1;

static unsigned draw(unsigned below)
{
    seed = seed * 1103515245U + 12345U;
    return (seed >> 8) % below;
}

/* A key of characters that are common, rare, forbidden in cuts, or no UTF-8 at all. */
static void draw_key(char *out, size_t size)
{
    static const char *const pieces[] = { "a",
                                          "z",
                                          "0",
                                          "9",
                                          "/",
                                          "%",
                                          "\x01",
                                          "\x7f",
                                          " ",
                                          "\xc3\xa9",
                                          "\xe6\xbc\xa2",
                                          "\xf0\x9f\x98\x80",
                                          "\xef\xbf\xbf",
                                          "\xff",
                                          "m",
                                          "A",
                                          "_",
                                          "~" };
    size_t len = 2 + draw(12);

    snprintf(out, size, "p/");
    for (size_t i = 0; i < len; i++)
        strncat(out, pieces[draw(sizeof(pieces) / sizeof(pieces[0]))], size - strlen(out) - 1);
}

static bool is_clean(struct span cut)
{
    for (size_t i = 2; i < cut.len; i++)
        if ((unsigned char)cut.ptr[i] < 0x20 || cut.ptr[i] == '%' || cut.ptr[i] == 0x7f)
            return false;
    return text_is_utf8(cut) && cut.len <= 1024;
}

/* Whatever the keys and the distance: a cut lies between them, or there is none. */
static void cuts_lie_between(void)
{
    AUTO(buf_done) struct buf cut = { .max = 1024 };
    struct key_space space;
    int found = 0;

    key_space_init(&space, 2);
    for (int i = 0; i < 200000; i++) {
        char a[128], b[128];
        bool has_end = draw(8) != 0;
        struct span low, high;

        draw_key(a, sizeof(a));
        draw_key(b, sizeof(b));
        if (draw(50) == 0)
            key_space_note(&space, span_of(a));
        low = span_of(strcmp(a, b) < 0 ? a : b);
        high = has_end ? span_of(strcmp(a, b) < 0 ? b : a) : (struct span){ NULL, 0 };
        if (key_compare(low, high) == 0 && has_end)
            continue;
        if (!key_cut(&space, low, high, key_distance(&space, low, high) - draw(40) / 8.0, &cut))
            continue;
        found++;
        if (key_compare(low, buf_view(&cut)) >= 0 || (has_end && key_compare(buf_view(&cut), high) >= 0) ||
            !is_clean(buf_view(&cut)) || !span_starts(buf_view(&cut), SPAN_LIT("p/")))
            CHECK(!"a cut that is none");
    }
    CHECK(found > 20000);
}

/* The middle of two numbers is about their middle. */
static void cuts_are_near_the_middle(void)
{
    AUTO(buf_done) struct buf cut = { .max = 1024 };
    struct key_space space;
    struct span low = SPAN_LIT("2000000"), high = SPAN_LIT("6000000");

    key_space_init(&space, 0);
    key_space_note(&space, span_of("0123456789"));
    if (CHECK(key_cut(&space, low, high, key_distance(&space, low, high) - log(2), &cut)))
        CHECK(span_starts(buf_view(&cut), SPAN_LIT("4")));
    CHECK(!key_cut(&space, low, low, 0, &cut));
    CHECK(!key_cut(&space, low, high, -HUGE_VAL, &cut));
    CHECK(!key_cut(&space, SPAN_LIT("a%b"), SPAN_LIT("a%c"), key_distance(&space, SPAN_LIT("a%b"), SPAN_LIT("a%c")),
                   &cut));
}

static const struct test tests[] = { { "distances_grow", distances_grow },
                                     { "cuts_lie_between", cuts_lie_between },
                                     { "cuts_are_near_the_middle", cuts_are_near_the_middle } };

TEST_MAIN("key_space", tests)
