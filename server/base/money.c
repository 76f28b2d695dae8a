#include "server/base/money.h"

#include <inttypes.h>
#include <stdio.h>

enum { DECIMALS = 6 };

void money_format(int64_t micros, char out[MONEY_SIZE])
{
    snprintf(out, MONEY_SIZE, "%" PRId64 ".%06" PRId64, micros / 1000000, micros % 1000000);
}

bool money_parse(struct span text, int64_t *micros)
{
    const size_t point = span_find(text, '.');
    int64_t n = 0;

    if (point == 0 || point + 1 == text.len || (point < text.len && text.len - point - 1 > DECIMALS))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (i == point)
            continue;
        if (text.ptr[i] < '0' || text.ptr[i] > '9' || __builtin_mul_overflow(n, 10, &n) ||
            __builtin_add_overflow(n, text.ptr[i] - '0', &n))
            return false;
    }
    for (size_t i = point < text.len ? text.len - point - 1 : 0; i < DECIMALS; i++)
        if (__builtin_mul_overflow(n, 10, &n))
            return false;
    *micros = n;
    return text.len > 0;
}
