#include "server/base/span.h"

#include <string.h>

struct span span_of(const char *text)
{
    return text ? (struct span){ text, strlen(text) } : (struct span){ "", 0 };
}

bool span_eq(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool span_eq_text(struct span a, const char *text)
{
    return span_eq(a, span_of(text));
}

static unsigned char lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

bool span_eq_nocase(struct span a, struct span b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower(a.ptr[i]) != lower(b.ptr[i]))
            return false;
    return true;
}

bool span_starts(struct span s, struct span with)
{
    return s.len >= with.len && span_eq(span_head(s, with.len), with);
}

bool span_ends(struct span s, struct span with)
{
    return s.len >= with.len && span_eq(span_tail(s, s.len - with.len), with);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct span span_trim(struct span s)
{
    while (s.len > 0 && is_blank(s.ptr[0]))
        s = span_tail(s, 1);
    while (s.len > 0 && is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

size_t span_find(struct span s, char c)
{
    const char *hit = s.len > 0 ? memchr(s.ptr, c, s.len) : NULL;

    return hit ? (size_t)(hit - s.ptr) : s.len;
}

struct span span_head(struct span s, size_t n)
{
    return (struct span){ s.ptr, n < s.len ? n : s.len };
}

struct span span_tail(struct span s, size_t n)
{
    if (n > s.len)
        n = s.len;
    return n == 0 ? s : (struct span){ s.ptr + n, s.len - n };
}
