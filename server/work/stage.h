/* What the files of the step stage share. Inside server/work only; the step's thread. */
#ifndef VIDBATCH_WORK_STAGE_H
#define VIDBATCH_WORK_STAGE_H

#include "server/base/attr.h"
#include "server/base/err.h"
#include "server/work/stage_place.h"
#include "server/work/step.h"
#include "sql/job_store.h"
#include "sql/prefix_store.h"
#include "sql/record_store.h"
#include "sql/shard_store.h"

#include <stdbool.h>
#include <stdint.h>

struct stage {
    struct step *step;
    struct shard_row shard;
    struct job_row job;
    struct prefix_row prefix;
    struct stage_place place;
    bool on_demand; /* no Bedrock job will be made: the videos are copied, no JSONL is written */
    int64_t lines;
    int64_t input_bytes;
    bool is_over;        /* the shard was ended by a cancel, and so was the task */
    bool is_folder_busy; /* another shard holds the folder: nothing was begun */
};

/* A video that cannot be staged: its record has failed. Words: static, or kept by who found out. */
struct stage_failure {
    int64_t record_id, video_id;
    const char *reason; /* stable word, NULL: none */
    const char *words;
};
extern const char stage_vanished[], stage_vanished_words[], stage_changed[], stage_changed_words[];

/* Begins a transaction that stores what was staged: fences the task and locks the job, which orders it with a cancel.
 * *yes false: a cancel has ended the shard; then stage->is_over is set, the task is ended, and nothing is to be stored.
 */
MUST_CHECK bool stage_lock(struct db *db, struct stage *stage, bool *yes, struct err *err);
/* In a transaction: the failed records. */
MUST_CHECK bool stage_store_failure(struct db *db, const struct stage *stage, const struct stage_failure *failure,
                                    struct err *err);

/* The key that a video is copied to. */
void stage_name_copy(const struct stage_place *place, const struct record_source *source, char to[STAGING_KEY_SIZE]);
/* Copies all videos to clean keys in the shard's folder; goes on behind shard.staged_through. */
MUST_CHECK bool stage_copy_videos(struct stage *stage, struct err *err);
/* In place: nothing foreign would be run, and the videos are there as they were planned; those that are not have
 * failed. */
MUST_CHECK bool stage_check_videos(struct stage *stage, struct err *err);
/* Writes the JSONL; sets lines and input_bytes. */
MUST_CHECK bool stage_write_lines(struct stage *stage, struct err *err);

#endif
