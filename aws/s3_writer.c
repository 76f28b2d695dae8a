#include "aws/s3_call.h"

#include "aws/s3_multipart.h"
#include "server/base/mem.h"

#include <string.h>

/* Two parts are on their way while the next is filled. */
enum { DEFAULT_PART_BYTES = 5 * 1024 * 1024, LEAST_PART_BYTES = 5 * 1024 * 1024, MAX_PARTS = 10000, BUFFERS = 3 };
/* So much is written between two looks at the parts that are on their way. */
enum { PUSH_BYTES = 256 * 1024 };

struct buffer {
    struct buf bytes;
    struct s3_part part;
};

struct s3_writer {
    struct aws_client *client;
    char *bucket, *key, *owner;
    char *content_type;
    size_t part_bytes;
    struct buffer buffers[BUFFERS];
    int filling;             /* which of them; the others were begun before it, the next one first */
    struct s3_upload upload; /* upload.id is empty until the second part begins */
    size_t pushed_len;       /* of the buffer being filled, when the others were last looked at */
    bool is_finished;
};

static struct s3_ref ref_of(const struct s3_writer *w)
{
    return (struct s3_ref){ span_of(w->bucket), span_of(w->key), span_of(w->owner) };
}

bool s3_writer_new(struct aws_client *client, const struct s3_ref *ref, const char *content_type, size_t part_bytes,
                   struct s3_writer **out, struct err *err)
{
    struct s3_writer *w = mem_alloc(1, sizeof(*w));

    if (!w)
        return err_memory(err, HERE);
    w->client = client;
    w->part_bytes = part_bytes == 0                 ? DEFAULT_PART_BYTES
                    : part_bytes < LEAST_PART_BYTES ? LEAST_PART_BYTES
                                                    : part_bytes;
    for (int i = 0; i < BUFFERS; i++)
        buf_init(&w->buffers[i].bytes, w->part_bytes + S3_WRITER_PIECE_BYTES);
    s3_upload_init(&w->upload);
    w->bucket = mem_span(ref->bucket);
    w->key = mem_span(ref->key);
    w->owner = mem_span(ref->owner);
    w->content_type = mem_text(content_type);
    if (!w->bucket || !w->key || !w->owner || !w->content_type) {
        s3_writer_free(w);
        return err_memory(err, HERE);
    }
    *out = w;
    return true;
}

/* The part in this buffer, if one is on its way, is stored; the buffer is empty. */
static bool settle(struct s3_writer *w, struct buffer *b, struct err *err)
{
    if (b->part.later && !s3_part_end(&b->part, &w->upload, err))
        return false;
    buf_reset(&b->bytes);
    return true;
}

/* Sends what was filled, and goes on with the buffer that was sent longest ago. */
static bool send_part(struct s3_writer *w, struct err *err)
{
    const struct s3_ref ref = ref_of(w);
    struct buffer *b = &w->buffers[w->filling];

    if (w->upload.id.len == 0 && !s3_upload_begin(&w->upload, w->client, &ref, w->content_type, err))
        return false;
    if (w->upload.part_count >= MAX_PARTS) {
        err_set(err, ERR_INPUT, false, HERE, "more than %d parts of %zu bytes", MAX_PARTS, w->part_bytes);
        return s3_name_error(&ref, err);
    }
    if (!s3_part_begin(&b->part, &w->upload, w->client, &ref, span_head(buf_view(&b->bytes), w->part_bytes), err))
        return false;
    w->filling = (w->filling + 1) % BUFFERS;
    w->pushed_len = 0;
    return settle(w, &w->buffers[w->filling], err);
}

/* Parts that are on their way move on. */
static bool push(struct s3_writer *w, struct err *err)
{
    for (int i = 0; i < BUFFERS; i++)
        if (w->buffers[i].part.later && !aws_later_poll(w->buffers[i].part.later, err))
            return false;
    return true;
}

struct buf *s3_writer_out(struct s3_writer *w)
{
    return &w->buffers[w->filling].bytes;
}

bool s3_writer_wrote(struct s3_writer *w, struct err *err)
{
    struct buf *full = s3_writer_out(w);

    if (!buf_check(full, "a part of an upload", err))
        return false;
    /* A full part is sent only when more comes: an object of exactly one part needs one PUT. */
    while (full->len > w->part_bytes) {
        const struct span more = span_tail(buf_view(full), w->part_bytes);
        struct buf *next = NULL;

        if (!send_part(w, err))
            return false;
        next = s3_writer_out(w);
        (void)buf_room(next, w->part_bytes + PUSH_BYTES); /* at once, not in steps: it will be filled */
        buf_span(next, more);
        if (!buf_check(next, "a part of an upload", err))
            return false;
        full = next;
    }
    if (full->len < w->pushed_len + PUSH_BYTES)
        return true;
    w->pushed_len = full->len;
    return push(w, err);
}

bool s3_writer_finish(struct s3_writer *w, int64_t *size_bytes, struct err *err)
{
    const struct s3_ref ref = ref_of(w);
    const struct buf *last = NULL;
    int64_t size;

    if (!s3_writer_wrote(w, err))
        return false;
    last = s3_writer_out(w);
    size = (int64_t)w->upload.part_count * (int64_t)w->part_bytes + (int64_t)last->len;
    if (w->upload.id.len == 0) {
        if (!s3_put(w->client, &ref, w->content_type, buf_view(last), err))
            return false;
    } else {
        if (last->len > 0 && !send_part(w, err))
            return false;
        for (int i = 1; i <= BUFFERS; i++)
            if (!settle(w, &w->buffers[(w->filling + i) % BUFFERS], err))
                return false;
        if (!s3_upload_complete(&w->upload, w->client, &ref, size, err))
            return false;
    }
    w->is_finished = true;
    if (size_bytes)
        *size_bytes = size;
    return true;
}

void s3_writer_free(struct s3_writer *w)
{
    if (!w)
        return;
    for (int i = 0; i < BUFFERS; i++)
        s3_part_done(&w->buffers[i].part);
    if (w->upload.id.len > 0 && !w->is_finished) {
        const struct s3_ref ref = ref_of(w);
        struct err ignored = { 0 }; /* the failure that led here is the story; s3_abort_uploads sweeps what stays */

        (void)!s3_upload_abort(w->client, &ref, buf_view(&w->upload.id), &ignored);
    }
    for (int i = 0; i < BUFFERS; i++)
        buf_done(&w->buffers[i].bytes);
    s3_upload_done(&w->upload);
    mem_free(w->bucket);
    mem_free(w->key);
    mem_free(w->owner);
    mem_free(w->content_type);
    mem_free(w);
}
