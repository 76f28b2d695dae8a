#include "sql/import_store.h"

#include "server/base/id.h"
#include "sql/db_internal.h"

#include <inttypes.h>
#include <stdio.h>

bool import_store_create(struct db *db, const struct import_new *in, int64_t *id, bool *exists, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    char recipe[DB_HEX_SIZE];

    if (!db_need_transaction(db, "import_store_create", err) ||
        !db_query(db, Q_IMPORT_LOCK, DB_ARGS(param_span(in->output_uri)), NULL, err) ||
        !db_query(db, Q_IMPORT_EXISTING, DB_ARGS(param_span(in->output_uri)), &rows, err))
        return false;
    *exists = rows.count > 0;
    if (*exists) {
        *id = db_i64(&rows, 0, 0);
        return true;
    }
    db_hex32(in->recipe, recipe);
    return db_number(db, Q_IMPORT_CREATE,
                     DB_ARGS(param_span(in->name), param_span(in->model_id), param_text(recipe),
                             param_span(in->output_uri), param_span(in->input_uri)),
                     id, err);
}

bool import_store_is_outside(struct db *db, int64_t job_id, bool *outside, struct err *err)
{
    int64_t n = 0;

    if (!db_number(db, Q_IMPORT_OUTSIDE, DB_ARGS(param_i64(job_id)), &n, err))
        return false;
    *outside = n != 0;
    return true;
}

bool import_store_get(struct db *db, int64_t job_id, struct db_rows *rows, struct import_row *out, struct err *err)
{
    if (!db_query(db, Q_IMPORT_GET, DB_ARGS(param_i64(job_id)), rows, err))
        return false;
    if (rows->count == 0)
        return err_set(err, ERR_NOT_FOUND, false, HERE, "there is no import %" PRId64, job_id);
    *out = (struct import_row){ .output_uri = db_text(rows, 0, 0),
                                .input_uri = db_text(rows, 0, 1),
                                .model_id = db_text(rows, 0, 2),
                                .has_question = db_bool(rows, 0, 3) };
    return true;
}

bool import_store_shard(struct db *db, int64_t job_id, const char *output_uri, int64_t *shard_id, struct err *err)
{
    char digits[ID_SIZE], name[ID_SIZE + 16];
    int64_t new_id;

    if (!db_need_transaction(db, "import_store_shard", err) || !db_number(db, Q_SHARD_NEW_ID, NULL, 0, &new_id, err))
        return false;
    id_format(ID_RECORD, new_id, digits);
    snprintf(name, sizeof name, "import-%s", digits);
    return db_execute(db, Q_IMPORT_SHARD,
                      DB_ARGS(param_i64(new_id), param_i64(job_id), param_text(output_uri), param_text(name),
                              param_text(name)),
                      NULL, err) &&
           db_number(db, Q_IMPORT_SHARD_ID, DB_ARGS(param_i64(job_id)), shard_id, err);
}

bool import_store_question(struct db *db, int64_t job_id, const struct import_question *in, struct err *err)
{
    char recipe[DB_HEX_SIZE];

    db_hex32(in->recipe, recipe);
    return db_execute(db, Q_IMPORT_QUESTION,
                      DB_ARGS(param_i64(job_id), param_span(in->prompt), param_span(in->system),
                              param_i64_or_null(in->has_max_tokens, in->max_tokens),
                              param_f64_or_null(in->has_temperature, in->temperature),
                              param_f64_or_null(in->has_top_p, in->top_p), param_i64_or_null(in->has_top_k, in->top_k),
                              param_text(recipe)),
                      NULL, err);
}

bool import_store_lines(struct db *db, struct db_copy *copy, struct err *err)
{
    return db_need_transaction(db, "import_store_lines", err) && db_copy_begin(db, Q_IMPORT_LINE_COPY, copy, err);
}

void import_store_line_add(struct db_copy *copy, int64_t job_id, struct span source_id, struct span bucket,
                           struct span key)
{
    db_copy_row(copy, 4);
    db_copy_i64(copy, job_id);
    db_copy_span(copy, source_id);
    db_copy_span(copy, bucket);
    db_copy_span(copy, key);
}

void import_count_rows_done(struct import_count_rows *rows)
{
    db_rows_done(&rows->lines);
    db_rows_done(&rows->homeless);
}

bool import_store_count(struct db *db, int64_t job_id, struct import_count_rows *rows, struct import_count *out,
                        struct err *err)
{
    if (!db_query_planned(db, Q_IMPORT_LINE_COUNT, DB_ARGS(param_i64(job_id)), &rows->lines, NULL, err) ||
        !db_query_planned(db, Q_IMPORT_HOMELESS, DB_ARGS(param_i64(job_id)), &rows->homeless, NULL, err))
        return false;
    *out = (struct import_count){ .lines = db_i64(&rows->lines, 0, 0),
                                  .buckets = db_i64(&rows->lines, 0, 1),
                                  .bucket = db_text(&rows->lines, 0, 2),
                                  .another = db_text(&rows->lines, 0, 3),
                                  .homeless = db_i64(&rows->homeless, 0, 0),
                                  .first_key = db_text(&rows->homeless, 0, 1),
                                  .last_key = db_text(&rows->homeless, 0, 2) };
    return true;
}

bool import_store_prefix(struct db *db, const char *bucket, struct span key_prefix, const char *region,
                         const char *suffixes_json, const char *error_json, struct err *err)
{
    return db_execute(db, Q_IMPORT_PREFIX,
                      DB_ARGS(param_text(bucket), param_span(key_prefix), param_text(region), param_text(suffixes_json),
                              param_text(error_json)),
                      NULL, err);
}

bool import_store_records(struct db *db, int64_t job_id, int64_t shard_id, int64_t *records, struct err *err)
{
    return db_need_transaction(db, "import_store_records", err) &&
           db_query_planned(db, Q_IMPORT_VIDEOS, DB_ARGS(param_i64(job_id)), NULL, NULL, err) &&
           db_query_planned(db, Q_IMPORT_RECORDS, DB_ARGS(param_i64(job_id), param_i64(shard_id)), NULL, records,
                            err) &&
           db_execute(db, Q_IMPORT_DONE, DB_ARGS(param_i64(job_id), param_i64(shard_id), param_i64(*records)), NULL,
                      err);
}

bool import_store_forget(struct db *db, int64_t job_id, struct err *err)
{
    return db_execute(db, Q_IMPORT_FORGET, DB_ARGS(param_i64(job_id)), NULL, err);
}
