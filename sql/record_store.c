#include "sql/record_store.h"

#include "server/base/mem.h"
#include "sql/db_internal.h"

#include <string.h>

void record_source_read(const struct db_rows *rows, int row, struct record_source *out)
{
    *out = (struct record_source){ .id = db_i64(rows, row, 0),
                                   .video_id = db_i64(rows, row, 1),
                                   .size_bytes = db_i64(rows, row, 2),
                                   .key = db_text(rows, row, 3),
                                   .etag = db_text(rows, row, 4),
                                   .has_summary = db_bool(rows, row, 5) };
}

bool record_store_sources(struct db *db, int64_t shard_id, int64_t after_id, int limit, struct db_rows *rows,
                          struct err *err)
{
    return db_query_planned(db, Q_RECORD_SOURCES, DB_ARGS(param_i64(shard_id), param_i64(after_id), param_i64(limit)),
                            rows, NULL, err);
}

/* A page of keys behind the *count that are there. */
static bool add_keys(const struct db_rows *rows, struct record_key **keys, size_t *count, struct err *err)
{
    struct record_key *grown = mem_resize(*keys, *count + (size_t)rows->count + 1, sizeof **keys);

    if (!grown)
        return err_memory(err, HERE);
    *keys = grown;
    for (int i = 0; i < rows->count; i++)
        grown[(*count)++] = (struct record_key){ .id = db_i64(rows, i, 0),
                                                 .video_id = db_i64(rows, i, 1),
                                                 .stored_round = (int32_t)db_i64(rows, i, 2),
                                                 .has_row = db_bool(rows, i, 3),
                                                 .has_success = db_bool(rows, i, 4) };
    return true;
}

bool record_store_count_left(struct db *db, int64_t shard_id, int64_t *count, struct err *err)
{
    return db_number(db, Q_RECORD_COUNT_LEFT, DB_ARGS(param_i64(shard_id)), count, err);
}

bool record_store_keys(struct db *db, int64_t shard_id, struct record_key **out, size_t *count, struct err *err)
{
    /* In pages: libpq keeps ten times what these rows become. */
    enum { PAGE = 5000 };
    struct record_key *keys = NULL;
    size_t filled = 0;

    for (bool more = true; more;) {
        AUTO(db_rows_done) struct db_rows rows = { 0 };
        int64_t after_id = filled > 0 ? keys[filled - 1].id : -1;

        if (!db_query_planned(db, Q_RECORD_KEYS, DB_ARGS(param_i64(shard_id), param_i64(after_id), param_i64(PAGE)),
                              &rows, NULL, err) ||
            !add_keys(&rows, &keys, &filled, err)) {
            mem_free(keys);
            return false;
        }
        more = rows.count == PAGE;
    }
    *out = keys;
    *count = filled;
    return true;
}

bool record_store_source_ids(struct db *db, int64_t shard_id, int64_t after_id, int limit, struct db_rows *rows,
                             struct err *err)
{
    return db_query_planned(db, Q_RECORD_SOURCE_IDS,
                            DB_ARGS(param_i64(shard_id), param_i64(after_id), param_i64(limit)), rows, NULL, err);
}

void record_row_read(const struct db_rows *rows, int row, struct record_row *out)
{
    int c = 0;

    *out = (struct record_row){ 0 };
    out->id = db_i64(rows, row, c++);
    out->job_id = db_i64(rows, row, c++);
    out->shard_id = db_i64(rows, row, c++);
    out->video_id = db_i64(rows, row, c++);
    out->bucket = db_text(rows, row, c++);
    out->key_prefix = db_text(rows, row, c++);
    out->name = db_text(rows, row, c++);
    out->etag = db_text(rows, row, c++);
    out->state = db_text(rows, row, c++);
    out->error_reason = db_text(rows, row, c++);
    out->error_message = db_text(rows, row, c++);
    out->has_error_code = !db_is_null(rows, row, c);
    out->error_code = db_i64(rows, row, c++);
    out->error_retryable = db_bool(rows, row, c++);
    out->source_id = db_text(rows, row, c++);
}

bool record_store_list(struct db *db, int64_t job_id, const char *state, int64_t after_id, int limit,
                       struct db_rows *rows, struct err *err)
{
    struct param job = param_i64(job_id);
    struct param after = param_i64(after_id);
    struct param most = param_i64(limit);

    if (!state)
        return db_query_planned(db, Q_RECORD_LIST, DB_ARGS(job, after, most), rows, NULL, err);
    if (strcmp(state, "pending") == 0)
        return db_query_planned(db, Q_RECORD_LIST_PENDING, DB_ARGS(job, after, most), rows, NULL, err);
    return db_query_planned(db, Q_RECORD_LIST_STATE, DB_ARGS(job, after, most, param_text(state)), rows, NULL, err);
}
