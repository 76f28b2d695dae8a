#include "tests/emulator/sender.h"

#include "server/base/clock.h"
#include "server/base/mem.h"
#include "tests/emulator/blob.h"
#include "tests/emulator/emulator.h"
#include "tests/emulator/request.h"
#include "tests/emulator/timers.h"

#include <string.h>
#include <unistd.h>

enum { PIECE_BYTES = 64 * 1024 };

/* A body on its way out, piece by piece. */
struct sender {
    struct MHD_Connection *connection;
    struct timers *timers;
    struct blob *blob; /* shared; NULL: bytes are in body */
    int fd;
    int64_t offset; /* of the blob */
    int64_t length;
    struct buf body;
    int64_t cut_at; /* -1: never */
    int64_t bytes_per_s;
    int64_t started_ms;
};

/* How much may go now; 0 after it has suspended the connection until there is something. */
static size_t allowance(struct sender *s, int64_t sent, size_t want)
{
    int64_t allowed = 0;
    int64_t wait_ms = 0;

    if (s->bytes_per_s <= 0)
        return want;
    allowed = (clock_mono_ms() - s->started_ms) * s->bytes_per_s / 1000 - sent;
    if (allowed > 0)
        return allowed < (int64_t)want ? (size_t)allowed : want;
    wait_ms = (1 - allowed) * 1000 / s->bytes_per_s;
    timers_suspend(s->timers, s->connection, wait_ms < 20 ? 20 : wait_ms);
    return 0;
}

static ssize_t next_piece(void *cls, uint64_t pos, char *out, size_t max)
{
    struct sender *s = cls;
    size_t want = max < PIECE_BYTES ? max : PIECE_BYTES;
    int64_t left = s->length - (int64_t)pos;

    if (s->cut_at >= 0 && (int64_t)pos >= s->cut_at)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (s->cut_at >= 0 && left > s->cut_at - (int64_t)pos)
        left = s->cut_at - (int64_t)pos;
    if ((int64_t)want > left)
        want = (size_t)left;
    want = allowance(s, (int64_t)pos, want);
    if (want == 0)
        return 0;
    if (s->blob) {
        int64_t n = blob_read(s->blob, s->fd, s->offset + (int64_t)pos, out, want);
        return n > 0 ? (ssize_t)n : MHD_CONTENT_READER_END_WITH_ERROR;
    }
    memcpy(out, s->body.data + pos, want);
    return (ssize_t)want;
}

static void sender_free(void *cls)
{
    struct sender *s = cls;

    if (s->fd >= 0)
        close(s->fd);
    blob_unref(s->blob);
    buf_done(&s->body);
    mem_free(s);
}

static struct MHD_Response *piecewise(struct timers *timers, struct MHD_Connection *connection, struct request *rq)
{
    struct sender *s = emu_alloc(1, sizeof *s);

    s->connection = connection;
    s->timers = timers;
    s->length = reply_length(&rq->reply);
    s->offset = rq->reply.offset;
    s->blob = blob_ref(rq->reply.blob);
    s->fd = s->blob ? blob_open(s->blob) : -1;
    s->body = rq->reply.body;
    memset(&rq->reply.body, 0, sizeof rq->reply.body);
    s->cut_at = rq->cut_at;
    s->bytes_per_s = rq->slow_bytes_per_s;
    s->started_ms = clock_mono_ms();
    return MHD_create_response_from_callback((uint64_t)s->length, PIECE_BYTES, next_piece, s, sender_free);
}

static struct MHD_Response *make(struct timers *timers, struct MHD_Connection *connection, struct request *rq)
{
    struct reply *reply = &rq->reply;
    struct MHD_Response *response = NULL;

    if (rq->cut_at >= 0 || rq->slow_bytes_per_s > 0 || (reply->blob && reply->blob->synthetic >= 0))
        return piecewise(timers, connection, rq);
    if (reply->blob)
        return MHD_create_response_from_fd_at_offset64((uint64_t)reply->length, blob_open(reply->blob),
                                                       (uint64_t)reply->offset);
    response = MHD_create_response_from_buffer_with_free_callback(reply->body.len, reply->body.data, mem_free);
    if (response)
        memset(&reply->body, 0, sizeof reply->body); /* the response owns it now */
    return response;
}

enum MHD_Result sender_send(struct emulator *emu, struct timers *timers, struct MHD_Connection *connection,
                            struct request *rq)
{
    struct MHD_Response *response = NULL;
    enum MHD_Result queued = MHD_NO;
    char date[CLOCK_RFC3339_SIZE];

    if (!buf_ok(&rq->reply.body))
        emu_die("an answer is too large");
    response = make(timers, connection, rq);
    if (!response)
        emu_die("response");
    clock_http_date(emu_now_ms(emu), date);
    MHD_add_response_header(response, "Date", date);
    for (size_t i = 0; i < rq->reply.header_count; i++)
        MHD_add_response_header(response, rq->reply.headers[i].name, rq->reply.headers[i].value);
    queued = MHD_queue_response(connection, (unsigned)rq->reply.status, response);
    MHD_destroy_response(response);
    return queued;
}
