#include "server/base/log.h"

#include "server/base/buf.h"
#include "server/base/clock.h"
#include "server/base/json_writer.h"
#include "server/base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum {
    LINE_BYTES = 4096, /* one write of at most PIPE_BUF: lines of several processes do not mix in a pipe */
    FIELDS_BYTES = 3600,
    CONTEXT_BYTES = 256,
    TAIL_BYTES = 24, /* kept free for `,"truncated":true}` and the line feed */
    QUOTE_IN_BYTES = 640,
    QUOTE_OUT_BYTES = 4 * QUOTE_IN_BYTES + 3,
    QUOTE_SLOTS = 8
};

/* Set before any thread starts, only read afterwards. */
static enum log_level least_level = LOG_INFO_LEVEL;
static bool json_lines = false;
static int log_fd = STDERR_FILENO;

static _Thread_local char context[CONTEXT_BYTES];
static _Thread_local char quotes[QUOTE_SLOTS][QUOTE_OUT_BYTES];
static _Thread_local unsigned next_quote;

/* A buf over the caller's array: it never grows, so that logging works when memory has run out. */
static struct buf fixed_buf(char *bytes, size_t size)
{
    bytes[0] = '\0';
    return (struct buf){ .data = bytes, .cap = size, .max = size - 1 };
}

void log_setup(enum log_level least, bool as_json, int fd)
{
    least_level = least;
    json_lines = as_json;
    log_fd = fd;
}

void log_context(const char *key_values)
{
    struct buf b = fixed_buf(context, sizeof context);

    buf_span(&b, text_utf8_head(span_of(key_values), sizeof context - 1));
}

/* Control characters (C1 included: terminals obey them too) and bytes that are no UTF-8 become \xNN. */
static void quote_one(struct buf *out, struct span *s)
{
    unsigned char c = (unsigned char)s->ptr[0];
    size_t len = text_utf8_char(*s);

    if (c == '\'' || c == '\\')
        buf_fmt(out, "\\%c", c);
    else if (c == '\n')
        buf_text(out, "\\n");
    else if (c == '\r')
        buf_text(out, "\\r");
    else if (c == '\t')
        buf_text(out, "\\t");
    else if (c < 0x20 || c == 0x7F || len == 0)
        buf_fmt(out, "\\x%02x", c);
    else if (c == 0xC2 && (unsigned char)s->ptr[1] < 0xA0)
        buf_fmt(out, "\\xc2\\x%02x", (unsigned char)s->ptr[1]);
    else
        buf_span(out, span_head(*s, len));
    *s = span_tail(*s, len > 0 ? len : 1);
}

const char *log_quote(const char *text)
{
    char *slot = quotes[next_quote++ % QUOTE_SLOTS];
    struct buf b = fixed_buf(slot, QUOTE_OUT_BYTES);
    struct span s = text_utf8_head(span_of(text), QUOTE_IN_BYTES);

    buf_char(&b, '\'');
    while (s.len > 0)
        quote_one(&b, &s);
    buf_char(&b, '\'');
    return slot;
}

static int hex_digit(char c)
{
    const char *hex = "0123456789abcdef";
    size_t at = span_find(span_of(hex), c);

    return at < 16 ? (int)at : -1;
}

/* Takes one character of a quoted value, the inverse of quote_one. */
static void unquote_one(struct buf *out, struct span *s)
{
    char c = s->ptr[0];
    size_t used = 1;

    if (c == '\\' && s->len > 1) {
        c = s->ptr[1];
        used = 2;
        if (c == 'n') {
            c = '\n';
        } else if (c == 'r') {
            c = '\r';
        } else if (c == 't') {
            c = '\t';
        } else if (c == 'x' && s->len > 3 && hex_digit(s->ptr[2]) >= 0 && hex_digit(s->ptr[3]) >= 0) {
            c = (char)(hex_digit(s->ptr[2]) * 16 + hex_digit(s->ptr[3]));
            used = 4;
        }
    }
    buf_char(out, c);
    *s = span_tail(*s, used);
}

/* Takes `key=word` or `key='quoted'` off the front; a word without a key gets the key "text". False when nothing is
 * left. */
static bool take_field(struct span *s, struct span *key, struct buf *value)
{
    struct span word = { "", 0 };
    size_t equals = 0;

    while (s->len > 0 && s->ptr[0] == ' ')
        *s = span_tail(*s, 1);
    if (s->len == 0)
        return false;
    word = span_head(*s, span_find(*s, ' '));
    equals = span_find(word, '=');
    buf_reset(value);
    *key = equals > 0 && equals < word.len ? span_head(word, equals) : SPAN_LIT("text");
    if (equals + 1 < word.len && equals > 0 && word.ptr[equals + 1] == '\'') {
        *s = span_tail(*s, equals + 2);
        while (s->len > 0 && s->ptr[0] != '\'')
            unquote_one(value, s);
        *s = span_tail(*s, 1);
        return true;
    }
    buf_span(value, equals > 0 ? span_tail(word, equals < word.len ? equals + 1 : 0) : word);
    *s = span_tail(*s, word.len);
    return true;
}

/* Adds the fields as string members. A field that does not fit is left out; false then. */
static bool add_members(struct buf *line, struct span fields)
{
    char bytes[FIELDS_BYTES];
    struct buf value = fixed_buf(bytes, sizeof bytes);
    struct span key = { "", 0 };
    bool all = true;

    while (take_field(&fields, &key, &value)) {
        size_t before = line->len;
        buf_text(line, ",\"");
        json_escape(line, key);
        buf_text(line, "\":\"");
        json_escape(line, buf_view(&value));
        buf_char(line, '"');
        if (!buf_ok(line)) {
            line->failed = false;
            buf_cut(line, before);
            all = false;
        }
    }
    return all;
}

static void write_json(struct buf *line, const char *time, enum log_level level, const char *event, struct span fields,
                       bool cut)
{
    static const char *const names[] = { "debug", "info", "warn", "error" };
    size_t max = line->max;
    bool all = false;

    line->max -= TAIL_BYTES;
    buf_fmt(line, "{\"time\":\"%s\",\"level\":\"%s\",\"event\":\"%s\"", time, names[level], event);
    all = add_members(line, fields);
    all = add_members(line, span_of(context)) && all;
    line->max = max;
    buf_text(line, all && !cut ? "}\n" : ",\"truncated\":true}\n");
}

static void write_text(struct buf *line, const char *time, enum log_level level, const char *event, struct span fields,
                       bool cut)
{
    static const char *const names[] = { "DEBUG", "INFO", "WARN", "ERROR" };

    buf_fmt(line, "%s %s %s", time, names[level], event);
    if (fields.len > 0)
        buf_fmt(line, " %.*s%s", SPAN_ARG(fields), cut ? "..." : "");
    if (context[0] != '\0')
        buf_fmt(line, " %s", context);
    /* One event is one line, whatever an unquoted value held. */
    for (size_t i = 0; i < line->len; i++)
        if ((unsigned char)line->data[i] < 0x20 || line->data[i] == 0x7F)
            line->data[i] = ' ';
    buf_char(line, '\n');
}

static void write_line(struct span line)
{
    while (line.len > 0) {
        ssize_t n = write(log_fd, line.ptr, line.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; /* nowhere to report it */
        line = span_tail(line, (size_t)n);
    }
}

PRINTF(3, 0) static void log_event(enum log_level level, const char *event, const char *fmt, va_list args)
{
    int errno_before = errno; /* a log line between a failure and its report must not change the report */
    char fields[FIELDS_BYTES];
    char bytes[LINE_BYTES];
    char time[CLOCK_RFC3339_SIZE];
    struct buf line = { 0 };
    struct span shown;
    bool cut = false;

    if (level < least_level)
        return;
    line = fixed_buf(bytes, sizeof bytes);
    cut = vsnprintf(fields, sizeof fields, fmt, args) >= (int)sizeof fields;
    shown = cut ? text_utf8_head(span_of(fields), sizeof fields - 2) : span_of(fields);
    clock_rfc3339(clock_wall_ms(), time);
    if (json_lines)
        write_json(&line, time, level, event, shown, cut);
    else
        write_text(&line, time, level, event, shown, cut);
    write_line(buf_view(&line));
    errno = errno_before;
}

#define LOG_FUNCTION(name, level)                                                                                      \
    void name(const char *event, const char *fmt, ...)                                                                 \
    {                                                                                                                  \
        va_list args;                                                                                                  \
        va_start(args, fmt);                                                                                           \
        log_event((level), event, fmt, args);                                                                          \
        va_end(args);                                                                                                  \
    }

LOG_FUNCTION(log_debug, LOG_DEBUG_LEVEL)
LOG_FUNCTION(log_info, LOG_INFO_LEVEL)
LOG_FUNCTION(log_warn, LOG_WARN_LEVEL)
LOG_FUNCTION(log_error, LOG_ERROR_LEVEL)
