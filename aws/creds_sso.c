/* Credentials of a role of IAM Identity Center: the token that `aws sso login` has cached is exchanged for them (API
 * model of botocore 1.44.5, sso 2019-06-10: GetRoleCredentials, not signed). */
#include "aws/creds_internal.h"

#include "aws/aws_error.h"
#include "aws/creds_json.h"
#include "server/base/clock.h"
#include "server/base/text.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

enum { TIMEOUT_MS = 10000, ATTEMPTS = 3, PAUSE_MS = 300, MAX_URL_BYTES = 2048, MAX_CACHE_BYTES = 64 * 1024 };

struct sso {
    struct span profile, session, start_url, region, account, role;
};

static bool refuse(const struct sso *sso, const char *why, struct err *err)
{
    err_set(err, ERR_INPUT, false, HERE, "AWS profile %.*s: %s", SPAN_ARG(span_head(sso->profile, 64)), why);
    return err_code(err, "bad_profile");
}

/* Always false: somebody must log in, after which the same goes well. */
static bool ask_login(const struct sso *sso, const char *why, struct err *err)
{
    err_set(err, ERR_DENIED, true, HERE, "SSO: %s; run: aws sso login --profile %.*s", why,
            SPAN_ARG(span_head(sso->profile, 64)));
    return err_code(err, "sso_login_needed");
}

static bool is_account(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
    return text.len == 12;
}

/* The profile's own keys, or those of the [sso-session] that it names. */
static bool read_profile(const struct profile *files, struct sso *sso, struct err *err)
{
    enum profile_section section = PROFILE_SECTION;
    struct span place = sso->profile;

    sso->session = profile_get_in(files, PROFILE_SECTION, sso->profile, "sso_session", NULL);
    sso->account = profile_get_in(files, PROFILE_SECTION, sso->profile, "sso_account_id", NULL);
    sso->role = profile_get_in(files, PROFILE_SECTION, sso->profile, "sso_role_name", NULL);
    if (sso->session.len) {
        section = PROFILE_SSO_SESSION;
        place = sso->session;
        if (!profile_has(files, section, place))
            return refuse(sso, "its sso_session names no [sso-session] of the config file", err);
    }
    sso->start_url = profile_get_in(files, section, place, "sso_start_url", NULL);
    sso->region = profile_get_in(files, section, place, "sso_region", NULL);
    if (!sso->start_url.len || !sso->region.len)
        return refuse(sso, "SSO needs sso_start_url and sso_region", err);
    if (!is_account(sso->account) || !sso->role.len)
        return refuse(sso, "SSO needs sso_account_id (12 digits) and sso_role_name", err);
    return endpoint_region_ok(sso->region) || refuse(sso, "its sso_region is no Region", err);
}

/* CACHE/<SHA-1 of the session's name, or of the start URL>.json */
static bool cache_path(const struct creds_settings *s, const struct sso *sso, struct buf *path, struct err *err)
{
    const struct span key = sso->session.len ? sso->session : sso->start_url;
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_len = 0;

    if (!s->sso_cache_folder[0])
        return ask_login(sso, "it is not known where the cached token is: HOME is not set", err);
    if (!EVP_Digest(key.ptr, key.len, digest, &digest_len, EVP_sha1(), NULL))
        return err_set(err, ERR_INTERNAL, false, HERE, "no SHA-1");
    buf_fmt(path, "%s/", s->sso_cache_folder);
    text_hex(path, digest, digest_len);
    buf_text(path, ".json");
    return buf_check(path, "path of the SSO token", err);
}

static bool read_token(const struct creds_settings *s, const struct sso *sso, struct sso_token *token, struct err *err)
{
    AUTO(buf_done) struct buf path = { 0 };
    AUTO(buf_wipe) struct buf text = { 0 };
    struct err ignored = { 0 };

    buf_init(&path, 4096);
    buf_init(&text, MAX_CACHE_BYTES);
    if (!cache_path(s, sso, &path, err))
        return false;
    if (!creds_read_file(buf_cstr(&path), &text, &ignored))
        return ask_login(sso, "there is no cached token", err);
    if (!sso_token_read(buf_view(&text), token, &ignored))
        return ask_login(sso, "the cached token cannot be read", err);
    return token->expires_at_s > clock_wall_ms() / 1000 || ask_login(sso, "the cached token has expired", err);
}

/* The portal's host has the domain that STS has in the Region of SSO. */
static bool make_url(const struct creds_settings *s, const struct sso *sso, struct buf *url, bool *is_direct,
                     struct err *err)
{
    char region[AWS_REGION_SIZE];
    const struct endpoint_choice choice = { .region = region, .custom_url = s->sso_endpoint_url };
    struct endpoint at;

    (void)snprintf(region, sizeof(region), "%.*s", SPAN_ARG(sso->region));
    if (!endpoint_resolve(AWS_STS, &choice, &at, err))
        return false;
    if (at.is_custom)
        buf_fmt(url, "%s://%s%s", at.is_https ? "https" : "http", at.host, at.base_path);
    else
        buf_fmt(url, "https://portal.sso%s", strchr(at.host, '.'));
    buf_text(url, "/federation/credentials?account_id=");
    text_percent_encode(url, sso->account, false);
    buf_text(url, "&role_name=");
    text_percent_encode(url, sso->role, false);
    *is_direct = at.is_direct;
    return buf_check(url, "URL of SSO", err);
}

static bool judge(const struct sso *sso, const struct creds_http_answer *answer, struct creds *out, struct err *err)
{
    struct aws_error said;

    if (answer->status == 200)
        return creds_json_read(CREDS_JSON_SSO, buf_view(&answer->body), out, err);
    if (answer->status == 401)
        return ask_login(sso, "the cached token is not taken any more", err);
    aws_error_from_json((struct span){ 0 }, buf_view(&answer->body), &said);
    err_set(err, answer->status == 403 || answer->status == 404 ? ERR_DENIED : ERR_UPSTREAM,
            answer->status >= 500 || answer->status == 429, HERE,
            "SSO gives no credentials of role %.*s in account %.*s (HTTP %d): %.120s",
            SPAN_ARG(span_head(sso->role, 64)), SPAN_ARG(sso->account), answer->status, said.message);
    return err_code(err, "role_refused");
}

bool creds_sso(struct creds_shared *shared, const struct profile *files, struct span profile, struct creds *out,
               struct err *err)
{
    const struct creds_settings *s = &shared->settings;
    AUTO(sso_token_wipe) struct sso_token token = { 0 };
    AUTO(creds_http_answer_done) struct creds_http_answer answer = { 0 };
    AUTO(buf_done) struct buf url = { 0 };
    struct sso sso = { .profile = profile };
    struct creds_http_request rq = { .what = "SSO",
                                     .method = "GET",
                                     .header_count = 1,
                                     .timeout_ms = TIMEOUT_MS,
                                     .ca_bundle = s->ca_bundle,
                                     .stop = creds_stop_of(s) };
    struct err cause = { 0 };

    buf_init(&url, MAX_URL_BYTES);
    if (!read_profile(files, &sso, err) || !read_token(s, &sso, &token, err) ||
        !make_url(s, &sso, &url, &rq.is_direct, err))
        return false;
    rq.url = buf_cstr(&url);
    rq.headers[0] = (struct creds_http_header){ "x-amz-sso_bearer_token", span_of(token.token) };
    for (int attempt = 1;; attempt++) {
        err_clear(&cause);
        if (creds_http_send(&rq, &answer, &cause) && judge(&sso, &answer, out, &cause))
            break;
        if (!cause.retryable || cause.kind == ERR_CANCELLED || cause.kind == ERR_DENIED || attempt == ATTEMPTS)
            return err_pass(err, &cause);
        if (!creds_pause(&rq.stop, PAUSE_MS, err))
            return false;
    }
    (void)snprintf(out->detail, sizeof(out->detail), "SSO role %.*s in account %.*s, profile %.*s",
                   SPAN_ARG(span_head(sso.role, 64)), SPAN_ARG(sso.account), SPAN_ARG(span_head(profile, 64)));
    return true;
}
