/* Inside of the table of models; only models_*.c include it. */
#ifndef VIDBATCH_WORK_MODELS_INSIDE_H
#define VIDBATCH_WORK_MODELS_INSIDE_H

#include "server/work/models.h"

enum { MAX_MODELS = 64, MAX_REGIONS = 64, MAX_PROFILES = 16, MAX_NAMES = 128, MAX_TEXT_BYTES = 4096 };

enum model_word {
    WORD_QUOTA_CODES, /* a JSON object */
    WORD_QUOTA_SOURCE,
    WORD_QUOTA_DATE,
    WORD_CURRENCY,
    WORD_PRICE_SOURCE,
    WORD_PRICE_DATE,
    WORD_PRICE_REGION,
    MODEL_WORDS
};

/* What one document says for a model, or for one Region or profile of it; later documents go over it member by member.
 * A number that AWS does not publish is given and `unknown`. */
struct number {
    int64_t n;
    const char *origin; /* NULL: not given */
    int rank;           /* of the document: the later one wins, however general it speaks */
};
struct word {
    char *text;
    int rank;
};
struct scope {
    struct number numbers[MODEL_NUMBERS];
    struct word words[MODEL_WORDS];
};

struct names {
    size_t count;
    char **items;
};
struct region {
    char *name;
    struct scope scope;
};
struct profile {
    char *id;
    struct names geography; /* beginnings of names of the Regions that can call it; none: all */
    struct scope scope;
};
struct entry {
    struct model model; /* texts owned; NULL where not given */
    bool says_video;    /* accepts_video was given */
    struct scope base;
    bool says_where; /* the following were given */
    struct names in_region, through_profile;
    char *where_source, *where_date;
    size_t region_count, profile_count;
    struct region *regions;
    struct profile *profiles;
};
struct models {
    size_t count;
    int documents; /* so many were read: the next one's rank */
    struct entry *entries;
    struct model_settings settings;
};

enum number_form { NUMBER_COUNT, NUMBER_DECIMAL }; /* decimals are texts, in millionths */
struct number_fact {
    const char *section, *name;
    enum number_form form;
    size_t offset;       /* in struct model_terms */
    int64_t least, most; /* in the unit of the field */
    bool may_be_null;    /* AWS publishes none */
    int64_t when_null;
    bool more_is_careful; /* of two models, the higher is the more careful assumption */
};
extern const struct number_fact number_facts[MODEL_NUMBERS];
struct word_fact {
    const char *section, *name;
    bool is_json;
};
extern const struct word_fact word_facts[MODEL_WORDS];

/* Reads a document. Gives *entries: entries_free, also of what was read before a failure. */
MUST_CHECK bool models_read(struct span json, const char *origin, int rank, struct entry **entries, size_t *count,
                            struct err *err);
void entry_done(struct entry *entry);
void entries_free(struct entry *entries, size_t count);
const struct entry *models_entry(const struct models *models, const struct model *model);
/* The id without what stands before it in an ARN; empty for ARNs of other things. */
struct span models_bare_id(struct span model_id);
bool names_have(const struct names *names, const char *name);

#endif
