/* If-None-Match. */
#include "server/http/parse.h"

bool etag_listed(struct span if_none_match, struct span etag)
{
    struct span rest = span_trim(if_none_match);

    if (span_eq_text(rest, "*"))
        return true;
    while (rest.len > 0) {
        size_t close = 0;

        if (rest.ptr[0] == ',' || rest.ptr[0] == ' ' || rest.ptr[0] == '\t') {
            rest = span_tail(rest, 1);
            continue;
        }
        if (span_starts(rest, SPAN_LIT("W/")))
            rest = span_tail(rest, 2);
        if (rest.len == 0 || rest.ptr[0] != '"')
            return false; /* malformed: what follows cannot be told apart */
        close = span_find(span_tail(rest, 1), '"') + 1;
        if (span_eq(span_head(rest, close + 1), etag))
            return true;
        rest = span_tail(rest, close + 1);
    }
    return false;
}
