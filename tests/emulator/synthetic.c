#include "tests/emulator/synthetic.h"

#include "tests/emulator/emulator.h"

#include <string.h>

/* ftyp 16, moov 8 + mvhd 108 + trak 8 + tkhd 92, mdat 8 */
enum { FTYP = 16, MVHD = 108, TKHD = 92, MOOV = 8 + MVHD + 8 + TKHD, HEAD = FTYP + MOOV + 8 };

static const int64_t first_modified_ms = 1767225600000; /* 2026-01-01 */

int64_t synthetic_size(int64_t index)
{
    return HEAD + 1024 + (int64_t)(emu_mix((uint64_t)index) % 40000);
}

int64_t synthetic_modified_ms(int64_t index)
{
    return first_modified_ms + index % 86400 * 1000;
}

void synthetic_etag(int64_t index, char out[33])
{
    static const char hex[] = "0123456789abcdef";
    uint64_t a = emu_mix((uint64_t)index);
    uint64_t b = emu_mix(a ^ 0xabcdef);

    for (int i = 0; i < 16; i++) {
        out[i] = hex[a >> (60 - 4 * i) & 15];
        out[16 + i] = hex[b >> (60 - 4 * i) & 15];
    }
    out[32] = '\0';
}

void synthetic_digits(int64_t index, char *out)
{
    for (int i = SYNTHETIC_DIGITS - 1; i >= 0; i--) {
        out[i] = (char)('0' + index % 10);
        index /= 10;
    }
}

static void put32(unsigned char *at, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        at[i] = (unsigned char)(v >> (24 - 8 * i));
}

static void put_box(unsigned char *at, uint32_t size, const char *type)
{
    put32(at, size);
    memcpy(at + 4, type, 4);
}

static void make_head(int64_t index, unsigned char head[HEAD])
{
    static const uint16_t sizes[][2] = { { 640, 360 }, { 1280, 720 }, { 1920, 1080 }, { 320, 240 } };
    uint64_t mix = emu_mix((uint64_t)index ^ 0x5eed);
    unsigned char *mvhd = head + FTYP + 8;
    unsigned char *tkhd = mvhd + MVHD + 8;

    memset(head, 0, HEAD);
    put_box(head, FTYP, "ftyp");
    memcpy(head + 8, "isom", 4);
    put_box(head + FTYP, MOOV, "moov");
    put_box(mvhd, MVHD, "mvhd");
    put32(mvhd + 8 + 12, 1000);
    put32(mvhd + 8 + 16, (uint32_t)(2000 + mix % 58000));
    put_box(mvhd + MVHD, 8 + TKHD, "trak");
    put_box(tkhd, TKHD, "tkhd");
    put32(tkhd + TKHD - 8, (uint32_t)sizes[mix >> 60 & 3][0] << 16);
    put32(tkhd + TKHD - 4, (uint32_t)sizes[mix >> 60 & 3][1] << 16);
    put_box(head + FTYP + MOOV, (uint32_t)(synthetic_size(index) - FTYP - MOOV), "mdat");
}

void synthetic_read(int64_t index, int64_t offset, unsigned char *out, size_t n)
{
    unsigned char head[HEAD];
    uint64_t noise = 0; /* eight bytes of it */

    make_head(index, head);
    for (size_t i = 0; i < n; i++) {
        const int64_t at = offset + (int64_t)i;

        if (i == 0 || at % 8 == 0)
            noise = emu_mix((uint64_t)(index + at / 8));
        out[i] = at < HEAD ? head[at] : (unsigned char)(noise >> (at % 8 * 8));
    }
}
