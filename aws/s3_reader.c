#include "aws/s3_call.h"

#include "aws/retry.h"
#include "server/base/mem.h"
#include "server/base/text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* How often a broken body is taken up again without a single byte of progress. */
enum { MAX_TRIES = 5, PAUSE_CAP_MS = 500, ETAG_SIZE = 136 };

struct s3_reader {
    struct aws_client *client;
    struct aws_stream *stream; /* NULL: to be opened again, or at the end */
    struct s3_call call;       /* that the stream was opened with */
    char range[40];
    char *bucket, *key, *owner;
    char etag[ETAG_SIZE];
    int64_t position;
    int64_t size_bytes;            /* -1 until the first answer */
    int failures;                  /* since the last byte */
    struct checksum sum;           /* of all bytes so far, where want says what it must come to */
    char want[CHECKSUM_TEXT_SIZE]; /* "": nothing is known of it */
};

static struct s3_ref ref_of(const struct s3_reader *r)
{
    return (struct s3_ref){ span_of(r->bucket), span_of(r->key), span_of(r->owner) };
}

static bool give_up(const struct err *cause, struct err *err)
{
    if (err && err->kind == ERR_NONE)
        *err = *cause;
    return false;
}

static bool changed(const struct s3_reader *r, struct err *err)
{
    const struct s3_ref ref = ref_of(r);

    err_set(err, ERR_CONFLICT, false, HERE, "the object was replaced while it was being read");
    (void)err_code(err, "object_changed");
    return s3_name_error(&ref, err);
}

/* S3 gives one of the whole object: it can be held against only what begins at its first byte. Ranged answers are not
 * looked at, for what theirs is of is not known. */
static bool take_checksum(struct s3_reader *r, const struct aws_response *head, struct err *err)
{
    if (r->position > 0 || head->status != 200 || !head->checksum_kind || !aws_checks_answers(r->client))
        return true;
    memcpy(r->want, head->checksum, sizeof(r->want));
    return checksum_begin(&r->sum, head->checksum_kind, err);
}

/* Adds the piece; the object's last one must make the checksum that S3 keeps. */
static bool check_piece(struct s3_reader *r, struct span piece, struct err *err)
{
    const struct s3_ref ref = ref_of(r);
    char got[CHECKSUM_TEXT_SIZE];

    if (!r->want[0])
        return true;
    checksum_add(&r->sum, piece);
    if (r->position + (int64_t)piece.len < r->size_bytes)
        return true;
    checksum_end(&r->sum, got);
    if (!strcmp(got, r->want))
        return true;
    err_set(
        err, ERR_UPSTREAM, true, HERE,
        "the %s of the %lld bytes that arrived is %s, and S3 keeps %s of the object: they were damaged on the way and "
        "are not used",
        checksum_name(r->sum.kind), (long long)r->size_bytes, got, r->want);
    (void)err_code(err, "checksum_mismatch");
    return s3_name_error(&ref, err);
}

static bool take_head(struct s3_reader *r, const struct aws_response *head, struct err *err)
{
    const struct s3_ref ref = ref_of(r);
    int64_t first = 0, size = head->content_length;

    if ((head->status == 206 && !s3_parse_content_range(span_of(head->content_range), &first, &size)) ||
        first != r->position || size < first) {
        err_set(err, ERR_UPSTREAM, false, HERE, "a read from byte %lld was answered with status %d, Content-Range '%s'",
                (long long)r->position, head->status, head->content_range);
        return s3_name_error(&ref, err);
    }
    if ((r->etag[0] && head->etag[0] && strcmp(r->etag, head->etag) != 0) ||
        (r->size_bytes >= 0 && r->size_bytes != size))
        return changed(r, err);
    r->size_bytes = size;
    memcpy(r->etag, head->etag[0] ? head->etag : r->etag, sizeof(r->etag));
    return take_checksum(r, head, err);
}

/* S3 answers a range that begins at the very end with an error: HEAD tells whether that is what happened. */
static bool at_end(struct s3_reader *r, struct err *err)
{
    const struct s3_ref ref = ref_of(r);
    struct s3_head head = { 0 };

    if (!s3_head(r->client, &ref, &head, err))
        return false;
    if (r->etag[0] && strcmp(r->etag, head.etag) != 0)
        return changed(r, err);
    memcpy(r->etag, head.etag, sizeof(r->etag));
    r->size_bytes = head.size_bytes;
    if (r->position == head.size_bytes)
        return true;
    err_set(err, ERR_CONFLICT, false, HERE, "the object has %lld bytes and cannot be read from byte %lld",
            (long long)head.size_bytes, (long long)r->position);
    (void)err_code(err, "object_changed");
    return s3_name_error(&ref, err);
}

static void close_stream(struct s3_reader *r)
{
    aws_stream_close(r->stream);
    r->stream = NULL;
    s3_call_done(&r->call);
}

/* At the present position. The client itself tries again what fails before the first byte. */
static bool open_stream(struct s3_reader *r, struct err *err)
{
    AUTO(aws_response_done) struct aws_response head = { 0 };
    const struct s3_ref ref = ref_of(r);
    struct err cause = { 0 };

    if (!s3_call_init(&r->call, "S3.GetObject", "GET", &ref, err))
        return false;
    (void)snprintf(r->range, sizeof(r->range), "bytes=%lld-", (long long)r->position);
    if (r->position > 0)
        s3_call_header(&r->call, "range", span_of(r->range));
    else if (aws_checks_answers(r->client))
        s3_call_header(&r->call, "x-amz-checksum-mode", SPAN_LIT("ENABLED"));
    s3_call_header(&r->call, "if-match", span_of(r->etag));
    if (!s3_call_ready(&r->call, err))
        return false;
    if (aws_stream_open(r->client, &r->call.rq, &head, &r->stream, &cause))
        return take_head(r, &head, err);
    if (head.status == 412)
        return changed(r, err);
    if (head.status == 416)
        return at_end(r, err);
    (void)s3_name_error(&ref, &cause);
    return give_up(&cause, err);
}

/* Less than a second in all, so nobody needs to interrupt it. */
static void pause_before_retry(int failures)
{
    const int64_t ms = retry_pause_ms(RETRY_TRANSIENT, failures, PAUSE_CAP_MS, 0, 0.99);
    const struct timespec wait = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

    (void)nanosleep(&wait, NULL);
}

bool s3_reader_open(struct aws_client *client, const struct s3_ref *ref, int64_t offset, const char *etag,
                    struct s3_reader **out, struct err *err)
{
    struct s3_reader *r = mem_alloc(1, sizeof(*r));

    if (!r)
        return err_memory(err, HERE);
    r->client = client;
    r->position = offset;
    r->size_bytes = -1;
    (void)snprintf(r->etag, sizeof(r->etag), "%s", etag);
    r->bucket = mem_span(ref->bucket);
    r->key = mem_span(ref->key);
    r->owner = mem_span(ref->owner);
    if (!r->bucket || !r->key || !r->owner) {
        s3_reader_close(r);
        return err_memory(err, HERE);
    }
    if (!open_stream(r, err)) {
        s3_reader_close(r);
        return false;
    }
    *out = r;
    return true;
}

/* The body broke off: closes it, and says whether it may be taken up again. */
static bool may_resume(struct s3_reader *r, struct err *cause, struct err *err)
{
    const struct s3_ref ref = ref_of(r);

    close_stream(r);
    if (cause->kind == ERR_NONE)
        err_set(cause, ERR_UPSTREAM, true, HERE, "the object's body ended at byte %lld of %lld", (long long)r->position,
                (long long)r->size_bytes);
    if (cause->retryable && cause->kind != ERR_CANCELLED && ++r->failures < MAX_TRIES) {
        pause_before_retry(r->failures);
        return true;
    }
    (void)s3_name_error(&ref, cause);
    return give_up(cause, err);
}

bool s3_reader_read(struct s3_reader *r, struct span *piece, struct err *err)
{
    *piece = (struct span){ "", 0 };
    while (r->position < r->size_bytes) {
        struct err cause = { 0 };

        if (!r->stream && !open_stream(r, err))
            return false;
        if (r->stream && aws_stream_read(r->stream, piece, &cause) && piece->len > 0) {
            if (!check_piece(r, *piece, err)) {
                *piece = (struct span){ "", 0 };
                return false;
            }
            r->position += (int64_t)piece->len;
            r->failures = 0;
            return true;
        }
        *piece = (struct span){ "", 0 };
        if (!may_resume(r, &cause, err))
            return false;
    }
    return true;
}

int64_t s3_reader_size(const struct s3_reader *reader)
{
    return reader->size_bytes;
}

void s3_reader_close(struct s3_reader *r)
{
    if (!r)
        return;
    close_stream(r);
    checksum_done(&r->sum);
    mem_free(r->bucket);
    mem_free(r->key);
    mem_free(r->owner);
    mem_free(r);
}
