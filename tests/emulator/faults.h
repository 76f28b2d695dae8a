/* Scripted trouble: what to do to which request, and how which Bedrock job ends. Rules are tried in the order in which
 * they were added; the first that matches wins. Any thread. */
#ifndef VIDBATCH_EMULATOR_FAULTS_H
#define VIDBATCH_EMULATOR_FAULTS_H

#include "server/base/attr.h"
#include "server/base/buf.h"
#include "server/base/span.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct fault_action {
    const char *name; /* static text, for the journal */
    int status;       /* answer this, do no work; 0: not this */
    char code[64];
    char message[200];
    char retry_after[16]; /* seconds, as text; empty: no such header */
    bool reset;           /* close before any work */
    bool reset_after;     /* do the work, then close */
    int64_t cut_body;     /* bytes of the answer's body to send before closing, -1: all */
    int64_t slow_body;    /* bytes a second, 0: full speed */
    int64_t delay_ms;     /* before the answer */
    char checksum[16];    /* CRC-64/NVME to claim of a whole object that is read, in base64; empty: the truth */
};

struct job_script {
    bool given;
    char terminal[24]; /* "" : as the work itself says */
    char message[400];
    double process_fraction; /* -1: all, or what the terminal status suggests */
    double error_fraction, max_tokens_fraction, content_filtered_fraction;
    int64_t missing, duplicate, unknown_records, garbage_lines;
    int64_t output_files;
    bool reasoning, no_manifest, lagging_counters, truncate_last_line, hold;
};

struct faults *faults_new(void);
/* One rule, an array of rules, {"faults": [...]}, or {"job": {...}}. False: `why` says what is wrong and nothing was
 * added. */
MUST_CHECK bool faults_add(struct faults *faults, json_t *json, struct buf *why);
void faults_clear(struct faults *faults);
/* The rules as they stand, with how often each was used. */
void faults_list(struct faults *faults, struct buf *out);
/* Finds and counts; false: nothing to do to this request. */
bool faults_match(struct faults *faults, const char *op, struct span bucket, struct span key, struct fault_action *out);
/* The script for a new job of this name; `given` false where there is none. */
void faults_job_script(struct faults *faults, struct span name, struct job_script *out);

#endif
