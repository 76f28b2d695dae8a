/* The route table: checked once at the start, then searched for each request. It has a few dozen rows, so it is walked.
 */
#include "server/http/internal.h"

#include <string.h>

/* GET answers HEAD too. In the order of Allow. */
static const char *const methods[] = { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE" };
enum { METHODS = 6, METHOD_GET = 0, METHOD_HEAD = 1 };

static int method_index(const char *method)
{
    for (int i = 0; i < METHODS; i++)
        if (strcmp(method, methods[i]) == 0)
            return i;
    return -1;
}

static unsigned method_bits(const char *method)
{
    int i = method_index(method);

    return i < 0 ? 0U : i == METHOD_GET ? 1U << METHOD_GET | 1U << METHOD_HEAD : 1U << i;
}

/* Takes "/segment" off the front of a route's path. */
static struct span take_segment(struct span *rest)
{
    struct span segment = span_tail(*rest, 1);

    segment = span_head(segment, span_find(segment, '/'));
    *rest = span_tail(*rest, segment.len + 1);
    return segment;
}

static bool is_param(struct span segment)
{
    return segment.len > 2 && segment.ptr[0] == '{' && segment.ptr[segment.len - 1] == '}';
}

static bool check_path(const struct route *r, struct err *err)
{
    struct span rest = span_of(r->path);
    struct span names[PATH_PARAMS];
    size_t segments = 0;
    size_t params = 0;

    if (rest.len == 0 || rest.ptr[0] != '/')
        return err_set(err, ERR_INPUT, false, HERE, "route %s: a path begins with a slash", r->path);
    while (rest.len > 0) {
        struct span segment = take_segment(&rest);

        if (++segments > PATH_SEGMENTS)
            return err_set(err, ERR_INPUT, false, HERE, "route %s: more than %d segments", r->path, PATH_SEGMENTS);
        if (!is_param(segment)) {
            if (span_find(segment, '{') < segment.len || span_find(segment, '}') < segment.len)
                return err_set(err, ERR_INPUT, false, HERE, "route %s: a parameter is a whole segment", r->path);
            continue;
        }
        if (params == PATH_PARAMS)
            return err_set(err, ERR_INPUT, false, HERE, "route %s: more than %d parameters", r->path, PATH_PARAMS);
        for (size_t i = 0; i < params; i++)
            if (span_eq(names[i], segment))
                return err_set(err, ERR_INPUT, false, HERE, "route %s: a parameter's name comes twice", r->path);
        names[params++] = segment;
    }
    return true;
}

/* Do two routes match exactly the same paths? */
static bool same_shape(const char *one, const char *other)
{
    struct span a = span_of(one);
    struct span b = span_of(other);

    while (a.len > 0 && b.len > 0) {
        struct span x = take_segment(&a);
        struct span y = take_segment(&b);
        if (is_param(x) != is_param(y) || (!is_param(x) && !span_eq(x, y)))
            return false;
    }
    return a.len == b.len;
}

static bool check_route(const struct route *routes, size_t at, struct err *err)
{
    const struct route *r = &routes[at];

    if (!r->method || !r->path || !r->handler)
        return err_set(err, ERR_INPUT, false, HERE, "route %zu: method, path or handler is missing", at);
    if (method_index(r->method) < 0 || method_index(r->method) == METHOD_HEAD)
        return err_set(err, ERR_INPUT, false, HERE, "route %s %s: no such method in a table", r->method, r->path);
    if (r->access <= ACCESS_NONE_GIVEN || r->access > ACCESS_ADMIN)
        return err_set(err, ERR_INPUT, false, HERE, "route %s %s: it says no access level", r->method, r->path);
    if (r->inline_reply && r->access != ACCESS_PUBLIC)
        return err_set(err, ERR_INPUT, false, HERE, "route %s %s: only a public route is answered inline", r->method,
                       r->path);
    if (!check_path(r, err))
        return false;
    for (size_t i = 0; i < at; i++)
        if (strcmp(routes[i].method, r->method) == 0 && same_shape(routes[i].path, r->path))
            return err_set(err, ERR_INPUT, false, HERE, "route %s %s: it is in the table twice", r->method, r->path);
    return true;
}

bool router_check(const struct route *routes, size_t count, struct err *err)
{
    if (!routes || count == 0)
        return err_set(err, ERR_INPUT, false, HERE, "the route table is empty");
    for (size_t i = 0; i < count; i++)
        if (!check_route(routes, i, err))
            return false;
    return true;
}

/* Does the path match? *wild has a bit for each segment that only a parameter matched, the leftmost highest: the
 * smaller number is the better match. */
static bool match_path(const char *pattern, const struct path *path, unsigned *wild)
{
    struct span rest = span_of(pattern);
    size_t i = 0;

    *wild = 0;
    for (; rest.len > 0 && i < path->count; i++) {
        struct span segment = take_segment(&rest);
        if (is_param(segment) && path->segments[i].len > 0)
            *wild |= 1U << (PATH_SEGMENTS - 1 - i);
        else if (!span_eq(segment, path->segments[i]))
            return false;
    }
    return rest.len == 0 && i == path->count;
}

static void bind_params(const struct path *path, struct route_match *out)
{
    struct span rest = span_of(out->route->path);

    for (size_t i = 0; rest.len > 0; i++) {
        struct span segment = take_segment(&rest);
        if (is_param(segment))
            out->params[out->param_count++] = (struct path_param){
                .name = { segment.ptr + 1, segment.len - 2 },
                .value = path->segments[i],
            };
    }
}

void router_find(const struct route *routes, size_t count, const char *method, const struct path *path,
                 struct route_match *out)
{
    unsigned best = ~0U;
    unsigned wild = 0;
    int wanted = method_index(method);

    *out = (struct route_match){ 0 };
    if (path->too_deep)
        return;
    for (size_t i = 0; i < count; i++) {
        if (!match_path(routes[i].path, path, &wild) || wild > best)
            continue;
        if (wild < best) /* the methods of a worse match do not count */
            *out = (struct route_match){ 0 };
        best = wild;
        out->allowed |= method_bits(routes[i].method);
        if (wanted >= 0 && (method_bits(routes[i].method) & 1U << wanted) != 0)
            out->route = &routes[i];
    }
    if (out->route)
        bind_params(path, out);
}

void router_allow(unsigned allowed, struct buf *out)
{
    for (int i = 0; i < METHODS; i++)
        if ((allowed & 1U << i) != 0)
            buf_fmt(out, "%s, ", methods[i]);
    buf_text(out, "OPTIONS");
}
