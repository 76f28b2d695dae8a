/* A JSON request body. */
#include "server/http/internal.h"

#include <string.h>

enum { JSON_MAX_DEPTH = 32 };

/* Jansson's own limit is 2,048 levels, and it recurses. Brackets inside strings do not count. */
static bool too_deep(struct span s)
{
    bool in_string = false;
    int depth = 0;

    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (in_string && c == '\\')
            i++;
        else if (c == '"')
            in_string = !in_string;
        else if (!in_string && (c == '{' || c == '['))
            depth++;
        else if (!in_string && (c == '}' || c == ']'))
            depth--;
        if (depth > JSON_MAX_DEPTH)
            return true;
    }
    return false;
}

static void explain(struct request *rq, struct reply *rp, const json_error_t *error)
{
    struct err err = { 0 };

    if (json_error_code(error) == json_error_out_of_memory) {
        err_memory(&err, HERE);
        reply_error(rq, rp, &err);
    } else if (json_error_code(error) == json_error_duplicate_key) {
        reply_problem(rq, rp, 400, "invalid_json", "A member's name comes twice in one object (line %d, column %d).",
                      error->line, error->column);
    } else {
        reply_problem(rq, rp, 400, "invalid_json", "The body is not valid JSON: %s (line %d, column %d).", error->text,
                      error->line, error->column);
    }
}

json_t *rq_json(struct request *rq, struct reply *rp)
{
    struct span body = rq_body(rq);
    json_error_t error = { 0 };

    if (rq->json)
        return rq->json;
    if (body.len == 0) {
        reply_problem(rq, rp, 400, "invalid_json", "The body is empty; it must be a JSON object.");
        return NULL;
    }
    if (!content_type_is(rq_header(rq, "Content-Type"), "application/json")) {
        reply_problem(rq, rp, 415, "unsupported_media_type",
                      "The body must be JSON in UTF-8, sent with "
                      "Content-Type: application/json.");
        return NULL;
    }
    if (too_deep(body)) {
        reply_problem(rq, rp, 400, "invalid_json", "The body is nested deeper than %d levels.", JSON_MAX_DEPTH);
        return NULL;
    }
    rq->json = json_loadb(body.ptr, body.len, JSON_REJECT_DUPLICATES, &error);
    if (!rq->json) {
        explain(rq, rp, &error);
    } else if (!json_is_object(rq->json)) {
        reply_problem(rq, rp, 400, "invalid_json", "The body must be a JSON object.");
        json_decref(rq->json);
        rq->json = NULL;
    }
    return rq->json;
}
