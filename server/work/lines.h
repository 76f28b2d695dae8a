/* The question of a job as a model is asked it: JSONL lines and the bodies of calls are written by what lines_new gives
 * (aws/batch_input.h), wherever they are written, measured or shown. */
#ifndef VIDBATCH_WORK_LINES_H
#define VIDBATCH_WORK_LINES_H

#include "aws/batch_input.h"
#include "server/base/err.h"
#include "server/base/span.h"
#include "sql/job_store.h"

/* owner: of the bucket of the videos, or empty. Borrows the job's texts. NULL: ERR_MEMORY. Gives: batch_input_free, or
 * AUTO(lines_free). Any thread. */
struct batch_input *lines_new(const struct job_row *job, struct span owner, struct err *err);
void lines_free(struct batch_input **input);

#endif
