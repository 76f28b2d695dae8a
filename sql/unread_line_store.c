#include "sql/unread_line_store.h"

#include "sql/db_internal.h"

bool unread_line_store_add(struct db *db, const struct unread_line *line, struct err *err)
{
    return db_execute(db, Q_UNREAD_LINE_ADD,
                      DB_ARGS(param_i64(line->job_id), param_i64(line->shard_id), param_span(line->file),
                              param_i64(line->offset), param_i64(line->bytes), param_text(line->kind),
                              param_text(line->problem), param_span(line->head), param_i64(UNREAD_LINES_KEPT)),
                      NULL, err);
}

bool unread_line_store_list(struct db *db, int64_t job_id, int64_t after, int limit, struct db_rows *rows,
                            struct err *err)
{
    return db_query(db, Q_UNREAD_LINE_LIST, DB_ARGS(param_i64(job_id), param_i64(after), param_i64(limit)), rows, err);
}

void unread_line_read(const struct db_rows *rows, int row, struct unread_line *out)
{
    *out = (struct unread_line){ .id = db_i64(rows, row, 0),
                                 .shard_id = db_i64(rows, row, 1),
                                 .file = db_span(rows, row, 2),
                                 .offset = db_i64(rows, row, 3),
                                 .bytes = db_i64(rows, row, 4),
                                 .kind = db_text(rows, row, 5),
                                 .problem = db_text(rows, row, 6),
                                 .head = db_span(rows, row, 7) };
}
