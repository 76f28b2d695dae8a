/* A body that is pulled. libcurl fills one buffer while the reader works on the other; when the first is full the
 * transfer is paused, so a reader that stops costs two buffers and a filled socket. */
#include "aws/client_internal.h"

#include "server/base/mem.h"

/* libcurl may hand over up to its own buffer (256 KiB) at once, so an empty buffer has room for more than that. */
enum { PAUSE_BYTES = 256 * 1024, MAX_BYTES = PAUSE_BYTES + 512 * 1024 };

struct aws_stream {
    struct exchange x;
    struct aws_response rs; /* x.rs: lives as long as libcurl may write to it */
    struct buf filling;     /* by libcurl */
    struct buf lent;        /* to the reader */
    bool is_paused;
    bool is_counted;
};

bool stream_take(struct aws_stream *stream, struct span bytes)
{
    if (!stream->filling.len || stream->filling.len + bytes.len <= PAUSE_BYTES) {
        buf_span(&stream->filling, bytes);
        if (buf_ok(&stream->filling))
            return true;
    }
    stream->is_paused = true;
    return false;
}

static void free_stream(struct aws_stream *stream)
{
    exchange_done(&stream->x);
    aws_response_done(&stream->rs);
    buf_done(&stream->filling);
    buf_done(&stream->lent);
    mem_free(stream);
}

bool aws_stream_open(struct aws_client *client, const struct aws_request *rq, struct aws_response *head,
                     struct aws_stream **out, struct err *err)
{
    struct aws_stream *stream = mem_alloc(1, sizeof(*stream));
    bool ok;

    *head = (struct aws_response){ .content_length = -1 };
    if (!stream)
        return err_memory(err, HERE);
    stream->x = (struct exchange){ .client = client, .rq = *rq, .rs = &stream->rs, .stream = stream };
    buf_init(&stream->filling, MAX_BYTES);
    buf_init(&stream->lent, MAX_BYTES);
    ok = exchange_run(&stream->x, err);
    *head = stream->rs;
    head->body = (struct buf){ 0 };
    if (ok)
        *out = stream;
    else
        free_stream(stream);
    return ok;
}

static void count_once(struct aws_stream *stream, bool is_good)
{
    if (!stream->is_counted)
        exchange_count(&stream->x, is_good);
    stream->is_counted = true;
}

static bool end(struct aws_stream *stream, struct span *piece, struct err *err)
{
    bool is_whole = !stream->x.easy || stream->x.result == CURLE_OK;

    count_once(stream, is_whole);
    if (!is_whole)
        return exchange_describe_cut(&stream->x, err);
    *piece = (struct span){ "", 0 };
    return true;
}

/* Waits until there are bytes or the transfer has ended. */
static bool fill(struct aws_stream *stream, struct err *err)
{
    int64_t wait_ms = 0;

    while (!stream->filling.len && stream->x.easy && !stream->x.is_finished) {
        if (client_is_stopping(stream->x.client))
            return exchange_cancelled(err);
        if (!buf_ok(&stream->filling))
            return err_memory(err, HERE);
        if (stream->is_paused) {
            stream->is_paused = false;
            (void)curl_easy_pause(stream->x.easy, CURLPAUSE_CONT); /* what went wrong shows in the transfer's result */
        }
        if (!stream->filling.len && !transport_pump(stream->x.client, wait_ms, err))
            return false;
        wait_ms = AWS_POLL_MS;
    }
    return true;
}

bool aws_stream_read(struct aws_stream *stream, struct span *piece, struct err *err)
{
    struct buf full;

    buf_reset(&stream->lent);
    if (!fill(stream, err))
        return false;
    if (!stream->filling.len)
        return end(stream, piece, err);
    full = stream->filling;
    stream->filling = stream->lent;
    stream->lent = full;
    *piece = buf_view(&stream->lent);
    return true;
}

void aws_stream_close(struct aws_stream *stream)
{
    if (!stream)
        return;
    count_once(stream, true); /* a reader that has seen enough is no failure */
    free_stream(stream);
}
