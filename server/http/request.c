/* A request: what was sent, and what lives as long as it does. */
#include "server/http/internal.h"

#include "server/base/mem.h"
#include "server/base/text.h"

#include <string.h>
#include <strings.h>

struct kept_block {
    struct kept_block *next;
    max_align_t bytes[];
};

struct request *request_new(struct http_server *server, const char *uri)
{
    struct request *rq = mem_alloc(1, sizeof *rq);
    struct span path = { 0 };

    if (!rq)
        return NULL;
    rq->server = server;
    rq->started_us = metrics_now_us();
    rq->target = mem_text(uri);
    if (!rq->target) {
        mem_free(rq);
        return NULL;
    }
    target_split(span_of(rq->target), &path, &rq->raw_query);
    if (path.len > 0 && path.ptr[0] == '/') {
        /* To the front, so that the text begins with the path; the query stays where it is, behind it. */
        memmove(rq->target, path.ptr, path.len);
        rq->target[path.len] = '\0';
    }
    buf_init(&rq->field_errors, 0);
    reply_init(&rq->reply, rq);
    return rq;
}

void request_free(struct request *rq)
{
    if (!rq)
        return;
    limits_end(rq);
    reply_done(&rq->reply);
    caller_done(&rq->caller);
    if (rq->json)
        json_decref(rq->json);
    path_done(&rq->path);
    query_done(&rq->query);
    buf_done(&rq->body);
    buf_done(&rq->field_errors);
    while (rq->kept) {
        struct kept_block *block = rq->kept;
        rq->kept = block->next;
        mem_free(block);
    }
    mem_free(rq->target);
    mem_free(rq);
}

void *request_keep(struct request *rq, size_t size)
{
    struct kept_block *block = NULL;

    if (size > SIZE_MAX - sizeof *block)
        return NULL;
    block = mem_alloc(1, sizeof *block + size);
    if (!block)
        return NULL;
    block->next = rq->kept;
    rq->kept = block;
    return block->bytes;
}

static bool is_request_id(struct span s)
{
    if (s.len == 0 || s.len > REQUEST_ID_BYTES)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
              c == '-'))
            return false;
    }
    return true;
}

void request_name(struct request *rq)
{
    static const char hex[] = "0123456789abcdef";
    struct span theirs = rq->connection ? rq_header(rq, "X-Request-Id") : (struct span){ 0 };
    unsigned char bytes[8];

    if (is_request_id(theirs)) {
        memcpy(rq->id, theirs.ptr, theirs.len);
        rq->id[theirs.len] = '\0';
        return;
    }
    text_random(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        rq->id[2 * i] = hex[bytes[i] >> 4];
        rq->id[2 * i + 1] = hex[bytes[i] & 15];
    }
    rq->id[2 * sizeof bytes] = '\0';
}

bool request_reads(const struct request *rq)
{
    return strcmp(rq->method, "GET") == 0 || strcmp(rq->method, "HEAD") == 0;
}

void *rq_app(struct request *rq)
{
    return rq->server->arg;
}

void *rq_context(struct request *rq)
{
    return rq->context;
}

const struct route *rq_route(const struct request *rq)
{
    return rq->match.route;
}

const char *rq_method(const struct request *rq)
{
    return request_reads(rq) ? "GET" : rq->method;
}

const char *rq_target(const struct request *rq)
{
    return rq->target;
}

const char *rq_id(const struct request *rq)
{
    return rq->id;
}

struct http_server *rq_server(struct request *rq)
{
    return rq->server;
}

struct span rq_path_param(const struct request *rq, const char *name)
{
    for (size_t i = 0; i < rq->match.param_count; i++)
        if (span_eq_text(rq->match.params[i].name, name))
            return rq->match.params[i].value;
    return (struct span){ 0 };
}

struct span rq_query(const struct request *rq, const char *name)
{
    return query_get(&rq->query, name);
}

struct span rq_body(const struct request *rq)
{
    return buf_view(&rq->body);
}

struct span rq_header(const struct request *rq, const char *name)
{
    const char *value = NULL;
    size_t len = 0;

    if (MHD_lookup_connection_value_n(rq->connection, MHD_HEADER_KIND, name, strlen(name), &value, &len) != MHD_YES)
        return (struct span){ 0 };
    return (struct span){ value ? value : "", len };
}

struct header_list {
    const char *name;
    struct buf joined;
};

static enum MHD_Result join_header(void *cls, enum MHD_ValueKind kind, const char *key, const char *value)
{
    struct header_list *list = cls;

    (void)kind;
    if (strcasecmp(key, list->name) != 0)
        return MHD_YES;
    if (list->joined.len > 0)
        buf_char(&list->joined, ',');
    buf_text(&list->joined, value);
    return MHD_YES;
}

struct span request_header_list(struct request *rq, const char *name)
{
    struct header_list list = { .name = name };
    char *copy = NULL;
    size_t len = 0;

    buf_init(&list.joined, 0);
    (void)MHD_get_connection_values(rq->connection, MHD_HEADER_KIND, join_header, &list);
    len = list.joined.len;
    if (buf_ok(&list.joined) && len > 0)
        copy = request_keep(rq, len);
    if (copy)
        memcpy(copy, list.joined.data, len);
    buf_done(&list.joined);
    return copy ? (struct span){ copy, len } : (struct span){ 0 };
}
