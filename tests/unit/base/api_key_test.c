/* The form of API keys: what is made is read back, and nothing else is read. */
#include "server/base/api_key.h"

#include "server/base/text.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

/* Of no service: the secret is thirty times the letter A. CRC-32 of "vb_00000000001_AAA..." by Python's zlib, in
 * base 62. */
#define GOOD "vb_00000000001_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA4fWRe9"

static void keys_are_read(void)
{
    static const struct {
        const char *text;
        int64_t id; /* -1: refused */
    } cases[] = {
        { GOOD, 1 },
        { "", -1 },
        { "vb_", -1 },
        { "vb_00000000001_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA4fWRe", -1 }, /* cut */
        { GOOD "0", -1 },                                             /* longer */
        { " " GOOD, -1 },
        { "vb_00000000002_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA4fWRe9", -1 }, /* mistyped id */
        { "vb_00000000001_AAAAAAAAAAAAABAAAAAAAAAAAAAAAA4fWRe9", -1 }, /* mistyped secret */
        { "vb_00000000001_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA4fWRe0", -1 }, /* mistyped checksum */
        { "VB_00000000001_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA4fWRe9", -1 },
        { "vb-00000000001_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA4fWRe9", -1 },
        { "vb_00000000001-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA4fWRe9", -1 },
        { "vb_00000000001_AAAAAAAAAAAAAAAAAAAAAAAAAAAAA-4fWRe9", -1 },
        { "vb_zzzzzzzzzzz_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA4fWRe9", -1 }, /* an id beyond 64 bits */
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsigned char hash[API_KEY_HASH] = { 0 }, want[API_KEY_HASH];
        int64_t id = -1;

        test_case("%s", cases[i].text);
        CHECK_I64(api_key_parse(span_of(cases[i].text), &id, hash), cases[i].id >= 0);
        CHECK_I64(id, cases[i].id);
        if (cases[i].id < 0)
            continue;
        text_sha256("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", API_KEY_SECRET, want);
        CHECK(api_key_hash_equal(hash, want));
    }
}

static void new_keys_are_read_back(void)
{
    char text[API_KEY_SIZE], other[API_KEY_SIZE];
    unsigned char hash[API_KEY_HASH], read[API_KEY_HASH];
    int64_t id = 0, other_id = 0;

    for (int i = 0; i < 1000; i++) {
        api_key_new(1795780800000, &id, text, hash);
        CHECK_I64(strlen(text), API_KEY_LENGTH);
        CHECK_I64(id >> 22, 1795780800000 - 1577836800000);
        CHECK(api_key_parse(span_of(text), &other_id, read) && other_id == id && api_key_hash_equal(hash, read));
        api_key_renew(id, other, read);
        CHECK(strncmp(text, other, 15) == 0 && strcmp(text, other) != 0 && !api_key_hash_equal(hash, read));
    }
    api_key_new(-5, &id, text, hash);
    CHECK(id >= 0);
    api_key_wipe(text);
    for (size_t i = 0; i < sizeof text; i++)
        CHECK_I64(text[i], 0);
}

/* A wrong digit anywhere is noticed: CRC-32 finds every error within 32 bits. */
static void every_single_mistake_is_noticed(void)
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_- ";
    char text[API_KEY_SIZE];
    unsigned char hash[API_KEY_HASH];
    int64_t id = 0;
    int accepted = 0;

    api_key_new(1795780800000, &id, text, hash);
    for (size_t at = 0; at < API_KEY_LENGTH; at++) {
        const char right = text[at];

        for (const char *d = digits; *d; d++) {
            text[at] = *d;
            accepted += *d != right && api_key_parse(span_of(text), &id, hash);
        }
        text[at] = right;
    }
    CHECK_I64(accepted, 0);
}

/* Every digit comes, about as often as any other: 60,000 draws of 62, so 968 each, with a deviation of 31. */
static void secrets_are_even(void)
{
    int seen[256] = { 0 };
    char text[API_KEY_SIZE];
    unsigned char hash[API_KEY_HASH];
    int different = 0;

    for (int i = 0; i < 2000; i++) {
        api_key_renew(7, text, hash);
        for (size_t k = 15; k < 15 + API_KEY_SECRET; k++)
            seen[(unsigned char)text[k]]++;
    }
    for (int c = 0; c < 256; c++) {
        different += seen[c] > 0;
        CHECK(seen[c] == 0 || (seen[c] > 750 && seen[c] < 1200));
    }
    CHECK_I64(different, 62);
}

static const struct test tests[] = {
    { "keys are read", keys_are_read },
    { "new keys are read back", new_keys_are_read_back },
    { "every single mistake is noticed", every_single_mistake_is_noticed },
    { "secrets are even", secrets_are_even },
};
TEST_MAIN("base/api_key", tests)
