/* The small helpers of emulator.h. */
#include "tests/emulator/emulator.h"

#include "server/base/clock.h"
#include "server/base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int64_t emu_now_ms(const struct emulator *emu)
{
    return clock_wall_ms() + atomic_load(&emu->clock_offset_ms);
}

void emu_die(const char *what)
{
    fprintf(stderr, "vidbatch-emulator: %s: %m\n", what);
    exit(1);
}

void *emu_alloc(size_t count, size_t size)
{
    void *block = mem_alloc(count ? count : 1, size ? size : 1);

    if (!block)
        emu_die("out of memory");
    return block;
}

void *emu_resize(void *block, size_t count, size_t size)
{
    void *bigger = mem_resize(block, count ? count : 1, size);

    if (!bigger)
        emu_die("out of memory");
    return bigger;
}

char *emu_copy(struct span s)
{
    char *text = emu_alloc(s.len + 1, 1);

    if (s.len > 0)
        memcpy(text, s.ptr, s.len);
    return text;
}

uint64_t emu_mix(uint64_t n)
{
    n += 0x9e3779b97f4a7c15U;
    n = (n ^ (n >> 30)) * 0xbf58476d1ce4e5b9U;
    n = (n ^ (n >> 27)) * 0x94d049bb133111ebU;
    return n ^ (n >> 31);
}

uint64_t emu_hash(struct span s)
{
    uint64_t hash = 0xcbf29ce484222325U;

    for (size_t i = 0; i < s.len; i++)
        hash = (hash ^ (unsigned char)s.ptr[i]) * 0x100000001b3U;
    return emu_mix(hash);
}

void emu_thousands(int64_t n, char out[32])
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%" PRId64, n);
    size_t at = 0;

    for (int i = 0; i < len && at + 2 < 32; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = '\0';
}

bool emu_contains(struct span text, struct span part)
{
    return part.len == 0 || (text.len >= part.len && memmem(text.ptr, text.len, part.ptr, part.len) != NULL);
}
