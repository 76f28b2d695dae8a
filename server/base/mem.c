#include "server/base/mem.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static atomic_bool fail_armed;
static _Atomic uint64_t successes_left;

static bool must_fail(void)
{
    uint64_t left = 0;

    if (!atomic_load_explicit(&fail_armed, memory_order_relaxed))
        return false;
    left = atomic_load(&successes_left);
    while (left > 0)
        if (atomic_compare_exchange_weak(&successes_left, &left, left - 1))
            return false;
    return true;
}

void *mem_alloc(size_t count, size_t size)
{
    size_t bytes = 0;

    if (must_fail() || __builtin_mul_overflow(count, size, &bytes))
        return NULL;
    if (bytes == 0)
        count = size = 1; /* NULL must mean failure only */
    return calloc(count, size);
}

void *mem_resize(void *block, size_t count, size_t size)
{
    size_t bytes = 0;

    if (must_fail() || __builtin_mul_overflow(count, size, &bytes))
        return NULL;
    return realloc(block, bytes > 0 ? bytes : 1); /* realloc to 0 would free the block */
}

char *mem_text(const char *text)
{
    return text ? mem_span(span_of(text)) : NULL;
}

char *mem_span(struct span s)
{
    char *copy = s.len < SIZE_MAX ? mem_alloc(s.len + 1, 1) : NULL;

    if (copy && s.len > 0)
        memcpy(copy, s.ptr, s.len);
    return copy;
}

void mem_free(void *block)
{
    free(block);
}

void mem_free_text(char **text)
{
    free(*text);
    *text = NULL;
}

void mem_fail_at(uint64_t n)
{
    atomic_store(&successes_left, n > 0 ? n - 1 : 0);
    atomic_store(&fail_armed, true);
}

void mem_fail_never(void)
{
    atomic_store(&fail_armed, false);
}
