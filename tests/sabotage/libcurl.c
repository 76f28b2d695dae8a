/* libcurl's calls. A transfer is named by the operation of AWS that it carries. */
#include "aws/client_internal.h"
#include "tests/sabotage/saboteur.h"

#include <stdarg.h>
#include <string.h>

/* The linker's names for what was called and for what is. curl_easy_setopt takes one more argument of a pointer's size,
 * whatever it is. */
#undef curl_easy_setopt
#undef curl_multi_setopt
CURL *__wrap_curl_easy_init(void);
CURL *__real_curl_easy_init(void);
CURLcode __wrap_curl_easy_setopt(CURL *easy, CURLoption option, ...);
CURLcode __real_curl_easy_setopt(CURL *easy, CURLoption option, ...);
CURLcode __wrap_curl_easy_perform(CURL *easy);
CURLcode __real_curl_easy_perform(CURL *easy);
CURLM *__wrap_curl_multi_init(void);
CURLM *__real_curl_multi_init(void);
CURLMcode __wrap_curl_multi_add_handle(CURLM *multi, CURL *easy);
CURLMcode __real_curl_multi_add_handle(CURLM *multi, CURL *easy);
CURLMcode __wrap_curl_multi_perform(CURLM *multi, int *running);
CURLMcode __real_curl_multi_perform(CURLM *multi, int *running);
CURLMcode __wrap_curl_multi_poll(CURLM *multi, struct curl_waitfd fds[], unsigned count, int timeout_ms, int *ready);
CURLMcode __real_curl_multi_poll(CURLM *multi, struct curl_waitfd fds[], unsigned count, int timeout_ms, int *ready);
CURLMsg *__wrap_curl_multi_info_read(CURLM *multi, int *left);
CURLMsg *__real_curl_multi_info_read(CURLM *multi, int *left);
CURLcode __wrap_curl_global_init(long flags);
CURLcode __real_curl_global_init(long flags);
CURLU *__wrap_curl_url(void);
CURLU *__real_curl_url(void);
CURLUcode __wrap_curl_url_set(CURLU *url, CURLUPart what, const char *text, unsigned flags);
CURLUcode __real_curl_url_set(CURLU *url, CURLUPart what, const char *text, unsigned flags);
CURLUcode __wrap_curl_url_get(const CURLU *url, CURLUPart what, char **text, unsigned flags);
CURLUcode __real_curl_url_get(const CURLU *url, CURLUPart what, char **text, unsigned flags);
struct curl_slist *__wrap_curl_slist_append(struct curl_slist *list, const char *text);
struct curl_slist *__real_curl_slist_append(struct curl_slist *list, const char *text);

/* The place of the call is part of the point. */
static bool no_memory(const char *call)
{
    enum { FRAMES = 2 }; /* the function below, and who calls it */
    char trace[SABOTAGE_TRACE];

    sabotage_trace(FRAMES, trace);
    return sabotage_hits(SABOTAGE_NET_MEMORY, "memory %s%s", call, trace);
}

static const struct aws_request *request_of(CURL *easy)
{
    char *private = NULL;

    (void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
    return private ? &((const struct exchange *)(const void *)private)->rq : NULL;
}

/* S3 and Bedrock change nothing for a GET or a HEAD. */
static bool changes_something(const struct aws_request *rq)
{
    return rq && strcmp(rq->method, "GET") != 0 && strcmp(rq->method, "HEAD") != 0;
}

CURL *__wrap_curl_easy_init(void)
{
    return no_memory("curl_easy_init") ? NULL : __real_curl_easy_init();
}

CURLcode __wrap_curl_easy_setopt(CURL *easy, CURLoption option, ...)
{
    va_list args;
    void *value = NULL;

    va_start(args, option);
    value = va_arg(args, void *);
    va_end(args);
    return no_memory("curl_easy_setopt") ? CURLE_OUT_OF_MEMORY : __real_curl_easy_setopt(easy, option, value);
}

CURLcode __wrap_curl_easy_perform(CURL *easy)
{
    CURLcode code = CURLE_OUT_OF_MEMORY;

    if (no_memory("curl_easy_perform"))
        return code;
    code = __real_curl_easy_perform(easy);
    return code == CURLE_OK && sabotage_hits(SABOTAGE_NET_LOST, "lost curl_easy_perform") ? CURLE_RECV_ERROR : code;
}

CURLM *__wrap_curl_multi_init(void)
{
    return no_memory("curl_multi_init") ? NULL : __real_curl_multi_init();
}

CURLMcode __wrap_curl_multi_add_handle(CURLM *multi, CURL *easy)
{
    const struct aws_request *rq = request_of(easy);

    if (changes_something(rq))
        sabotage_kill("%s before", rq->operation);
    return no_memory("curl_multi_add_handle") ? CURLM_OUT_OF_MEMORY : __real_curl_multi_add_handle(multi, easy);
}

CURLMcode __wrap_curl_multi_perform(CURLM *multi, int *running)
{
    return no_memory("curl_multi_perform") ? CURLM_OUT_OF_MEMORY : __real_curl_multi_perform(multi, running);
}

CURLMcode __wrap_curl_multi_poll(CURLM *multi, struct curl_waitfd fds[], unsigned count, int timeout_ms, int *ready)
{
    return no_memory("curl_multi_poll") ? CURLM_OUT_OF_MEMORY
                                        : __real_curl_multi_poll(multi, fds, count, timeout_ms, ready);
}

CURLMsg *__wrap_curl_multi_info_read(CURLM *multi, int *left)
{
    CURLMsg *message = __real_curl_multi_info_read(multi, left);
    const struct aws_request *rq = message ? request_of(message->easy_handle) : NULL;

    if (!rq || message->msg != CURLMSG_DONE || message->data.result != CURLE_OK)
        return message;
    if (changes_something(rq))
        sabotage_kill("%s after", rq->operation);
    if (sabotage_hits(SABOTAGE_NET_LOST, "lost curl_multi_info_read %s", rq->operation))
        message->data.result = CURLE_RECV_ERROR;
    return message;
}

struct curl_slist *__wrap_curl_slist_append(struct curl_slist *list, const char *text)
{
    return no_memory("curl_slist_append") ? NULL : __real_curl_slist_append(list, text);
}

CURLcode __wrap_curl_global_init(long flags)
{
    return no_memory("curl_global_init") ? CURLE_OUT_OF_MEMORY : __real_curl_global_init(flags);
}

CURLU *__wrap_curl_url(void)
{
    return no_memory("curl_url") ? NULL : __real_curl_url();
}

CURLUcode __wrap_curl_url_set(CURLU *url, CURLUPart what, const char *text, unsigned flags)
{
    return no_memory("curl_url_set") ? CURLUE_OUT_OF_MEMORY : __real_curl_url_set(url, what, text, flags);
}

CURLUcode __wrap_curl_url_get(const CURLU *url, CURLUPart what, char **text, unsigned flags)
{
    return no_memory("curl_url_get") ? CURLUE_OUT_OF_MEMORY : __real_curl_url_get(url, what, text, flags);
}
