#include "server/work/models.h"

#include "aws/bedrock_check.h"
#include "models_file.h"
#include "server/base/buf.h"
#include "server/base/json_reader.h"
#include "server/base/mem.h"

#include <inttypes.h>
#include <string.h>

enum { MAX_MODELS = 64, MAX_TEXT_BYTES = 4096 };

struct models {
    size_t count;
    struct model items[MAX_MODELS];
};

enum form { TEXT, PRICE, COUNT, FLAG, JSON };
struct member {
    const char *name;
    enum form form;
    size_t offset;
};
#define MEMBER(name, form, field)                                                                                      \
    {                                                                                                                  \
        name, form, offsetof(struct model, field)                                                                      \
    }
#define MEMBERS(table) table, sizeof(table) / sizeof((table)[0])

static const struct member model_members[] = {
    MEMBER("id", TEXT, id),
    MEMBER("name", TEXT, name),
    MEMBER("accepts_video", FLAG, accepts_video),
    MEMBER("lifecycle", TEXT, lifecycle),
    MEMBER("note", TEXT, note),
    MEMBER("availability", JSON, availability),
};
static const struct member limit_members[] = {
    MEMBER("context_tokens", COUNT, context_tokens),
    MEMBER("max_output_tokens", COUNT, max_output_tokens),
};
static const struct member quota_members[] = {
    MEMBER("min_records", COUNT, min_records),
    MEMBER("max_records_per_job", COUNT, max_records_per_job),
    MEMBER("max_records_per_file", COUNT, max_records_per_file),
    MEMBER("max_file_bytes", COUNT, max_file_bytes),
    MEMBER("max_job_bytes", COUNT, max_job_bytes),
    MEMBER("max_concurrent_jobs", COUNT, max_concurrent_jobs),
    MEMBER("codes", JSON, quota_codes),
    MEMBER("source", TEXT, quota_source),
    MEMBER("date", TEXT, quota_date),
};
static const struct member price_members[] = {
    MEMBER("currency", TEXT, currency),
    MEMBER("batch_input_per_million", PRICE, input_per_million),
    MEMBER("batch_output_per_million", PRICE, output_per_million),
    MEMBER("on_demand_input_per_million", PRICE, on_demand_input_per_million),
    MEMBER("on_demand_output_per_million", PRICE, on_demand_output_per_million),
    MEMBER("source", TEXT, price_source),
    MEMBER("date", TEXT, price_date),
};
static const struct member video_members[] = {
    MEMBER("tokens_per_frame", COUNT, tokens_per_frame),
    MEMBER("max_frames", COUNT, max_frames),
};
/* The objects inside a model; the first, without a name, is the model itself. */
static const struct section {
    const char *name;
    const struct member *members;
    size_t count;
} sections[] = {
    { "", MEMBERS(model_members) },       { "limits", MEMBERS(limit_members) }, { "quotas", MEMBERS(quota_members) },
    { "prices", MEMBERS(price_members) }, { "video", MEMBERS(video_members) },
};
enum { SECTIONS = sizeof(sections) / sizeof(sections[0]) };

/* "12.50" as 12500000 millionths; at most six decimals. */
static bool price_micros(const char *text, int64_t *out)
{
    int64_t whole = 0;
    int decimals = -1;

    for (const char *p = text; *p; p++) {
        if (*p == '.' && decimals < 0 && p > text) {
            decimals = 0;
            continue;
        }
        if (*p < '0' || *p > '9' || whole > INT64_C(1000000000000) || decimals >= 6)
            return false;
        whole = whole * 10 + (*p - '0');
        decimals += decimals >= 0;
    }
    if (!*text || decimals == 0)
        return false;
    for (int i = decimals < 0 ? 0 : decimals; i < 6; i++)
        whole *= 10;
    *out = whole;
    return true;
}

static bool read_text(struct json_reader *r, const char **out, struct err *err)
{
    AUTO(buf_done) struct buf text = { .max = MAX_TEXT_BYTES };

    if (!json_take_string(r, &text, err))
        return false;
    *out = mem_span((struct span){ buf_cstr(&text), text.len });
    return *out ? true : err_memory(err, HERE);
}

/* null says that AWS publishes no such number. */
static bool read_count(struct json_reader *r, int64_t *out, struct err *err)
{
    enum json_kind kind = JSON_KIND_NULL;

    if (!json_peek(r, &kind, err))
        return false;
    if (kind == JSON_KIND_NULL)
        return json_skip_value(r, err);
    if (!json_take_i64(r, out, err))
        return false;
    return *out >= 0 || err_set(err, ERR_INPUT, false, HERE, "is negative");
}

/* The value as it is written. The reader's window is the whole text, so offsets are places in it. */
static bool read_json(struct json_reader *r, const char **out, struct err *err)
{
    enum json_kind kind = JSON_KIND_NULL;
    const char *start = NULL;

    if (!json_peek(r, &kind, err))
        return false;
    if (kind != JSON_KIND_OBJECT)
        return err_set(err, ERR_INPUT, false, HERE, "must be an object");
    start = r->at;
    if (!json_check_value(r, err))
        return false;
    *out = mem_span((struct span){ start, (size_t)(r->at - start) });
    return *out ? true : err_memory(err, HERE);
}

static bool read_member(struct json_reader *r, const struct member *member, struct model *model, struct err *err)
{
    void *field = (char *)model + member->offset;
    int64_t micros = 0;

    switch (member->form) {
    case TEXT:
        return read_text(r, field, err);
    case PRICE:
        if (!read_text(r, field, err))
            return false;
        return price_micros(*(const char **)field, &micros) ||
               err_set(err, ERR_INPUT, false, HERE, "must be a decimal number with at most six decimals");
    case COUNT:
        return read_count(r, field, err);
    case FLAG:
        return json_take_bool(r, field, err);
    case JSON:
        return read_json(r, field, err);
    }
    return false;
}

/* Puts the member's name before what is wrong with it. */
static bool blame(struct err *err, size_t index, const struct section *section, const char *name)
{
    struct err cause = *err;

    err_clear(err);
    if (cause.kind == ERR_MEMORY)
        return err_memory(err, cause.where);
    return err_set(err, ERR_INPUT, false, cause.where, "models[%zu].%s%s%s: %s", index, section->name,
                   section->name[0] ? "." : "", name, cause.what);
}

static const struct section *find_section(const char *name)
{
    for (size_t i = 1; i < SECTIONS; i++) {
        if (strcmp(sections[i].name, name) == 0)
            return &sections[i];
    }
    return NULL;
}

static bool read_section(struct json_reader *r, const struct section *section, size_t index, struct model *model,
                         struct err *err);

static bool read_named(struct json_reader *r, const struct section *section, const char *name, size_t index,
                       struct model *model, uint32_t *seen, struct err *err)
{
    const struct section *inner = section == &sections[0] ? find_section(name) : NULL;

    for (size_t i = 0; i < section->count; i++) {
        if (strcmp(section->members[i].name, name) != 0)
            continue;
        if (*seen & (1U << i)) {
            err_set(err, ERR_INPUT, false, HERE, "is given twice");
            return blame(err, index, section, name);
        }
        *seen |= 1U << i;
        return read_member(r, &section->members[i], model, err) || blame(err, index, section, name);
    }
    if (inner && !(*seen & (1U << (16 + (inner - sections))))) {
        *seen |= 1U << (16 + (inner - sections));
        return read_section(r, inner, index, model, err);
    }
    err_set(err, ERR_INPUT, false, HERE, inner ? "is given twice" : "is not a member that is known");
    return blame(err, index, section, name);
}

static bool read_section(struct json_reader *r, const struct section *section, size_t index, struct model *model,
                         struct err *err)
{
    AUTO(buf_done) struct buf name = { .max = 64 };
    uint32_t seen = 0; /* members from bit 0, inner objects from bit 16 */
    bool done = false;

    if (!json_enter_object(r, err))
        return blame(err, index, section, "");
    for (;;) {
        if (!json_next_name(r, &name, &done, err))
            return blame(err, index, section, "");
        if (done)
            break;
        if (!read_named(r, section, buf_cstr(&name), index, model, &seen, err))
            return false;
    }
    for (size_t i = 0; i < section->count; i++) {
        if (!(seen & (1U << i))) {
            err_set(err, ERR_INPUT, false, HERE, "is missing");
            return blame(err, index, section, section->members[i].name);
        }
    }
    for (size_t i = 1; section == &sections[0] && i < SECTIONS; i++) {
        if (!(seen & (1U << (16 + i)))) {
            err_set(err, ERR_INPUT, false, HERE, "is missing");
            return blame(err, index, section, sections[i].name);
        }
    }
    return true;
}

static bool read_models(struct json_reader *r, struct models *models, struct err *err)
{
    bool done = false;

    if (!json_enter_array(r, err))
        return false;
    while (json_next_item(r, &done, err)) {
        struct model *model = NULL;
        if (done)
            return true;
        if (models->count == MAX_MODELS)
            return err_set(err, ERR_INPUT, false, HERE, "models: more than %d", MAX_MODELS);
        model = &models->items[models->count++];
        if (!read_section(r, &sections[0], models->count - 1, model, err))
            return false;
        for (size_t i = 0; i + 1 < models->count; i++) {
            if (strcmp(models->items[i].id, model->id) == 0)
                return err_set(err, ERR_INPUT, false, HERE, "models[%zu].id: %s is given twice", models->count - 1,
                               model->id);
        }
    }
    return false;
}

static bool read_document(struct span json, struct models *models, struct err *err)
{
    AUTO(buf_done) struct buf name = { .max = 64 };
    struct json_reader r;
    bool done = false;
    bool end = false;

    json_reader_init(&r, json, 0, NULL, NULL);
    if (!json_enter_object(&r, err) || !json_next_name(&r, &name, &done, err))
        return false;
    if (done || strcmp(buf_cstr(&name), "models") != 0)
        return err_set(err, ERR_INPUT, false, HERE, "the only member must be 'models', an array");
    if (!read_models(&r, models, err) || !json_next_name(&r, &name, &done, err))
        return false;
    if (!done)
        return err_set(err, ERR_INPUT, false, HERE, "%s: is not a member that is known", buf_cstr(&name));
    if (!json_next_line(&r, &end, err))
        return false;
    return end || err_set(err, ERR_INPUT, false, HERE, "there is more text after the document");
}

struct models *models_load(struct span json, struct err *err)
{
    struct models *models = mem_alloc(1, sizeof *models);

    if (!models) {
        err_memory(err, HERE);
        return NULL;
    }
    if (read_document(json, models, err))
        return models;
    models_free(models);
    return NULL;
}

struct models *models_builtin(struct err *err)
{
    return models_load((struct span){ models_json, models_json_len }, err);
}

void models_free(struct models *models)
{
    if (!models)
        return;
    for (size_t m = 0; m < models->count; m++) {
        for (size_t s = 0; s < SECTIONS; s++) {
            for (size_t i = 0; i < sections[s].count; i++) {
                const struct member *member = &sections[s].members[i];
                if (member->form == TEXT || member->form == PRICE || member->form == JSON)
                    mem_free(*(char **)((char *)&models->items[m] + member->offset));
            }
        }
    }
    mem_free(models);
}

size_t models_count(const struct models *models)
{
    return models->count;
}

const struct model *models_at(const struct models *models, size_t i)
{
    return &models->items[i];
}

/* The part of an ARN from which the model can be told, or the whole where it is none; empty for every other ARN. */
static struct span after_arn(struct span id)
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
    struct span bare = after_arn(model_id);

    for (size_t i = 0; i < models->count; i++) {
        struct span id = span_of(models->items[i].id);
        if (span_eq(bare, id))
            return &models->items[i];
        /* A profile is a geography, a dot and the model's id: "us.", "apac.", "global.", "us-gov." */
        if (bare.len > id.len + 1 && span_ends(bare, id) && span_find(bare, '.') == bare.len - id.len - 1)
            return &models->items[i];
    }
    return NULL;
}

bool models_id_ok(struct span model_id)
{
    return bedrock_is_model_id(model_id);
}

int64_t models_batch_cost_micros(const struct model *model, int64_t input_tokens, int64_t output_tokens)
{
    int64_t in = 0;
    int64_t out = 0;
    int64_t sum = 0;

    if (!model || input_tokens < 0 || output_tokens < 0 || !price_micros(model->input_per_million, &in) ||
        !price_micros(model->output_per_million, &out))
        return -1;
    if (__builtin_mul_overflow(in, input_tokens, &in) || __builtin_mul_overflow(out, output_tokens, &out) ||
        __builtin_add_overflow(in, out, &sum) || __builtin_add_overflow(sum, INT64_C(500000), &sum))
        return -1;
    return sum / 1000000;
}
