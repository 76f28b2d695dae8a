#include "aws/creds_http.h"

#include "server/base/clock.h"

#include <curl/curl.h>
#include <string.h>
#include <time.h>

enum { MAX_CONNECT_MS = 5000, MAX_HEADER_BYTES = 64 * 1024, PAUSE_STEP_MS = 20 };

struct sending {
    const struct creds_http_request *rq;
    struct creds_http_answer *answer;
    CURL *easy;
    struct curl_slist *headers;
    size_t header_bytes;
    bool is_too_large, is_stopped;
    char said[CURL_ERROR_SIZE]; /* by libcurl */
};

static void sending_done(struct sending *s)
{
    curl_easy_cleanup(s->easy);
    curl_slist_free_all(s->headers);
}

void creds_http_answer_done(struct creds_http_answer *answer)
{
    buf_wipe(&answer->body);
}

static bool is_stopping(const struct creds_stop *stop)
{
    return stop->is_stopping && stop->is_stopping(stop->arg);
}

/* ---- callbacks ---- */

static size_t on_body(char *bytes, size_t size, size_t count, void *arg)
{
    struct sending *s = arg;

    s->is_too_large = size * count > s->answer->body.max - s->answer->body.len;
    buf_add(&s->answer->body, bytes, size * count);
    return buf_ok(&s->answer->body) ? size * count : 0;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *arg)
{
    struct sending *s = arg;
    struct span line = { bytes, size * count };
    const struct span date = SPAN_LIT("date:");

    s->header_bytes += line.len;
    s->is_too_large = s->header_bytes > MAX_HEADER_BYTES;
    if (span_eq_nocase(span_head(line, date.len), date))
        (void)!clock_parse_http_date(span_trim(span_tail(line, date.len)), &s->answer->date_ms);
    return s->is_too_large ? 0 : line.len;
}

static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    struct sending *s = arg;

    (void)a, (void)b, (void)c, (void)d;
    s->is_stopped = is_stopping(&s->rq->stop);
    return s->is_stopped;
}

/* ---- one exchange ---- */

#define SET(option, value)                                                                                             \
    do {                                                                                                               \
        if (set == CURLE_OK)                                                                                           \
            set = curl_easy_setopt(s->easy, (option), (value));                                                        \
    } while (0)

static CURLcode set_common(struct sending *s)
{
    const struct creds_http_request *rq = s->rq;
    CURLcode set = CURLE_OK;

    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_URL, rq->url);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 0L); /* a redirect would take the token elsewhere */
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_USERAGENT, "vidbatch");
    SET(CURLOPT_TIMEOUT_MS, (long)rq->timeout_ms);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)(rq->timeout_ms < MAX_CONNECT_MS ? rq->timeout_ms : MAX_CONNECT_MS));
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SET(CURLOPT_ERRORBUFFER, s->said);
    SET(CURLOPT_HTTPHEADER, s->headers);
    if (rq->is_direct) {
        SET(CURLOPT_PROXY, "");
        SET(CURLOPT_NOPROXY, "*");
    }
    if (rq->ca_bundle && rq->ca_bundle[0])
        SET(CURLOPT_CAINFO, rq->ca_bundle);
    return set;
}

static CURLcode set_work(struct sending *s)
{
    const struct creds_http_request *rq = s->rq;
    CURLcode set = CURLE_OK;

    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, s);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, s);
    SET(CURLOPT_NOPROGRESS, 0L);
    SET(CURLOPT_XFERINFOFUNCTION, on_progress);
    SET(CURLOPT_XFERINFODATA, s);
    if (!strcmp(rq->method, "POST")) {
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)rq->body.len);
        SET(CURLOPT_POSTFIELDS, rq->body.len ? rq->body.ptr : "");
    } else if (!strcmp(rq->method, "PUT")) { /* without a body */
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)0);
        SET(CURLOPT_POSTFIELDS, "");
        SET(CURLOPT_CUSTOMREQUEST, "PUT");
    }
    return set;
}

static bool add_header(struct sending *s, const char *line, struct err *err)
{
    struct curl_slist *grown = curl_slist_append(s->headers, line);

    if (!grown)
        return err_memory(err, HERE);
    s->headers = grown;
    return true;
}

static bool add_headers(struct sending *s, struct err *err)
{
    const struct creds_http_request *rq = s->rq;

    for (size_t i = 0; i < rq->header_count; i++) {
        AUTO(buf_wipe) struct buf line = { 0 };
        struct span value = rq->headers[i].value;

        buf_init(&line, CREDS_HTTP_MAX_BODY);
        for (size_t n = 0; n < value.len; n++)
            if ((unsigned char)value.ptr[n] < ' ' || value.ptr[n] == 127)
                return err_set(err, ERR_INPUT, false, HERE, "%s: the value for header %s holds control characters",
                               rq->what, rq->headers[i].name);
        buf_fmt(&line, "%s: ", rq->headers[i].name);
        buf_span(&line, value);
        if (!buf_check(&line, rq->headers[i].name, err) || !add_header(s, buf_cstr(&line), err))
            return false;
    }
    /* What libcurl would send of itself and nobody has signed. */
    return add_header(s, "Expect:", err) && (rq->body.len || add_header(s, "Content-Type:", err));
}

static bool describe(const struct sending *s, CURLcode result, struct err *err)
{
    const char *said = s->said[0] ? s->said : curl_easy_strerror(result);

    if (s->is_stopped)
        return err_set(err, ERR_CANCELLED, true, HERE, "the service is stopping");
    if (s->is_too_large)
        return err_set(err, ERR_UPSTREAM, false, HERE, "%s: the answer is larger than 64 KiB", s->rq->what);
    if (result == CURLE_OUT_OF_MEMORY || !buf_ok(&s->answer->body))
        return err_memory(err, HERE);
    if (result == CURLE_OPERATION_TIMEDOUT)
        return err_set(err, ERR_TIMEOUT, true, HERE, "%s: no answer within %lld ms", s->rq->what,
                       (long long)s->rq->timeout_ms);
    return err_set(err, ERR_UPSTREAM, result != CURLE_PEER_FAILED_VERIFICATION, HERE, "%s: %s", s->rq->what, said);
}

bool creds_http_send(const struct creds_http_request *rq, struct creds_http_answer *answer, struct err *err)
{
    AUTO(sending_done) struct sending s = { .rq = rq, .answer = answer };
    CURLcode result = CURLE_OUT_OF_MEMORY;
    curl_off_t connected_us = 0;
    long status = 0;

    creds_http_answer_done(answer);
    *answer = (struct creds_http_answer){ 0 };
    buf_init(&answer->body, CREDS_HTTP_MAX_BODY);
    s.easy = curl_easy_init();
    /* Room for all at once: what grows leaves copies of secrets behind. */
    if (!s.easy || !buf_room(&answer->body, CREDS_HTTP_MAX_BODY))
        return err_memory(err, HERE);
    if (!add_headers(&s, err))
        return false;
    result = set_common(&s);
    if (result == CURLE_OK)
        result = set_work(&s);
    if (result == CURLE_OK)
        result = curl_easy_perform(s.easy);
    (void)curl_easy_getinfo(s.easy, CURLINFO_CONNECT_TIME_T, &connected_us);
    answer->is_connected = connected_us > 0;
    if (result != CURLE_OK)
        return describe(&s, result, err);
    (void)curl_easy_getinfo(s.easy, CURLINFO_RESPONSE_CODE, &status);
    answer->status = (int)status;
    return true;
}

bool creds_pause(const struct creds_stop *stop, int64_t ms, struct err *err)
{
    const int64_t until_ms = clock_mono_ms() + ms;
    int64_t left_ms = ms;

    while (!is_stopping(stop)) {
        const int64_t step_ms = left_ms < PAUSE_STEP_MS ? left_ms : PAUSE_STEP_MS;
        const struct timespec step = { 0, (long)step_ms * 1000000 };

        if (left_ms <= 0)
            return true;
        (void)nanosleep(&step, NULL);
        left_ms = until_ms - clock_mono_ms();
    }
    return err_set(err, ERR_CANCELLED, true, HERE, "the service is stopping");
}
