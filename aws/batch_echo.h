/* What a batch job was asked for, read from its own files: the lines of its input, or the modelInput that the lines of
 * its output echo. A stream, line by line, in any line and key order; answers and errors are skipped. For jobs that
 * another tool started (the service's own are known to it). Both forms of modelInput: InvokeModel ("messages-v1") and
 * Converse; Bedrock and Nova user guides, batch-inference-data and complete-request-schema. One thread. */
#ifndef VIDBATCH_AWS_BATCH_ECHO_H
#define VIDBATCH_AWS_BATCH_ECHO_H

#include "aws/batch_input.h"
#include "server/base/buf.h"
#include "server/base/err.h"
#include "server/base/json_reader.h"
#include "server/base/span.h"

#include <stdbool.h>
#include <stdint.h>

struct batch_echo_line {   /* text borrowed until the next line; fit for PostgreSQL */
    bool malformed;        /* not JSON, no object, or a part beyond its limit; `problem` says which */
    int64_t offset;        /* of the line's first byte in the file */
    int64_t next_offset;   /* of the byte after its line feed: the checkpoint */
    struct span record_id; /* at most 256 bytes; empty where there is none */
    struct span video_uri; /* of the first video: its s3Location; at most 1,100 bytes; empty: none */
    bool has_bytes;        /* a video stands in the line itself */
    struct span prompt;    /* text blocks of the messages, joined by line feeds */
    struct span system;
    struct batch_inference inference;
    struct err problem;
};

struct batch_echo;
/* more gives the file's bytes from `offset` on, a line's start; at 0 a UTF-8 byte order mark is passed over. Gives:
 * batch_echo_free. */
MUST_CHECK struct batch_echo *batch_echo_new(int64_t offset, json_more_fn *more, void *more_arg, struct err *err);
void batch_echo_free(struct batch_echo *echo);
/* Next line, *eof at the end. A malformed line is a line, not a failure; false only when `more` failed or memory ran
 * out. */
MUST_CHECK bool batch_echo_next(struct batch_echo *echo, struct batch_echo_line *line, bool *eof, struct err *err);

#endif
