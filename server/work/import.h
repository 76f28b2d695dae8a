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
    int files;
    char job_folder[IMPORT_JOB_ID_SIZE]; /* the first Bedrock job's folder that was met, below the output; "" */
};
/* The folder name is that of a Bedrock job: 12 of [a-z0-9]. */
bool import_is_job_id(struct span name);
/* Reads every file under the place whose key ends in suffix, or the one object that uri names, from where the last
 * attempt stopped. Refusals (ERR_INPUT): "several_jobs". */
MUST_CHECK bool import_read(struct import *import, const char *uri, const char *suffix, struct err *err);
/* The deepest folder that holds both keys: up to and including the last slash that they share; may be empty. */
struct span import_common_folder(struct span first, struct span last);

#endif
