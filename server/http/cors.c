#include "server/http/cors.h"

#include "server/base/mem.h"

#include <string.h>

static bool is_origin(struct span s)
{
    struct span rest = s;

    if (span_starts(s, SPAN_LIT("https://")))
        rest = span_tail(s, 8);
    else if (span_starts(s, SPAN_LIT("http://")))
        rest = span_tail(s, 7);
    if (rest.len == s.len || rest.len == 0 || rest.len > 255 + 6)
        return false;
    for (size_t i = 0; i < rest.len; i++) {
        char c = rest.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c != '\0' && strchr(".-:[]_", c))))
            return false;
    }
    if (span_starts(s, SPAN_LIT("https:")))
        return !span_ends(s, SPAN_LIT(":443"));
    return !span_ends(s, SPAN_LIT(":80"));
}

bool origins_parse(const char *text, struct origins *out, struct err *err)
{
    struct origins o = { .text = mem_text(text) };
    char *at = NULL;

    if (!o.text)
        return err_memory(err, HERE);
    for (const char *piece = strtok_r(o.text, ", \t", &at); piece; piece = strtok_r(NULL, ", \t", &at)) {
        bool good = is_origin(span_of(piece));

        if (good && o.count < ORIGINS_MOST) {
            o.list[o.count++] = span_of(piece);
            continue;
        }
        if (good)
            err_set(err, ERR_INPUT, false, HERE, "has more than %d origins", ORIGINS_MOST);
        else
            err_set(err, ERR_INPUT, false, HERE,
                    "%.80s is no origin as a browser sends it, such as https://app.example or http://localhost:3000",
                    piece);
        origins_done(&o);
        return false;
    }
    *out = o;
    return true;
}

void origins_done(struct origins *o)
{
    mem_free(o->text);
    *o = (struct origins){ 0 };
}

bool origins_have(const struct origins *o, struct span origin)
{
    for (size_t i = 0; i < o->count; i++)
        if (span_eq(o->list[i], origin))
            return true;
    return false;
}

bool origin_is_host(struct span origin, struct span host)
{
    size_t colon = span_find(origin, ':');
    struct span rest = span_tail(origin, colon);

    return host.len > 0 && span_starts(rest, SPAN_LIT("://")) && span_eq_nocase(span_tail(rest, 3), host);
}
