#include "aws/checksum.h"

#include "server/base/buf.h"
#include "server/base/text.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <zlib.h>

static const struct {
    const char *header, *name;
    size_t bytes;
} kinds[CHECKSUM_KINDS] = {
    [CHECKSUM_CRC64NVME] = { "x-amz-checksum-crc64nvme", "CRC64NVME", 8 },
    [CHECKSUM_CRC32] = { "x-amz-checksum-crc32", "CRC32", 4 },
    [CHECKSUM_CRC32C] = { "x-amz-checksum-crc32c", "CRC32C", 4 },
    [CHECKSUM_SHA1] = { "x-amz-checksum-sha1", "SHA1", 20 },
    [CHECKSUM_SHA256] = { "x-amz-checksum-sha256", "SHA256", 32 },
};

const char *checksum_header(enum checksum_kind kind)
{
    return kinds[kind].header;
}

const char *checksum_name(enum checksum_kind kind)
{
    return kinds[kind].name;
}

enum checksum_kind checksum_of_header(struct span name, struct span value)
{
    for (int kind = CHECKSUM_NONE + 1; kind < CHECKSUM_KINDS; kind++)
        if (span_eq_nocase(name, span_of(kinds[kind].header)) && value.len == (kinds[kind].bytes + 2) / 3 * 4 &&
            span_find(value, '-') == value.len)
            return (enum checksum_kind)kind;
    return CHECKSUM_NONE;
}

/* ---- CRCs that zlib does not have: eight bytes at a time, with a table for each ---- */

enum { SLICES = 8 };
struct crc_tables {
    uint64_t at[SLICES][256];
};
static struct crc_tables crc32c_tables, crc64nvme_tables;
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

/* polynomial: bits reflected */
static void make_tables(struct crc_tables *t, uint64_t polynomial)
{
    for (unsigned i = 0; i < 256; i++) {
        uint64_t crc = i;

        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ polynomial : crc >> 1;
        t->at[0][i] = crc;
    }
    for (int slice = 1; slice < SLICES; slice++)
        for (unsigned i = 0; i < 256; i++)
            t->at[slice][i] = t->at[0][t->at[slice - 1][i] & 0xFF] ^ t->at[slice - 1][i] >> 8;
}

static void make_all_tables(void)
{
    make_tables(&crc32c_tables, 0x82F63B78);
    make_tables(&crc64nvme_tables, 0x9A6C9329AC4BC9B5);
}

static uint64_t eight_bytes(const unsigned char *b)
{
    uint64_t word = 0;

    for (int i = 7; i >= 0; i--)
        word = word << 8 | b[i];
    return word;
}

/* crc: inverted, as it is kept between pieces */
static uint64_t crc_add(const struct crc_tables *t, uint64_t crc, struct span bytes)
{
    const unsigned char *b = (const unsigned char *)bytes.ptr;
    size_t left = bytes.len;

    for (; left >= 8; left -= 8, b += 8) {
        crc ^= eight_bytes(b);
        crc = t->at[7][crc & 0xFF] ^ t->at[6][crc >> 8 & 0xFF] ^ t->at[5][crc >> 16 & 0xFF] ^
              t->at[4][crc >> 24 & 0xFF] ^ t->at[3][crc >> 32 & 0xFF] ^ t->at[2][crc >> 40 & 0xFF] ^
              t->at[1][crc >> 48 & 0xFF] ^ t->at[0][crc >> 56];
    }
    for (; left > 0; left--, b++)
        crc = t->at[0][(crc ^ *b) & 0xFF] ^ crc >> 8;
    return crc;
}

/* ---- one that is being computed ---- */

static void begin_crc(struct checksum *sum, enum checksum_kind kind)
{
    pthread_once(&tables_once, make_all_tables);
    sum->kind = kind;
    sum->crc = kind == CHECKSUM_CRC64NVME ? UINT64_MAX : kind == CHECKSUM_CRC32C ? UINT32_MAX : 0;
}

bool checksum_begin(struct checksum *sum, enum checksum_kind kind, struct err *err)
{
    begin_crc(sum, kind);
    if (kind != CHECKSUM_SHA1 && kind != CHECKSUM_SHA256)
        return true;
    if (!sum->digest && !(sum->digest = EVP_MD_CTX_new()))
        return err_memory(err, HERE);
    if (EVP_DigestInit_ex(sum->digest, kind == CHECKSUM_SHA1 ? EVP_sha1() : EVP_sha256(), NULL) == 1)
        return true;
    return err_set(err, ERR_INTERNAL, false, HERE, "OpenSSL offers no %s", kinds[kind].name);
}

void checksum_add(struct checksum *sum, struct span bytes)
{
    if (!bytes.len)
        return;
    switch (sum->kind) {
    case CHECKSUM_CRC64NVME:
        sum->crc = crc_add(&crc64nvme_tables, sum->crc, bytes);
        break;
    case CHECKSUM_CRC32C:
        sum->crc = crc_add(&crc32c_tables, sum->crc, bytes);
        break;
    case CHECKSUM_CRC32:
        sum->crc = crc32_z((uLong)sum->crc, (const Bytef *)bytes.ptr, bytes.len);
        break;
    default: /* it cannot fail once it has begun */
        (void)EVP_DigestUpdate(sum->digest, bytes.ptr, bytes.len);
    }
}

void checksum_end(struct checksum *sum, char text[CHECKSUM_TEXT_SIZE])
{
    AUTO(buf_done) struct buf out = { .max = CHECKSUM_TEXT_SIZE };
    const size_t count = kinds[sum->kind].bytes;
    unsigned char bytes[EVP_MAX_MD_SIZE] = { 0 };
    uint64_t crc = sum->kind == CHECKSUM_CRC32 ? sum->crc : ~sum->crc;

    if (sum->kind == CHECKSUM_SHA1 || sum->kind == CHECKSUM_SHA256)
        (void)EVP_DigestFinal_ex(sum->digest, bytes, NULL);
    else
        for (size_t i = 0; i < count; i++)
            bytes[i] = (unsigned char)(crc >> 8 * (count - 1 - i));
    text_base64(&out, bytes, count);
    (void)snprintf(text, CHECKSUM_TEXT_SIZE, "%s", buf_ok(&out) ? buf_cstr(&out) : "");
}

void checksum_done(struct checksum *sum)
{
    EVP_MD_CTX_free(sum->digest);
    *sum = (struct checksum){ 0 };
}

void checksum_of(enum checksum_kind kind, struct span bytes, char text[CHECKSUM_TEXT_SIZE])
{
    struct checksum sum = { 0 };

    begin_crc(&sum, kind);
    checksum_add(&sum, bytes);
    checksum_end(&sum, text);
}
