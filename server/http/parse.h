/* The pure parsers of what a client sends: no I/O, no globals, any bytes. Private to server/http and its tests. */
#ifndef VIDBATCH_HTTP_PARSE_H
#define VIDBATCH_HTTP_PARSE_H

#include "server/base/attr.h"
#include "server/base/buf.h"
#include "server/base/err.h"
#include "server/base/span.h"

#include <stdbool.h>
#include <stddef.h>

enum { QUERY_PARAMS = 32, PATH_SEGMENTS = 16, CURSOR_BYTES = 4096 };

/* ---- request target ---- */
/* Splits "path?query" (origin form) or "http://host/path?query" (absolute form). Both borrowed from target (or static
 * "/"); query empty where there is none. */
void target_split(struct span target, struct span *path, struct span *query);

/* A path as its decoded segments: "/a/b%2Fc" has "a" and "b/c"; a slash at the end leaves an empty last one. */
struct path {
    struct buf text; /* holds the segments */
    struct span segments[PATH_SEGMENTS];
    size_t count;
    bool too_deep; /* more segments than any route has */
};
/* ERR_INPUT, code "bad_path": no slash in front, a broken escape, NUL, or bytes that are no UTF-8. ERR_MEMORY. Gives;
 * free with path_done. */
MUST_CHECK bool path_parse(struct span raw, struct path *out, struct err *err);
void path_done(struct path *p);

struct query_param {
    struct span name, value;
};
struct url_query {
    struct buf text; /* holds names and values */
    struct query_param params[QUERY_PARAMS];
    size_t count;
};
/* "a=1&b=x+y": decoded, '+' is a blank, empty pieces are skipped. ERR_INPUT, code "bad_query": as for paths, or more
 * than QUERY_PARAMS. ERR_MEMORY. Gives; free with query_done. */
MUST_CHECK bool query_parse(struct span raw, struct url_query *out, struct err *err);
void query_done(struct url_query *q);
/* The first of that name; ptr NULL where there is none. */
struct span query_get(const struct url_query *q, const char *name);

/* ---- headers ---- */
/* The index of the type (NULL-terminated, all lower case) that the Accept value likes best; among equals the first. An
 * empty value accepts everything. -1: none is acceptable. Elements that are malformed are skipped. */
int accept_choose(struct span accept, const char *const types[]);
/* Does If-None-Match name this strong ETag (with its quotes)? Weak comparison; "*" names every one. */
bool etag_listed(struct span if_none_match, struct span etag);
/* Is this Content-Type the type (lower case), whatever its parameters? A charset that is not UTF-8 makes it another. */
bool content_type_is(struct span value, const char *type);

/* ---- cursors ---- */
/* Appends base64url of kind ":" value. */
void cursor_encode(struct buf *out, const char *kind, struct span value);
/* Appends the value; false where the text is no cursor of that kind. The value is UTF-8 without NUL. */
MUST_CHECK bool cursor_decode(struct buf *out, const char *kind, struct span text);

#endif
