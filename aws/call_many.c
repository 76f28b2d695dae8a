/* Many calls at a time on one client. */
#include "aws/client_internal.h"

#include "server/base/clock.h"
#include "server/base/mem.h"

enum slot_state { SLOT_FREE, SLOT_WAITING, SLOT_RUNNING };

struct slot {
    enum slot_state state;
    void *item; /* the caller's */
    struct exchange x;
    struct aws_response rs;
    int64_t start_at_ms; /* while waiting */
};

struct crowd {
    struct aws_client *client;
    const struct aws_many *many;
    struct slot *slots;
    int slot_count;
    int busy;       /* slots that are not free */
    bool is_closed; /* no new ones: done said so, or we are stopping */
    bool has_ended; /* a call has ended in the present round: there may be new ones */
    struct err *err;
};

/* The call in this slot has ended: call_err NULL when well. */
static void finish(struct crowd *c, struct slot *slot, const struct err *call_err)
{
    if (slot->x.started_ms)
        exchange_count(&slot->x, !call_err);
    exchange_done(&slot->x);
    slot->state = SLOT_FREE;
    c->busy--;
    c->has_ended = true;
    /* Once closed, err already tells why: what a later `done` says must not replace it. */
    if (!c->many->done(c->many->arg, slot->item, &slot->rs, call_err, c->is_closed ? NULL : c->err))
        c->is_closed = true;
    aws_response_done(&slot->rs);
}

static void start(struct crowd *c, struct slot *slot)
{
    struct err call_err = { 0 };

    if (!exchange_may_start(&slot->x)) {
        slot->start_at_ms = clock_mono_ms() + EXCHANGE_ASK_MS;
        return;
    }
    if (exchange_start(&slot->x, &call_err))
        slot->state = SLOT_RUNNING;
    else
        finish(c, slot, &call_err);
}

static void settle(struct crowd *c, struct slot *slot)
{
    struct err call_err = { 0 };

    switch (exchange_settle(&slot->x, &slot->start_at_ms, &call_err)) {
    case EXCHANGE_GOOD:
        finish(c, slot, NULL);
        break;
    case EXCHANGE_BAD:
        finish(c, slot, &call_err);
        break;
    case EXCHANGE_AGAIN:
        slot->state = SLOT_WAITING;
        if (slot->x.was_throttled && c->many->throttled)
            c->many->throttled(c->many->arg, slot->item);
        break;
    }
}

/* Takes the next call of the caller into a free slot; false when there is none now. */
static bool take_next(struct crowd *c, struct slot *slot)
{
    struct aws_request rq = { 0 };
    void *item = NULL;

    if (c->is_closed || !c->many->next(c->many->arg, &rq, &item))
        return false;
    slot->item = item;
    slot->x = (struct exchange){ .client = c->client, .rq = rq, .rs = &slot->rs };
    slot->start_at_ms = 0;
    slot->state = SLOT_WAITING;
    exchange_prepare_response(&slot->x.rq, &slot->rs);
    c->busy++;
    return true;
}

/* One round over all slots; returns when the earliest waiting one wants to start (INT64_MAX: none waits). */
static int64_t step(struct crowd *c)
{
    int64_t now_ms = clock_mono_ms(), earliest_ms = INT64_MAX;
    bool has_more = true;

    for (int i = 0; i < c->slot_count; i++) {
        struct slot *slot = &c->slots[i];

        if (slot->state == SLOT_RUNNING && slot->x.is_finished)
            settle(c, slot);
        if (slot->state == SLOT_FREE && has_more)
            has_more = take_next(c, slot);
        if (slot->state == SLOT_WAITING && slot->start_at_ms <= now_ms)
            start(c, slot);
        if (slot->state == SLOT_WAITING && slot->start_at_ms < earliest_ms)
            earliest_ms = slot->start_at_ms;
    }
    return earliest_ms;
}

static bool is_any_finished(const struct crowd *c)
{
    for (int i = 0; i < c->slot_count; i++)
        if (c->slots[i].state == SLOT_RUNNING && c->slots[i].x.is_finished)
            return true;
    return false;
}

/* Every item that was taken gets its `done`, also when we give up. */
static void give_up(struct crowd *c)
{
    c->is_closed = true;
    for (int i = 0; i < c->slot_count; i++) {
        struct err call_err = { 0 };

        if (c->slots[i].state == SLOT_FREE)
            continue;
        exchange_cancelled(&call_err);
        finish(c, &c->slots[i], &call_err);
    }
}

static bool run(struct crowd *c)
{
    for (;;) {
        int64_t earliest_ms, wait_ms;

        if (client_is_stopping(c->client)) {
            if (!c->is_closed)
                exchange_cancelled(c->err);
            give_up(c);
            return false;
        }
        c->has_ended = false;
        earliest_ms = step(c);
        if (c->has_ended)
            continue;
        if (!c->busy)
            return !c->is_closed;
        wait_ms = earliest_ms == INT64_MAX ? AWS_POLL_MS : earliest_ms - clock_mono_ms();
        if (!transport_pump(c->client, 0, c->err) ||
            (!is_any_finished(c) && wait_ms > 0 && !transport_pump(c->client, wait_ms, c->err))) {
            give_up(c);
            return false;
        }
    }
}

bool aws_call_many(struct aws_client *client, const struct aws_many *many, struct err *err)
{
    struct err first = { 0 };
    struct crowd c = { .client = client, .many = many, .err = &first };
    bool ok;

    c.slot_count = many->concurrency > 0 ? many->concurrency : 1;
    c.slots = mem_alloc((size_t)c.slot_count, sizeof(*c.slots));
    if (!c.slots)
        return err_memory(err, HERE);
    ok = run(&c);
    mem_free(c.slots);
    if (!ok && err)
        *err = first;
    return ok;
}
