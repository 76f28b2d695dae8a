#include "handlers/trouble_json.h"

#include "server/base/id.h"

void trouble_json(struct json_writer *w, const struct task_trouble *trouble)
{
    json_name(w, "trouble");
    if (!trouble->step) {
        json_none(w);
        return;
    }
    json_begin_object(w);
    json_put_text(w, "step", trouble->step);
    json_put_text(w, "state", trouble->is_dead ? "dead" : "retrying");
    json_put_id(w, "task_id", ID_TASK, trouble->id);
    json_put_text(w, "message", trouble->message);
    json_put_i64(w, "failures", trouble->failures);
    json_put_time(w, "since", trouble->since_ms);
    json_put_time(w, "next_try_at", trouble->next_ms);
    json_end_object(w);
}
