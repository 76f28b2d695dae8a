#include "server/base/err.h"

#include "server/base/text.h"

#include <stdarg.h>
#include <stdio.h>

/* vsnprintf has filled the array and may have cut inside a character: its last byte goes, and with it the character
 * that the byte belongs to. */
static void cut_at_character(char *text, size_t size)
{
    size_t len = text_utf8_head(span_of(text), size - 2).len;

    text[len] = '\0';
}

bool err_set(struct err *e, enum err_kind kind, bool retryable, const char *where, const char *fmt, ...)
{
    va_list args;
    int wanted = 0;

    if (!e || e->kind != ERR_NONE)
        return false;
    e->kind = kind;
    e->retryable = retryable;
    e->where = where;
    va_start(args, fmt);
    wanted = vsnprintf(e->what, sizeof e->what, fmt, args);
    va_end(args);
    if (wanted >= (int)sizeof e->what)
        cut_at_character(e->what, sizeof e->what);
    return false;
}

bool err_code(struct err *e, const char *code)
{
    if (e && e->code[0] == '\0')
        (void)snprintf(e->code, sizeof e->code, "%s", code);
    return false;
}

bool err_memory(struct err *e, const char *where)
{
    return err_set(e, ERR_MEMORY, false, where, "out of memory");
}

void err_clear(struct err *e)
{
    if (e)
        *e = (struct err){ .kind = ERR_NONE };
}

const char *err_kind_name(enum err_kind kind)
{
    switch (kind) {
    case ERR_NONE:
        return "none";
    case ERR_INPUT:
        return "input";
    case ERR_NOT_FOUND:
        return "not_found";
    case ERR_CONFLICT:
        return "conflict";
    case ERR_DENIED:
        return "denied";
    case ERR_BUSY:
        return "busy";
    case ERR_TIMEOUT:
        return "timeout";
    case ERR_UPSTREAM:
        return "upstream";
    case ERR_DATABASE:
        return "database";
    case ERR_CANCELLED:
        return "cancelled";
    case ERR_MEMORY:
        return "memory";
    case ERR_INTERNAL:
        return "internal";
    }
    return "internal";
}

const char *err_code_of(const struct err *e)
{
    return e->code[0] != '\0' ? e->code : err_kind_name(e->kind);
}

bool err_pass(struct err *e, const struct err *from)
{
    if (e && e->kind == ERR_NONE)
        *e = *from;
    return false;
}
