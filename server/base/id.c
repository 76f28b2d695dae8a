#include "server/base/id.h"

#include <assert.h>
#include <string.h>

/* In ASCII order, so that ids sort as their numbers do. */
static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

void id_format(const char *prefix, int64_t id, char out[ID_SIZE])
{
    size_t prefix_len = strlen(prefix);
    uint64_t left = (uint64_t)id;

    assert(id >= 0 && prefix_len <= ID_SIZE - ID_DIGITS - 1);
    memcpy(out, prefix, prefix_len);
    for (size_t i = ID_DIGITS; i-- > 0;) {
        out[prefix_len + i] = digits[left % 62];
        left /= 62;
    }
    out[prefix_len + ID_DIGITS] = '\0';
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'Z')
        return c - 'A' + 10;
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 36;
    return -1;
}

bool id_parse(const char *prefix, struct span text, int64_t *id)
{
    struct span rest = span_tail(text, strlen(prefix));
    int64_t n = 0;

    if (!span_starts(text, span_of(prefix)) || rest.len != ID_DIGITS)
        return false;
    for (size_t i = 0; i < rest.len; i++) {
        int digit = digit_value(rest.ptr[i]);
        if (digit < 0 || __builtin_mul_overflow(n, 62, &n) || __builtin_add_overflow(n, digit, &n))
            return false;
    }
    *id = n;
    return true;
}
