#include "tests/emulator/checksum.h"

#include <pthread.h>

static uint64_t table[256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Polynomial 0xad93d23594c93659, bits reflected. */
static void make_table(void)
{
    for (unsigned i = 0; i < 256; i++) {
        uint64_t crc = i;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0x9a6c9329ac4bc9b5U : crc >> 1;
        table[i] = crc;
    }
}

uint64_t checksum_crc64nvme(uint64_t crc, const void *bytes, size_t len)
{
    const unsigned char *b = bytes;

    pthread_once(&once, make_table);
    crc = ~crc;
    for (size_t i = 0; i < len; i++)
        crc = table[(crc ^ b[i]) & 0xff] ^ crc >> 8;
    return ~crc;
}
