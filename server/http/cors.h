/* Which web pages of other origins may use the server. Private to server/http, the settings, and their tests. */
#ifndef VIDBATCH_HTTP_CORS_H
#define VIDBATCH_HTTP_CORS_H

#include "server/base/attr.h"
#include "server/base/err.h"
#include "server/base/span.h"

#include <stdbool.h>
#include <stddef.h>

enum { ORIGINS_MOST = 64 };
struct origins {
    char *text; /* holds them */
    struct span list[ORIGINS_MOST];
    size_t count;
};
/* "https://app.example, http://localhost:3000": in commas or blanks, each exactly as a browser sends it (lower case, no
 * path, no default port); empty text: none. ERR_INPUT names the piece and the rule. ERR_MEMORY. Gives: origins_done. */
MUST_CHECK bool origins_parse(const char *text, struct origins *out, struct err *err);
void origins_done(struct origins *o);
bool origins_have(const struct origins *o, struct span origin);
/* Is the page from the host that it asks? */
bool origin_is_host(struct span origin, struct span host);

#endif
