/* The input of a job: every .jsonl under its folder, mapped, cut into lines. One thread. */
#ifndef VIDBATCH_EMULATOR_JOB_INPUT_H
#define VIDBATCH_EMULATOR_JOB_INPUT_H

#include "server/base/attr.h"
#include "server/base/buf.h"
#include "tests/emulator/jobs.h"
#include "tests/emulator/store.h"

struct input_file {
    struct object *object; /* shared */
    char *name;            /* key below the folder */
    const char *bytes;     /* mapped */
    size_t first, count;   /* of its lines */
};

struct input_line {
    uint32_t file;
    struct span text; /* in the mapping */
};

struct job_input {
    struct input_file *files;
    size_t file_count;
    struct input_line *lines;
    size_t line_count, line_cap;
    bool is_folder; /* false: the job names one .jsonl */
};

/* Reads and checks as Bedrock's validation does. False: `why` is the message of the failed job. */
MUST_CHECK bool job_input_read(struct job *job, struct job_input *out, struct buf *why);
void job_input_done(struct job_input *input);

#endif
