/* One call over all its attempts: signs and sends, judges the answer, waits, and describes the failure in the end. */
#include "aws/client_internal.h"

#include "aws/aws_error.h"
#include "aws/cure.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/text.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_MAX_RESPONSE = 4 * 1024 * 1024 };

void exchange_prepare_response(struct aws_request *rq, struct aws_response *rs)
{
    if (!rq->max_response_bytes)
        rq->max_response_bytes = DEFAULT_MAX_RESPONSE;
    *rs = (struct aws_response){ .content_length = -1 };
    /* Errors have a bound of their own: who wants ten bytes still wants to know why there are none. */
    buf_init(&rs->body,
             rq->max_response_bytes > AWS_MAX_ERROR_BODY ? rq->max_response_bytes : (size_t)AWS_MAX_ERROR_BODY);
}

void exchange_done(struct exchange *x)
{
    if (x->client)
        transport_end(x);
    curl_slist_free_all(x->header_list);
    buf_done(&x->url);
    OPENSSL_cleanse(&x->creds, sizeof(x->creds));
    x->header_list = NULL;
}

bool exchange_cancelled(struct err *err)
{
    return err_set(err, ERR_CANCELLED, true, HERE, "the service is stopping");
}

bool exchange_may_start(struct exchange *x)
{
    if (x->is_inside)
        return true;
    x->crowd = governor_enter(&x->client->aws->governors[x->rq.service], clock_mono_ms());
    x->is_inside = x->crowd > 0;
    return x->is_inside;
}

void exchange_note_crowd(struct exchange *x)
{
    const int crowd = governor_inside(&x->client->aws->governors[x->rq.service]);

    if (crowd > x->crowd)
        x->crowd = crowd;
}

void exchange_leave(struct exchange *x)
{
    if (x->is_inside)
        governor_leave(&x->client->aws->governors[x->rq.service]);
    x->is_inside = false;
}

/* A random UUID. */
static void make_invocation_id(char out[37])
{
    unsigned char b[16];
    char *at = out;

    text_random(b, sizeof(b));
    b[6] = (unsigned char)((b[6] & 0x0F) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3F) | 0x80);
    for (int i = 0; i < 16; i++)
        at += snprintf(at, 4, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", b[i]);
}

/* What keeps us from credentials is no answer to this call: whoever judges calls by kind, code or AWS's words must not
 * take STS's or an agent's for those of the service that was called. Always false. */
static bool without_credentials(const struct err *cause, struct err *err)
{
    struct err told = *cause;

    if (cause->kind == ERR_CANCELLED || cause->kind == ERR_MEMORY)
        return err_pass(err, cause);
    told.kind = ERR_UPSTREAM;
    told.upstream_code[0] = told.upstream_message[0] = told.upstream_request_id[0] = '\0';
    told.upstream_status = told.transport = 0;
    told.retry_after_ms = 0;
    err_code(&told, "credentials");
    return err_pass(err, &told);
}

/* Waits for them no longer than the client may. */
static bool have_credentials(struct exchange *x, struct err *err)
{
    struct creds_chain *chain = x->client->aws->credentials;
    const int64_t left_ms = x->client->until_ms - clock_mono_ms();
    struct err cause = { 0 };
    const bool ok = x->client->until_ms ? creds_chain_get_soon(chain, left_ms > 0 ? left_ms : 0, &x->creds, &cause)
                                        : creds_chain_get(chain, &x->creds, &cause);

    if (!ok && client_is_stopping(x->client))
        return exchange_cancelled(err);
    return ok || without_credentials(&cause, err);
}

static bool send_attempt(struct exchange *x, struct err *err)
{
    struct aws *aws = x->client->aws;

    if (client_is_stopping(x->client))
        return exchange_cancelled(err);
    x->sent_ms = clock_mono_ms();
    if (!x->attempts) {
        x->started_ms = x->sent_ms;
        make_invocation_id(x->invocation_id);
    }
    if (!have_credentials(x, err))
        return false;
    x->skew_ms = atomic_load(&aws->skew_ms);
    if (!client_endpoint(aws, x->rq.service, x->rq.bucket, &x->endpoint, err))
        return false;
    if (!signing_prepare(x, err) || !transport_start(x, err))
        return false;
    x->attempts++;
    atomic_fetch_add(&client_stat(aws, x->rq.operation)->attempts, 1);
    return true;
}

bool exchange_start(struct exchange *x, struct err *err)
{
    if (send_attempt(x, err))
        return true;
    exchange_leave(x);
    return false;
}

/* ---- judging ---- */

/* What the attempt came to; `said` is AWS's own part of it. */
struct verdict {
    struct retry_facts facts;
    struct aws_error said;
    bool is_good;
};

/* A stream is judged by its head alone; that its body broke off is for the reader to learn. */
static bool has_good_head(const struct exchange *x)
{
    return x->stream && x->is_head_done && x->rs->status >= 200 && x->rs->status < 300;
}

/* STS and IAM speak the query protocol, SQS JSON 1.0 and Bedrock REST-JSON (the API models of botocore 1.44.5). */
static bool says_it_in_xml(enum aws_service service)
{
    return service == AWS_S3 || service == AWS_STS || service == AWS_IAM;
}

/* An answer to HEAD has no body to say why (S3 API: HeadObject, HeadBucket). */
static bool is_mute(const struct exchange *x, const struct verdict *v, int status)
{
    return x->rs->status == status && !v->facts.transport && !v->said.code[0] && !strcmp(x->rq.method, "HEAD");
}

static void read_verdict(struct exchange *x, struct verdict *v)
{
    const struct aws_response *rs = x->rs;
    struct span body = buf_view(&rs->body);
    bool hides_error;

    *v = (struct verdict){ .facts.status = rs->status };
    v->facts.code = v->said.code;
    v->facts.transport = has_good_head(x) || (x->is_cut && !x->has_no_memory) ? 0 : (int)x->result;
    if (x->is_too_large)
        v->facts.transport = CURLE_FILESIZE_EXCEEDED;
    /* An error body that was cut is an error none the less. */
    if (v->facts.transport == CURLE_PARTIAL_FILE && rs->status >= 300)
        v->facts.transport = 0;
    hides_error = x->rq.error_in_200 && rs->status == 200 && !v->facts.transport && aws_error_hides_in(body);
    v->is_good = !v->facts.transport && !hides_error && ((rs->status >= 200 && rs->status < 300) || rs->status == 304);
    if (v->is_good || v->facts.transport)
        return;
    if (hides_error)
        v->facts.status = 500;
    if (says_it_in_xml(x->rq.service))
        aws_error_from_xml(body, &v->said);
    else
        aws_error_from_json(span_of(x->error_type), body, &v->said);
    v->facts.has_date = x->date_ms != 0;
    v->facts.skew_gap_ms = llabs(x->date_ms - x->arrived_ms - x->skew_ms);
    if (is_mute(x, v, 403))
        v->facts.code = "RequestTimeTooSkewed"; /* if the clocks do differ */
}

/* Where the Region is not to blame, an expired token may be: once. */
static void suspect_token(const struct exchange *x, struct verdict *v)
{
    if (is_mute(x, v, 400) && x->creds.session_token[0] && !x->creds_renewed)
        v->facts.code = "ExpiredToken";
}

static void put(char *field, size_t size, const char *text)
{
    struct span fits = text_utf8_head(span_of(text), size - 1);

    snprintf(field, size, "%.*s", SPAN_ARG(fits));
}

static bool describe_transport(const struct exchange *x, const struct verdict *v, struct err *err)
{
    bool may_help = retry_judge(&v->facts) != RETRY_NEVER;
    CURLcode code = (CURLcode)v->facts.transport;
    const char *why = x->transport_error[0] ? x->transport_error : curl_easy_strerror(code);

    if (x->has_no_memory)
        return err_memory(err, HERE);
    if (x->is_too_large) {
        err_set(err, ERR_UPSTREAM, false, HERE, "%s %.200s: the answer is larger than %zu bytes", x->rq.operation,
                buf_cstr(&x->url), x->rq.max_response_bytes);
        return err_code(err, "response_too_large");
    }
    err_set(err, retry_kind(&v->facts), may_help, HERE, "%s %.200s: %s (attempt %d)", x->rq.operation,
            buf_cstr(&x->url), why, x->attempts);
    if (err)
        err->transport = (int)code;
    return false;
}

static bool describe_answer(const struct exchange *x, const struct verdict *v, struct err *err)
{
    const char *id = x->rs->request_id[0] ? x->rs->request_id : v->said.request_id;

    if (x->is_lost) {
        region_describe(x, &v->said, err);
    } else {
        err_set(err, retry_kind(&v->facts), retry_judge(&v->facts) != RETRY_NEVER, HERE,
                "%s %.*s%.*s: AWS answered %d %s: %s", x->rq.operation, SPAN_ARG(x->rq.bucket),
                SPAN_ARG(span_head(x->rq.path, 200)), x->rs->status, v->said.code, v->said.message);
    }
    if (err) {
        put(err->upstream_code, sizeof(err->upstream_code), v->said.code);
        put(err->upstream_message, sizeof(err->upstream_message), v->said.message);
        put(err->upstream_request_id, sizeof(err->upstream_request_id), id);
        err->upstream_status = x->rs->status;
        err->retry_after_ms = x->hint_ms;
    }
    return false;
}

static bool describe(const struct exchange *x, const struct verdict *v, struct err *err)
{
    const bool is_first = err && err->kind == ERR_NONE;

    if (v->facts.transport)
        describe_transport(x, v, err);
    else
        describe_answer(x, v, err);
    if (is_first)
        cure_add(err, x->rq.operation);
    return false;
}

bool exchange_describe_cut(const struct exchange *x, struct err *err)
{
    const struct verdict v = { .facts.transport = (int)x->result, .facts.code = "" };

    return describe_transport(x, &v, err);
}

/* ---- what follows ---- */

void exchange_count(struct exchange *x, bool is_good)
{
    struct stat_counters *stat = client_stat(x->client->aws, x->rq.operation);

    atomic_fetch_add(&stat->calls, 1);
    atomic_fetch_add(&stat->failures, is_good ? 0 : 1);
    atomic_fetch_add(&stat->total_ms, (uint64_t)(clock_mono_ms() - x->started_ms));
    if (is_good)
        retry_budget_refund(&x->client->aws->budgets[x->rq.service], x->taken);
}

static void correct_clock(struct exchange *x)
{
    int64_t skew_ms = x->date_ms - x->arrived_ms;

    atomic_store(&x->client->aws->skew_ms, skew_ms);
    log_warn("aws.clock_skew", "skew_ms=%lld operation=%s", (long long)skew_ms, x->rq.operation);
}

/* Takes notes for later requests, and says whether this one may be tried again. */
static bool may_retry(struct exchange *x, enum retry_class what)
{
    struct aws *aws = x->client->aws;
    bool *used = what == RETRY_SKEW ? &x->skew_fixed : &x->creds_renewed;
    int taken;

    if (what == RETRY_SKEW)
        correct_clock(x);
    if (what == RETRY_CREDENTIALS)
        creds_chain_expired(aws->credentials, &x->creds);
    if (what == RETRY_NEVER || x->rq.send_once || (x->rq.is_paid && x->result == CURLE_OPERATION_TIMEDOUT))
        return false;
    if (what == RETRY_SKEW || what == RETRY_CREDENTIALS) {
        bool is_first = !*used;

        *used = true;
        return is_first;
    }
    if (x->retries + 1 >= aws->options.max_attempts)
        return false;
    taken = retry_budget_take(&aws->budgets[x->rq.service], what);
    if (!taken)
        return false;
    x->taken = taken;
    x->retries++;
    return true;
}

static double random01(void)
{
    uint32_t bits;

    text_random(&bits, sizeof(bits));
    return bits / 4294967296.0;
}

static void tell_governor(struct exchange *x)
{
    const int limit =
        governor_throttled(&x->client->aws->governors[x->rq.service], x->crowd, x->sent_ms, clock_mono_ms());

    if (limit)
        log_warn("aws.throttled", "operation=%s host=%s at_once=%d", x->rq.operation, x->endpoint.host, limit);
}

/* After an attempt that failed: counts its throttling, and says whether another one follows, and when. */
static bool goes_on(struct exchange *x, enum retry_class what, int64_t *again_at_ms)
{
    x->was_throttled = what == RETRY_THROTTLED;
    if (x->was_throttled) {
        tell_governor(x);
        atomic_fetch_add(&client_stat(x->client->aws, x->rq.operation)->throttles, 1);
    }
    if (!may_retry(x, what))
        return false;
    *again_at_ms = clock_mono_ms() +
                   retry_pause_ms(what, x->retries, x->client->aws->options.backoff_cap_ms, x->hint_ms, random01());
    return true;
}

/* Only an answer that is final and names no Region means that there is none to be found. */
static enum exchange_state settle_probe(struct exchange *x, int64_t *again_at_ms, struct err *err)
{
    const bool is_named = region_is_named(x);
    enum retry_class what;
    struct verdict v;

    read_verdict(x, &v);
    transport_end(x);
    suspect_token(x, &v);
    what = is_named ? RETRY_NEVER : retry_judge(&v.facts);
    if (goes_on(x, what, again_at_ms))
        return EXCHANGE_AGAIN;
    region_end_probe(x);
    *again_at_ms = clock_mono_ms();
    if (is_named)
        return EXCHANGE_AGAIN;
    x->is_lost = what == RETRY_NEVER && x->rs->status < 500;
    describe(x, &v, err);
    return EXCHANGE_BAD;
}

static void note_clock(const struct exchange *x)
{
    struct aws *aws = x->client->aws;

    if (!x->date_ms)
        return;
    atomic_store(&aws->clock_gap_ms, x->date_ms - x->arrived_ms);
    atomic_store(&aws->has_clock_gap, true);
}

enum exchange_state exchange_settle(struct exchange *x, int64_t *again_at_ms, struct err *err)
{
    enum region_move move;
    struct verdict v;
    enum retry_class what;

    note_clock(x);
    if (x->is_probe)
        return settle_probe(x, again_at_ms, err);
    read_verdict(x, &v);
    if (v.is_good) {
        region_learn(x);
        /* A stream ends with its body, not with its head: but a reader may take its time over that. */
        exchange_leave(x);
        if (!x->stream || x->rs->status == 304)
            transport_end(x);
        return EXCHANGE_GOOD;
    }
    transport_end(x);
    move = v.facts.transport ? REGION_STAY : region_follow(x, &v.said);
    if (move == REGION_MOVED) {
        *again_at_ms = clock_mono_ms();
        return EXCHANGE_AGAIN;
    }
    x->is_lost = move == REGION_LOST;
    if (!v.facts.transport && move == REGION_STAY) {
        region_learn(x);
        suspect_token(x, &v);
    }
    what = retry_judge(&v.facts);
    if (goes_on(x, what, again_at_ms))
        return EXCHANGE_AGAIN;
    describe(x, &v, err);
    return EXCHANGE_BAD;
}

static bool wait_for_end(struct exchange *x, struct err *err)
{
    int64_t wait_ms = 0;

    for (; !x->is_finished && !has_good_head(x); wait_ms = AWS_POLL_MS) {
        if (client_is_stopping(x->client))
            return exchange_cancelled(err);
        if (!transport_pump(x->client, wait_ms, err))
            return false;
    }
    return true;
}

static bool pause_until(struct aws_client *client, int64_t until_ms, struct err *err)
{
    int64_t left_ms;

    while ((left_ms = until_ms - clock_mono_ms()) > 0) {
        if (client_is_stopping(client))
            return exchange_cancelled(err);
        if (!transport_pump(client, left_ms, err))
            return false;
    }
    return true;
}

static bool wait_for_place(struct exchange *x, struct err *err)
{
    while (!exchange_may_start(x))
        if (!pause_until(x->client, clock_mono_ms() + EXCHANGE_ASK_MS, err))
            return false;
    return true;
}

static bool run(struct exchange *x, struct err *err)
{
    for (;;) {
        int64_t again_at_ms = 0;
        enum exchange_state state;

        if (!wait_for_place(x, err) || !exchange_start(x, err) || !wait_for_end(x, err))
            return false;
        state = exchange_settle(x, &again_at_ms, err);
        if (state != EXCHANGE_AGAIN)
            return state == EXCHANGE_GOOD;
        if (!pause_until(x->client, again_at_ms, err))
            return false;
    }
}

bool exchange_run(struct exchange *x, struct err *err)
{
    bool is_good;

    exchange_prepare_response(&x->rq, x->rs);
    is_good = run(x, err);
    if (!is_good || !x->stream)
        exchange_count(x, is_good);
    return is_good;
}
