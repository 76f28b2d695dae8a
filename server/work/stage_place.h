/* Where a shard is staged, and whose buckets those are. */
#ifndef VIDBATCH_WORK_STAGE_PLACE_H
#define VIDBATCH_WORK_STAGE_PLACE_H

#include "server/base/attr.h"
#include "server/base/err.h"
#include "server/base/span.h"
#include "server/work/staging_choice.h"

#include <stdbool.h>

struct work_settings;
struct stage_place {
    bool in_place;
    struct span bucket, folder;       /* key of the folder with its trailing slash, or "" for the bucket */
    struct span owner;                /* account of that bucket (12 digits) where it is known, else empty */
    struct span output_owner;         /* of the output location's bucket */
    char input_key[STAGING_KEY_SIZE]; /* of the JSONL */
};

struct stage_place_ask { /* borrowed: what is in *out borrows from these texts too */
    int64_t shard_id;
    const char *staging, *folder_uri;        /* of the shard */
    struct span prefix_bucket, prefix_owner; /* of the videos */
};
/* The owner of a bucket is the prefix's word for the videos' own bucket, and the setting's for the staging and output
 * locations; where one says nothing of a bucket that is both, the other's holds. ERR_INPUT where folder_uri is no URI.
 * Pure. */
MUST_CHECK bool stage_place(const struct work_settings *settings, const struct stage_place_ask *ask,
                            struct stage_place *out, struct err *err);
/* Is the location (an s3:// URI) in this bucket? */
bool stage_is_bucket_of(const char *location, struct span bucket);

#endif
