#include "server/work/recipe.h"

#include "tests/support/test.h"

#include <string.h>

static struct recipe plain(void)
{
    return (struct recipe){ .model_id = SPAN_LIT("amazon.nova-lite-v1:0"),
                            .prompt = SPAN_LIT("What is in the video?"),
                            .system = { NULL, 0 } };
}

static bool same(const struct recipe *a, const struct recipe *b)
{
    unsigned char x[32];
    unsigned char y[32];

    recipe_hash(a, x);
    recipe_hash(b, y);
    return memcmp(x, y, sizeof x) == 0;
}

/* Videos are "done" for a recipe by this very hash: a change would make a whole archive new again. */
static void test_form_never_changes(void)
{
    static const unsigned char want[32] = {
        0xc7, 0x09, 0xb6, 0x94, 0xed, 0x0c, 0xa4, 0xfa, 0x3d, 0xef, 0xfa, 0x65, 0xc7, 0x4c, 0x89, 0xb9,
        0x33, 0xbb, 0x44, 0x69, 0x00, 0xe5, 0x98, 0x3d, 0x14, 0x81, 0x14, 0xe0, 0xb3, 0xb2, 0x12, 0x5e,
    }; /* computed with Python's hashlib */
    struct recipe recipe = plain();
    unsigned char got[32];

    recipe.has_temperature = true;
    recipe.temperature = 0.1;
    recipe_hash(&recipe, got);
    test_check_bytes(got, sizeof got, want, sizeof want, "the hash of a known recipe", TEST_HERE);
}

static void test_same_question(void)
{
    struct recipe a = plain();
    struct recipe b = plain();

    CHECK(same(&a, &b));
    b.system = SPAN_LIT("");
    b.top_k = 5; /* not has_top_k: the number says nothing */
    CHECK(same(&a, &b));
    a.has_top_p = b.has_top_p = true;
    a.top_p = -0.0;
    b.top_p = 0.0;
    CHECK(same(&a, &b));
}

static void test_every_part_counts(void)
{
    struct recipe base = plain();
    struct recipe others[9];

    for (int i = 0; i < 9; i++)
        others[i] = base;
    others[0].model_id = SPAN_LIT("amazon.nova-pro-v1:0");
    others[1].prompt = SPAN_LIT("What is in the video? ");
    others[2].system = SPAN_LIT("Be brief.");
    others[3].has_max_tokens = true; /* 0 given is not the same as nothing given */
    others[4].has_temperature = true;
    others[5].has_top_p = true;
    others[6].has_top_k = true;
    others[7].has_temperature = true;
    others[7].temperature = 1e-300;
    others[8].prompt = base.model_id; /* swapped texts */
    others[8].model_id = base.prompt;
    for (int i = 0; i < 9; i++) {
        test_case("part %d", i);
        CHECK(!same(&base, &others[i]));
        for (int j = 0; j < i; j++)
            CHECK(!same(&others[j], &others[i]));
    }
    test_case(NULL);
}

static const struct test tests[] = {
    { "its form never changes", test_form_never_changes },
    { "what does not matter does not count", test_same_question },
    { "every part counts", test_every_part_counts },
};
TEST_MAIN("recipe", tests)
