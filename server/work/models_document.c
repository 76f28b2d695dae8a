/* A document of models as a whole: models, and in them their Regions and inference profiles. */
#include "server/work/models_reading.h"

#include "server/base/mem.h"

#include <stdio.h>
#include <string.h>

static void names_done(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        mem_free(names->items[i]);
    mem_free(names->items);
    *names = (struct names){ 0 };
}

static void scope_done(struct scope *scope)
{
    for (int i = 0; i < MODEL_WORDS; i++)
        mem_free(scope->words[i].text);
}

void entry_done(struct entry *entry)
{
    const char *const texts[] = { entry->model.id, entry->model.name, entry->model.lifecycle, entry->model.end_of_life,
                                  entry->model.note };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        mem_free((void *)(uintptr_t)texts[i]);
    scope_done(&entry->base);
    names_done(&entry->in_region);
    names_done(&entry->through_profile);
    mem_free(entry->where_source);
    mem_free(entry->where_date);
    for (size_t i = 0; i < entry->region_count; i++) {
        mem_free(entry->regions[i].name);
        scope_done(&entry->regions[i].scope);
    }
    for (size_t i = 0; i < entry->profile_count; i++) {
        mem_free(entry->profiles[i].id);
        names_done(&entry->profiles[i].geography);
        scope_done(&entry->profiles[i].scope);
    }
    mem_free(entry->regions);
    mem_free(entry->profiles);
    *entry = (struct entry){ 0 };
}

void entries_free(struct entry *entries, size_t count)
{
    for (size_t i = 0; i < count; i++)
        entry_done(&entries[i]);
    mem_free(entries);
}

/* Room for one more, zeroed; *items may move. NULL: err is filled. */
static void *one_more(struct reading *rd, void **items, size_t *count, size_t size, size_t most)
{
    void *grown = NULL;

    if (*count == most) {
        err_set(rd->err, ERR_INPUT, false, HERE, "has more than %zu items", most);
        return NULL;
    }
    grown = mem_resize(*items, *count + 1, size);
    if (!grown) {
        err_memory(rd->err, HERE);
        return NULL;
    }
    *items = grown;
    return memset((char *)grown + (*count)++ * size, 0, size);
}

static bool read_region(struct reading *rd, struct region *region)
{
    AUTO(buf_done) struct buf name = { .max = MAX_NAME_BYTES };
    uint32_t seen = 0;
    bool done = false;
    bool known = false;

    if (!json_enter_object(&rd->json, rd->err))
        return false;
    while (json_next_name(&rd->json, &name, &done, rd->err)) {
        size_t at = 0;

        if (done)
            return true;
        at = reading_enter(rd, buf_cstr(&name));
        if (!reading_section(rd, &region->scope, buf_cstr(&name), &seen, &known))
            return false;
        if (!known)
            return reading_wrong(rd, "is not a member that is known");
        reading_leave(rd, at);
    }
    return false;
}

static bool has_region(const struct entry *entry, const char *name)
{
    for (size_t i = 0; entry->regions && i < entry->region_count; i++)
        if (strcmp(entry->regions[i].name, name) == 0)
            return true;
    return false;
}

static bool read_regions(struct reading *rd, struct entry *entry)
{
    AUTO(buf_done) struct buf name = { .max = MAX_NAME_BYTES };
    bool done = false;

    if (entry->regions)
        return reading_wrong(rd, "is given twice");
    if (!json_enter_object(&rd->json, rd->err))
        return false;
    while (json_next_name(&rd->json, &name, &done, rd->err)) {
        struct region *region = NULL;
        size_t at = 0;

        if (done)
            return true;
        at = reading_enter(rd, buf_cstr(&name));
        if (!models_region_ok(buf_view(&name)))
            return reading_wrong(rd, "must be the name of a Region, such as us-east-1");
        if (has_region(entry, buf_cstr(&name)))
            return reading_wrong(rd, "is given twice");
        region = one_more(rd, (void **)&entry->regions, &entry->region_count, sizeof *region, MAX_REGIONS);
        if (!region)
            return false;
        region->name = mem_text(buf_cstr(&name));
        if (!region->name)
            return err_memory(rd->err, HERE);
        if (!read_region(rd, region))
            return false;
        reading_leave(rd, at);
    }
    return false;
}

static bool read_profile_member(struct reading *rd, struct profile *profile, const char *name, uint32_t *seen)
{
    bool known = false;

    if (strcmp(name, "id") == 0)
        return reading_text(rd, &profile->id);
    if (strcmp(name, "geography") == 0)
        return reading_names(rd, &profile->geography);
    if (!reading_section(rd, &profile->scope, name, seen, &known))
        return false;
    return known || reading_wrong(rd, "is not a member that is known");
}

static bool read_profile(struct reading *rd, struct profile *profile)
{
    AUTO(buf_done) struct buf name = { .max = MAX_NAME_BYTES };
    uint32_t seen = 0;
    bool done = false;

    if (!json_enter_object(&rd->json, rd->err))
        return false;
    while (json_next_name(&rd->json, &name, &done, rd->err)) {
        size_t at = 0;

        if (done)
            return (profile->id && models_id_ok(span_of(profile->id))) ||
                   reading_wrong(rd, "must have an \"id\", that of an inference profile");
        at = reading_enter(rd, buf_cstr(&name));
        if (!read_profile_member(rd, profile, buf_cstr(&name), &seen))
            return false;
        reading_leave(rd, at);
    }
    return false;
}

static bool read_profiles(struct reading *rd, struct entry *entry)
{
    bool done = false;

    if (entry->profiles)
        return reading_wrong(rd, "is given twice");
    if (!json_enter_array(&rd->json, rd->err))
        return false;
    while (json_next_item(&rd->json, &done, rd->err)) {
        struct profile *profile = NULL;
        size_t at = 0;

        if (done)
            return true;
        at = reading_enter_item(rd, entry->profile_count);
        profile = one_more(rd, (void **)&entry->profiles, &entry->profile_count, sizeof *profile, MAX_PROFILES);
        if (!profile || !read_profile(rd, profile))
            return false;
        for (size_t i = 0; i + 1 < entry->profile_count; i++)
            if (strcmp(entry->profiles[i].id, profile->id) == 0)
                return reading_wrong(rd, "is given twice");
        reading_leave(rd, at);
    }
    return false;
}

static bool read_where_member(struct reading *rd, struct entry *entry, const char *name)
{
    if (strcmp(name, "in_region") == 0)
        return reading_names(rd, &entry->in_region);
    if (strcmp(name, "through_profile") == 0)
        return reading_names(rd, &entry->through_profile);
    if (strcmp(name, "source") == 0)
        return reading_text(rd, &entry->where_source);
    if (strcmp(name, "date") == 0)
        return reading_date(rd, &entry->where_date);
    return reading_wrong(rd, "is not a member that is known");
}

/* Lists of Regions only make sense as a whole: one object replaces the other. */
static bool read_where(struct reading *rd, struct entry *entry)
{
    AUTO(buf_done) struct buf name = { .max = MAX_NAME_BYTES };
    bool done = false;

    if (entry->says_where)
        return reading_wrong(rd, "is given twice");
    entry->says_where = true;
    if (!json_enter_object(&rd->json, rd->err))
        return false;
    while (json_next_name(&rd->json, &name, &done, rd->err)) {
        size_t at = 0;

        if (done)
            return (entry->in_region.items && entry->through_profile.items) ||
                   reading_wrong(rd, "must have both \"in_region\" and \"through_profile\", lists of Regions");
        at = reading_enter(rd, buf_cstr(&name));
        if (!read_where_member(rd, entry, buf_cstr(&name)))
            return false;
        reading_leave(rd, at);
    }
    return false;
}

static bool read_own_text(struct reading *rd, const char **out)
{
    return reading_text(rd, (char **)(uintptr_t)out);
}

static bool read_lifecycle(struct reading *rd, struct model *model)
{
    if (!read_own_text(rd, &model->lifecycle))
        return false;
    return strcmp(model->lifecycle, "active") == 0 || strcmp(model->lifecycle, "legacy") == 0 ||
           reading_wrong(rd, "must be \"active\" or \"legacy\"");
}

static bool read_end_of_life(struct reading *rd, struct model *model)
{
    bool null = false;

    if (model->end_of_life)
        return reading_wrong(rd, "is given twice");
    if (!reading_null(rd, &null))
        return false;
    if (null) {
        model->end_of_life = mem_text("");
        return model->end_of_life ? true : err_memory(rd->err, HERE);
    }
    if (!reading_date(rd, (char **)(uintptr_t)&model->end_of_life))
        return false;
    return strlen(model->end_of_life) == 10 || reading_wrong(rd, "must be a day, 2026-10-31, or null");
}

static bool read_video(struct reading *rd, struct entry *entry)
{
    if (entry->says_video)
        return reading_wrong(rd, "is given twice");
    entry->says_video = true;
    return json_take_bool(&rd->json, &entry->model.accepts_video, rd->err);
}

static bool read_id(struct reading *rd, struct model *model)
{
    if (!read_own_text(rd, &model->id))
        return false;
    return models_id_ok(span_of(model->id)) || reading_wrong(rd, "must be a model id by AWS's pattern");
}

static bool read_member(struct reading *rd, struct entry *entry, const char *name, uint32_t *seen)
{
    struct model *model = &entry->model;
    bool known = false;

    if (strcmp(name, "id") == 0)
        return read_id(rd, model);
    if (strcmp(name, "name") == 0)
        return read_own_text(rd, &model->name);
    if (strcmp(name, "note") == 0)
        return read_own_text(rd, &model->note);
    if (strcmp(name, "lifecycle") == 0)
        return read_lifecycle(rd, model);
    if (strcmp(name, "end_of_life") == 0)
        return read_end_of_life(rd, model);
    if (strcmp(name, "accepts_video") == 0)
        return read_video(rd, entry);
    if (strcmp(name, "availability") == 0)
        return read_where(rd, entry);
    if (strcmp(name, "profiles") == 0)
        return read_profiles(rd, entry);
    if (strcmp(name, "regions") == 0)
        return read_regions(rd, entry);
    if (!reading_section(rd, &entry->base, name, seen, &known))
        return false;
    return known || reading_wrong(rd, "is not a member that is known");
}

static bool read_entry(struct reading *rd, struct entry *entry)
{
    AUTO(buf_done) struct buf name = { .max = MAX_NAME_BYTES };
    uint32_t seen = 0;
    bool done = false;

    if (!json_enter_object(&rd->json, rd->err))
        return false;
    while (json_next_name(&rd->json, &name, &done, rd->err)) {
        size_t at = 0;

        if (done)
            return entry->model.id || reading_wrong(rd, "must have an \"id\", which says what model it is");
        at = reading_enter(rd, buf_cstr(&name));
        if (!read_member(rd, entry, buf_cstr(&name), &seen))
            return false;
        reading_leave(rd, at);
    }
    return false;
}

static bool read_entries(struct reading *rd, struct entry **entries, size_t *count)
{
    bool done = false;

    if (!json_enter_array(&rd->json, rd->err))
        return false;
    while (json_next_item(&rd->json, &done, rd->err)) {
        struct entry *entry = NULL;
        size_t at = 0;

        if (done)
            return true;
        at = reading_enter_item(rd, *count);
        entry = one_more(rd, (void **)entries, count, sizeof *entry, MAX_MODELS);
        if (!entry || !read_entry(rd, entry))
            return false;
        for (size_t i = 0; i + 1 < *count; i++)
            if (strcmp((*entries)[i].model.id, entry->model.id) == 0)
                return reading_wrong(rd, "has the id of one before it");
        reading_leave(rd, at);
    }
    return false;
}

static bool read_document(struct reading *rd, struct entry **entries, size_t *count)
{
    AUTO(buf_done) struct buf name = { .max = MAX_NAME_BYTES };
    bool done = false;
    bool end = false;
    size_t at = 0;

    if (!json_enter_object(&rd->json, rd->err) || !json_next_name(&rd->json, &name, &done, rd->err))
        return false;
    if (done || strcmp(buf_cstr(&name), "models") != 0)
        return reading_wrong(rd, "the only member must be \"models\", an array");
    at = reading_enter(rd, "models");
    if (!read_entries(rd, entries, count))
        return false;
    reading_leave(rd, at);
    if (!json_next_name(&rd->json, &name, &done, rd->err))
        return false;
    if (!done)
        return reading_wrong(rd, "the only member must be \"models\", an array");
    if (!json_next_line(&rd->json, &end, rd->err))
        return false;
    return end || reading_wrong(rd, "there is more text after the document");
}

bool models_read(struct span json, const char *origin, int rank, struct entry **entries, size_t *count, struct err *err)
{
    AUTO(buf_done) struct buf path = { .max = MAX_PATH_BYTES };
    struct err cause = { 0 };
    struct reading rd = { .path = path, .origin = origin, .rank = rank, .err = &cause };
    bool done = false;

    *entries = NULL;
    *count = 0;
    json_reader_init(&rd.json, json, 0, NULL, NULL);
    done = read_document(&rd, entries, count);
    path = rd.path; /* it may have moved */
    if (done)
        return true;
    if (cause.kind != ERR_INPUT)
        return err_pass(err, &cause);
    return err_set(err, ERR_INPUT, false, cause.where, "%s%s%s", buf_cstr(&path), path.len ? ": " : "", cause.what);
}
