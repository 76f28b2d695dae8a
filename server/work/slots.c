#include "server/work/slots.h"

#include "server/base/least.h"
#include "server/work/step.h"

enum { FIRST_PAUSE_MS = 2000 };

void slots_judge(const struct slot_view *view, int64_t limit, struct slot_verdict *out)
{
    const bool is_blocked = view->is_refused && view->refused_for_ms > 0;
    int64_t most = limit;

    *out = (struct slot_verdict){ 0 };
    if (view->is_refused && view->is_throttled)
        most = is_blocked ? 0 : least(limit, view->in_flight + 1);
    else if (view->is_refused) /* fewer than AWS had taken then are no question */
        most = least(limit, view->refused_in_flight + (is_blocked ? 0 : 1));
    out->room = most > view->in_flight ? most - view->in_flight : 0;
    out->is_given = view->position > 0 && view->position <= out->room;
    out->is_probe = out->is_given && view->is_refused &&
                    (view->is_throttled || view->in_flight + view->position > view->refused_in_flight);
    if (!out->is_given && is_blocked && limit > view->in_flight)
        out->again_ms = view->refused_for_ms;
}

/* Of concurrent jobs of the model. A key that the table does not know (any more) stands for a model that nobody knows;
 * where AWS publishes no number, AWS alone says when it is enough. */
static int64_t limit_of(const struct step *step, const char *model_key)
{
    const struct work_settings *settings = step->settings;
    struct model_terms terms;

    if (!models_terms(settings->models, span_of(model_key), settings->region, &terms, NULL) &&
        !models_terms(settings->models, SPAN_LIT(MODEL_UNKNOWN_ARN), settings->region, &terms, NULL))
        return 1;
    return terms.max_concurrent_jobs > 0 ? terms.max_concurrent_jobs : INT32_MAX;
}

static int64_t first_pause_ms(const struct step *step)
{
    return least(FIRST_PAUSE_MS, step->settings->watch_max_ms);
}

static bool wake(struct step *step, const char *model_key, int64_t room, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };

    if (room <= 0)
        return true;
    if (!slot_store_first(step->db, model_key, room, &rows, err))
        return false;
    for (int i = 0; i < rows.count; i++)
        if (!task_store_add(step->db, "submit", db_i64(&rows, i, 0), 0, err))
            return false;
    return true;
}

bool slots_take(struct step *step, int64_t shard_id, const char *model_key, struct slot_verdict *out, struct err *err)
{
    const int64_t limit = limit_of(step, model_key);
    struct slot_view view;

    /* ten thousand may wait: where there is no room, their order need not be known */
    if (!slot_store_lock(step->db, model_key, err) || !slot_store_look(step->db, model_key, 0, &view, err))
        return false;
    slots_judge(&view, limit, out);
    if (out->room == 0)
        return true;
    if (!slot_store_look(step->db, model_key, shard_id, &view, err))
        return false;
    slots_judge(&view, limit, out);
    if (!out->is_given) /* those before it may sleep longer than the slot has been free */
        return wake(step, model_key, out->room, err);
    return !out->is_probe || slot_store_probe(step->db, model_key, step->settings->watch_max_ms, err);
}

bool slots_refused(struct step *step, int64_t shard_id, const char *model_key, bool is_throttled, struct err *err)
{
    return slot_store_refuse(step->db, model_key, is_throttled, shard_id, first_pause_ms(step),
                             step->settings->watch_max_ms, err);
}

bool slots_granted(struct step *step, const char *model_key, struct err *err)
{
    return slot_store_granted(step->db, model_key, limit_of(step, model_key), err) && slots_wake(step, model_key, err);
}

static bool wake_model(struct step *step, const char *model_key, int64_t *again_ms, struct err *err)
{
    struct slot_view view;
    struct slot_verdict verdict;

    if (!slot_store_look(step->db, model_key, 0, &view, err))
        return false;
    slots_judge(&view, limit_of(step, model_key), &verdict);
    *again_ms = verdict.again_ms;
    return wake(step, model_key, verdict.room, err);
}

bool slots_wake(struct step *step, const char *model_key, struct err *err)
{
    int64_t again_ms;

    return wake_model(step, model_key, &again_ms, err);
}

bool slots_wake_all(struct step *step, int64_t *next_ms, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };

    if (!slot_store_models(step->db, &rows, err))
        return false;
    for (int i = 0; i < rows.count; i++) {
        int64_t again_ms;

        if (!wake_model(step, db_text(&rows, i, 0), &again_ms, err))
            return false;
        if (again_ms > 0)
            *next_ms = least(*next_ms, again_ms);
    }
    return true;
}
