#include "tests/emulator/fields.h"

#include <stdint.h>
#include <string.h>

static bool read_one(const struct field *f, json_t *value, struct buf *why)
{
    switch (f->kind) {
    case FIELD_IS_TEXT:
        if (!json_is_string(value) || json_string_length(value) >= f->size)
            break;
        memcpy(f->out, json_string_value(value), json_string_length(value) + 1);
        return true;
    case FIELD_IS_INT:
        if (!json_is_integer(value))
            break;
        *(int64_t *)f->out = json_integer_value(value);
        return true;
    case FIELD_IS_REAL:
        if (!json_is_number(value))
            break;
        *(double *)f->out = json_number_value(value);
        return true;
    case FIELD_IS_BOOL:
        if (!json_is_boolean(value))
            break;
        *(bool *)f->out = json_is_true(value);
        return true;
    case FIELD_IS_JSON:
        *(json_t **)f->out = value;
        return true;
    }
    buf_fmt(why, "%s: wrong type or too long", f->name);
    return false;
}

bool fields_read(json_t *json, const struct field *fields, size_t count, struct buf *why)
{
    const char *name = NULL;
    json_t *value = NULL;

    if (!json_is_object(json)) {
        buf_text(why, "an object is expected");
        return false;
    }
    json_object_foreach(json, name, value)
    {
        size_t i = 0;
        while (i < count && strcmp(fields[i].name, name) != 0)
            i++;
        if (i == count) {
            buf_fmt(why, "unknown name \"%s\"", name);
            return false;
        }
        if (!read_one(&fields[i], value, why))
            return false;
    }
    return true;
}
