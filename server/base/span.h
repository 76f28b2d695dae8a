/* Borrowed text with a length: never freed, never written, not terminated. */
#ifndef VIDBATCH_BASE_SPAN_H
#define VIDBATCH_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>

struct span {
    const char *ptr;
    size_t len;
};

#define SPAN_LIT(text) ((struct span){ "" text, sizeof(text) - 1 })

/* printf("%.*s", SPAN_ARG(s)) */
#define SPAN_ARG(s) (int)(s).len, (s).ptr

/* A terminated string as a span; NULL gives the empty span. */
struct span span_of(const char *text);
bool span_eq(struct span a, struct span b);
bool span_eq_text(struct span a, const char *text);
/* ASCII letters only; other bytes must be equal. */
bool span_eq_nocase(struct span a, struct span b);
bool span_starts(struct span s, struct span with);
bool span_ends(struct span s, struct span with);
/* Drops blanks (space, tab, CR, LF) at both ends. */
struct span span_trim(struct span s);
/* Index of the first byte c, or s.len. */
size_t span_find(struct span s, char c);
/* The first n bytes (or all), and the rest from n on (or nothing). */
struct span span_head(struct span s, size_t n);
struct span span_tail(struct span s, size_t n);

#endif
