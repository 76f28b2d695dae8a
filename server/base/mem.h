/* Memory: calloc and friends with overflow checks, and a switch that makes the N-th allocation fail (for tests). */
#ifndef VIDBATCH_BASE_MEM_H
#define VIDBATCH_BASE_MEM_H

#include "server/base/attr.h"
#include "server/base/span.h"

#include <stddef.h>
#include <stdint.h>

/* Zeroed; NULL when there is none or count * size overflows. Gives: free with mem_free. */
MUST_CHECK void *mem_alloc(size_t count, size_t size);
/* As realloc; on failure the old block stays valid. New bytes are not zeroed. */
MUST_CHECK void *mem_resize(void *block, size_t count, size_t size);
/* A terminated copy. Gives: free with mem_free. NULL text gives NULL. */
MUST_CHECK char *mem_text(const char *text);
MUST_CHECK char *mem_span(struct span s);
void mem_free(void *block);
/* For AUTO(mem_free_text) char *x = NULL; */
void mem_free_text(char **text);
/* Tests only: the n-th allocation from now (1 = the next) and every one after it until mem_fail_never() fails. */
void mem_fail_at(uint64_t n);
void mem_fail_never(void);

#endif
