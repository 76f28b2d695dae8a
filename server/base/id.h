/* Public ids: a prefix that says what it names and 11 characters [0-9A-Za-z] that are the 64-bit row id in base 62.
 * Fixed width, so byte order is number order. A record id is the 11 characters alone: Bedrock's oldest published rule
 * for recordId ("11 character alphanumeric string"), and valid under all later ones. */
#ifndef VIDBATCH_BASE_ID_H
#define VIDBATCH_BASE_ID_H

#include "server/base/attr.h"
#include "server/base/span.h"

#include <stdbool.h>
#include <stdint.h>

#define ID_PREFIX "pfx_"
#define ID_VIDEO "vid_"
#define ID_JOB "job_"
#define ID_PLAN "pln_" /* of the job that it is, or would become: the same digits */
#define ID_KEY "key_"
#define ID_SHARD "shd_"
#define ID_SUMMARY "sum_"
#define ID_TASK "tsk_"
#define ID_RECORD "" /* bare */

enum { ID_DIGITS = 11, ID_SIZE = 4 + ID_DIGITS + 1 };

/* id >= 0. Writes prefix (at most 4 characters), 11 digits, terminator. */
void id_format(const char *prefix, int64_t id, char out[ID_SIZE]);
/* Exactly prefix + 11 digits that fit int64; false and *id untouched otherwise. */
MUST_CHECK bool id_parse(const char *prefix, struct span text, int64_t *id);

#endif
