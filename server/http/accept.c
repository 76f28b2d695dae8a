/* Headers that choose: Accept, Content-Type. */
#include "server/http/parse.h"

#include <string.h>

/* Up to the separator, which is not looked for inside quotes; *rest is what comes after it. */
static struct span take_until(struct span s, char separator, struct span *rest)
{
    bool quoted = false;
    size_t at = 0;

    for (; at < s.len && (quoted || s.ptr[at] != separator); at++) {
        if (s.ptr[at] == '"')
            quoted = !quoted;
        else if (s.ptr[at] == '\\' && quoted && at + 1 < s.len)
            at++;
    }
    *rest = span_tail(s, at + 1);
    return span_trim(span_head(s, at));
}

/* "0.75" as 750; -1 where it is no weight. */
static int parse_weight(struct span s)
{
    int weight = 0;
    int scale = 100;

    if (s.len == 0 || s.len > 5 || (s.ptr[0] != '0' && s.ptr[0] != '1') || (s.len > 1 && s.ptr[1] != '.'))
        return -1;
    weight = (s.ptr[0] - '0') * 1000;
    for (size_t i = 2; i < s.len; i++, scale /= 10) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return -1;
        weight += (s.ptr[i] - '0') * scale;
    }
    return weight <= 1000 ? weight : -1;
}

/* How exactly the range names the type: 0 not at all, 1 any, 2 by its first half, 3 fully. */
static int specificity(struct span range, const char *type)
{
    struct span want = span_of(type);
    size_t slash = span_find(range, '/');

    if (span_eq_text(range, "*/*"))
        return 1;
    if (span_eq_nocase(range, want))
        return 3;
    if (slash + 2 == range.len && range.ptr[slash + 1] == '*' && slash < want.len && want.ptr[slash] == '/' &&
        span_eq_nocase(span_head(range, slash), span_head(want, slash)))
        return 2;
    return 0;
}

/* The weight that Accept gives to one type: that of the range that names it most exactly; 0 where none does. */
static int weigh(struct span accept, const char *type)
{
    int best = 0;
    int weight = 0;

    while (accept.len > 0) {
        struct span params = take_until(accept, ',', &accept);
        struct span range = take_until(params, ';', &params);
        int q = 1000;
        int exact = specificity(range, type);

        while (params.len > 0) {
            struct span param = take_until(params, ';', &params);
            if (param.len >= 2 && (param.ptr[0] == 'q' || param.ptr[0] == 'Q') && param.ptr[1] == '=')
                q = parse_weight(span_tail(param, 2));
        }
        if (q >= 0 && exact > best) {
            best = exact;
            weight = q;
        }
    }
    return weight;
}

int accept_choose(struct span accept, const char *const types[])
{
    int best = -1;
    int best_weight = 0;

    if (span_trim(accept).len == 0)
        return 0;
    for (int i = 0; types[i]; i++) {
        int weight = weigh(accept, types[i]);
        if (weight > best_weight) {
            best = i;
            best_weight = weight;
        }
    }
    return best;
}

bool content_type_is(struct span value, const char *type)
{
    struct span params = { 0 };

    if (!span_eq_nocase(take_until(value, ';', &params), span_of(type)))
        return false;
    while (params.len > 0) {
        struct span param = take_until(params, ';', &params);
        size_t equals = span_find(param, '=');
        struct span set = span_tail(param, equals + 1);

        if (!span_eq_nocase(span_head(param, equals), SPAN_LIT("charset")))
            continue;
        if (set.len >= 2 && set.ptr[0] == '"' && set.ptr[set.len - 1] == '"')
            set = (struct span){ set.ptr + 1, set.len - 2 };
        if (!span_eq_nocase(set, SPAN_LIT("utf-8")))
            return false;
    }
    return true;
}
