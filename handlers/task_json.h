/* A task of the queue, as JSON. */
#ifndef VIDBATCH_HANDLERS_TASK_JSON_H
#define VIDBATCH_HANDLERS_TASK_JSON_H

#include "server/base/json_writer.h"
#include "sql/task_store.h"

void task_json(struct json_writer *w, const struct task_row *task);

#endif
