/* What holds for one model in one Region: the layers of the table, and the settings over them, become plain numbers. */
#include "server/work/models_inside.h"

#include <stdio.h>
#include <string.h>

static const char own_profile_key[] = "application-inference-profile";

/* The scopes of a model that matter here, the most general first; those that do not exist are NULL. */
struct layers {
    const struct scope *scopes[3];
};

/* The operator's word goes before the table's, then the special before the general. */
static const struct number *best_number(const struct layers *layers, int i)
{
    const struct number *best = NULL;

    for (int s = 0; s < 3; s++) {
        const struct number *number = layers->scopes[s] ? &layers->scopes[s]->numbers[i] : NULL;

        if (number && number->origin && (!best || number->rank >= best->rank))
            best = number;
    }
    return best;
}

static const char *best_word(const struct layers *layers, int i)
{
    const struct word *best = NULL;

    for (int s = 0; s < 3; s++) {
        const struct word *word = layers->scopes[s] ? &layers->scopes[s]->words[i] : NULL;

        if (word && word->text && (!best || word->rank >= best->rank))
            best = word;
    }
    return best ? best->text : NULL;
}

static struct layers layers_of(const struct entry *entry, const char *region, struct span bare_id)
{
    struct layers layers = { { &entry->base, NULL, NULL } };

    for (size_t i = 0; i < entry->region_count; i++)
        if (strcmp(entry->regions[i].name, region) == 0)
            layers.scopes[1] = &entry->regions[i].scope;
    for (size_t i = 0; i < entry->profile_count; i++)
        if (span_eq_text(bare_id, entry->profiles[i].id))
            layers.scopes[2] = &entry->profiles[i].scope;
    return layers;
}

static int64_t *place(struct model_terms *terms, int i)
{
    return (int64_t *)((char *)terms + number_facts[i].offset);
}

static void fill_numbers(const struct layers *layers, struct model_terms *terms)
{
    for (int i = 0; i < MODEL_NUMBERS; i++) {
        const struct number *number = best_number(layers, i);

        *place(terms, i) = number ? number->n : number_facts[i].when_null;
        terms->origins[i] = number ? number->origin : MODEL_BUILT_IN;
    }
    terms->prices.currency = best_word(layers, WORD_CURRENCY);
    terms->prices.source = best_word(layers, WORD_PRICE_SOURCE);
    terms->prices.date = best_word(layers, WORD_PRICE_DATE);
    terms->prices.price_region = best_word(layers, WORD_PRICE_REGION);
    if (!terms->prices.price_region || !terms->prices.price_region[0])
        terms->prices.price_region = terms->region;
    terms->quota_codes = best_word(layers, WORD_QUOTA_CODES);
    terms->quota_source = best_word(layers, WORD_QUOTA_SOURCE);
    terms->quota_date = best_word(layers, WORD_QUOTA_DATE);
}

static void set_number(struct model_terms *terms, enum model_number i, int64_t n, const char *setting)
{
    if (n <= 0)
        return;
    *place(terms, i) = n;
    terms->origins[i] = setting;
}

/* 9/10 of what a job may hold, say: what AWS counts of the videos is not known to the byte. */
static void set_cap(struct model_terms *terms, int64_t setting)
{
    const int64_t whole = terms->max_job_bytes ? terms->max_job_bytes : terms->job_bytes_if_unpublished;

    terms->job_bytes_cap = setting > 0 ? setting : whole / 100 * terms->job_bytes_percent;
    terms->cap_origin = setting > 0 ? "VIDBATCH_SHARD_BYTES" : "computed";
}

static void apply_settings(const struct model_settings *settings, struct model_terms *terms)
{
    set_number(terms, MODEL_MIN_RECORDS, settings->min_records, "VIDBATCH_MIN_RECORDS");
    set_number(terms, MODEL_MAX_RECORDS_PER_JOB, settings->shard_records, "VIDBATCH_SHARD_RECORDS");
    set_number(terms, MODEL_MAX_RECORDS_PER_FILE, settings->shard_records, "VIDBATCH_SHARD_RECORDS");
    set_number(terms, MODEL_MAX_CONCURRENT_JOBS, settings->concurrent_jobs, "VIDBATCH_CONCURRENT_JOBS");
    set_number(terms, MODEL_MAX_VIDEO_BYTES, settings->max_video_bytes, "VIDBATCH_MAX_VIDEO_BYTES");
    set_cap(terms, settings->shard_bytes);
}

/* The geographies that may be tried from here: "use us.amazon.nova-lite-v1:0". */
static void advise(const struct models *models, struct model_terms *terms)
{
    AUTO(buf_done) struct buf words = { .max = sizeof terms->advice - 1 };
    const struct model *model = terms->model;
    int found = 0;

    if (!terms->batch_here) {
        buf_fmt(&words, "No batch inference with %s is known in %s: run the service in another Region.", model->name,
                terms->region);
    } else if (!terms->bare_id_here) {
        buf_fmt(&words, "In %s, batch inference takes %s only through an inference profile: use", terms->region,
                model->name);
        for (size_t i = 0; i < models_profiles(models, model); i++)
            if (models_profile_is_near(models, model, i, terms->region))
                buf_fmt(&words, "%s %s", found++ ? " or" : "", models_profile_at(models, model, i));
        buf_text(&words, found ? "." : " one that ListInferenceProfiles gives there.");
    }
    snprintf(terms->advice, sizeof terms->advice, "%s", buf_cstr(&words));
}

static bool profile_is_near(const struct models *models, const struct model_terms *terms, struct span bare_id)
{
    for (size_t i = 0; i < models_profiles(models, terms->model); i++)
        if (span_eq_text(bare_id, models_profile_at(models, terms->model, i)))
            return models_profile_is_near(models, terms->model, i, terms->region);
    return true; /* nothing is known of it */
}

static void fill_terms(const struct models *models, const struct entry *entry, struct span bare_id, const char *region,
                       struct model_terms *out)
{
    const struct layers layers = layers_of(entry, region, bare_id);
    const bool by_profile = names_have(&entry->through_profile, region);

    *out = (struct model_terms){ .model = &entry->model, .key = entry->model.id, .region = region };
    fill_numbers(&layers, out);
    apply_settings(&models->settings, out);
    out->bare_id_here = names_have(&entry->in_region, region);
    out->batch_here = out->bare_id_here || by_profile;
    out->is_profile = !span_eq_text(bare_id, entry->model.id);
    out->profile_here = out->is_profile && by_profile && profile_is_near(models, out, bare_id);
    advise(models, out);
}

/* The more careful of two numbers; 0 says that none is published. */
static int64_t careful(int i, int64_t a, int64_t b)
{
    if (number_facts[i].may_be_null && (a == number_facts[i].when_null || b == number_facts[i].when_null))
        return a > b ? a : b;
    return (a > b) == number_facts[i].more_is_careful ? a : b;
}

/* Nobody can know which model is behind: what every model would allow, and no prices. */
static void fill_careful(const struct models *models, const char *region, struct model_terms *out)
{
    bool first = true;

    for (size_t m = 0; m < models->count; m++) {
        const struct entry *entry = &models->entries[m];
        struct model_terms terms;

        if (!entry->model.accepts_video)
            continue;
        fill_terms(models, entry, span_of(entry->model.id), region, &terms);
        if (first)
            *out = terms;
        for (int i = 0; !first && i < MODEL_NUMBERS; i++) {
            *place(out, i) = careful(i, *place(out, i), *place(&terms, i));
            if (*place(out, i) == *place(&terms, i))
                out->origins[i] = terms.origins[i];
        }
        if (!first && terms.job_bytes_cap < out->job_bytes_cap)
            out->job_bytes_cap = terms.job_bytes_cap;
        first = false;
    }
    out->model = NULL;
    out->key = own_profile_key;
    out->region = region;
    out->prices = (struct model_prices){ -1, -1, -1, -1, NULL, NULL, NULL, NULL };
    out->batch_here = out->is_profile = out->profile_here = true;
    out->bare_id_here = false;
    out->advice[0] = 0;
}

static bool is_own_profile(struct span model_id)
{
    return span_starts(model_id, SPAN_LIT("arn:")) &&
           memmem(model_id.ptr, model_id.len, ":application-inference-profile/", 31) != NULL;
}

bool models_terms(const struct models *models, struct span model_id, const char *region, struct model_terms *out,
                  struct err *err)
{
    const struct model *model = models_find(models, model_id);

    if (model) {
        fill_terms(models, models_entry(models, model), models_bare_id(model_id), region, out);
        return true;
    }
    if (models_id_ok(model_id) && is_own_profile(model_id)) {
        struct model_terms terms = { 0 };

        fill_careful(models, region, &terms);
        *out = terms;
        return true;
    }
    err_set(err, ERR_INPUT, false, HERE,
            "It is no model that is known here. GET /v1/models lists them; their inference profiles and ARNs do as "
            "well.");
    return err_code(err, "model_unknown");
}

int64_t models_largest_video(const struct models *models, const char *region)
{
    int64_t largest = 0;

    for (size_t m = 0; m < models->count; m++) {
        const struct entry *entry = &models->entries[m];
        struct model_terms terms;

        if (!entry->model.accepts_video)
            continue;
        fill_terms(models, entry, span_of(entry->model.id), region, &terms);
        if (terms.max_video_bytes > largest)
            largest = terms.max_video_bytes;
    }
    return largest;
}
