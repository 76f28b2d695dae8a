/* COPY FROM STDIN in binary format, through one buffer. */
#include "server/base/mem.h"
#include "sql/db_internal.h"

#include <assert.h>
#include <endian.h>
#include <limits.h>
#include <string.h>

/* Binary timestamps count microseconds from the first moment of 2000, UTC. */
#define EPOCH_2000_MS INT64_C(946684800000)

static void lose(struct db_copy *copy, const char *where)
{
    if (copy->failed)
        return;
    copy->failed = true;
    db_fail(copy->db, NULL, "copy", where, &copy->err);
}

/* In pieces, for libpq would make its own buffer as large as one message. */
static void send_bytes(struct db_copy *copy, const char *bytes, size_t len)
{
    while (len > 0 && !copy->failed) {
        size_t piece = len < DB_COPY_BYTES ? len : DB_COPY_BYTES;
        if (!db_answer_copy_data(copy->db, bytes, piece))
            lose(copy, HERE);
        bytes += piece;
        len -= piece;
    }
}

static void flush(struct db_copy *copy)
{
    send_bytes(copy, copy->data, copy->len);
    copy->len = 0;
}

static void put(struct db_copy *copy, const void *bytes, size_t len)
{
    if (len > DB_COPY_BYTES - copy->len)
        flush(copy);
    if (len > DB_COPY_BYTES) {
        send_bytes(copy, bytes, len);
        return;
    }
    memcpy(copy->data + copy->len, bytes, len);
    copy->len += len;
}

static void put_i16(struct db_copy *copy, int n)
{
    uint16_t be = htobe16((uint16_t)n);
    put(copy, &be, sizeof be);
}

static void put_i32(struct db_copy *copy, int32_t n)
{
    uint32_t be = htobe32((uint32_t)n);
    put(copy, &be, sizeof be);
}

/* Reads all results, so that the connection can be used again. */
static bool finish(struct db *db, const char *what, struct err *err)
{
    bool ok = true;
    PGresult *result = NULL;

    db->copying = false;
    while ((result = db_answer_next(db)) != NULL) {
        if (PQresultStatus(result) != PGRES_COMMAND_OK)
            ok = db_fail(db, result, what, HERE, err);
        PQclear(result);
        if (PQstatus(db->conn) != CONNECTION_OK)
            break;
    }
    if (PQstatus(db->conn) != CONNECTION_OK)
        ok = db_fail(db, NULL, what, HERE, err);
    return ok;
}

bool db_copy_begin(struct db *db, enum query query, struct db_copy *copy, struct err *err)
{
    static const char header[19] = "PGCOPY\n\377\r\n"; /* and a NUL, no flags, no extension */
    PGresult *result = NULL;
    bool ok = false;

    if (!db->copy_data)
        db->copy_data = mem_alloc(1, DB_COPY_BYTES);
    if (!db->copy_data)
        return err_memory(err, HERE);
    if (!db_ready(db, err))
        return false;
    result = db_answer_script(db, sql_queries[query].text);
    ok = PQresultStatus(result) == PGRES_COPY_IN || db_fail(db, result, sql_queries[query].name, HERE, err);
    PQclear(result);
    if (!ok)
        return false;
    db->copying = true;
    *copy = (struct db_copy){ .db = db, .data = db->copy_data };
    put(copy, header, sizeof header);
    return true;
}

void db_copy_row(struct db_copy *copy, int fields)
{
    put_i16(copy, fields);
    copy->rows++;
}

void db_copy_i64(struct db_copy *copy, int64_t n)
{
    uint64_t be = htobe64((uint64_t)n);

    put_i32(copy, sizeof be);
    put(copy, &be, sizeof be);
}

void db_copy_i32(struct db_copy *copy, int32_t n)
{
    put_i32(copy, sizeof n);
    put_i32(copy, n);
}

void db_copy_bool(struct db_copy *copy, bool b)
{
    char byte = b ? 1 : 0;

    put_i32(copy, 1);
    put(copy, &byte, 1);
}

void db_copy_time_ms(struct db_copy *copy, int64_t wall_ms)
{
    db_copy_i64(copy, (wall_ms - EPOCH_2000_MS) * 1000);
}

void db_copy_span(struct db_copy *copy, struct span s)
{
    if (!s.ptr) {
        db_copy_null(copy);
        return;
    }
    if (s.len > INT_MAX / 2) {
        if (!copy->failed)
            err_set(&copy->err, ERR_INPUT, false, HERE, "copy: a field of %zu bytes is more than PostgreSQL takes",
                    s.len);
        copy->failed = true;
        return;
    }
    put_i32(copy, (int32_t)s.len);
    put(copy, s.ptr, s.len);
}

void db_copy_null(struct db_copy *copy)
{
    put_i32(copy, -1);
}

bool db_copy_end(struct db_copy *copy, struct err *err)
{
    assert(copy->db->copying);
    if (!copy->failed) {
        put_i16(copy, -1);
        flush(copy);
    }
    if (!copy->failed && db_answer_copy_end(copy->db, NULL))
        return finish(copy->db, "copy", err);
    lose(copy, HERE);
    db_copy_stop(copy->db);
    if (err && err->kind == ERR_NONE)
        *err = copy->err;
    return false;
}

void db_copy_stop(struct db *db)
{
    if (db_answer_copy_end(db, "given up"))
        (void)finish(db, "copy", NULL);
    db->copying = false;
}

void db_copy_abort(struct db_copy *copy)
{
    if (copy->db && copy->db->copying)
        db_copy_stop(copy->db);
}
