/* The queue in front of the quota of concurrent Bedrock jobs (reference C.1: per model, account and Region; the service
 * has one account and Region). Who is next is said by the view slot_queue; here is how many may go. */
#ifndef VIDBATCH_WORK_SLOTS_H
#define VIDBATCH_WORK_SLOTS_H

#include "server/base/attr.h"
#include "server/base/err.h"
#include "sql/slot_store.h"

#include <stdbool.h>
#include <stdint.h>

struct slot_verdict {
    int64_t room;     /* so many at the head of the queue may be asked for now */
    bool is_given;    /* the shard that was looked for is among them */
    bool is_probe;    /* it is the one that finds out whether AWS still refuses */
    int64_t again_ms; /* not given because AWS refused: no use to ask before; 0: whenever a slot is free */
};
/* The rule. limit: most jobs of the model at a time. Pure. */
void slots_judge(const struct slot_view *view, int64_t limit, struct slot_verdict *out);

struct step;
/* In a transaction: takes a slot of the model for the shard, unless there is none for it now. From here on the shard
 * counts as in flight (the caller commits shard.submit_started_at in the same transaction). When it does not get one,
 * those that could are woken. */
MUST_CHECK bool slots_take(struct step *step, int64_t shard_id, const char *model_key, struct slot_verdict *out,
                           struct err *err);
/* In a transaction: AWS refused the job that was asked for. */
MUST_CHECK bool slots_refused(struct step *step, int64_t shard_id, const char *model_key, bool is_throttled,
                              struct err *err);
/* In a transaction: AWS took the job; the next is woken. */
MUST_CHECK bool slots_granted(struct step *step, const char *model_key, struct err *err);
/* In a transaction that ended a Bedrock job, or a shard that might have had one: wakes as many as have a free slot now.
 */
MUST_CHECK bool slots_wake(struct step *step, const char *model_key, struct err *err);
/* The same for all models, now and then: shards that wait sleep long, and a slot may become free in ways that wake
 * nobody (a refusal that is over, a quota that was raised, a head of the queue that was cancelled). *next_ms is lowered
 * to when the next refusal is over. In a transaction. */
MUST_CHECK bool slots_wake_all(struct step *step, int64_t *next_ms, struct err *err);

#endif
