#include "handlers/common.h"

#include "server/base/clock.h"
#include "server/base/id.h"
#include "server/base/text.h"
#include "sql/db.h"

#include <stdarg.h>
#include <string.h>

/* errors[] with one item. */
static void put_errors(struct reply *rp, const char *member, const char *where, const char *detail)
{
    AUTO(buf_done) struct buf errors = { .max = 64 * 1024 };
    struct json_writer w = json_writer_on(&errors);

    json_begin_array(&w);
    json_begin_object(&w);
    json_put_text(&w, member, where);
    json_put_text(&w, "detail", detail);
    json_end_object(&w);
    json_end_array(&w);
    if (buf_ok(&errors))
        reply_problem_member(rp, "errors", buf_view(&errors));
}

bool query_refuse(struct request *rq, struct reply *rp, const char *name, const char *fmt, ...)
{
    AUTO(buf_done) struct buf detail = { .max = 4096 };
    va_list args;

    va_start(args, fmt);
    buf_vfmt(&detail, fmt, args);
    va_end(args);
    reply_problem(rq, rp, 400, "invalid_parameter", "%s: %s", name, buf_cstr(&detail));
    put_errors(rp, "parameter", name, buf_cstr(&detail));
    return false;
}

bool query_id(struct request *rq, struct reply *rp, const char *name, const char *id_prefix, int64_t *out)
{
    struct span text = rq_query(rq, name);

    if (!text.ptr || id_parse(id_prefix, text, out))
        return true;
    return query_refuse(rq, rp, name, "It must be an id: \"%s\" and %d characters.", id_prefix, ID_DIGITS);
}

bool query_time(struct request *rq, struct reply *rp, const char *name, int64_t *wall_ms)
{
    struct span text = rq_query(rq, name);

    if (!text.ptr || clock_parse_rfc3339(text, wall_ms))
        return true;
    return query_refuse(rq, rp, name,
                        "It must be a time in RFC 3339 form, such as 2026-11-01T12:00:00Z (the '+' of an offset is "
                        "written %%2B).");
}

bool query_word(struct request *rq, struct reply *rp, const char *name, const char *const words[], const char **out)
{
    AUTO(buf_done) struct buf known = { .max = 1024 };
    struct span text = rq_query(rq, name);

    if (!text.ptr)
        return true;
    for (int i = 0; words[i]; i++) {
        if (span_eq_text(text, words[i])) {
            *out = words[i];
            return true;
        }
        buf_fmt(&known, "%s%s", i ? ", " : "", words[i]);
    }
    return query_refuse(rq, rp, name, "It must be one of: %s.", buf_cstr(&known));
}

void reply_page(struct request *rq, struct reply *rp)
{
    struct err err = { 0 };

    if (!buf_check(reply_body(rp), "an answer", &err))
        reply_error(rq, rp, &err);
}

void reply_list(struct request *rq, struct reply *rp, const struct db_rows *rows, int limit, const char *cursor,
                int64_t (*put)(struct json_writer *w, const struct db_rows *rows, int row, void *arg), void *arg)
{
    struct json_writer w = json_writer_on(reply_body(rp));
    int64_t last = 0;

    json_begin_object(&w);
    json_name(&w, "data");
    json_begin_array(&w);
    for (int i = 0; i < rows->count && i < limit; i++)
        last = put(&w, rows, i, arg);
    json_end_array(&w);
    reply_next_i64(rq, rp, &w, rows->count > limit, cursor, last);
    json_end_object(&w);
    reply_page(rq, rp);
}

void reply_resource(struct request *rq, struct reply *rp)
{
    struct err err = { 0 };

    if (buf_check(reply_body(rp), "an answer", &err))
        reply_etag(rp);
    else
        reply_error(rq, rp, &err);
}

void reply_pointer(struct reply *rp, const char *pointer, const char *detail)
{
    put_errors(rp, "pointer", pointer, detail);
}

/* What an id names, by its beginning. */
static const char *noun_of(struct span id)
{
    static const struct {
        const char *prefix, *noun;
    } nouns[] = { { ID_PREFIX, "prefix" }, { ID_VIDEO, "video" }, { ID_JOB, "job" },  { ID_SUMMARY, "summary" },
                  { ID_KEY, "key" },       { ID_PLAN, "plan" },   { ID_TASK, "task" } };

    for (size_t i = 0; i < sizeof nouns / sizeof nouns[0]; i++) {
        if (span_starts(id, span_of(nouns[i].prefix)))
            return nouns[i].noun;
    }
    return "thing";
}

void reply_failure(struct request *rq, struct reply *rp, const struct err *err)
{
    struct span id = rq_path_param(rq, "id");

    if (err->kind == ERR_NOT_FOUND && id.ptr)
        reply_problem(rq, rp, 404, "not_found", "There is no %s with the id %.*s.", noun_of(id), SPAN_ARG(id));
    else
        reply_error(rq, rp, err);
}

void json_put_json(struct json_writer *w, const char *name, const char *json)
{
    if (json)
        json_put_raw(w, name, span_of(json));
    else
        json_put_null(w, name);
}

bool text_has_control(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c < 0x20 || c == 0x7f)
            return true;
    }
    return false;
}

bool text_is_account(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
    }
    return s.len == 12;
}

bool location_holds(const char *uri, struct span bucket, struct span key)
{
    struct span rest = span_of(uri);
    struct span path;
    size_t slash = 0;

    if (!span_starts(rest, SPAN_LIT("s3://")))
        return false;
    rest = span_tail(rest, 5);
    slash = span_find(rest, '/');
    if (!span_eq(span_head(rest, slash), bucket))
        return false;
    path = span_tail(rest, slash + 1);
    if (path.len == 0)
        return true;
    return key.len > path.len && span_starts(key, path) && key.ptr[path.len] == '/';
}
