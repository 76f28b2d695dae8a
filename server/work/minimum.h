/* The rule of the smallest batch, in one place: handlers refuse by it before anything is done, the plan refuses by it
 * when the scan ended later. */
#ifndef VIDBATCH_WORK_MINIMUM_H
#define VIDBATCH_WORK_MINIMUM_H

#include "server/base/buf.h"

#include <stdint.h>

/* NULL when so many videos can be run; else the stable code ("no_eligible_videos", "below_minimum"), and the rule and
 * the remedy appended to words. Pure. selected  videos that the job would take;  eligible  those of the prefix that
 * could be run at all */
const char *minimum_refusal(int64_t selected, int64_t eligible, int64_t minimum, struct buf *words);

#endif
