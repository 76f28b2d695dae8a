/* The rule of the smallest batch, in one place: handlers refuse by it before anything is done, the plan refuses by it
 * when the scan ended later. */
#ifndef VIDBATCH_WORK_MINIMUM_H
#define VIDBATCH_WORK_MINIMUM_H

#include "server/base/buf.h"

#include <stdbool.h>
#include <stdint.h>

struct minimum {
    int64_t selected;        /* videos that the job would take */
    int64_t eligible;        /* of those that it considered, all that could be run */
    int64_t active;          /* of the eligible, not selected: a job that has not ended asks the same about them */
    int64_t minimum;         /* of a batch job */
    const char *select_mode; /* new all failed videos retry */
    bool waits;              /* the job waits for more: then the words say so */
};
/* NULL when so many videos can be run; else the stable code ("no_eligible_videos", "no_new_videos", "no_failed_videos",
 * "below_minimum"), and the rule and the remedy appended to words. Pure. */
const char *minimum_refusal(const struct minimum *m, struct buf *words);

#endif
