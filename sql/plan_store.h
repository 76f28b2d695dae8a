/* Plans: the videos that a job takes, those that it does not, and what was found out about both. A plan is a row of
 * table job; see job_store.h for that. */
#ifndef VIDBATCH_SQL_PLAN_STORE_H
#define VIDBATCH_SQL_PLAN_STORE_H

#include "sql/db.h"

/* ---- choosing: the session's temporary table plan_video ---- */
struct plan_choice {
    int64_t job_id, prefix_id;
    const char *select_mode;     /* new all failed videos retry */
    int64_t since_ms;            /* passing refusals found before that are asked for again */
    int64_t max_video_bytes;     /* of the model; larger ones are too_large */
    const unsigned char *recipe; /* 32 bytes */
    const char *causes_json;     /* select_mode "retry": the catalogue of causes, as plan_select_retry.sql takes it */
};
struct plan_counts {
    int64_t considered, taken;
    int64_t settled; /* of those that are not taken: have a summary, are about to get one, or did not fail */
    int64_t active;  /* of the settled: a job is working on them */
    int64_t bytes, duration_ms, unknown; /* of those taken; unknown: videos of unknown length */
};
/* Fills plan_video anew: everything that was considered, numbered from 1, what is taken first, in key order. In a
 * transaction, or before one to look around. */
MUST_CHECK bool plan_store_choose(struct db *db, const struct plan_choice *choice, struct plan_counts *out,
                                  struct err *err);
/* What a choice depends on, as a short text: where it is the same, the same would be chosen again. */
enum { PLAN_SIGNATURE_SIZE = 160 };
MUST_CHECK bool plan_store_signature(struct db *db, int64_t prefix_id, char out[PLAN_SIGNATURE_SIZE], struct err *err);
/* A page of taken videos of which it is not known what is inside. Columns: id int8, key text, etag text, size_bytes
 * int8, n int4 (to go on after). */
MUST_CHECK bool plan_store_unlooked(struct db *db, int64_t prefix_id, int64_t after_n, int limit, struct db_rows *rows,
                                    struct err *err);
/* A page of taken videos with their types: key text, content type text or NULL, n int4. */
MUST_CHECK bool plan_store_types(struct db *db, int64_t prefix_id, int64_t after_n, int limit, struct db_rows *rows,
                                 struct err *err);
/* Sizes of the taken videos after_n+1 .. through_n in KiB, rounded up: column 0. */
MUST_CHECK bool plan_store_weights(struct db *db, int64_t after_n, int64_t through_n, struct db_rows *rows,
                                   struct err *err);

/* ---- the cut ---- */
/* shard_of[i]: the ordinal of the shard of taken video i + 1, or -1 for none. In a transaction. */
MUST_CHECK bool plan_store_cut(struct db *db, const int32_t *shard_of, size_t count, struct err *err);
struct plan_shard {
    int ordinal;
    int64_t records, video_bytes;
    int64_t frames;      /* of the videos of known length, each capped */
    int64_t unknown;     /* videos of unknown length */
    int64_t duration_ms; /* of the others */
};
void plan_shard_read(const struct db_rows *rows, int row, struct plan_shard *out);
/* What the cut gave, in ordinal order. */
MUST_CHECK bool plan_store_shards(struct db *db, int64_t max_frames, int64_t frames_per_second, struct db_rows *rows,
                                  struct err *err);
/* Creates the records; the job's shards are there. In a transaction. */
MUST_CHECK bool plan_store_records(struct db *db, int64_t job_id, int64_t *count, struct err *err);
/* Stores what is not taken, those that the cut left out too; settled ones only where they are asked for, for there may
 * be a million of them every day. In a transaction. */
MUST_CHECK bool plan_store_skips(struct db *db, int64_t job_id, bool settled_too, struct err *err);

/* ---- what was found ---- */
struct plan_skipped { /* a row an example; texts borrowed */
    const char *reason;
    int64_t count; /* of the reason */
    int64_t video_id;
    const char *bucket, *key_prefix, *name;
};
void plan_skipped_read(const struct db_rows *rows, int row, struct plan_skipped *out);
/* From plan_video: all reasons, the most frequent first, with up to three examples each. */
MUST_CHECK bool plan_store_skipped(struct db *db, int64_t prefix_id, struct db_rows *rows, struct err *err);
/* The first record as it will be sent: record id int8, key text, folder text. */
MUST_CHECK bool plan_store_first(struct db *db, int64_t job_id, struct db_rows *rows, struct err *err);
struct plan_result {
    const char *json; /* object: request, videos, skipped, staging, shards, shard_count, tokens, cost, estimate */
    const char *route;
    bool has_cost;
    int64_t low_micros, expected_micros, high_micros;
    const char *currency; /* or NULL */
    int64_t keep_ms;      /* of a plan that nobody launches */
};
MUST_CHECK bool plan_store_result(struct db *db, int64_t job_id, const struct plan_result *result, struct err *err);
/* planning -> queued, waiting for more videos. why_json: {"code", "message" ...} */
MUST_CHECK bool plan_store_wait(struct db *db, int64_t job_id, const char *why_json, struct err *err);
/* In the transaction that ends a scan: jobs and plans of the prefix that wait are planned again. */
MUST_CHECK bool plan_store_wake(struct db *db, int64_t prefix_id, struct err *err);

/* ---- launching ---- */
/* planned -> staging, with the tasks of its shards; *launched false where it was not planned. name and metadata: ptr
 * NULL leaves them. In a transaction. */
MUST_CHECK bool plan_store_launch(struct db *db, int64_t job_id, struct span name, struct span metadata, bool *launched,
                                  struct err *err);
struct plan_difference { /* a row an example; texts borrowed */
    const char *why;     /* vanished, changed, has_summary, in_progress, or a reason of video */
    int64_t count;
    int64_t video_id;
    const char *bucket, *key_prefix, *name;
};
void plan_difference_read(const struct db_rows *rows, int row, struct plan_difference *out);
/* How the plan's videos differ from what they were; no rows: not at all. In a transaction. twice_too: being answered
 * meanwhile is a difference too. */
MUST_CHECK bool plan_store_differences(struct db *db, int64_t job_id, bool twice_too, struct db_rows *rows,
                                       struct err *err);
/* ids: "{1,2}". Rows: place int8 from 0, id int8 of those that the prefix does not have, at most 20. */
MUST_CHECK bool plan_store_unknown_videos(struct db *db, struct span ids, int64_t prefix_id, struct db_rows *rows,
                                          struct err *err);

/* ---- reading ---- */
enum plan_part { /* columns of plan_store_get, JSON text or NULL */
                 PLAN_REQUEST,
                 PLAN_VIDEOS,
                 PLAN_SKIPPED,
                 PLAN_STAGING,
                 PLAN_SHARDS,
                 PLAN_SHARD_COUNT,
                 PLAN_TOKENS,
                 PLAN_COST,
                 PLAN_ESTIMATE
};
MUST_CHECK bool plan_store_get(struct db *db, int64_t id, struct db_rows *rows, struct err *err);
/* Slots of the model's quota of concurrent jobs that are taken. */
MUST_CHECK bool plan_store_slots(struct db *db, const char *model_key, int64_t *in_use, struct err *err);
/* Ids of plans, newest first, before before_id (0: from the newest); prefix_id 0: any; within: only of
 * these prefixes, "{1,2}"; NULL: of all. */
MUST_CHECK bool plan_store_list(struct db *db, int64_t before_id, int64_t prefix_id, const char *within, int limit,
                                struct db_rows *rows, struct err *err);
struct plan_video { /* texts borrowed */
    int64_t cursor; /* record id of a taken one, video id of a skipped one */
    int64_t video_id, size_bytes, duration_ms;
    bool has_duration;
    const char *bucket, *key_prefix, *name, *etag, *reason; /* reason NULL: taken */
};
void plan_video_read(const struct db_rows *rows, int row, struct plan_video *out);
MUST_CHECK bool plan_store_taken(struct db *db, int64_t job_id, int64_t after_record, int limit, struct db_rows *rows,
                                 struct err *err);
/* By reason, then video id, after those given ("" and 0: from the first). reason NULL: any. */
MUST_CHECK bool plan_store_skipped_videos(struct db *db, int64_t job_id, const char *reason, const char *after_reason,
                                          int64_t after_video, int limit, struct db_rows *rows, struct err *err);

/* ---- ending ---- */
/* *expired false: it is launched, or expired already. The caller adds the task `expire`. */
MUST_CHECK bool plan_store_expire(struct db *db, int64_t job_id, bool *expired, struct err *err);
/* Those whose time is over (at most 100 a call), with a task `expire` for each. */
MUST_CHECK bool plan_store_expire_due(struct db *db, struct err *err);
/* All unlaunched ones of a prefix, likewise. */
MUST_CHECK bool plan_store_expire_prefix(struct db *db, int64_t prefix_id, struct err *err);
/* Removes up to limit records and limit skips of an expired plan, then its shards; *left false: nothing is left. In a
 * transaction. */
MUST_CHECK bool plan_store_remove(struct db *db, int64_t job_id, int64_t limit, bool *left, struct err *err);

#endif
