/* Inside server/work: an optional thread that reads an SQS queue for EventBridge's "Batch Inference Job State Change"
 * and makes the watch look at once. Nothing depends on it: events may be late, doubled or lost, and the watch's own
 * looks stay the truth. */
#ifndef VIDBATCH_WORK_HINTS_H
#define VIDBATCH_WORK_HINTS_H

#include "aws/client.h"
#include "sql/db.h"

#include <stdatomic.h>

struct hints;
/* Keeps queue_url, aws and stopping; the thread ends soon after *stopping is true. Gives: hints_stop. */
MUST_CHECK bool hints_start(const char *queue_url, struct aws *aws, const struct db_options *database,
                            const atomic_bool *stopping, struct hints **out, struct err *err);
/* Joins the thread and frees; false: it does not end by this time of clock_mono_ms(). NULL is fine. */
MUST_CHECK bool hints_stop(struct hints *hints, int64_t deadline_mono_ms);

struct hint_counts {
    uint64_t received; /* messages */
    uint64_t foreign;  /* of them: no such event, or about a job that is not ours */
    uint64_t failures; /* calls or queries that went wrong */
};
/* Any thread. hints NULL: zeros. */
struct hint_counts hints_counts(const struct hints *hints);

#endif
