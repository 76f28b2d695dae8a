/* Reading a document of models; only models_read.c (values) and models_document.c (what is made of them) include it. */
#ifndef VIDBATCH_WORK_MODELS_READING_H
#define VIDBATCH_WORK_MODELS_READING_H

#include "server/base/json_reader.h"
#include "server/work/models_inside.h"

enum { MAX_NAME_BYTES = 64, MAX_PATH_BYTES = 300 };

struct reading {
    struct json_reader json;
    struct buf path; /* of the member that is read: where reading stops, it says where */
    const char *origin;
    int rank;
    struct err *err;
};

/* Where a member is in the document: entered before it is read, left only after it was read. */
size_t reading_enter(struct reading *rd, const char *name);
size_t reading_enter_item(struct reading *rd, size_t index);
void reading_leave(struct reading *rd, size_t before);
/* ERR_INPUT; always false. */
bool reading_wrong(struct reading *rd, const char *rule);
/* Each of these refuses what is given twice: *out is NULL, or the member empty, before. Gives: mem_free, names_done. */
MUST_CHECK bool reading_text(struct reading *rd, char **out);
MUST_CHECK bool reading_date(struct reading *rd, char **out);
MUST_CHECK bool reading_names(struct reading *rd, struct names *names);
/* Takes null where there is one. */
MUST_CHECK bool reading_null(struct reading *rd, bool *is_null);
/* One of the objects "limits", "quotas" ...; *known false: it is none of these, and nothing was read. seen: bits of
 * those that were read before, of this scope. */
MUST_CHECK bool reading_section(struct reading *rd, struct scope *scope, const char *name, uint32_t *seen, bool *known);

#endif
