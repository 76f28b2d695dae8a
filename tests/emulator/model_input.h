/* A record's modelInput, checked against Nova's request schema. */
#ifndef VIDBATCH_EMULATOR_MODEL_INPUT_H
#define VIDBATCH_EMULATOR_MODEL_INPUT_H

#include "server/base/attr.h"
#include "server/base/buf.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct model_input {
    const char *video_uri; /* NULL: no video, or inline bytes */
    const char *video_owner;
    const char *video_format;
    int64_t max_tokens; /* 0: not given */
    struct buf prompt;  /* all text, system text first */
};

/* Borrows from json; out->prompt must be initialised. False: `why` is the record's error message. */
MUST_CHECK bool model_input_read(json_t *json, bool is_converse, struct model_input *out, struct buf *why);

#endif
