/* Parameters and the values of rows. */
#include "server/base/clock.h"
#include "sql/db_internal.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct param param_i64(int64_t n)
{
    struct param p = { .len = -1, .in_number = true };

    snprintf(p.number, sizeof p.number, "%lld", (long long)n);
    return p;
}

struct param param_i64_or_null(bool has, int64_t n)
{
    return has ? param_i64(n) : (struct param){ .len = -1 };
}

struct param param_f64_or_null(bool has, double x)
{
    struct param p = { .len = -1, .in_number = has };

    if (has)
        snprintf(p.number, sizeof p.number, "%.17g", x);
    return p;
}

struct param param_bool(bool b)
{
    return param_text(b ? "t" : "f");
}

struct param param_text(const char *text)
{
    return (struct param){ .text = text, .len = -1 };
}

struct param param_span(struct span s)
{
    /* A length that libpq cannot name is refused by the buffer that the text is copied to. */
    return (struct param){ .text = s.ptr, .len = s.len > INT_MAX ? INT_MAX : (int)s.len };
}

struct param param_time_ms(int64_t wall_ms)
{
    struct param p = { .len = -1, .in_number = wall_ms != 0 };

    _Static_assert(sizeof p.number >= CLOCK_RFC3339_SIZE, "a time fits");
    if (wall_ms != 0)
        clock_rfc3339(wall_ms, p.number);
    return p;
}

void db_rows_done(struct db_rows *rows)
{
    PQclear(rows->result);
    *rows = (struct db_rows){ 0 };
}

bool db_is_null(const struct db_rows *rows, int row, int column)
{
    return PQgetisnull(rows->result, row, column) != 0;
}

const char *db_text(const struct db_rows *rows, int row, int column)
{
    return db_is_null(rows, row, column) ? NULL : PQgetvalue(rows->result, row, column);
}

struct span db_span(const struct db_rows *rows, int row, int column)
{
    if (db_is_null(rows, row, column))
        return (struct span){ 0 };
    return (struct span){ PQgetvalue(rows->result, row, column), (size_t)PQgetlength(rows->result, row, column) };
}

int64_t db_i64(const struct db_rows *rows, int row, int column)
{
    return strtoll(PQgetvalue(rows->result, row, column), NULL, 10);
}

double db_f64(const struct db_rows *rows, int row, int column)
{
    return strtod(PQgetvalue(rows->result, row, column), NULL);
}

bool db_bool(const struct db_rows *rows, int row, int column)
{
    return PQgetvalue(rows->result, row, column)[0] == 't';
}

void db_hex32(const unsigned char bytes[32], char out[DB_HEX_SIZE])
{
    static const char digits[] = "0123456789abcdef";

    out[0] = '\\';
    out[1] = 'x';
    for (int i = 0; i < 32; i++) {
        out[2 + 2 * i] = digits[bytes[i] >> 4];
        out[3 + 2 * i] = digits[bytes[i] & 15];
    }
    out[DB_HEX_SIZE - 1] = 0;
}

void db_copy_text(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%s", text ? text : "");
}
