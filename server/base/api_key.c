#include "server/base/api_key.h"

#include "server/base/text.h"

#include <openssl/crypto.h>
#include <string.h>

static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
enum { BASE = 62, SECRET_AT = 3 + ID_DIGITS + 1, CHECKSUM_AT = SECRET_AT + API_KEY_SECRET };

static const int64_t id_epoch_ms = 1577836800000; /* as next_id() of the first migration counts */
enum { ID_RANDOM_BITS = 22 };

/* CRC-32 as in zip and PNG. A few dozen bytes, so no table. */
static uint32_t crc32_of(const char *bytes, size_t len)
{
    uint32_t crc = 0xffffffff;

    for (size_t i = 0; i < len; i++) {
        crc ^= (unsigned char)bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0xedb88320 & -(crc & 1));
    }
    return ~crc;
}

static void put_checksum(const char *text, char out[API_KEY_CHECKSUM])
{
    uint32_t left = crc32_of(text, CHECKSUM_AT);

    for (size_t i = API_KEY_CHECKSUM; i-- > 0;) {
        out[i] = digits[left % BASE];
        left /= BASE;
    }
}

/* Every digit as likely as any other: of 256 values those above 4 * 62 are thrown away. */
static void put_secret(char out[API_KEY_SECRET])
{
    unsigned char bytes[API_KEY_SECRET];
    size_t len = 0;

    while (len < API_KEY_SECRET) {
        text_random(bytes, sizeof bytes);
        for (size_t i = 0; i < sizeof bytes && len < API_KEY_SECRET; i++)
            if (bytes[i] < 4 * BASE)
                out[len++] = digits[bytes[i] % BASE];
    }
    OPENSSL_cleanse(bytes, sizeof bytes);
}

void api_key_renew(int64_t id, char text[API_KEY_SIZE], unsigned char hash[API_KEY_HASH])
{
    char name[ID_SIZE];

    id_format("vb_", id, name);
    memcpy(text, name, SECRET_AT - 1);
    text[SECRET_AT - 1] = '_';
    put_secret(text + SECRET_AT);
    put_checksum(text, text + CHECKSUM_AT);
    text[API_KEY_LENGTH] = '\0';
    text_sha256(text + SECRET_AT, API_KEY_SECRET, hash);
}

void api_key_new(int64_t now_ms, int64_t *id, char text[API_KEY_SIZE], unsigned char hash[API_KEY_HASH])
{
    const int64_t age_ms = now_ms > id_epoch_ms ? now_ms - id_epoch_ms : 0; /* a clock that is far behind */
    uint32_t random = 0;

    text_random(&random, sizeof random);
    *id = age_ms << ID_RANDOM_BITS | (random & ((1U << ID_RANDOM_BITS) - 1));
    api_key_renew(*id, text, hash);
}

static bool is_digit(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool api_key_parse(struct span text, int64_t *id, unsigned char hash[API_KEY_HASH])
{
    char checksum[API_KEY_CHECKSUM];
    int64_t found = 0;

    if (text.len != API_KEY_LENGTH || text.ptr[SECRET_AT - 1] != '_' ||
        !id_parse("vb_", span_head(text, SECRET_AT - 1), &found))
        return false;
    for (size_t i = SECRET_AT; i < API_KEY_LENGTH; i++)
        if (!is_digit(text.ptr[i]))
            return false;
    put_checksum(text.ptr, checksum);
    if (memcmp(checksum, text.ptr + CHECKSUM_AT, sizeof checksum) != 0)
        return false;
    *id = found;
    text_sha256(text.ptr + SECRET_AT, API_KEY_SECRET, hash);
    return true;
}

bool api_key_hash_equal(const unsigned char one[API_KEY_HASH], const unsigned char other[API_KEY_HASH])
{
    return CRYPTO_memcmp(one, other, API_KEY_HASH) == 0;
}

void api_key_wipe(char text[API_KEY_SIZE])
{
    OPENSSL_cleanse(text, API_KEY_SIZE);
}
