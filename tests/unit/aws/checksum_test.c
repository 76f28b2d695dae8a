/* Values from outside: the check values of the catalogue of CRCs ("123456789"), FIPS 180, and what boto3 sends. */
#include "aws/checksum.h"

#include "server/base/text.h"
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    enum checksum_kind kind;
    const char *bytes, *want;
} vectors[] = {
    { CHECKSUM_CRC32, "123456789", "y/Q5Jg==" },         /* cbf43926 */
    { CHECKSUM_CRC32C, "123456789", "4waSgw==" },        /* e3069283 */
    { CHECKSUM_CRC64NVME, "123456789", "rosUhgp5mIg=" }, /* ae8b14860a799888 */
    { CHECKSUM_CRC32, "hello", "NhCmhg==" },
    { CHECKSUM_CRC64NVME, "hello", "M3eFcAZSQlc=" },
    { CHECKSUM_CRC32, "", "AAAAAA==" },
    { CHECKSUM_CRC32C, "", "AAAAAA==" },
    { CHECKSUM_CRC64NVME, "", "AAAAAAAAAAA=" },
    { CHECKSUM_SHA1, "abc", "qZk+NkcGgWq6PiVxeFDCbJzQ2J0=" },
    { CHECKSUM_SHA256, "abc", "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=" },
    { CHECKSUM_SHA256, "", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" },
};

static void test_vectors(void)
{
    struct checksum sum = { 0 };

    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        char got[CHECKSUM_TEXT_SIZE];
        struct err err = { 0 };

        test_case("%s of '%s'", checksum_name(vectors[i].kind), vectors[i].bytes);
        if (!CHECK(checksum_begin(&sum, vectors[i].kind, &err)))
            continue;
        checksum_add(&sum, span_of(vectors[i].bytes));
        checksum_end(&sum, got);
        CHECK_TEXT(got, vectors[i].want);
        if (vectors[i].kind <= CHECKSUM_CRC32C) {
            checksum_of(vectors[i].kind, span_of(vectors[i].bytes), got);
            CHECK_TEXT(got, vectors[i].want);
        }
    }
    checksum_done(&sum);
    test_case(NULL);
}

/* However the bytes are cut into pieces, the value is the same. */
static void test_pieces(void)
{
    static char bytes[5000];

    srand(7);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)rand();
    for (int kind = 1; kind < CHECKSUM_KINDS; kind++)
        for (int round = 0; round < 50; round++) {
            struct checksum whole = { 0 }, pieces = { 0 };
            char want[CHECKSUM_TEXT_SIZE], got[CHECKSUM_TEXT_SIZE];
            struct err err = { 0 };

            test_case("%s %d", checksum_name((enum checksum_kind)kind), round);
            CHECK(checksum_begin(&whole, (enum checksum_kind)kind, &err));
            CHECK(checksum_begin(&pieces, (enum checksum_kind)kind, &err));
            checksum_add(&whole, (struct span){ bytes, sizeof(bytes) });
            for (size_t at = 0; at < sizeof(bytes);) {
                size_t len = (size_t)rand() % 700;

                len = len < sizeof(bytes) - at ? len : sizeof(bytes) - at;
                checksum_add(&pieces, (struct span){ bytes + at, len });
                at += len;
            }
            checksum_end(&whole, want);
            checksum_end(&pieces, got);
            CHECK_TEXT(got, want);
            checksum_done(&whole);
            checksum_done(&pieces);
        }
    test_case(NULL);
}

static void test_headers(void)
{
    static const struct {
        const char *name, *value;
        enum checksum_kind want;
    } rows[] = {
        { "x-amz-checksum-crc32", "NhCmhg==", CHECKSUM_CRC32 },
        { "X-Amz-Checksum-CRC64NVME", "M3eFcAZSQlc=", CHECKSUM_CRC64NVME },
        { "x-amz-checksum-crc32c", "4waSgw==", CHECKSUM_CRC32C },
        { "x-amz-checksum-sha1", "qZk+NkcGgWq6PiVxeFDCbJzQ2J0=", CHECKSUM_SHA1 },
        { "x-amz-checksum-sha256", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", CHECKSUM_SHA256 },
        { "x-amz-checksum-sha256", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=-3", CHECKSUM_NONE },
        { "x-amz-checksum-crc32", "NhCm-3==", CHECKSUM_NONE },
        { "x-amz-checksum-crc32", "", CHECKSUM_NONE },
        { "x-amz-checksum-crc32", "NhCmhg", CHECKSUM_NONE },
        { "x-amz-checksum-type", "COMPOSITE", CHECKSUM_NONE },
        { "x-amz-checksum-md5", "XUFAKrxLKna5cZ2REBfFkg==", CHECKSUM_NONE },
        { "x-amz-checksum-", "NhCmhg==", CHECKSUM_NONE },
        { "etag", "NhCmhg==", CHECKSUM_NONE },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        test_case("%s: %s", rows[i].name, rows[i].value);
        CHECK_I64(checksum_of_header(span_of(rows[i].name), span_of(rows[i].value)), rows[i].want);
    }
    test_case(NULL);
}

static const struct test tests[] = { { "vectors", test_vectors },
                                     { "pieces", test_pieces },
                                     { "headers", test_headers } };
TEST_MAIN("checksum", tests)
