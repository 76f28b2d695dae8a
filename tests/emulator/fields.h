/* Reads the members of a JSON object into variables by a table; unknown names and wrong types are refused in words. */
#ifndef VIDBATCH_EMULATOR_FIELDS_H
#define VIDBATCH_EMULATOR_FIELDS_H

#include "server/base/attr.h"
#include "server/base/buf.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum field_kind { FIELD_IS_TEXT, FIELD_IS_INT, FIELD_IS_REAL, FIELD_IS_BOOL, FIELD_IS_JSON };

struct field {
    const char *name;
    enum field_kind kind;
    void *out;   /* char[size], int64_t, double, bool, json_t * (borrowed from the object) */
    size_t size; /* of text */
};

#define FIELD_TEXT(name, array)                                                                                        \
    {                                                                                                                  \
        name, FIELD_IS_TEXT, array, sizeof(array)                                                                      \
    }
#define FIELD_INT(name, at)                                                                                            \
    {                                                                                                                  \
        name, FIELD_IS_INT, at, 0                                                                                      \
    }
#define FIELD_REAL(name, at)                                                                                           \
    {                                                                                                                  \
        name, FIELD_IS_REAL, at, 0                                                                                     \
    }
#define FIELD_BOOL(name, at)                                                                                           \
    {                                                                                                                  \
        name, FIELD_IS_BOOL, at, 0                                                                                     \
    }
#define FIELD_JSON(name, at)                                                                                           \
    {                                                                                                                  \
        name, FIELD_IS_JSON, at, 0                                                                                     \
    }

/* Members that are absent leave their variable alone. */
MUST_CHECK bool fields_read(json_t *json, const struct field *fields, size_t count, struct buf *why);

#endif
