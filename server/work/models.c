/* The table: documents laid over each other, and looking things up in the result. */
#include "server/work/models.h"

#include "aws/bedrock_check.h"
#include "aws/endpoint.h"
#include "models_file.h"
#include "server/base/json_writer.h"
#include "server/base/mem.h"
#include "server/work/models_inside.h"

#include <string.h>

/* A new text, where there is one, takes the old one's place. */
static void take_text(const char **old, const char **new)
{
    if (!*new)
        return;
    mem_free((void *)(uintptr_t)*old);
    *old = *new;
    *new = NULL;
}

static void overlay_scope(struct scope *old, struct scope *new)
{
    for (int i = 0; i < MODEL_NUMBERS; i++)
        if (new->numbers[i].origin)
            old->numbers[i] = new->numbers[i];
    for (int i = 0; i < MODEL_WORDS; i++)
        if (new->words[i].text) {
            mem_free(old->words[i].text);
            old->words[i] = new->words[i];
            new->words[i].text = NULL;
        }
}

static void swap_names(struct names *a, struct names *b)
{
    const struct names swap = *a;

    *a = *b;
    *b = swap;
}

static struct region *find_region(const struct entry *entry, const char *name)
{
    for (size_t i = 0; i < entry->region_count; i++)
        if (strcmp(entry->regions[i].name, name) == 0)
            return &entry->regions[i];
    return NULL;
}

static struct profile *find_profile(const struct entry *entry, struct span id)
{
    for (size_t i = 0; i < entry->profile_count; i++)
        if (span_eq_text(id, entry->profiles[i].id))
            return &entry->profiles[i];
    return NULL;
}

static bool overlay_regions(struct entry *old, struct entry *new, struct err *err)
{
    for (size_t i = 0; i < new->region_count; i++) {
        struct region *region = find_region(old, new->regions[i].name);

        if (!region) {
            struct region *grown = mem_resize(old->regions, old->region_count + 1, sizeof *grown);

            if (!grown)
                return err_memory(err, HERE);
            old->regions = grown;
            region = &grown[old->region_count++];
            *region = (struct region){ .name = new->regions[i].name };
            new->regions[i].name = NULL;
        }
        overlay_scope(&region->scope, &new->regions[i].scope);
    }
    return true;
}

static bool overlay_profiles(struct entry *old, struct entry *new, struct err *err)
{
    for (size_t i = 0; i < new->profile_count; i++) {
        struct profile *profile = find_profile(old, span_of(new->profiles[i].id));

        if (!profile) {
            struct profile *grown = mem_resize(old->profiles, old->profile_count + 1, sizeof *grown);

            if (!grown)
                return err_memory(err, HERE);
            old->profiles = grown;
            profile = &grown[old->profile_count++];
            *profile = (struct profile){ .id = new->profiles[i].id };
            new->profiles[i].id = NULL;
        }
        if (new->profiles[i].geography.items)
            swap_names(&profile->geography, &new->profiles[i].geography);
        overlay_scope(&profile->scope, &new->profiles[i].scope);
    }
    return true;
}

static bool overlay_entry(struct entry *old, struct entry *new, struct err *err)
{
    take_text(&old->model.name, &new->model.name);
    take_text(&old->model.lifecycle, &new->model.lifecycle);
    take_text(&old->model.end_of_life, &new->model.end_of_life);
    take_text(&old->model.note, &new->model.note);
    if (new->says_video) {
        old->says_video = true;
        old->model.accepts_video = new->model.accepts_video;
    }
    if (new->says_where) {
        old->says_where = true;
        swap_names(&old->in_region, &new->in_region);
        swap_names(&old->through_profile, &new->through_profile);
        mem_free(old->where_source);
        mem_free(old->where_date);
        old->where_source = new->where_source;
        old->where_date = new->where_date;
        new->where_source = new->where_date = NULL;
    }
    overlay_scope(&old->base, &new->base);
    return overlay_regions(old, new, err) && overlay_profiles(old, new, err);
}

static struct entry *find_entry(const struct models *models, const char *id)
{
    for (size_t i = 0; i < models->count; i++)
        if (strcmp(models->entries[i].model.id, id) == 0)
            return &models->entries[i];
    return NULL;
}

static bool overlay(struct models *models, struct entry *entries, size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        struct entry *old = find_entry(models, entries[i].model.id);

        if (old && !overlay_entry(old, &entries[i], err))
            return false;
        if (old)
            continue;
        if (models->count == MAX_MODELS)
            return err_set(err, ERR_INPUT, false, HERE, "models: with those that are built in, more than %d",
                           MAX_MODELS);
        models->entries[models->count++] = entries[i];
        entries[i] = (struct entry){ 0 };
    }
    return true;
}

bool models_overlay(struct models *models, struct span json, const char *origin, struct err *err)
{
    struct entry *entries = NULL;
    size_t count = 0;
    const bool done =
        models_read(json, origin, models->documents, &entries, &count, err) && overlay(models, entries, count, err);

    models->documents++;
    entries_free(entries, count);
    return done;
}

struct models *models_builtin(struct err *err)
{
    struct models *models = mem_alloc(1, sizeof *models);

    if (models)
        models->entries = mem_alloc(MAX_MODELS, sizeof *models->entries);
    if (!models || !models->entries) {
        mem_free(models);
        err_memory(err, HERE);
        return NULL;
    }
    if (models_overlay(models, (struct span){ models_json, models_json_len }, MODEL_BUILT_IN, err))
        return models;
    models_free(models);
    return NULL;
}

void models_free(struct models *models)
{
    if (!models)
        return;
    entries_free(models->entries, models->count);
    mem_free(models);
}

const char *models_home(const struct models *models)
{
    return models->settings.region ? models->settings.region : "";
}

size_t models_count(const struct models *models)
{
    return models->count;
}

const struct model *models_at(const struct models *models, size_t i)
{
    return &models->entries[i].model;
}

const struct entry *models_entry(const struct models *models, const struct model *model)
{
    return find_entry(models, model->id);
}

struct span models_bare_id(struct span id)
{
    static const char *const kinds[] = { ":foundation-model/", ":inference-profile/" };

    if (!span_starts(id, SPAN_LIT("arn:")))
        return id;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const char *found = memmem(id.ptr, id.len, kinds[i], strlen(kinds[i]));
        if (found)
            return span_tail(id, (size_t)(found - id.ptr) + strlen(kinds[i]));
    }
    return (struct span){ "", 0 };
}

const struct model *models_find(const struct models *models, struct span model_id)
{
    struct span bare = models_bare_id(model_id);

    for (size_t i = 0; i < models->count; i++) {
        struct span id = span_of(models->entries[i].model.id);
        if (span_eq(bare, id))
            return &models->entries[i].model;
        /* A profile is a geography, a dot and the model's id: "us.", "apac.", "global.", "us-gov." */
        if (bare.len > id.len + 1 && span_ends(bare, id) && span_find(bare, '.') == bare.len - id.len - 1)
            return &models->entries[i].model;
    }
    return NULL;
}

bool models_id_ok(struct span model_id)
{
    return bedrock_is_model_id(model_id);
}

bool models_region_ok(struct span region)
{
    return endpoint_region_ok(region);
}

bool names_have(const struct names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->items[i], name) == 0)
            return true;
    return false;
}

size_t models_profiles(const struct models *models, const struct model *model)
{
    return models_entry(models, model)->profile_count;
}

const char *models_profile_at(const struct models *models, const struct model *model, size_t i)
{
    return models_entry(models, model)->profiles[i].id;
}

bool models_profile_is_near(const struct models *models, const struct model *model, size_t i, const char *region)
{
    const struct names *geography = &models_entry(models, model)->profiles[i].geography;

    for (size_t n = 0; n < geography->count; n++)
        if (span_starts(span_of(region), span_of(geography->items[n])))
            return true;
    return geography->count == 0;
}

static void put_names(struct json_writer *w, const char *name, const struct names *names)
{
    json_name(w, name);
    json_begin_array(w);
    for (size_t i = 0; i < names->count; i++)
        json_text(w, names->items[i]);
    json_end_array(w);
}

void models_availability_json(const struct models *models, const struct model *model, struct buf *out)
{
    const struct entry *entry = models_entry(models, model);
    struct json_writer w = json_writer_on(out);

    json_begin_object(&w);
    put_names(&w, "in_region", &entry->in_region);
    put_names(&w, "through_profile", &entry->through_profile);
    json_put_text(&w, "source", entry->where_source);
    json_put_text(&w, "date", entry->where_date);
    json_end_object(&w);
}
