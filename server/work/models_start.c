/* The table as a service uses it: what is built in, the operator's file, the settings; judged as a whole. */
#include "server/work/models_inside.h"

#include "server/base/mem.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { MAX_FILE_BYTES = 1 << 20 };

static void close_file(FILE **file)
{
    if (*file)
        fclose(*file);
}

static bool read_file(const char *path, struct buf *out, struct err *err)
{
    AUTO(close_file) FILE *file = fopen(path, "re");
    size_t n = 1;

    if (!file)
        return err_set(err, ERR_INPUT, false, HERE, "it cannot be read: %s", strerror(errno));
    while (n > 0 && buf_ok(out)) {
        char *room = buf_room(out, 4096);

        n = room ? fread(room, 1, 4096, file) : 0;
        buf_grew(out, n);
    }
    if (!buf_ok(out))
        return err_set(err, ERR_INPUT, false, HERE, "it has more than %d bytes", MAX_FILE_BYTES);
    return !ferror(file) || err_set(err, ERR_INPUT, false, HERE, "it cannot be read: %s", strerror(errno));
}

static bool missing(struct err *err, const struct entry *entry, const char *section, const char *name)
{
    return err_set(err, ERR_INPUT, false, HERE,
                   "model %s: %s%s%s is missing; a model that is not built in needs every member", entry->model.id,
                   section, section[0] ? "." : "", name);
}

/* Whatever is not in the model itself must not be missing: a Region or profile only has exceptions. */
static bool is_whole(const struct entry *entry, struct err *err)
{
    static const char no_section[] = "";

    if (!entry->model.name)
        return missing(err, entry, no_section, "name");
    if (!entry->model.lifecycle)
        return missing(err, entry, no_section, "lifecycle");
    if (!entry->model.end_of_life)
        return missing(err, entry, no_section, "end_of_life");
    if (!entry->model.note)
        return missing(err, entry, no_section, "note");
    if (!entry->says_video)
        return missing(err, entry, no_section, "accepts_video");
    if (!entry->says_where)
        return missing(err, entry, no_section, "availability");
    for (int i = 0; i < MODEL_NUMBERS; i++)
        if (!entry->base.numbers[i].origin)
            return missing(err, entry, number_facts[i].section, number_facts[i].name);
    for (int i = 0; i < MODEL_WORDS; i++)
        if (!entry->base.words[i].text && !word_facts[i].is_json)
            return missing(err, entry, word_facts[i].section, word_facts[i].name);
    return true;
}

static int64_t most_records(const struct model_terms *terms)
{
    const int64_t by_job = terms->max_records_per_job, by_file = terms->max_records_per_file;

    return !by_job ? by_file : !by_file || by_job < by_file ? by_job : by_file;
}

/* The rules over several numbers. *origin: of the number that is at fault. */
static bool judge_terms(const struct models *models, const struct entry *entry, const char *region, const char **origin,
                        struct err *err)
{
    struct model_terms t;
    int64_t most = 0;

    if (!models_terms(models, span_of(entry->model.id), region, &t, err))
        return false;
    most = most_records(&t);
    *origin = t.origins[MODEL_MAX_RECORDS_PER_JOB];
    if (strcmp(*origin, MODEL_BUILT_IN) == 0)
        *origin = t.origins[MODEL_MIN_RECORDS];
    if (most && most < 2 * t.min_records - 1)
        return err_set(err, ERR_INPUT, false, HERE,
                       "the most records of a job of %s, %" PRId64 ", must be at least twice the fewest (%" PRId64
                       ", %s; VIDBATCH_MIN_RECORDS sets it for all models) less one, or a cut could leave a part under "
                       "the minimum",
                       entry->model.id, most, t.min_records, t.origins[MODEL_MIN_RECORDS]);
    for (int i = MODEL_MAX_TOKENS_LEAST; i <= MODEL_TOP_K_LEAST; i += 2) {
        *origin = t.origins[i];
        if (*(const int64_t *)((const char *)&t + number_facts[i].offset) >
            *(const int64_t *)((const char *)&t + number_facts[i + 1].offset))
            return err_set(err, ERR_INPUT, false, HERE, "model %s: inference.%s must not be above inference.%s",
                           entry->model.id, number_facts[i].name, number_facts[i + 1].name);
    }
    return true;
}

bool models_judge(const struct models *models, const char **origin, struct err *err)
{
    for (size_t m = 0; m < models->count; m++) {
        const struct entry *entry = &models->entries[m];

        *origin = MODEL_FROM_FILE;
        if (!is_whole(entry, err) || !judge_terms(models, entry, "", origin, err))
            return false;
        for (size_t i = 0; i < entry->region_count; i++)
            if (!judge_terms(models, entry, entry->regions[i].name, origin, err))
                return false;
    }
    return true;
}

static bool lay(struct models *models, const char *path, const struct model_settings *settings, const char **origin,
                struct err *err)
{
    AUTO(buf_done) struct buf text = { .max = MAX_FILE_BYTES };

    *origin = MODEL_FROM_FILE;
    if (path && path[0] &&
        (!read_file(path, &text, err) || !models_overlay(models, buf_view(&text), MODEL_FROM_FILE, err)))
        return false;
    models->settings = *settings;
    return models_judge(models, origin, err);
}

struct models *models_start(const char *path, const struct model_settings *settings, const char **at_fault,
                            struct err *err)
{
    struct models *models = models_builtin(err);

    if (!models || lay(models, path, settings, at_fault, err))
        return models;
    models_free(models);
    return NULL;
}
