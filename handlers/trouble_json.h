/* What keeps failing of a job or a scan while it is tried again. */
#ifndef VIDBATCH_HANDLERS_TROUBLE_JSON_H
#define VIDBATCH_HANDLERS_TROUBLE_JSON_H

#include "server/base/json_writer.h"
#include "sql/task_store.h"

/* The member "trouble"; null where nothing is wrong. */
void trouble_json(struct json_writer *w, const struct task_trouble *trouble);

#endif
