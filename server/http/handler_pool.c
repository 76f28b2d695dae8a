/* The threads that run handlers: each has its own context and takes requests from one queue, first come, first served,
 * where a client with all the turns it may have waits beside the queue, so that it keeps nobody else waiting.
 * A request is suspended before it is queued and resumed after its work, so between the two it is the pool's alone. */
#include "server/http/internal.h"

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/mem.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* An interrupt may come just before what it should have interrupted, so it is repeated. */
enum { INTERRUPT_EVERY_MS = 100, LARGE_ANSWER_BYTES = 64 << 10 };

static void name_log(const struct request *rq)
{
    char context[REQUEST_ID_BYTES + 16];

    (void)snprintf(context, sizeof context, "request=%s", rq->id);
    log_context(context);
}

void pool_run_handler(struct request *rq, void *context)
{
    rq->context = context;
    name_log(rq);
    if (caller_admit(rq, context))
        rq->match.route->handler(rq, &rq->reply);
    /* What only reads can be asked for again. */
    if (rq->reply.body.len > LARGE_ANSWER_BYTES && request_reads(rq) && !limits_hold_answer(rq, rq->reply.body.len))
        problem_unavailable(rq, "overloaded",
                            "Too many large answers wait for their readers. Try again, or ask for less.");
    assert(!rq->reply.stream.fill || !rq->match.route->inline_reply); /* fills need a handler thread */
    if (rq->reply.stream.fill)
        stream_start(rq, context);
    log_context(NULL);
    rq->context = NULL;
}

/* Gives the request back to its I/O thread. It may be gone when this returns. */
static void give_back(struct request *rq)
{
    if (rq->work == WORK_HANDLER)
        rq->phase = PHASE_READY;
    MHD_resume_connection(rq->connection);
}

/* A context that could not be opened is tried again for each request: the database may be back. */
static bool ensure_context(struct http_server *server, void **context, struct err *err)
{
    if (*context || !server->open_context)
        return true;
    *context = server->open_context(server->arg, err);
    return *context != NULL;
}

static void set_busy(struct handler_thread *self, void *context)
{
    pthread_mutex_lock(&self->lock);
    self->busy = context;
    pthread_mutex_unlock(&self->lock);
}

/* ---- the queue, and whose turn it is ---- */

static void list_add(struct request_list *list, struct request *rq)
{
    rq->next = NULL;
    if (list->tail)
        list->tail->next = rq;
    else
        list->head = rq;
    list->tail = rq;
}

/* Takes `rq` out, which follows `before` (NULL: it is the first). */
static struct request *list_remove(struct request_list *list, struct request *before, struct request *rq)
{
    if (before)
        before->next = rq->next;
    else
        list->head = rq->next;
    if (list->tail == rq)
        list->tail = before;
    rq->next = NULL;
    return rq;
}

/* Fills are not counted: each client's streams are. */
static void leave_parking(struct pool *p, const struct request *rq)
{
    if (rq->work == WORK_HANDLER)
        tally_give(&p->server->tally, rq->sender, TALLY_PARKED, 1, clock_mono_ms());
}

/* With the lock. Its client's turn, or a place to wait for it. False: neither. */
static bool find_place(struct pool *p, struct request *rq)
{
    struct tally *tally = &p->server->tally;
    const bool is_fill = rq->work == WORK_FILL;

    rq->has_turn = false;
    /* what is public tells whether the server is well, which must not depend on who floods it */
    if (!is_fill && p->queued >= p->max_queued && rq->match.route->access != ACCESS_PUBLIC)
        return false;
    rq->has_turn = tally_take(tally, rq->sender, TALLY_RUNNING, 1, rq->queued_ms);
    return rq->has_turn || is_fill || tally_take(tally, rq->sender, TALLY_PARKED, 1, rq->queued_ms);
}

/* With the lock. NULL: none of that client waits for a turn. */
static struct request *unpark(struct pool *p, struct client_id who)
{
    struct request *before = NULL;

    for (struct request *rq = p->parked.head; rq; before = rq, rq = rq->next)
        if (client_is(rq->sender, who)) {
            (void)list_remove(&p->parked, before, rq);
            leave_parking(p, rq);
            return rq;
        }
    return NULL;
}

/* Its turn goes to the next of the same client. True: there is one, and it is ready. */
static bool end_turn(struct pool *p, struct request *rq)
{
    struct request *next = NULL;

    pthread_mutex_lock(&p->lock);
    if (rq->has_turn) {
        next = unpark(p, rq->sender);
        if (next) {
            next->has_turn = true;
            list_add(&p->ready, next);
        } else {
            tally_give(&p->server->tally, rq->sender, TALLY_RUNNING, 1, clock_mono_ms());
        }
        rq->has_turn = false;
    }
    pthread_mutex_unlock(&p->lock);
    return next != NULL;
}

/* The next request; NULL: the pool is closed. */
static struct request *take(struct pool *p)
{
    struct request *rq = NULL;

    pthread_mutex_lock(&p->lock);
    while (!p->ready.head && !p->closed)
        pthread_cond_wait(&p->some, &p->lock);
    if (p->ready.head) {
        rq = list_remove(&p->ready, NULL, p->ready.head);
        if (rq->work == WORK_HANDLER)
            p->queued--;
    }
    pthread_mutex_unlock(&p->lock);
    return rq;
}

/* ---- the threads ---- */

static void run(struct handler_thread *self, struct request *rq, void **context)
{
    struct err err = { 0 };
    bool ready = ensure_context(self->pool->server, context, &err);

    set_busy(self, *context);
    if (rq->work == WORK_FILL) {
        name_log(rq);
        if (ready) {
            stream_fill(rq, *context);
        } else {
            log_warn("http.stream_cut", "at=%s cause=%s", err.where ? err.where : "unknown", LOGQ(err.what));
            rq->reply.stream.failed = true;
        }
        log_context(NULL);
    } else if (ready) {
        pool_run_handler(rq, *context);
    } else {
        name_log(rq);
        reply_error(rq, &rq->reply, &err);
        log_context(NULL);
    }
    set_busy(self, NULL);
    (void)end_turn(self->pool, rq); /* this thread looks next */
    give_back(rq);
}

static void *thread_main(void *arg)
{
    struct handler_thread *self = arg;
    struct pool *p = self->pool;
    struct request *rq = NULL;
    void *context = NULL;
    struct err err = { 0 };

    (void)pthread_setname_np(pthread_self(), "http-handler");
    if (!ensure_context(p->server, &context, &err))
        log_warn("http.no_context", "at=%s cause=%s", err.where ? err.where : "unknown", LOGQ(err.what));
    while ((rq = take(p)) != NULL)
        run(self, rq, &context);
    if (context && p->server->close_context)
        p->server->close_context(context);
    pthread_mutex_lock(&p->lock);
    p->running--;
    pthread_cond_broadcast(&p->ended);
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static bool start_thread(struct pool *p, struct handler_thread *self)
{
    self->pool = p;
    (void)pthread_mutex_init(&self->lock, NULL);
    if (pthread_create(&self->thread, NULL, thread_main, self) == 0)
        return true;
    (void)pthread_mutex_destroy(&self->lock);
    return false;
}

/* Its waits are measured, not told by the wall clock. */
static void init_ended(struct pool *p)
{
    pthread_condattr_t attr;

    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&p->ended, &attr);
    (void)pthread_condattr_destroy(&attr);
}

bool pool_start(struct pool *p, struct http_server *server, int threads, int max_queue, struct err *err)
{
    *p = (struct pool){ .server = server, .max_queued = (size_t)max_queue, .running = threads };
    (void)pthread_mutex_init(&p->lock, NULL);
    (void)pthread_cond_init(&p->some, NULL);
    init_ended(p);
    p->threads = mem_alloc((size_t)threads, sizeof *p->threads);
    while (p->threads && p->thread_count < threads && start_thread(p, &p->threads[p->thread_count]))
        p->thread_count++;
    if (p->thread_count == threads)
        return true;
    pthread_mutex_lock(&p->lock);
    p->running -= threads - p->thread_count;
    pthread_mutex_unlock(&p->lock);
    if (pool_stop(p, -1))
        pool_done(p);
    return err_set(err, ERR_MEMORY, false, HERE, "cannot start %d handler threads", threads);
}

enum submitted pool_submit(struct pool *p, struct request *rq, enum work work)
{
    enum submitted how = POOL_TAKEN;
    bool is_ready = false;

    rq->work = work;
    rq->queued_ms = clock_mono_ms();
    pthread_mutex_lock(&p->lock);
    if (p->closed) {
        how = POOL_CLOSED;
    } else if (!find_place(p, rq)) {
        how = POOL_FULL;
    } else {
        /* Suspended under the lock: nobody can resume it before it is suspended, nor queue it after the pool closed. */
        MHD_suspend_connection(rq->connection);
        is_ready = rq->has_turn;
        list_add(is_ready ? &p->ready : &p->parked, rq);
        if (work == WORK_HANDLER)
            p->queued++;
    }
    pthread_mutex_unlock(&p->lock);
    /* Not under the lock: whoever wakes up wants it. */
    if (is_ready)
        pthread_cond_signal(&p->some);
    return how;
}

size_t pool_queued(struct pool *p)
{
    size_t queued = 0;

    pthread_mutex_lock(&p->lock);
    queued = p->queued;
    pthread_mutex_unlock(&p->lock);
    return queued;
}

/* With the lock: moves the handlers that came before this out of the list. Fills are not handlers: they hold an answer
 * that has begun. */
static void take_expired(struct pool *p, struct request_list *list, int64_t before_ms, struct request_list *expired)
{
    struct request *before = NULL, *next = NULL;

    for (struct request *rq = list->head; rq; rq = next) {
        next = rq->next;
        if (rq->work == WORK_HANDLER && rq->queued_ms <= before_ms) {
            list_add(expired, list_remove(list, before, rq));
            p->queued--;
        } else {
            before = rq;
        }
    }
}

void pool_expire(struct pool *p, int64_t wait_ms)
{
    const int64_t before_ms = clock_mono_ms() - wait_ms;
    struct request_list expired = { 0 };

    pthread_mutex_lock(&p->lock);
    take_expired(p, &p->ready, before_ms, &expired);
    take_expired(p, &p->parked, before_ms, &expired);
    pthread_mutex_unlock(&p->lock);
    while (expired.head) {
        struct request *rq = list_remove(&expired, NULL, expired.head);

        if (!rq->has_turn)
            leave_parking(p, rq);
        else if (end_turn(p, rq))
            pthread_cond_signal(&p->some);
        metrics_refused(&p->server->metrics, HTTP_REFUSED_WAIT);
        problem_unavailable(rq, "overloaded", "It waited too long for its turn, and was not begun. Try again.");
        give_back(rq);
    }
}

static void drop(struct request *rq)
{
    if (rq->work == WORK_FILL)
        rq->reply.stream.failed = true;
    else
        problem_unavailable(rq, "shutting_down", "The server is stopping. Try again.");
    give_back(rq);
}

/* With the lock. True: nobody runs any more; false: the time is over (negative: never is). */
static bool wait_ended(struct pool *p, int64_t wait_ms)
{
    const struct timespec until = deadline_after(wait_ms < 0 ? 0 : wait_ms);
    int rc = 0;

    while (p->running > 0 && rc != ETIMEDOUT)
        rc = wait_ms < 0 ? pthread_cond_wait(&p->ended, &p->lock) : pthread_cond_timedwait(&p->ended, &p->lock, &until);
    return p->running == 0;
}

/* Interrupts whoever is busy until all threads have ended. A thread of its own, for an interrupt may take long. */
static void *interrupt_main(void *arg)
{
    struct pool *p = arg;
    bool ended = false;

    while (!ended) {
        for (int i = 0; i < p->thread_count; i++) {
            struct handler_thread *t = &p->threads[i];
            pthread_mutex_lock(&t->lock);
            if (t->busy)
                p->server->interrupt_context(t->busy);
            pthread_mutex_unlock(&t->lock);
        }
        pthread_mutex_lock(&p->lock);
        ended = wait_ended(p, INTERRUPT_EVERY_MS);
        pthread_mutex_unlock(&p->lock);
    }
    return NULL;
}

static void close_queue(struct pool *p)
{
    struct request_list dropped[2];

    pthread_mutex_lock(&p->lock);
    p->closed = true;
    dropped[0] = p->ready;
    dropped[1] = p->parked;
    p->ready = p->parked = (struct request_list){ 0 };
    p->queued = 0;
    pthread_cond_broadcast(&p->some);
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < 2; i++)
        while (dropped[i].head) {
            struct request *rq = list_remove(&dropped[i], NULL, dropped[i].head);

            (void)end_turn(p, rq);
            drop(rq);
        }
}

bool pool_stop(struct pool *p, int64_t wait_ms)
{
    bool ended = false;

    close_queue(p);
    if (p->server->interrupt_context && !p->interrupts)
        p->interrupts = pthread_create(&p->interrupter, NULL, interrupt_main, p) == 0;
    pthread_mutex_lock(&p->lock);
    ended = wait_ended(p, wait_ms);
    pthread_mutex_unlock(&p->lock);
    if (!ended)
        return false;
    if (p->interrupts)
        (void)pthread_join(p->interrupter, NULL);
    p->interrupts = false;
    for (int i = 0; i < p->thread_count; i++) {
        (void)pthread_join(p->threads[i].thread, NULL);
        (void)pthread_mutex_destroy(&p->threads[i].lock);
    }
    p->thread_count = 0;
    return true;
}

void pool_done(struct pool *p)
{
    mem_free(p->threads);
    p->threads = NULL;
    p->server = NULL;
    (void)pthread_cond_destroy(&p->ended);
    (void)pthread_cond_destroy(&p->some);
    (void)pthread_mutex_destroy(&p->lock);
}
