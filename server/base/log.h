/* Log: one line an event on standard error, as text (event key=value ...) or as JSON lines.
 * The fields are given as `key=value` text; a value with blanks is put in single quotes by the caller's format and
 * escaped by log itself through LOGQ. Never a secret, a signature or a body. Any thread. */
#ifndef VIDBATCH_BASE_LOG_H
#define VIDBATCH_BASE_LOG_H

#include "server/base/attr.h"

#include <stdbool.h>

enum log_level { LOG_DEBUG_LEVEL, LOG_INFO_LEVEL, LOG_WARN_LEVEL, LOG_ERROR_LEVEL };

/* Before any thread starts. fd is kept, not closed. */
void log_setup(enum log_level least, bool as_json, int fd);

/* Context that every line of this thread carries until it is changed, "request=..." or "job=... task=..."; NULL or ""
 * clears it. Copied. */
void log_context(const char *key_values);

/* event: lower case with dots, "job.retry". fmt: "key=%s other=%d" or "" for none. */
void log_debug(const char *event, const char *fmt, ...) PRINTF(2, 3);
void log_info(const char *event, const char *fmt, ...) PRINTF(2, 3);
void log_warn(const char *event, const char *fmt, ...) PRINTF(2, 3);
void log_error(const char *event, const char *fmt, ...) PRINTF(2, 3);

/* Quotes outside text for a field: LOGQ(text) gives '...' with control characters, quotes and backslashes escaped, cut
 * at 640 bytes. The storage is the thread's own ring of eight: use within the same call. */
const char *log_quote(const char *text);
#define LOGQ(text) log_quote(text)

#endif
