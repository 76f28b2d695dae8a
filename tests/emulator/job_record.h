/* One record: judged as Bedrock and Nova judge it, answered from the real object, written as an output line. */
#ifndef VIDBATCH_EMULATOR_JOB_RECORD_H
#define VIDBATCH_EMULATOR_JOB_RECORD_H

#include "server/base/buf.h"
#include "tests/emulator/jobs.h"
#include "tests/emulator/model_run.h"

struct record_result {
    bool success;
    int64_t input_tokens, output_tokens;
};

/* Appends the line with its line feed to out. is_folder: the job names a folder, so records may name objects. */
struct record_result job_record_run(struct job *job, bool is_folder, struct span line, enum model_role role,
                                    struct buf *out);

#endif
