/* A bucket in memory, and an aws_call_many of its own, which answers instead of a server: linked into a test, it takes
 * the place of the client's. Calls run in rounds, as if every answer took the same time, and end in an order drawn by
 * chance. One test program may include this, once. */
#ifndef VIDBATCH_TESTS_UNIT_AWS_MEMORY_BUCKET_H
#define VIDBATCH_TESTS_UNIT_AWS_MEMORY_BUCKET_H

#include "aws/client_internal.h"
#include "aws/key_space.h"
#include "server/base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKET_MOST = 1000000, BUCKET_SLOTS = 128 };

static struct {
    char **keys; /* sorted, each once */
    size_t count;
    char prefix[64];
    bool has_short_pages, repeats_token, goes_back, sends_plain_keys;
    int throttle_every, fail_at; /* the n-th request; 0: never */
    unsigned seed;

    int requests, rounds, most_at_once, throttles;
    bool has_bad_cut;
} bucket;

static unsigned draw(unsigned below)
{
    bucket.seed = bucket.seed * 1103515245U + 12345U;
    return (bucket.seed >> 8) % below;
}

/* ---- the bucket ---- */

static struct span key_at(size_t i)
{
    return span_of(bucket.keys[i]);
}

static size_t first_behind(struct span after)
{
    size_t low = 0, high = bucket.count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (key_compare(key_at(middle), after) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void param(struct span query, const char *name, struct buf *out)
{
    char want[64];
    int len = snprintf(want, sizeof(want), "%s=", name);

    buf_reset(out);
    while (query.len > 0) {
        struct span one = span_head(query, span_find(query, '&'));

        if (span_starts(one, (struct span){ want, (size_t)len }) &&
            !text_percent_decode(out, span_tail(one, (size_t)len), false))
            abort();
        query = span_tail(query, one.len + 1);
    }
}

/* Behind the prefix a cut has no control character and no '%', and it is UTF-8. */
static void judge_cut(struct span cut)
{
    struct span own = span_tail(cut, strlen(bucket.prefix));

    if (!text_is_utf8(cut) || cut.len > 1024 || !span_starts(cut, span_of(bucket.prefix)))
        bucket.has_bad_cut = true;
    for (size_t i = 0; i < own.len; i++)
        if ((unsigned char)own.ptr[i] < 0x20 || own.ptr[i] == '%' || own.ptr[i] == 0x7F)
            bucket.has_bad_cut = true;
}

static void answer(const struct aws_request *rq, struct buf *xml)
{
    AUTO(buf_done) struct buf after = { .max = 8192 };
    AUTO(buf_done) struct buf token = { .max = 8192 };
    size_t i, last, page = bucket.has_short_pages ? draw(1001) : 1000;

    param(rq->query, "start-after", &after);
    param(rq->query, "continuation-token", &token);
    if (after.len > 0)
        judge_cut(buf_view(&after));
    i = token.len > 0 ? strtoull(buf_cstr(&token) + 1, NULL, 10) : first_behind(buf_view(&after));
    if (bucket.goes_back && token.len > 0)
        i -= 500;
    last = i + page < bucket.count ? i + page : bucket.count;
    buf_text(xml,
             bucket.sends_plain_keys ? "<ListBucketResult>" : "<ListBucketResult><EncodingType>url</EncodingType>");
    if (last < bucket.count) {
        buf_text(xml, "<IsTruncated>true</IsTruncated>");
        buf_fmt(xml, "<NextContinuationToken>%c%zu</NextContinuationToken>", bucket.repeats_token ? '0' : 'x',
                bucket.repeats_token ? (size_t)1000 : last);
    }
    for (; i < last; i++) {
        buf_text(xml, "<Contents><Key>");
        text_percent_encode(xml, key_at(i), true);
        buf_text(xml, "</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><Size>1</Size></Contents>");
    }
    buf_text(xml, "</ListBucketResult>");
}

/* ---- what stands in for the client ---- */

struct slot {
    bool is_busy;
    struct aws_request rq;
    void *item;
};

static bool end_call(const struct aws_many *many, struct slot *slot, struct err *err)
{
    struct aws_response rs = { .status = 200 };
    struct err broken = { 0 };
    bool ok;

    buf_init(&rs.body, 8 << 20);
    answer(&slot->rq, &rs.body);
    slot->is_busy = false;
    if (bucket.fail_at && bucket.requests >= bucket.fail_at)
        err_set(&broken, ERR_UPSTREAM, true, HERE, "broken");
    ok = many->done(many->arg, slot->item, &rs, broken.kind != ERR_NONE ? &broken : NULL, err);
    aws_response_done(&rs);
    return ok;
}

static int fill(const struct aws_many *many, struct slot *slots, bool is_closed)
{
    int busy = 0;

    for (int i = 0; i < many->concurrency; i++) {
        if (!slots[i].is_busy && !is_closed && many->next(many->arg, &slots[i].rq, &slots[i].item)) {
            slots[i].is_busy = true;
            bucket.requests++;
            if (bucket.throttle_every && bucket.requests % bucket.throttle_every == 0) {
                bucket.throttles++;
                many->throttled(many->arg, slots[i].item);
            }
        }
        busy += slots[i].is_busy;
    }
    return busy;
}

bool aws_call_many(struct aws_client *client, const struct aws_many *many, struct err *err)
{
    static struct slot slots[BUCKET_SLOTS];
    struct err first = { 0 };
    bool is_closed = false;
    int busy;

    (void)client;
    memset(slots, 0, sizeof(slots));
    while ((busy = fill(many, slots, is_closed)) > 0) {
        int turn = (int)draw((unsigned)many->concurrency);

        bucket.rounds++;
        if (busy > bucket.most_at_once)
            bucket.most_at_once = busy;
        for (int i = 0; i < many->concurrency; i++) {
            struct slot *slot = &slots[(i + turn) % many->concurrency];

            if (slot->is_busy && !end_call(many, slot, is_closed ? NULL : &first))
                is_closed = true;
        }
    }
    if (is_closed && err)
        *err = first;
    return !is_closed;
}

#endif
