#include "sql/media_store.h"

#include "sql/db_internal.h"

bool media_store_copy(struct db *db, struct db_copy *copy, struct err *err)
{
    return db_need_transaction(db, "media_store_copy", err) && db_execute(db, Q_MEDIA_NEW_TABLE, NULL, 0, NULL, err) &&
           db_execute(db, Q_MEDIA_NEW_EMPTY, NULL, 0, NULL, err) && db_copy_begin(db, Q_MEDIA_NEW_COPY, copy, err);
}

static void add_side(struct db_copy *copy, int32_t pixels)
{
    if (pixels > 0)
        db_copy_i32(copy, pixels);
    else
        db_copy_null(copy);
}

void media_store_add(struct db_copy *copy, const struct media_new *row)
{
    db_copy_row(copy, 10);
    db_copy_i64(copy, row->video_id);
    db_copy_span(copy, row->etag);
    db_copy_time_ms(copy, row->checked_ms);
    if (row->duration_ms >= 0)
        db_copy_i64(copy, row->duration_ms);
    else
        db_copy_null(copy);
    add_side(copy, row->width);
    add_side(copy, row->height);
    db_copy_span(copy, row->container);
    db_copy_span(copy, row->codec);
    db_copy_span(copy, row->content_type);
    db_copy_span(copy, row->refusal);
}

bool media_store_merge(struct db *db, struct err *err)
{
    return db_need_transaction(db, "media_store_merge", err) &&
           db_query_planned(db, Q_MEDIA_MERGE, NULL, 0, NULL, NULL, err);
}

bool media_store_known(struct db *db, const char *ids, struct db_rows *rows, struct err *err)
{
    return db_query_planned(db, Q_MEDIA_KNOWN, DB_ARGS(param_text(ids)), rows, NULL, err);
}

bool media_store_any_read(struct db *db, int64_t prefix_id, bool *any, struct err *err)
{
    int64_t found = 0;

    if (!db_number(db, Q_MEDIA_ANY_READ, DB_ARGS(param_i64(prefix_id)), &found, err))
        return false;
    *any = found != 0;
    return true;
}

void media_known_read(const struct db_rows *rows, int row, int64_t *position, struct span *etag)
{
    *position = db_i64(rows, row, 0) - 1;
    *etag = db_span(rows, row, 1);
}
