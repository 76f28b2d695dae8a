/* Time: wall clock for people and AWS, monotonic clock for deadlines, and RFC 3339. All in milliseconds. */
#ifndef VIDBATCH_BASE_CLOCK_H
#define VIDBATCH_BASE_CLOCK_H

#include "server/base/attr.h"
#include "server/base/span.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

int64_t clock_wall_ms(void);
int64_t clock_mono_ms(void);
/* Joins the thread; false: it has not ended by this time of clock_mono_ms(), and may be joined later. A wall clock that
 * jumps changes nothing, as it does for pthread_timedjoin_np(). */
MUST_CHECK bool clock_join(pthread_t thread, int64_t deadline_mono_ms);
/* "2026-11-01T12:00:00.000Z", 24 characters and the terminator. */
enum { CLOCK_RFC3339_SIZE = 32 };
void clock_rfc3339(int64_t wall_ms, char out[CLOCK_RFC3339_SIZE]);
/* Accepts any RFC 3339 date-time with Z or an offset, fraction optional; false and *wall_ms untouched otherwise. */
MUST_CHECK bool clock_parse_rfc3339(struct span text, int64_t *wall_ms);
/* IMF-fixdate of HTTP, "Sun, 06 Nov 1994 08:49:37 GMT". */
void clock_http_date(int64_t wall_ms, char out[CLOCK_RFC3339_SIZE]);
MUST_CHECK bool clock_parse_http_date(struct span text, int64_t *wall_ms);

#endif
