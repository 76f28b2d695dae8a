/* Inside server/work: an import on its way. First everything that the other tool left is read for recordIds and videos
 * (import_read.c), then these become records (import.c), then the ordinary ingest reads the answers. */
#ifndef VIDBATCH_WORK_IMPORT_H
#define VIDBATCH_WORK_IMPORT_H

#include "server/work/step.h"
#include "sql/import_store.h"

enum { IMPORT_JOB_ID_SIZE = 13 };

struct import {
    struct step *step;
    int64_t job_id, shard_id;
    struct import_row row;
    bool is_over; /* a cancel ended it meanwhile: the task is ended too */
    int output_files;
    char job_folder[IMPORT_JOB_ID_SIZE]; /* the first Bedrock job's folder that was met, below the output; "" */
};
/* The folder name is that of a Bedrock job: 12 of [a-z0-9]. */
bool import_is_job_id(struct span name);
enum import_side { IMPORT_INPUT, IMPORT_OUTPUT };
/* Reads every file of lines under the input's or the output's place, or the one object that is named, from where the
 * last attempt stopped. The output may be of one Bedrock job only, "several_jobs" (ERR_INPUT) refuses another; what
 * lies where in the input is its owner's business. */
MUST_CHECK bool import_read(struct import *import, enum import_side side, struct err *err);
/* The deepest folder that holds both keys: up to and including the last slash that they share; may be empty. */
struct span import_common_folder(struct span first, struct span last);

#endif
