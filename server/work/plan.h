/* What the files of the plan step share. Inside server/work only.
 *
 *   plan.c           the step: waits for the scan, looks, decides, stores, launches
 *   plan_select.c    which videos, what is in them, how they will be staged
 *   plan_region.c    whether all buckets lie in Bedrock's Region
 *   plan_cut.c       shards and records
 *   plan_estimate.c  tokens and money
 *   plan_json.c      what was found, as the API shows it */
#ifndef VIDBATCH_WORK_PLAN_H
#define VIDBATCH_WORK_PLAN_H

#include "aws/batch_input.h"
#include "server/base/buf.h"
#include "server/work/launch.h"
#include "server/work/models.h"
#include "server/work/plan_estimate.h"
#include "server/work/staging_choice.h"
#include "server/work/step.h"
#include "sql/job_store.h"
#include "sql/plan_store.h"
#include "sql/prefix_store.h"

struct plan {
    struct step *step;
    struct job_row job;
    struct prefix_row prefix;
    struct model_terms terms;
    unsigned char recipe[32];
    struct plan_counts counts;
    struct plan_totals totals; /* of the shards */
    struct staging_choice staging;
    char signature[PLAN_SIGNATURE_SIZE]; /* of what was chosen already, before the transaction; "": nothing was */
    bool is_chosen_anew;                 /* in the transaction, for others may be chosen than before it */
    bool on_demand;     /* too few for a batch, or too large, and the job may call the model for each */
    bool is_over_bytes; /* of the present choice: no batch can hold enough of it, so each is called for */
    bool is_staging_judged, was_on_demand; /* how to stage was decided, and by which route that was */
    int64_t line_bytes;                    /* no JSONL line is longer */
    struct db_rows shard_rows;
    const char *refusal;        /* code; NULL: it can run */
    struct buf words;           /* why it can't */
    struct buf elsewhere;       /* why it can't for the Region of a bucket, which nothing else cures; empty: it can */
    struct launch_refusal cost; /* that is for its cost */
    bool is_outbid;             /* another launch spent what was left of the budget while this one was made ready */
};

/* Bytes of text that go with every record. */
static inline int64_t plan_text_bytes(const struct job_row *job)
{
    return (int64_t)(span_of(job->prompt).len + span_of(job->system).len);
}

/* ---- plan_select.c ---- */
/* Fills plan_video and counts before the transaction that plans, and notes the signature of what that depends on. */
MUST_CHECK bool plan_choose(struct plan *plan, struct err *err);
/* Likewise in the transaction that plans: what was chosen before it is kept where it would be chosen again, for it may
 * be a million videos. */
MUST_CHECK bool plan_choose_again(struct plan *plan, struct err *err);
/* Looks into the chosen videos that nobody has looked into, page by page; each is kept. *alive false: the job is no
 * longer to be planned. *looked: there was something to look into, so that some may be refused by now. */
MUST_CHECK bool plan_look(struct plan *plan, bool *alive, bool *looked, struct err *err);
/* Decides how they are staged. Outside transactions: it may ask S3. A refusal is in plan->refusal, or, of in_place, in
 * plan->staging. */
MUST_CHECK bool plan_stage_how(struct plan *plan, struct err *err);
/* In the transaction, after the cut: does that decision hold for what is planned now? A copy is right for any videos.
 */
bool plan_staging_holds(const struct plan *plan);
/* Judges the number of what was chosen: sets on_demand, or the refusal. */
void plan_judge_count(struct plan *plan);
void plan_ask(const struct plan *plan, int64_t shards, struct staging_ask *out);

/* ---- plan_region.c ---- */
/* Fills `elsewhere`. Outside transactions: it may ask S3. */
MUST_CHECK bool plan_check_regions(struct plan *plan, struct err *err);

/* ---- plan_cut.c ---- */
/* Finds line_bytes: of copies where it is known that the videos are copied, else of whichever is longer. */
MUST_CHECK bool plan_measure_line(struct plan *plan, struct err *err);
/* Cuts what was chosen; a refusal is in plan->refusal. May set on_demand. In a transaction. */
MUST_CHECK bool plan_cut(struct plan *plan, struct err *err);
/* How many shards it would be; a refusal is in plan->refusal. May set on_demand. Outside a transaction. */
MUST_CHECK bool plan_count_shards(struct plan *plan, int64_t *shards, struct err *err);
/* Fills totals from the cut. */
void plan_sum(struct plan *plan);
/* Creates shards and records of the cut. In a transaction. */
MUST_CHECK bool plan_create(struct plan *plan, struct err *err);

/* ---- plan_json.c ---- */
/* Appends what was found, as one JSON object. A refused one has no request; estimate NULL: nor shards, tokens, cost. */
MUST_CHECK bool plan_json(struct plan *plan, const struct plan_estimate *estimate, struct buf *out, struct err *err);

#endif
