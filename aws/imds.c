#include "aws/imds.h"

#include "aws/credentials.h"
#include "aws/endpoint.h"
#include "server/base/clock.h"

#include <curl/curl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { ATTEMPTS = 2, TIMEOUT_MS = 1000, TOKEN_TTL_S = 21600, TOKEN_EARLY_S = 60, MAX_BODY = CREDS_HTTP_MAX_BODY };

static bool refuse(const char *endpoint, struct err *err)
{
    err_set(err, ERR_INPUT, false, HERE,
            "AWS_EC2_METADATA_SERVICE_ENDPOINT=%.100s: must be a URL such as http://169.254.169.254",
            endpoint_url_shown(endpoint));
    return err_code(err, "bad_credentials");
}

/* http or https, a host, nothing that the paths could get mixed up with: CURLUE_OK. CURLUE_OUT_OF_MEMORY: nobody knows.
 */
static CURLUcode read_base(CURLU *u, const char *url)
{
    static const CURLUPart unwanted[] = { CURLUPART_USER, CURLUPART_QUERY, CURLUPART_FRAGMENT };
    char *scheme = NULL, *other = NULL;
    CURLUcode is = curl_url_set(u, CURLUPART_URL, url, 0);

    if (is == CURLUE_OK)
        is = curl_url_get(u, CURLUPART_SCHEME, &scheme, 0);
    if (is == CURLUE_OK && strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
        is = CURLUE_UNSUPPORTED_SCHEME;
    for (size_t i = 0; i < sizeof unwanted / sizeof unwanted[0] && is == CURLUE_OK; i++) {
        const CURLUcode has = curl_url_get(u, unwanted[i], &other, 0);

        if (has == CURLUE_OK || has == CURLUE_OUT_OF_MEMORY)
            is = has == CURLUE_OK ? CURLUE_MALFORMED_INPUT : has;
        curl_free(other);
        other = NULL;
    }
    curl_free(scheme);
    return is;
}

static bool judge_base(const char *url, struct err *err)
{
    CURLU *u = curl_url();
    const CURLUcode is = u ? read_base(u, url) : CURLUE_OUT_OF_MEMORY;

    curl_url_cleanup(u);
    if (is == CURLUE_OUT_OF_MEMORY)
        return err_memory(err, HERE);
    return is == CURLUE_OK || refuse(url, err);
}

bool imds_init(struct imds *imds, const char *endpoint, const char *mode, bool is_off, struct creds_stop stop,
               struct err *err)
{
    const bool is_six = mode && !strcasecmp(mode, "ipv6");
    const char *base = is_six ? "http://[fd00:ec2::254]" : "http://169.254.169.254";
    size_t len;

    *imds = (struct imds){ .is_off = is_off, .stop = stop };
    if (endpoint && endpoint[0]) {
        if (strlen(endpoint) >= sizeof(imds->base))
            return refuse(endpoint, err);
        if (!judge_base(endpoint, err))
            return false;
        base = endpoint;
    }
    len = strlen(base);
    while (len && base[len - 1] == '/')
        len--;
    memcpy(imds->base, base, len);
    return true;
}

void imds_done(struct imds *imds)
{
    OPENSSL_cleanse(imds->token, sizeof(imds->token));
}

static bool send_one(struct imds *imds, const char *method, const char *path, struct creds_http_answer *answer,
                     struct err *err)
{
    char url[IMDS_BASE_SIZE + 256];
    struct creds_http_request rq = { .what = imds->base,
                                     .method = method,
                                     .url = url,
                                     .timeout_ms = TIMEOUT_MS,
                                     .is_direct = true,
                                     .header_count = 1,
                                     .stop = imds->stop };

    if ((size_t)snprintf(url, sizeof(url), "%s/latest/%s", imds->base, path) >= sizeof(url))
        return err_set(err, ERR_INPUT, false, HERE, "the metadata path is too long");
    if (!strcmp(method, "PUT"))
        rq.headers[0] = (struct creds_http_header){ "x-aws-ec2-metadata-token-ttl-seconds", SPAN_LIT("21600") };
    else
        rq.headers[0] = (struct creds_http_header){ "x-aws-ec2-metadata-token", span_of(imds->token) };
    return creds_http_send(&rq, answer, err);
}

/* Is another attempt of no use? */
static bool is_final(const struct err *err)
{
    return err->kind == ERR_CANCELLED || err->kind == ERR_MEMORY || err->kind == ERR_INPUT;
}

/* The address was reached and nothing came back: what a container sees when the answer's hops run out. */
static bool explain_silence(const struct imds *imds, bool is_connected, const struct err *cause, struct err *err)
{
    if (is_final(cause))
        return err_pass(err, cause);
    if (cause->kind == ERR_TIMEOUT && is_connected)
        return err_set(err, ERR_TIMEOUT, true, HERE,
                       "%s takes connections but gives no token within 1 s; in a container raise the instance's "
                       "http-put-response-hop-limit to 2",
                       imds->base);
    return err_set(err, cause->kind, true, HERE, "no answer from %s", imds->base);
}

/* Asks for a token; a refusal is final, silence is not. */
static bool fetch_token(struct imds *imds, struct err *err)
{
    AUTO(creds_http_answer_done) struct creds_http_answer answer = { 0 };
    struct err cause = { 0 };

    for (int attempt = 1; attempt <= ATTEMPTS; attempt++) {
        err_clear(&cause);
        if (!send_one(imds, "PUT", "api/token", &answer, &cause)) {
            if (is_final(&cause))
                break;
            continue;
        }
        if (answer.status == 200 && creds_put(imds->token, sizeof(imds->token), span_trim(buf_view(&answer.body))) &&
            imds->token[0]) {
            imds->token_until_ms = clock_mono_ms() + (TOKEN_TTL_S - TOKEN_EARLY_S) * 1000LL;
            return true;
        }
        if (answer.status >= 400 && answer.status < 500)
            return err_set(err, ERR_DENIED, false, HERE,
                           "%s gives no token (HTTP %d); IMDSv2 must be on, version 1 is never used", imds->base,
                           answer.status);
        err_set(&cause, ERR_UPSTREAM, true, HERE, "HTTP %d", answer.status);
    }
    if (answer.status)
        return err_set(err, ERR_UPSTREAM, true, HERE, "%s gives no usable token (HTTP %d)", imds->base, answer.status);
    return explain_silence(imds, answer.is_connected, &cause, err);
}

static bool have_token(struct imds *imds, struct err *err)
{
    return (imds->token[0] && clock_mono_ms() < imds->token_until_ms) || fetch_token(imds, err);
}

/* One GET; a token that is refused is replaced once. */
static bool get_once(struct imds *imds, const char *path, struct creds_http_answer *answer, struct err *err)
{
    for (int tokens = 0; tokens < 2; tokens++) {
        if (!have_token(imds, err) || !send_one(imds, "GET", path, answer, err))
            return false;
        if (answer->status != 401)
            return true;
        OPENSSL_cleanse(imds->token, sizeof(imds->token));
    }
    return true;
}

bool imds_get(struct imds *imds, const char *path, struct buf *body, struct err *err)
{
    AUTO(creds_http_answer_done) struct creds_http_answer answer = { 0 };
    struct err cause = { 0 };
    char full[224];

    buf_reset(body);
    if (imds->is_off)
        return err_set(err, ERR_NOT_FOUND, false, HERE, "switched off by AWS_EC2_METADATA_DISABLED");
    (void)snprintf(full, sizeof(full), "meta-data/%s", path);
    for (int attempt = 1; attempt <= ATTEMPTS; attempt++) {
        err_clear(&cause);
        if (!get_once(imds, full, &answer, &cause)) {
            /* without a token all is in vain: its attempts have been made */
            if (is_final(&cause) || !imds->token[0])
                return err_pass(err, &cause);
        } else if (answer.status == 200 && answer.body.len) {
            buf_span(body, buf_view(&answer.body));
            return buf_check(body, "the instance's metadata", err);
        } else if (answer.status == 404) {
            return err_set(err, ERR_NOT_FOUND, false, HERE, "%s has no %s", imds->base, path);
        }
    }
    if (cause.kind != ERR_NONE)
        return err_pass(err, &cause);
    return err_set(err, ERR_UPSTREAM, true, HERE, "%s answers HTTP %d for %s", imds->base, answer.status, path);
}
