/* In place or copied? The rules of it (Bedrock user guide, "Format and upload your batch inference data": every JSONL
 * and every video of a job under one folder, of which every .jsonl is run).
 *
 * In place the JSONL is written into the videos' own folder and nothing is copied; that is allowed only where nothing
 * foreign can be run or be harmed. "auto" takes it where it is safe and known to work, and says why it does or does
 * not; "in_place" asked for and not allowed is refused with the reason; "copy" is always possible. */
#ifndef VIDBATCH_WORK_STAGING_CHOICE_H
#define VIDBATCH_WORK_STAGING_CHOICE_H

#include "server/base/attr.h"
#include "server/base/err.h"
#include "server/base/span.h"

#include <stdbool.h>
#include <stdint.h>

enum { STAGING_KEY_SIZE = 1025, STAGING_URI_SIZE = 1200, STAGING_WORDS = 700 };

/* What the chosen videos have in common. Zeroed memory is the survey of no videos; about 4 KiB, fit for the stack. */
struct staging_survey {
    int64_t videos;
    char folder[STAGING_KEY_SIZE]; /* the deepest that holds all, with its trailing slash; "" is the bucket itself */
    int64_t unclean;               /* keys that Bedrock does not take, and the first of them */
    char unclean_key[STAGING_KEY_SIZE];
    int64_t wrong_type; /* whose Content-Type is not that of their format, and the first of them */
    char wrong_type_key[STAGING_KEY_SIZE];
    char wrong_type_is[128];
    int64_t unknown_type; /* nobody looked */
};
/* Adds one chosen video, in any order. key: whole. content_type: video_media.content_type of the video at its present
 * ETag; ptr NULL where that is not known. Pure. */
void staging_survey_add(struct staging_survey *survey, struct span key, struct span content_type);

/* What is asked; texts borrowed during the call. */
struct staging_ask {
    const char *wanted;                              /* job.staging: "auto", "copy" or "in_place" */
    int64_t shards;                                  /* that the videos are cut into */
    bool on_demand;                                  /* no batch job is made: always copied */
    struct span bucket, bucket_region, bucket_owner; /* of the prefix */
};

struct staging_choice {
    const char *mode;              /* "copy" or "in_place": static text for shard.staging; NULL: refused */
    char folder[STAGING_KEY_SIZE]; /* in_place: key of the folder, with its trailing slash */
    char why[STAGING_WORDS];       /* for people: plan.staging.why; or the reason of the refusal */
};

/* What a look into the folder found. */
struct staging_folder {
    bool has_foreign; /* a .jsonl that is not ours */
    char foreign_key[STAGING_KEY_SIZE];
    bool is_too_large; /* not looked through to its end */
    bool is_held;      /* another shard has this folder, one inside it or one around it */
};

struct work_settings;
/* The rules alone. region: of Bedrock. folder NULL: what can be said before a look into it. Pure. */
void staging_judge(const struct work_settings *settings, const char *region, const struct staging_ask *ask,
                   const struct staging_survey *survey, const struct staging_folder *folder,
                   struct staging_choice *out);

struct step;
/* Chooses: judges, and where it may be in place lists the folder (bounded: server/work/folder_look.h) and looks for
 * others that hold it. Best outside a transaction, for it may wait for S3. out  written on success. A refusal is a
 * success with out->mode NULL: code "in_place_refused", words in out->why err  S3's or the database's failure; S3's
 * refusals to list (denied, no such bucket) too The step's thread. */
MUST_CHECK bool staging_choose(struct step *step, const struct staging_ask *ask, const struct staging_survey *survey,
                               struct staging_choice *out, struct err *err);

/* shard.folder_uri by the choice: in place the videos' own folder, else one of the shard's own under the staging
 * location. job, shard: formatted ids. Pure. */
void staging_folder_uri(const struct work_settings *settings, const struct staging_ask *ask,
                        const struct staging_choice *choice, const char *job, const char *shard,
                        char uri[STAGING_URI_SIZE]);

#endif
