#include "handlers/trouble_json.h"

void trouble_json(struct json_writer *w, const struct task_trouble *trouble)
{
    json_name(w, "trouble");
    if (!trouble->step) {
        json_none(w);
        return;
    }
    json_begin_object(w);
    json_put_text(w, "step", trouble->step);
    json_put_text(w, "message", trouble->message);
    json_put_i64(w, "failures", trouble->failures);
    json_put_time(w, "next_try_at", trouble->next_ms);
    json_end_object(w);
}
