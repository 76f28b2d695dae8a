/* What clients say of a new job. */
#ifndef VIDBATCH_HANDLERS_JOB_INPUT_H
#define VIDBATCH_HANDLERS_JOB_INPUT_H

#include "server/http/http.h"
#include "sql/job_store.h"

#include <stdbool.h>

enum {
    JOB_PROMPT_MAX_BYTES = 100000, /* a third of the smallest context, one token a byte at worst */
    JOB_SYSTEM_MAX_BYTES = 20000,
    JOB_NAME_MAX_BYTES = 200,
    JOB_METADATA_MAX_BYTES = 16 * 1024
};

/* Texts are borrowed from the request, the application and `metadata`. */
struct job_input {
    struct job_new row; /* name: ptr NULL where none was given */
    char *metadata;     /* JSON; NULL where none was given */
};
void job_input_done(struct job_input *in);
/* False: the problem is filled. */
bool job_input_read(struct request *rq, struct reply *rp, struct job_input *in);

#endif
