/* The output of a job: evaluated and written aside first, shown in the bucket when the job's time has come. */
#ifndef VIDBATCH_EMULATOR_JOB_OUTPUT_H
#define VIDBATCH_EMULATOR_JOB_OUTPUT_H

#include "tests/emulator/job_input.h"

struct output_object {
    char *name; /* below {outputUri}/{jobId}/ */
    struct object *object;
};

struct job_output {
    struct output_object *objects;
    size_t count;
    struct job_counts counts;
};

/* Runs the first `fraction` of the records, in their shuffled order. */
void job_output_write(struct job *job, const struct job_input *input, double fraction, struct job_output *out);
/* Puts the objects into the output bucket. */
void job_output_publish(struct job *job, struct job_output *output);
void job_output_done(struct job_output *output);

#endif
