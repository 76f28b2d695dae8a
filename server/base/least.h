#ifndef VIDBATCH_BASE_LEAST_H
#define VIDBATCH_BASE_LEAST_H

#include <stdint.h>

/* The lesser of the two. */
static inline int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

#endif
