/* What clients say of a new job or plan: the same body for both. */
#ifndef VIDBATCH_HANDLERS_JOB_INPUT_H
#define VIDBATCH_HANDLERS_JOB_INPUT_H

#include "server/base/buf.h"
#include "server/http/http.h"
#include "server/work/models.h"
#include "sql/job_store.h"

#include <stdbool.h>

enum {
    JOB_PROMPT_MAX_BYTES = 100000, /* a third of the smallest context, one token a byte at worst */
    JOB_SYSTEM_MAX_BYTES = 20000,
    JOB_NAME_MAX_BYTES = 200,
    JOB_METADATA_MAX_BYTES = 16 * 1024,
    JOB_VIDEOS_MAX = 10000
};

/* Texts are borrowed from the request, the application and the buffers here. */
struct job_input {
    struct job_new row; /* name: ptr NULL where none was given */
    char *metadata;     /* JSON; NULL where none was given */
    struct buf picked;  /* video_ids as an SQL array */
    bool has_plan;      /* launch plan_id: then only name and metadata are there beside it */
    int64_t plan_id;
};
void job_input_done(struct job_input *in);
/* may_launch: "plan_id" may stand in the body. False: the problem is filled. A model that the client named has been
 * judged then; the default one has not. */
bool job_input_read(struct request *rq, struct reply *rp, bool may_launch, struct job_input *in);
struct job_retry_input {
    struct job_input job; /* name, metadata, staging, preflight, below_minimum, keep_staging, max_cost; what was not
                             given is NULL, or not `has` */
    bool force;
};
/* The body of a retry, which may be empty. False: the problem is filled. End it with job_input_done(&in->job). */
bool job_input_read_retry(struct request *rq, struct reply *rp, struct job_retry_input *in);
/* Can a job take this model? Where not, sentences for the client are appended to `why`. */
bool job_input_model_ok(const struct models *models, struct span model_id, struct buf *why);

#endif
