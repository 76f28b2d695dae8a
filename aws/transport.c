/* libcurl: how a handle is set up for one attempt, its callbacks, and the loop that moves all of a client's attempts
 * on. */
#include "aws/client_internal.h"

#include "server/base/clock.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- what comes back ---- */

struct wanted_header {
    const char *name;
    char *field;
    size_t size;
};

static bool is_named(struct span name, const char *want)
{
    return name.len == strlen(want) && !strncasecmp(name.ptr, want, name.len);
}

/* Cut to fit; a value that does not fit whole would be wrong, so it is left out. */
static void take_text(char *field, size_t size, struct span value)
{
    if (value.len >= size)
        return;
    if (value.len)
        memcpy(field, value.ptr, value.len);
    field[value.len] = '\0';
}

static bool parse_number(struct span value, int64_t *out)
{
    int64_t n = 0;

    if (!value.len || value.len > 18)
        return false;
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] < '0' || value.ptr[i] > '9')
            return false;
        n = n * 10 + (value.ptr[i] - '0');
    }
    *out = n;
    return true;
}

static void take_hint(struct exchange *x, struct span name, struct span value)
{
    int64_t n;

    if (is_named(name, "x-amz-retry-after") && parse_number(value, &n))
        x->hint_ms = n;
    else if (is_named(name, "retry-after") && !x->hint_ms && parse_number(value, &n) && n < INT_MAX)
        x->hint_ms = n * 1000;
}

static void take_header(struct exchange *x, struct span name, struct span value)
{
    struct aws_response *rs = x->rs;
    const struct wanted_header wanted[] = {
        { "etag", rs->etag, sizeof(rs->etag) },
        { "content-type", rs->content_type, sizeof(rs->content_type) },
        { "x-amz-request-id", rs->request_id, sizeof(rs->request_id) },
        { "x-amzn-requestid", rs->request_id, sizeof(rs->request_id) },
        { "x-amz-bucket-region", rs->bucket_region, sizeof(rs->bucket_region) },
        { "last-modified", rs->last_modified, sizeof(rs->last_modified) },
        { "content-range", rs->content_range, sizeof(rs->content_range) },
        { "x-amz-storage-class", rs->storage_class, sizeof(rs->storage_class) },
        { "x-amz-meta-vidbatch-upload", rs->upload_marker, sizeof(rs->upload_marker) },
        { "x-amzn-errortype", x->error_type, sizeof(x->error_type) },
    };
    enum checksum_kind kind = checksum_of_header(name, value);
    int64_t date_ms;

    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        if (is_named(name, wanted[i].name))
            take_text(wanted[i].field, wanted[i].size, value);
    if (kind && (!rs->checksum_kind || kind < rs->checksum_kind)) {
        rs->checksum_kind = kind;
        take_text(rs->checksum, sizeof(rs->checksum), value);
    }
    if (is_named(name, "content-length") && !parse_number(value, &rs->content_length))
        rs->content_length = -1;
    if (is_named(name, "date") && clock_parse_http_date(value, &date_ms))
        x->date_ms = date_ms;
    take_hint(x, name, value);
}

/* "HTTP/1.1 503 Slow Down": a new head begins; all that came before (100 Continue) is void. */
static void begin_head(struct exchange *x, struct span line)
{
    struct buf body = x->rs->body;
    struct span status = span_tail(line, span_find(line, ' ') + 1);
    int64_t number = 0;

    buf_reset(&body);
    *x->rs = (struct aws_response){ .body = body, .content_length = -1 };
    if (parse_number(span_head(status, 3), &number))
        x->rs->status = (int)number;
    x->is_head_done = false;
    x->error_type[0] = '\0';
    x->hint_ms = 0;
    x->date_ms = 0;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *arg)
{
    struct exchange *x = arg;
    struct span line = { bytes, size * count };
    size_t colon;

    x->header_bytes += line.len;
    if (x->header_bytes > AWS_MAX_HEADER_BYTES) {
        x->is_too_large = true;
        return 0;
    }
    line = span_trim(line);
    if (span_starts(line, SPAN_LIT("HTTP/"))) {
        begin_head(x, line);
    } else if (!line.len) {
        x->is_head_done = x->rs->status >= 200;
        x->arrived_ms = clock_wall_ms();
    } else if ((colon = span_find(line, ':')) < line.len) {
        take_header(x, span_trim(span_head(line, colon)), span_trim(span_tail(line, colon + 1)));
    }
    return size * count;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *arg)
{
    struct exchange *x = arg;
    struct span piece = { bytes, size * count }, kept = piece;
    struct buf *body = &x->rs->body;
    bool is_error = x->rs->status >= 300;
    size_t room = (is_error ? AWS_MAX_ERROR_BODY : x->rq.max_response_bytes) - body->len;

    if (x->stream && !is_error)
        return stream_take(x->stream, piece) ? piece.len : CURL_WRITEFUNC_PAUSE;
    if (is_error)
        kept = span_head(piece, room); /* the beginning of an error says enough */
    else if (x->rq.may_be_cut && piece.len > room) {
        kept = span_head(piece, room);
        x->is_cut = true;
    }
    x->is_too_large = kept.len > room;
    if (x->is_too_large)
        return 0;
    if (!body->len && !is_error && x->rs->content_length > 0 && (uint64_t)x->rs->content_length <= room)
        (void)buf_room(body, (size_t)x->rs->content_length); /* once, instead of by doubling */
    buf_span(body, kept);
    x->has_no_memory = !buf_ok(body);
    return x->has_no_memory || x->is_cut ? 0 : piece.len;
}

/* ---- what goes out ---- */

/* Sets one option; the first refusal is remembered in `set`, the rest is not tried. */
#define SET(option, value)                                                                                             \
    do {                                                                                                               \
        if (set == CURLE_OK)                                                                                           \
            set = curl_easy_setopt(x->easy, (option), (value));                                                        \
    } while (0)

static CURLcode set_safety(struct exchange *x, const struct endpoint *ep)
{
    CURLcode set = CURLE_OK;

    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_PROTOCOLS_STR, ep->is_https ? "https" : "http");
    SET(CURLOPT_FOLLOWLOCATION, 0L); /* a redirected signature is wrong */
    SET(CURLOPT_PATH_AS_IS, 1L);     /* else key "x/../y" silently becomes "y" */
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (x->client->aws->ca_bundle)
        SET(CURLOPT_CAINFO, x->client->aws->ca_bundle);
    if (ep->is_direct)
        SET(CURLOPT_PROXY, "");
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L); /* what a proxy says of its tunnel is not the answer */
    SET(CURLOPT_USERAGENT, "vidbatch");
    SET(CURLOPT_ERRORBUFFER, x->transport_error);
    SET(CURLOPT_PRIVATE, x);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, x);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, x);
    return set;
}

static CURLcode set_limits(struct exchange *x)
{
    const struct aws_options *o = &x->client->aws->options;
    int64_t low_speed_ms = o->low_speed_timeout_ms;
    int64_t timeout_ms = x->rq.timeout_ms;
    CURLcode set = CURLE_OK;

    /* A call that is allowed to take long may also be silent for long (CopyObject). */
    if (timeout_ms > low_speed_ms)
        low_speed_ms = timeout_ms;
    /* A stream takes as long as its reader: only silence ends it. */
    if (!timeout_ms && !x->stream)
        timeout_ms = o->call_timeout_ms;
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)o->connect_timeout_ms);
    SET(CURLOPT_LOW_SPEED_LIMIT, 1L);
    SET(CURLOPT_LOW_SPEED_TIME, (long)((low_speed_ms + 999) / 1000));
    SET(CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_MAXAGE_CONN, 50L); /* S3 closes idle connections: do not reuse dead ones */
    SET(CURLOPT_MAXLIFETIME_CONN, 300L);
    SET(CURLOPT_BUFFERSIZE, x->stream ? 256L * 1024 : 64L * 1024);
    return set;
}

static CURLcode set_request(struct exchange *x)
{
    const struct aws_request *rq = &x->rq;
    bool has_body = rq->has_body || rq->body.len || !strcmp(rq->method, "PUT") || !strcmp(rq->method, "POST");
    CURLcode set = CURLE_OK;

    SET(CURLOPT_URL, buf_cstr(&x->url));
    SET(CURLOPT_HTTPHEADER, x->header_list);
    if (has_body) {
        /* From memory, not copied: libcurl can send it again by itself, and knows the length. */
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)rq->body.len);
        SET(CURLOPT_POSTFIELDS, rq->body.len ? rq->body.ptr : "");
        SET(CURLOPT_UPLOAD_BUFFERSIZE, rq->body.len > 256 * 1024 ? 256L * 1024 : 64L * 1024);
        SET(CURLOPT_CUSTOMREQUEST, rq->method);
    } else if (!strcmp(rq->method, "HEAD")) {
        SET(CURLOPT_NOBODY, 1L);
    } else if (strcmp(rq->method, "GET") != 0) {
        SET(CURLOPT_CUSTOMREQUEST, rq->method);
    }
    /* On a connection of its own libcurl never sends a request a second time by itself. */
    if (rq->send_once || rq->is_paid)
        SET(CURLOPT_FRESH_CONNECT, 1L);
    return set;
}

static CURL *take_handle(struct aws_client *client)
{
    if (client->idle_count)
        return client->idle[--client->idle_count];
    return curl_easy_init();
}

/* Only after a transfer that ended well: libcurl 7.88 leaves the receive buffer of one that found no address in the
 * handle, and then refuses to be told the buffer's size. */
static void give_handle(struct aws_client *client, CURL *easy, bool is_clean)
{
    if (!is_clean || client->idle_count == AWS_IDLE_HANDLES) {
        curl_easy_cleanup(easy);
        return;
    }
    curl_easy_reset(easy); /* drops all pointers into the exchange */
    client->idle[client->idle_count++] = easy;
}

bool transport_start(struct exchange *x, struct err *err)
{
    struct aws_client *client = x->client;
    CURLMcode added = CURLM_OK;
    CURLcode set;

    x->is_finished = x->is_too_large = x->is_cut = x->has_no_memory = false;
    x->result = CURLE_OK;
    x->header_bytes = 0;
    x->transport_error[0] = '\0';
    begin_head(x, (struct span){ 0 });
    x->easy = take_handle(client);
    if (!x->easy)
        return err_memory(err, HERE);
    set = set_safety(x, &x->endpoint);
    if (set == CURLE_OK)
        set = set_limits(x);
    if (set == CURLE_OK)
        set = set_request(x);
    if (set == CURLE_OK) {
        added = curl_multi_add_handle(client->multi, x->easy);
        if (added == CURLM_OK)
            return true;
    }
    give_handle(client, x->easy, false);
    x->easy = NULL;
    if (set == CURLE_OUT_OF_MEMORY || added == CURLM_OUT_OF_MEMORY)
        return err_memory(err, HERE);
    return err_set(err, ERR_INTERNAL, false, HERE, "%s: libcurl refuses the request: %s", x->rq.operation,
                   set != CURLE_OK ? curl_easy_strerror(set) : curl_multi_strerror(added));
}

void transport_end(struct exchange *x)
{
    exchange_leave(x);
    if (x->easy) {
        /* An answer that was not read to its end takes its connection with it. */
        curl_multi_remove_handle(x->client->multi, x->easy);
        give_handle(x->client, x->easy, x->is_finished && x->result == CURLE_OK);
        x->easy = NULL;
    }
}

/* ---- the loop ---- */

/* libcurl has one word for an answer that did not come in time and for a connection that was never made: but only the
 * first may have been carried out. */
static CURLcode result_of(const CURLMsg *message)
{
    curl_off_t sent_us = 0;

    if (message->data.result != CURLE_OPERATION_TIMEDOUT)
        return message->data.result;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRETRANSFER_TIME_T, &sent_us);
    return sent_us > 0 ? CURLE_OPERATION_TIMEDOUT : CURLE_COULDNT_CONNECT;
}

static void collect_finished(CURLM *multi)
{
    struct exchange *finished = NULL;
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(multi, &left))) {
        char *private = NULL;
        struct exchange *x;

        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
        x = (struct exchange *)(void *)private;
        x->is_finished = true;
        x->result = result_of(message);
        exchange_note_crowd(x); /* before any of them leaves: those that AWS refused in one go were a crowd */
        x->also_finished = finished;
        finished = x;
    }
    /* At once: their owner may be waiting for a place itself before it looks here. */
    for (; finished; finished = finished->also_finished)
        exchange_leave(finished);
}

bool transport_pump(struct aws_client *client, int64_t wait_ms, struct err *err)
{
    int running = 0, ready = 0;
    CURLMcode code = CURLM_OK;

    if (wait_ms > 0)
        code = curl_multi_poll(client->multi, NULL, 0, (int)(wait_ms < AWS_POLL_MS ? wait_ms : AWS_POLL_MS), &ready);
    if (code == CURLM_OK)
        code = curl_multi_perform(client->multi, &running);
    collect_finished(client->multi);
    if (code == CURLM_OK)
        return true;
    if (code == CURLM_OUT_OF_MEMORY)
        return err_memory(err, HERE);
    return err_set(err, ERR_INTERNAL, false, HERE, "libcurl: %s", curl_multi_strerror(code));
}
