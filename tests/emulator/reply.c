#include "tests/emulator/reply.h"

#include "server/base/mem.h"
#include "tests/emulator/blob.h"
#include "tests/emulator/emulator.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { BODY_MAX_BYTES = 256 * 1024 * 1024 };

void reply_init(struct reply *reply)
{
    memset(reply, 0, sizeof *reply);
    buf_init(&reply->body, BODY_MAX_BYTES);
}

void reply_done(struct reply *reply)
{
    for (size_t i = 0; i < reply->header_count; i++) {
        mem_free(reply->headers[i].name);
        mem_free(reply->headers[i].value);
    }
    buf_done(&reply->body);
    blob_unref(reply->blob);
    memset(reply, 0, sizeof *reply);
}

void reply_reset(struct reply *reply)
{
    reply_done(reply);
    reply_init(reply);
}

void reply_header(struct reply *reply, const char *name, const char *value)
{
    if (reply->header_count == REPLY_HEADERS)
        return;
    reply->headers[reply->header_count++] = (struct reply_header){ emu_copy(span_of(name)), emu_copy(span_of(value)) };
}

void reply_header_fmt(struct reply *reply, const char *name, const char *fmt, ...)
{
    char value[1024];
    va_list args;

    va_start(args, fmt);
    vsnprintf(value, sizeof value, fmt, args);
    va_end(args);
    reply_header(reply, name, value);
}

int64_t reply_length(const struct reply *reply)
{
    return reply->blob ? reply->length : (int64_t)reply->body.len;
}
