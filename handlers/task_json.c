#include "handlers/task_json.h"

#include "server/base/id.h"

void task_json(struct json_writer *w, const struct task_row *task)
{
    json_begin_object(w);
    json_put_id(w, "id", ID_TASK, task->id);
    json_put_text(w, "step", task->kind);
    json_put_text(w, "state", task->state);
    json_put_id(w, "job_id", ID_JOB, task->job_id);
    json_put_id(w, "prefix_id", ID_PREFIX, task->prefix_id);
    json_put_i64(w, "attempts", task->attempts);
    json_put_i64(w, "failures", task->failures);
    json_put_i64(w, "leases_lost", task->lost);
    json_put_text(w, "last_error", task->last_error);
    json_put_time(w, "failing_since", task->failing_since_ms);
    json_put_time(w, "due_at", task->due_ms);
    json_put_time(w, "lease_until", task->lease_until_ms);
    json_put_time(w, "created_at", task->created_ms);
    json_end_object(w);
}
