/* The request target: path segments and query parameters, decoded only after they were told apart, so that an escaped
 * slash or ampersand stays what it was. */
#include "server/http/parse.h"

#include "server/base/text.h"

#include <string.h>

void target_split(struct span target, struct span *path, struct span *query)
{
    size_t scheme = span_find(target, ':');
    struct span rest = target;
    size_t end = 0;

    if (target.len > 0 && target.ptr[0] != '/' && span_starts(span_tail(target, scheme), SPAN_LIT("://"))) {
        rest = span_tail(target, scheme + 3);
        while (end < rest.len && rest.ptr[end] != '/' && rest.ptr[end] != '?')
            end++;
        rest = span_tail(rest, end);
    }
    end = span_find(rest, '?');
    *path = end > 0 || target.len == 0 ? span_head(rest, end) : SPAN_LIT("/"); /* "http://host?query" */
    *query = span_tail(rest, end + 1);
}

/* Decodes one piece behind what the text already holds. Never longer than the piece, so the text does not move. */
static bool decode_piece(struct buf *text, struct span raw, bool plus_is_space, struct span *out)
{
    size_t start = text->len;

    if (!text_percent_decode(text, raw, plus_is_space) || !buf_ok(text))
        return false;
    *out = (struct span){ text->data + start, text->len - start };
    return text_is_utf8(*out) && !memchr(out->ptr, '\0', out->len);
}

static bool bad_path(struct err *err)
{
    err_set(err, ERR_INPUT, false, HERE,
            "The path does not begin with a slash, has a broken percent escape, or bytes that are not UTF-8 text. "
            "Percent-encode each segment (RFC 3986).");
    return err_code(err, "bad_path");
}

/* Room for everything at once: spans into the text must stay valid. */
static bool reserve(struct buf *text, size_t len, struct err *err)
{
    buf_init(text, len + 1);
    return buf_room(text, len + 1) || err_memory(err, HERE);
}

bool path_parse(struct span raw, struct path *out, struct err *err)
{
    struct span rest = raw;

    *out = (struct path){ 0 };
    if (raw.len == 0 || raw.ptr[0] != '/')
        return bad_path(err);
    if (!reserve(&out->text, raw.len, err))
        return false;
    while (rest.len > 0 && !out->too_deep) {
        struct span piece = { 0 };

        rest = span_tail(rest, 1); /* its slash */
        piece = span_head(rest, span_find(rest, '/'));
        rest = span_tail(rest, piece.len);
        if (out->count == PATH_SEGMENTS) {
            out->too_deep = true;
        } else if (!decode_piece(&out->text, piece, false, &out->segments[out->count])) {
            path_done(out);
            return bad_path(err);
        } else {
            out->count++;
        }
    }
    return true;
}

void path_done(struct path *p)
{
    buf_done(&p->text);
    *p = (struct path){ 0 };
}

static bool add_param(struct url_query *q, struct span piece, struct err *err)
{
    size_t equals = span_find(piece, '=');
    struct query_param *param = &q->params[q->count];

    if (q->count == QUERY_PARAMS) {
        err_set(err, ERR_INPUT, false, HERE, "The query has more than %d parameters.", QUERY_PARAMS);
        return err_code(err, "bad_query");
    }
    if (!decode_piece(&q->text, span_head(piece, equals), true, &param->name) ||
        !decode_piece(&q->text, span_tail(piece, equals + 1), true, &param->value)) {
        err_set(err, ERR_INPUT, false, HERE,
                "The query has a broken percent escape, or bytes that are not UTF-8 text. "
                "Percent-encode names and values (RFC 3986).");
        return err_code(err, "bad_query");
    }
    q->count++;
    return true;
}

bool query_parse(struct span raw, struct url_query *out, struct err *err)
{
    struct span rest = raw;

    *out = (struct url_query){ 0 };
    if (!reserve(&out->text, raw.len, err))
        return false;
    while (rest.len > 0) {
        struct span piece = span_head(rest, span_find(rest, '&'));

        rest = span_tail(rest, piece.len + 1);
        if (piece.len > 0 && !add_param(out, piece, err)) {
            query_done(out);
            return false;
        }
    }
    return true;
}

void query_done(struct url_query *q)
{
    buf_done(&q->text);
    *q = (struct url_query){ 0 };
}

struct span query_get(const struct url_query *q, const char *name)
{
    for (size_t i = 0; i < q->count; i++)
        if (span_eq_text(q->params[i].name, name))
            return q->params[i].value;
    return (struct span){ 0 };
}
