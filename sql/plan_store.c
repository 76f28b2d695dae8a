/* Plans: choosing, cutting and storing. Reading and ending them is in plan_read.c. */
#include "sql/plan_store.h"

#include "sql/db_internal.h"

#include <string.h>

/* Of a retry: even a loop of each over all that the recipe ever asked ends in seconds. */
enum { FEW = 100 };

/* Every way of selecting fills plan_video; what is new and what failed are told by one statement. */
static bool fill(struct db *db, const struct plan_choice *choice, struct err *err)
{
    const struct param prefix = param_i64(choice->prefix_id);
    const struct param since = param_time_ms(choice->since_ms);
    const struct param most = param_i64(choice->max_video_bytes);
    const char *mode = choice->select_mode;
    char recipe[DB_HEX_SIZE];

    db_hex32(choice->recipe, recipe);
    if (strcmp(mode, "all") == 0)
        return db_query_planned(db, Q_PLAN_SELECT_ALL, DB_ARGS(prefix, since, most), NULL, NULL, err);
    if (strcmp(mode, "new") == 0 || strcmp(mode, "failed") == 0)
        return db_query_planned(
            db, Q_PLAN_SELECT_RECIPE,
            DB_ARGS(prefix, since, most, param_text(recipe), param_bool(strcmp(mode, "failed") == 0)), NULL, NULL, err);
    if (strcmp(mode, "videos") == 0)
        return db_query_planned(db, Q_PLAN_SELECT_VIDEOS, DB_ARGS(prefix, since, most, param_i64(choice->job_id)), NULL,
                                NULL, err);
    if (strcmp(mode, "retry") == 0)
        return db_query_planned(
            db, Q_PLAN_SELECT_RETRY,
            DB_ARGS(prefix, since, most, param_i64(choice->job_id), param_text(choice->causes_json)), NULL, NULL, err);
    return err_set(err, ERR_INTERNAL, false, HERE, "nothing is selected by '%s'", mode);
}

struct choosing {
    const struct plan_choice *choice;
    struct plan_counts *out;
};

/* A few videos are looked up one by one: to hash all of a prefix for them would take seconds. Where there may be many,
 * *few is false, for without statistics loops may be chosen that never end. */
static bool is_few(struct db *db, const struct plan_choice *choice, bool *few, struct err *err)
{
    int64_t failures = 0;

    *few = strcmp(choice->select_mode, "videos") == 0;
    if (strcmp(choice->select_mode, "retry") != 0)
        return true;
    if (!db_number(db, Q_PLAN_FEW_FAILURES, DB_ARGS(param_i64(choice->job_id), param_i64(FEW + 1)), &failures, err))
        return false;
    *few = failures <= FEW;
    return true;
}

static bool choose(struct db *db, void *arg, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    const struct choosing *choosing = arg;
    bool few;

    if (!is_few(db, choosing->choice, &few, err) || !db_query(db, Q_PLAN_MEMORY, NULL, 0, NULL, err) ||
        !db_query(db, Q_PLAN_EMPTY, NULL, 0, NULL, err) ||
        !db_query(db, Q_PLAN_HASH_JOINS, DB_ARGS(param_text(few ? "on" : "off")), NULL, err) ||
        !fill(db, choosing->choice, err) || !db_query(db, Q_PLAN_HASH_JOINS, DB_ARGS(param_text("on")), NULL, err) ||
        !db_query(db, Q_PLAN_COUNTS, NULL, 0, &rows, err))
        return false;
    *choosing->out = (struct plan_counts){ .considered = db_i64(&rows, 0, 0),
                                           .taken = db_i64(&rows, 0, 1),
                                           .settled = db_i64(&rows, 0, 2),
                                           .active = db_i64(&rows, 0, 3),
                                           .bytes = db_i64(&rows, 0, 4),
                                           .duration_ms = db_i64(&rows, 0, 5),
                                           .unknown = db_i64(&rows, 0, 6) };
    return true;
}

bool plan_store_choose(struct db *db, const struct plan_choice *choice, struct plan_counts *out, struct err *err)
{
    struct choosing choosing = { choice, out };

    if (!db_query(db, Q_PLAN_TABLE, NULL, 0, NULL, err) || !db_query(db, Q_PLAN_RUN_TABLE, NULL, 0, NULL, err))
        return false;
    return db->in_transaction ? choose(db, &choosing, err) : db_transaction(db, choose, &choosing, err);
}

/* The table goes with its connection: the step as a whole can be repeated. */
static bool lost_table(struct err *err)
{
    if (err && strcmp(err->code, "undefined_table") == 0)
        err->retryable = true;
    return false;
}

bool plan_store_unlooked(struct db *db, int64_t prefix_id, int64_t after_n, int limit, struct db_rows *rows,
                         struct err *err)
{
    return db_query(db, Q_PLAN_UNLOOKED, DB_ARGS(param_i64(prefix_id), param_i64(after_n), param_i64(limit)), rows,
                    err) ||
           lost_table(err);
}

bool plan_store_types(struct db *db, int64_t prefix_id, int64_t after_n, int limit, struct db_rows *rows,
                      struct err *err)
{
    return db_query_planned(db, Q_PLAN_TYPES, DB_ARGS(param_i64(prefix_id), param_i64(after_n), param_i64(limit)), rows,
                            NULL, err) ||
           lost_table(err);
}

bool plan_store_weights(struct db *db, int64_t after_n, int64_t through_n, struct db_rows *rows, struct err *err)
{
    return db_query(db, Q_PLAN_WEIGHTS, DB_ARGS(param_i64(after_n), param_i64(through_n)), rows, err) ||
           lost_table(err);
}

/* ---- the cut ---- */

bool plan_store_cut(struct db *db, const int32_t *shard_of, size_t count, struct err *err)
{
    struct db_copy copy = { 0 };

    if (!db_need_transaction(db, "plan_store_cut", err) || !db_copy_begin(db, Q_PLAN_RUN_COPY, &copy, err))
        return false;
    for (size_t i = 0, first = 0; i < count; i++) {
        if (i + 1 < count && shard_of[i + 1] == shard_of[i])
            continue;
        db_copy_row(&copy, 3);
        db_copy_i32(&copy, (int32_t)first + 1);
        db_copy_i32(&copy, (int32_t)i + 1);
        if (shard_of[i] < 0)
            db_copy_null(&copy);
        else
            db_copy_i32(&copy, shard_of[i]);
        first = i + 1;
    }
    return db_copy_end(&copy, err) && db_query(db, Q_PLAN_ANALYZE, NULL, 0, NULL, err) &&
           db_query_planned(db, Q_PLAN_LEFT_OUT, NULL, 0, NULL, NULL, err);
}

void plan_shard_read(const struct db_rows *rows, int row, struct plan_shard *out)
{
    *out = (struct plan_shard){ .ordinal = (int)db_i64(rows, row, 0),
                                .records = db_i64(rows, row, 1),
                                .video_bytes = db_i64(rows, row, 2),
                                .frames = db_i64(rows, row, 3),
                                .unknown = db_i64(rows, row, 4),
                                .duration_ms = db_i64(rows, row, 5) };
}

bool plan_store_shards(struct db *db, int64_t max_frames, int64_t frames_per_second, struct db_rows *rows,
                       struct err *err)
{
    return db_query_planned(db, Q_PLAN_SHARDS, DB_ARGS(param_i64(max_frames), param_i64(frames_per_second)), rows, NULL,
                            err);
}

bool plan_store_records(struct db *db, int64_t job_id, int64_t *count, struct err *err)
{
    return db_need_transaction(db, "plan_store_records", err) &&
           db_query_planned(db, Q_PLAN_RECORDS, DB_ARGS(param_i64(job_id)), NULL, count, err);
}

bool plan_store_skips(struct db *db, int64_t job_id, bool settled_too, struct err *err)
{
    return db_need_transaction(db, "plan_store_skips", err) &&
           db_query_planned(db, Q_PLAN_SKIPS, DB_ARGS(param_i64(job_id), param_bool(settled_too)), NULL, NULL, err);
}

/* ---- what was found ---- */

void plan_skipped_read(const struct db_rows *rows, int row, struct plan_skipped *out)
{
    *out = (struct plan_skipped){ .reason = db_text(rows, row, 0),
                                  .count = db_i64(rows, row, 1),
                                  .video_id = db_i64(rows, row, 2),
                                  .bucket = db_text(rows, row, 3),
                                  .key_prefix = db_text(rows, row, 4),
                                  .name = db_text(rows, row, 5) };
}

bool plan_store_skipped(struct db *db, int64_t prefix_id, struct db_rows *rows, struct err *err)
{
    return db_query_planned(db, Q_PLAN_SKIPPED, DB_ARGS(param_i64(prefix_id)), rows, NULL, err);
}

bool plan_store_first(struct db *db, int64_t job_id, struct db_rows *rows, struct err *err)
{
    return db_query_planned(db, Q_PLAN_FIRST, DB_ARGS(param_i64(job_id)), rows, NULL, err);
}

bool plan_store_result(struct db *db, int64_t job_id, const struct plan_result *result, struct err *err)
{
    return db_execute(db, Q_PLAN_STORE,
                      DB_ARGS(param_i64(job_id), param_text(result->json), param_text(result->route),
                              param_i64_or_null(result->has_cost, result->low_micros),
                              param_i64_or_null(result->has_cost, result->expected_micros),
                              param_i64_or_null(result->has_cost, result->high_micros), param_text(result->currency),
                              param_i64(result->keep_ms)),
                      NULL, err);
}

bool plan_store_wait(struct db *db, int64_t job_id, const char *why_json, struct err *err)
{
    return db_execute(db, Q_PLAN_WAIT, DB_ARGS(param_i64(job_id), param_text(why_json)), NULL, err);
}

bool plan_store_wake(struct db *db, int64_t prefix_id, struct err *err)
{
    return db_execute(db, Q_PLAN_WAKE, DB_ARGS(param_i64(prefix_id)), NULL, err);
}

/* ---- launching ---- */

bool plan_store_launch(struct db *db, int64_t job_id, struct span name, struct span metadata, bool *launched,
                       struct err *err)
{
    if (!db_need_transaction(db, "plan_store_launch", err) ||
        !db_execute_one(db, Q_PLAN_LAUNCH, DB_ARGS(param_i64(job_id), param_span(name), param_span(metadata)), launched,
                        err))
        return false;
    return !*launched || db_execute(db, Q_PLAN_STAGE_TASKS, DB_ARGS(param_i64(job_id)), NULL, err);
}

void plan_difference_read(const struct db_rows *rows, int row, struct plan_difference *out)
{
    *out = (struct plan_difference){ .why = db_text(rows, row, 0),
                                     .count = db_i64(rows, row, 1),
                                     .video_id = db_i64(rows, row, 2),
                                     .bucket = db_text(rows, row, 3),
                                     .key_prefix = db_text(rows, row, 4),
                                     .name = db_text(rows, row, 5) };
}

bool plan_store_differences(struct db *db, int64_t job_id, bool twice_too, struct db_rows *rows, struct err *err)
{
    return db_need_transaction(db, "plan_store_differences", err) && db_query(db, Q_PLAN_MEMORY, NULL, 0, NULL, err) &&
           db_query(db, Q_PLAN_HASH_JOINS, DB_ARGS(param_text("off")), NULL, err) &&
           db_query_planned(db, Q_PLAN_DIFFERENCES, DB_ARGS(param_i64(job_id), param_bool(twice_too)), rows, NULL,
                            err) &&
           db_query(db, Q_PLAN_HASH_JOINS, DB_ARGS(param_text("on")), NULL, err);
}
