/* An answer being put together: status, headers, and a body in memory or a piece of a stored blob. */
#ifndef VIDBATCH_EMULATOR_REPLY_H
#define VIDBATCH_EMULATOR_REPLY_H

#include "server/base/attr.h"
#include "server/base/buf.h"

#include <stdint.h>

struct blob;

enum { REPLY_HEADERS = 40 };

struct reply_header {
    char *name;
    char *value;
};

struct reply {
    int status;
    struct reply_header headers[REPLY_HEADERS];
    size_t header_count;
    struct buf body;
    struct blob *blob; /* shared; NULL: body is the body */
    int64_t offset;    /* of the blob */
    int64_t length;
    char code[64]; /* error name, for the journal */
};

void reply_init(struct reply *reply);
/* Frees and drops the share in the blob. */
void reply_done(struct reply *reply);
/* Empties for another answer. */
void reply_reset(struct reply *reply);
/* name and value are copied. */
void reply_header(struct reply *reply, const char *name, const char *value);
void reply_header_fmt(struct reply *reply, const char *name, const char *fmt, ...) PRINTF(3, 4);
/* Bytes of body, wherever it is. */
int64_t reply_length(const struct reply *reply);

#endif
