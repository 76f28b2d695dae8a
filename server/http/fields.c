/* Reads a JSON object into typed values and collects every problem, so that a client can cure all at once. */
#include "server/http/internal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* One reference token of a JSON Pointer (RFC 6901), with its slash. */
static void add_token(struct buf *out, const char *name)
{
    buf_char(out, '/');
    for (; *name; name++) {
        if (*name == '~')
            buf_text(out, "~0");
        else if (*name == '/')
            buf_text(out, "~1");
        else
            buf_char(out, *name);
    }
}

static void refuse(struct fields *f, const char *name, const char *detail)
{
    struct buf *errors = &f->rq->field_errors;
    struct buf pointer = { 0 };
    struct json_writer w = json_writer_on(errors);

    if (f->count++ >= MAX_FIELD_ERRORS)
        return;
    buf_init(&pointer, 0);
    buf_text(&pointer, f->pointer);
    if (name)
        add_token(&pointer, name);
    if (errors->len > 0)
        buf_char(errors, ',');
    json_begin_object(&w);
    json_put_span(&w, "pointer", buf_view(&pointer));
    json_put_text(&w, "detail", detail);
    json_end_object(&w);
    if (!buf_ok(&pointer))
        errors->failed = true;
    buf_done(&pointer);
}

void fields_refuse(struct fields *f, const char *name, const char *fmt, ...)
{
    char detail[400];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(detail, sizeof detail, fmt, args);
    va_end(args);
    refuse(f, name, detail);
}

void fields_forbid(struct fields *f, const char *name, const char *detail)
{
    assert((size_t)f->seen_count < sizeof f->seen / sizeof f->seen[0]);
    f->seen[f->seen_count++] = name;
    if (f->object && json_object_get(f->object, name))
        refuse(f, name, detail);
}

void fields_begin(struct fields *f, struct request *rq, struct reply *rp, json_t *object)
{
    buf_reset(&rq->field_errors);
    *f = (struct fields){ .rq = rq, .rp = rp, .object = object, .pointer = "" };
}

/* Notes the name as known; NULL where the member is absent or null. */
static json_t *look_up(struct fields *f, const char *name, bool required)
{
    json_t *value = NULL;

    assert((size_t)f->seen_count < sizeof f->seen / sizeof f->seen[0]);
    f->seen[f->seen_count++] = name;
    if (!f->object)
        return NULL;
    value = json_object_get(f->object, name);
    if (json_is_null(value))
        value = NULL;
    if (!value && required)
        refuse(f, name, "It is required.");
    return value;
}

bool fields_text(struct fields *f, const char *name, bool required, size_t min_len, size_t max_len, struct span *out)
{
    json_t *value = look_up(f, name, required);
    size_t len = 0;

    *out = (struct span){ 0 };
    if (!value)
        return false;
    if (!json_is_string(value)) {
        refuse(f, name, "It must be a string.");
        return false;
    }
    len = json_string_length(value);
    if (len < min_len || len > max_len) {
        fields_refuse(f, name, "It must have %zu to %zu bytes of UTF-8; it has %zu.", min_len, max_len, len);
        return false;
    }
    *out = (struct span){ json_string_value(value), len };
    return true;
}

bool fields_i64(struct fields *f, const char *name, bool required, int64_t min, int64_t max, int64_t *out)
{
    json_t *value = look_up(f, name, required);

    if (!value)
        return false;
    if (!json_is_integer(value) || json_integer_value(value) < min || json_integer_value(value) > max) {
        fields_refuse(f, name, "It must be a whole number from %" PRId64 " to %" PRId64 ".", min, max);
        return false;
    }
    *out = json_integer_value(value);
    return true;
}

bool fields_f64(struct fields *f, const char *name, bool required, double min, double max, double *out)
{
    json_t *value = look_up(f, name, required);

    if (!value)
        return false;
    if (!json_is_number(value) || !(json_number_value(value) >= min && json_number_value(value) <= max)) {
        fields_refuse(f, name, "It must be a number from %g to %g.", min, max);
        return false;
    }
    *out = json_number_value(value);
    return true;
}

bool fields_bool(struct fields *f, const char *name, bool required, bool *out)
{
    json_t *value = look_up(f, name, required);

    if (!value)
        return false;
    if (!json_is_boolean(value)) {
        refuse(f, name, "It must be true or false.");
        return false;
    }
    *out = json_is_true(value);
    return true;
}

bool fields_word(struct fields *f, const char *name, bool required, const char *const words[], int *out)
{
    json_t *value = look_up(f, name, required);
    char detail[400] = "It must be one of:";
    size_t used = strlen(detail);

    if (!value)
        return false;
    for (int i = 0; words[i]; i++) {
        struct span text = { json_string_value(value), json_string_length(value) };
        if (json_is_string(value) && span_eq_text(text, words[i])) {
            *out = i;
            return true;
        }
    }
    for (int i = 0; words[i] && used < sizeof detail; i++) {
        int n = snprintf(detail + used, sizeof detail - used, "%s \"%s\"", i > 0 ? "," : "", words[i]);
        used += n > 0 ? (size_t)n : 0;
    }
    refuse(f, name, detail);
    return false;
}

json_t *fields_member(struct fields *f, const char *name, bool required, json_type type)
{
    json_t *value = look_up(f, name, required);

    assert(type == JSON_OBJECT || type == JSON_ARRAY);
    if (!value)
        return NULL;
    if (json_typeof(value) != type) {
        refuse(f, name, type == JSON_OBJECT ? "It must be an object." : "It must be an array.");
        return NULL;
    }
    return value;
}

void fields_nested(struct fields *f, struct fields *parent, const char *name, json_t *object)
{
    struct buf pointer = { 0 };
    char *kept = NULL;

    buf_init(&pointer, 0);
    buf_text(&pointer, parent->pointer);
    add_token(&pointer, name);
    if (buf_ok(&pointer))
        kept = request_keep(parent->rq, pointer.len + 1);
    if (kept)
        memcpy(kept, pointer.data, pointer.len);
    else
        parent->rq->field_errors.failed = true; /* fields_end says that memory is short */
    buf_done(&pointer);
    *f = (struct fields){
        .rq = parent->rq,
        .rp = parent->rp,
        .object = object,
        .pointer = kept ? kept : "",
        .count = parent->count,
    };
}

static void refuse_unknown(struct fields *f)
{
    const char *name = NULL;
    json_t *value = NULL;

    if (!f->object)
        return;
    json_object_foreach(f->object, name, value)
    {
        bool known = false;
        for (int i = 0; i < f->seen_count; i++)
            known = known || strcmp(f->seen[i], name) == 0;
        if (!known)
            refuse(f, name, "There is no such member here.");
    }
}

void fields_end_nested(struct fields *f, struct fields *parent)
{
    refuse_unknown(f);
    parent->count = f->count;
}

bool fields_end(struct fields *f)
{
    struct buf *errors = &f->rq->field_errors;
    struct buf list = { 0 };
    struct err err = { 0 };

    refuse_unknown(f);
    if (f->count == 0 && buf_ok(errors))
        return true;
    buf_init(&list, errors->max + 2);
    buf_char(&list, '[');
    buf_span(&list, buf_view(errors));
    buf_char(&list, ']');
    if (!buf_ok(errors) || !buf_check(&list, "errors", &err)) {
        err_memory(&err, HERE);
        reply_error(f->rq, f->rp, &err);
    } else {
        reply_problem(f->rq, f->rp, 422, "invalid_fields",
                      "%d member%s of the body break%s a rule; \"errors\" says which.", f->count,
                      f->count == 1 ? "" : "s", f->count == 1 ? "s" : "");
        reply_problem_member(f->rp, "errors", buf_view(&list));
    }
    buf_done(&list);
    return false;
}
