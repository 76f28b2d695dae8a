#include "tests/emulator/request.h"

#include "server/base/buf.h"
#include "server/base/clock.h"
#include "server/base/mem.h"
#include "server/base/text.h"
#include "tests/emulator/emulator.h"

#include <string.h>

struct arena_block {
    struct arena_block *next;
    size_t used;
    size_t size;
    char bytes[];
};

enum { ARENA_BLOCK = 8192 };

void *request_alloc(struct request *rq, size_t size)
{
    struct arena_block *block = rq->arena;
    void *at = NULL;

    size = (size + 15) & ~(size_t)15;
    if (!block || block->size - block->used < size) {
        size_t room = size > ARENA_BLOCK ? size : ARENA_BLOCK;
        block = emu_alloc(1, sizeof *block + room);
        block->size = room;
        block->next = rq->arena;
        rq->arena = block;
    }
    at = block->bytes + block->used;
    block->used += size;
    return at;
}

char *request_copy(struct request *rq, struct span s)
{
    char *text = request_alloc(rq, s.len + 1);

    if (s.len > 0)
        memcpy(text, s.ptr, s.len);
    return text;
}

struct span request_decode(struct request *rq, struct span s, bool plus_is_blank)
{
    AUTO(buf_done) struct buf out = { 0 };
    struct span got = { "", 0 };

    buf_init(&out, s.len + 1);
    if (!text_percent_decode(&out, s, plus_is_blank)) {
        rq->well_formed = false;
        return got;
    }
    got.len = out.len;
    got.ptr = request_copy(rq, buf_view(&out));
    return got;
}

static void split_query(struct request *rq)
{
    size_t count = 1;
    struct span rest = rq->raw_query;

    if (rest.len == 0)
        return;
    for (size_t i = 0; i < rest.len; i++)
        count += rest.ptr[i] == '&';
    rq->params = request_alloc(rq, count * sizeof *rq->params);
    while (rest.len > 0) {
        struct span pair = span_head(rest, span_find(rest, '&'));
        size_t equals = span_find(pair, '=');
        struct request_param *p = NULL;

        rest = span_tail(rest, pair.len + 1);
        if (pair.len == 0)
            continue;
        p = &rq->params[rq->param_count++];
        p->raw_name = span_head(pair, equals);
        p->raw_value = span_tail(pair, equals + 1);
        p->name = request_decode(rq, p->raw_name, true);
        p->value = request_decode(rq, p->raw_value, true);
    }
}

struct request *request_new(const char *raw_target)
{
    struct request *rq = emu_alloc(1, sizeof *rq);
    unsigned char noise[16] = { 0 };
    AUTO(buf_done) struct buf id = { 0 };
    size_t mark = 0;

    rq->well_formed = true;
    rq->cut_at = -1;
    rq->started_mono_ms = clock_mono_ms();
    rq->target = span_of(request_copy(rq, span_of(raw_target)));
    mark = span_find(rq->target, '?');
    rq->raw_path = span_head(rq->target, mark);
    rq->raw_query = span_tail(rq->target, mark + 1);
    split_query(rq);
    text_random(noise, sizeof noise);
    buf_init(&id, 64);
    text_hex(&id, noise, sizeof noise);
    memcpy(rq->id, buf_cstr(&id), 33);
    reply_init(&rq->reply);
    return rq;
}

void request_free(struct request *rq)
{
    if (!rq)
        return;
    body_done(&rq->body);
    reply_done(&rq->reply);
    while (rq->arena) {
        struct arena_block *next = rq->arena->next;
        mem_free(rq->arena);
        rq->arena = next;
    }
    mem_free(rq->headers);
    mem_free(rq);
}

void request_add_header(struct request *rq, const char *name, const char *value)
{
    char *lower = request_copy(rq, span_of(name));

    for (char *c = lower; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c + 'a' - 'A');
    rq->headers = emu_resize(rq->headers, rq->header_count + 1, sizeof *rq->headers);
    rq->headers[rq->header_count++] =
        (struct sig_header){ .name = lower, .value = request_copy(rq, span_of(value ? value : "")) };
}

const char *request_header(const struct request *rq, const char *name)
{
    for (size_t i = 0; i < rq->header_count; i++)
        if (strcmp(rq->headers[i].name, name) == 0)
            return rq->headers[i].value;
    return NULL;
}

struct span request_param(const struct request *rq, const char *name)
{
    for (size_t i = 0; i < rq->param_count; i++)
        if (span_eq_text(rq->params[i].name, name))
            return rq->params[i].value;
    return (struct span){ NULL, 0 };
}

bool request_has_param(const struct request *rq, const char *name)
{
    return request_param(rq, name).ptr != NULL;
}
