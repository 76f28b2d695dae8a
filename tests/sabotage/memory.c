/* The memory door, and Jansson's allocations. A point is a place in the program: whoever asks, over five callers. */
#include "server/base/mem.h"
#include "tests/sabotage/saboteur.h"

#include <jansson.h>
#include <stdlib.h>

static bool fails(void)
{
    enum { FRAMES = 5 };
    char trace[SABOTAGE_TRACE];

    sabotage_trace(FRAMES, trace);
    return sabotage_hits(SABOTAGE_MEMORY, "memory%s", trace);
}

/* The linker's names for what was called and for what is. */
void *__wrap_mem_alloc(size_t count, size_t size);
void *__real_mem_alloc(size_t count, size_t size);
void *__wrap_mem_resize(void *block, size_t count, size_t size);
void *__real_mem_resize(void *block, size_t count, size_t size);
char *__wrap_mem_text(const char *text);
char *__real_mem_text(const char *text);
char *__wrap_mem_span(struct span s);
char *__real_mem_span(struct span s);

void *__wrap_mem_alloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_mem_alloc(count, size);
}

void *__wrap_mem_resize(void *block, size_t count, size_t size)
{
    return fails() ? NULL : __real_mem_resize(block, count, size);
}

char *__wrap_mem_text(const char *text)
{
    return text && fails() ? NULL : __real_mem_text(text);
}

char *__wrap_mem_span(struct span s)
{
    return fails() ? NULL : __real_mem_span(s);
}

/* Jansson keeps no frame pointers: its callers are told apart by nothing but their order. */
static void *json_memory(size_t size)
{
    return sabotage_hits(SABOTAGE_MEMORY, "memory json %zu", size) ? NULL : malloc(size);
}

__attribute__((constructor)) static void begin(void)
{
    json_set_alloc_funcs(json_memory, free);
}
