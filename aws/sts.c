#include "aws/sts.h"

#include "aws/aws_error.h"
#include "aws/retry.h"
#include "aws/sigv4.h"
#include "aws/xml.h"
#include "server/base/clock.h"
#include "server/base/text.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ATTEMPTS = 3, TIMEOUT_MS = 10000, PAUSE_CAP_MS = 2000, MAX_FORM_BYTES = 96 * 1024, MAX_URL_BYTES = 1024 };
static const char content_type[] = "application/x-www-form-urlencoded; charset=utf-8";

/* ---- the form ---- */

static bool refuse(const char *field, const char *rule, struct err *err)
{
    err_set(err, ERR_INPUT, false, HERE, "%s %s", field, rule);
    return err_code(err, "bad_role");
}

static bool is_session_name(struct span name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!isalnum((unsigned char)name.ptr[i]) && (!name.ptr[i] || !strchr("_+=,.@-", name.ptr[i])))
            return false;
    return name.len >= 2 && name.len <= 64;
}

static bool check_role(const struct sts_role *role, bool is_web_identity, struct err *err)
{
    if (role->arn.len < 20 || role->arn.len > 2048 || !span_starts(role->arn, SPAN_LIT("arn:")))
        return refuse("role_arn", "must be the ARN of a role, such as arn:aws:iam::111122223333:role/name", err);
    if (!is_session_name(role->session_name))
        return refuse("role_session_name", "must be 2 to 64 letters, digits and _+=,.@-", err);
    if (role->duration_s && (role->duration_s < 900 || role->duration_s > 43200))
        return refuse("duration_seconds", "must be 900 to 43200", err);
    if (role->external_id.len && (role->external_id.len < 2 || role->external_id.len > 1224))
        return refuse("external_id", "must be 2 to 1224 characters", err);
    if (is_web_identity && (role->web_identity.len < 4 || role->web_identity.len > 20000))
        return refuse("the web identity token", "must be 4 to 20000 characters", err);
    return true;
}

static void add_field(struct buf *out, const char *name, struct span value)
{
    if (!value.len)
        return;
    buf_fmt(out, "&%s=", name);
    text_percent_encode(out, value, false);
}

bool sts_role_form(const struct sts_role *role, bool is_web_identity, struct buf *out, struct err *err)
{
    if (!check_role(role, is_web_identity, err))
        return false;
    buf_text(out, is_web_identity ? "Action=AssumeRoleWithWebIdentity" : "Action=AssumeRole");
    buf_text(out, "&Version=2011-06-15");
    add_field(out, "RoleArn", role->arn);
    add_field(out, "RoleSessionName", role->session_name);
    if (role->duration_s)
        buf_fmt(out, "&DurationSeconds=%" PRId64, role->duration_s);
    if (is_web_identity)
        add_field(out, "WebIdentityToken", role->web_identity);
    else
        add_field(out, "ExternalId", role->external_id);
    return buf_check(out, "the request to STS", err);
}

/* ---- the answer ---- */

struct answer_reading {
    struct creds got;
    int credentials_depth; /* of the open element <Credentials>; 0: none */
    const char *bad;       /* field that cannot be read, static text */
};

static void on_start(void *arg, const char *name, int depth)
{
    struct answer_reading *r = arg;

    if (!r->credentials_depth && !strcmp(name, "Credentials"))
        r->credentials_depth = depth;
}

static bool on_end(void *arg, const char *name, int depth, struct span text, struct err *err)
{
    struct answer_reading *r = arg;
    int64_t ms;

    (void)err;
    if (depth == r->credentials_depth)
        r->credentials_depth = 0;
    if (!r->credentials_depth || depth != r->credentials_depth + 1)
        return true;
    text = span_trim(text);
    if (!strcmp(name, "AccessKeyId") && !creds_put(r->got.access_key_id, sizeof(r->got.access_key_id), text))
        r->bad = "AccessKeyId";
    if (!strcmp(name, "SecretAccessKey") &&
        !creds_put(r->got.secret_access_key, sizeof(r->got.secret_access_key), text))
        r->bad = "SecretAccessKey";
    if (!strcmp(name, "SessionToken") && !creds_put(r->got.session_token, sizeof(r->got.session_token), text))
        r->bad = "SessionToken";
    if (!strcmp(name, "Expiration") && clock_parse_rfc3339(text, &ms))
        r->got.expires_at_s = ms / 1000;
    return true;
}

static void reading_done(struct answer_reading *r)
{
    creds_wipe(&r->got);
}

bool sts_read_credentials(struct span body, struct creds *out, struct err *err)
{
    AUTO(reading_done) struct answer_reading r = { .credentials_depth = 0 };
    const struct xml_handler handler = { .start = on_start, .end = on_end, .arg = &r };

    if (!xml_read(body, &handler, err))
        return false;
    if (!r.bad && !r.got.access_key_id[0])
        r.bad = "AccessKeyId";
    if (!r.bad && !r.got.secret_access_key[0])
        r.bad = "SecretAccessKey";
    if (!r.bad && !r.got.session_token[0])
        r.bad = "SessionToken";
    if (!r.bad && r.got.expires_at_s <= 0)
        r.bad = "Expiration";
    if (r.bad) {
        err_set(err, ERR_UPSTREAM, false, HERE, "the answer of STS has no usable %s", r.bad);
        return err_code(err, "bad_credentials_answer");
    }
    memcpy(out->access_key_id, r.got.access_key_id, sizeof(out->access_key_id));
    memcpy(out->secret_access_key, r.got.secret_access_key, sizeof(out->secret_access_key));
    memcpy(out->session_token, r.got.session_token, sizeof(out->session_token));
    out->expires_at_s = r.got.expires_at_s;
    return true;
}

/* ---- one call over its attempts ---- */

struct call {
    const struct sts *sts;
    const struct creds *by; /* NULL: not signed */
    const struct sts_role *role;
    struct buf form, url, authorization;
    char time[SIGV4_TIME_SIZE];
    int64_t skew_ms;
    bool skew_fixed;
    int attempt;
    struct creds_http_answer answer;
};

static void call_done(struct call *c)
{
    buf_wipe(&c->form);
    buf_done(&c->url);
    buf_done(&c->authorization);
    creds_http_answer_done(&c->answer);
}

static void add(struct creds_http_request *rq, const char *name, struct span value)
{
    rq->headers[rq->header_count++] = (struct creds_http_header){ name, value };
}

/* Signs with the time of now; adds what must be sent for it. */
static bool sign(struct call *c, struct creds_http_request *rq, struct err *err)
{
    const struct endpoint *ep = c->sts->endpoint;
    struct sigv4_header headers[4] = { { SPAN_LIT("host"), span_of(ep->host) },
                                       { SPAN_LIT("content-type"), span_of(content_type) },
                                       { SPAN_LIT("x-amz-date"), { c->time, SIGV4_TIME_SIZE - 1 } },
                                       { SPAN_LIT("x-amz-security-token"), span_of(c->by->session_token) } };
    AUTO(buf_done) struct buf hash = { 0 };
    AUTO(buf_done) struct buf path = { 0 };
    unsigned char digest[32];
    const int64_t now_s = (clock_wall_ms() + c->skew_ms) / 1000;
    struct sigv4_request to_sign = { .method = SPAN_LIT("POST"),
                                     .headers = headers,
                                     .header_count = c->by->session_token[0] ? 4 : 3,
                                     .region = span_of(ep->signing_region),
                                     .service = span_of(ep->signing_name),
                                     .encode_path_twice = true,
                                     .normalize_path = true };

    sigv4_time(now_s, c->time);
    text_sha256(c->form.data, c->form.len, digest);
    text_hex(&hash, digest, sizeof(digest));
    buf_fmt(&path, "%s/", ep->base_path);
    if (!buf_check(&hash, "payload hash", err) || !buf_check(&path, "path", err))
        return false;
    to_sign.payload_hash = buf_view(&hash);
    to_sign.path = buf_view(&path);
    buf_reset(&c->authorization);
    if (!sigv4_authorization(&to_sign, c->by, now_s, &c->authorization, err))
        return false;
    add(rq, "x-amz-date", headers[2].value);
    if (c->by->session_token[0])
        add(rq, "x-amz-security-token", headers[3].value);
    add(rq, "authorization", buf_view(&c->authorization));
    return true;
}

static bool send_once(struct call *c, struct err *err)
{
    const struct endpoint *ep = c->sts->endpoint;
    struct creds_http_request rq = { .what = ep->host,
                                     .method = "POST",
                                     .url = buf_cstr(&c->url),
                                     .body = buf_view(&c->form),
                                     .timeout_ms = TIMEOUT_MS,
                                     .is_direct = ep->is_direct,
                                     .ca_bundle = c->sts->ca_bundle,
                                     .stop = c->sts->stop };

    add(&rq, "host", span_of(ep->host));
    add(&rq, "content-type", span_of(content_type));
    return (!c->by || sign(c, &rq, err)) && creds_http_send(&rq, &c->answer, err);
}

/* What is known of the cure, by STS's name of the error. */
static const char *remedy(const char *code, bool is_web_identity)
{
    if (!strcmp(code, "AccessDenied"))
        return is_web_identity ? "; the role's trust policy must let this token's subject use "
                                 "sts:AssumeRoleWithWebIdentity"
                               : "; the caller needs sts:AssumeRole on the role, and the role's trust policy must name "
                                 "the caller";
    if (!strcmp(code, "ExpiredTokenException"))
        return is_web_identity ? "; whoever writes the token file must renew it" : "; log in anew";
    if (!strcmp(code, "InvalidIdentityToken"))
        return "; IAM must know the token's issuer as an OIDC provider, and the token must be for sts.amazonaws.com";
    if (!strcmp(code, "RegionDisabledException"))
        return "; STS is switched off for this Region in the account settings of IAM";
    return "";
}

static bool is_client_fault(int status)
{
    return status >= 400 && status < 500;
}

/* Fills err with what STS said, or did not say. */
static bool describe(const struct call *c, const struct aws_error *said, const struct retry_facts *facts,
                     bool is_retryable, const struct err *transport, struct err *err)
{
    const char *operation = c->by ? "AssumeRole" : "AssumeRoleWithWebIdentity";
    const int arn_len = c->role->arn.len < 120 ? (int)c->role->arn.len : 120;

    if (transport->kind != ERR_NONE) {
        err_set(err, transport->kind, transport->retryable, HERE, "%s of %.*s: %.200s", operation, arn_len,
                c->role->arn.ptr, transport->what);
        return err_code(err, "sts_unreachable");
    }
    err_set(err, retry_kind(facts), is_retryable, HERE, "%s of %.*s was refused: %.64s (HTTP %d)%s", operation, arn_len,
            c->role->arn.ptr, said->code[0] ? said->code : "no reason given", c->answer.status,
            remedy(said->code, !c->by));
    if (err) {
        (void)snprintf(err->upstream_code, sizeof(err->upstream_code), "%s", said->code);
        (void)snprintf(err->upstream_message, sizeof(err->upstream_message), "%s", said->message);
        (void)snprintf(err->upstream_request_id, sizeof(err->upstream_request_id), "%s", said->request_id);
        err->upstream_status = c->answer.status;
    }
    return err_code(err, is_client_fault(c->answer.status) ? "role_refused" : "sts_unreachable");
}

/* The one correcting attempt when our clock is wrong; it does not count. */
static bool corrects_clock(struct call *c, enum retry_class what)
{
    if (what != RETRY_SKEW || c->skew_fixed)
        return false;
    c->skew_fixed = true;
    c->skew_ms = c->answer.date_ms - clock_wall_ms();
    c->attempt--;
    return true;
}

static bool wait_turn(const struct call *c, enum retry_class what, struct err *err)
{
    uint32_t bits;

    text_random(&bits, sizeof(bits));
    return creds_pause(&c->sts->stop, retry_pause_ms(what, c->attempt, PAUSE_CAP_MS, 0, bits / 4294967296.0), err);
}

/* A 200: true when it ended the call. */
static bool take_answer(struct call *c, struct creds *out, bool *ok, struct err *err)
{
    struct err failure = { 0 };

    *ok = sts_read_credentials(buf_view(&c->answer.body), out, &failure);
    if (!*ok && failure.retryable && c->attempt < ATTEMPTS)
        return !wait_turn(c, RETRY_TRANSIENT, err);
    if (!*ok)
        err_pass(err, &failure);
    return true;
}

/* One attempt: true when it ended the call, well or with err filled; false: again. */
static bool attempt(struct call *c, struct creds *out, bool *ok, struct err *err)
{
    struct err transport = { 0 };
    struct aws_error said = { 0 };
    struct retry_facts facts = { 0 };
    enum retry_class what;

    c->attempt++;
    *ok = false;
    if (!send_once(c, &transport) && (transport.kind == ERR_CANCELLED || transport.kind == ERR_MEMORY))
        return err_pass(err, &transport), true;
    if (c->answer.status == 200)
        return take_answer(c, out, ok, err);
    aws_error_from_xml(buf_view(&c->answer.body), &said);
    facts = (struct retry_facts){ .status = c->answer.status,
                                  .code = said.code,
                                  .has_date = c->answer.date_ms != 0,
                                  .skew_gap_ms = llabs(c->answer.date_ms - clock_wall_ms() - c->skew_ms) };
    what = transport.kind == ERR_NONE ? retry_judge(&facts) : transport.retryable ? RETRY_TRANSIENT : RETRY_NEVER;
    if (!strcmp(said.code, "IDPCommunicationError"))
        what = RETRY_TRANSIENT;
    if (corrects_clock(c, what))
        return false;
    if (c->attempt < ATTEMPTS && (what == RETRY_TRANSIENT || what == RETRY_THROTTLED))
        return !wait_turn(c, what, err);
    describe(c, &said, &facts, what == RETRY_TRANSIENT || what == RETRY_THROTTLED, &transport, err);
    return true;
}

static bool call(const struct sts *sts, const struct creds *by, const struct sts_role *role, struct creds *out,
                 struct err *err)
{
    AUTO(call_done) struct call c = { .sts = sts, .by = by, .role = role };
    bool ok = false;

    buf_init(&c.form, MAX_FORM_BYTES);
    buf_init(&c.url, MAX_URL_BYTES);
    buf_init(&c.authorization, 4096);
    buf_fmt(&c.url, "%s://%s%s/", sts->endpoint->is_https ? "https" : "http", sts->endpoint->host,
            sts->endpoint->base_path);
    if (!sts_role_form(role, !by, &c.form, err) || !buf_check(&c.url, "URL of STS", err))
        return false;
    while (!attempt(&c, out, &ok, err))
        ;
    return ok;
}

bool sts_assume_role(const struct sts *sts, const struct creds *by, const struct sts_role *role, struct creds *out,
                     struct err *err)
{
    return call(sts, by, role, out, err);
}

bool sts_assume_role_with_web_identity(const struct sts *sts, const struct sts_role *role, struct creds *out,
                                       struct err *err)
{
    return call(sts, NULL, role, out, err);
}
