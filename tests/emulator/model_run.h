/* The emulated model at work on one request: judged as Bedrock and Nova judge it, answered from the real object. Used
 * by batch jobs, a record at a time, and by InvokeModel. */
#ifndef VIDBATCH_EMULATOR_MODEL_RUN_H
#define VIDBATCH_EMULATOR_MODEL_RUN_H

#include "server/base/attr.h"
#include "server/base/json_writer.h"
#include "tests/emulator/jobs.h"
#include "tests/emulator/media.h"
#include "tests/emulator/model_input.h"

/* What a script wants of this request beside its real fate. */
enum model_role { ROLE_PLAIN, ROLE_ERROR, ROLE_MAX_TOKENS, ROLE_FILTERED };

struct model_error {
    int64_t code; /* as an HTTP status */
    bool retryable;
    struct buf message;
};

struct model_run {
    /* the caller fills these in */
    struct emulator *emu;
    const struct job *job; /* the batch job whose folder holds the videos; NULL: on demand, any object will do */
    bool is_folder;        /* that job names a folder, so its records may name objects */
    enum model_role role;
    uint64_t hash; /* of the request: the words of an answer without a video follow from it */
    /* what model_run_judge found; done by model_run_done */
    struct model_input input;
    struct media media;
    int64_t video_bytes;
};

/* Does the model take the request? False: e says why not. Borrows from input; e->message must be initialised. */
MUST_CHECK bool model_run_judge(struct model_run *run, json_t *input, struct model_error *e);
/* Writes what Bedrock calls modelOutput, the body of an InvokeModel answer. */
void model_run_answer(const struct model_run *run, struct json_writer *w, int64_t *input_tokens,
                      int64_t *output_tokens);
void model_run_done(struct model_run *run);

#endif
