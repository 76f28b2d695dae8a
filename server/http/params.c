/* What handlers ask of path, query and headers; each refusal names the parameter and its rule. */
#include "server/http/internal.h"

#include "server/base/id.h"
#include "server/base/text.h"

#include <stdio.h>
#include <string.h>

enum { LIMIT_DEFAULT = 50, LIMIT_MAX = 1000, KEY_MAX_BYTES = 255 };

void problem_of_parameter(struct request *rq, struct reply *rp, const char *code, const char *name, const char *fmt,
                          ...)
{
    struct buf errors = { 0 };
    struct json_writer w = json_writer_on(&errors);
    char detail[400];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(detail, sizeof detail, fmt, args);
    va_end(args);
    reply_problem(rq, rp, 400, code, "%s: %s", name, detail);
    buf_init(&errors, 0);
    json_begin_array(&w);
    json_begin_object(&w);
    json_put_text(&w, "parameter", name);
    json_put_text(&w, "detail", detail);
    json_end_object(&w);
    json_end_array(&w);
    if (buf_ok(&errors))
        reply_problem_member(rp, "errors", buf_view(&errors));
    buf_done(&errors);
}

/* The names for people: "limit, after". */
static void list_words(const char *const words[], char *out, size_t size)
{
    size_t used = 0;

    out[0] = '\0';
    for (int i = 0; words[i] && used < size; i++) {
        int n = snprintf(out + used, size - used, "%s%s", i > 0 ? ", " : "", words[i]);
        used += n > 0 ? (size_t)n : 0;
    }
}

bool rq_check_query(struct request *rq, struct reply *rp, const char *const allowed[])
{
    for (size_t i = 0; i < rq->query.count; i++) {
        struct span name = rq->query.params[i].name;
        char shown[80];
        char words[300];
        bool known = false;

        (void)snprintf(shown, sizeof shown, "%.*s", SPAN_ARG(text_utf8_head(name, sizeof shown - 1)));
        for (int k = 0; allowed[k]; k++)
            known = known || span_eq_text(name, allowed[k]);
        list_words(allowed, words, sizeof words);
        if (!known) {
            problem_of_parameter(rq, rp, "unknown_parameter", shown, "There is no such parameter here. %s%s",
                                 allowed[0] ? "Allowed: " : "None is allowed.", words);
            return false;
        }
        for (size_t k = 0; k < i; k++) {
            if (span_eq(rq->query.params[k].name, name)) {
                problem_of_parameter(rq, rp, "duplicate_parameter", shown, "It may be given once.");
                return false;
            }
        }
    }
    return true;
}

bool rq_path_id(struct request *rq, struct reply *rp, const char *name, const char *id_prefix, int64_t *id)
{
    struct span text = rq_path_param(rq, name);

    if (id_parse(id_prefix, text, id))
        return true;
    reply_problem(rq, rp, 404, "not_found", "There is nothing with this id. An id here is \"%s\" and %d characters.",
                  id_prefix, ID_DIGITS);
    return false;
}

bool rq_limit(struct request *rq, struct reply *rp, int *limit)
{
    struct span text = rq_query(rq, "limit");
    int64_t n = LIMIT_DEFAULT;

    if (text.ptr && (!text_parse_i64(text, &n) || n < 1 || n > LIMIT_MAX)) {
        problem_of_parameter(rq, rp, "invalid_parameter", "limit", "It must be a whole number from 1 to %d.",
                             LIMIT_MAX);
        return false;
    }
    *limit = (int)n;
    return true;
}

static bool bad_cursor(struct request *rq, struct reply *rp)
{
    problem_of_parameter(
        rq, rp, "bad_cursor", "after",
        "It must be the \"next\" of this same list, unchanged. Leave it out to start at the beginning.");
    return false;
}

bool rq_cursor_text(struct request *rq, struct reply *rp, const char *kind, bool *has, struct span *after)
{
    struct span text = rq_query(rq, "after");
    struct buf value = { 0 };
    char *copy = NULL;

    *has = false;
    if (!text.ptr)
        return true;
    buf_init(&value, 2 * CURSOR_BYTES);
    if (!cursor_decode(&value, kind, text)) {
        buf_done(&value);
        return bad_cursor(rq, rp);
    }
    copy = request_keep(rq, value.len + 1);
    if (!copy) {
        struct err err = { 0 };
        err_memory(&err, HERE);
        reply_error(rq, rp, &err);
    } else {
        memcpy(copy, buf_cstr(&value), value.len);
        *after = (struct span){ copy, value.len };
        *has = true;
    }
    buf_done(&value);
    return *has;
}

bool rq_cursor_i64(struct request *rq, struct reply *rp, const char *kind, bool *has, int64_t *after)
{
    struct span text = { 0 };

    if (!rq_cursor_text(rq, rp, kind, has, &text))
        return false;
    if (*has && !text_parse_i64(text, after)) {
        *has = false;
        return bad_cursor(rq, rp);
    }
    return true;
}

/* The index of the ?format= word; -1 where there is none or (problem filled) an unknown one. */
static int format_word(struct request *rq, struct reply *rp, const char *const formats[])
{
    struct span word = rq_query(rq, "format");
    char words[200];

    if (!word.ptr)
        return -1;
    for (int i = 0; formats[i]; i++)
        if (span_eq_text(word, formats[i]))
            return i;
    list_words(formats, words, sizeof words);
    problem_of_parameter(rq, rp, "invalid_parameter", "format", "It must be one of: %s.", words);
    return -1;
}

int rq_accept(struct request *rq, struct reply *rp, const char *const types[], const char *const formats[])
{
    struct span accept = { 0 };
    char words[300];
    int chosen = 0;

    if (rq_query(rq, "format").ptr)
        return format_word(rq, rp, formats);
    reply_header(rp, "Vary", "Accept");
    accept = request_header_list(rq, "Accept");
    chosen = accept_choose(accept, types);
    if (chosen < 0) {
        list_words(types, words, sizeof words);
        reply_problem(rq, rp, 406, "not_acceptable", "Accept names no type that can be given here. There are: %s.",
                      words);
    }
    return chosen;
}

bool rq_idempotency_key(struct request *rq, struct reply *rp, struct span *key)
{
    struct span value = rq_header(rq, "Idempotency-Key");
    bool good = value.len >= 1 && value.len <= KEY_MAX_BYTES;

    *key = (struct span){ 0 };
    if (!value.ptr)
        return true;
    for (size_t i = 0; good && i < value.len; i++)
        good = value.ptr[i] > 0x20 && value.ptr[i] < 0x7F;
    /* Several lines of it come joined: a comma and a blank, or as a second line that is not this one. */
    if (!good || request_header_list(rq, "Idempotency-Key").len != value.len) {
        problem_of_parameter(rq, rp, "bad_idempotency_key", "Idempotency-Key",
                             "It must be one value of 1 to %d visible ASCII characters.", KEY_MAX_BYTES);
        return false;
    }
    *key = value;
    return true;
}
