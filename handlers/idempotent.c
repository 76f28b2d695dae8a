#include "handlers/idempotent.h"

#include "handlers/app.h"
#include "handlers/common.h"
#include "server/base/id.h"
#include "server/base/text.h"
#include "sql/idempotency_store.h"

#include <stdio.h>

enum { BODY_MAX_BYTES = 4 * 1024 * 1024, ROUTE_BYTES = 256 };

struct run {
    struct request *rq;
    struct reply *rp;
    idempotent_fn *fn;
    void *arg;
    char route[ROUTE_BYTES];
    struct span key; /* ptr NULL: none was given */
    unsigned char body_hash[32];
    bool replayed;
    struct answer answer;
};

bool answer_refuse(struct answer *out, struct err *err)
{
    out->refused = true;
    return err_set(err, ERR_CANCELLED, false, HERE, "the request was refused");
}

/* True: *found says whether the answer is there already. */
static bool look_up(struct db *db, struct run *run, bool *found, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct idempotency_answer kept = { 0 };

    if (!idempotency_store_find(db, run->route, run->key, run->body_hash, &rows, &kept, found, err))
        return false;
    if (!*found)
        return true;
    if (!kept.same_body) {
        reply_problem(run->rq, run->rp, 422, "idempotency_key_reused",
                      "This Idempotency-Key was used with another body. Repeat the first request as it was, or take a "
                      "new key for a new request.");
        return answer_refuse(&run->answer, err);
    }
    run->replayed = true;
    run->answer.status = kept.status;
    snprintf(run->answer.location, sizeof run->answer.location, "%s", kept.location ? kept.location : "");
    buf_text(&run->answer.body, kept.body);
    return buf_check(&run->answer.body, "a kept answer", err);
}

static bool run_once(struct db *db, void *arg, struct err *err)
{
    struct run *run = arg;
    struct answer *answer = &run->answer;
    bool found = false;

    answer->status = 0;
    answer->location[0] = '\0';
    answer->refused = answer->keeps_less = false;
    buf_reset(&answer->body);
    buf_reset(&answer->kept);
    run->replayed = false;
    if (run->key.ptr && !look_up(db, run, &found, err))
        return false;
    if (found)
        return true;
    if (!run->fn(db, run->arg, answer, err) || !buf_check(&answer->body, "an answer", err) ||
        !buf_check(&answer->kept, "an answer", err))
        return false;
    if (!run->key.ptr)
        return true;
    return idempotency_store_put(db, run->route, run->key, run->body_hash, answer->status,
                                 answer->location[0] ? answer->location : NULL,
                                 buf_view(answer->keeps_less ? &answer->kept : &answer->body), err);
}

static void run_done(struct run *run)
{
    buf_done(&run->answer.body);
    buf_done(&run->answer.kept);
}

/* Answers from before there were keys go on being found by those who are not asked. */
static void name_route(const struct request *rq, char out[ROUTE_BYTES])
{
    char who[ID_SIZE] = "";

    if (rq_caller(rq)->key_id)
        id_format(ID_KEY, rq_caller(rq)->key_id, who);
    snprintf(out, ROUTE_BYTES, "%s%s%s %s", who, who[0] ? " " : "", rq_method(rq), rq_target(rq));
}

void idempotent_run(struct request *rq, struct reply *rp, idempotent_fn *fn, void *arg)
{
    AUTO(run_done) struct run run = { .rq = rq, .rp = rp, .fn = fn, .arg = arg };
    struct span body = rq_body(rq);
    struct err err = { 0 };

    if (!rq_idempotency_key(rq, rp, &run.key))
        return;
    buf_init(&run.answer.body, BODY_MAX_BYTES);
    buf_init(&run.answer.kept, BODY_MAX_BYTES);
    name_route(rq, run.route);
    text_sha256(body.ptr, body.len, run.body_hash);
    if (!db_transaction(db_of(rq), run_once, &run, &err)) {
        if (!run.answer.refused)
            reply_failure(rq, rp, &err);
        return;
    }
    reply_status(rp, run.answer.status);
    if (run.answer.location[0])
        reply_header(rp, "Location", run.answer.location);
    if (run.replayed)
        reply_header(rp, "Idempotency-Replayed", "true");
    buf_span(reply_body(rp), buf_view(&run.answer.body));
}
