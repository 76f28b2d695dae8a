/* Credentials from the agent beside a container (ECS, EKS Pod Identity). */
#include "aws/creds_internal.h"

#include "aws/creds_json.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

enum { ATTEMPTS = 3, TIMEOUT_MS = 2000, PAUSE_MS = 100, MAX_URL_BYTES = 4096, MAX_TOKEN_BYTES = 16 * 1024 };

/* ---- where ---- */

struct parts {
    CURLU *url;
    char *scheme, *host, *user;
};

static void parts_done(struct parts *p)
{
    curl_free(p->scheme);
    curl_free(p->host);
    curl_free(p->user);
    curl_url_cleanup(p->url);
}

/* The name that resolves to this machine, or one of the few addresses where AWS has agents. */
static bool is_agent(const char *host)
{
    static const char *const agents[] = { "169.254.170.2", "169.254.170.23", "fd00:ec2::23" };
    struct in6_addr six, agent_six;
    struct in_addr four, agent;

    if (!strcmp(host, "localhost"))
        return true;
    if (inet_pton(AF_INET, host, &four) == 1) {
        if (ntohl(four.s_addr) >> 24 == 127)
            return true;
        for (size_t i = 0; i < 2; i++)
            if (inet_pton(AF_INET, agents[i], &agent) == 1 && agent.s_addr == four.s_addr)
                return true;
        return false;
    }
    return inet_pton(AF_INET6, host, &six) == 1 &&
           (IN6_IS_ADDR_LOOPBACK(&six) ||
            (inet_pton(AF_INET6, agents[2], &agent_six) == 1 && IN6_ARE_ADDR_EQUAL(&six, &agent_six)));
}

/* The host without the brackets of an IPv6 address. */
static void bare_host(const char *host, char out[256])
{
    struct span name = span_of(host);

    if (name.len > 2 && name.ptr[0] == '[' && name.ptr[name.len - 1] == ']')
        name = span_head(span_tail(name, 1), name.len - 2);
    (void)snprintf(out, 256, "%.*s", SPAN_ARG(name));
}

/* Judged by libcurl's own reading of the URL: it is what will be connected to. */
static bool judge(const char *uri, bool *is_near, struct err *err)
{
    AUTO(parts_done) struct parts p = { .url = curl_url() };
    CURLUcode is = CURLUE_OK, has_user = CURLUE_NO_USER;
    char host[256];

    if (!p.url)
        return err_memory(err, HERE);
    if ((is = curl_url_set(p.url, CURLUPART_URL, uri, 0)) == CURLUE_OK &&
        (is = curl_url_get(p.url, CURLUPART_SCHEME, &p.scheme, 0)) == CURLUE_OK &&
        (is = curl_url_get(p.url, CURLUPART_HOST, &p.host, 0)) == CURLUE_OK)
        has_user = curl_url_get(p.url, CURLUPART_USER, &p.user, 0);
    if (is == CURLUE_OUT_OF_MEMORY || has_user == CURLUE_OUT_OF_MEMORY)
        return err_memory(err, HERE);
    if (is != CURLUE_OK)
        return creds_refuse(err, "AWS_CONTAINER_CREDENTIALS_FULL_URI is not a URL");
    if (has_user == CURLUE_OK)
        return creds_refuse(err, "AWS_CONTAINER_CREDENTIALS_FULL_URI must not hold a user name");
    bare_host(p.host, host);
    *is_near = is_agent(host);
    if (!strcmp(p.scheme, "https") || (!strcmp(p.scheme, "http") && *is_near))
        return true;
    return creds_refuse(err,
                        "AWS_CONTAINER_CREDENTIALS_FULL_URI names %.100s://%.100s: it must be https, or http to a "
                        "loopback address, 169.254.170.2, 169.254.170.23 or fd00:ec2::23",
                        p.scheme, p.host);
}

bool creds_container_url(const struct creds_settings *settings, struct buf *url, bool *is_near, struct err *err)
{
    if (!settings->container_relative_uri[0]) {
        buf_text(url, settings->container_full_uri);
        return buf_check(url, "AWS_CONTAINER_CREDENTIALS_FULL_URI", err) && judge(buf_cstr(url), is_near, err);
    }
    if (settings->container_relative_uri[0] != '/')
        return creds_refuse(err, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI must start with a slash");
    buf_fmt(url, "http://169.254.170.2%s", settings->container_relative_uri);
    *is_near = true;
    return buf_check(url, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", err);
}

/* ---- the token ---- */

/* Of the file, which is read at each refresh, for EKS renews it; or of the environment. One line break at its end is
 * dropped, any other would end the header. */
static bool read_token(const struct creds_settings *s, struct buf *token, struct err *err)
{
    struct span text;

    buf_init(token, MAX_TOKEN_BYTES);
    if (s->container_token_file[0]) {
        if (!creds_read_file(s->container_token_file, token, err))
            return false;
    } else {
        buf_text(token, s->container_token);
    }
    if (!buf_check(token, "the container's authorization token", err))
        return false;
    text = buf_view(token);
    if (span_ends(text, SPAN_LIT("\n")))
        text.len--;
    if (span_ends(text, SPAN_LIT("\r")))
        text.len--;
    buf_cut(token, text.len);
    for (size_t i = 0; i < token->len; i++)
        if ((unsigned char)token->data[i] < ' ' || token->data[i] == 127)
            return creds_refuse(err, "%s holds a line break or another control character",
                                s->container_token_file[0] ? s->container_token_file
                                                           : "AWS_CONTAINER_AUTHORIZATION_TOKEN");
    return true;
}

/* ---- asking ---- */

static bool ask(const struct creds_settings *s, struct creds_http_request *rq, struct creds *out, struct err *err)
{
    AUTO(creds_http_answer_done) struct creds_http_answer answer = { 0 };

    if (!creds_http_send(rq, &answer, err))
        return false;
    if (answer.status == 200)
        return creds_json_read(CREDS_JSON_METADATA, buf_view(&answer.body), out, err);
    /* The agent's words are not repeated: nothing says what they may hold. Whatever it refuses may pass: tokens are
     * renewed, roles and agents come up later than we do. */
    if (answer.status == 401 || answer.status == 403)
        return err_set(err, ERR_DENIED, true, HERE, "it refuses the authorization token (HTTP %d); %s", answer.status,
                       s->container_token_file[0] ? s->container_token_file
                                                  : "see AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    return err_set(err, ERR_UPSTREAM, true, HERE, "it answers HTTP %d", answer.status);
}

static bool ask_often(const struct creds_settings *s, struct creds_http_request *rq, struct creds *out, struct err *err)
{
    struct err cause = { 0 };

    for (int attempt = 1;; attempt++) {
        err_clear(&cause);
        if (ask(s, rq, out, &cause))
            return true;
        /* half an answer may have been cut: once more is cheap */
        if (attempt == ATTEMPTS || cause.kind == ERR_CANCELLED || cause.kind == ERR_MEMORY || cause.kind == ERR_DENIED)
            break;
        if (!creds_pause(&rq->stop, PAUSE_MS, err))
            return false;
    }
    return cause.kind == ERR_CANCELLED || cause.kind == ERR_MEMORY
               ? err_pass(err, &cause)
               : creds_blame(err, &cause, "the container's credentials endpoint");
}

bool creds_container_load(void *state, struct creds *out, bool *found, struct err *err)
{
    const struct creds_settings *s = &((const struct creds_shared *)state)->settings;
    AUTO(buf_done) struct buf url = { 0 };
    AUTO(buf_wipe) struct buf token = { 0 };
    struct creds_http_request rq = { .what = "credentials endpoint",
                                     .method = "GET",
                                     .headers = { { "accept", SPAN_LIT("application/json") } },
                                     .header_count = 1,
                                     .timeout_ms = TIMEOUT_MS,
                                     .ca_bundle = s->ca_bundle,
                                     .stop = creds_stop_of(s) };

    *found = s->container_relative_uri[0] || s->container_full_uri[0];
    if (!*found)
        return creds_absent(err, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and _FULL_URI are not set");
    buf_init(&url, MAX_URL_BYTES);
    if (!creds_container_url(s, &url, &rq.is_direct, err) || !read_token(s, &token, err))
        return false;
    rq.url = buf_cstr(&url);
    if (token.len)
        rq.headers[rq.header_count++] = (struct creds_http_header){ "authorization", buf_view(&token) };
    if (!ask_often(s, &rq, out, err))
        return false;
    (void)snprintf(out->detail, sizeof(out->detail), "%s",
                   s->container_relative_uri[0] ? "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI at 169.254.170.2"
                                                : "AWS_CONTAINER_CREDENTIALS_FULL_URI");
    return true;
}
