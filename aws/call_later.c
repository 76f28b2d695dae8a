/* One call in the background of a client. */
#include "aws/client_internal.h"

#include "server/base/clock.h"
#include "server/base/mem.h"

struct aws_later {
    struct exchange x;
    int64_t start_at_ms; /* of the next attempt */
    bool is_running;     /* an attempt is on its way */
    bool is_over, is_good;
    struct err err; /* if it is over and not good */
};

/* As far as it goes without waiting. */
static void move(struct aws_later *l)
{
    if (!l->is_over && !l->is_running && l->start_at_ms <= clock_mono_ms()) {
        if (!exchange_may_start(&l->x)) {
            l->start_at_ms = clock_mono_ms() + EXCHANGE_ASK_MS;
            return;
        }
        l->is_running = exchange_start(&l->x, &l->err);
        l->is_over = !l->is_running;
    }
    if (l->is_over || !l->x.is_finished)
        return;
    l->is_running = false;
    l->x.is_finished = false;
    switch (exchange_settle(&l->x, &l->start_at_ms, &l->err)) {
    case EXCHANGE_GOOD:
        l->is_over = l->is_good = true;
        break;
    case EXCHANGE_BAD:
        l->is_over = true;
        break;
    case EXCHANGE_AGAIN:
        break;
    }
}

struct aws_later *aws_later_begin(struct aws_client *client, const struct aws_request *rq, struct aws_response *rs,
                                  struct err *err)
{
    struct aws_later *l = mem_alloc(1, sizeof(*l));

    if (!l) {
        err_memory(err, HERE);
        return NULL;
    }
    l->x = (struct exchange){ .client = client, .rq = *rq, .rs = rs };
    exchange_prepare_response(&l->x.rq, rs);
    move(l);
    return l;
}

bool aws_later_poll(struct aws_later *l, struct err *err)
{
    if (!transport_pump(l->x.client, 0, err))
        return false;
    move(l);
    return true;
}

static bool wait_for_end(struct aws_later *l, struct err *err)
{
    for (int64_t wait_ms = 0; !l->is_over; wait_ms = AWS_POLL_MS) {
        const int64_t until_ms = l->start_at_ms - clock_mono_ms();

        if (client_is_stopping(l->x.client))
            return exchange_cancelled(err);
        if (!l->is_running && until_ms > 0 && until_ms < wait_ms)
            wait_ms = until_ms;
        if (!transport_pump(l->x.client, wait_ms, err))
            return false;
        move(l);
    }
    return l->is_good || err_pass(err, &l->err);
}

bool aws_later_end(struct aws_later *l, struct err *err)
{
    const bool is_good = wait_for_end(l, err);

    exchange_count(&l->x, is_good);
    exchange_done(&l->x);
    mem_free(l);
    return is_good;
}

void aws_later_drop(struct aws_later *l)
{
    if (!l)
        return;
    exchange_done(&l->x);
    mem_free(l);
}
