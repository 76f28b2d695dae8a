/* Request targets: any bytes are parsed or refused; what is parsed is text, lies in its own memory, and finds routes.
 */
#include "server/http/internal.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void handler(struct request *rq, struct reply *rp)
{
    (void)rq;
    (void)rp;
}

static const struct route routes[] = {
    { "GET", "/v1/jobs", ACCESS_READ, 0, handler, false },
    { "GET", "/v1/jobs/{id}", ACCESS_READ, 0, handler, false },
    { "POST", "/v1/jobs/{id}/cancel", ACCESS_RUN, 0, handler, false },
    { "GET", "/{a}/{b}", ACCESS_READ, 0, handler, false },
};

static void demand(bool ok)
{
    if (!ok)
        abort();
}

static void demand_text(struct span s, const struct buf *holder)
{
    demand(s.ptr >= holder->data && s.ptr + s.len <= holder->data + holder->len);
    demand(s.len == 0 || !memchr(s.ptr, '\0', s.len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct span raw_path = { 0 };
    struct span raw_query = { 0 };
    struct path path = { 0 };
    struct url_query query = { 0 };
    struct route_match match = { 0 };
    struct err err = { 0 };

    target_split((struct span){ (const char *)data, len }, &raw_path, &raw_query);
    if (path_parse(raw_path, &path, &err)) {
        for (size_t i = 0; i < path.count; i++)
            demand_text(path.segments[i], &path.text);
        router_find(routes, sizeof routes / sizeof routes[0], "GET", &path, &match);
        demand(!match.route || match.allowed != 0);
        for (size_t i = 0; i < match.param_count; i++)
            demand(match.params[i].value.len > 0);
        path_done(&path);
    } else {
        demand(err.kind == ERR_INPUT);
    }
    err_clear(&err);
    if (query_parse(raw_query, &query, &err)) {
        for (size_t i = 0; i < query.count; i++) {
            demand_text(query.params[i].name, &query.text);
            demand_text(query.params[i].value, &query.text);
        }
        query_done(&query);
    } else {
        demand(err.kind == ERR_INPUT);
    }
    return 0;
}
