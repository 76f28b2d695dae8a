/* The JSON form of a prefix. */
#ifndef VIDBATCH_HANDLERS_PREFIX_JSON_H
#define VIDBATCH_HANDLERS_PREFIX_JSON_H

#include "server/base/json_writer.h"
#include "sql/prefix_store.h"
#include "sql/task_store.h"

/* trouble: of its scan; NULL: it is not told. */
void prefix_json(struct json_writer *w, const struct prefix_row *prefix, const struct task_trouble *trouble);

#endif
