#include "server/work/launch.h"

#include "server/base/money.h"
#include "server/work/models.h"
#include "sql/estimate_store.h"
#include "sql/event_store.h"
#include "sql/job_store.h"
#include "sql/plan_store.h"

#include <stdio.h>
#include <string.h>

static void refuse(struct launch_refusal *refusal, const char *code, const struct launch_cost *cost,
                   int64_t limit_micros, int64_t spent_micros)
{
    refusal->code = code;
    refusal->estimate_micros = cost->high_micros;
    refusal->limit_micros = limit_micros;
    refusal->spent_micros = spent_micros;
    snprintf(refusal->currency, sizeof refusal->currency, "%s", cost->currency ? cost->currency : "");
}

static void say_price_unknown(char out[LAUNCH_WORDS], const struct launch_cost *cost, const char *limit)
{
    snprintf(out, LAUNCH_WORDS,
             "No price is known for %.200s, so it cannot be held against %s. Give its prices in "
             "VIDBATCH_MODELS_FILE, or lift the limit.",
             cost->model_id, limit);
}

static void refuse_price(struct launch_refusal *refusal, const struct launch_cost *cost, const char *limit,
                         const char *stored_limit)
{
    refuse(refusal, "price_unknown", cost, 0, 0);
    say_price_unknown(refusal->words, cost, limit);
    say_price_unknown(refusal->stored, cost, stored_limit);
}

static void judge_own_limit(struct launch_refusal *refusal, const struct launch_cost *cost)
{
    char high[MONEY_SIZE], limit[MONEY_SIZE];

    if (!cost->has_max_cost)
        return;
    if (!cost->has_estimate) {
        refuse_price(refusal, cost, "\"max_cost\"", "\"max_cost\"");
        return;
    }
    if (cost->high_micros <= cost->max_cost_micros)
        return;
    refuse(refusal, "budget_exceeded", cost, cost->max_cost_micros, 0);
    money_format(cost->high_micros, high);
    money_format(cost->max_cost_micros, limit);
    snprintf(refusal->words, sizeof refusal->words,
             "It may cost up to %s %s, more than its \"max_cost\" of %s. Take fewer videos, a lower \"max_tokens\" or "
             "another model, or raise \"max_cost\".",
             high, refusal->currency, limit);
    memcpy(refusal->stored, refusal->words, sizeof refusal->stored);
}

/* What this month's other jobs cost, or may cost at most. key_id 0: whoever began them. */
static bool sum_month(struct db *db, const struct launch_rules *rules, const struct launch_cost *cost, int64_t key_id,
                      int64_t *spent, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };

    *spent = 0;
    if (!budget_store_month(db, cost->currency ? cost->currency : "", cost->job_id, key_id, &rows, err))
        return false;
    for (int i = 0; i < rows.count; i++) {
        struct model_terms terms;
        struct budget_part part;
        int64_t spent_here = -1;

        budget_part_read(&rows, i, &part);
        /* A model that the table no longer has has no price any more. */
        if (models_terms(rules->models, span_of(part.model_id), rules->region, &terms, NULL))
            spent_here =
                model_cost_micros(&terms, strcmp(part.route, "on_demand") == 0, part.input_tokens, part.output_tokens);
        if ((spent_here > 0 && __builtin_add_overflow(*spent, spent_here, spent)) ||
            __builtin_add_overflow(*spent, part.estimated_micros, spent))
            *spent = INT64_MAX;
    }
    return true;
}

/* A budget of a calendar month. */
struct month {
    int64_t key_id, micros; /* key 0: of the whole service; micros 0: there is no limit */
    const char *stored;     /* as it is called in the job: static */
    char name[160];         /* as it is called to the one that asked */
};

static bool judge_month(struct db *db, const struct launch_rules *rules, const struct month *month,
                        const struct launch_cost *cost, struct launch_refusal *refusal, struct err *err)
{
    char high[MONEY_SIZE], limit[MONEY_SIZE], gone[MONEY_SIZE];
    int64_t spent = 0;

    if (month->micros <= 0 || refusal->code)
        return true;
    if (!cost->has_estimate) {
        refuse_price(refusal, cost, month->name, month->stored);
        return true;
    }
    if (!sum_month(db, rules, cost, month->key_id, &spent, err))
        return false;
    if (spent <= month->micros && cost->high_micros <= month->micros - spent)
        return true;
    refuse(refusal, "budget_exceeded", cost, month->micros, spent);
    money_format(cost->high_micros, high);
    money_format(month->micros, limit);
    money_format(spent, gone);
    snprintf(refusal->words, sizeof refusal->words,
             "It may cost up to %s %s, and of this month's budget of %s (%s) %s are spent or "
             "promised. Take fewer videos, wait for the next month, or raise the budget.",
             high, refusal->currency, limit, month->name, gone);
    snprintf(refusal->stored, sizeof refusal->stored,
             "It may cost up to %s %s, more than is left of %s for this month. Take fewer videos, wait for the next "
             "month, or raise the budget.",
             high, refusal->currency, month->stored);
    refusal->is_of_month = true;
    refusal->is_of_service = month->key_id == 0;
    return true;
}

/* The key's budget where the job's key has one. */
static bool read_key_month(struct db *db, int64_t job_id, struct month *out, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct budget_key key;

    *out = (struct month){ 0 };
    if (!budget_store_key(db, job_id, &rows, &key, err))
        return false;
    out->key_id = key.key_id;
    out->stored = "the budget of the API key that began it";
    out->micros = key.monthly_micros;
    if (key.key_id != 0)
        snprintf(out->name, sizeof out->name, "the budget of the API key \"%s\"", key.name);
    return true;
}

bool launch_foresee(struct db *db, const struct launch_rules *rules, const struct launch_cost *cost,
                    struct launch_refusal *refusal, struct err *err)
{
    const struct month all = { .micros = rules->monthly_budget_micros,
                               .stored = "VIDBATCH_MONTHLY_BUDGET",
                               .name = "VIDBATCH_MONTHLY_BUDGET" };
    struct month key;

    *refusal = (struct launch_refusal){ 0 };
    judge_own_limit(refusal, cost);
    return refusal->code ||
           (read_key_month(db, cost->job_id, &key, err) && judge_month(db, rules, &key, cost, refusal, err) &&
            judge_month(db, rules, &all, cost, refusal, err));
}

bool launch_judge(struct db *db, const struct launch_rules *rules, const struct launch_cost *cost,
                  struct launch_refusal *refusal, struct err *err)
{
    struct month key;

    if (!read_key_month(db, cost->job_id, &key, err))
        return false;
    return ((rules->monthly_budget_micros <= 0 && key.micros <= 0) || budget_store_lock(db, err)) &&
           launch_foresee(db, rules, cost, refusal, err);
}

static void put_amount(struct json_writer *w, const char *name, int64_t micros)
{
    char money[MONEY_SIZE];

    money_format(micros, money);
    json_put_text(w, name, money);
}

void launch_put_amounts(struct json_writer *w, const struct launch_refusal *refusal)
{
    if (!refusal->code || strcmp(refusal->code, "budget_exceeded") != 0)
        return;
    put_amount(w, "estimated", refusal->estimate_micros);
    if (refusal->is_of_month)
        return;
    put_amount(w, "limit", refusal->limit_micros);
    put_amount(w, "spent", refusal->spent_micros);
}

bool launch_job(struct db *db, int64_t job_id, struct span name, struct span metadata, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    char detail[96];
    struct job_row job;
    bool launched = false;

    if (!plan_store_launch(db, job_id, name, metadata, &launched, err))
        return false;
    if (!launched) {
        err_set(err, ERR_CONFLICT, false, HERE, "job %lld is not planned", (long long)job_id);
        return err_code(err, "not_planned");
    }
    if (!job_store_get(db, job_id, &rows, &job, err))
        return false;
    snprintf(detail, sizeof detail, "{\"videos\":%lld,\"shards\":%d}", (long long)job.total, job.shards);
    return event_store_add(db, job_id, "job.launched", detail, err);
}
