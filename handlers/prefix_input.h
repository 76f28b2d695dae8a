/* What clients say of a prefix: the rules for bucket, name, owner and suffixes. */
#ifndef VIDBATCH_HANDLERS_PREFIX_INPUT_H
#define VIDBATCH_HANDLERS_PREFIX_INPUT_H

#include "handlers/app.h"
#include "server/base/buf.h"
#include "sql/prefix_store.h"

#include <stdbool.h>

/* Texts are borrowed from the request and from the two buffers. */
struct prefix_input {
    struct prefix_new row; /* ptr NULL where nothing was said */
    bool clear_owner;      /* "bucket_owner": null */
    struct buf name, suffixes;
};
void prefix_input_done(struct prefix_input *in);
/* For a new prefix, with defaults. False: the problem is filled. */
bool prefix_input_create(struct request *rq, struct reply *rp, struct prefix_input *in);
/* For a change: only what was said. */
bool prefix_input_update(struct request *rq, struct reply *rp, struct prefix_input *in);

/* The suffix in lower case: a dot and 1 to 15 letters or digits. Pure. */
bool prefix_suffix_ok(struct span suffix, char out[17]);

#endif
