/* Removes what staging wrote, once a job is over. Copies lie in folders of their own, which go whole; in place there is
 * one object of ours among the user's, shard.input_key, and nothing else is ever touched. */
#ifndef VIDBATCH_WORK_CLEANUP_H
#define VIDBATCH_WORK_CLEANUP_H

#include "server/base/attr.h"
#include "server/base/err.h"
#include "server/base/span.h"
#include "sql/shard_store.h"

#include <stdbool.h>

/* What may be deleted of a shard. */
struct cleanup_target {
    bool is_folder; /* everything under key, which ends with a slash; else the one object */
    struct span bucket;
    char key[1100];
};
/* False: nothing, because it was never written or its place is not one that staging makes. job: formatted id. Pure. */
bool cleanup_target(const struct shard_leftover *shard, const char *job, struct cleanup_target *out);

struct step;
/* All shards of the job whose finish task this is: removes (or keeps, by the job's word or the setting), stores per
 * shard what became of it, and gives the folders back. A failure that will not pass is stored, logged and told as an
 * event, not returned. */
MUST_CHECK bool cleanup_job(struct step *step, struct err *err);

#endif
