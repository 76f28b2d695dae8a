#include "handlers/summary_stream.h"

#include "handlers/app.h"
#include "handlers/summary_json.h"
#include "server/base/mem.h"

enum {
    PIECE_BYTES = 192 * 1024,             /* of one fill, and wanted of one query */
    PIECE_LEAST_BYTES = 144 * 1024,       /* then a fill asks for no more rows */
    PIECE_MOST_BYTES = 240 * 1024,        /* rows that are there already may add so much */
    FILL_MAX_BYTES = 1024 * 1024,         /* reply_stream takes no more of one fill */
    ROW_PLAIN_BYTES = 32 * 1024,          /* of a row beside its long texts: twice its key, and names */
    ROW_GROWTH = 12,                      /* a long text may come twice, and each byte may become six */
    WAITING_MAX_BYTES = 64 * 1024 * 1024, /* a single summary cannot be larger, however it is escaped */
    WAITING_KEEP_BYTES = 1024 * 1024,
    FIRST_ROW_BYTES = 8 * 1024, /* a guess before any row is seen */
    MIN_BATCH = 4,
    MAX_BATCH = 500
};

struct summary_stream *summary_stream_new(int64_t job_id)
{
    struct summary_stream *stream = mem_alloc(1, sizeof *stream);

    if (!stream)
        return NULL;
    stream->job_id = job_id;
    stream->row_bytes = FIRST_ROW_BYTES;
    buf_init(&stream->head, WAITING_MAX_BYTES);
    return stream;
}

void summary_stream_free(void *stream)
{
    struct summary_stream *s = stream;

    if (s)
        buf_done(&s->head);
    mem_free(s);
}

/* Hands on what waits, as far as there is room. */
static void drain(struct summary_stream *stream, struct buf *out)
{
    struct span waiting = span_tail(buf_view(&stream->head), stream->sent);

    if (out->len < PIECE_BYTES) {
        waiting = span_head(waiting, PIECE_BYTES - out->len);
        buf_span(out, waiting);
        stream->sent += waiting.len;
    }
    if (stream->sent < stream->head.len)
        return;
    buf_reset(&stream->head);
    if (stream->head.cap > WAITING_KEEP_BYTES)
        buf_done(&stream->head);
    stream->sent = 0;
}

static int batch_size(const struct summary_stream *stream, const struct buf *out)
{
    size_t room = out->len < PIECE_BYTES ? PIECE_BYTES - out->len : 0;
    size_t rows = room / (stream->row_bytes + 1);

    if (rows < MIN_BATCH)
        return MIN_BATCH;
    return rows > MAX_BATCH ? MAX_BATCH : (int)rows;
}

/* Where a row is written: straight to the client's buffer, if it surely fits there. */
static struct buf *place(struct summary_stream *stream, struct buf *out, const struct summary_row *row)
{
    size_t weight = summary_weight(row);
    bool fits =
        weight < FILL_MAX_BYTES / ROW_GROWTH && out->len + ROW_GROWTH * weight + ROW_PLAIN_BYTES <= FILL_MAX_BYTES;

    return fits && stream->head.len == 0 ? out : &stream->head;
}

static void put_rows(struct summary_stream *stream, const struct db_rows *rows, int wanted, struct buf *out)
{
    struct summary_row row = { 0 };
    int i = 0;

    while (i < rows->count && stream->head.len == 0 && out->len < PIECE_MOST_BYTES) {
        struct buf *to = NULL;
        size_t before = 0;

        summary_row_read(rows, i++, &row);
        to = place(stream, out, &row);
        before = to->len;
        stream->row(stream, to, &row);
        stream->after = row.record_id;
        stream->row_bytes = (stream->row_bytes * 7 + (to->len - before)) / 8;
    }
    if (i == rows->count && rows->count < wanted) {
        stream->pass++;
        stream->after = 0;
    }
}

/* Writes the next rows; at the end of the last pass, what comes last. Nothing waits in head. */
static bool advance(struct summary_stream *stream, struct db *db, struct buf *out, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    const char *state = stream->pass < SUMMARY_STREAM_STATES ? stream->states[stream->pass] : NULL;
    int wanted = batch_size(stream, out);

    if (!state) {
        stream->finished = true;
        if (stream->end)
            stream->end(stream, &stream->head);
        return buf_check(&stream->head, "the end of an export", err);
    }
    if (!summary_store_list_job(db, stream->job_id, state[0] ? state : NULL, stream->after, wanted, &rows, err))
        return false;
    put_rows(stream, &rows, wanted, out);
    return buf_check(&stream->head, "rows of an export", err);
}

static bool fill(void *state, void *context, struct buf *out, bool *end, struct err *err)
{
    struct summary_stream *stream = state;
    struct handler_context *handler = context;

    for (;;) {
        drain(stream, out);
        if (out->len >= PIECE_LEAST_BYTES || stream->head.len > 0)
            return true;
        if (stream->finished) {
            *end = true;
            return true;
        }
        if (!advance(stream, handler->db, out, err))
            return false;
    }
}

void summary_stream_reply(struct reply *rp, const char *content_type, struct summary_stream *stream)
{
    reply_stream(rp, content_type, fill, stream, summary_stream_free);
}
